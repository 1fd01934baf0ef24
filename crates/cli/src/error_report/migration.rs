//! How errors and findings about migrations are printed: the exit code and the next command.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use longshore_migrate::files::source::LONGSHORE;
use longshore_migrate::import::ImportError;
use longshore_migrate::report::NextStep;
use longshore_migrate::report::finding::{Finding, FindingKind, Remedy};
use longshore_migrate::target::TargetError;
use longshore_migrate::{Bounds, Direction, Loss, LossKind, MigrateError, MigrationId};

use crate::exit::Exit;
use crate::output::Output;
use crate::output::quoted::shell_word;

/// What takes over the table of another program.
pub(super) const ADOPT: &str =
    "longshore adopt --dry-run shows what it would do, longshore adopt --reason TEXT takes the table over";
const CHECK_DIR: &str = "check --dir, or dir in [migrate] of the configuration file";
const LEAVE_OUT: &str =
    "longshore adopt --leave-out --reason TEXT, to continue without these jobs, whose rows are kept";

/// The exit code, if the cause is not an outside one.
pub(super) fn exit(error: &MigrateError) -> Exit {
    match error {
        MigrateError::HistoryBroken { .. } => Exit::HistoryBroken,
        MigrateError::AlreadyThere { .. }
        | MigrateError::NeedsAdoption { .. }
        | MigrateError::NotThere { .. }
        | MigrateError::Occupied { .. }
        | MigrateError::DidNotUndo { .. }
        | MigrateError::DidNotDo { .. } => Exit::SchemaDisagrees,
        MigrateError::Import { error } => of_import(error),
        MigrateError::DataLoss { .. }
        | MigrateError::NotKept { .. }
        | MigrateError::NotShown { .. }
        | MigrateError::StillThere { .. }
        | MigrateError::NoFile { .. }
        | MigrateError::Uncheckable { .. }
        | MigrateError::NoRepair { .. }
        | MigrateError::NeedsDecision { .. }
        | MigrateError::NotReturned { .. }
        | MigrateError::NoDown { .. }
        | MigrateError::Needed { .. }
        | MigrateError::Target { error: TargetError::TooLarge { .. } } => Exit::Refused,
        MigrateError::UnknownId { .. }
        | MigrateError::AmbiguousId { .. }
        | MigrateError::NoReason
        | MigrateError::NoDirectory
        | MigrateError::Source { .. } => Exit::Usage,
        _ => Exit::Failed,
    }
}

fn of_import(error: &ImportError) -> Exit {
    match error {
        ImportError::Unfit { .. } => Exit::HistoryBroken,
        ImportError::Ambiguous { .. } | ImportError::TargetExists { .. } | ImportError::TargetInside { .. } => {
            Exit::Refused
        }
        ImportError::Source(_) | ImportError::Nothing { .. } | ImportError::IsOurs { .. } => Exit::Usage,
        _ => Exit::Failed,
    }
}

/// The next step after a failed import.
fn hint_of_import(error: &ImportError) -> String {
    match error {
        ImportError::Source(_) | ImportError::Nothing { .. } => CHECK_DIR.to_owned(),
        ImportError::IsOurs { directory } => {
            format!("longshore migrate status --dir {}", shell_word(&directory.display().to_string()))
        }
        ImportError::Ambiguous { candidates, .. } => {
            let words: Vec<String> = candidates.iter().map(|format| format!("--from {}", format.word())).collect();
            format!("add {}", words.join(" or "))
        }
        ImportError::Unfit { problems } => problems
            .iter()
            .find_map(|problem| problem.hint.clone())
            .unwrap_or_else(|| format!("correct {} or move it elsewhere; nothing was written", problems[0].subject)),
        ImportError::TargetExists { .. } | ImportError::TargetInside { .. } => {
            "name another directory with --to; nothing was written".to_owned()
        }
        _ => "check the directory above it; nothing was written".to_owned(),
    }
}

