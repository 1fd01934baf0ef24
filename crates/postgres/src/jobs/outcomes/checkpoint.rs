use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use longshore_core::{
    CheckpointRow, FinishedStep, JobCheckpoints, JobData, JobId, Lease, NewCheckpoint, Recorded, SavedCheckpoint,
    StepName, WorkerId,
};
use postgres_types::Type;
use tokio_postgres::Error;

use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::json_text::JsonText;
use crate::session::repeated::repeated;
use crate::session::sql::sql;
use crate::session::statements::{Call, Parameter, Session};
use crate::store::Parts;

/// The step of the job's checkpoint. The names of steps are not empty.
pub(crate) const CHECKPOINT: &str = "";

/// Stores a checkpoint or the result of a step of a running attempt.
pub(crate) async fn save(parts: Arc<Parts>, worker_id: WorkerId, checkpoint: NewCheckpoint) -> Result<Recorded, Fault> {
    match repeated(|| try_to_save(&parts, &worker_id, &checkpoint)).await {
        Err(fault) if fault.is_refusal() => Ok(Recorded::Refused { reason: fault.reason() }),
        answer => answer,
    }
}

async fn try_to_save(parts: &Parts, worker_id: &WorkerId, checkpoint: &NewCheckpoint) -> Result<Recorded, Fault> {
    let NewCheckpoint { id, claim_number, attempt, step, value } = checkpoint;
    let (worker_id, value) = (worker_id.as_str(), JsonText::of(value));
    let step = step.as_ref().map_or(CHECKPOINT, StepName::as_str);
    let attempt = i32::try_from(*attempt).unwrap_or(i32::MAX);
    let parameters: [Parameter<'_>; 6] = [
        (&worker_id, Type::TEXT),
        (&id.0, Type::INT8),
        (&claim_number.0, Type::INT8),
        (&step, Type::TEXT),
        (&attempt, Type::INT4),
        (&value, Type::JSON),
    ];
    let held = parts.pool.session().await?.query_opt(sql!("checkpoints/save_checkpoint"), &parameters).await?;
    Ok(if held.is_some() { Recorded::Recorded } else { Recorded::Fenced })
}

/// The stored result of a step.
pub(crate) async fn step_result(parts: Arc<Parts>, id: JobId, step: StepName) -> Result<Option<JobData>, Fault> {
    let step = step.as_str();
    let parameters: [Parameter<'_>; 2] = [(&id.0, Type::INT8), (&step, Type::TEXT)];
    let row = parts.pool.session().await?.query_opt(sql!("checkpoints/select_step_result"), &parameters).await?;
    Ok(row.map(|row| Columns::of(&row).read::<JsonText<'_>>().map(JsonText::data)).transpose()?)
}

/// Adds to the leases of these jobs what earlier attempts have stored, and whether they waited for others.
pub(crate) async fn add_past(session: &Session, ids: &[i64], leases: &mut [Lease]) -> Result<(), Error> {
    let parameters: [Parameter<'_>; 1] = [(&ids, Type::INT8_ARRAY)];
    let answers = session
        .pipeline(&[
            Call { sql: sql!("checkpoints/select_for_leases"), parameters: &parameters },
            Call { sql: sql!("workflows/select_dependent_ids"), parameters: &parameters },
        ])
        .await?;
    let dependent: HashSet<JobId> = answers[1].iter().map(|row| row.try_get(0).map(JobId)).collect::<Result<_, _>>()?;
    leases.iter_mut().for_each(|lease| lease.has_dependencies |= dependent.contains(&lease.id));
    let rows = &answers[0];
    let mut found = HashMap::with_capacity(rows.len());
    for row in rows {
        let columns = &mut Columns::of(row);
        let (id, checkpoint) = (columns.id()?, columns.read::<Option<String>>()?.map(JobData::from_stored));
        found.insert(id, (checkpoint, columns.size()?));
    }
    if found.is_empty() {
        return Ok(());
    }
    for lease in leases {
        if let Some((checkpoint, steps)) = found.remove(&lease.id) {
            (lease.checkpoint, lease.step_count) = (checkpoint, u32::try_from(steps).unwrap_or(u32::MAX));
        }
    }
    Ok(())
}

/// What the attempts of a job have stored, for people.
pub(crate) async fn shown(session: &Session, id: JobId) -> Result<JobCheckpoints, Error> {
    let limit = i32::try_from(FinishedStep::SHOWN_BYTES_MAX).unwrap_or(i32::MAX);
    let parameters: [Parameter<'_>; 2] = [(&id.0, Type::INT8), (&limit, Type::INT4)];
    let mut found = Vec::new();
    for row in session.query(sql!("checkpoints/select_shown"), &parameters).await? {
        let columns = &mut Columns::of(&row);
        found.push(CheckpointRow {
            step: step(columns)?,
            attempt: columns.count()?,
            saved_at: columns.instant()?,
            value: columns.read::<Option<JsonText<'_>>>()?.map(JsonText::data),
            bytes: columns.size()?,
        });
    }
    Ok(JobCheckpoints::new(found))
}

/// A row of what the attempts of a job have stored.
pub(crate) fn saved_from(columns: &mut Columns<'_>) -> Result<SavedCheckpoint, Error> {
    Ok(SavedCheckpoint {
        step: step(columns)?,
        attempt: columns.count()?,
        saved_at: columns.instant()?,
        value: columns.read::<JsonText<'_>>()?.data(),
    })
}

/// The next attempts of the jobs start from the beginning.
pub(crate) async fn forget(session: &Session, ids: impl Iterator<Item = JobId>) -> Result<(), Error> {
    let ids: Vec<i64> = ids.map(|id| id.0).collect();
    session.execute(sql!("checkpoints/delete_checkpoints"), &[(&ids, Type::INT8_ARRAY)]).await?;
    Ok(())
}

fn step(columns: &mut Columns<'_>) -> Result<Option<String>, Error> {
    Ok(Some(columns.read::<String>()?).filter(|step| step != CHECKPOINT))
}
