//! `adopt`: takes over the table of another program, beside that program's own migration manager, and gives it back.

mod outside;

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use outside::Outside;

use super::{Migrator, Pen, mark::refuse_without_reason, mend::RepairMode, run::RunMode, run::told};
use crate::{
    adoption::{Adopter, Choices, Return, Takeover},
    error::MigrateError,
    execution::apply::{Order, in_transaction},
    execution::loss::DataLoss,
    files::migration::{Direction, Migration, MigrationId},
    files::script::{Dialect, Statement},
    files::source::Source,
    ledger::{EventKind, Row, RowChange, SharedRow, Witness},
    report::{AdoptReport, RepairAction, RepairStep},
    schema::{Difference, Schema},
    survey::Survey,
    target::{ForeignKeys, Progress, TargetCopy},
};

/// The reason in the history of a copy.
const TRIAL: &str = "a dry run";

/// What `adopt` shall do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AdoptRequest {
    /// Show or carry out.
    pub mode: RepairMode,
    /// What a person has decided.
    pub choices: Choices,
}

impl Migrator<'_> {
    /// Takes over the table of another program: inspects it, makes a backup, gives it the queue's shape with all its
    /// rows and verifies the result, in one transaction. What belongs to another manager stays as it is.
    ///
    /// [`MigrateError::NeedsDecision`] says what would lose a value or a meaning, with the choices. Where there is no
    /// such table it is [`Migrator::repair`].
    pub fn adopt(&mut self, request: &AdoptRequest) -> Result<AdoptReport, MigrateError> {
        let RepairMode::Apply { reason } = &request.mode else {
            let survey = self.survey()?;
            let Some(takeover) = self.takeover(&survey, &request.choices)? else {
                let repaired = self.repair(&crate::RepairRequest::default())?;
                return Ok(self.without_takeover(&survey, repaired));
            };
            self.try_adoption(&request.choices)?;
            return Ok(self.adopt_report(&survey, &takeover));
        };
        refuse_without_reason(reason)?;
        let survey = {
            let _lock = self.lock_unless_dry(RunMode::Apply)?;
            let survey = self.survey()?;
            if self.takeover(&survey, &request.choices)?.is_some() {
                return self.carry_out_adoption(&survey, &request.choices, reason);
            }
            survey
        };
        let repaired = self.repair(&crate::RepairRequest { mode: request.mode.clone() })?;
        Ok(self.without_takeover(&survey, repaired))
    }

    /// Puts the table of the other program back as it was, with the jobs that were enqueued since.
    /// [`MigrateError::NotReturned`] once a job has run or was changed.
    pub fn give_back(&mut self, mode: &RepairMode) -> Result<AdoptReport, MigrateError> {
        let RepairMode::Apply { reason } = mode else {
            let survey = self.survey()?;
            let back = self.inspect_return(&survey)?;
            let (mut trial, has_rows) = self.on_copy()?;
            if has_rows {
                trial.give_back(&RepairMode::Apply { reason: TRIAL.to_owned() })?;
            }
            return Ok(self.return_report(&survey, &back));
        };
        refuse_without_reason(reason)?;
        let _lock = self.lock_unless_dry(RunMode::Apply)?;
        let survey = self.survey()?;
        let back = self.inspect_return(&survey)?;
        let backup = self.target.back_up(&BTreeSet::from([back.table]))?;
        let report =
            self.in_transaction(ForeignKeys::Suspended, |migrator| migrator.return_in_transaction(&survey, reason))?;
        Ok(AdoptReport { backup, applied: true, ..report })
    }

    /// Adopts a copy.
    pub(super) fn try_adoption(&self, choices: &Choices) -> Result<(), MigrateError> {
        let (mut trial, _) = self.on_copy()?;
        let survey = trial.survey()?;
        // Without rows there may be nothing that needs an adoption.
        if trial.takeover(&survey, choices)?.is_some() {
            trial.carry_out_adoption(&survey, choices, TRIAL)?;
        }
        Ok(())
    }

    /// The same on a copy, so that a dry run promises nothing that would fail; and whether the copy has every row.
    fn on_copy(&self) -> Result<(Migrator<'static>, bool), MigrateError> {
        let TargetCopy { target, has_rows } = self.target.copy()?;
        let copy = Migrator::new(target, self.sources.clone());
        Ok((copy.author(self.author.clone()).clock(self.clock), has_rows))
    }

    fn takeover(&mut self, survey: &Survey, choices: &Choices) -> Result<Option<Takeover>, MigrateError> {
        let Some(takeover) = survey.inspect(self.target.as_mut(), &self.sources, choices)? else {
            return Ok(None);
        };
        if takeover.obstacles.is_empty() {
            return Ok(Some(takeover));
        }
        Err(MigrateError::NeedsDecision { reasons: takeover.obstacles })
    }

    /// The whole adoption under the runner lock, which the caller holds.
    pub(super) fn carry_out_adoption(
        &mut self,
        survey: &Survey,
        choices: &Choices,
        reason: &str,
    ) -> Result<AdoptReport, MigrateError> {
        let broken = survey.broken_of(self.adopting()?.name());
        if !broken.is_empty() {
            return Err(MigrateError::HistoryBroken { findings: broken });
        }
        let tables = survey.takeover.iter().map(|takeover| takeover.table.clone()).collect();
        let backup = self.target.back_up(&tables)?;
        let report = self.in_transaction(ForeignKeys::Suspended, |migrator| {
            migrator.adopt_in_transaction(survey, choices, reason)
        })?;
        self.settle(survey.chain.clone())?;
        Ok(AdoptReport { backup, applied: true, ..report })
    }

    /// Other programs may have written since the survey, so the rows are inspected again where nobody else writes.
    fn adopt_in_transaction(
        &mut self,
        survey: &Survey,
        choices: &Choices,
        reason: &str,
    ) -> Result<AdoptReport, MigrateError> {
        let Some(takeover) = self.takeover(survey, choices)? else {
            return Err(MigrateError::RepairUndone { differences: survey.comparison.differences.clone() });
        };
        let pen = self.pen().because(reason);
        self.target.prepare_ledger(&survey.ledger)?;
        let aside = Outside::put_aside(self.target.as_mut(), std::slice::from_ref(&takeover.table))?;
        self.execute_all(&takeover.statements)?;
        self.run_to_the_last(survey, &takeover, &pen)?;
        if let Some(rebuild) = &takeover.rebuild {
            self.target.rebuild(rebuild)?;
        }
        for statement in &takeover.statements_after {
            self.target.execute(statement)?;
        }
        aside.put_back(self.target.as_mut())?;
        self.seal(survey)?;
        let report = self.adopt_report(survey, &takeover);
        self.tell_other_manager(&self.marks_of_adoption(survey))?;
        self.write_down(&report, &takeover, &pen)?;
        Ok(report)
    }

    fn execute_all(&mut self, statements: &[String]) -> Result<(), MigrateError> {
        let id = MigrationId::new(self.adopting()?.name(), 1);
        for (at, text) in statements.iter().enumerate() {
            let shown = Statement::alone(Dialect::Sqlite, text.as_str()).in_short();
            self.target.report(&Progress::Statement { id: id.clone(), statement: at + 1, text: shown });
            self.target.execute(text)?;
        }
        Ok(())
    }

    fn run_to_the_last(&mut self, survey: &Survey, takeover: &Takeover, pen: &Pen) -> Result<(), MigrateError> {
        let recorder = |id: &MigrationId, name: &str, event, change| pen.record(id, name, event, change);
        for migration in self.adopting()?.migrations().to_vec() {
            if migration.id.number <= takeover.version {
                let change = RowChange::Applied { checksum: migration.checksum(), witness: Witness::Shown };
                let mut record = pen.record(&migration.id, &migration.name, EventKind::MarkedApplied, change);
                record.event.detail = Some(format!("taken over with the table {}", takeover.table));
                self.target.record(&record)?;
                continue;
            }
            let without = survey.chain.before(&migration.id);
            let order = Order {
                migration: &migration,
                direction: Direction::Up,
                ledger: &survey.ledger,
                chain: &survey.chain,
                without: &without,
                differing: &[],
                accepted: &[],
                there: &[],
                data_loss: DataLoss::Refuse,
            };
            in_transaction(self.target.as_mut(), &order, &recorder, Instant::now())
                .map_err(|failure| told(&migration, Direction::Up, failure, Vec::new()))?;
        }
        Ok(())
    }

    /// What the application has beyond the migrations is accepted; everything else must be as they make it.
    fn seal(&mut self, survey: &Survey) -> Result<(), MigrateError> {
        let observed = self.target.observe()?;
        let found = crate::schema::differences(&self.expected_of_adoption(survey)?, &observed).differences;
        let (added, left): (Vec<Difference>, Vec<Difference>) =
            found.into_iter().partition(|difference| difference.expected.is_none());
        if !left.is_empty() {
            return Err(MigrateError::RepairUndone { differences: left });
        }
        let adopter = self.adopter()?;
        for statement in adopter.seal(self.target.as_mut(), &added)? {
            self.target.execute(&statement)?;
        }
        Ok(())
    }

    fn expected_of_adoption(&self, survey: &Survey) -> Result<Schema, MigrateError> {
        let own = self.adopting()?.name();
        let counts = |id: &MigrationId| id.source == own || survey.ledger.is_applied(id);
        let count = survey.chain.links().iter().take_while(|link| counts(&link.id)).count();
        Ok(survey.chain.after(count))
    }

    /// What was dropped and what was kept stays in the history with its definition.
    fn write_down(&mut self, report: &AdoptReport, takeover: &Takeover, pen: &Pen) -> Result<(), MigrateError> {
        let source = self.adopting()?;
        let Some(migration) = source.migration(takeover.version).cloned() else { return Ok(()) };
        for step in report.steps.iter().filter(|step| step.id.is_none()) {
            let mut record = pen.record(&migration.id, &migration.name, EventKind::Adopted, RowChange::None);
            record.event.detail = Some(match &step.sql {
                Some(sql) => format!("{}: {sql}", step.why),
                None => step.why.clone(),
            });
            self.target.record(&record)?;
        }
        Ok(())
    }

    fn adopting(&self) -> Result<&Source, MigrateError> {
        Ok(self.adopter_of_source()?.0)
    }

    fn adopter(&self) -> Result<Arc<dyn Adopter>, MigrateError> {
        Ok(Arc::clone(self.adopter_of_source()?.1))
    }

    fn adopter_of_source(&self) -> Result<(&Source, &Arc<dyn Adopter>), MigrateError> {
        let mut adopters = self.sources.iter().filter_map(|source| Some((source, source.adopter()?)));
        let found = adopters.next();
        found.ok_or_else(|| MigrateError::NotReturned { reasons: vec!["no source can take over a table".to_owned()] })
    }

    fn marks_of_adoption(&self, survey: &Survey) -> Vec<SharedRow> {
        let own = self.adopting().map(Source::name).unwrap_or_default();
        survey.ledger.marks(&self.sources, &|id| id.source == own)
    }

    fn adopt_report(&self, survey: &Survey, takeover: &Takeover) -> AdoptReport {
        AdoptReport {
            found: takeover.found.clone(),
            steps: self.adoption_steps(survey, takeover),
            theirs: self.theirs(&survey.ledger),
            foreign: survey.foreign(),
            applied: false,
            can_be_undone: true,
            backup: None,
        }
    }

    fn without_takeover(&self, survey: &Survey, repaired: crate::report::RepairReport) -> AdoptReport {
        let found = "no table of another program is waiting to be taken over".to_owned();
        AdoptReport {
            found: vec![found],
            steps: repaired.steps,
            theirs: self.theirs(&survey.ledger),
            foreign: survey.foreign(),
            applied: repaired.applied,
            can_be_undone: false,
            backup: repaired.backup,
        }
    }

    /// The steps of the adoption with the migrations that it runs, in order.
    pub(super) fn adoption_steps(&self, survey: &Survey, takeover: &Takeover) -> Vec<RepairStep> {
        let (after, mut steps): (Vec<RepairStep>, Vec<RepairStep>) =
            takeover.steps.iter().cloned().partition(|step| step.action == RepairAction::Keep);
        let migrations = self.adopting().map(Source::migrations).unwrap_or_default();
        steps.extend(migrations.iter().map(|migration| of_migration(migration, takeover)));
        steps.extend(after);
        let told = |mark: &SharedRow| RepairStep {
            action: RepairAction::TellOtherManager,
            id: None,
            sql: None,
            why: format!(
                "row {} ({}) of the other manager's ledger says applied from now on, or it would run what has run",
                mark.number, mark.name
            ),
        };
        steps.extend(self.marks_of_adoption(survey).iter().map(told));
        steps
    }

    fn inspect_return(&mut self, survey: &Survey) -> Result<Return, MigrateError> {
        let adopter = self.adopter()?;
        let Some(mut back) = adopter.give_back(self.target.as_mut())? else {
            return Err(MigrateError::NotReturned { reasons: vec!["nothing was adopted in this database".to_owned()] });
        };
        let differences = survey.comparison.differences.iter();
        let of_table = differences.filter(|one| back.tables.iter().any(|table| table == one.object.owner()));
        back.obstacles.extend(of_table.map(|one| format!("the schema was changed since: {one}")));
        if back.obstacles.is_empty() {
            return Ok(back);
        }
        Err(MigrateError::NotReturned { reasons: back.obstacles })
    }

    fn return_in_transaction(&mut self, survey: &Survey, reason: &str) -> Result<AdoptReport, MigrateError> {
        let back = self.inspect_return(survey)?;
        let source = self.adopting()?.clone();
        let aside = Outside::put_aside(self.target.as_mut(), &back.tables)?;
        self.execute_all(&back.statements)?;
        aside.put_back(self.target.as_mut())?;
        for (number, rolled_back_at) in &back.shared {
            let was = survey.ledger.shared.iter().find(|row| row.number == *number).map(Row::shared);
            let was = was.filter(|_| rolled_back_at.is_some());
            let row = was.map(|row| SharedRow { rolled_back_at: rolled_back_at.clone(), ..row });
            self.target.set_shared_row(*number, row.as_ref())?;
        }
        self.target.forget(source.name())?;
        let pen = self.pen().because(reason);
        if let Some(migration) = source.migrations().first() {
            let change = RowChange::None;
            let mut record = pen.record(&migration.id, &migration.name, EventKind::AdoptionUndone, change);
            record.event.detail = Some(back.found.join("; "));
            self.target.record(&record)?;
        }
        Ok(self.return_report(survey, &back))
    }

    fn return_report(&self, survey: &Survey, back: &Return) -> AdoptReport {
        let why = format!("the table {} is as it was before the adoption", back.table);
        let sql = Some(back.statements.join(";\n"));
        AdoptReport {
            found: back.found.clone(),
            steps: vec![RepairStep { action: RepairAction::GiveBack, id: None, sql, why }],
            theirs: self.theirs(&survey.ledger),
            foreign: survey.foreign(),
            applied: false,
            can_be_undone: false,
            backup: None,
        }
    }
}

fn of_migration(migration: &Migration, takeover: &Takeover) -> RepairStep {
    let is_marked = migration.id.number <= takeover.version;
    let (action, why) = if is_marked {
        (RepairAction::MarkApplied, format!("the table {} has the shape that it makes", takeover.table))
    } else {
        (RepairAction::Apply, "it never ran here".to_owned())
    };
    let script = migration.script(Direction::Up).filter(|_| !is_marked);
    let sql = script.map(|script| crate::plan::joined(script.statements()));
    RepairStep { action, id: Some(migration.id.clone()), sql, why }
}
