use std::sync::Arc;
use std::time::Duration;

/// How often a failed job is retried, and how long it waits before each retry.
///
/// ```
/// use std::time::Duration;
/// use longshore_core::RetryPolicy;
///
/// let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
/// let about_a_day = RetryPolicy::default();
/// let founding = RetryPolicy::quick();
/// let polling = RetryPolicy::fixed(minutes(5)).retries(12);
/// let slower = RetryPolicy::linear(minutes(1), minutes(1)).retries(10);
/// let exact = RetryPolicy::delays([minutes(1), minutes(10), minutes(60)]);
/// # assert_eq!([about_a_day, founding, polling, slower, exact].map(|policy| policy.retries), [15, 3, 12, 10, 3]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    /// The number of retries after the first attempt, if the job does not set its own (`max_retries`).
    pub retries: u32,
    /// The delay before each retry.
    pub backoff: Backoff,
    /// The maximum random change of a delay, as a fraction from 0 to 1.
    pub jitter: f64,
}

/// The delay before retry number n, which counts from zero.
#[derive(Clone, Debug, PartialEq)]
pub enum Backoff {
    /// min(`first_delay` · `factor`ⁿ, `delay_max`)
    Exponential {
        /// The delay before the first retry.
        first_delay: Duration,
        /// The factor between two delays; at least 1.
        factor: f64,
        /// The longest delay.
        delay_max: Duration,
    },
    /// min(`first_delay` + n · `step`, `delay_max`)
    Linear {
        /// The delay before the first retry.
        first_delay: Duration,
        /// How much longer each delay is than the one before.
        step: Duration,
        /// The longest delay.
        delay_max: Duration,
    },
    /// Always the same delay.
    Fixed {
        /// The delay.
        delay: Duration,
    },
    /// The delays one by one. After the last one, it repeats; an empty list has no delay.
    Delays(Arc<[Duration]>),
}

impl RetryPolicy {
    /// The number of retries of the default policy.
    pub const RETRIES: u32 = 15;
    /// The first delay of the default policy.
    pub const FIRST_DELAY: Duration = Duration::from_secs(1);
    /// The factor of the default policy.
    pub const FACTOR: f64 = 3.0;
    /// The longest delay of the default policy: 3 h 30 min.
    pub const DELAY_MAX: Duration = Duration::from_secs(12_600);
    /// The usual random change of a delay.
    pub const JITTER: f64 = 0.1;

    /// 3 retries after 1 s, 2 s and 4 s. More retries go on doubling, up to 300 s. ±10 %.
    pub fn quick() -> Self {
        Self::exponential(Duration::from_secs(1), 2.0, Duration::from_secs(300)).retries(3)
    }

    /// Each delay is `factor` times the one before, up to `delay_max`. 15 retries, ±10 %.
    pub fn exponential(first_delay: Duration, factor: f64, delay_max: Duration) -> Self {
        Self::usual(Backoff::Exponential { first_delay, factor, delay_max })
    }

    /// Each delay is longer by `step` than the one before. 15 retries, ±10 %.
    pub fn linear(first_delay: Duration, step: Duration) -> Self {
        Self::usual(Backoff::Linear { first_delay, step, delay_max: Duration::MAX })
    }

    /// The same delay before each retry. 15 retries, ±10 %.
    pub fn fixed(delay: Duration) -> Self {
        Self::usual(Backoff::Fixed { delay })
    }

    /// These delays, one for each retry, without any random change. A job that allows more retries repeats the last
    /// one.
    pub fn delays(delays: impl IntoIterator<Item = Duration>) -> Self {
        let delays: Arc<[Duration]> = delays.into_iter().collect();
        let retries = u32::try_from(delays.len()).unwrap_or(u32::MAX);
        Self { retries, backoff: Backoff::Delays(delays), jitter: 0.0 }
    }

    const fn usual(backoff: Backoff) -> Self {
        Self { retries: Self::RETRIES, backoff, jitter: Self::JITTER }
    }

    /// Sets the number of retries after the first attempt.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Sets the maximum random change of a delay, as a fraction from 0 to 1.
    #[must_use]
    pub fn jitter(mut self, jitter: f64) -> Self {
        self.jitter = jitter;
        self
    }

    /// Sets the longest delay of an exponential or linear policy. The others have none.
    #[must_use]
    pub fn delay_max(mut self, longest: Duration) -> Self {
        if let Backoff::Exponential { delay_max, .. } | Backoff::Linear { delay_max, .. } = &mut self.backoff {
            *delay_max = longest;
        }
        self
    }

    /// The delay before retry number `retry`, which counts from zero: that of the backoff · (1 + `jitter` · (2r − 1)),
    /// where r is `random`, which is uniform in [0, 1). Never longer than the longest delay of the backoff.
    pub fn delay(&self, retry: u32, random: f64) -> Duration {
        let longest = self.backoff.longest().as_secs_f64();
        let spread = 1.0 + self.jitter * (2.0 * random - 1.0);
        let seconds = (self.backoff.seconds(retry).min(longest) * spread).clamp(0.0, longest);
        Duration::try_from_secs_f64(seconds).unwrap_or(self.backoff.longest())
    }
}

