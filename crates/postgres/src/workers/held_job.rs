use longshore_core::{Budgets, ClaimNumber, JobId, Outcome, Record, TimeBounds, Timestamp};
use postgres_types::Type;
use tokio_postgres::{Error, Row};

use crate::jobs::job_row::{MAX_CRASHES, MAX_DEFERRALS};
use crate::session::columns::Columns;
use crate::session::sql::sql;
use crate::session::statements::Session;
use crate::workers::started::{Company, Note, StartedTable};

/// A running job as its rows describe it, when its worker can no longer report.
#[derive(Debug)]
pub(crate) struct HeldJob {
    pub(crate) id: JobId,
    pub(crate) claim_number: ClaimNumber,
    claimed_at: Timestamp,
    /// The claim under which it started alone, while it was a suspect.
    isolated_claim: Option<ClaimNumber>,
    pub(crate) budgets: Budgets,
}

/// Where the jobs of a worker are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeldBy {
    /// Through its claims.
    Registered(i32),
    /// Among all running jobs, because the worker's own rows are gone.
    Unregistered(i32),
}

/// A started attempt of a worker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun {
    /// The time of its claim, the nearest known time.
    pub(crate) at: Timestamp,
    pub(crate) proof: Proof,
}

/// What is known about the attempts that ran beside an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Only attempts of its own worker can have run beside it, and it is known which had started.
    OfItsWorker,
    /// Others may have run beside it.
    None,
}

impl HeldJob {
    /// The jobs of a worker after `after`, by id.
    pub(crate) async fn read(session: &Session, held_by: HeldBy, after: JobId, limit: i64) -> Result<Vec<Self>, Error> {
        let (sql, worker) = match held_by {
            HeldBy::Registered(worker) => (sql!("workers/select_held_jobs"), worker),
            HeldBy::Unregistered(worker) => (sql!("workers/select_held_without_claims"), worker),
        };
        let values = [(&worker as _, Type::INT4), (&after.0 as _, Type::INT8), (&limit as _, Type::INT8)];
        session.query(sql, &values).await?.iter().map(Self::of).collect()
    }

    fn of(row: &Row) -> Result<Self, Error> {
        let columns = &mut Columns::of(row);
        let (id, claim_number) = (columns.id()?, ClaimNumber(columns.read()?));
        let claimed_at = columns.instant()?;
        let (max_retries, max_crashes) = (columns.optional_count()?, columns.optional_count()?);
        let budgets = Budgets {
            max_retries,
            max_crashes: max_crashes.unwrap_or(MAX_CRASHES),
            max_deferrals: columns.optional_count()?.unwrap_or(MAX_DEFERRALS),
            retry_count: columns.optional_count()?.unwrap_or(0),
            crash_count: columns.optional_count()?.unwrap_or(0),
            deferral_count: columns.optional_count()?.unwrap_or(0),
            time: TimeBounds { expires_at: None, deadline_at: None },
        };
        let isolated_claim = columns.read::<Option<i64>>()?.map(ClaimNumber);
        let budgets = Budgets { time: columns.time_bounds()?, ..budgets };
        Ok(Self { id, claim_number, claimed_at, isolated_claim, budgets })
    }

    /// How the attempt started, if it did. A suspect starts only after its row says so, whatever the notes say.
    pub(crate) fn begun(&self, started: &StartedTable) -> Option<Begun> {
        let note = started.note_of(self.id, self.claim_number);
        let is_isolated = self.isolated_claim == Some(self.claim_number);
        let proof = match (self.budgets.is_suspect(), note) {
            (true, _) if !is_isolated => return None,
            (false, Note::Absent) | (_, Note::Abandoned) => return None,
            (_, Note::Begun(Company::Others)) => Proof::None,
            (_, Note::Begun(Company::None)) | (true, Note::Absent) => Proof::OfItsWorker,
        };
        Some(Begun { at: self.claimed_at, proof })
    }

    /// The end of the attempt now.
    pub(crate) fn ended(&self, begun: Option<Begun>, outcome: Outcome, now: Timestamp) -> LostAttempt {
        let record = Record {
            id: self.id,
            claim_number: self.claim_number,
            outcome,
            attempt: self.budgets.retry_count.saturating_add(1),
            ran: begun.map(|begun| now.since(begun.at)),
            ended_ago: std::time::Duration::ZERO,
            log: Vec::new(),
            slow_down: None,
        };
        LostAttempt { record, begun_ago_ms: begun.map(|begun| now.as_ms() - begun.at.as_ms()) }
    }
}

/// The end of an attempt that its worker does not report.
#[derive(Debug)]
pub(crate) struct LostAttempt {
    pub(crate) record: Record,
    /// Less than nothing if the server's clock went back since it began.
    pub(crate) begun_ago_ms: Option<i64>,
}
