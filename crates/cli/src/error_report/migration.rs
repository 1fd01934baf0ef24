//! How errors and findings about migrations are printed: the exit code and the next command.

use std::collections::BTreeSet;

use longshore_migrate::finding::{Finding, FindingKind};
use longshore_migrate::report::NextStep;
use longshore_migrate::target::TargetError;
use longshore_migrate::{Direction, Loss, LossKind, MigrateError};

use crate::exit::Exit;

/// The exit code, if the cause is not an outside one.
pub(super) fn exit(error: &MigrateError) -> Exit {
    match error {
        MigrateError::HistoryBroken { .. } => Exit::HistoryBroken,
        MigrateError::AlreadyThere { .. } | MigrateError::DidNotUndo { .. } | MigrateError::DidNotDo { .. } => {
            Exit::SchemaDisagrees
        }
        MigrateError::DataLoss { .. }
        | MigrateError::NotKept { .. }
        | MigrateError::NotShown { .. }
        | MigrateError::StillThere { .. }
        | MigrateError::NoFile { .. }
        | MigrateError::NoRepair { .. }
        | MigrateError::NoDown { .. }
        | MigrateError::Needed { .. } => Exit::Refused,
        MigrateError::UnknownId { .. }
        | MigrateError::AmbiguousId { .. }
        | MigrateError::NoReason
        | MigrateError::NoDirectory
        | MigrateError::Source { .. } => Exit::Usage,
        _ => Exit::Failed,
    }
}

/// The next step, if the cause is not an outside one.
pub(super) fn hint(error: &MigrateError) -> String {
    match error {
        MigrateError::HistoryBroken { findings } | MigrateError::NoRepair { reasons: findings } => {
            let hint = findings.iter().find_map(of_finding);
            hint.unwrap_or_else(|| "longshore migrate status".to_owned())
        }
        MigrateError::AlreadyThere { id, .. } => {
            format!("longshore migrate mark-applied {id} --reason TEXT, or longshore migrate repair")
        }
        MigrateError::DataLoss { direction, losses, .. } => of_losses(*direction, losses),
        MigrateError::NotKept { object, .. } => {
            format!("drop {object} in the migration and create it again so that it fits; nothing was changed")
        }
        MigrateError::NotShown { id, .. } => format!(
            "longshore migrate repair, or longshore migrate mark-applied {id} --reason TEXT --unverified to mark it \
             anyway"
        ),
        MigrateError::StillThere { steps, .. } => {
            let way = if *steps == 1 { String::new() } else { format!(" --steps {steps}") };
            format!("longshore migrate down{way}, or add --unverified to mark it anyway")
        }
        MigrateError::NoFile { .. } => "restore its files first".to_owned(),
        MigrateError::RepairUndone { .. } => {
            "nothing was changed; see the differences with longshore migrate verify".to_owned()
        }
        MigrateError::Failed { id, .. } => {
            format!("correct {id} or the data that it fails on, then run the command again")
        }
        MigrateError::DidNotDo { id, .. } | MigrateError::DidNotUndo { id, .. } => {
            format!("correct {id}; all of its changes were undone")
        }
        MigrateError::NoDown { id } => {
            format!("write a down file for {id}, or a new migration that undoes it")
        }
        MigrateError::Needed { needed_by, .. } => format!("roll {needed_by} back first"),
        MigrateError::UnknownId { .. } => "longshore migrate status lists every migration".to_owned(),
        MigrateError::AmbiguousId { ids, .. } => {
            ids.first().map(|id| format!("write {id}, with its source")).unwrap_or_default()
        }
        MigrateError::NoReason => "add --reason TEXT".to_owned(),
        MigrateError::NoDirectory => "add --dir DIR".to_owned(),
        MigrateError::Source { .. } => "check --dir".to_owned(),
        MigrateError::Target { error: TargetError::ForeignKeys { .. } } => {
            "delete or correct those rows, then run the command again".to_owned()
        }
        _ => "longshore doctor".to_owned(),
    }
}

/// A loss that the runner itself can prevent, and else the two ways to say that it is meant.
fn of_losses(direction: Direction, losses: &[Loss]) -> String {
    let is_kept = |loss: &Loss| matches!(loss.kind, LossKind::Counter | LossKind::Definition);
    if losses.iter().all(is_kept) {
        return "begin the file with `-- longshore: rebuild`, which keeps counters, indexes and triggers".to_owned();
    }
    let names: BTreeSet<&str> = losses.iter().map(|loss| loss.object.owner()).collect();
    let names = names.into_iter().collect::<Vec<_>>().join(", ");
    let command = match direction {
        Direction::Up => "up",
        Direction::Down => "down",
    };
    format!(
        "if the data may be lost, say `-- longshore: loses {names}` in the file, or add --allow-data-loss to longshore migrate \
         {command}"
    )
}

/// The fix for a finding, with a command if there is one.
pub(crate) fn of_finding(finding: &Finding) -> Option<String> {
    match (finding.kind, &finding.hint) {
        (FindingKind::OutOfOrder, Some(hint)) => Some(format!("longshore migrate repair, or {hint}")),
        (FindingKind::Interrupted, _) => Some("longshore migrate up".to_owned()),
        (FindingKind::Destructive, Some(hint)) => Some(format!("{hint}; the other way is --allow-data-loss")),
        (_, hint) => hint.clone(),
    }
}

/// Replaces the hints of the findings with commands.
pub(crate) fn with_commands(findings: &mut [Finding]) {
    for finding in findings {
        finding.hint = of_finding(finding);
    }
}

/// The command for the next step.
pub(crate) fn of_next_step(step: &NextStep) -> Option<String> {
    match step {
        NextStep::Mend { finding } => of_finding(finding),
        NextStep::Baseline { id, tool } => {
            Some(format!("longshore migrate baseline {id} --reason \"adopted from {tool}\""))
        }
        NextStep::Repair => Some("longshore migrate repair".to_owned()),
        NextStep::Up => Some("longshore migrate up".to_owned()),
        _ => None,
    }
}
