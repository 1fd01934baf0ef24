//! `status`, `verify`, `history` and `dump`: they read and write nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Migrator;
use crate::{
    error::MigrateError,
    files::migration::MigrationId,
    files::script::with_lf,
    files::source::{APP, Source},
    ledger::{ForeignLedger, Form, Ledger, Row, implied_history, reported},
    plan::there_already,
    report::finding::FindingKind,
    report::{
        Discrepancy, DiscrepancyKind, HistoryReport, LedgerDiscrepancy, MigrationStatus, NextStep, State, StatusReport,
        Theirs, VerifyReport,
    },
    schema::{Definition, ObjectKind, ObjectName, Schema},
    survey::{Recorded, Standing, Survey},
};

impl Migrator<'_> {
    /// The ledger beside what is available beside what the schema shows.
    pub fn status(&mut self) -> Result<StatusReport, MigrateError> {
        let survey = self.survey()?;
        let rows = survey.ledger.by_id();
        let migrations: Vec<MigrationStatus> =
            survey.standings.iter().map(|standing| status(standing, rows.get(&standing.id).copied())).collect();
        let unrecognised = self.sources.iter().flat_map(|source| source.unrecognised().iter().cloned()).collect();
        let skipped = self.sources.iter().flat_map(Source::skipped).cloned().collect();
        let mut report = StatusReport {
            database: self.target.name(),
            applied_count: survey.standings.iter().filter(|standing| standing.is_applied()).count(),
            available_count: survey.standings.iter().filter(|standing| standing.has_file).count(),
            pending_count: survey.standings.iter().filter(|standing| standing.is_pending()).count(),
            migrations,
            unrecognised,
            skipped,
            differences: discrepancies(&survey),
            foreign: survey.foreign(),
            foreign_ledgers: survey.ledger.foreign.clone(),
            theirs: self.theirs(&survey.ledger),
            findings: survey.findings.clone(),
            next: None,
        };
        report.next = self.next_step(&report, &survey);
        Ok(report)
    }

    /// Whether the schema agrees with the ledger at the version that it records.
    pub fn verify(&mut self) -> Result<VerifyReport, MigrateError> {
        let survey = self.survey()?;
        let differences = discrepancies(&survey);
        let is_broken = survey.findings.iter().any(|finding| finding.kind.breaks_history());
        Ok(VerifyReport {
            ok: differences.is_empty() && !is_broken,
            differences,
            foreign: survey.foreign(),
            findings: survey.findings,
        })
    }

    /// Every event, or those of one migration, oldest first. An old ledger's rows are told as the events they imply.
    pub fn history(&mut self, id: Option<&MigrationId>) -> Result<HistoryReport, MigrateError> {
        let mut events = match self.target.ledger()?.form {
            Form::Current | Form::Combined => self.target.history()?,
            Form::Old => implied_history(&self.survey()?.ledger),
            Form::Missing => Vec::new(),
        };
        events.retain(|event| id.is_none_or(|id| event.id == *id));
        Ok(HistoryReport { events })
    }

    /// The schema as SQL in a stable order: what migrations made as they make it on an empty database, the rest as it
    /// is there.
    pub fn dump(&mut self) -> Result<String, MigrateError> {
        let survey = self.survey()?;
        let made = recorded_statements(&survey);
        let recorded = survey.recorded.clone().unwrap_or_default();
        // Not that of the survey, which leaves out what the application may add to our tables.
        let there = self.target.observe()?;
        let mut text = String::new();
        for definition in self.target.definitions()? {
            let replayed = made.get(&definition.object).filter(|_| is_as_made(&recorded, &there, &definition.object));
            text.push_str(with_lf(replayed.unwrap_or(&definition.sql)).trim());
            text.push_str(";\n\n");
        }
        Ok(format!("{}\n", text.trim_end()).trim_start().to_owned())
    }

    /// Whether the schema is what `committed` says; line ends do not count. Nothing is rewritten.
    pub fn dump_agrees_with(&mut self, committed: &str) -> Result<bool, MigrateError> {
        Ok(self.dump()?.trim() == with_lf(committed).trim())
    }

    fn next_step(&self, report: &StatusReport, survey: &Survey) -> Option<NextStep> {
        let broken = report.findings.iter().filter(|finding| finding.kind.breaks_history());
        if let Some(finding) = broken.clone().find(|finding| finding.kind != FindingKind::OutOfOrder) {
            return finding.hint.is_some().then(|| NextStep::Mend { finding: finding.clone() });
        }
        // Its own checkpoints, not the schema, say how it continues.
        if survey.standings.iter().any(|standing| standing.is_interrupted) {
            return Some(NextStep::Up);
        }
        if report.applied_count == 0
            && let Some(adoption) = survey.ledger.foreign.iter().find_map(|ledger| self.adoption(ledger))
        {
            return Some(adoption);
        }
        if survey.takeover.as_ref().is_some_and(|takeover| takeover.is_needed) {
            return Some(NextStep::Adopt);
        }
        if !report.differences.is_empty() || broken.count() > 0 {
            return Some(NextStep::Repair);
        }
        (report.pending_count > 0).then_some(NextStep::Up)
    }

    /// What of the application's ledger another program runs, or a directory that is not available.
    pub(super) fn theirs(&self, ledger: &Ledger) -> Vec<Theirs> {
        let has_app = self.sources.iter().any(|source| source.name() == APP);
        let unread = ledger.rows.iter().filter(|row| !has_app && row.id().source == APP);
        let mut rows: Vec<&Row> = ledger.theirs.iter().chain(&ledger.shared).chain(unread).collect();
        rows.sort_by_key(|row| row.number);
        let told = |row: &&Row| Theirs {
            number: row.number,
            name: row.name.clone(),
            applied_at: row.applied_at.as_deref().map(reported),
            rolled_back_at: row.rolled_back_at.as_deref().map(reported),
            same_as: row.source.as_ref().filter(|source| *source != APP).map(|_| row.id()),
        };
        rows.iter().map(told).collect()
    }

    /// The `baseline` that takes over what another tool's ledger says, where the directory has that number.
    fn adoption(&self, ledger: &ForeignLedger) -> Option<NextStep> {
        let app = self.sources.iter().find(|source| source.name() == APP)?;
        let number = ledger.last_number().filter(|number| has(app, *number))?;
        Some(NextStep::Baseline { id: MigrationId::new(APP, number), tool: ledger.tool.in_words() })
    }
}

