//! Carries migrations out: each in one transaction with its ledger row, or statement by statement with checkpoints.

mod by_statements;

pub(crate) use by_statements::changed_after_it_ran;

use std::{collections::BTreeSet, time::Instant};

use crate::{
    error::MigrateError,
    execution::loss::{DataLoss, Loss, LossCheck, Moves, unasked},
    execution::replay::{Chain, RunError, Stage, perform},
    files::migration::{Body, Direction, Migration, MigrationId},
    files::script::{Bounds, Script},
    ledger::{EventKind, Ledger, Record, RowChange, Witness},
    schema::{Difference, ObjectName, Presence, Schema, differences},
    target::{ForeignKeys, Progress, Target, TargetError},
};

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
    /// Of a migration without a transaction, the places of the statements whose effect is there already: they do not
    /// run, and each gets its checkpoint.
    pub there: &'a [usize],
    /// Whether more may be lost than the migration declares.
    pub data_loss: DataLoss,
}

impl Order<'_> {
    /// How the transaction is watched for losses.
    fn loss_check(&self) -> LossCheck {
        let made = match self.direction {
            Direction::Up => self.chain.before(&self.migration.id),
            Direction::Down => self.chain.with(&self.migration.id),
        };
        LossCheck {
            data_loss: self.data_loss,
            intended: self.migration.intended_losses(self.direction),
            moves: Moves::default(),
            made: BTreeSet::new(),
            known: made,
            keep_counters: self.migration.bounds(self.direction) == Bounds::Rebuild,
            other_files: self.migration.script(self.direction).is_some_and(Script::reaches_other_files),
        }
    }

    /// How it runs. Code is all or nothing even where it forbids a transaction.
    fn bounds(&self) -> Bounds {
        let bounds = self.migration.bounds(self.direction);
        let is_code = matches!(self.migration.body, Body::Code(_));
        if is_code && bounds == Bounds::Statements { Bounds::Transaction } else { bounds }
    }

    /// Whether a migration made that object, so that what becomes of it is for migrations to say.
    fn is_made(&self, object: &ObjectName) -> bool {
        !self.chain.touching(object).is_empty()
    }
}

/// How an order failed, before it is put into a [`MigrateError`].
#[derive(Debug)]
pub enum Failure {
    /// A statement failed.
    Run(RunError, usize),
    /// The database failed.
    Target(TargetError),
    /// More would be lost than was asked for, met at the statement of that place.
    Loss(Vec<Loss>, usize),
    /// The schema came out wrong.
    Outcome(Box<MigrateError>),
}

impl Failure {
    /// What the database said, where that is the reason.
    fn target_error(&self) -> Option<&TargetError> {
        match self {
            Self::Run(error, _) => error.target_error(),
            Self::Target(error) => Some(error),
            Self::Loss(..) | Self::Outcome(_) => None,
        }
    }
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        Self::Target(error)
    }
}

/// Makes the record of something that happens; the clock and the author are the caller's.
pub type Recorder<'a> = dyn Fn(&MigrationId, &str, EventKind, RowChange) -> Record + 'a;

/// Carries `order` out. Afterwards it is completely done and recorded, or, unless its file forbids a transaction,
/// nothing of it is.
pub fn carry_out(target: &mut dyn Target, order: &Order<'_>, recorder: &Recorder<'_>) -> Result<i64, Failure> {
    let begun = Instant::now();
    report_begun(target, order.migration, order.direction);
    if order.migration.bounds(order.direction) == Bounds::Statements {
        by_statements::carry_out(target, order, recorder, begun)?;
        return Ok(report_done(target, order.migration, begun));
    }
    let keys = keys(order.migration.bounds(order.direction));
    again_if_asked(target, |target| {
        in_own_transaction(target, keys, |target| in_transaction(target, order, recorder, begun))
    })?;
    Ok(report_done(target, order.migration, begun))
}

/// Carries several ups out in one transaction, each by `run`. Afterwards all of them are done and recorded, or none is.
pub fn carry_out_together<'m>(
    target: &mut dyn Target,
    migrations: &'m [Migration],
    mut run: impl FnMut(&mut dyn Target, &'m Migration) -> Result<(), Failure>,
) -> Result<Vec<i64>, Failure> {
    let is_rebuild = |migration: &Migration| migration.bounds(Direction::Up) == Bounds::Rebuild;
    let bounds = if migrations.iter().any(is_rebuild) { Bounds::Rebuild } else { Bounds::Transaction };
    again_if_asked(target, |target| {
        in_own_transaction(target, keys(bounds), |target| {
            let one = |migration: &'m Migration| {
                let begun = Instant::now();
                report_begun(target, migration, Direction::Up);
                run(target, migration)?;
                Ok(report_done(target, migration, begun))
            };
            migrations.iter().map(one).collect()
        })
    })
}

/// Tries a transaction again, as often and after as long a pause as the database wants it: a lock that it waits for in
/// vain stops everybody who waits behind it, so it gives up and comes back.
fn again_if_asked<T>(
    target: &mut dyn Target,
    mut transaction: impl FnMut(&mut dyn Target) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut attempt = 0;
    loop {
        let failure = match transaction(target) {
            Ok(done) => return Ok(done),
            Err(failure) => failure,
        };
        let Some(pause) = failure.target_error().and_then(|error| target.retry_after(error, attempt)) else {
            return Err(failure);
        };
        std::thread::sleep(pause);
        attempt += 1;
    }
}

fn report_begun(target: &mut dyn Target, migration: &Migration, direction: Direction) {
    target.report(&Progress::Begun {
        id: migration.id.clone(),
        name: migration.name.clone(),
        direction,
        statements: migration.script(direction).map_or(0, |script| script.statements().len()),
    });
}

fn report_done(target: &mut dyn Target, migration: &Migration, begun: Instant) -> i64 {
    let duration_ms = elapsed_ms(begun);
    let id = migration.id.clone();
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
    target.begin_loss_check(order.loss_check())?;
    let is_made = |object: &ObjectName| order.is_made(object);
    perform(target, migration, order.direction, Stage::Database, &is_made).map_err(|error| Failure::Run(error, 0))?;
    refuse_loss(target, order, 0)?;
    check_outcome(target, order)?;
    record(target, order, recorder, begun)?;
    Ok(())
}

/// Ends the loss check; what nobody asked for is a failure, and whoever began the transaction rolls it back.
fn refuse_loss(target: &mut dyn Target, order: &Order<'_>, statements_done: usize) -> Result<(), Failure> {
    let losses = unasked(target.end_loss_check()?, &order.migration.intended_losses(order.direction));
    if losses.is_empty() || order.data_loss == DataLoss::Allow {
        return Ok(());
    }
    Err(Failure::Loss(losses, statements_done))
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
        return Err(Failure::Outcome(Box::new(MigrateError::DidNotDo { id, missing, bounds: order.bounds() })));
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
    Err(Failure::Outcome(Box::new(MigrateError::DidNotUndo { id, remains, bounds: order.bounds() })))
}

/// Runs `work` in its own transaction.
pub fn in_own_transaction<T, E: From<TargetError>>(
    target: &mut dyn Target,
    keys: ForeignKeys,
    work: impl FnOnce(&mut dyn Target) -> Result<T, E>,
) -> Result<T, E> {
    target.begin(keys)?;
    let result = work(target).and_then(|done| {
        target.commit()?;
        Ok(done)
    });
    if result.is_err() {
        target.roll_back();
    }
    result
}
