use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use longshore_core::{JobId, Status};
use tokio_postgres::error::SqlState;

use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::sql::{Sql, sql};
use crate::session::statements::Session;
use crate::store::Parts;
use crate::upkeep::stats::depths;

/// The maximum time of a comparison. It holds one state of the database, and until it ends nothing that was deleted
/// since can be cleaned up.
const HOLD_MAX: Duration = Duration::from_secs(1);
/// After a comparison, the next one waits this many times its duration, between these bounds. If the time was too short
/// to count everything, it waits longest.
const REST_FACTOR: u32 = 100;
const REST_MIN: Duration = Duration::from_secs(60);
const REST_MAX: Duration = Duration::from_secs(3600);
/// How often old jobs are looked for among all ended ones. Most are found among the oldest ids, which are read each
/// time.
const WHOLE_WALK: Duration = Duration::from_secs(3600);

/// What housekeeping remembers between its steps. It holds no state of the database between them.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    /// By duty.
    walks: Mutex<HashMap<String, PruneWalk>>,
    /// The parent and the id of the last blocked job that was checked.
    settled_up_to: Mutex<Option<(i64, i64)>>,
    /// The next comparison starts no earlier than this, by the monotonic clock.
    rests_until: Mutex<Duration>,
}

/// A walk over ended jobs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PruneWalk {
    /// The last id that was looked at.
    pub(crate) after: Option<JobId>,
    /// Whether this walk goes to the end, however many young jobs it meets.
    pub(crate) is_whole: bool,
    /// When the next walk must go to the end, by the monotonic clock.
    whole_at: Duration,
}

/// A count that is wrong, and by how much it is too low.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Drift {
    pub(crate) queue: String,
    pub(crate) status: Status,
    pub(crate) by: i64,
}

impl Audit {
    /// Where the walk of this duty stands, now that it takes a step.
    pub(crate) fn walk(&self, duty: &str, now: Duration) -> PruneWalk {
        let mut walks = lock(&self.walks);
        let walk = walks.entry(duty.to_owned()).or_default();
        if walk.after.is_none() {
            walk.is_whole = now >= walk.whole_at;
            if walk.is_whole {
                walk.whole_at = now + WHOLE_WALK;
            }
        }
        *walk
    }

    /// `None` when the walk is over and starts again.
    pub(crate) fn set_walk(&self, duty: &str, after: Option<JobId>) {
        lock(&self.walks).entry(duty.to_owned()).or_default().after = after;
    }

    pub(crate) fn settled_up_to(&self) -> (i64, i64) {
        lock(&self.settled_up_to).unwrap_or((i64::MIN, i64::MIN))
    }

    /// `None` when the walk has reached its end and starts again.
    pub(crate) fn set_settled_up_to(&self, place: Option<(i64, i64)>) {
        *lock(&self.settled_up_to) = place;
    }

    pub(crate) fn is_due(&self, now: Duration) -> bool {
        now >= *lock(&self.rests_until)
    }

