use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use longshore_core::{Clock, Timestamp};
use tokio::time::Instant;

/// A clock that a test moves. Its clones show the same time.
///
/// The wall clock may jump in both directions; the monotonic clock only advances, like the real ones.
#[derive(Clone, Debug)]
pub struct FakeClock {
    hands: Arc<Mutex<Hands>>,
    follower: Arc<OnceLock<Follower>>,
}

/// Shows the time elsewhere, such as in a database whose own clock rules.
struct Follower(Box<dyn Fn(Timestamp) + Send + Sync>);

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Follower")
    }
}

#[derive(Debug)]
struct Hands {
    now_ms: i64,
    monotonic: Duration,
    /// If the clock follows the runtime's time: the instant up to which that time was added.
    followed: Option<Instant>,
}

impl FakeClock {
    /// The start time of every fake clock: 2026-05-04T12:00:00Z.
    pub const BEGINNING: Timestamp = Timestamp::from_ms(1_777_896_000_000);

    /// A clock that stands still until it is moved.
    pub fn new() -> Self {
        Self::beginning_with(None)
    }

    /// A clock that also follows tokio's time, so that paused time also controls a store.
    pub fn of_runtime() -> Self {
        Self::beginning_with(Some(Instant::now()))
    }

    fn beginning_with(followed: Option<Instant>) -> Self {
        // Not zero, so that zero cannot be taken for "never".
        let monotonic = Duration::from_secs(1000);
        let hands = Hands { now_ms: Self::BEGINNING.as_ms(), monotonic, followed };
        Self { hands: Arc::new(Mutex::new(hands)), follower: Arc::default() }
    }

    /// Calls `show` with the time after every move, before the move returns. At most one for each clock.
    pub fn when_moved(&self, show: impl Fn(Timestamp) + Send + Sync + 'static) {
        let first = self.follower.set(Follower(Box::new(show)));
        assert!(first.is_ok(), "the clock has a follower already");
    }

    /// Advances both clocks.
    pub fn advance(&self, span: Duration) {
        self.move_by(|hands| hands.pass(span));
    }

    /// Moves only the wall clock forwards.
    pub fn jump_forwards(&self, span: Duration) {
        self.move_by(|hands| hands.now_ms += milliseconds(span));
    }

    /// Moves only the wall clock back.
    pub fn jump_backwards(&self, span: Duration) {
        self.move_by(|hands| hands.now_ms -= milliseconds(span));
    }

    fn move_by(&self, change: impl FnOnce(&mut Hands)) {
        let now = self.with(|hands| {
            change(hands);
            Timestamp::from_ms(hands.now_ms)
        });
        if let Some(Follower(show)) = self.follower.get() {
            show(now);
        }
    }

    fn with<T>(&self, look: impl FnOnce(&mut Hands) -> T) -> T {
        let mut hands = self.hands.lock().unwrap_or_else(PoisonError::into_inner);
        hands.follow();
        look(&mut hands)
    }
}

impl Hands {
    fn pass(&mut self, span: Duration) {
        self.now_ms += milliseconds(span);
        self.monotonic += span;
    }

    fn follow(&mut self) {
        let Some(followed) = self.followed else { return };
        // Whole milliseconds only: the wall clock has no smaller unit, and the two clocks must not drift apart.
        let span = Duration::from_millis(u64::try_from(followed.elapsed().as_millis()).unwrap_or(0));
        self.followed = Some(followed + span);
        self.pass(span);
    }
}

fn milliseconds(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).expect("a test moves its clock by less than 292 million years")
}

impl Default for FakeClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        self.with(|hands| Timestamp::from_ms(hands.now_ms))
    }

    fn monotonic(&self) -> Duration {
        self.with(|hands| hands.monotonic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_of_the_wall_clock_leaves_the_monotonic_one_alone() {
        let clock = FakeClock::new();
        let before = clock.monotonic();
        clock.jump_backwards(Duration::from_secs(60));
        assert_eq!(clock.monotonic(), before);
        assert_eq!(FakeClock::BEGINNING.since(clock.now()), Duration::from_secs(60));
    }

    #[test]
    fn the_copies_of_a_clock_tell_the_same_time() {
        let clock = FakeClock::new();
        let copy = clock.clone();
        clock.advance(Duration::from_secs(5));
        assert_eq!((copy.now(), copy.monotonic()), (clock.now(), clock.monotonic()));
        assert_eq!(copy.now(), FakeClock::BEGINNING.after(Duration::from_secs(5)));
    }
}
