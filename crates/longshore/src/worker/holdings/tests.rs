use std::pin::pin;
use std::task::{Context, Poll, Waker};

use longshore_core::{Budgets, ClaimRequest, JobData, Priority, QueueLimit, RequestId, TimeBounds};

use super::*;
use crate::testing::{AttemptProbe, EnqueueRecorder};

const CONCURRENCY: u32 = 4;
const LEASE: Duration = Duration::from_secs(60);
const NOW: Duration = Duration::ZERO;

/// What a part of the worker does in this test.
#[derive(Debug)]
enum Part<T> {
    Looking,
    Waiting,
    Working(T),
}

/// A worker without a runtime: the test says which of its parts goes on next.
struct Parts {
    shared: SharedHoldings,
    gate: Arc<Gate>,
    worker_id: WorkerId,
    random: fastrand::Rng,
    slots: Vec<Part<Started>>,
    claim_loop: Part<()>,
    recorder: Part<Ended>,
    jobs: i64,
}

/// Whether a part was woken since it began to wait.
fn is_woken(call: impl Future<Output = ()>) -> bool {
    pin!(call).poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
}

impl Parts {
    fn new(seed: u64) -> Self {
        let queues = [("a", 3), ("b", 1)].map(|(queue, limit)| QueueLimit { queue: queue.to_owned(), limit });
        let lanes = Lanes::new(&queues, CONCURRENCY, 1024);
        let holdings = Holdings::new(lanes, CONCURRENCY, LEASE, Until::Drained);
        let parts = Self {
            shared: SharedHoldings::new(holdings, CONCURRENCY),
            gate: Arc::default(),
            worker_id: WorkerId::random(),
            random: fastrand::Rng::with_seed(seed),
            slots: (0..CONCURRENCY).map(|_| Part::Looking).collect(),
            claim_loop: Part::Looking,
            recorder: Part::Looking,
            jobs: 0,
        };
        parts.register();
        parts
    }

    fn register(&self) {
        self.shared.lock().register(self.worker_id.clone(), Instant::now());
        self.shared.lock().renew(Instant::now());
    }

    fn leases(&mut self, count: u32) -> Vec<Lease> {
        (0..count).map(|_| self.lease()).collect()
    }

    fn lease(&mut self) -> Lease {
        self.jobs += 1;
        let crash_count = u32::from(self.random.u8(..10) == 0);
        Lease {
            id: JobId(self.jobs),
            claim_number: ClaimNumber(1),
            job_type: "step".to_owned(),
            job_data: JobData::default(),
            queue: self.random.choice(["a", "b"]).expect("there are two").to_owned(),
            priority: Priority::NORMAL,
            budgets: Budgets {
                retry_count: 0,
                max_retries: Some(3),
                crash_count,
                max_crashes: 3,
                deferral_count: 0,
                max_deferrals: 3,
                time: TimeBounds::default(),
            },
            timeout: None,
            ready_at: longshore_core::Timestamp::from_ms(0),
            metadata: None,
            checkpoint: None,
            step_count: 0,
            has_dependencies: false,
        }
    }

    /// One move of one part, or something from outside.
    fn step(&mut self) {
        match self.random.u8(..14) {
            0..6 => {
                let slot = self.random.usize(..CONCURRENCY as usize);
                self.go_on_slot(slot);
            }
            6..9 => self.go_on_claiming(),
            9..11 => self.go_on_recording(),
            // The hint of the store, which wakes the claim loop.
            11 => {
                self.shared.lock().expect_jobs();
                self.claim_loop = Part::Looking;
            }
            12 => {
                let id = JobId(self.random.i64(1..=self.jobs.max(1)));
                self.shared.lock().cancel(id, ClaimNumber(1), NOW);
            }
            _ => self.meet_trouble(),
        }
        self.receive_wakeups();
    }

    fn meet_trouble(&mut self) {
        match self.random.u8(..4) {
            0 => drop(self.shared.lock().unregister(&self.worker_id)),
            // The process stood still for longer than its lease.
            1 => Instant::now().checked_sub(LEASE).into_iter().for_each(|at| self.shared.lock().renew(at)),
            _ => self.register(),
        }
    }

