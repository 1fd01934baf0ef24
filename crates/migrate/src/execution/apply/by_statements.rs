//! Migrations that forbid a transaction: each statement by itself, with its checkpoint and its own count of losses.

use std::{collections::BTreeSet, time::Instant};

use super::{
    Failure, Order, Recorder, again_if_asked, check_outcome, in_own_transaction, in_transaction, record, refuse_loss,
};
use crate::{
    error::MigrateError,
    execution::loss::{LossCheck, Moves},
    execution::replay::RunError,
    files::checksum::sha256_hex,
    files::migration::{Body, Direction, Migration},
    files::script::{Script, Statement},
    report::finding::{Finding, FindingKind},
    target::{Checkpoint, ForeignKeys, Progress, Target, TargetError},
};

/// Carries `order` out. What a statement loses unasked is undone with that statement; the ones before it stay.
pub(super) fn carry_out(
    target: &mut dyn Target,
    order: &Order<'_>,
    recorder: &Recorder<'_>,
    begun: Instant,
) -> Result<(), Failure> {
    let Body::Sql { .. } = &order.migration.body else {
        return whole_code(target, order, recorder, begun);
    };
    let script = order.migration.script(order.direction).ok_or(Failure::Run(RunError::NoDown, 0))?;
    in_own_transaction(target, ForeignKeys::Enforced, |target| target.prepare_ledger(order.ledger))?;
    // A pragma of the file acts from its place to the end of the file, and not beyond it.
    let were_enforced = target.are_keys_enforced()?;
    target.enforce_keys(true)?;
    let result = run_and_record(target, order, script, recorder, begun);
    target.enforce_keys(were_enforced)?;
    result
}

fn run_and_record(
    target: &mut dyn Target,
    order: &Order<'_>,
    script: &Script,
    recorder: &Recorder<'_>,
    begun: Instant,
) -> Result<(), Failure> {
    let done = target.checkpoints(&order.migration.id, order.direction)?;
    if let Some(finding) = changed_after_it_ran(order.migration, order.direction, &done) {
        return Err(Failure::Outcome(Box::new(MigrateError::HistoryBroken { findings: vec![finding] })));
    }
    let there = note_there(target, order, script, &done)?;
    // Where it cannot be told which rows refer to nothing, nothing is said of them afterwards either.
    let orphans = target.orphans().ok();
    let watched = Watched::new(script, &there);
    for (at, statement) in script.statements().iter().enumerate() {
        if !there.contains(&at) && !done.contains(&checkpoint(order, at, &statement.text)) {
            run_one(target, order, &watched, at, statement)?;
        } else if statement.dialect.is_setting(&statement.text) {
            // A pragma or an attached database belongs to the connection, so a run that continues has to say it again.
            target.execute(&statement.text)?;
        }
    }
    if let Some(before) = orphans {
        refuse_orphans(&before, &target.orphans()?)?;
    }
    in_own_transaction(target, ForeignKeys::Enforced, |target| {
        check_outcome(target, order)?;
        record(target, order, recorder, begun)?;
        Ok(target.clear_checkpoints(&order.migration.id)?)
    })
}

/// Writes a checkpoint for each statement whose effect is there, before the first one runs: a later run must not run it
/// either. Gives the places of those that had none.
fn note_there(
    target: &mut dyn Target,
    order: &Order<'_>,
    script: &Script,
    done: &[Checkpoint],
) -> Result<Vec<usize>, TargetError> {
    let statements = script.statements().iter().enumerate().filter(|(at, _)| order.there.contains(at));
    let mut there: Vec<Checkpoint> = statements.map(|(at, it)| checkpoint(order, at, &it.text)).collect();
    there.retain(|checkpoint| !done.contains(checkpoint));
    if !there.is_empty() {
        in_own_transaction(target, ForeignKeys::AsSet, |target| {
            there.iter().try_for_each(|checkpoint| target.checkpoint(checkpoint))
        })?;
    }
    Ok(there.into_iter().map(|checkpoint| checkpoint.statement).collect())
}

/// What the count of losses knows of a script: without what was there before, because a table that somebody else made
/// may hold rows.
struct Watched {
    script: Script,
    moves: Moves,
    there: Vec<usize>,
}

impl Watched {
    fn new(script: &Script, there: &[usize]) -> Self {
        let script = script.without(there);
        Self { moves: Moves::of(&script), script, there: there.to_vec() }
    }

