use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use longshore_core::{ClaimNumber, JobId, Recorded, StartedAttempt, WorkerId};
use postgres_types::Type;

use crate::session::fault::Fault;
use crate::session::repeated::repeated;
use crate::session::sql::sql;
use crate::session::statements::{Call, Parameter};
use crate::store::Parts;

/// After how many notes of a worker they are rewritten as one.
const NOTES_MAX: u32 = 256;

/// How many notes each worker of this store has written since they were rewritten.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    written: Mutex<HashMap<WorkerId, u32>>,
}

impl Notes {
    /// Counts one more; whether they are to be rewritten.
    fn add(&self, worker_id: &WorkerId) -> bool {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let count = written.entry(worker_id.clone()).or_default();
        *count = (*count + 1) % NOTES_MAX;
        *count == 0
    }

    pub(crate) fn forget(&self, worker_id: &WorkerId) {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).remove(worker_id);
    }
}

/// Notes that attempts begin. It has to survive this process, not a power cut, so it does not wait for the disk.
pub(crate) async fn mark_started(
    parts: Arc<Parts>,
    worker_id: WorkerId,
    attempts: Arc<[StartedAttempt]>,
) -> Result<(), Fault> {
    let is_to_compact = parts.claims.notes.add(&worker_id);
    repeated(|| note(&parts, &worker_id, &attempts, is_to_compact)).await
}

async fn note(
    parts: &Parts,
    worker_id: &WorkerId,
    attempts: &[StartedAttempt],
    is_to_compact: bool,
) -> Result<(), Fault> {
    let slots: Vec<i32> = attempts.iter().map(|begun| i32::try_from(begun.slot).unwrap_or(i32::MAX)).collect();
    let ids: Vec<i64> = attempts.iter().map(|begun| begun.id.0).collect();
    let claim_numbers: Vec<i64> = attempts.iter().map(|begun| begun.claim_number.0).collect();
    let are_accompanied: Vec<bool> = attempts.iter().map(|begun| begun.is_accompanied).collect();
    let worker_id = worker_id.as_str();
    let values: [Parameter<'_>; 5] = [
        (&worker_id, Type::TEXT),
        (&slots, Type::INT4_ARRAY),
        (&ids, Type::INT8_ARRAY),
        (&claim_numbers, Type::INT8_ARRAY),
        (&are_accompanied, Type::BOOL_ARRAY),
    ];
    let mut calls = vec![
        Call { sql: sql!("session/commit_without_disk"), parameters: &[] },
        Call { sql: sql!("outcomes/note_started"), parameters: &values },
    ];
    if is_to_compact {
        calls.push(Call { sql: sql!("outcomes/compact_started"), parameters: &values[..1] });
    }
    parts.pool.session().await?.transact(&calls).await?;
    Ok(())
}

/// Writes that the attempt of a suspect will start alone.
pub(crate) async fn begin_isolated(
    parts: Arc<Parts>,
    worker_id: WorkerId,
    id: JobId,
    claim_number: ClaimNumber,
) -> Result<Recorded, Fault> {
    repeated(|| async {
        let worker_id = worker_id.as_str();
        let values: [Parameter<'_>; 3] = [(&worker_id, Type::TEXT), (&id.0, Type::INT8), (&claim_number.0, Type::INT8)];
        let held = parts.pool.session().await?.query_opt(sql!("outcomes/begin_isolated"), &values).await?;
        Ok(if held.is_some() { Recorded::Recorded } else { Recorded::Fenced })
    })
    .await
}