    fn go_on_slot(&mut self, slot: usize) {
        match std::mem::replace(&mut self.slots[slot], Part::Waiting) {
            Part::Looking => {
                let (_, queue) = EnqueueRecorder::queue();
                let begin = |held: OwnedLease| AttemptProbe::with_grace(held.lease, Duration::ZERO, queue).attempt();
                let started = self.shared.lock().start(slot, NOW, &self.gate, begin);
                match started {
                    Some(started) => self.slots[slot] = Part::Working(started),
                    None => assert!(!self.shared.lock().has_start(), "a slot waits beside a job"),
                }
            }
            Part::Working(Started { attempt, pass, .. }) => {
                let ended = EndedAttempt::returned(attempt.lease(), NOW);
                self.shared.lock().conclude(slot, &attempt, Conclusion::Outcome(ended));
                self.shared.lock().release(slot);
                drop(pass);
                if !self.gate.is_closed() {
                    // The gate does it for the workers that have joined it.
                    self.shared.lock().note_gate_open();
                }
                self.slots[slot] = Part::Looking;
            }
            Part::Waiting => {}
        }
    }

    fn go_on_claiming(&mut self) {
        if !matches!(self.claim_loop, Part::Looking) {
            return;
        }
        if self.shared.lock().registered_id().is_none() {
            self.register();
        }
        let demand = self.shared.lock().demand(Instant::now(), &self.gate);
        let Some((worker_id, Demand { scope, limit })) = demand else {
            assert!(!self.shared.lock().has_demand(), "the claim loop waits beside a demand");
            self.claim_loop = Part::Waiting;
            return;
        };
        let count = self.random.u32(0..=limit);
        let leases = self.leases(count);
        let request = ClaimRequest {
            request_id: RequestId(1),
            worker_id,
            job_types: Arc::from(["step".to_owned()]),
            scope,
            limit,
            limited_max: limit,
        };
        self.shared.lock().lanes.fill(&request, leases, Instant::now());
    }

    fn go_on_recording(&mut self) {
        self.recorder = match std::mem::replace(&mut self.recorder, Part::Waiting) {
            Part::Looking => match self.shared.lock().take_ended(2) {
                Some(ended) => Part::Working(ended),
                None => Part::Waiting,
            },
            Part::Working(ended) => {
                if self.random.bool() {
                    self.shared.lock().recorded();
                } else {
                    self.shared.lock().put_back(&ended);
                }
                Part::Looking
            }
            Part::Waiting => Part::Waiting,
        };
    }

    fn receive_wakeups(&mut self) {
        for (number, slot) in self.slots.iter_mut().enumerate() {
            if matches!(slot, Part::Waiting) && is_woken(self.shared.slot_woken(number)) {
                *slot = Part::Looking;
            }
        }
        if matches!(self.claim_loop, Part::Waiting) && is_woken(self.shared.claim_loop_woken()) {
            self.claim_loop = Part::Looking;
        }
        if matches!(self.recorder, Part::Waiting) && is_woken(self.shared.recorder_woken()) {
            self.recorder = Part::Looking;
        }
    }

    /// The part that waits although it has something to do, and that nobody is about to wake.
    fn forgotten(&self) -> Option<&'static str> {
        let holdings = self.shared.lock();
        let is_looking = self.slots.iter().any(|slot| matches!(slot, Part::Looking));
        let sleeps = self.slots.iter().any(|slot| matches!(slot, Part::Waiting));
        if sleeps && !is_looking && holdings.has_start() {
            return Some("a slot");
        }
        if matches!(self.claim_loop, Part::Waiting) && (holdings.has_demand() || holdings.registered_id().is_none()) {
            return Some("the claim loop");
        }
        let has_ended = holdings.worker_id().is_some() && holdings.ended.has_next();
        (matches!(self.recorder, Part::Waiting) && has_ended).then_some("the recorder")
    }
}

#[test]
fn no_part_of_a_worker_waits_while_it_has_something_to_do() {
    for seed in 0..40 {
        let mut parts = Parts::new(seed);
        for step in 0..500 {
            parts.step();
            assert_eq!(parts.forgotten(), None, "after step {step} of seed {seed}");
        }
        assert!(parts.jobs > 20, "seed {seed} made too little happen");
    }
}

#[test]
fn many_leases_wake_one_slot_after_the_other_and_none_twice() {
    let mut parts = Parts::new(0);
    (0..CONCURRENCY as usize).for_each(|slot| parts.go_on_slot(slot));
    let leases = [1, 2, 3].map(|id| Lease { id: JobId(id), queue: "a".to_owned(), ..ordinary(parts.lease()) });
    parts.shared.lock().lanes.receive(leases.to_vec(), Instant::now());
    for started in 0..4 {
        parts.receive_wakeups();
        let looking: Vec<usize> =
            (0..CONCURRENCY as usize).filter(|slot| matches!(parts.slots[*slot], Part::Looking)).collect();
        assert_eq!(looking.len(), usize::from(started < 3), "{:?}", parts.slots);
        looking.into_iter().for_each(|slot| parts.go_on_slot(slot));
    }
}

fn ordinary(lease: Lease) -> Lease {
    Lease { budgets: Budgets { crash_count: 0, ..lease.budgets }, ..lease }
}