    /// The tables that the statements before this place of the file made.
    fn made_before(&self, at: usize) -> BTreeSet<String> {
        let left_out = self.there.iter().filter(|place| **place < at).count();
        Moves::made_before(&self.script, at - left_out)
    }
}

/// A statement that refuses a transaction can be run twice, so its checkpoint follows it.
fn run_one(
    target: &mut dyn Target,
    order: &Order<'_>,
    watched: &Watched,
    at: usize,
    statement: &Statement,
) -> Result<(), Failure> {
    let id = order.migration.id.clone();
    target.report(&Progress::Statement { id, statement: at + 1, text: statement.in_short() });
    let is_bare = target.is_outside_transactions(&statement.text);
    if is_bare && target.leaves_halves() {
        // Whatever the statement leaves behind when it is broken off, the next run knows that it was this one.
        in_own_transaction(target, ForeignKeys::AsSet, |target| {
            Ok::<_, Failure>(target.checkpoint(&Checkpoint::begun(&order.migration.id, order.direction, at))?)
        })?;
    }
    if is_bare && let Err(failure) = count_and_execute(target, order, watched, at, statement) {
        // There is no transaction, but the count that has begun ends with one.
        target.roll_back();
        return Err(failure);
    }
    again_if_asked(target, |target| {
        in_own_transaction(target, ForeignKeys::AsSet, |target| {
            if !is_bare {
                count_and_execute(target, order, watched, at, statement)?;
            }
            Ok(target.checkpoint(&checkpoint(order, at, &statement.text))?)
        })
    })
}

fn count_and_execute(
    target: &mut dyn Target,
    order: &Order<'_>,
    watched: &Watched,
    at: usize,
    statement: &Statement,
) -> Result<(), Failure> {
    let (moves, made) = (watched.moves.clone(), watched.made_before(at));
    target.begin_loss_check(LossCheck { moves, made, ..order.loss_check() })?;
    let wrap = |source| Failure::Run(RunError::Statement { statement: statement.clone(), source }, at);
    target.execute(&statement.text).map_err(wrap)?;
    refuse_loss(target, order, at)
}

/// The statements are done and stay so; the migration is not recorded before every key is whole.
fn refuse_orphans(before: &BTreeSet<String>, now: &BTreeSet<String>) -> Result<(), TargetError> {
    let new: Vec<&String> = now.difference(before).collect();
    let Some(first) = new.first() else {
        return Ok(());
    };
    let first = first.split(" (").next().unwrap_or_default().to_owned();
    Err(TargetError::ForeignKeys { violations: new.len(), first })
}

// Code has no statements to count, so even with these bounds it is all or nothing.
fn whole_code(
    target: &mut dyn Target,
    order: &Order<'_>,
    recorder: &Recorder<'_>,
    begun: Instant,
) -> Result<(), Failure> {
    in_own_transaction(target, ForeignKeys::Enforced, |target| in_transaction(target, order, recorder, begun))
}

fn checkpoint(order: &Order<'_>, statement: usize, text: &str) -> Checkpoint {
    Checkpoint {
        id: order.migration.id.clone(),
        direction: order.direction,
        statement,
        checksum: sha256_hex(text.as_bytes()),
    }
}

/// What is wrong with the file of an interrupted run, if a statement that has run is not in its place any more: it would
/// run a second time, and what it did the first time would stay.
pub(crate) fn changed_after_it_ran(
    migration: &Migration,
    direction: Direction,
    done: &[Checkpoint],
) -> Option<Finding> {
    let statements = migration.script(direction).map(Script::statements).unwrap_or_default();
    let is_there = |it: &&Checkpoint| {
        let statement = statements.get(it.statement);
        statement.is_some_and(|statement| it.checksum == sha256_hex(statement.text.as_bytes()))
    };
    // What has only begun is run again in any case.
    let changed = done.iter().filter(|it| !it.is_begun() && !is_there(it)).map(|it| it.statement).min()?;
    let (of_down, marked) = match direction {
        Direction::Up => ("", "applied"),
        Direction::Down => (" of its down", "rolled back"),
    };
    let message = format!(
        "its run was interrupted, and statement {}{of_down}, which has run, says something else now",
        changed + 1
    );
    let hint = format!(
        "put the old text of that statement back (those that have not run may change), or do the rest by hand and mark \
         the migration as {marked}"
    );
    Some(Finding::new(FindingKind::ChangedMigration, migration.id.to_string(), message).hint(hint))
}
