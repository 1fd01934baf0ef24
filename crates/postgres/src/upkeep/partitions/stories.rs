use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use postgres_types::Type;

use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::Parameter;
use crate::store::Parts;
use crate::upkeep::partitions::layout::{Layout, Leaf};

/// How many stories one step looks at, and the pause after all of them were looked at.
const ROWS_MAX: i64 = 5000;
const PAUSE: Duration = Duration::from_secs(3600);

/// Where the walk over the stories of jobs in rewritten partitions stands.
#[derive(Debug, Default)]
pub(crate) struct StoryWalk {
    place: Mutex<Place>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// The last id that was looked at. `None` at the beginning.
    after: Option<i64>,
    /// By the monotonic clock.
    rests_until: Duration,
}

impl StoryWalk {
    /// A partition was dropped, so there are stories without a job.
    pub(crate) fn begin(&self) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Place::default();
    }

    /// Deletes the stories of jobs that went with their partition. `story` is not divided, because every claim reads it
    /// and only some jobs have one. Returns whether another step has something to do.
    pub(crate) async fn sweep(&self, parts: &Parts) -> Result<bool, Fault> {
        let now = parts.options.clock.monotonic();
        let place = *self.place.lock().unwrap_or_else(PoisonError::into_inner);
        if place.rests_until > now {
            return Ok(false);
        }
        let session = parts.pool.session().await?;
        let layout = Layout::read(&session).await?;
        let kept = layout.iter().flat_map(|layout| &layout.leaves).filter(|leaf| leaf.is_kept());
        let end = kept.map(|leaf: &Leaf| leaf.high).max();
        let mut next = None;
        if let Some(end) = end {
            let after = place.after.unwrap_or(i64::MIN);
            let parameters: [Parameter<'_>; 3] = [(&after, Type::INT8), (&ROWS_MAX, Type::INT8), (&end, Type::INT8)];
            let row = session.query_opt(sql!("partitions/delete_lost_stories"), &parameters).await?;
            let row = row.expect("a maximum is one row");
            let (last, looked): (Option<i64>, i64) = (row.try_get(0)?, row.try_get(1)?);
            next = last.filter(|_| looked == ROWS_MAX);
        }
        let rests_until = if next.is_some() { Duration::ZERO } else { now + PAUSE };
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Place { after: next, rests_until };
        Ok(next.is_some())
    }
}
