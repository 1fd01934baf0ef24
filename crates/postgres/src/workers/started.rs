use std::collections::HashMap;

use longshore_core::{ClaimNumber, JobId};
use postgres_types::Type;
use tokio_postgres::Error;

use crate::session::sql::sql;
use crate::session::statements::Session;

/// The session key of a worker whose heartbeats alone show that it lives. It holds no lock, and no other worker has it.
pub(crate) const HEARTBEATS_ONLY: i64 = 0;

/// Which attempts of a worker had started: the last note of each of its slots.
#[derive(Debug)]
pub(crate) enum StartedTable {
    /// These had started.
    Known(HashMap<(JobId, ClaimNumber), Company>),
    /// The worker notes nothing, so all that it claimed counts as started. Others may have run beside it.
    Unnoted,
    /// The worker ended without retiring while its process lived on, so its attempts are not charged.
    Abandoned,
}

/// Whether attempts of other workers of its process may have run beside an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Company {
    None,
    Others,
}

/// What the table says about one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    Begun(Company),
    Absent,
    Abandoned,
}

impl StartedTable {
    /// What a registered worker has noted, or one whose row is gone.
    pub(crate) async fn read(session: &Session, worker: i32, session_key: Option<i64>) -> Result<Self, Error> {
        if session_key == Some(HEARTBEATS_ONLY) {
            return Ok(Self::Unnoted);
        }
        let mut slots = HashMap::new();
        for row in session.query(sql!("workers/select_started"), &[(&worker, Type::INT4)]).await? {
            let (of_note, ids): (Vec<i32>, Vec<i64>) = (row.try_get("slots")?, row.try_get("ids")?);
            let claim_numbers: Vec<i64> = row.try_get("claim_numbers")?;
            let are_accompanied: Vec<bool> = row.try_get("are_accompanied")?;
            let attempts = ids.into_iter().zip(claim_numbers).map(|(id, number)| (JobId(id), ClaimNumber(number)));
            for ((slot, attempt), is_accompanied) in of_note.into_iter().zip(attempts).zip(are_accompanied) {
                slots.insert(slot, (attempt, if is_accompanied { Company::Others } else { Company::None }));
            }
        }
        Ok(Self::Known(slots.into_values().collect()))
    }

    pub(crate) fn note_of(&self, id: JobId, claim_number: ClaimNumber) -> Note {
        match self {
            Self::Known(attempts) => {
                attempts.get(&(id, claim_number)).map_or(Note::Absent, |company| Note::Begun(*company))
            }
            Self::Unnoted => Note::Begun(Company::Others),
            Self::Abandoned => Note::Abandoned,
        }
    }
}
