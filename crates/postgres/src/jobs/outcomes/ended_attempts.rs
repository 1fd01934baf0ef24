use std::time::Duration;

use longshore_core::{ClaimNumber, DeadLetterReason, JobId, Outcome, Overdue, Record, Status, Timestamp, WorkerId};
use postgres_types::Type;

use crate::jobs::claim::held::Leftovers;
use crate::session::sql::sql;
use crate::session::statements::{Call, Parameter};
use crate::session::text::storable;

/// The status codes of the table `ended`.
const COMPLETED: i16 = 1;
const CANCELLED: i16 = 2;
const DEAD_LETTER: i16 = 3;

/// The code of an ended state.
pub(crate) const fn ended_code(status: Status) -> i16 {
    match status {
        Status::Completed => COMPLETED,
        Status::DeadLetter => DEAD_LETTER,
        _ => CANCELLED,
    }
}

/// The state of a code.
pub(crate) const fn status_of(code: i16) -> Status {
    match code {
        COMPLETED => Status::Completed,
        DEAD_LETTER => Status::DeadLetter,
        _ => Status::Cancelled,
    }
}

/// Where a job goes whose attempt has ended without success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    Ready = 1,
    Later = 2,
    Ended = 3,
}

/// Attempts that did not simply succeed, as the columns of `outcomes/end_attempts.sql`.
#[derive(Debug, Default)]
pub(crate) struct EndedAttempts {
    worker_id: String,
    ids: Vec<i64>,
    claim_numbers: Vec<i64>,
    attempts: Vec<i32>,
    ended_ago_ms: Vec<i64>,
    begun_ago_ms: Vec<Option<i64>>,
    goals: Vec<i16>,
    delay_ms: Vec<i64>,
    are_retries: Vec<bool>,
    statuses: Vec<i16>,
    reasons: Vec<Option<String>>,
    retries: Vec<i32>,
    crashes: Vec<i32>,
    deferrals: Vec<i32>,
    crashes_spent: Vec<Option<i32>>,
    have_lapsed: Vec<bool>,
    words: Vec<&'static str>,
    failure_types: Vec<Option<&'static str>>,
    messages: Vec<Option<String>>,
    tracebacks: Vec<Option<String>>,
    keep_failure: Vec<bool>,
    leftovers: Leftovers,
}

