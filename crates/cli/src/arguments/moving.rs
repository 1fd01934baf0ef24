use std::ffi::OsString;
use std::time::Duration;

use clap::{Args, ValueHint};
use longshore_core::parse_duration;

/// Which queue moves where.
#[derive(Clone, Debug, Args)]
pub(crate) struct MoveArguments {
    /// Move from this database: sqlite:PATH, a bare path or postgres://…
    #[arg(long, value_name = "URL", value_hint = ValueHint::FilePath)]
    pub(crate) from: OsString,

    /// Move to this database; with --undo, leave it out if it cannot be reached
    #[arg(long, value_name = "URL", value_hint = ValueHint::FilePath, required_unless_present = "undo")]
    pub(crate) to: Option<OsString>,

    /// Take completed and cancelled jobs along; otherwise they stay where they are
    #[arg(long, conflicts_with = "undo")]
    pub(crate) ended: bool,

    /// Let running jobs end for this long before they are taken back
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "30s", conflicts_with = "undo")]
    pub(crate) grace: Duration,

    /// Show what would move, and write nothing
    #[arg(long, conflicts_with = "undo")]
    pub(crate) dry_run: bool,

    /// Give the old database its queue back, and remove what has arrived in the new one
    #[arg(long)]
    pub(crate) undo: bool,
}
