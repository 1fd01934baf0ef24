//! Carries migrations out: each in one transaction with its ledger row, or statement by statement with checkpoints.

mod aside;

use std::time::Instant;

use crate::{
    checksum::sha256_hex,
    error::MigrateError,
    ledger::{EventKind, Ledger, Record, RowChange, Witness},
    migration::{Body, Direction, Migration, MigrationId},
    replay::{Chain, RunError, run},
    schema::{Difference, ObjectName, Presence, Schema, differences},
    script::{Bounds, Script},
    target::{Checkpoint, ForeignKeys, Progress, Target, TargetError},
};

pub use aside::Aside;

/// One migration with everything that carrying it out must know.
pub struct Order<'a> {
    /// The migration.
    pub migration: &'a Migration,
    /// Up or down.
    pub direction: Direction,
    /// The ledger as it was surveyed, every row with its source.
    pub ledger: &'a Ledger,
    /// The chain of every known migration.
    pub chain: &'a Chain,
    /// What the ledger's migrations make without this one: before an up, after a down.
    pub without: &'a Schema,
    /// How the schema differed from what the ledger records before this run.
    pub differing: &'a [Difference],
    /// What the application has added and kept.
    pub accepted: &'a [ObjectName],
}

/// How an order failed, before it is put into a [`MigrateError`].
#[derive(Debug)]
pub enum Failure {
    /// A statement failed.
    Run(RunError, usize),
    /// The database failed.
    Target(TargetError),
    /// The schema came out wrong.
    Outcome(Box<MigrateError>),
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        Self::Target(error)
    }
}

/// Makes the record of something that happens; the clock and the author are the caller's.
pub type Recorder<'a> = dyn Fn(&MigrationId, &str, EventKind, RowChange) -> Record + 'a;

/// Carries `order` out. Afterwards it is wholly done and recorded, or, unless its file forbids a transaction, nothing
/// of it is.
pub fn carry_out(target: &mut dyn Target, order: &Order<'_>, recorder: &Recorder<'_>) -> Result<i64, Failure> {
    let begun = Instant::now();
    target.report(&Progress::Begun {
        id: order.migration.id.clone(),
        name: order.migration.name.clone(),
        direction: order.direction,
        statements: order.migration.script(order.direction).map_or(0, |script| script.statements().len()),
    });
    if order.migration.bounds(order.direction) == Bounds::Statements {
        by_statements(target, order, recorder, begun)?;
        return Ok(done(target, order, begun));
    }
    target.begin(keys(order.migration.bounds(order.direction)))?;
    let result = in_transaction(target, order, recorder, begun).and_then(|()| Ok(target.commit()?));
    if result.is_err() {
        target.roll_back();
    }
    result.map(|()| done(target, order, begun))
}

fn done(target: &mut dyn Target, order: &Order<'_>, begun: Instant) -> i64 {
    let duration_ms = elapsed_ms(begun);
    let id = order.migration.id.clone();
    target.report(&Progress::Done { id, duration_ms: u64::try_from(duration_ms).unwrap_or_default() });
    duration_ms
}

/// Which foreign keys act under those bounds.
pub fn keys(bounds: Bounds) -> ForeignKeys {
    if bounds == Bounds::Rebuild { ForeignKeys::Suspended } else { ForeignKeys::Enforced }
}

/// Runs and records one order in the open transaction.
pub fn in_transaction(
    target: &mut dyn Target,
    order: &Order<'_>,
    recorder: &Recorder<'_>,
    begun: Instant,
) -> Result<(), Failure> {
    target.prepare_ledger(order.ledger)?;
    let migration = order.migration;
    let is_rebuild = migration.bounds(order.direction) == Bounds::Rebuild;
    let before = order.chain.before(&migration.id);
    let aside = if is_rebuild { Some(Aside::put(target, &before, order)?) } else { None };
    run(target, migration, order.direction).map_err(|error| Failure::Run(error, 0))?;
    if let Some(aside) = aside {
        aside.put_back(target)?;
    }
    check_outcome(target, order)?;
    record(target, order, recorder, begun)?;
    Ok(())
}

fn record(
    target: &mut dyn Target,
    order: &Order<'_>,
    recorder: &Recorder<'_>,
    begun: Instant,
) -> Result<(), TargetError> {
    let (kind, change) = match order.direction {
        Direction::Up => {
            let checksum = order.migration.checksum();
            (EventKind::Applied, RowChange::Applied { checksum, witness: Witness::Shown })
        }
        Direction::Down => (EventKind::RolledBack, RowChange::RolledBack { witness: Witness::Shown }),
    };
    let mut record = recorder(&order.migration.id, &order.migration.name, kind, change);
    record.event.duration_ms = Some(elapsed_ms(begun));
    target.record(&record)
}

