//! `up`, `down` and `redo`.

use std::{collections::HashSet, time::Instant};

use super::{Migrator, Pen};
use crate::{
    error::MigrateError,
    execution::apply::{Failure, Order, carry_out, carry_out_together, in_own_transaction, in_transaction},
    execution::loss::{DataLoss, foretold, unasked},
    execution::replay::{Chain, RunError},
    files::lint::idle_pragmas,
    files::migration::{Body, Direction, Migration, MigrationId},
    files::script::{Bounds, Statement},
    files::source::{LONGSHORE, Source},
    ledger::{EventKind, Ledger, RowChange},
    plan,
    plan::{Goal, at_stake},
    report::finding::Finding,
    report::{RunMigration, RunReport},
    schema::Schema,
    survey::Survey,
    target::ForeignKeys,
};

/// Whether to run or only to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RunMode {
    /// Run.
    #[default]
    Apply,
    /// Show the statements and the transaction bounds; nothing is written and no lock is taken.
    DryRun,
}

/// Whether what a down can lose is copied aside first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backup {
    /// Copy it.
    #[default]
    Make,
    /// Somebody has a copy.
    Skip,
}

/// What `up`, `down` or `redo` shall do.
#[derive(Debug, Clone, Default)]
pub struct RunRequest {
    /// How far.
    pub goal: Goal,
    /// For `up`: this migration alone, whatever the goal says. What the schema shows of it already is left out.
    pub only: Option<MigrationId>,
    /// Whether data may be lost.
    pub data_loss: DataLoss,
    /// Whether what a down can lose is copied aside first.
    pub backup: Backup,
    /// Run or show.
    pub mode: RunMode,
}