/// The next step, if the cause is not an outside one.
pub(super) fn hint(error: &MigrateError) -> String {
    match error {
        MigrateError::HistoryBroken { findings } | MigrateError::NoRepair { reasons: findings } => {
            let hint = findings.iter().find_map(of_finding);
            hint.unwrap_or_else(|| "longshore migrate status".to_owned())
        }
        MigrateError::NeedsAdoption { .. } => ADOPT.to_owned(),
        MigrateError::NeedsDecision { reasons } => {
            let mut choices: Vec<String> = reasons.iter().filter_map(of_finding).collect();
            choices.dedup();
            choices.join("; ")
        }
        MigrateError::NotReturned { .. } => "the backup that the adoption made has the old table, too".to_owned(),
        MigrateError::AlreadyThere { id, .. } => {
            format!("longshore migrate mark-applied {id} --reason TEXT, or longshore migrate repair")
        }
        // The migrations of the queue have no files that anybody could change.
        MigrateError::DataLoss { id, direction, .. } if id.source == LONGSHORE => allow_loss(*direction),
        MigrateError::DataLoss { direction, losses, wants_rebuild, .. } => {
            let meant = of_losses(*direction, losses);
            let rebuild = "begin the file with `-- longshore: rebuild`, so that replacing a table deletes nothing elsewhere";
            if *wants_rebuild { format!("{rebuild}; {meant}") } else { meant }
        }
        MigrateError::Target { error: TargetError::TooLarge { .. } } => {
            "make a backup with the tools of the server, then add --no-backup; nothing was changed".to_owned()
        }
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
        MigrateError::Uncheckable { .. } => "restore its files, or add --unverified to mark it anyway".to_owned(),
        MigrateError::RepairUndone { .. } => {
            "nothing was changed; see the differences with longshore migrate verify".to_owned()
        }
        error if error.wants_rebuild() => {
            "begin the file with the line `-- longshore: rebuild`: foreign keys then wait for the commit, and views and \
             triggers of others are put aside"
                .to_owned()
        }
        MigrateError::Occupied { table, .. } => format!(
            "rename the application's {table}, or give the queue its own database with --database"
        ),
        MigrateError::NotThere { direction: Direction::Up, .. } => "longshore migrate repair".to_owned(),
        MigrateError::NotThere { id, .. } => format!(
            "longshore migrate repair, or longshore migrate mark-rolled-back {id} --reason TEXT if it should be rolled back"
        ),
        MigrateError::Import { error } => hint_of_import(error),
        MigrateError::Failed { id, .. } if id.source == LONGSHORE => {
            "rename what has that name or correct the data that it fails on, or give the queue its own database with \
             --database; nothing was changed"
                .to_owned()
        }
        MigrateError::Failed { id, .. } => {
            format!("correct {id} or the data that it fails on, then run the command again")
        }
        MigrateError::DidNotDo { id, bounds: Bounds::Statements, .. } => not_finished(id, "does"),
        MigrateError::DidNotUndo { id, bounds: Bounds::Statements, .. } => not_finished(id, "undoes"),
        MigrateError::DidNotDo { id, .. } | MigrateError::DidNotUndo { id, .. } => {
            format!("correct {id}; all of its changes were undone")
        }
        MigrateError::NoDown { id } => {
            format!("write a down file for {id}, or a new migration that undoes it")
        }
        MigrateError::Needed { needed_by, .. } => format!("roll {needed_by} back first"),
        MigrateError::AlreadyPast { to, .. } => {
            format!("to roll back what comes after it: longshore migrate down --to {to}")
        }
        MigrateError::UnknownId { .. } => "longshore migrate status lists every migration".to_owned(),
        MigrateError::AmbiguousId { ids, .. } => {
            ids.first().map(|id| format!("write {id}, with its source")).unwrap_or_default()
        }
        MigrateError::NoReason => "add --reason TEXT".to_owned(),
        MigrateError::NoDirectory => "add --dir DIR".to_owned(),
        MigrateError::Source { .. } => CHECK_DIR.to_owned(),
        MigrateError::Target { error: TargetError::ForeignKeys { .. } } => {
            "delete or correct those rows, then run the command again".to_owned()
        }
        _ => "longshore doctor".to_owned(),
    }
}

/// After statements without a transaction. All of them have run, so the same command only looks at the schema again, and
/// runs what has been added at the end.
fn not_finished(id: &MigrationId, verb: &str) -> String {
    format!(
        "{id} runs without a transaction, so its changes stay; add at the end of its file a statement that {verb} the \
         rest, or do that by hand, then run the command again"
    )
}

