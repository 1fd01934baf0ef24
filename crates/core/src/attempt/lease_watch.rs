use std::time::Duration;

/// The bounds of the grace period.
const GRACE_MIN: Duration = Duration::from_secs(1);
const GRACE_MAX: Duration = Duration::from_secs(10);
/// How many steps the grace period has at least: no time between two writes counts for more than one of them.
const STEPS_MIN: u32 = 4;
/// An observer that did not look for so long was frozen itself.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What one process has observed of the heartbeat of a worker in another process, and what follows for its lease.
///
/// Only the observer's monotonic clock counts. If a heartbeat does not change for a whole lease, the worker is only a
/// suspect: this worker, or every process, may have been unable to write. So the observer writes something itself,
/// repeatedly, for a grace period. If all of these writes succeed and the heartbeat still does not change, the worker
/// could have written too, and its lease is over. A failed write restarts the grace period. So does a pause of the
/// observer, because then it was frozen itself. A shorter one counts for a step of the grace period at most, so that an
/// observer that is slow comes to a verdict, too.
#[derive(Clone, Copy, Debug)]
pub struct LeaseWatch {
    heartbeat_number: i64,
    since: Duration,
    suspicion: Option<Suspicion>,
}

/// An unbroken series of writes by the observer.
#[derive(Clone, Copy, Debug)]
struct Suspicion {
    /// How much of the grace period has passed.
    passed: Duration,
    /// The commit time of the last write.
    last: Duration,
}

/// What an observer must do about a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseVerdict {
    /// Nothing: the heartbeat changed within the lease.
    Holds,
    /// Commit a write, then call [`LeaseWatch::note_write`] or [`LeaseWatch::note_failed_write`].
    Suspected,
    /// Take its jobs, in a transaction that checks that the heartbeat has still not moved.
    Over,
}

impl LeaseWatch {
    /// Starts to watch a heartbeat that has this number now.
    pub const fn begin(heartbeat_number: i64, now: Duration) -> Self {
        Self { heartbeat_number, since: now, suspicion: None }
    }

    /// Records the current number of the heartbeat.
    pub fn observe(&mut self, heartbeat_number: i64, now: Duration) {
        if self.heartbeat_number != heartbeat_number {
            *self = Self::begin(heartbeat_number, now);
        }
    }

    /// Whether the heartbeat has not changed for a whole lease.
    pub fn is_still(&self, lease: Duration, now: Duration) -> bool {
        now.saturating_sub(self.since) >= lease
    }

    /// The verdict from all observations.
    pub fn verdict(&self, lease: Duration, now: Duration) -> LeaseVerdict {
        if !self.is_still(lease, now) {
            return LeaseVerdict::Holds;
        }
        match self.passed(lease, now) {
            Some(passed) if passed >= grace(lease) => LeaseVerdict::Over,
            _ => LeaseVerdict::Suspected,
        }
    }

    /// Records that the observer committed a write at this time.
    pub fn note_write(&mut self, lease: Duration, at: Duration) {
        let passed = self.passed(lease, at).unwrap_or(Duration::ZERO);
        self.suspicion = Some(Suspicion { passed, last: at });
    }

    /// How much of the grace period has passed at this time; none without an unbroken series of writes.
    fn passed(&self, lease: Duration, at: Duration) -> Option<Duration> {
        let Suspicion { passed, last } = self.suspicion?;
        let since = at.saturating_sub(last);
        (since <= PAUSE_MAX).then(|| passed + since.min(grace(lease) / STEPS_MIN))
    }

    /// Records that the observer's write failed or took too long.
    pub const fn note_failed_write(&mut self) {
        self.suspicion = None;
    }
}

