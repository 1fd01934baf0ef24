use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use longshore_core::{Retention, Timestamp};
use postgres_types::Type;

use crate::instant::Instant;
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};
use crate::store::Parts;
use crate::upkeep::duties::Term;
use crate::upkeep::partitions::layout::{Layout, Leaf};
use crate::upkeep::partitions::obstacle::Obstacle;
use crate::upkeep::partitions::rewrite::{Rewrite, Rewritten};
use crate::upkeep::stats::now;

/// When a partition is looked at again: after a look that found jobs that are not over, and after others were in the way.
const LOOK_PAUSE: Duration = Duration::from_secs(600);
const BUSY_PAUSE: Duration = Duration::from_secs(30);
/// How long others may be in the way before the rows are deleted instead, so that the disk does not fill up.
const PATIENCE: Duration = Duration::from_secs(6 * 3600);
/// For how long rows are deleted then, or if too many jobs of a partition are left.
const GIVEN_UP: Duration = Duration::from_secs(3600);

/// What housekeeping remembers of old partitions, by what follows the name of the table.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    looks: Mutex<HashMap<String, Look>>,
}

/// By the monotonic clock.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
    /// Not before this.
    next: Duration,
    /// Since when others have been in the way.
    busy_since: Option<Duration>,
    /// Until then its rows are deleted.
    given_up_until: Duration,
}

/// Ids that are removed together, so that no row of them is deleted: from the first to before the second.
pub(crate) type Span = (i64, i64);

/// What became of old partitions.
#[derive(Debug, Default)]
pub(crate) struct Retired {
    /// Ended jobs that were removed.
    pub(crate) removed: u64,
    /// What is left to later steps.
    pub(crate) spans: Vec<Span>,
    /// Whether another step has something to do.
    pub(crate) has_more: bool,
}

/// Drops one partition of which nearly all jobs are over.
pub(crate) async fn retire(parts: &Parts, term: &Term, retention: Retention) -> Result<Retired, Fault> {
    let Some(span) = retention.span() else { return Ok(Retired::default()) };
    let session = parts.pool.session().await?;
    let Some(layout) = Layout::read(&session).await? else { return Ok(Retired::default()) };
    let old: Vec<&Leaf> = layout.closed().filter(|leaf| !leaf.is_kept()).collect();
    if old.is_empty() || Obstacle::find(&session).await?.is_some() {
        return Ok(Retired::default());
    }
    // A default leaves the jobs alone that were there before it.
    let spared = if matches!(retention, Retention::Default(_)) { last_of_history(&session).await? } else { 0 };
    let cutoff = now(&session).await?.before(span);
    let looks = &parts.upkeep.partitions;
    let at = parts.options.clock.monotonic();
    let mut found = None;
    let mut retired = Retired::default();
    for leaf in old.into_iter().filter(|leaf| leaf.low.max(0) >= spared) {
        match looks.of(leaf) {
            look if look.given_up_until > at => {}
            look if look.next > at || found.is_some() => retired.spans.push((leaf.low, leaf.high)),
            _ if latest_end(&session, leaf).await?.is_some_and(|latest| latest >= cutoff) => {
                looks.rest(leaf, at + LOOK_PAUSE);
                retired.spans.push((leaf.low, leaf.high));
            }
            _ => found = Some(leaf),
        }
    }
    drop(session);
    let Some(leaf) = found else { return Ok(retired) };
    let rewrite = Rewrite { layout: &layout, leaf, cutoff };
    match rewrite.run(parts, term).await? {
        Rewritten::Done { removed } => {
            tracing::info!(from = leaf.low, to = leaf.high, removed, "a partition of old jobs was dropped");
            looks.forget(leaf);
            parts.upkeep.stories.begin();
            retired.removed = removed;
            retired.has_more = true;
        }
        Rewritten::TooMany => looks.give_up(leaf, at + GIVEN_UP),
        Rewritten::Busy => {
            if !looks.has_lost_patience(leaf, at) {
                retired.spans.push((leaf.low, leaf.high));
            }
        }
    }
    Ok(retired)
}

async fn last_of_history(session: &Session) -> Result<i64, Fault> {
    let row = session.query_opt(sql!("upkeep/select_history"), &[]).await?;
    Ok(row.expect("a maximum is one row").try_get(0)?)
}

async fn latest_end(session: &Session, leaf: &Leaf) -> Result<Option<Timestamp>, Fault> {
    let parameters: [Parameter<'_>; 2] = [(&leaf.low, Type::INT8), (&leaf.high, Type::INT8)];
    let row = session.query_opt(sql!("partitions/select_latest_end"), &parameters).await?;
    Ok(Columns::of(&row.expect("a maximum is one row")).optional_instant()?)
}

/// The parameters of a range of ids and a cutoff.
pub(super) fn range<'a>(leaf: &'a Leaf, cutoff: &'a Instant) -> [Parameter<'a>; 3] {
    [(&leaf.low, Type::INT8), (&leaf.high, Type::INT8), (cutoff, Type::TIMESTAMPTZ)]
}

impl Looks {
    fn of(&self, leaf: &Leaf) -> Look {
        self.lock().get(&leaf.suffix).copied().unwrap_or_default()
    }

    fn rest(&self, leaf: &Leaf, until: Duration) {
        self.lock().entry(leaf.suffix.clone()).or_default().next = until;
    }

    fn give_up(&self, leaf: &Leaf, until: Duration) {
        self.lock().insert(leaf.suffix.clone(), Look { given_up_until: until, ..Look::default() });
    }

    fn forget(&self, leaf: &Leaf) {
        self.lock().remove(&leaf.suffix);
    }

    /// Others were in the way, once more. Returns whether its rows are deleted now.
    fn has_lost_patience(&self, leaf: &Leaf, at: Duration) -> bool {
        let mut looks = self.lock();
        let look = looks.entry(leaf.suffix.clone()).or_default();
        let since = *look.busy_since.get_or_insert(at);
        look.next = at + BUSY_PAUSE;
        let is_lost = at.saturating_sub(since) >= PATIENCE;
        if is_lost {
            *look = Look { given_up_until: at + GIVEN_UP, ..Look::default() };
        }
        is_lost
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Look>> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_deleted_if_others_are_in_the_way_for_hours() {
        let (looks, leaf) = (Looks::default(), Leaf::new(0, 9, false));
        let hours = |hours: u64| Duration::from_secs(3600 * hours);
        assert!(!looks.has_lost_patience(&leaf, hours(1)));
        assert!(!looks.has_lost_patience(&leaf, hours(6)));
        assert!(looks.has_lost_patience(&leaf, hours(7)));
        assert_eq!(looks.of(&leaf).given_up_until, hours(8));
        assert!(!looks.has_lost_patience(&leaf, hours(8)), "it begins anew");
    }
}
