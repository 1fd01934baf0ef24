use std::time::Duration;

use longshore_migrate::ledger::{Event, EventKind};
use longshore_migrate::report::HistoryReport;
use longshore_migrate_sqlite::Access;

use super::{Absent, Site};
use crate::exit::Exit;
use crate::output::relative_time::span;
use crate::output::table::Table;

/// Prints every event of the ledger.
pub(super) fn run(site: &Site<'_>, id: Option<&str>) -> anyhow::Result<Exit> {
    let mut migrator = site.migrator(Access::Inspect, Absent::Refused)?;
    let id = id.map(|text| migrator.resolve(text)).transpose()?;
    let report = migrator.history(id.as_ref())?;
    site.context.output.result(&report, |output| output.table(&table(&report)))?;
    Ok(Exit::Done)
}

/// Details of an event. Those of a repair are long and part of its plan, so they are left out.
fn why(event: &Event) -> Option<String> {
    use EventKind as K;
    let is_mark = matches!(event.event, K::MarkedApplied | K::MarkedRolledBack | K::Adopted | K::AdoptionUndone);
    match (&event.reason, &event.detail) {
        (Some(reason), Some(detail)) if is_mark => Some(format!("{reason} ({detail})")),
        (reason, detail) => reason.clone().or_else(|| detail.clone()),
    }
}

fn table(report: &HistoryReport) -> Table {
    let mut table = Table::new(&["AT", "ID", "EVENT", "TOOK", "WHO", "HOST", "WHY"]).wrapped();
    for event in &report.events {
        let dash = || "-".to_owned();
        let took = event.duration_ms.and_then(|ms| u64::try_from(ms).ok()).map(|ms| span(Duration::from_millis(ms)));
        table.row(&[
            event.at.clone(),
            event.id.to_string(),
            event.event.word().replace('_', " "),
            took.unwrap_or_else(dash),
            event.who.clone().unwrap_or_else(dash),
            event.host.clone().unwrap_or_else(dash),
            why(event).unwrap_or_else(dash),
        ]);
    }
    table.right(&[3]).text(&[6]).optional(&[5, 3, 4]).state(2)
}
