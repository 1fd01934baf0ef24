use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use longshore_core::{
    ChangeLimit, ClaimRequest, Lease, LimitRule, LimitSelection, LimitSubject, Limiting, LimitsRequest, NewJob,
    Priority, Store, WorkerId,
};

use super::settle;
use crate::memory::MemoryStore;
use crate::suite::world::data;
use crate::suite::{Harness, World};
use crate::{claim, ended, worker};

const TYPES: [&str; 3] = ["a", "b", "free"];
const QUEUES: [&str; 2] = ["q", "r"];
const STEPS: u32 = 300;

/// A store and the model, which get the same calls.
struct Both<H: Harness> {
    world: World<H>,
    model: MemoryStore,
    random: Rng,
    workers: Vec<WorkerId>,
    held: Vec<Held>,
    rules: BTreeMap<LimitSubject, LimitRule>,
}

/// A leased job, in the store and in the model.
struct Held {
    worker_id: WorkerId,
    lease: Lease,
    modelled: Lease,
}

/// Every claim gets the jobs that the model gives, and never are more leased than a rule allows.
pub async fn a_random_run_never_leases_more_than_the_limits_and_in_the_order_of_the_model<H: Harness>()
where
    H::Store: Limiting,
{
    for seed in 0..4 {
        let world = World::<H>::new();
        let model = MemoryStore::new(world.clock.clone());
        let mut both = Both {
            world,
            model,
            random: Rng::with_seed(seed),
            workers: Vec::new(),
            held: Vec::new(),
            rules: BTreeMap::new(),
        };
        both.begin().await;
        for step in 0..STEPS {
            both.step(&format!("seed {seed}, step {step}")).await;
        }
        both.drain(&format!("seed {seed}")).await;
    }
}