/// The time that a suspect has for its next heartbeat: a third of its lease, within bounds.
fn grace(lease: Duration) -> Duration {
    (lease / 3).clamp(GRACE_MIN, GRACE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(30);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A watch of a heartbeat that does not change after 0, with writes at these times.
    fn watched(writes: &[u64]) -> LeaseWatch {
        let mut watch = LeaseWatch::begin(7, at(0));
        writes.iter().for_each(|write| watch.note_write(LEASE, at(*write)));
        watch
    }

    #[test]
    fn a_heartbeat_that_moves_keeps_the_lease() {
        let mut watch = LeaseWatch::begin(7, at(0));
        watch.observe(8, at(29));
        assert_eq!(watch.verdict(LEASE, at(58)), LeaseVerdict::Holds);
    }

    #[test]
    fn a_heartbeat_that_stands_still_makes_a_suspect_however_long_it_stands() {
        assert_eq!(watched(&[]).verdict(LEASE, at(29)), LeaseVerdict::Holds);
        assert_eq!(watched(&[]).verdict(LEASE, at(30)), LeaseVerdict::Suspected);
        assert_eq!(watched(&[]).verdict(LEASE, at(3000)), LeaseVerdict::Suspected);
    }

    #[test]
    fn the_lease_is_over_when_the_observer_could_write_for_the_whole_grace_period() {
        let watch = watched(&[30, 32, 34, 36, 38]);
        assert_eq!(watch.verdict(LEASE, at(39)), LeaseVerdict::Suspected);
        assert_eq!(watch.verdict(LEASE, at(40)), LeaseVerdict::Over);
    }

    #[test]
    fn a_write_that_fails_begins_the_grace_period_anew() {
        let mut watch = watched(&[30, 32, 34, 36]);
        watch.note_failed_write();
        watch.note_write(LEASE, at(38));
        assert_eq!(watch.verdict(LEASE, at(40)), LeaseVerdict::Suspected);
    }

    #[test]
    fn a_pause_of_the_observer_begins_the_grace_period_anew() {
        assert_eq!(watched(&[30, 32]).verdict(LEASE, at(300)), LeaseVerdict::Suspected);
        let mut watch = watched(&[30, 32, 300]);
        assert_eq!(watch.verdict(LEASE, at(301)), LeaseVerdict::Suspected);
        (302..=310).step_by(2).for_each(|write| watch.note_write(LEASE, at(write)));
        assert_eq!(watch.verdict(LEASE, at(310)), LeaseVerdict::Over);
    }

    #[test]
    fn a_heartbeat_in_the_grace_period_ends_the_suspicion() {
        let mut watch = watched(&[30, 32, 34]);
        watch.observe(8, at(36));
        assert_eq!(watch.verdict(LEASE, at(65)), LeaseVerdict::Holds);
        assert_eq!(watch.verdict(LEASE, at(66)), LeaseVerdict::Suspected);
    }

    #[test]
    fn a_short_lease_has_a_grace_period_of_a_second() {
        let lease = Duration::from_millis(100);
        let mut watch = LeaseWatch::begin(7, at(0));
        (0..4).for_each(|step| watch.note_write(lease, Duration::from_millis(1000 + 250 * step)));
        assert_eq!(watch.verdict(lease, Duration::from_millis(1999)), LeaseVerdict::Suspected);
        assert_eq!(watch.verdict(lease, at(2)), LeaseVerdict::Over);
    }

    #[test]
    fn a_slow_observer_comes_to_a_verdict_whatever_the_lease() {
        for (lease, between) in [(2, 1050), (10, 1050), (12, 1001), (12, 4900), (30, 3000), (300, 4900)] {
            let (lease, between) = (at(lease), Duration::from_millis(between));
            let mut watch = LeaseWatch::begin(7, at(0));
            let looks = (0..).map(|look| lease + between * look);
            let writes = looks.take_while(|look| {
                let verdict = watch.verdict(lease, *look);
                watch.note_write(lease, *look);
                verdict == LeaseVerdict::Suspected
            });
            let writes = writes.take(20).count();
            assert!((4..=8).contains(&writes), "{writes} writes for a lease of {lease:?}, one each {between:?}");
        }
    }

    #[test]
    fn one_pause_is_never_the_whole_grace_period() {
        for lease in [1, 3, 10, 30] {
            let mut watch = LeaseWatch::begin(7, at(0));
            watch.note_write(at(lease), at(lease));
            assert_eq!(watch.verdict(at(lease), at(lease) + PAUSE_MAX), LeaseVerdict::Suspected);
        }
    }
}
