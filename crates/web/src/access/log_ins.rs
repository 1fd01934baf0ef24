use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use longshore_core::TokenHash;

use super::secret::Secret;

/// How long a log-in lasts.
pub(crate) const LASTS: Duration = Duration::from_secs(12 * 3600);
/// How many log-ins are remembered. A new one takes the place of the oldest.
const LOG_INS_MAX: usize = 10_000;
/// How many attempts of one address may fail in a window.
const FAILURES_MAX: u32 = 10;
pub(crate) const WINDOW: Duration = Duration::from_secs(60);
/// How many addresses are watched. If more fail within a window, every wrong token waits.
const ADDRESSES_MAX: usize = 10_000;

/// Who has logged in, in the memory of this process: a restart logs everybody out.
#[derive(Debug, Default)]
pub(crate) struct LogIns {
    open: Mutex<BTreeMap<TokenHash, LogIn>>,
    failures: Mutex<HashMap<IpAddr, Failures>>,
}

#[derive(Clone, Copy, Debug)]
struct LogIn {
    token: TokenHash,
    ends_at: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    since: Instant,
}

impl LogIns {
    /// Remembers a log-in with this token. Its id is kept only as a hash, like a token.
    pub(crate) fn begin(&self, id: &Secret, token: TokenHash, now: Instant) {
        let mut open = lock(&self.open);
        open.retain(|_, log_in| log_in.ends_at > now);
        if open.len() >= LOG_INS_MAX
            && let Some(oldest) = open.iter().min_by_key(|(_, log_in)| log_in.ends_at).map(|(id, _)| *id)
        {
            open.remove(&oldest);
        }
        open.insert(id.hash(), LogIn { token, ends_at: now + LASTS });
    }

    /// The token of a log-in that has not ended.
    pub(crate) fn token(&self, id: &Secret, now: Instant) -> Option<TokenHash> {
        lock(&self.open).get(&id.hash()).filter(|log_in| log_in.ends_at > now).map(|log_in| log_in.token)
    }

    pub(crate) fn end(&self, id: &Secret) {
        lock(&self.open).remove(&id.hash());
    }

    /// Whether one more attempt of this address may fail. An attempt with a right token is not counted.
    pub(crate) fn may_fail(&self, address: IpAddr, now: Instant) -> bool {
        let mut failures = lock(&self.failures);
        if let Some(known) = failures.get(&address) {
            return known.count < FAILURES_MAX || now.duration_since(known.since) >= WINDOW;
        }
        if failures.len() >= ADDRESSES_MAX {
            failures.retain(|_, known| now.duration_since(known.since) < WINDOW);
        }
        failures.len() < ADDRESSES_MAX
    }

    /// Notes that an attempt has failed.
    pub(crate) fn note_failure(&self, address: IpAddr, now: Instant) {
        let mut failures = lock(&self.failures);
        let known = failures.entry(address).or_insert(Failures { count: 0, since: now });
        if now.duration_since(known.since) >= WINDOW {
            *known = Failures { count: 0, since: now };
        }
        known.count += 1;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_in_lasts_for_its_time() {
        let (log_ins, id, now) = (LogIns::default(), Secret::random().unwrap(), Instant::now());
        log_ins.begin(&id, TokenHash([1; 32]), now);
        assert_eq!(log_ins.token(&id, now), Some(TokenHash([1; 32])));
        assert_eq!(log_ins.token(&Secret::random().unwrap(), now), None);
        assert_eq!(log_ins.token(&id, now + LASTS), None);
    }

    #[test]
    fn who_logs_out_is_unknown() {
        let (log_ins, id, now) = (LogIns::default(), Secret::random().unwrap(), Instant::now());
        log_ins.begin(&id, TokenHash([1; 32]), now);
        log_ins.end(&id);
        assert_eq!(log_ins.token(&id, now), None);
    }

    #[test]
    fn an_address_that_fails_too_often_waits_and_others_do_not() {
        let (log_ins, now) = (LogIns::default(), Instant::now());
        let (guessing, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        for _ in 0..FAILURES_MAX {
            assert!(log_ins.may_fail(guessing, now));
            log_ins.note_failure(guessing, now);
        }
        assert!(!log_ins.may_fail(guessing, now));
        assert!(log_ins.may_fail(other, now));
        assert!(log_ins.may_fail(guessing, now + WINDOW));
    }
}
