use std::collections::BTreeSet;

use fastrand::Rng;
use longshore_core::{Clock, JobId, Limits, Timestamp};

use super::actor::{Actor, Ghost};
use super::listeners::Listeners;
use super::pair::Pair;
use super::trail::Trail;
use crate::suite::Harness;
use crate::{FakeClock, MemoryStore};

/// Everything visible is compared after this many steps.
const STEPS_BETWEEN_LOOKS: u64 = 25;
/// More ghosts find no further differences.
const GHOSTS_MAX: usize = 50;

/// A run in progress.
pub(super) struct Run<H: Harness> {
    pub(super) random: Rng,
    pub(super) trail: Trail,
    pub(super) clock: FakeClock,
    pub(super) harness: H,
    pub(super) model: MemoryStore,
    /// The process of producers and operators. Only it searches for lost workers, because it has no workers: the search
    /// of a store with workers need not visit all.
    pub(super) main: Pair<H>,
    pub(super) actors: Vec<Actor<H>>,
    pub(super) ghosts: Vec<Ghost>,
    pub(super) listeners: Listeners,
    /// Whether a type or a queue had a limit. Then a store may ask for another claim soon, because it did not look at all.
    pub(super) had_limit: bool,
    /// The jobs that were acknowledged, or created without an answer, and not deleted.
    pub(super) expected: BTreeSet<JobId>,
}

impl<H: Harness> Run<H> {
    pub(super) fn new(seed: u64) -> Self {
        let clock = FakeClock::new();
        let limits = Limits::default();
        let harness = H::create(clock.clone(), limits);
        let model = MemoryStore::with_limits(clock.clone(), limits);
        let main = Pair::open(&harness, &model, seed);
        Self {
            random: Rng::with_seed(seed),
            trail: Trail::new(seed),
            listeners: Listeners::new(&main),
            main,
            clock,
            harness,
            model,
            actors: Vec::new(),
            ghosts: Vec::new(),
            had_limit: false,
            expected: BTreeSet::new(),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Runs one operation, drawn by weight.
    pub(super) async fn step(&mut self) {
        self.trail.next_step();
        match self.random.u32(..110) {
            0..=4 => self.enqueue().await,
            5..=11 => self.flow().await,
            12 => self.enqueue_stream().await,
            13 | 101 => self.enqueue_beside_a_worker().await,
            14..=29 => self.claim().await,
            30..=41 => self.begin().await,
            42..=63 => self.record().await,
            64..=66 => self.report().await,
            67..=68 => self.save_checkpoint().await,
            69..=74 => self.extend().await,
            75 => self.lose_session().await,
            76..=80 => self.register().await,
            81 => self.retire().await,
            82..=83 => self.kill(),
            84 => self.reclaim().await,
            85 => self.write_late().await,
            86..=88 => self.pass_time().await,
            89 => self.edit().await,
            90..=91 => self.jump(),
            92..=95 => self.act().await,
            96 => self.change_queue().await,
            97 => self.maintain().await,
            98 => self.restart().await,
            99 => self.look_at_a_page().await,
            100 => self.change_limit().await,
            _ => self.schedule().await,
        }
        self.advance().await;
        self.ghosts.truncate(GHOSTS_MAX);
        self.compare_counts().await;
        self.listeners.compare(&self.trail).await;
        if self.trail.step().is_multiple_of(STEPS_BETWEEN_LOOKS) {
            self.compare_everything().await;
        }
    }

    /// Opens a new process with its own faults.
    pub(super) fn open(&mut self) -> Pair<H> {
        Pair::open(&self.harness, &self.model, self.random.u64(..))
    }

    /// The index of a living worker, if there is one.
    pub(super) fn some_actor(&mut self) -> Option<usize> {
        (!self.actors.is_empty()).then(|| self.random.usize(..self.actors.len()))
    }

    /// Jobs that an operation may name, the latest first.
    pub(super) fn known(&self) -> Vec<JobId> {
        self.expected.iter().rev().take(30).copied().collect()
    }
}