fn elapsed_ms(begun: Instant) -> i64 {
    i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX)
}

/// Whether the up did all that it does on an empty database, or the down undid it, before the ledger says so.
fn check_outcome(target: &mut dyn Target, order: &Order<'_>) -> Result<(), Failure> {
    let Some(link) = order.chain.link(&order.migration.id) else {
        return Ok(());
    };
    let observed = target.observe()?.without(order.accepted);
    let id = order.migration.id.clone();
    if order.direction == Direction::Up {
        let missing = match link.footprint.presence(&observed) {
            Presence::Absent => link.footprint.objects().into_iter().cloned().collect(),
            Presence::Partial { missing, lingering, .. } => missing.into_iter().chain(lingering).collect(),
            _ => Vec::new(),
        };
        if missing.is_empty() {
            return Ok(());
        }
        return Err(Failure::Outcome(Box::new(MigrateError::DidNotDo { id, missing })));
    }
    let comparison = differences(order.without, &observed);
    let is_new = |difference: &&Difference| !order.differing.contains(difference);
    let differing = comparison.differences.iter().filter(is_new).map(ToString::to_string);
    let is_left = |name: &&ObjectName| link.footprint.adds.contains_key(*name);
    let left = comparison.foreign.iter().filter(is_left).map(|name| format!("{name} is there still"));
    let remains: Vec<String> = differing.chain(left).collect();
    if remains.is_empty() {
        return Ok(());
    }
    Err(Failure::Outcome(Box::new(MigrateError::DidNotUndo { id, remains })))
}

/// Each statement in a transaction with its checkpoint, except those that refuse one; these can be run twice.
fn by_statements(
    target: &mut dyn Target,
    order: &Order<'_>,
    recorder: &Recorder<'_>,
    begun: Instant,
) -> Result<(), Failure> {
    let Body::Sql { .. } = &order.migration.body else {
        return whole_code(target, order, recorder, begun);
    };
    let script = order.migration.script(order.direction).ok_or(Failure::Run(RunError::NoDown, 0))?;
    in_own_transaction(target, |target| target.prepare_ledger(order.ledger))?;
    let first = first_to_do(target, order, script)?;
    for (at, statement) in script.statements().iter().enumerate().skip(first) {
        let id = order.migration.id.clone();
        target.report(&Progress::Statement { id, statement: at + 1, text: statement.in_short() });
        let is_bare = target.is_outside_transactions(&statement.text);
        let wrap = |source| Failure::Run(RunError::Statement { statement: statement.clone(), source }, at);
        if is_bare {
            target.execute(&statement.text).map_err(wrap)?;
        }
        let checkpoint = checkpoint(order, at, &statement.text);
        in_own_transaction(target, |target| {
            if !is_bare {
                target.execute(&statement.text)?;
            }
            target.checkpoint(&checkpoint)
        })
        .map_err(wrap)?;
    }
    target.begin(ForeignKeys::Enforced)?;
    let result = check_outcome(target, order)
        .and_then(|()| Ok(record(target, order, recorder, begun)?))
        .and_then(|()| Ok(target.clear_checkpoints(&order.migration.id)?))
        .and_then(|()| Ok(target.commit()?));
    if result.is_err() {
        target.roll_back();
    }
    result
}

// Code has no statements to count, so even with these bounds it is all or nothing.
fn whole_code(
    target: &mut dyn Target,
    order: &Order<'_>,
    recorder: &Recorder<'_>,
    begun: Instant,
) -> Result<(), Failure> {
    target.begin(ForeignKeys::Enforced)?;
    let result = in_transaction(target, order, recorder, begun).and_then(|()| Ok(target.commit()?));
    if result.is_err() {
        target.roll_back();
    }
    result
}

/// Runs `work` in a transaction of its own.
pub fn in_own_transaction(
    target: &mut dyn Target,
    work: impl FnOnce(&mut dyn Target) -> Result<(), TargetError>,
) -> Result<(), TargetError> {
    target.begin(ForeignKeys::Enforced)?;
    let result = work(target).and_then(|()| target.commit());
    if result.is_err() {
        target.roll_back();
    }
    result
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
