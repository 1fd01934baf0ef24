use std::collections::VecDeque;
use std::time::Duration;

/// The fault of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The store was busy, and nothing happened.
    Busy,
    /// The disk was full, and nothing happened.
    Full,
    /// The effect happened, but the answer was lost.
    Lost,
    /// The effect happens later by this much.
    Delay(Duration),
    /// The store panics, which the contract does not allow, and nothing happened.
    Panic,
}

/// An operation of a store that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// `Store::enqueue`
    Enqueue,
    /// `Store::enqueue_stream`
    EnqueueStream,
    /// `Store::register`
    Register,
    /// `Store::retire`
    Retire,
    /// `Store::claim`
    Claim,
    /// `Store::begin_isolated`
    BeginIsolated,
    /// `Store::extend`
    Extend,
    /// `Store::record`
    Record,
    /// `Store::report`
    Report,
    /// `Store::save_checkpoint`
    SaveCheckpoint,
    /// `Store::reclaim`
    Reclaim,
    /// `Console::act`, `Console::edit`, `Console::change_queue` and what `Tokens` writes
    Act,
    /// `Console::maintain`
    Maintain,
    /// `Store::mark_started`
    MarkStarted,
    /// `Store::wakeups`, which can only panic
    Wakeups,
    /// `Schedules::settle_schedules`
    Settle,
    /// What else `Schedules` writes, and what `Limiting` does.
    Schedule,
    /// `Workflows::enqueue_workflow_stream`
    EnqueueWorkflow,
    /// `Workflows::change_batch` and `Workflows::signal`
    ChangeBatch,
    /// `Workflows::advance_workflows`
    Advance,
    /// What `Moving` writes.
    Move,
    /// Every operation that only reads.
    Read,
}

/// Which calls have which faults.
#[derive(Debug)]
pub struct FaultPlan {
    random: fastrand::Rng,
    /// The fraction of calls with each kind of fault.
    busy: f64,
    full: f64,
    lost: f64,
    delayed: f64,
    delay_max: Duration,
    scripted: VecDeque<(Operation, Fault)>,
    /// How many more calls have no fault before one has.
    after_calls: Option<(usize, Fault)>,
    injected: Option<Fault>,
}

impl FaultPlan {
    /// Only faults that a test requests.
    pub fn none() -> Self {
        Self {
            random: fastrand::Rng::with_seed(0),
            busy: 0.0,
            full: 0.0,
            lost: 0.0,
            delayed: 0.0,
            delay_max: Duration::ZERO,
            scripted: VecDeque::new(),
            after_calls: None,
            injected: None,
        }
    }

    /// This fraction of the calls, from 0 to 1, fails: one half before the effect and the other half after it. The same
    /// seed and the same calls produce the same faults.
    pub fn seeded(seed: u64, share: f64) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        Self { random, busy: share / 4.0, full: share / 4.0, lost: share / 2.0, ..Self::none() }
    }

    /// The call after this many others has this fault, whatever it is, and no further one.
    pub fn after(calls: usize, fault: Fault) -> Self {
        Self { after_calls: Some((calls, fault)), ..Self::none() }
    }

    /// This fraction of the calls also takes up to `delay_max` longer.
    #[must_use]
    pub fn delayed(mut self, share: f64, delay_max: Duration) -> Self {
        self.delayed = share;
        self.delay_max = delay_max;
        self
    }

    pub(super) fn script(&mut self, operation: Operation, fault: Fault) {
        self.scripted.push_back((operation, fault));
    }

    pub(super) fn heal(&mut self) {
        (self.busy, self.full, self.lost, self.delayed) = (0.0, 0.0, 0.0, 0.0);
    }

    pub(super) fn take_injected(&mut self) -> Option<Fault> {
        self.injected.take()
    }

    pub(super) fn draw(&mut self, operation: Operation) -> Option<Fault> {
        self.injected = self.scripted_fault(operation).or_else(|| self.counted_fault()).or_else(|| self.random_fault());
        self.injected
    }

    fn counted_fault(&mut self) -> Option<Fault> {
        let (calls, fault) = self.after_calls?;
        self.after_calls = calls.checked_sub(1).map(|calls| (calls, fault));
        (calls == 0).then_some(fault)
    }

    pub(super) fn scripted_fault(&mut self, operation: Operation) -> Option<Fault> {
        let place = self.scripted.iter().position(|(scripted, _)| *scripted == operation)?;
        self.scripted.remove(place).map(|(_, fault)| fault)
    }

    fn random_fault(&mut self) -> Option<Fault> {
        let mut drawn = self.random.f64();
        let delay = self.delay_max.mul_f64(self.random.f64());
        let shares = [
            (self.busy, Fault::Busy),
            (self.full, Fault::Full),
            (self.lost, Fault::Lost),
            (self.delayed, Fault::Delay(delay)),
        ];
        for (share, fault) in shares {
            if drawn < share {
                return Some(fault);
            }
            drawn -= share;
        }
        None
    }
}