impl Default for RetryPolicy {
    /// 15 retries in about a day: 1 s, then three times as long each time, at most 3 h 30 min, ±10 %.
    ///
    /// The first nine delays are 1 s to 6,561 s, together (3⁹ − 1) / 2 = 9,841 s. Six of 12,600 s follow, so the last
    /// retry comes after 85,441 s, which is 23 h 44 min.
    fn default() -> Self {
        Self::exponential(Self::FIRST_DELAY, Self::FACTOR, Self::DELAY_MAX)
    }
}

impl Backoff {
    fn seconds(&self, retry: u32) -> f64 {
        match self {
            Self::Exponential { first_delay, factor, .. } => {
                first_delay.as_secs_f64() * factor.powi(i32::try_from(retry).unwrap_or(i32::MAX))
            }
            Self::Linear { first_delay, step, .. } => first_delay.as_secs_f64() + f64::from(retry) * step.as_secs_f64(),
            Self::Fixed { delay } => delay.as_secs_f64(),
            Self::Delays(delays) => {
                let place = usize::try_from(retry).unwrap_or(usize::MAX).min(delays.len().saturating_sub(1));
                delays.get(place).copied().unwrap_or_default().as_secs_f64()
            }
        }
    }

    const fn longest(&self) -> Duration {
        match self {
            Self::Exponential { delay_max, .. } | Self::Linear { delay_max, .. } => *delay_max,
            Self::Fixed { .. } | Self::Delays(_) => Duration::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDDLE: f64 = 0.5;

    fn seconds(policy: &RetryPolicy) -> Vec<u64> {
        (0..policy.retries).map(|retry| policy.delay(retry, MIDDLE).as_secs()).collect()
    }

    #[test]
    fn the_default_policy_outlives_an_outage_of_nearly_a_day() {
        let delays = seconds(&RetryPolicy::default());
        let long = 12_600;
        assert_eq!(delays, [1, 3, 9, 27, 81, 243, 729, 2187, 6561, long, long, long, long, long, long]);
        assert_eq!(delays.iter().sum::<u64>(), 85_441);
        for random in [0.0, 0.999_999] {
            let policy = RetryPolicy::default();
            let hours = (0..15).map(|retry| policy.delay(retry, random).as_secs_f64() / 3600.0).sum::<f64>();
            assert!((21.0..25.0).contains(&hours), "{hours}");
        }
    }

    #[test]
    fn the_quick_policy_retries_three_times_in_seven_seconds() {
        assert_eq!(seconds(&RetryPolicy::quick()), [1, 2, 4]);
        let delays = seconds(&RetryPolicy::quick().retries(11));
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    }

    #[test]
    fn a_linear_policy_grows_by_its_step_up_to_its_longest_delay() {
        let policy = RetryPolicy::linear(Duration::from_secs(10), Duration::from_secs(5)).retries(4);
        assert_eq!(seconds(&policy), [10, 15, 20, 25]);
        assert_eq!(seconds(&policy.delay_max(Duration::from_secs(18))), [10, 15, 18, 18]);
    }

    #[test]
    fn a_fixed_policy_always_waits_the_same_time() {
        assert_eq!(seconds(&RetryPolicy::fixed(Duration::from_secs(7)).retries(3)), [7, 7, 7]);
    }

    #[test]
    fn a_list_of_delays_gives_one_retry_for_each_and_repeats_the_last_one_beyond() {
        let policy = RetryPolicy::delays([1, 60, 5].map(Duration::from_secs));
        assert_eq!((seconds(&policy), policy.delay(1, 0.0)), (vec![1, 60, 5], Duration::from_secs(60)));
        assert_eq!(seconds(&policy.retries(5)), [1, 60, 5, 5, 5]);
        assert_eq!((RetryPolicy::delays([]).retries, RetryPolicy::delays([]).delay(9, MIDDLE)), (0, Duration::ZERO));
    }

    #[test]
    fn jitter_stays_within_a_tenth_and_below_the_longest_delay() {
        let policy = RetryPolicy::quick();
        assert_eq!(policy.delay(0, 0.0), Duration::from_millis(900));
        assert!(policy.delay(0, 0.999_999) < Duration::from_millis(1100));
        assert_eq!(policy.delay(u32::MAX, 0.999_999), Duration::from_secs(300));
    }

    #[test]
    fn absurd_policies_neither_panic_nor_overflow() {
        let absurd = RetryPolicy::exponential(Duration::MAX, f64::NAN, Duration::MAX).jitter(1.0);
        let _ = absurd.delay(7, 0.3);
        assert_eq!(absurd.delay_max(Duration::ZERO).delay(1, MIDDLE), Duration::ZERO);
        assert_eq!(RetryPolicy::linear(Duration::MAX, Duration::MAX).delay(u32::MAX, 0.9), Duration::MAX);
        assert_eq!(RetryPolicy::fixed(Duration::MAX).jitter(f64::INFINITY).delay(0, 0.9), Duration::MAX);
    }
}