impl EndedAttempts {
    pub(crate) fn of(worker_id: &WorkerId) -> Self {
        Self { worker_id: worker_id.as_str().to_owned(), ..Self::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The jobs and their claims, for [`EndedAttempts::settle`].
    pub(crate) fn claims(&self) -> Vec<(JobId, ClaimNumber)> {
        self.ids.iter().zip(&self.claim_numbers).map(|(id, number)| (JobId(*id), ClaimNumber(*number))).collect()
    }

    /// What is to be removed beside them.
    pub(crate) fn settle(&mut self, leftovers: Leftovers) {
        self.leftovers = leftovers;
    }

    /// Adds one whose outcome is not that it completed.
    pub(crate) fn push(&mut self, record: &Record) {
        let outcome = &record.outcome;
        self.ids.push(record.id.0);
        self.claim_numbers.push(record.claim_number.0);
        self.attempts.push(int(record.attempt));
        self.ended_ago_ms.push(ago_ms(record.ended_ago));
        self.begun_ago_ms.push(begun_ago_ms(record));
        let (goal, delay) = goal_of(outcome);
        self.goals.push(goal as i16);
        self.delay_ms.push(delay.map_or(0, milliseconds));
        self.are_retries.push(matches!(outcome, Outcome::Retrying { .. }));
        self.statuses.push(ended_code(outcome.status()));
        self.reasons.push(reason_of(outcome));
        self.retries.push(i32::from(matches!(outcome, Outcome::Retrying { .. })));
        self.crashes.push(i32::from(matches!(outcome, Outcome::Crashed { .. })));
        self.deferrals.push(i32::from(matches!(outcome, Outcome::Deferred { .. })));
        self.crashes_spent.push(match outcome {
            Outcome::DeadLetter { reason: DeadLetterReason::CrashesSpent { crashes }, .. } => Some(int(*crashes)),
            _ => None,
        });
        self.have_lapsed.push(matches!(outcome, Outcome::Lapsed { .. }));
        self.push_failure(outcome);
    }

    /// The same for one that began so long ago, less than nothing if the server's clock went back meanwhile.
    pub(crate) fn push_begun(&mut self, record: &Record, begun_ago_ms: Option<i64>) {
        self.push(record);
        self.begun_ago_ms.pop();
        self.begun_ago_ms.push(begun_ago_ms);
    }

    fn push_failure(&mut self, outcome: &Outcome) {
        let (word, failure) = (outcome.of_attempt(), outcome.failure());
        self.words.push(word.as_str());
        self.failure_types.push(failure.map(|failure| failure.failure_type.as_str()));
        self.messages.push(failure.map(|failure| storable(&failure.message).into_owned()));
        let traceback = failure.and_then(|failure| failure.traceback.as_deref());
        self.tracebacks.push(traceback.map(|traceback| storable(traceback).into_owned()));
        self.keep_failure.push(failure.is_some() && !matches!(outcome, Outcome::Lapsed { .. }));
    }

    pub(crate) fn parameters(&self) -> Vec<Parameter<'_>> {
        vec![
            (&self.worker_id, Type::TEXT),
            (&self.ids, Type::INT8_ARRAY),
            (&self.claim_numbers, Type::INT8_ARRAY),
            (&self.attempts, Type::INT4_ARRAY),
            (&self.ended_ago_ms, Type::INT8_ARRAY),
            (&self.begun_ago_ms, Type::INT8_ARRAY),
            (&self.goals, Type::INT2_ARRAY),
            (&self.delay_ms, Type::INT8_ARRAY),
            (&self.are_retries, Type::BOOL_ARRAY),
            (&self.statuses, Type::INT2_ARRAY),
            (&self.reasons, Type::TEXT_ARRAY),
            (&self.retries, Type::INT4_ARRAY),
            (&self.crashes, Type::INT4_ARRAY),
            (&self.deferrals, Type::INT4_ARRAY),
            (&self.crashes_spent, Type::INT4_ARRAY),
            (&self.have_lapsed, Type::BOOL_ARRAY),
            (&self.words, Type::TEXT_ARRAY),
            (&self.failure_types, Type::TEXT_ARRAY),
            (&self.messages, Type::TEXT_ARRAY),
            (&self.tracebacks, Type::TEXT_ARRAY),
            (&self.keep_failure, Type::BOOL_ARRAY),
            (&self.leftovers.keyed, Type::INT8_ARRAY),
            (&self.leftovers.used_up, Type::INT8_ARRAY),
        ]
    }

    pub(crate) fn call<'a>(parameters: &'a [Parameter<'a>]) -> Call<'a> {
        Call { sql: sql!("outcomes/end_attempts"), parameters }
    }
}

fn goal_of(outcome: &Outcome) -> (Goal, Option<Duration>) {
    match outcome {
        Outcome::Retrying { delay, .. } | Outcome::Deferred { delay } => (Goal::Later, Some(*delay)),
        Outcome::Returned | Outcome::Crashed { .. } | Outcome::Lapsed { .. } => (Goal::Ready, None),
        Outcome::Completed { .. } | Outcome::DeadLetter { .. } | Outcome::Cancelled | Outcome::Expired { .. } => {
            (Goal::Ended, None)
        }
    }
}

fn reason_of(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::DeadLetter { reason, .. } => Some(reason.to_string()),
        Outcome::Expired { at, .. } => Some(Overdue::Expired(*at).reason().to_string()),
        _ => None,
    }
}

fn int(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// How long ago an attempt began, if it did.
pub(super) fn begun_ago_ms(record: &Record) -> Option<i64> {
    record.ran.map(|ran| ago_ms(record.ended_ago.saturating_add(ran)))
}

/// At most what the server can subtract from an instant. Everything before 1970 counts as 1970.
pub(super) fn ago_ms(span: Duration) -> i64 {
    const YEARS_MAX: i64 = 6000;
    milliseconds(span).min(YEARS_MAX * 365 * 86_400_000)
}

/// At most what the server can add to an instant.
fn milliseconds(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).map_or(Timestamp::MAX.as_ms(), |ms| ms.min(Timestamp::MAX.as_ms()))
}