    /// Records the duration of a comparison. The longer it takes, the less often it runs.
    pub(crate) fn rest(&self, now: Duration, took: Duration, was_whole: bool) {
        let pause = if was_whole { took.saturating_mul(REST_FACTOR).clamp(REST_MIN, REST_MAX) } else { REST_MAX };
        *lock(&self.rests_until) = now + pause;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The result of a comparison.
#[derive(Debug)]
pub(crate) struct Compared {
    pub(crate) drift: Vec<Drift>,
    /// Whether every state could be counted in time.
    pub(crate) is_whole: bool,
}

/// Compares the number of jobs with the stored counts, in the same state of the database. A state that cannot be counted
/// in time is not compared: a part of it would be no use, because jobs change at the same time.
pub(crate) async fn find_drift(parts: &Parts) -> Result<Compared, Fault> {
    let transaction = parts.pool.begin_reading().await?;
    // The counts hold the snapshot from here on.
    let stored = depths(&transaction).await?;
    let begun = Instant::now();
    let mut drift = Vec::new();
    let mut is_whole = true;
    for (statuses, statement) in states() {
        let left = HOLD_MAX.saturating_sub(begun.elapsed());
        match count(&transaction, statement, left).await? {
            Some(counted) => drift.extend(compare(&stored, counted, statuses)),
            None => {
                is_whole = false;
                tracing::debug!(?statuses, "there are too many jobs to compare their number");
            }
        }
    }
    transaction.commit().await?;
    Ok(Compared { drift, is_whole })
}

/// The states that one statement, or several, can count.
fn states() -> [(&'static [Status], &'static [&'static Sql]); 5] {
    const LIVE: &[&Sql] = &[
        sql!("upkeep/count_running"),
        sql!("upkeep/count_blocked"),
        sql!("upkeep/count_later"),
        sql!("upkeep/count_ready"),
    ];
    [
        (&[Status::Running], &LIVE[..1]),
        (&[Status::Blocked], &LIVE[1..2]),
        (
            &[Status::DeadLetter, Status::Cancelled],
            const { &[sql!("upkeep/count_dead_letters"), sql!("upkeep/count_cancelled")] },
        ),
        (&[Status::Pending, Status::Retrying], &LIVE[2..]),
        (&[Status::Completed], const { &[sql!("upkeep/count_completed")] }),
    ]
}

/// Jobs by queue and status.
type Counted = BTreeMap<(String, Status), i64>;

/// `None` if the time was too short.
async fn count(session: &Session, statements: &[&'static Sql], time_max: Duration) -> Result<Option<Counted>, Fault> {
    let ms = time_max.as_millis();
    if ms == 0 {
        return Ok(None);
    }
    // Counting reads the whole table, for which the order of an index is the wrong one.
    let settings = format!("SAVEPOINT count; SET LOCAL statement_timeout = {ms}; SET LOCAL enable_seqscan = on");
    session.client.batch_execute(&settings).await?;
    let mut counted = Counted::new();
    for statement in statements {
        let rows = match session.query(statement, &[]).await {
            Err(error) if error.code() == Some(&SqlState::QUERY_CANCELED) => {
                session.client.batch_execute("ROLLBACK TO SAVEPOINT count").await?;
                return Ok(None);
            }
            rows => rows?,
        };
        for row in rows {
            let columns = &mut Columns::of(&row);
            let (queue, status) = (columns.read()?, columns.status()?);
            *counted.entry((queue, status)).or_default() += columns.read::<i64>()?;
        }
    }
    session.client.batch_execute("ROLLBACK TO SAVEPOINT count").await?;
    Ok(Some(counted))
}

fn compare(stored: &BTreeMap<String, BTreeMap<Status, i64>>, mut counted: Counted, statuses: &[Status]) -> Vec<Drift> {
    for (queue, depths) in stored {
        for status in statuses {
            *counted.entry((queue.clone(), *status)).or_default() -= depths.get(status).copied().unwrap_or(0);
        }
    }
    let wrong = counted.into_iter().filter(|(_, by)| *by != 0);
    wrong.map(|((queue, status), by)| Drift { queue, status, by }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_of_each_state_is_told() {
        let stored = BTreeMap::from([("q".to_owned(), BTreeMap::from([(Status::Running, 3), (Status::Blocked, 9)]))]);
        let counted = Counted::from([(("q".to_owned(), Status::Running), 5), (("r".to_owned(), Status::Running), 1)]);
        let drift = |queue: &str, by| Drift { queue: queue.to_owned(), status: Status::Running, by };
        assert_eq!(compare(&stored, counted, &[Status::Running]), [drift("q", 2), drift("r", 1)]);
    }

    #[test]
    fn a_walk_goes_to_the_end_once_an_hour() {
        let audit = Audit::default();
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        assert!(audit.walk("prune", minutes(1)).is_whole);
        audit.set_walk("prune", Some(JobId(7)));
        assert!(audit.walk("prune", minutes(2)).is_whole, "it goes on");
        audit.set_walk("prune", None);
        assert!(!audit.walk("prune", minutes(3)).is_whole);
        assert!(audit.walk("other", minutes(3)).is_whole);
        assert!(audit.walk("prune", minutes(61)).is_whole);
    }

    #[test]
    fn what_took_long_or_too_long_rests_longer() {
        let audit = Audit::default();
        let seconds = Duration::from_secs;
        audit.rest(seconds(0), Duration::from_millis(5), true);
        assert!(!audit.is_due(seconds(59)) && audit.is_due(seconds(60)));
        audit.rest(seconds(0), seconds(1), true);
        assert!(!audit.is_due(seconds(99)) && audit.is_due(seconds(100)));
        audit.rest(seconds(0), seconds(1), false);
        assert!(!audit.is_due(seconds(3599)));
    }
}
