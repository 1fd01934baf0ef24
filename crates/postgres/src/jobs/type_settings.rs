use postgres_types::Type;

use crate::jobs::claim::hints::Changes;
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::repeated::repeated;
use crate::session::sql::sql;
use crate::session::statements::Session;
use crate::store::Parts;

/// How many jobs one transaction changes.
const STEP_ROWS: i64 = 500;

/// Gives waiting jobs, which plain SQL inserted before their types were registered, the settings of their types, in at
/// most so many steps.
pub(crate) async fn apply_settings(parts: &Parts, steps_max: u32) -> Result<(), Fault> {
    for _ in 0..steps_max {
        let session = parts.pool.session().await?;
        let rows = session.query(sql!("jobs/select_awaits_settings"), &[(&STEP_ROWS, Type::INT8)]).await?;
        if rows.is_empty() {
            break;
        }
        let ids: Vec<i64> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        let applied = match repeated(|| apply(&session, &ids)).await {
            Err(fault) if fault.is_refusal() => apply_apart(&session, &ids).await?,
            applied => applied?,
        };
        parts.claims.hints.give(applied);
    }
    Ok(())
}

async fn apply(session: &Session, ids: &[i64]) -> Result<Changes, Fault> {
    let rows = session.query(sql!("jobs/apply_type_settings"), &[(&ids, Type::INT8_ARRAY)]).await?;
    let mut changes = Changes::default();
    for row in &rows {
        let columns = &mut Columns::of(row);
        let (job_type, queue): (&str, &str) = (columns.read()?, columns.read()?);
        changes.add_job(Some(job_type), queue);
    }
    Ok(changes)
}

/// A constraint of the application may refuse one of them. It runs with the built-in defaults.
async fn apply_apart(session: &Session, ids: &[i64]) -> Result<Changes, Fault> {
    let mut changes = Changes::default();
    for id in ids {
        match repeated(|| apply(session, std::slice::from_ref(id))).await {
            Ok(applied) => changes.merge(applied),
            Err(fault) if fault.is_refusal() => {
                tracing::warn!(job_id = id, reason = %fault.reason(), "the settings of its type cannot be given to the job");
                session.execute(sql!("jobs/keep_before_settings"), &[(id, Type::INT8)]).await?;
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(changes)
}
