use longshore_migrate::report::{RepairAction, RepairReport};
use longshore_migrate::{RepairMode, RepairRequest};
use longshore_migrate_sqlite::Access;

use super::{Absent, Site, progress};
use crate::error_report::command_error::CommandError;
use crate::exit::Exit;
use crate::output::Output;

/// Longer SQL would hide the steps.
const SQL_LINES_MAX: usize = 12;

/// Plans how to make ledger, files and schema agree again. With a reason, runs the plan.
pub(super) fn run(site: &Site<'_>, reason: Option<&str>) -> anyhow::Result<Exit> {
    let (access, mode) = match reason {
        None => (Access::Inspect, RepairMode::Plan),
        Some(reason) => (Access::Write, RepairMode::Apply { reason: reason.to_owned() }),
    };
    let mut migrator = site.migrator(access, Absent::Refused)?;
    if let Some(listener) = progress::listener(&site.context.output) {
        migrator.watch(listener);
    }
    let report = migrator.repair(&RepairRequest { mode })?;
    let told = site.context.output.result(&report, |output| print(output, &report));
    if report.applied {
        CommandError::after("the repair was applied", told)?;
        return Ok(Exit::Done);
    }
    told?;
    Ok(Exit::Done)
}

fn print(output: &Output, report: &RepairReport) -> std::io::Result<()> {
    if report.steps.is_empty() {
        return output.line("nothing to repair");
    }
    for (number, step) in (1..).zip(&report.steps) {
        let subject = step.id.as_ref().map(|id| format!(" {id}")).unwrap_or_default();
        output.line(format!("{number}. {}{subject}: {}", action_in_words(step.action), step.why))?;
        let lines: Vec<&str> = step.sql.iter().flat_map(|sql| sql.lines()).collect();
        if lines.len() > SQL_LINES_MAX {
            output.line(format!("     {} lines of SQL, which --json prints", lines.len()))?;
            continue;
        }
        for line in lines {
            output.line(format!("     {line}"))?;
        }
    }
    if let Some(backup) = &report.backup {
        output.line(format!("backup: {}", backup.display()))?;
    }
    if report.applied {
        return output.line("repaired: the schema matches the ledger");
    }
    let next = "nothing was changed; apply this plan with: longshore migrate repair --apply --reason TEXT";
    output.line(output.hint(next))
}

pub(super) const fn action_in_words(action: RepairAction) -> &'static str {
    match action {
        RepairAction::MarkApplied => "mark as applied",
        RepairAction::Apply => "apply",
        RepairAction::Add => "add the missing objects of",
        RepairAction::Replace => "replace",
        RepairAction::RebuildTable => "rebuild a table of",
        RepairAction::RecordChecksum => "record the checksum of",
        RepairAction::TakeOver => "take over",
        RepairAction::Keep => "keep",
        RepairAction::Drop => "drop",
        RepairAction::TellOtherManager => "tell the other manager",
        RepairAction::GiveBack => "give back",
        _ => "mend",
    }
}
