//! `mark-applied`, `mark-rolled-back` and `baseline`: the ledger changes, nothing runs.

use super::{Migrator, run::RunMode};
use crate::{
    error::MigrateError,
    execution::apply::in_own_transaction,
    files::migration::{Direction, MigrationId},
    files::script::Script,
    files::source::LONGSHORE,
    ledger::{EventKind, Record, RowChange, SharedRow, Witness},
    plan::{data_statements, missing_for_mark},
    report::MarkReport,
    schema::{ObjectName, Presence},
    survey::{Standing, Survey},
    target::ForeignKeys,
};

/// Whether a mark needs the schema's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verification {
    /// Refused where the schema shows otherwise.
    #[default]
    Required,
    /// Written all the same; `status` continues to say so.
    Waived,
}

/// A change of the ledger by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marking {
    /// The migration.
    pub id: MigrationId,
    /// Why, for the history; never empty.
    pub reason: String,
    /// Whether the schema must show it.
    pub verification: Verification,
}

impl Migrator<'_> {
    /// Makes the ledger say that a migration is applied. [`MigrateError::NotShown`] where its objects are missing.
    pub fn mark_applied(&mut self, marking: &Marking) -> Result<MarkReport, MigrateError> {
        refuse_without_reason(&marking.reason)?;
        let _lock = self.lock_unless_dry(RunMode::Apply)?;
        let survey = self.survey()?;
        let standing = found(&survey, &marking.id)?;
        if !standing.has_file && !standing.is_applied() {
            return Err(MigrateError::NoFile { id: marking.id.clone() });
        }
        let missing = missing_for_mark(standing, &survey);
        if !missing.is_empty() && marking.verification == Verification::Required {
            return Err(MigrateError::NotShown { id: marking.id.clone(), missing });
        }
        if standing.is_applied() && standing.witness == Witness::Shown {
            return Ok(MarkReport { marked: Vec::new(), notes: vec![format!("{} was applied already", marking.id)] });
        }
        let witness = if missing.is_empty() { Witness::Shown } else { Witness::Unverified };
        let change = RowChange::Applied { checksum: self.migration(&marking.id)?.checksum(), witness };
        let mut notes = notes(standing, witness);
        notes.extend(self.data_note(&marking.id)?);
        let mut record = self.marked(standing, &marking.reason, EventKind::MarkedApplied, change);
        record.event.detail = against(witness);
        let is_it = |id: &MigrationId| *id == marking.id;
        let marks = survey.ledger.marks(&self.sources, &is_it);
        self.write(&survey, &[record], &marks)?;
        Ok(MarkReport { marked: vec![marking.id.clone()], notes })
    }

    /// Makes the ledger say that a migration is rolled back. [`MigrateError::StillThere`] where its objects are,
    /// [`MigrateError::Uncheckable`] where its files are gone.
    pub fn mark_rolled_back(&mut self, marking: &Marking) -> Result<MarkReport, MigrateError> {
        refuse_without_reason(&marking.reason)?;
        let _lock = self.lock_unless_dry(RunMode::Apply)?;
        let survey = self.survey()?;
        let standing = found(&survey, &marking.id)?;
        if !standing.is_applied() {
            return Ok(MarkReport { marked: Vec::new(), notes: vec![format!("{} was not applied", marking.id)] });
        }
        let present = still_there(standing, &survey);
        if !present.is_empty() && marking.verification == Verification::Required {
            let steps = steps_back(&survey, &marking.id);
            return Err(MigrateError::StillThere { id: marking.id.clone(), present, steps });
        }
        // Without its files nobody knows which objects would have to be gone.
        if !standing.has_file && marking.verification == Verification::Required {
            return Err(MigrateError::Uncheckable { id: marking.id.clone() });
        }
        let is_shown = present.is_empty() && standing.has_file;
        let witness = if is_shown { Witness::Shown } else { Witness::Unverified };
        let notes = notes(standing, witness);
        let change = RowChange::RolledBack { witness };
        let mut record = self.marked(standing, &marking.reason, EventKind::MarkedRolledBack, change);
        record.event.detail = if standing.has_file { against(witness) } else { Some("its files are gone".to_owned()) };
        self.write(&survey, &[record], &[])?;
        Ok(MarkReport { marked: vec![marking.id.clone()], notes })
    }

    /// Adopts a database that was made by hand: every migration of the source up to `id` is marked, each one checked,
    /// all or none.
    pub fn baseline(&mut self, id: &MigrationId, reason: &str) -> Result<MarkReport, MigrateError> {
        refuse_without_reason(reason)?;
        let _lock = self.lock_unless_dry(RunMode::Apply)?;
        let survey = self.survey()?;
        found(&survey, id)?;
        let is_wanted = |standing: &&Standing| {
            standing.id.source == id.source && standing.id.number <= id.number && standing.is_pending()
        };
        let wanted: Vec<&Standing> = survey.standings.iter().filter(is_wanted).collect();
        let mut records = Vec::new();
        let mut all_notes = Vec::new();
        for standing in &wanted {
            let missing = missing_for_mark(standing, &survey);
            if !missing.is_empty() {
                return Err(MigrateError::NotShown { id: standing.id.clone(), missing });
            }
            all_notes.extend(notes(standing, Witness::Shown));
            all_notes.extend(self.data_note(&standing.id)?);
            let checksum = self.migration(&standing.id)?.checksum();
            let change = RowChange::Applied { checksum, witness: Witness::Shown };
            records.push(self.marked(standing, reason, EventKind::Baselined, change));
        }
        let is_wanted = |id: &MigrationId| wanted.iter().any(|standing| standing.id == *id);
        let marks = survey.ledger.marks(&self.sources, &is_wanted);
        self.write(&survey, &records, &marks)?;
        Ok(MarkReport { marked: wanted.iter().map(|standing| standing.id.clone()).collect(), notes: all_notes })
    }

    /// That data was changed is nowhere to be seen, so the mark stands on somebody's word.
    fn data_note(&self, id: &MigrationId) -> Result<Option<String>, MigrateError> {
        let migration = self.migration(id)?;
        let statements = migration.script(Direction::Up).map(Script::statements).unwrap_or_default();
        let changes = !data_statements(statements).is_empty() && id.source != LONGSHORE;
        Ok(changes.then(|| {
            format!("{id} changes data, which the schema does not show; it is recorded as done because you say so")
        }))
    }

    fn marked(&self, standing: &Standing, reason: &str, event: EventKind, change: RowChange) -> Record {
        self.pen().because(reason).record(&standing.id, &standing.name, event, change)
    }

    fn write(&mut self, survey: &Survey, records: &[Record], marks: &[SharedRow]) -> Result<(), MigrateError> {
        if records.is_empty() {
            return Ok(());
        }
        in_own_transaction(self.target.as_mut(), ForeignKeys::Enforced, |target| {
            target.prepare_ledger(&survey.ledger)?;
            for record in records {
                target.record(record)?;
                // A later run begins anew: it must not pass over statements of an interrupted one.
                target.clear_checkpoints(&record.event.id)?;
            }
            marks.iter().try_for_each(|mark| target.set_shared_row(mark.number, Some(mark)))
        })?;
        self.settle(survey.chain.clone())
    }
}

