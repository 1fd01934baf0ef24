//! `repair`: plans, tries the plan on a scratch database, and carries it out in one transaction.

mod alone;
mod rows;

use std::{collections::BTreeSet, time::Instant};

use super::{
    Migrator, Pen,
    mark::refuse_without_reason,
    run::{RunMode, refuse_idle_pragmas, told},
};
use crate::{
    adoption::{Choices, Takeover},
    alterer::{AlterRequest, Breach, Moment, RowCondition},
    error::MigrateError,
    execution::apply::{Failure, Order, in_transaction},
    execution::loss::{DataLoss, Loss, LossCheck, foretold, unasked},
    execution::replay::{Stage, perform},
    files::migration::{Direction, Migration, MigrationId},
    files::script::{Bounds, Statement},
    ledger::{EventKind, Record, RowChange, Witness},
    plan::{Conflicts, Materials, Planned, repair},
    report::finding::{Finding, FindingKind},
    report::{RepairAction, RepairReport},
    schema::{Difference, DifferenceKind, ObjectName, Schema},
    survey::Survey,
    target::{ForeignKeys, Progress, Session},
};

/// Whether a repair is shown or carried out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RepairMode {
    /// Only the plan.
    #[default]
    Plan,
    /// Carry it out, for this reason.
    Apply {
        /// Why, for the history; never empty.
        reason: String,
    },
}

/// What `repair` shall do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RepairRequest {
    /// Show or carry out.
    pub mode: RepairMode,
}

enum Mending {
    Repair(Vec<Planned>),
    Adoption(Box<Takeover>),
}

