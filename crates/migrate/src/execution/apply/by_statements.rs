//! Migrations that forbid a transaction: each statement by itself, with its checkpoint and its own count of losses.

use std::{collections::BTreeSet, time::Instant};

use super::{
    Failure, Order, Recorder, again_if_asked, check_outcome, in_own_transaction, in_transaction, record, refuse_loss,
};
use crate::{
    execution::loss::{LossCheck, Moves},
    execution::replay::RunError,
    files::checksum::sha256_hex,
    files::migration::Body,
    files::script::{Script, Statement},
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
    // Where it cannot be told which rows refer to nothing, nothing is said of them afterwards either.
    let orphans = target.orphans().ok();
    let moves = Moves::of(script);
    let first = first_to_do(target, order, script)?;
    for statement in script.statements().iter().take(first) {
        // A pragma or an attached database belongs to the connection, so a run that continues has to say it again.
        if statement.dialect.is_setting(&statement.text) {
            target.execute(&statement.text)?;
        }
    }
    for (at, statement) in script.statements().iter().enumerate().skip(first) {
        run_one(target, order, &moves, at, statement)?;
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

/// A statement that refuses a transaction can be run twice, so its checkpoint follows it.
fn run_one(
    target: &mut dyn Target,
    order: &Order<'_>,
    moves: &Moves,
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
    if is_bare && let Err(failure) = count_and_execute(target, order, moves, at, statement) {
        // There is no transaction, but the count that has begun ends with one.
        target.roll_back();
        return Err(failure);
    }
    again_if_asked(target, |target| {
        in_own_transaction(target, ForeignKeys::AsSet, |target| {
            if !is_bare {
                count_and_execute(target, order, moves, at, statement)?;
            }
            Ok(target.checkpoint(&checkpoint(order, at, &statement.text))?)
        })
    })
}

fn count_and_execute(
    target: &mut dyn Target,
    order: &Order<'_>,
    moves: &Moves,
    at: usize,
    statement: &Statement,
) -> Result<(), Failure> {
    let script = order.migration.script(order.direction);
    let made = script.map(|script| Moves::made_before(script, at)).unwrap_or_default();
    target.begin_loss_check(LossCheck { moves: moves.clone(), made, ..order.loss_check() })?;
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

/// Goes on after the statements that an interrupted run did, as long as the file still has them.
fn first_to_do(target: &mut dyn Target, order: &Order<'_>, script: &Script) -> Result<usize, TargetError> {
    let done = target.checkpoints(&order.migration.id, order.direction)?;
    let is_done = |at: usize, text: &str| done.contains(&checkpoint(order, at, text));
    let statements = script.statements().iter().enumerate();
    Ok(statements.take_while(|(at, statement)| is_done(*at, &statement.text)).count())
}
