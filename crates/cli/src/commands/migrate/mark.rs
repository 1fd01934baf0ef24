use longshore_migrate::Exit;
use longshore_migrate::report::MarkReport;
use longshore_sqlite::target::Access;

use super::{Absent, Site};
use crate::context::Context;

/// Adopts a database that was made by hand.
pub(super) fn baseline(site: &Site<'_>, id: &str, reason: &str) -> anyhow::Result<Exit> {
    let mut migrator = site.migrator(Access::Write, Absent::Refused)?;
    let id = migrator.resolve(id)?;
    let report = migrator.baseline(&id, reason)?;
    tell(site.context, &report)
}

/// Tells what was marked.
pub(super) fn tell(context: &Context, report: &MarkReport) -> anyhow::Result<Exit> {
    context.output.result(report, |output| {
        for id in &report.marked {
            output.line(format!("marked {id}"))?;
        }
        for note in &report.notes {
            output.line(note)?;
        }
        if report.marked.is_empty() { output.line("nothing to mark: the ledger says so already") } else { Ok(()) }
    })?;
    Ok(Exit::Done)
}
