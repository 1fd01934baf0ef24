use longshore_migrate::report::{AdoptReport, RepairAction, Theirs};
use longshore_migrate::{AdoptRequest, Choices, RepairMode};
use longshore_migrate_sqlite::Access;

use super::{Absent, Site, progress, repair};
use crate::arguments::AdoptArguments;
use crate::error_report::command_error::CommandError;
use crate::exit::Exit;
use crate::output::Output;

/// Takes over the table of another program, or gives it back.
pub(super) fn run(site: &Site<'_>, arguments: &AdoptArguments) -> anyhow::Result<Exit> {
    let (access, mode) = match &arguments.reason {
        Some(reason) if !arguments.dry_run => (Access::Write, RepairMode::Apply { reason: reason.clone() }),
        _ => (Access::Inspect, RepairMode::Plan),
    };
    let mut migrator = site.migrator(access, Absent::Refused)?;
    if let Some(listener) = progress::listener(&site.context.output) {
        migrator.watch(listener);
    }
    let report = if arguments.undo {
        migrator.give_back(&mode)?
    } else {
        migrator.adopt(&AdoptRequest { mode, choices: choices(arguments) })?
    };
    let told = site.context.output.result(&report, |output| print(output, &report));
    if report.applied {
        CommandError::after("it is done", told)?;
        return Ok(Exit::Done);
    }
    told?;
    Ok(Exit::Done)
}

fn choices(arguments: &AdoptArguments) -> Choices {
    Choices {
        keep: arguments.keep.clone(),
        drop: arguments.drop.clone(),
        by_position: arguments.by_position,
        leave_out: arguments.leave_out,
    }
}

fn print(output: &Output, report: &AdoptReport) -> std::io::Result<()> {
    output.line("found:")?;
    for sentence in &report.found {
        output.line(format!("  {sentence}"))?;
    }
    if !report.steps.is_empty() {
        output.line(if report.applied { "done:" } else { "to do:" })?;
    }
    for (number, step) in (1..).zip(&report.steps) {
        let subject = step.id.as_ref().map(|id| format!(" {id}")).unwrap_or_default();
        output.line(format!("  {number}. {}{subject}: {}", repair::action_in_words(step.action), step.why))?;
        // Whole migrations and copies are for --json; what goes and what stays is worth a line.
        let is_short = matches!(step.action, RepairAction::Keep | RepairAction::Drop);
        if let Some(sql) = step.sql.as_ref().filter(|_| is_short) {
            output.line(format!("       {}", sql.split_whitespace().collect::<Vec<_>>().join(" ")))?;
        }
    }
    print_others(output, report)?;
    if let Some(backup) = &report.backup {
        output.line(format!("backup: {}", backup.display()))?;
    }
    if report.steps.is_empty() {
        return output.line("nothing to do");
    }
    match (report.applied, report.can_be_undone) {
        (true, true) => {
            output.line(output.hint("undo: longshore adopt --undo --reason TEXT, as long as no job has run"))
        }
        (true, false) => Ok(()),
        (false, _) => {
            output.line("nothing was changed; carry it out with the same command without --dry-run, with --reason TEXT")
        }
    }
}

fn print_others(output: &Output, report: &AdoptReport) -> std::io::Result<()> {
    if !report.theirs.is_empty() {
        output.line(theirs_in_words(&report.theirs))?;
    }
    if !report.foreign.is_empty() {
        let names: Vec<String> = report.foreign.iter().map(ToString::to_string).collect();
        output.line(format!("the application's, and left alone: {}", names.join(", ")))?;
    }
    Ok(())
}

/// The other manager's rows in one line.
pub(super) fn theirs_in_words(theirs: &[Theirs]) -> String {
    let told = |row: &Theirs| {
        let same = row.same_as.as_ref().map(|id| format!(", which is {id}")).unwrap_or_default();
        let state = if row.rolled_back_at.is_some() { ", rolled back" } else { "" };
        format!("{} ({}{same}{state})", row.number, row.name)
    };
    let rows: Vec<String> = theirs.iter().map(told).collect();
    format!("theirs, in schema_migrations: {}", rows.join(", "))
}