impl<H: Harness> Both<H>
where
    H::Store: Limiting,
{
    async fn begin(&mut self) {
        for _ in 0..2 {
            let builder = worker().job_types(TYPES).lease(Duration::from_secs(30 * 86_400));
            let registration = builder.registration();
            self.workers.push(registration.worker_id.clone());
            crate::register_for_good(&self.model, registration.clone()).await;
            crate::register_for_good(&self.world.store, registration).await;
        }
        let keyed = LimitRule {
            concurrency: Some(5),
            key: Some("/k".parse().expect("it is a pointer")),
            key_concurrency: Some(2),
            key_rate: Some("3/1s".parse().expect("it is a rate")),
            weights: [("x".to_owned(), 2)].into(),
            ..LimitRule::default()
        };
        let paced = LimitRule {
            rate: Some("2/1s".parse().expect("it is a rate")),
            burst: Some(4),
            concurrency: Some(4),
            ..LimitRule::default()
        };
        let in_queue = LimitRule { concurrency: Some(6), ..LimitRule::default() };
        self.change(LimitSubject::Type("a".to_owned()), keyed).await;
        self.change(LimitSubject::Type("b".to_owned()), paced).await;
        self.change(LimitSubject::Queue("q".to_owned()), in_queue).await;
    }

    async fn change(&mut self, subject: LimitSubject, rule: LimitRule) {
        self.rules.insert(subject.clone(), rule.clone());
        let change = ChangeLimit { subject, rule: Some(rule) };
        let changed = self.world.store.change_limit(change.clone()).await.expect("it can be changed");
        assert_eq!(changed, self.model.change_limit(change).await.expect("it can be changed"));
        settle(&self.world).await;
    }

    async fn step(&mut self, at: &str) {
        match self.random.u32(..20) {
            0..=5 => self.enqueue().await,
            6..=12 => self.claim(at).await,
            13..=16 => self.record().await,
            17..=18 => self.world.clock.advance(Duration::from_millis(self.random.u64(..900))),
            _ => self.change_a_number().await,
        }
    }

    async fn enqueue(&mut self) {
        let jobs: Vec<NewJob> = (0..self.random.usize(1..6)).map(|_| self.draw_job()).collect();
        let made = self.world.store.enqueue(jobs.clone()).await.expect("they are valid");
        let modelled = self.model.enqueue(jobs).await.expect("they are valid");
        assert_eq!(made.len(), modelled.len());
    }

    fn draw_job(&mut self) -> NewJob {
        let random = &mut self.random;
        let text = match random.u32(..5) {
            0 => "{}".to_owned(),
            key => format!(r#"{{"k":"{}"}}"#, ["x", "y", "z", "x"][key as usize - 1]),
        };
        let mut job = NewJob::new(TYPES[random.usize(..3)], data(&text)).queue(QUEUES[random.usize(..2)]);
        job.priority = Priority([5, 5, 5, 9][random.usize(..4)]);
        if random.u32(..5) == 0 {
            job = job.delay(Duration::from_millis(random.u64(1..2000)));
        }
        if random.u32(..8) == 0 {
            job.limit_key = Some("y".to_owned());
        }
        job
    }

    async fn claim(&mut self, at: &str) {
        let worker_id = self.workers[self.random.usize(..2)].clone();
        let job_types = TYPES.map(str::to_owned).to_vec().into();
        let limited_max = self.random.u32(..6);
        let request = ClaimRequest { job_types, limited_max, ..claim(&worker_id, self.random.u32(1..8)) };
        let claimed = self.world.store.claim(request.clone()).await.expect("the worker may claim").leases;
        let expected = self.model.claim(request).await.expect("the worker may claim").leases;
        assert_eq!(contents(&claimed), contents(&expected), "{at}");
        let is_limited = |lease: &&Lease| lease.job_type != "free" || lease.queue == "q";
        assert!(claimed.iter().filter(is_limited).count() <= limited_max as usize, "{at}");
        for (lease, modelled) in claimed.iter().cloned().zip(expected) {
            self.held.push(Held { worker_id: worker_id.clone(), lease, modelled });
        }
        self.check(&claimed, at);
    }

    /// A lower limit ends nothing, so it counts only where a claim has added something.
    fn check(&self, claimed: &[Lease], at: &str) {
        let held = |is_meant: &dyn Fn(&Lease) -> bool| self.held.iter().filter(|held| is_meant(&held.lease)).count();
        for (subject, rule) in &self.rules {
            let is_meant = |lease: &Lease| match subject {
                LimitSubject::Queue(queue) => lease.queue == *queue,
                LimitSubject::Type(job_type) => lease.job_type == *job_type,
            };
            let concurrency = rule.concurrency.expect("each rule has one") as usize;
            if claimed.iter().any(is_meant) {
                assert!(held(&is_meant) <= concurrency, "{at}: {subject} has more than {concurrency}");
            }
        }
    }

    async fn record(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let Held { worker_id, lease, modelled } = self.held.remove(self.random.usize(..self.held.len()));
        let kind = self.random.u32(..10);
        let span = Duration::from_millis(self.random.u64(1..3000));
        let end = |lease: &Lease| match kind {
            0..=5 => ended(lease).completed(),
            6 => ended(lease).retrying(span),
            7 => ended(lease).returned(),
            8 => ended(lease).slow_down(span).deferred(span),
            _ => ended(lease).dead_letter(),
        };
        self.world.finish(&worker_id, end(&lease)).await;
        self.model.record(worker_id, [end(&modelled)].into()).await.expect("it can be recorded");
    }

    async fn change_a_number(&mut self) {
        let subjects: Vec<LimitSubject> = self.rules.keys().cloned().collect();
        let subject = subjects[self.random.usize(..subjects.len())].clone();
        let mut rule = self.rules[&subject].clone();
        rule.concurrency = Some(self.random.u32(1..8));
        self.change(subject, rule).await;
    }

    async fn drain(&mut self, at: &str) {
        for _ in 0..400 {
            self.claim(at).await;
            for Held { worker_id, lease, modelled } in std::mem::take(&mut self.held) {
                self.world.complete(&worker_id, &lease).await;
                let record = ended(&modelled).completed();
                self.model.record(worker_id, [record].into()).await.expect("it can be recorded");
            }
            self.world.clock.advance(Duration::from_millis(500));
        }
        let request = LimitsRequest { selection: LimitSelection::All, after: None, limit: 1000 };
        let rows = self.world.store.limit_page(request).await.expect("they can be listed").limits;
        assert!(rows.iter().all(|row| row.running == 0 && row.waiting == 0), "{at}: {rows:?}");
    }
}

/// What is the same in both databases, whatever ids they give.
fn contents(leases: &[Lease]) -> Vec<(String, String, String, Priority)> {
    let content = |lease: &Lease| {
        (lease.job_type.clone(), lease.job_data.as_str().to_owned(), lease.queue.clone(), lease.priority)
    };
    leases.iter().map(content).collect()
}
