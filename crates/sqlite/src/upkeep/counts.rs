use std::collections::HashMap;

use longshore_core::{Status, Timestamp};
use rusqlite::{Connection, params};

use crate::database::column;

/// The changes of a transaction to the counts of the dashboard. They are collected in memory and written once for the
/// whole batch, in the same transaction. The triggers of migration 004 must do the same for other writers.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    queues: Vec<QueueCounts>,
    places: HashMap<Box<str>, usize>,
    /// Jobs of one queue often follow each other, so the last queue is tried before a lookup.
    last: usize,
}

#[derive(Debug)]
struct QueueCounts {
    queue: Box<str>,
    /// Indexed by the position of the status in [`Status::ALL`].
    depths: [i64; Status::ALL.len()],
    /// A batch rarely needs more than one minute.
    minutes: Vec<(i64, Minute)>,
}

/// What ended in one minute. Durations are in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Minute {
    pub(crate) completed: i64,
    pub(crate) failed: i64,
    pub(crate) retried: i64,
    pub(crate) cancelled: i64,
    pub(crate) waited_ms: i64,
    pub(crate) ran_ms: i64,
}

impl Counts {
    /// Whether no job has changed.
    pub(crate) fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// A job has got this status.
    pub(crate) fn entered(&mut self, queue: &str, status: Status) {
        self.queue(queue).depths[place_of(status)] += 1;
    }

    /// A job no longer has this status.
    pub(crate) fn left(&mut self, queue: &str, status: Status) {
        self.queue(queue).depths[place_of(status)] -= 1;
    }

    /// A job has changed its status.
    pub(crate) fn moved(&mut self, queue: &str, from: Status, to: Status) {
        let depths = &mut self.queue(queue).depths;
        depths[place_of(from)] -= 1;
        depths[place_of(to)] += 1;
    }

    /// By how many the jobs of a queue with this status have become more or fewer.
    pub(crate) fn change_of(&self, queue: &str, status: Status) -> i64 {
        self.places.get(queue).map_or(0, |place| self.queues[*place].depths[place_of(status)])
    }

    /// An attempt or a job has ended.
    pub(crate) fn ended(&mut self, queue: &str, at: Timestamp, what: Minute) {
        self.queue(queue).add_minute(at.minute(), what);
    }

    /// Adds the changes of another batch.
    pub(crate) fn merge(&mut self, other: Self) {
        if self.queues.is_empty() {
            *self = other;
            return;
        }
        for counts in other.queues {
            let mine = self.queue(&counts.queue);
            for (depth, more) in mine.depths.iter_mut().zip(counts.depths) {
                *depth += more;
            }
            for (minute, what) in counts.minutes {
                mine.add_minute(minute, what);
            }
        }
    }

    /// Writes the collected changes.
    pub(crate) fn flush(&self, connection: &Connection) -> rusqlite::Result<()> {
        for counts in &self.queues {
            let queue = &counts.queue;
            for (status, change) in Status::ALL.into_iter().zip(counts.depths) {
                if change != 0 {
                    add_depth_of(connection, queue, status.as_str(), change)?;
                }
            }
            for (minute, what) in &counts.minutes {
                add_minute(connection, queue, *minute, *what)?;
            }
        }
        Ok(())
    }

    fn queue(&mut self, queue: &str) -> &mut QueueCounts {
        if self.queues.get(self.last).is_none_or(|last| &*last.queue != queue) {
            self.last = self.place(queue);
        }
        &mut self.queues[self.last]
    }

    fn place(&mut self, queue: &str) -> usize {
        if let Some(place) = self.places.get(queue) {
            return *place;
        }
        let place = self.queues.len();
        self.queues.push(QueueCounts { queue: queue.into(), depths: Default::default(), minutes: Vec::new() });
        self.places.insert(queue.into(), place);
        place
    }
}

impl QueueCounts {
    fn add_minute(&mut self, minute: i64, what: Minute) {
        if let Some((_, sums)) = self.minutes.iter_mut().find(|(known, _)| *known == minute) {
            sums.add(what);
            return;
        }
        self.minutes.push((minute, what));
    }
}

impl Minute {
    /// How long an attempt waited and ran. Zero if it never started.
    pub(crate) fn of_attempt(ready_at: Timestamp, started_at: Option<Timestamp>, finished_at: Timestamp) -> Self {
        let Some(started_at) = started_at else { return Self::default() };
        Self {
            waited_ms: column::milliseconds(started_at.since(ready_at)),
            ran_ms: column::milliseconds(finished_at.since(started_at)),
            ..Self::default()
        }
    }

    fn add(&mut self, other: Self) {
        self.completed += other.completed;
        self.failed += other.failed;
        self.retried += other.retried;
        self.cancelled += other.cancelled;
        self.waited_ms = self.waited_ms.saturating_add(other.waited_ms);
        self.ran_ms = self.ran_ms.saturating_add(other.ran_ms);
    }
}

/// Adds to one depth. The status may be any word that another program has written.
pub(crate) fn add_depth_of(connection: &Connection, queue: &str, word: &str, change: i64) -> rusqlite::Result<()> {
    connection.prepare_cached(include_str!("../sql/upkeep/add_depth.sql"))?.execute(params![queue, word, change])?;
    Ok(())
}

/// Adds to the numbers of a minute.
pub(crate) fn add_minute(connection: &Connection, queue: &str, minute: i64, what: Minute) -> rusqlite::Result<()> {
    let Minute { completed, failed, retried, cancelled, waited_ms, ran_ms } = what;
    connection
        .prepare_cached(include_str!("../sql/upkeep/add_minute.sql"))?
        .execute(params![minute, queue, completed, failed, retried, cancelled, waited_ms, ran_ms])?;
    Ok(())
}

fn place_of(status: Status) -> usize {
    Status::ALL.iter().position(|known| *known == status).expect("ALL holds every status")
}
