use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use longshore_core::StoreError;

use crate::runtime::quiet;

/// A call of a worker to its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreCall {
    Register,
    Claim,
    Isolate,
    Start,
    Extend,
    Record,
    Report,
    Reclaim,
    Maintain,
    Read,
    Schedule,
    Limits,
}

/// Which calls fail at the moment. So the log has one line when the store begins to fail and one when it works again.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    failing: AtomicU16,
    /// Which of them wait for a schema that this program supports, or for the end of a move.
    paused: AtomicU16,
}

impl Trouble {
    /// A call failed for a cause that may pass.
    pub(crate) fn meet(&self, call: StoreCall, error: &StoreError) {
        if let Some(why) = pause_of(error) {
            return self.pause(call, error, why);
        }
        if self.failing.fetch_or(bit(call), Ordering::AcqRel) == 0 {
            quiet::warning!(
                error = %error,
                code = error.code(),
                hint = error.hint(),
                "the store fails; outcomes are kept in memory until it works again"
            );
        }
    }

    /// A call succeeded.
    pub(crate) fn pass(&self, call: StoreCall) {
        if clear(&self.paused, call) {
            quiet::warning!("the pause is over; the worker continues");
        }
        if clear(&self.failing, call) {
            quiet::warning!("the store works again");
        }
    }

    /// A call was given up, which says nothing about the store.
    pub(crate) fn forget(&self, call: StoreCall) {
        clear(&self.paused, call);
        clear(&self.failing, call);
    }

    fn pause(&self, call: StoreCall, error: &StoreError, why: &'static str) {
        // The sweep runs only once a minute, so the end of the pause would be logged much too late.
        if call != StoreCall::Maintain && self.paused.fetch_or(bit(call), Ordering::AcqRel) == 0 {
            quiet::warning!(
                error = %error,
                code = error.code(),
                hint = error.hint(),
                "paused by {why}; nothing is claimed, and outcomes that cannot be stored are kept in memory"
            );
        }
    }
}

/// What pauses the worker, if the error is the answer to something that others do to the database.
const fn pause_of(error: &StoreError) -> Option<&'static str> {
    match error {
        StoreError::SchemaChanged { .. } => Some("a migration"),
        StoreError::Moving { .. } => Some("a move of the queue"),
        _ => None,
    }
}

/// Whether this was the last failing call.
fn clear(failing: &AtomicU16, call: StoreCall) -> bool {
    failing.load(Ordering::Acquire) & bit(call) != 0 && failing.fetch_and(!bit(call), Ordering::AcqRel) == bit(call)
}

/// A bit for each call; a seventeenth would not compile.
const fn bit(call: StoreCall) -> u16 {
    match call {
        StoreCall::Register => 1 << 0,
        StoreCall::Claim => 1 << 1,
        StoreCall::Isolate => 1 << 2,
        StoreCall::Extend => 1 << 3,
        StoreCall::Record => 1 << 4,
        StoreCall::Report => 1 << 5,
        StoreCall::Reclaim => 1 << 6,
        StoreCall::Maintain => 1 << 7,
        StoreCall::Read => 1 << 8,
        StoreCall::Start => 1 << 9,
        StoreCall::Schedule => 1 << 10,
        StoreCall::Limits => 1 << 11,
    }
}

/// How long to wait before the next try after a passing failure.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    tries: u32,
}

impl Patience {
    const FIRST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(2);

    /// The next wait: doubled each time up to two seconds, with jitter, so that processes do not retry at the same
    /// time.
    pub(crate) fn next(&mut self, random: f64) -> Duration {
        let grown = Self::FIRST.saturating_mul(1 << self.tries.min(8)).min(Self::LONGEST);
        self.tries = self.tries.saturating_add(1);
        grown.mul_f64(0.75 + 0.5 * random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_up_to_its_bound() {
        let mut patience = Patience::default();
        let waits: Vec<u128> = (0..8).map(|_| patience.next(0.5).as_millis()).collect();
        assert_eq!(waits, [50, 100, 200, 400, 800, 1600, 2000, 2000]);
    }
}
