use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use postgres_types::Type;

use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::Parameter;
use crate::store::Parts;
use crate::upkeep::partitions::is_busy;

/// How many names stay in any case.
const KEPT: i32 = 1000;
/// How many are looked at at once, and the pause behind the last one.
const NAMES_MAX: i64 = 1000;
const PAUSE: Duration = Duration::from_secs(3600);

/// Where the walk over the names of workers stands.
#[derive(Debug, Default)]
pub(crate) struct NameWalk {
    place: Mutex<Place>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    after: i32,
    /// By the monotonic clock.
    rests_until: Duration,
}

impl NameWalk {
    /// Deletes the names of workers that no row mentions any more. There is one for each process that ever worked. No
    /// index contains the workers, so all rows are read; if that takes too long, it is tried again later.
    pub(crate) async fn sweep(&self, parts: &Parts) -> Result<(), Fault> {
        let now = parts.options.clock.monotonic();
        let place = *self.place.lock().unwrap_or_else(PoisonError::into_inner);
        if place.rests_until > now {
            return Ok(());
        }
        let after = match take(parts, place.after).await {
            Ok(last) => last,
            Err(fault) if is_busy(&fault) => None,
            Err(fault) => return Err(fault),
        };
        // The next ones come with the next sweep.
        let rests_until = if after.is_some() { Duration::ZERO } else { now + PAUSE };
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Place { after: after.unwrap_or(0), rests_until };
        Ok(())
    }
}

/// Gives the last one that was looked at, if there may be more.
async fn take(parts: &Parts, after: i32) -> Result<Option<i32>, Fault> {
    let transaction = parts.pool.begin().await?;
    let settings = "SET LOCAL statement_timeout = '2s'; SET LOCAL enable_seqscan = on";
    transaction.client.batch_execute(settings).await?;
    let parameters: [Parameter<'_>; 3] = [(&after, Type::INT4), (&KEPT, Type::INT4), (&NAMES_MAX, Type::INT8)];
    let rows = transaction.query(sql!("upkeep/lock_old_names"), &parameters).await?;
    let old: Vec<i32> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let Some(last) = old.last().copied() else { return Ok(None) };
    let deleted = transaction.execute(sql!("upkeep/delete_lost_names"), &[(&old, Type::INT4_ARRAY)]).await?;
    transaction.commit().await?;
    tracing::debug!(deleted, "names of workers that nothing mentions were deleted");
    Ok((old.len() as i64 == NAMES_MAX).then_some(last))
}
