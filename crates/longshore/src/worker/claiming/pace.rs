use std::time::Duration;

use tokio::time::Instant;

/// How much work is fetched ahead: enough for this long, so that a claim's commit is never waited for and no
/// job stands long behind others that another process could run.
const HORIZON: Duration = Duration::from_millis(100);
/// The most that is fetched ahead, however quick the jobs: four times as much is no quicker, and who enqueues
/// meanwhile waits for a claim of it.
const PREFETCH_MAX: u32 = 1024;
/// A measurement of this length outweighs all that came before it.
const MEMORY: Duration = Duration::from_millis(250);
/// A shorter measurement says nothing: several slow jobs that end together would look quick.
const WINDOW_MIN: Duration = Duration::from_millis(10);

/// How quickly jobs end while there are enough of them.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    per_second: f64,
    ended: u32,
    since: Option<Instant>,
}

impl Pace {
    /// Work is there: time counts from now on, if it does not already.
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

    /// Takes the time since the last measurement into account and begins another one.
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

    /// No work is there: an idle time says nothing about how quick the jobs are.
    pub(crate) const fn pause(&mut self) {
        self.since = None;
    }

    /// Forgets everything, because jobs have become slow.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }

    /// How many jobs to hold beyond the running ones; none where a job takes longer than the horizon, so that
    /// other processes get them.
    pub(crate) fn prefetch(&self, concurrency: u32) -> u32 {
        let within = self.per_second * HORIZON.as_secs_f64();
        if within < f64::from(concurrency) {
            return 0;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held within bounds before")]
        let jobs = within.min(f64::from(PREFETCH_MAX)) as u32;
        jobs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(ended: u32, span: Duration) -> Pace {
        let mut pace = Pace::default();
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
        assert_eq!(pace(1_000_000, Duration::from_secs(1)).prefetch(8), PREFETCH_MAX);
    }

    #[test]
    fn an_idle_time_does_not_make_jobs_slow() {
        let mut pace = pace(10_000, Duration::from_secs(1));
        pace.pause();
        pace.measure(Instant::now() + Duration::from_secs(60));
        assert_eq!(pace.prefetch(8), 1000);
    }
}
