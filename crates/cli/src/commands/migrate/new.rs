use std::path::PathBuf;

use longshore_migrate::Migrator;
use serde::Serialize;

use super::{DIR, Site};
use crate::error_report::command_error::CommandError;
use crate::exit::Exit;

/// The files that were created.
#[derive(Serialize)]
struct Written {
    number: i64,
    up: PathBuf,
    down: PathBuf,
}

/// Creates the next pair of empty migration files.
pub(super) fn run(site: &Site<'_>, name: &str) -> anyhow::Result<Exit> {
    // The first migration of an application also creates its directory.
    let dir = site.named_dir()?.unwrap_or_else(|| DIR.into());
    std::fs::create_dir_all(&dir)?;
    let migrator: Migrator<'static> = site.offline()?;
    let pair = migrator.new_pair(name)?;
    let written = Written { number: pair.number, up: pair.up, down: pair.down };
    let told = site.context.output.result(&written, |output| {
        output.line(written.up.display())?;
        output.line(written.down.display())
    });
    let done = format_args!("{} and {} were written", written.up.display(), written.down.display());
    CommandError::after(done, told)?;
    Ok(Exit::Done)
}
