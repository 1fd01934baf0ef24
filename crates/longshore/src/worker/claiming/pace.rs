use std::time::Duration;

use tokio::time::Instant;

/// How much work is prefetched: enough for this long, so that no slot waits for the commit of a claim, and no job waits
/// long behind others while another process could run it.
const HORIZON: Duration = Duration::from_millis(100);
/// A measurement of this length outweighs all earlier ones.
const MEMORY: Duration = Duration::from_millis(250);
/// A shorter measurement is useless: several slow jobs that end together would look fast.
const WINDOW_MIN: Duration = Duration::from_millis(10);

/// How fast jobs end while there are enough of them.
#[derive(Debug)]
pub(crate) struct Pace {
    /// The most jobs that are prefetched, however fast they are.
    prefetch_max: u32,
    per_second: f64,
    ended: u32,
    since: Option<Instant>,
}

impl Pace {
    pub(crate) const fn new(prefetch_max: u32) -> Self {
        Self { prefetch_max, per_second: 0.0, ended: 0, since: None }
    }

    /// There is work. Starts the measurement, unless it is already running.
    pub(crate) fn begin(&mut self, now: Instant) {
        if self.since.is_none() {
            self.since = Some(now);
            self.ended = 0;
        }
    }

    /// An attempt has ended.
    pub(crate) const fn count(&mut self) {
        self.ended = self.ended.saturating_add(1);
    }

    /// Adds the time since the last measurement, and starts another one.
    pub(crate) fn measure(&mut self, now: Instant) {
        let Some(since) = self.since else { return };
        let window = now.duration_since(since);
        if window < WINDOW_MIN {
            return;
        }
        let is_first = self.per_second == 0.0;
        let weight = if is_first { 1.0 } else { (window.as_secs_f64() / MEMORY.as_secs_f64()).min(1.0) };
        let measured = f64::from(self.ended) / window.as_secs_f64();
        self.per_second += (measured - self.per_second) * weight;
        self.since = Some(now);
        self.ended = 0;
    }

    /// There is no work. Idle time does not show how fast jobs are.
    pub(crate) const fn pause(&mut self) {
        self.since = None;
    }

    /// Forgets everything, because jobs have become slow.
    pub(crate) const fn reset(&mut self) {
        *self = Self::new(self.prefetch_max);
    }

    /// How many jobs to hold in addition to the running ones. Zero if a job takes longer than the horizon, so that
    /// other processes get them.
    pub(crate) fn prefetch(&self, concurrency: u32) -> u32 {
        let within = self.per_second * HORIZON.as_secs_f64();
        if within < f64::from(concurrency) {
            return 0;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held within bounds before")]
        let jobs = within.min(f64::from(self.prefetch_max)) as u32;
        jobs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(ended: u32, span: Duration) -> Pace {
        let mut pace = Pace::new(1024);
        let beginning = Instant::now();
        pace.begin(beginning);
        for _ in 0..ended {
            pace.count();
        }
        pace.measure(beginning + span);
        pace
    }

    #[test]
    fn quick_jobs_are_fetched_ahead_for_a_tenth_of_a_second() {
        assert_eq!(pace(10_000, Duration::from_secs(1)).prefetch(8), 1000);
    }

    #[test]
    fn slow_jobs_are_not_fetched_ahead() {
        assert_eq!(pace(8, Duration::from_secs(1)).prefetch(8), 0);
    }

    #[test]
    fn what_is_fetched_ahead_is_bounded() {
        assert_eq!(pace(1_000_000, Duration::from_secs(1)).prefetch(8), 1024);
    }

    #[test]
    fn an_idle_time_does_not_make_jobs_slow() {
        let mut pace = pace(10_000, Duration::from_secs(1));
        pace.pause();
        pace.measure(Instant::now() + Duration::from_secs(60));
        assert_eq!(pace.prefetch(8), 1000);
    }
}
