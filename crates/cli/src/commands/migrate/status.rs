use longshore_migrate::report::{Discrepancy, DiscrepancyKind, MigrationStatus, State, StatusReport};
use longshore_migrate_sqlite::Access;
use serde::Serialize;

use super::verify::discrepancy_in_words;
use super::{Absent, Site, print_skipped};
use crate::error_report::migration::{of_next_step, with_commands};
use crate::exit::Exit;
use crate::output::Output;
use crate::output::table::Table;

/// Whether the exit code depends on the findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Exit 0 in any case.
    Shown,
    /// Exit as `--check` documents.
    Checked,
}

/// Prints ledger, available migrations and schema side by side.
pub(super) fn run(site: &Site<'_>, verdict: Verdict) -> anyhow::Result<Exit> {
    let mut report = site.migrator(Access::Inspect, Absent::Empty)?.status()?;
    with_commands(&site.context.output, &mut report.findings);
    let hint = report.next.as_ref().and_then(of_next_step).map(|hint| site.context.output.hint(&hint));
    let status = Status { hint, report: &report };
    site.context.output.result(&status, |output| print(output, &status))?;
    Ok(match verdict {
        Verdict::Shown => Exit::Done,
        Verdict::Checked => report.agreement().into(),
    })
}

/// The report and the suggested next command.
#[derive(Serialize)]
struct Status<'a> {
    #[serde(flatten)]
    report: &'a StatusReport,
    hint: Option<String>,
}

fn print(output: &Output, status: &Status<'_>) -> std::io::Result<()> {
    let report = status.report;
    output.line(format!("Applied migrations: {}", report.applied_count))?;
    output.line(format!("Available migrations: {}", report.available_count))?;
    output.line(format!("Pending migrations: {}\n", report.pending_count))?;
    output.table(&table(&report.migrations))?;
    let problems = report.migrations.iter().filter_map(|migration| Some((migration, migration.problem.as_ref()?)));
    for (migration, problem) in problems {
        output.line(format!("\n{}: {problem}", migration.id))?;
    }
    print_rest(output, report)?;
    status.hint.as_ref().map_or(Ok(()), |hint| output.line(format!("\nnext: {hint}")))
}

fn print_rest(output: &Output, report: &StatusReport) -> std::io::Result<()> {
    for finding in &report.findings {
        output.line(format!("\n{finding}"))?;
        if let Some(hint) = &finding.hint {
            output.line(format!("  {hint}"))?;
        }
    }
    // A migration that exists without a ledger row is already reported as a problem.
    let is_object = |found: &&Discrepancy| matches!(found.kind, DiscrepancyKind::Object(_));
    for discrepancy in report.differences.iter().filter(is_object) {
        output.line(format!("\n{}", discrepancy_in_words(discrepancy)))?;
    }
    let unseen = report.unrecognised.iter().filter(|file| !report.findings.iter().any(|it| it.subject == **file));
    for file in unseen {
        output.line(format!("\n{file}: not recognised as a migration"))?;
    }
    if !report.skipped.is_empty() {
        output.line("")?;
        print_skipped(output, &report.skipped)?;
    }
    if !report.foreign.is_empty() {
        let names: Vec<String> = report.foreign.iter().map(ToString::to_string).collect();
        output.line(format!("\nnot made by any migration, not touched: {}", names.join(", ")))?;
    }
    if !report.theirs.is_empty() {
        output.line(format!("\n{}", super::adopt::theirs_in_words(&report.theirs)))?;
    }
    for ledger in &report.foreign_ledgers {
        output.line(format!("\nthe table {} is the ledger of another tool, not touched", ledger.table))?;
    }
    Ok(())
}

fn table(migrations: &[MigrationStatus]) -> Table {
    let mut table = Table::new(&["ID", "NAME", "STATE", "APPLIED", "ROLLED BACK"]).text(&[1]).optional(&[4]).state(2);
    for migration in migrations {
        let dash = || "-".to_owned();
        table.row(&[
            migration.id.to_string(),
            migration.name.clone(),
            state_in_words(migration.state).to_owned(),
            migration.applied_at.clone().unwrap_or_else(dash),
            migration.rolled_back_at.clone().unwrap_or_else(dash),
        ]);
    }
    table
}

const fn state_in_words(state: State) -> &'static str {
    match state {
        State::Applied => "applied",
        State::Pending => "pending",
        State::RolledBack => "rolled back",
        State::Changed => "changed",
        State::Missing => "missing",
    }
}
