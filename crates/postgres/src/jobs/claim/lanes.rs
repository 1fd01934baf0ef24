use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use longshore_core::QueueScope;

use super::overdue::Lane;

/// How old what a claim saw must be before it is believed. An id may be drawn before the transaction that writes it has
/// a number.
const GRACE: Duration = Duration::from_millis(250);
/// How long the end of all transactions of that moment is waited for.
const PATIENCE: Duration = Duration::from_secs(1);
/// The shortest time between two reads of a lane from its start, and how many times as long as such a read it is.
const SWEEP_MIN: Duration = Duration::from_secs(1);
const SWEEP_SHARE: u32 = 50;
/// How many lanes a claim is told of, and how many are remembered.
const TOLD_MAX: usize = 32;
const LANES_MAX: usize = 4096;

/// For each lane of jobs that come in the order of their ids, the lowest id that is still worth a look. As long as any
/// snapshot is held, the rows below it are gone and still in the way.
///
/// It is never needed for correctness. A transaction that commits late may leave a job below it. So it rises only to
/// what was seen before all transactions of that moment ended, or goes back once they have; and from time to time a
/// claim reads a lane from its start.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: Mutex<HashMap<Lane, Hint>>,
}

/// Lanes of which a claim need not read the start, as the columns of its statement.
#[derive(Debug, Default)]
pub(super) struct KnownLanes {
    pub(super) job_types: Vec<String>,
    pub(super) queues: Vec<String>,
    pub(super) ranks: Vec<i32>,
    pub(super) lows: Vec<i64>,
    /// Those that it reads from the start.
    swept: Vec<Lane>,
}

/// The transactions that ran when a claim looked: the lowest number of those, and the next one to be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    pub(super) xmin: i64,
    pub(super) xmax: i64,
}

#[derive(Debug)]
struct Hint {
    low: i64,
    seen: Seen,
    /// It rose although not all transactions had ended. Once those below this number have, it goes back.
    owed: Option<Owed>,
    sweep_at: Instant,
}

/// What a claim has seen: no job below this id.
#[derive(Clone, Copy, Debug)]
struct Seen {
    first: i64,
    at: Instant,
    xmax: i64,
}

#[derive(Clone, Copy, Debug)]
struct Owed {
    low: i64,
    xmax: i64,
}

impl Lanes {
    /// What a claim of these types and queues need not read.
    pub(super) fn known(&self, job_types: &[String], scope: &QueueScope, now: Instant) -> KnownLanes {
        let mut known = KnownLanes::default();
        let lanes = self.all();
        let asked = lanes.iter().filter(|(lane, _)| job_types.contains(&lane.job_type) && scope.includes(&lane.queue));
        for (lane, hint) in asked.take(TOLD_MAX) {
            if hint.sweep_at <= now {
                known.swept.push(lane.clone());
                continue;
            }
            known.job_types.push(lane.job_type.clone());
            known.queues.push(lane.queue.clone());
            known.ranks.push(lane.rank);
            known.lows.push(hint.low);
        }
        known
    }