/// Whether an object is there as the migrations make it. One statement makes a table with its columns and constraints;
/// and what stands on a table may mean something else when those differ.
fn is_as_made(recorded: &Schema, there: &Schema, object: &ObjectName) -> bool {
    recorded.definition(object) == there.definition(object)
        && body(recorded, object.owner()).eq(body(there, object.owner()))
}

/// What the statement of a table says: itself, its columns with their places, its constraints.
fn body<'a>(schema: &'a Schema, owner: &'a str) -> impl Iterator<Item = (&'a ObjectName, &'a Arc<Definition>)> {
    schema
        .of_owner(owner)
        .filter(|(name, _)| name.table.is_none() || name.kind == ObjectKind::Column || name.kind.is_constraint())
}

/// The statements that the migrations make the recorded schema of; none where another row of them makes it.
fn recorded_statements(survey: &Survey) -> BTreeMap<ObjectName, String> {
    let every = survey.chain.links().len();
    let is_it = |count: &usize| survey.recorded.as_ref() == Some(&survey.chain.after(*count));
    // Forwards, because the chain is walked at the cost of what changes from one version to the next.
    let last = Some(every).filter(is_it).or_else(|| (1..every).filter(is_it).last());
    last.map(|count| survey.chain.definitions(count)).unwrap_or_default()
}

fn has(source: &Source, number: i64) -> bool {
    source.migration(number).is_some()
}

fn status(standing: &Standing, row: Option<&Row>) -> MigrationStatus {
    use crate::files::checksum::Change;
    let state = match (standing.recorded, standing.has_file, standing.change) {
        (Recorded::Never, ..) => State::Pending,
        (Recorded::RolledBack, ..) => State::RolledBack,
        (Recorded::Applied, false, _) => State::Missing,
        (Recorded::Applied, true, Change::Meaning) => State::Changed,
        (Recorded::Applied, true, _) => State::Applied,
    };
    MigrationStatus {
        id: standing.id.clone(),
        source: standing.id.source.clone(),
        number: standing.id.number,
        name: standing.name.clone(),
        state,
        applied_at: row.and_then(|row| row.applied_at.as_deref()).map(reported),
        rolled_back_at: row.and_then(|row| row.rolled_back_at.as_deref()).map(reported),
        checksum: row.and_then(|row| row.checksum.as_ref()).map(ToString::to_string),
        problem: standing.problem.clone(),
    }
}

/// Differences of objects, and migrations that the schema shows without the ledger's word.
fn discrepancies(survey: &Survey) -> Vec<Discrepancy> {
    let of_objects = survey.comparison.differences.iter().map(|difference| Discrepancy {
        kind: DiscrepancyKind::Object(difference.kind),
        object: difference.object.to_string(),
        expected: difference.expected.clone(),
        found: difference.found.clone(),
        because: has_maker(survey, difference).then(|| survey.because(&difference.object).cloned()).flatten(),
    });
    let unrecorded = survey.standings.iter().filter(|standing| !standing.is_applied() && !standing.agrees());
    let unrecorded = unrecorded.map(|standing| Discrepancy {
        kind: DiscrepancyKind::Ledger(LedgerDiscrepancy::NotRecorded),
        object: standing.id.to_string(),
        expected: None,
        found: Some(listed(&there_already(standing, survey))),
        because: Some(standing.id.clone()),
    });
    unrecorded.chain(of_objects).collect()
}

fn has_maker(survey: &Survey, difference: &crate::schema::Difference) -> bool {
    difference.expected.is_some() || !survey.chain.touching(&difference.object).is_empty()
}

fn listed<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
