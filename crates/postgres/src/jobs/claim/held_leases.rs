use std::collections::BTreeSet;
use std::sync::Arc;

use longshore_core::{ClaimNumber, HELD_LEASES_MAX, JobId, Lease, StoreError, WorkerId};
use postgres_types::Type;

use super::round::Round;
use super::sort;
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::Parameter;
use crate::store::Parts;

/// What a worker holds beyond these claims. Nearly always that is nothing, so only ids are read first.
pub(crate) async fn held_leases(
    parts: Arc<Parts>,
    worker_id: WorkerId,
    beyond: Vec<(JobId, ClaimNumber)>,
) -> Result<Vec<Lease>, Fault> {
    let (ids, numbers): (Vec<i64>, Vec<i64>) = beyond.iter().map(|(id, number)| (id.0, number.0)).unzip();
    let limit = i64::try_from(HELD_LEASES_MAX).unwrap_or(i64::MAX);
    let values: [Parameter<'_>; 4] = [
        (&worker_id.as_str(), Type::TEXT),
        (&ids, Type::INT8_ARRAY),
        (&numbers, Type::INT8_ARRAY),
        (&limit, Type::INT8),
    ];
    let session = parts.pool.session().await?;
    let rows = session.query(sql!("claim/select_held_claims"), &values).await?;
    if rows.is_empty() {
        return Err(StoreError::WorkerGone { worker_id }.into());
    }
    let mut held = BTreeSet::new();
    for row in rows {
        let (id, number): (Option<i64>, Option<i64>) = (row.try_get("id")?, row.try_get("claim_number")?);
        held.extend(id.zip(number));
    }
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let numbers: BTreeSet<i64> = held.iter().map(|(_, number)| *number).collect();
    let numbers = Some(numbers.into_iter().collect::<Vec<_>>());
    let no_request = 0_i64;
    let values: [Parameter<'_>; 3] =
        [(&worker_id.as_str(), Type::TEXT), (&no_request, Type::INT8), (&numbers, Type::INT8_ARRAY)];
    let rows = session.query(sql!("claim/select_given_leases"), &values).await?;
    drop(session);
    let mut round = Round::read(&parts, &worker_id, &rows)?;
    round.leases.retain(|lease| held.contains(&(lease.id.0, lease.claim_number.0)));
    round.add_past(&parts).await?;
    sort(&mut round.leases);
    Ok(round.leases)
}