impl Migrator<'_> {
    /// The smallest ordered plan that brings ledger, files and schema into agreement without losing anything.
    ///
    /// Carrying it out makes a backup first, then does everything in one transaction that is committed only if the
    /// schema afterwards is what the migrations make. [`MigrateError::NoRepair`] says what only a person can decide.
    pub fn repair(&mut self, request: &RepairRequest) -> Result<RepairReport, MigrateError> {
        let RepairMode::Apply { reason } = &request.mode else {
            let survey = self.survey()?;
            return match self.plan_mending(&survey)? {
                Mending::Repair(plan) => Ok(report(&plan, false)),
                Mending::Adoption(takeover) => {
                    self.try_adoption(&Choices::default())?;
                    Ok(RepairReport { steps: self.adoption_steps(&survey, &takeover), applied: false, backup: None })
                }
            };
        };
        refuse_without_reason(reason)?;
        let _lock = self.lock_unless_dry(RunMode::Apply)?;
        let survey = self.survey()?;
        let plan = match self.plan_mending(&survey)? {
            Mending::Repair(plan) => plan,
            Mending::Adoption(_) => {
                let done = self.carry_out_adoption(&survey, &Choices::default(), reason)?;
                return Ok(RepairReport { steps: done.steps, applied: true, backup: done.backup });
            }
        };
        let mut done = report(&plan, true);
        if plan.is_empty() {
            return Ok(done);
        }
        done.backup = self.target.back_up(&changed_tables(&plan))?;
        let pen = self.pen().because(reason);
        self.carry_out_alone(&plan, Moment::Before, &pen)?;
        let keys = self.keys(&plan);
        self.in_transaction_again(keys, |migrator| migrator.carry_out_repair(&survey, &plan, &pen))?;
        if self.carry_out_alone(&plan, Moment::After, &pen)? > 0 {
            self.refuse_left_over(&survey, &plan)?;
        }
        self.settle(survey.chain)?;
        Ok(done)
    }

    /// The table of another program is taken over where the smallest plan would lose something of it, or does not lead
    /// to the goal.
    fn plan_mending(&mut self, survey: &Survey) -> Result<Mending, MigrateError> {
        let Some(takeover) = survey.takeover.clone().filter(|takeover| takeover.is_needed) else {
            return Ok(Mending::Repair(self.plan_repair(survey)?));
        };
        if takeover.is_plain
            && let Ok(plan) = self.plan_repair(survey)
        {
            return Ok(Mending::Repair(plan));
        }
        if takeover.obstacles.is_empty() {
            return Ok(Mending::Adoption(Box::new(takeover)));
        }
        Err(MigrateError::NeedsDecision { reasons: takeover.obstacles })
    }

    /// Tries the plan that leaves conflicts to later migrations, then the one that fixes them first.
    fn plan_repair(&mut self, survey: &Survey) -> Result<Vec<Planned>, MigrateError> {
        let materials = self.materials(survey)?;
        let sources = self.sources.clone();
        let bounds = |id: &MigrationId| {
            let source = sources.iter().find(|source| source.name() == id.source);
            let migration = source.and_then(|source| source.migration(id.number));
            migration.map(|found| found.bounds(Direction::Up)).unwrap_or_default()
        };
        let mut left: Vec<Finding> = Vec::new();
        for conflicts in [Conflicts::LeaveToLater, Conflicts::Mend] {
            let plan =
                repair(survey, conflicts, &materials, &bounds).map_err(|reasons| MigrateError::NoRepair { reasons })?;
            let reasons = self.try_out(survey, &plan)?;
            if reasons.is_empty() {
                self.refuse_lossy(survey, &plan)?;
                let obstacles = self.refuse_rows(&plan)?;
                if !obstacles.is_empty() {
                    return Err(MigrateError::NoRepair { reasons: obstacles });
                }
                refuse_idle_pragmas(&self.applied_by(&plan)?, Direction::Up)?;
                return Ok(plan);
            }
            left = reasons;
        }
        Err(MigrateError::NoRepair { reasons: left })
    }

    fn materials(&mut self, survey: &Survey) -> Result<Materials, MigrateError> {
        let statements = |id: &MigrationId| {
            let migration = self.migration(id).ok();
            let script = migration.as_ref().and_then(|migration| migration.script(Direction::Up));
            script.map(|script| script.statements().to_vec()).unwrap_or_default()
        };
        let links = survey.chain.links();
        let materials = Materials::new(links.iter().map(|link| statements(&link.id)).collect());
        Ok(materials.alterer(self.target.alterer()?))
    }

    /// What would still be wrong after the plan, tried on an empty copy of the real schema.
    fn try_out(&mut self, survey: &Survey, plan: &[Planned]) -> Result<Vec<Finding>, MigrateError> {
        let mut scratch = self.target.scratch()?;
        let is_ours = |object: &ObjectName| !survey.chain.touching(object).is_empty();
        if let Some(setting) = self.target.dialect().without_looking_into_bodies() {
            scratch.execute(setting)?;
        }
        for definition in self.target.definitions()? {
            // What is not ours may want a module, a function or a collation that only the application has.
            let made = scratch.execute(&definition.sql);
            if is_ours(&definition.object) {
                made?;
            }
        }
        let in_order = |moment| plan.iter().filter(move |planned| planned.moment() == moment);
        let moments = [Moment::Before, Moment::Together, Moment::After];
        for planned in moments.into_iter().flat_map(in_order) {
            if let Err(error) = self.try_step(scratch.as_mut(), survey, planned) {
                let subject = planned.step.id.as_ref().map(ToString::to_string).unwrap_or_default();
                let message = format!("it does not run on the schema as it is: {error}");
                return Ok(vec![Finding::new(FindingKind::SchemaDisagrees, subject, message).hint(BY_HAND)]);
            }
        }
        let observed = scratch.observe()?;
        let mut left = self.left_over(survey, plan, &observed);
        // Only a superuser could switch off the triggers of a key in the copy, too.
        let real = self.left_over(survey, plan, &survey.observed).into_iter();
        let is_touched = |difference: &Difference| {
            plan.iter().filter_map(|planned| planned.alteration.as_ref()).any(|one| one.because == difference.object)
        };
        left.extend(real.filter(|one| {
            one.kind == DifferenceKind::EnabledChanged && one.object.kind.is_constraint() && !is_touched(one)
        }));
        self.reasons(survey, plan, &left)
    }

    /// What is left over, each with what a person would run.
    fn reasons(
        &mut self,
        survey: &Survey,
        plan: &[Planned],
        left: &[Difference],
    ) -> Result<Vec<Finding>, MigrateError> {
        if left.is_empty() {
            return Ok(Vec::new());
        }
        let alterer = self.target.alterer()?;
        let expected = self.expected_after(survey, plan);
        let definitions = survey.chain.definitions(self.count_after(survey, plan));
        let finding = |difference: &Difference| {
            let differences = std::slice::from_ref(difference);
            let request = AlterRequest { differences, expected: &expected, definitions: &definitions };
            let by_hand = alterer.as_ref().and_then(|alterer| alterer.by_hand(difference, &request));
            let found = reason(survey, difference);
            match by_hand {
                Some(statement) => found.hint(statement),
                None => found,
            }
        };
        Ok(left.iter().map(finding).collect())
    }

    fn try_step(&self, scratch: &mut dyn Session, survey: &Survey, planned: &Planned) -> Result<(), MigrateError> {
        match (&planned.step.action, &planned.rebuild, &planned.step.id) {
            (RepairAction::Apply, _, Some(id)) => {
                let migration = self.migration(id)?;
                let is_made = |object: &ObjectName| is_made(survey, object);
                perform(scratch, &migration, Direction::Up, Stage::Scratch, &is_made)
                    .map_err(|error| told(&migration, Direction::Up, Failure::Run(error, 0), Vec::new()))?;
            }
            (RepairAction::RebuildTable, Some(rebuild), _) => {
                scratch.rebuild(rebuild)?;
            }
            (RepairAction::Add | RepairAction::Replace | RepairAction::Alter, ..) => {
                scratch.execute(planned.step.sql.as_deref().unwrap_or_default())?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The expected schema is that of every migration that is applied once the plan is carried out.
    fn left_over(&self, survey: &Survey, plan: &[Planned], observed: &Schema) -> Vec<Difference> {
        let expected = self.expected_after(survey, plan);
        survey.compare(&expected, observed).differences
    }

    fn expected_after(&self, survey: &Survey, plan: &[Planned]) -> Schema {
        survey.chain.after(self.count_after(survey, plan))
    }

    fn count_after(&self, survey: &Survey, plan: &[Planned]) -> usize {
        let planned: BTreeSet<&MigrationId> = plan.iter().filter_map(|planned| planned.step.id.as_ref()).collect();
        let rows = survey.ledger.by_id();
        let is_applied = |id: &MigrationId| rows.get(id).is_some_and(|row| row.is_applied());
        let counts = |id: &MigrationId| is_applied(id) || planned.contains(id);
        survey.chain.links().iter().take_while(|link| counts(&link.id)).count()
    }

    /// A step that would lose rows is never carried out, not even one that is in a migration.
    fn refuse_lossy(&mut self, survey: &Survey, plan: &[Planned]) -> Result<(), MigrateError> {
        for migration in self.applied_by(plan)? {
            let Some(link) = survey.chain.link(&migration.id) else {
                continue;
            };
            let expected = survey.chain.before(&migration.id);
            let found = foretold(self.target.as_mut(), &migration, Direction::Up, &link.footprint, &expected)?;
            // Not even what its file declares: that is for `up`, which somebody orders.
            refuse(&migration.id, unasked(found, &[]))?;
        }
        Ok(())
    }

    fn applied_by(&self, plan: &[Planned]) -> Result<Vec<Migration>, MigrateError> {
        let applied = plan.iter().filter(|planned| planned.step.action == RepairAction::Apply);
        applied.filter_map(|planned| planned.step.id.as_ref()).map(|id| self.migration(id)).collect()
    }

    fn keys(&self, plan: &[Planned]) -> ForeignKeys {
        let is_rebuild = |planned: &Planned| {
            let bounds = planned.step.id.as_ref().and_then(|id| self.migration(id).ok());
            let rebuilds = bounds.is_some_and(|migration| migration.bounds(Direction::Up) == Bounds::Rebuild);
            planned.rebuild.is_some() || planned.step.action == RepairAction::Apply && rebuilds
        };
        if plan.iter().any(is_rebuild) { ForeignKeys::Suspended } else { ForeignKeys::Enforced }
    }

    fn carry_out_repair(&mut self, survey: &Survey, plan: &[Planned], pen: &Pen) -> Result<(), MigrateError> {
        self.target.prepare_ledger(&survey.ledger)?;
        // An interrupted run must not pass over statements whose effect the repair takes back.
        for id in plan.iter().filter_map(|planned| planned.step.id.as_ref()) {
            self.target.clear_checkpoints(id)?;
        }
        let together = plan.iter().filter(|planned| planned.moment() == Moment::Together);
        for (at, planned) in together.enumerate() {
            let Some(id) = &planned.step.id else { continue };
            let migration = self.migration(id)?;
            self.report_step(planned, id, at);
            self.carry_out_step(survey, planned, &migration, pen)?;
        }
        let observed = self.target.observe()?;
        let mut left = self.left_over(survey, plan, &observed);
        // What runs after the transaction brings the rest.
        left.retain(|difference| !is_finished_later(difference, plan));
        if left.is_empty() {
            let planned: BTreeSet<&MigrationId> = plan.iter().filter_map(|planned| planned.step.id.as_ref()).collect();
            let is_applied = |id: &MigrationId| survey.ledger.is_applied(id) || planned.contains(id);
            let marks = survey.ledger.marks(&self.sources, &is_applied);
            return Ok(self.tell_other_manager(&marks)?);
        }
        Err(MigrateError::RepairUndone { differences: left })
    }

    fn report_step(&mut self, planned: &Planned, id: &MigrationId, at: usize) {
        let Some(sql) = &planned.step.sql else { return };
        let text = Statement::alone(self.target.dialect(), sql.as_str()).in_short();
        self.target.report(&Progress::Statement { id: id.clone(), statement: at + 1, text });
    }

    fn carry_out_step(
        &mut self,
        survey: &Survey,
        planned: &Planned,
        migration: &Migration,
        pen: &Pen,
    ) -> Result<(), MigrateError> {
        let target = self.target.as_mut();
        let sql = planned.step.sql.as_deref().unwrap_or_default();
        let (event, change) = match planned.step.action {
            RepairAction::Apply => {
                let chain = &survey.chain;
                let without = chain.before(&migration.id);
                let order = Order {
                    migration,
                    direction: Direction::Up,
                    ledger: &survey.ledger,
                    chain,
                    without: &without,
                    differing: &[],
                    accepted: &survey.accepted,
                    there: &[],
                    data_loss: DataLoss::Refuse,
                };
                let recorder = |id: &MigrationId, name: &str, event, change| pen.record(id, name, event, change);
                return in_transaction(target, &order, &recorder, Instant::now())
                    .map_err(|failure| told(migration, Direction::Up, failure, Vec::new()));
            }
            RepairAction::MarkApplied => {
                let checksum = migration.checksum();
                (EventKind::MarkedApplied, RowChange::Applied { checksum, witness: Witness::Shown })
            }
            RepairAction::RecordChecksum => {
                let checksum = migration.checksum();
                (EventKind::Repaired, RowChange::Applied { checksum, witness: Witness::Shown })
            }
            RepairAction::RebuildTable => {
                rows::refuse_rebuild(target, planned)?;
                target.begin_loss_check(LossCheck { keep_counters: true, ..LossCheck::default() })?;
                if let Some(rebuild) = &planned.rebuild {
                    target.rebuild(rebuild)?;
                }
                refuse(&migration.id, unasked(target.end_loss_check()?, &[]))?;
                (EventKind::Repaired, RowChange::None)
            }
            RepairAction::Alter => {
                target.begin_loss_check(LossCheck::default())?;
                target.execute(sql)?;
                refuse(&migration.id, unasked(target.end_loss_check()?, &[]))?;
                (EventKind::Repaired, RowChange::None)
            }
            RepairAction::Add | RepairAction::Replace => {
                target.execute(sql)?;
                (EventKind::Repaired, RowChange::None)
            }
            // Steps of an adoption, which is no list of single repairs.
            RepairAction::TakeOver
            | RepairAction::Keep
            | RepairAction::Drop
            | RepairAction::TellOtherManager
            | RepairAction::GiveBack => return Ok(()),
        };
        Ok(target.record(&recorded(planned, migration, pen, event, change))?)
    }
}

fn recorded(planned: &Planned, migration: &Migration, pen: &Pen, event: EventKind, change: RowChange) -> Record {
    let mut record = pen.record(&migration.id, &migration.name, event, change);
    let why = &planned.step.why;
    record.event.detail = Some(planned.step.sql.as_ref().map_or_else(|| why.clone(), |sql| format!("{why}: {sql}")));
    record
}

/// The tables with a column whose values are written anew.
fn changed_tables(plan: &[Planned]) -> BTreeSet<String> {
    let alterations = plan.iter().filter_map(|planned| planned.alteration.as_ref());
    let conditions = alterations.flat_map(|alteration| &alteration.conditions);
    let table = |condition: &RowCondition| match &condition.breach {
        Breach::Loses(table, _) => Some(table.clone()),
        Breach::Prevents(_) => None,
    };
    conditions.filter_map(table).collect()
}

/// Whether a statement after the transaction is about what differs.
fn is_finished_later(difference: &Difference, plan: &[Planned]) -> bool {
    let later = plan.iter().filter(|planned| planned.moment() == Moment::After);
    later.filter_map(|planned| planned.alteration.as_ref()).any(|one| one.because == difference.object)
}

const BY_HAND: &str = "write a migration that says what shall be, or change the schema by hand, then run repair again";

fn reason(survey: &Survey, difference: &Difference) -> Finding {
    let kind = if is_made(survey, &difference.object) { FindingKind::SchemaDisagrees } else { FindingKind::HandMade };
    let message = match (&difference.expected, &difference.found) {
        (Some(expected), Some(found)) => format!("expected {expected}, found {found}"),
        (Some(expected), None) => format!("it is missing, expected {expected}"),
        (None, Some(_)) => "no migration made it".to_owned(),
        (None, None) => "it differs".to_owned(),
    };
    Finding::new(kind, difference.object.to_string(), message).hint(BY_HAND)
}

fn is_made(survey: &Survey, object: &ObjectName) -> bool {
    !survey.chain.touching(object).is_empty()
}

fn refuse(id: &MigrationId, losses: Vec<Loss>) -> Result<(), MigrateError> {
    if losses.is_empty() {
        return Ok(());
    }
    let (id, direction, done) = (id.clone(), Direction::Up, Vec::new());
    Err(MigrateError::DataLoss { id, direction, losses, wants_rebuild: false, done, statements_done: 0 })
}

fn report(plan: &[Planned], applied: bool) -> RepairReport {
    RepairReport { steps: plan.iter().map(|planned| planned.step.clone()).collect(), applied, backup: None }
}
