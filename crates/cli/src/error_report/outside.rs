//! How outside causes are printed: one exit code and one hint for each cause, in every command.

use longshore_core::{OutsideCause, SchemaVerdict};

use crate::exit::Exit;

/// The hint for too many open files.
pub(super) const RAISE_THE_LIMIT: &str = "raise the limit with \"ulimit -n\", or run fewer jobs at once";

/// The exit code.
pub(super) const fn exit(cause: &OutsideCause) -> Exit {
    match cause {
        OutsideCause::Busy { .. } | OutsideCause::RunnerBusy { .. } | OutsideCause::Conflict { .. } => Exit::Locked,
        OutsideCause::NoFolder { .. } => Exit::Usage,
        _ => Exit::Failed,
    }
}

/// The hint, with the flag or command that fixes it.
pub(super) const fn hint(cause: &OutsideCause) -> &'static str {
    match cause {
        OutsideCause::NotADatabase { .. } | OutsideCause::NotAFile { .. } => "check the path",
        OutsideCause::Missing { .. } => "check the path, or create it with \"longshore migrate up\"",
        OutsideCause::NoFolder { .. } => "create the folder, or check the path",
        OutsideCause::TooManyFiles { .. } => RAISE_THE_LIMIT,
        OutsideCause::LogGone { .. } => {
            "never delete FILE-wal or FILE-shm while a program uses the database; check it with \"longshore doctor\", \
             then start again"
        }
        cause => cause.hint(),
    }
}

/// The exit code for an unsupported schema.
pub(super) const fn exit_of_schema(verdict: SchemaVerdict) -> Exit {
    match verdict {
        SchemaVerdict::HistoryBroken => Exit::HistoryBroken,
        _ => Exit::SchemaDisagrees,
    }
}

/// The command that fixes the schema.
pub(super) const fn hint_of_schema(verdict: SchemaVerdict) -> &'static str {
    match verdict {
        SchemaVerdict::NeverMigrated | SchemaVerdict::Older => "longshore migrate up",
        SchemaVerdict::Newer => "run the version of longshore that migrated this database, or a newer one",
        SchemaVerdict::OfAnotherProgram => super::migration::ADOPT,
        SchemaVerdict::Disagrees => "longshore migrate repair",
        SchemaVerdict::HistoryBroken => "longshore migrate status",
    }
}