impl Migrator<'_> {
    /// Applies what is pending, in order, each migration in its own transaction with its ledger row; those of
    /// [`LONGSHORE`] together in one, because the queue works with all of them or with none.
    ///
    /// After an error the migrations that the error lists are applied and stay so, and everything else is as before.
    pub fn up(&mut self, request: &RunRequest) -> Result<RunReport, MigrateError> {
        let _lock = self.lock_unless_dry(request.mode)?;
        let survey = self.survey()?;
        let ids = match &request.only {
            Some(id) => plan::up_only(&survey, id)?,
            None => plan::up(&survey, &request.goal)?,
        };
        self.run(survey, &ids, Direction::Up, request)
    }

    /// Rolls back, newest first, one step unless the goal says otherwise, after a backup. A down that does not undo
    /// its up is rolled back itself.
    pub fn down(&mut self, request: &RunRequest) -> Result<RunReport, MigrateError> {
        let _lock = self.lock_unless_dry(request.mode)?;
        let survey = self.survey()?;
        let ids = plan::down(&survey, &request.goal)?;
        self.run(survey, &ids, Direction::Down, request)
    }

    /// Rolls the newest migration back and applies it again.
    pub fn redo(&mut self, request: &RunRequest) -> Result<RunReport, MigrateError> {
        let _lock = self.lock_unless_dry(request.mode)?;
        let survey = self.survey()?;
        let ids = plan::down(&survey, &request.goal)?;
        let again: Vec<MigrationId> = ids.iter().rev().cloned().collect();
        let mut report = self.run(survey, &ids, Direction::Down, request)?;
        if request.mode == RunMode::DryRun {
            let migrations = again.iter().map(|id| self.migration(id)).collect::<Result<Vec<_>, _>>()?;
            report.migrations.extend(migrations.iter().map(|migration| shown(migration, Direction::Up, None)));
            return Ok(report);
        }
        let survey = self.survey()?;
        let up = self.run(survey, &again, Direction::Up, request)?;
        report.migrations.extend(up.migrations);
        Ok(report)
    }

    pub(super) fn lock_unless_dry(
        &mut self,
        mode: RunMode,
    ) -> Result<Option<Box<dyn crate::target::RunnerLock>>, MigrateError> {
        if mode == RunMode::DryRun {
            return Ok(None);
        }
        Ok(Some(self.target.lock(self.lock_wait)?))
    }

    fn run(
        &mut self,
        mut survey: Survey,
        ids: &[MigrationId],
        direction: Direction,
        request: &RunRequest,
    ) -> Result<RunReport, MigrateError> {
        let mut migrations: Vec<Migration> = ids.iter().map(|id| self.migration(id)).collect::<Result<_, _>>()?;
        refuse_idle_pragmas(&migrations, direction)?;
        if request.only.is_some() && direction == Direction::Up {
            migrations.iter_mut().for_each(|migration| leave_out_what_is_there(migration, &survey));
        }
        if direction == Direction::Down {
            self.refuse_unless_reversible(&migrations, &survey)?;
        }
        if request.data_loss == DataLoss::Refuse {
            self.refuse_loss(&migrations, direction, &survey)?;
        }
        let mut report = RunReport { dry_run: request.mode == RunMode::DryRun, migrations: Vec::new(), backup: None };
        if report.dry_run || migrations.is_empty() {
            report.migrations = migrations.iter().map(|migration| shown(migration, direction, None)).collect();
            report.migrations[..joined(&migrations, direction)]
                .iter_mut()
                .for_each(|migration| migration.joined = true);
            return Ok(report);
        }
        if direction == Direction::Down && request.backup == Backup::Make {
            let tables = at_stake(&migrations, &survey);
            report.backup = self.target.back_up(&tables)?;
        }
        let (together, alone) = migrations.split_at(joined(&migrations, direction));
        if !together.is_empty() {
            self.run_together(together, request.data_loss, &survey, &mut report)?;
            survey.ledger = self.ledger(&survey)?;
        }
        for migration in alone {
            let without = self.without(&survey, &migration.id, direction)?;
            let duration_ms = self.run_one(migration, direction, request, &survey, &without, &report)?;
            report.migrations.push(shown(migration, direction, Some(duration_ms)));
            let done = report.migrations.len();
            // A down asks what is left; an up only whether the ledger has been made, which the first one does.
            if done < migrations.len() && (direction == Direction::Down || done == 1) {
                survey.ledger = self.ledger(&survey)?;
            }
        }
        self.settle(survey.chain)?;
        Ok(report)
    }

    /// All or none: what the queue's later migrations meet takes its earlier ones back, too.
    fn run_together(
        &mut self,
        migrations: &[Migration],
        data_loss: DataLoss,
        survey: &Survey,
        report: &mut RunReport,
    ) -> Result<(), MigrateError> {
        let pen = self.pen();
        let recorder = |id: &MigrationId, name: &str, event, change| pen.record(id, name, event, change);
        let mut running = &migrations[0];
        let result = carry_out_together(self.target.as_mut(), migrations, |target, migration| {
            running = migration;
            let without = survey.chain.before(&migration.id);
            let order = Order {
                migration,
                direction: Direction::Up,
                ledger: &survey.ledger,
                chain: &survey.chain,
                without: &without,
                differing: &survey.comparison.differences,
                accepted: &survey.accepted,
                there: &[],
                data_loss,
            };
            in_transaction(target, &order, &recorder, Instant::now())
        });
        let durations = result.map_err(|failure| {
            let error = told(running, Direction::Up, failure, Vec::new());
            self.record_failure(running, survey, &pen, &error);
            error
        })?;
        for (migration, duration_ms) in migrations.iter().zip(durations) {
            report.migrations.push(RunMigration { joined: true, ..shown(migration, Direction::Up, Some(duration_ms)) });
        }
        Ok(())
    }

    fn run_one(
        &mut self,
        migration: &Migration,
        direction: Direction,
        request: &RunRequest,
        survey: &Survey,
        without: &Schema,
        report: &RunReport,
    ) -> Result<i64, MigrateError> {
        let pen = self.pen();
        let is_of_only = request.only.is_some() && direction == Direction::Up;
        // Checkpoints count the statements of the whole file, so that any later run understands them.
        let whole = match migration.bounds(direction) {
            Bounds::Statements if is_of_only => Some(self.migration(&migration.id)?),
            _ => None,
        };
        let there = whole.as_ref().map(|whole| statements_there(whole, survey)).unwrap_or_default();
        let migration = whole.as_ref().unwrap_or(migration);
        let order = Order {
            migration,
            direction,
            ledger: &survey.ledger,
            chain: &survey.chain,
            without,
            differing: &survey.comparison.differences,
            accepted: &survey.accepted,
            there: &there,
            data_loss: request.data_loss,
        };
        let recorder = |id: &MigrationId, name: &str, event, change| pen.record(id, name, event, change);
        let result = carry_out(self.target.as_mut(), &order, &recorder);
        result.map_err(|failure| {
            let done = report.migrations.iter().map(|migration| migration.id.clone()).collect();
            let error = told(migration, direction, failure, done);
            self.record_failure(migration, survey, &pen, &error);
            error
        })
    }

    // The failure itself is what must reach the user, so an error while recording it is ignored.
    fn record_failure(&mut self, migration: &Migration, survey: &Survey, pen: &Pen, error: &MigrateError) {
        let mut record = pen.record(&migration.id, &migration.name, EventKind::Failed, RowChange::None);
        record.event.detail = Some(error.to_string());
        let _ = in_own_transaction(self.target.as_mut(), ForeignKeys::Enforced, |target| {
            target.prepare_ledger(&survey.ledger)?;
            target.record(&record)
        });
    }

    fn refuse_unless_reversible(&mut self, migrations: &[Migration], survey: &Survey) -> Result<(), MigrateError> {
        if let Some(migration) = migrations.iter().find(|migration| !migration.has_down()) {
            return Err(MigrateError::NoDown { id: migration.id.clone() });
        }
        let gone: HashSet<&MigrationId> = migrations.iter().map(|migration| &migration.id).collect();
        let left = self.applied(&survey.ledger, |id| !gone.contains(id));
        if survey.chain.begins_with(&left) {
            return Ok(());
        }
        let chain = Chain::replay(self.target.as_ref(), &left)?;
        match (chain.broken(), migrations.first()) {
            (Some(broken), Some(first)) => {
                Err(MigrateError::Needed { id: first.id.clone(), needed_by: broken.id.clone() })
            }
            _ => Ok(()),
        }
    }

    fn refuse_loss(
        &mut self,
        migrations: &[Migration],
        direction: Direction,
        survey: &Survey,
    ) -> Result<(), MigrateError> {
        for migration in migrations {
            let Some(link) = survey.chain.link(&migration.id) else {
                continue;
            };
            let expected = match direction {
                Direction::Up => survey.chain.before(&migration.id),
                Direction::Down => survey.chain.with(&link.id),
            };
            let found = foretold(self.target.as_mut(), migration, direction, &link.footprint, &expected)?;
            let losses = unasked(found, &migration.intended_losses(direction));
            if !losses.is_empty() {
                let (id, done) = (migration.id.clone(), Vec::new());
                return Err(MigrateError::DataLoss {
                    id,
                    direction,
                    losses,
                    wants_rebuild: false,
                    done,
                    statements_done: 0,
                });
            }
        }
        Ok(())
    }

    /// What the ledger's migrations make without `id`.
    fn without(&self, survey: &Survey, id: &MigrationId, direction: Direction) -> Result<Schema, MigrateError> {
        if direction == Direction::Up {
            return Ok(survey.chain.before(id));
        }
        let left = self.applied(&survey.ledger, |other| other != id);
        if survey.chain.begins_with(&left) {
            return Ok(survey.chain.after(left.len()));
        }
        Ok(Chain::replay(self.target.as_ref(), &left)?.last())
    }

    /// What the ledger counts as applied of those that are asked for.
    fn applied(&self, ledger: &Ledger, counts: impl Fn(&MigrationId) -> bool) -> Vec<&Migration> {
        let rows = ledger.by_id();
        let is_applied = |id: &MigrationId| rows.get(id).is_some_and(|row| row.is_applied());
        let every = self.sources.iter().flat_map(Source::migrations);
        every.filter(|migration| is_applied(&migration.id) && counts(&migration.id)).collect()
    }
}

