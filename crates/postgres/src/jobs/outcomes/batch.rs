use longshore_core::{ClaimNumber, JobId, LogChunk, Outcome, Record, WorkerId};
use postgres_types::Type;
use tokio_postgres::{Error, Row};

use super::ended_attempts::{EndedAttempts, Goal, ago_ms, begun_ago_ms, status_of};
use super::family::GivenUp;
use super::log_rows::LogRows;
use crate::jobs::claim::held::{HeldJobs, Leftovers};
use crate::session::columns::Columns;
use crate::session::json_text::JsonText;
use crate::session::sql::sql;
use crate::session::statements::{Call, Parameter};

/// Outcomes as the columns of the statements that write them: one for all that succeeded, one for all others.
#[derive(Debug, Default)]
pub(super) struct Batch<'r> {
    worker_id: String,
    log: LogRows,
    ids: Vec<i64>,
    claim_numbers: Vec<i64>,
    ended_ago_ms: Vec<i64>,
    begun_ago_ms: Vec<i64>,
    /// Empty if no attempt has one.
    results: Vec<Option<JsonText<'r>>>,
    leftovers: Leftovers,
    others: EndedAttempts,
}

/// In place of how long ago an attempt began. A NULL in an array would make the server count from its beginning.
pub(super) const NEVER_BEGAN: i64 = -1;

/// Who tells the children of jobs that completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Children {
    /// The batch, in a statement for all of them.
    Together,
    /// Whoever runs the batch, after it.
    Apart,
}

/// Whether the log that comes with an outcome is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WithLog {
    Yes,
    No,
}

impl<'r> Batch<'r> {
    /// The records may name no job under two claims.
    pub(super) fn new(
        worker_id: &WorkerId,
        records: impl IntoIterator<Item = &'r Record>,
        with_log: WithLog,
        held: &HeldJobs,
    ) -> Self {
        let mut batch = Self {
            worker_id: worker_id.as_str().to_owned(),
            log: LogRows::of(worker_id),
            others: EndedAttempts::of(worker_id),
            ..Self::default()
        };
        // In the order of the ids, which the statement needs. Of two outcomes of one attempt the first holds, and nothing
        // of the second is written.
        let mut records: Vec<&Record> = records.into_iter().collect();
        records.sort_by_key(|record| record.id);
        records.dedup_by_key(|record| record.id);
        for record in records {
            let log: &[LogChunk] = if with_log == WithLog::Yes { &record.log } else { &[] };
            batch.log.push(record.id, record.claim_number, record.attempt, log);
            batch.push(record);
        }
        let claims = batch.completed_claims();
        batch.leftovers = held.leftovers(worker_id, &claims);
        let claims = batch.others.claims();
        batch.others.settle(held.leftovers(worker_id, &claims));
        batch.join_used_up(held, worker_id);
        if batch.results.iter().all(Option::is_none) {
            batch.results.clear();
        }
        batch
    }

    fn push(&mut self, record: &'r Record) {
        let Outcome::Completed { result } = &record.outcome else { return self.others.push(record) };
        self.ids.push(record.id.0);
        self.claim_numbers.push(record.claim_number.0);
        self.ended_ago_ms.push(ago_ms(record.ended_ago));
        self.begun_ago_ms.push(begun_ago_ms(record).unwrap_or(NEVER_BEGAN));
        self.results.push(result.as_ref().map(JsonText::of));
    }

    fn completed_claims(&self) -> Vec<(JobId, ClaimNumber)> {
        self.ids.iter().zip(&self.claim_numbers).map(|(id, number)| (JobId(*id), ClaimNumber(*number))).collect()
    }

    /// A claim whose jobs end in both ways is used up by both together.
    fn join_used_up(&mut self, held: &HeldJobs, worker_id: &WorkerId) {
        if !self.ids.is_empty() && !self.others.is_empty() {
            let all: Vec<_> = self.completed_claims().into_iter().chain(self.others.claims()).collect();
            self.leftovers.used_up = held.leftovers(worker_id, &all).used_up;
        }
    }

