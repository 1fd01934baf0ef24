use longshore_migrate::report::{Discrepancy, DiscrepancyKind, LedgerDiscrepancy, VerifyReport};
use longshore_migrate_sqlite::Access;

use super::{Absent, Site};
use crate::error_report::migration::with_commands;
use crate::exit::Exit;
use crate::output::Output;

/// Compares the real schema with what the ledger records.
pub(super) fn run(site: &Site<'_>) -> anyhow::Result<Exit> {
    let mut report = site.migrator(Access::Inspect, Absent::Refused)?.verify()?;
    with_commands(&site.context.output, &mut report.findings);
    site.context.output.result(&report, |output| print(output, &report))?;
    Ok(report.agreement().into())
}

fn print(output: &Output, report: &VerifyReport) -> std::io::Result<()> {
    for finding in &report.findings {
        output.line(finding)?;
        if let Some(hint) = &finding.hint {
            output.line(format!("  {hint}"))?;
        }
    }
    for discrepancy in &report.differences {
        output.line(discrepancy_in_words(discrepancy))?;
    }
    for object in &report.foreign {
        output.line(format!("{object}: not made by any migration, not touched"))?;
    }
    if report.ok { output.line("the schema matches the ledger") } else { Ok(()) }
}

/// A difference in words: the object, what was expected, and the migration that it belongs to.
pub(crate) fn discrepancy_in_words(discrepancy: &Discrepancy) -> String {
    if discrepancy.kind == DiscrepancyKind::Ledger(LedgerDiscrepancy::NotRecorded) {
        let found = discrepancy.found.as_deref().filter(|found| !found.is_empty()).unwrap_or("its objects");
        return format!("{}: not applied according to the ledger, but the schema has {found}", discrepancy.object);
    }
    let mut words = discrepancy.object.clone();
    match (&discrepancy.expected, &discrepancy.found) {
        (Some(expected), Some(found)) => words.push_str(&format!(": expected {expected}, found {found}")),
        (Some(expected), None) => words.push_str(&format!(": missing, expected {expected}")),
        // Where nothing is to be said of an object, this is its kind, which its name says already.
        (None, Some(found)) if found.starts_with("the ") => words.push_str(": not expected"),
        (None, Some(found)) => words.push_str(&format!(": not expected, found {found}")),
        (None, None) => words.push_str(": differs"),
    }
    match &discrepancy.because {
        Some(id) => format!("{words} ({id})"),
        None => format!("{words} (made by hand)"),
    }
}