    /// Learns from a claim: the first job that it found in each lane.
    pub(super) fn learn(&self, known: &KnownLanes, firsts: HashMap<Lane, i64>, snapshot: Snapshot, took: Took) {
        let mut lanes = self.all();
        for lane in &known.swept {
            // Empty, or no better than another one: it is learned again when it gives something.
            if !firsts.contains_key(lane) {
                lanes.remove(lane);
            }
        }
        for (lane, first) in firsts {
            let is_swept = known.swept.contains(&lane);
            if let Some(hint) = lanes.get_mut(&lane) {
                hint.learn(first, snapshot, took.ended_at);
                if is_swept {
                    hint.sweep_at = took.next_sweep();
                }
            } else if lanes.len() < LANES_MAX {
                lanes.insert(lane, Hint::new(first, snapshot, took));
            }
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Lane, Hint>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When a claim ended, and how long it took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Took {
    pub(super) ended_at: Instant,
    pub(super) time: Duration,
}

impl Took {
    fn next_sweep(self) -> Instant {
        self.ended_at + (self.time * SWEEP_SHARE).max(SWEEP_MIN)
    }
}

impl Hint {
    fn new(first: i64, snapshot: Snapshot, took: Took) -> Self {
        let seen = Seen { first, at: took.ended_at, xmax: snapshot.xmax };
        Self { low: 0, seen, owed: None, sweep_at: took.next_sweep() }
    }

    fn learn(&mut self, first: i64, snapshot: Snapshot, now: Instant) {
        if first < self.low {
            // A job that was committed late; there may be more.
            self.low = first;
        }
        if let Some(owed) = self.owed.filter(|owed| owed.xmax <= snapshot.xmin) {
            self.low = self.low.min(owed.low);
            self.owed = None;
            self.seen = Seen { first: self.low, at: now, xmax: snapshot.xmax };
            return;
        }
        let age = now.saturating_duration_since(self.seen.at);
        let has_ended = self.seen.xmax <= snapshot.xmin;
        if age < GRACE || !has_ended && age < PATIENCE {
            return;
        }
        if !has_ended && self.owed.is_none() {
            self.owed = Some(Owed { low: self.low, xmax: self.seen.xmax });
        }
        self.low = self.low.max(self.seen.first.min(first));
        self.seen = Seen { first, at: now, xmax: snapshot.xmax };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn snapshot(xmin: i64, xmax: i64) -> Snapshot {
        Snapshot { xmin, xmax }
    }

    fn hint(begun: Instant) -> Hint {
        Hint::new(100, snapshot(10, 12), Took { ended_at: begun, time: Duration::ZERO })
    }

    #[test]
    fn a_hint_rises_to_what_was_seen_before_all_transactions_of_then_ended() {
        let begun = Instant::now();
        let mut hint = hint(begun);
        hint.learn(200, snapshot(12, 20), begun + GRACE / 2);
        assert_eq!(hint.low, 0, "it is too early");
        hint.learn(300, snapshot(12, 30), begun + GRACE);
        assert_eq!(hint.low, 100);
        hint.learn(400, snapshot(29, 40), begun + GRACE * 2);
        assert_eq!(hint.low, 100, "one of then still runs");
        hint.learn(500, snapshot(30, 50), begun + GRACE * 2);
        assert_eq!(hint.low, 300);
    }

    #[test]
    fn a_job_that_was_seen_again_below_holds_the_hint_there() {
        let begun = Instant::now();
        let mut hint = hint(begun);
        hint.learn(40, snapshot(12, 20), begun + GRACE);
        assert_eq!(hint.low, 40, "a claim that was undone gave it back");
        hint.learn(15, snapshot(20, 30), begun + GRACE);
        assert_eq!(hint.low, 15);
    }

    #[test]
    fn beside_a_long_transaction_a_hint_rises_and_goes_back_when_it_has_ended() {
        let begun = Instant::now();
        let mut hint = hint(begun);
        hint.learn(200, snapshot(10, 50), begun + PATIENCE);
        assert_eq!(hint.low, 100);
        hint.learn(300, snapshot(10, 90), begun + PATIENCE * 2);
        assert_eq!(hint.low, 200);
        hint.learn(400, snapshot(95, 99), begun + PATIENCE * 2);
        assert_eq!(hint.low, 0, "it may have left a job below");
    }

    #[test]
    fn a_lane_is_read_from_its_start_from_time_to_time() {
        let (lanes, begun) = (Lanes::default(), Instant::now());
        let lane = Lane { job_type: "a".to_owned(), queue: "b".to_owned(), rank: -5, again: false };
        let known = |now| lanes.known(&["a".to_owned()], &QueueScope::All, now);
        let took = Took { ended_at: begun, time: Duration::from_millis(100) };
        lanes.learn(&known(begun), [(lane.clone(), 7)].into(), snapshot(1, 2), took);
        assert_eq!(known(begun + Duration::from_secs(4)).lows, [0]);
        let swept = known(begun + Duration::from_secs(5));
        assert_eq!((swept.lows, swept.swept.as_slice()), (vec![], [lane].as_slice()));
        assert_eq!(lanes.known(&["other".to_owned()], &QueueScope::All, begun).lows, Vec::<i64>::new());
    }
}
