use longshore_core::{Budgets, ClaimNumber, JobId, Timestamp, WorkerId};
use rusqlite::{Connection, params};

use crate::database::column;
use crate::database::column::Columns;
use crate::jobs::claim::runs::budgets;
use crate::workers::held::HeldLease;
use crate::workers::liveness::started::{Company, Note, StartedTable};

/// A running job as its row describes it, when its worker can no longer report.
#[derive(Debug)]
pub(crate) struct HeldJob {
    pub(crate) id: JobId,
    pub(crate) lease: HeldLease,
    claimed_at: Option<Timestamp>,
    /// The claim under which it started alone, while it was a suspect.
    isolated_claim: Option<ClaimNumber>,
    pub(crate) budgets: Budgets,
}

/// How a worker was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Its process is certainly gone.
    Died,
    /// It did not extend its lease although it could have.
    Lapsed,
}

/// A started attempt of a worker that died.
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
    /// It started alone in its process. It is unknown what started later.
    BeganAlone,
    /// Others may have run beside it.
    None,
}

impl HeldJob {
    /// The jobs of a worker after `after`, by id.
    pub(crate) fn read(
        connection: &Connection,
        worker_id: &WorkerId,
        after: JobId,
        limit: u32,
    ) -> rusqlite::Result<Vec<Self>> {
        connection
            .prepare_cached(include_str!("../sql/workers/select_held_of_worker.sql"))?
            .query_map(params![worker_id.as_str(), after.0, limit], |row| {
                let mut columns = Columns::of(row);
                Ok(Self {
                    id: columns.read(column::id)?,
                    lease: HeldLease {
                        claim_number: ClaimNumber(columns.read(column::integer)?),
                        queue: columns.read(column::text)?.into(),
                        ready_at: columns.read(column::timestamp)?,
                    },
                    claimed_at: columns.read(column::optional_timestamp)?,
                    budgets: budgets(&mut columns)?,
                    isolated_claim: columns.read(column::optional_integer)?.map(ClaimNumber),
                })
            })?
            .collect()
    }

    /// The number of the attempt; the first is 1.
    pub(crate) fn attempt(&self) -> u32 {
        self.budgets.retry_count.saturating_add(1)
    }

    /// How the attempt started, if it did. A suspect starts only after its row says so, whatever the table says.
    pub(crate) fn begun(&self, started: &StartedTable) -> Option<Begun> {
        let claim_number = self.lease.claim_number;
        let note = started.note_of(self.id, claim_number);
        let is_isolated = self.isolated_claim == Some(claim_number);
        let proof = match (self.budgets.is_suspect(), note) {
            (true, _) if !is_isolated => return None,
            (true, Note::Unknown) => Proof::BeganAlone,
            (false, Note::Absent) | (_, Note::Abandoned) => return None,
            (false, Note::Unknown) | (_, Note::Begun(Company::Others)) => Proof::None,
            (_, Note::Begun(Company::None)) | (true, Note::Absent) => Proof::OfItsWorker,
        };
        self.claimed_at.map(|at| Begun { at, proof })
    }
}