/// A loss that the runner itself can prevent, and else the two ways to say that it is meant.
fn of_losses(direction: Direction, losses: &[Loss]) -> String {
    let is_kept = |loss: &Loss| matches!(loss.kind, LossKind::Counter | LossKind::Definition);
    if losses.iter().all(is_kept) {
        return "begin the file with `-- longshore: rebuild`, which keeps counters, indexes and triggers".to_owned();
    }
    let names: BTreeSet<&str> = losses.iter().map(|loss| loss.object.owner()).collect();
    let names = names.into_iter().collect::<Vec<_>>().join(", ");
    let flag = flag_for_loss(direction);
    format!("if the data may be lost, say `-- longshore: loses {names}` in the file, or {flag}")
}

fn allow_loss(direction: Direction) -> String {
    format!("if the data may be lost, {}", flag_for_loss(direction))
}

const fn flag_for_loss(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "add --allow-data-loss to longshore migrate up",
        Direction::Down => "add --allow-data-loss to longshore migrate down",
    }
}

/// The fix for a finding, with a command if there is one.
pub(crate) fn of_finding(finding: &Finding) -> Option<String> {
    if let Some(command) = finding.remedy.as_ref().and_then(of_remedy) {
        return Some(command);
    }
    match (finding.kind, &finding.hint) {
        (FindingKind::OutOfOrder, Some(hint)) => Some(format!("longshore migrate repair, or {hint}")),
        (FindingKind::KeepOrDrop, _) => {
            let name = shell_word(&finding.subject);
            Some(format!("longshore adopt --keep {name} --reason TEXT, or longshore adopt --drop {name} --reason TEXT"))
        }
        (FindingKind::MeaningLost, _) => Some(format!(
            "longshore adopt --drop {} --reason TEXT, to continue without it",
            shell_word(&finding.subject)
        )),
        (FindingKind::MisplacedValues, _) => Some(LEAVE_OUT.to_owned()),
        (FindingKind::CopiedByPosition, _) => Some(format!(
            "longshore adopt --by-position --reason TEXT, if SELECT * had copied these rows into another order; or {LEAVE_OUT}"
        )),
        (FindingKind::DataWork, Some(_)) => {
            let id = &finding.subject;
            Some(format!(
                "longshore migrate mark-applied {id} --reason TEXT if that was done, longshore migrate up --only {id} if \
                 not"
            ))
        }
        (FindingKind::Interrupted, _) => Some("longshore migrate up".to_owned()),
        (FindingKind::Destructive, Some(hint)) => Some(format!("{hint}; the other way is --allow-data-loss")),
        (_, hint) => hint.clone(),
    }
}

fn of_remedy(remedy: &Remedy) -> Option<String> {
    let word = |path: &Path| shell_word(&path.display().to_string());
    match remedy {
        Remedy::Import { format, directory } => {
            let is_named = |directory: &&PathBuf| directory.as_path() != Path::new("migrations");
            let dir = directory.as_ref().filter(is_named).map(|directory| format!(" --dir {}", word(directory)));
            Some(format!("longshore migrate import --from {}{}", format.word(), dir.unwrap_or_default()))
        }
        Remedy::Rename { from, to } => Some(format!("mv -n {} {}", word(from), word(to))),
        _ => None,
    }
}

/// Replaces the hints of the findings with commands.
pub(crate) fn with_commands(output: &Output, findings: &mut [Finding]) {
    for finding in findings {
        finding.hint = of_finding(finding).map(|hint| output.hint(&hint));
    }
}

/// The command for the next step.
pub(crate) fn of_next_step(step: &NextStep) -> Option<String> {
    match step {
        NextStep::Mend { finding } => of_finding(finding),
        NextStep::Baseline { id, tool } => {
            Some(format!("longshore migrate baseline {id} --reason \"adopted from {tool}\""))
        }
        NextStep::Adopt => Some(ADOPT.to_owned()),
        NextStep::Repair => Some("longshore migrate repair".to_owned()),
        NextStep::Up => Some("longshore migrate up".to_owned()),
        _ => None,
    }
}