/// How many of the first migrations run in one transaction.
fn joined(migrations: &[Migration], direction: Direction) -> usize {
    let is_joined =
        |migration: &&Migration| migration.id.source == LONGSHORE && migration.bounds(direction) != Bounds::Statements;
    let count = migrations.iter().take_while(is_joined).count();
    if direction == Direction::Up && count > 1 { count } else { 0 }
}

fn leave_out_what_is_there(migration: &mut Migration, survey: &Survey) {
    if let (Body::Sql { up, .. }, Some(link)) = (&mut migration.body, survey.chain.link(&migration.id)) {
        *up = plan::not_there_yet(up, link, &survey.observed);
    }
}

fn statements_there(migration: &Migration, survey: &Survey) -> Vec<usize> {
    match (migration.script(Direction::Up), survey.chain.link(&migration.id)) {
        (Some(script), Some(link)) => plan::already_there(script, link, &survey.observed),
        _ => Vec::new(),
    }
}

/// A pragma that does nothing where it stands is a migration that does not do what it says; it is refused before it
/// runs. One that has run long ago did what it could.
pub(super) fn refuse_idle_pragmas(migrations: &[Migration], direction: Direction) -> Result<(), MigrateError> {
    let findings: Vec<Finding> = migrations.iter().flat_map(|migration| idle_pragmas(migration, direction)).collect();
    if findings.is_empty() {
        return Ok(());
    }
    Err(MigrateError::HistoryBroken { findings })
}

pub(super) fn told(
    migration: &Migration,
    direction: Direction,
    failure: Failure,
    done: Vec<MigrationId>,
) -> MigrateError {
    let id = migration.id.clone();
    match failure {
        Failure::Run(RunError::NotKept { object, source }, _) if source.outside_cause().is_none() => {
            MigrateError::NotKept { id, object, error: Box::new(source) }
        }
        Failure::Run(RunError::Target(error), _) | Failure::Target(error) => error.into(),
        Failure::Run(error, statements_done) => {
            MigrateError::Failed { id, error: Box::new(error), done, statements_done }
        }
        Failure::Loss(losses, statements_done) => {
            let wants_rebuild = migration.wants_rebuild(direction, &losses);
            MigrateError::DataLoss { id, direction, losses, wants_rebuild, done, statements_done }
        }
        Failure::Outcome(error) => *error,
    }
}

pub(super) fn shown(migration: &Migration, direction: Direction, duration_ms: Option<i64>) -> RunMigration {
    let statements = migration.script(direction).map(crate::files::script::Script::statements).unwrap_or_default();
    RunMigration {
        id: migration.id.clone(),
        name: migration.name.clone(),
        direction,
        bounds: migration.bounds(direction),
        joined: false,
        sql: statements.iter().map(|Statement { text, .. }| text.clone()).collect(),
        duration_ms,
    }
}