    pub(super) fn values(&self) -> Values<'_> {
        let completed = vec![
            (&self.worker_id as _, Type::TEXT),
            (&self.ids as _, Type::INT8_ARRAY),
            (&self.claim_numbers as _, Type::INT8_ARRAY),
            (&self.ended_ago_ms as _, Type::INT8_ARRAY),
            (&self.begun_ago_ms as _, Type::INT8_ARRAY),
            (&self.results as _, Type::JSON_ARRAY),
            (&self.leftovers.keyed as _, Type::INT8_ARRAY),
            (&self.leftovers.used_up as _, Type::INT8_ARRAY),
        ];
        let all = [self.completed_claims(), self.others.claims()].concat();
        let ids = all.iter().map(|(id, _)| id.0).collect();
        Values { log: self.log.values(), completed, others: self.others.parameters(), ids }
    }

    /// The statements, in the order in which [`Batch::read`] reads their answers.
    pub(super) fn calls<'a>(
        &self,
        values: &'a Values<'a>,
        parents: &'a [Parameter<'a>],
        children: Children,
    ) -> Vec<Call<'a>> {
        let mut calls = Vec::with_capacity(5);
        // While the attempts still run, because that is what it checks.
        if !self.log.is_empty() {
            calls.extend(LogRows::calls(&values.log));
        }
        if !self.ids.is_empty() {
            calls.push(Call { sql: sql!("outcomes/complete_jobs"), parameters: &values.completed });
        }
        if !self.ids.is_empty() && children == Children::Together {
            calls.push(Call { sql: sql!("jobs/unblock_children"), parameters: parents });
        }
        if !self.others.is_empty() {
            calls.push(EndedAttempts::call(&values.others));
        }
        calls
    }

    /// Whether a job of them may end without having completed, so that its children must be looked for. A request to
    /// cancel ends even one that is retried.
    pub(super) fn may_give_up(&self) -> bool {
        !self.others.is_empty()
    }

    pub(super) fn read(&self, answers: Vec<Vec<Row>>, children: Children) -> Result<Written, Error> {
        let mut answers = answers.into_iter();
        if !self.log.is_empty() {
            answers.nth(LogRows::CALLS - 1);
        }
        let mut written = Written::default();
        if !self.ids.is_empty() {
            self.read_completed(&answers.next().unwrap_or_default(), &mut written)?;
        }
        if !self.ids.is_empty() && children == Children::Together {
            for row in answers.next().unwrap_or_default() {
                let columns = &mut Columns::of(&row);
                written.claimable.push((columns.read()?, columns.read()?));
            }
        }
        for row in answers.next().unwrap_or_default() {
            let columns = &mut Columns::of(&row);
            let id = columns.id()?;
            written.attempts.push((id, ClaimNumber(columns.read()?)));
            let kind = (columns.read()?, columns.read()?);
            let (goal, code): (i16, i16) = (columns.read()?, columns.read()?);
            if goal == Goal::Ended as i16 {
                written.may_be_awaited = true;
                written.given_up.push(GivenUp { id, status: status_of(code), at: columns.instant()? });
            } else {
                written.claimable.push(kind);
            }
        }
        Ok(written)
    }

    fn read_completed(&self, rows: &[Row], written: &mut Written) -> Result<(), Error> {
        let Some(row) = rows.first() else { return Ok(()) };
        let columns = &mut Columns::of(row);
        let jobs: i64 = columns.read()?;
        let (ids, claim_numbers): (Option<Vec<i64>>, Option<Vec<i64>>) = (columns.read()?, columns.read()?);
        written.may_be_awaited |= columns.read::<Option<bool>>()?.unwrap_or(false);
        if usize::try_from(jobs) == Ok(self.ids.len()) {
            written.attempts.extend(self.completed_claims());
            return Ok(());
        }
        let attempts = std::iter::zip(ids.unwrap_or_default(), claim_numbers.unwrap_or_default());
        written.attempts.extend(attempts.map(|(id, number)| (JobId(id), ClaimNumber(number))));
        Ok(())
    }
}

/// The values of the statements of a batch.
#[derive(Debug)]
pub(super) struct Values<'b> {
    log: [Vec<Parameter<'b>>; LogRows::CALLS],
    completed: Vec<Parameter<'b>>,
    others: Vec<Parameter<'b>>,
    /// Every job of the batch.
    pub(super) ids: Vec<i64>,
}

/// What a batch has written.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// The attempts whose outcome was written.
    pub(super) attempts: Vec<(JobId, ClaimNumber)>,
    /// The jobs that ended without having completed.
    pub(super) given_up: Vec<GivenUp>,
    /// Whether a batch or a waiting job may hear of one that has ended.
    pub(super) may_be_awaited: bool,
    /// The types and queues of jobs that a worker may find now or later.
    pub(super) claimable: Vec<(String, String)>,
}