pub(super) fn refuse_without_reason(reason: &str) -> Result<(), MigrateError> {
    if reason.trim().is_empty() {
        return Err(MigrateError::NoReason);
    }
    Ok(())
}

fn found<'s>(survey: &'s Survey, id: &MigrationId) -> Result<&'s Standing, MigrateError> {
    survey.standing(id).ok_or_else(|| MigrateError::UnknownId { text: id.to_string() })
}

/// The history continues to say so when the ledger's row has changed.
fn against(witness: Witness) -> Option<String> {
    (witness == Witness::Unverified).then(|| "against what the schema shows".to_owned())
}

/// How many steps `down` takes until that migration, too, is rolled back.
fn steps_back(survey: &Survey, id: &MigrationId) -> usize {
    let applied = survey.standings.iter().rev().filter(|standing| standing.is_applied());
    applied.take_while(|standing| standing.id != *id).count() + 1
}

/// What a mark as rolled back would deny.
fn still_there(standing: &Standing, survey: &Survey) -> Vec<ObjectName> {
    match &standing.presence {
        Some(Presence::Partial { present, .. }) => present.clone(),
        Some(Presence::Present | Presence::Conflicting(_)) => {
            let link = survey.chain.link(&standing.id);
            let objects = link.map(|link| link.footprint.main_objects()).unwrap_or_default();
            let there: Vec<ObjectName> =
                objects.iter().copied().filter(|name| survey.observed.contains(name)).cloned().collect();
            if there.is_empty() { objects.into_iter().cloned().collect() } else { there }
        }
        _ => Vec::new(),
    }
}

fn notes(standing: &Standing, witness: Witness) -> Vec<String> {
    if !standing.has_file {
        return vec![format!("{} has no file any more by which it could be checked", standing.id)];
    }
    if witness == Witness::Unverified {
        return vec![format!("{} is marked against what the schema shows", standing.id)];
    }
    match &standing.presence {
        Some(Presence::Invisible) => {
            vec![format!("{} leaves nothing in the schema by which it could be checked", standing.id)]
        }
        Some(Presence::Conflicting(differences)) => {
            differences.iter().map(|difference| format!("{} differs: {difference}", standing.id)).collect()
        }
        _ => Vec::new(),
    }
}
