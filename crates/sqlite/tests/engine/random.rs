use std::time::Duration;

use fastrand::Rng;
use longshore_core::{
    Action, AttemptEnd, Console, Failure, FailureType, Filter, JobId, Lease, NewJob, RetryPolicy, Selection,
    StartedAttempt, Status, Store, WorkerId, decide,
};
use longshore_testkit::heartbeat;

use crate::database::{Database, job, register, request};

/// After any mixture of moves, by the engine and by plain SQL, the counts are what the rows come to and no job has
/// vanished or hangs.
#[tokio::test]
async fn after_a_random_run_the_counts_are_true_and_every_job_is_accounted_for() {
    for seed in 0..6 {
        let mut run = Run::new(seed).await;
        for _ in 0..250 {
            run.step().await;
        }
        run.check(seed);
    }
}

struct Run {
    database: Database,
    random: Rng,
    worker: WorkerId,
    held: Vec<Lease>,
    last: i64,
}

impl Run {
    async fn new(seed: u64) -> Self {
        let database = Database::new();
        let worker = database.worker().await;
        Self { database, random: Rng::with_seed(seed), worker, held: Vec::new(), last: 0 }
    }

    async fn step(&mut self) {
        match self.random.u8(0..12) {
            0..3 => self.enqueue().await,
            3..5 => self.claim().await,
            5..8 => self.end_some().await,
            8 => self.act().await,
            9 => self.pass_time().await,
            10 => self.foreign(),
            _ => self.crash().await,
        }
    }

    async fn enqueue(&mut self) {
        let jobs: Vec<NewJob> = (0..self.random.usize(1..8)).map(|_| self.job()).collect();
        for made in self.database.store.enqueue(jobs).await.unwrap() {
            self.last = self.last.max(made.id.0);
        }
    }

    fn job(&mut self) -> NewJob {
        let mut new = job().queue(["a", "b", "c"][self.random.usize(0..3)]);
        new.priority.0 = self.random.i32(-2..3);
        if self.random.u8(0..5) == 0 {
            new = new.unique_key(format!("k{}", self.random.u8(0..5)));
        }
        if self.random.u8(0..5) == 0 {
            new = new.delay(Duration::from_secs(self.random.u64(0..5)));
        }
        // A child of a child of a job that is there, but never of one that was deleted.
        if self.last > 0 && self.random.u8(0..4) == 0 && self.exists(self.last) {
            new = new.parent(JobId(self.last));
        }
        new
    }

    fn exists(&self, id: i64) -> bool {
        self.database.number(&format!("SELECT count(*) FROM job_queue WHERE id = {id}")) == 1
    }

    async fn claim(&mut self) {
        let limit = self.random.u32(1..9);
        self.held.extend(self.database.claim(&self.worker, limit).await.leases);
    }

    async fn pass_time(&mut self) {
        self.database.clock.advance(Duration::from_secs(self.random.u64(0..4)));
        let held = self.held.iter().map(|lease| (lease.id, lease.claim_number)).collect();
        assert_eq!(self.database.store.extend(heartbeat(&self.worker, held)).await.unwrap().lost, []);
    }

    async fn end_some(&mut self) {
        self.random.shuffle(&mut self.held);
        let ended = self.held.split_off(self.held.len() / 2);
        let mut records = Vec::new();
        for lease in &ended {
            let end = match self.random.u8(0..6) {
                0 => AttemptEnd::Failed(Failure::new(FailureType::NetworkError, "no route")),
                1 => AttemptEnd::Failed(Failure::new(FailureType::ConfigError, "no key")),
                2 => AttemptEnd::Snoozed { delay: Duration::from_secs(2) },
                3 => AttemptEnd::Cancelled,
                4 => AttemptEnd::Interrupted,
                _ => AttemptEnd::Completed { result: None },
            };
            let now = longshore_core::Clock::now(&*self.database.clock);
            let outcome = decide(&lease.budgets, end, &RetryPolicy::default(), now, 0.5);
            records.push(self.database.outcome(lease, outcome));
        }
        self.database.store.record(self.worker.clone(), records.into()).await.unwrap();
    }

    async fn act(&mut self) {
        let action = [Action::Cancel, Action::Retry, Action::Delete, Action::Discard][self.random.usize(0..4)];
        let statuses = vec![Status::ALL[self.random.usize(0..Status::ALL.len())]];
        let ids = (0..4).map(|_| JobId(self.random.i64(1..=self.last.max(1)))).collect();
        let selection = if self.random.bool() {
            Selection::Jobs(ids)
        } else {
            Selection::from(Filter::all().statuses(statuses).queues(vec!["b".to_owned()]))
        };
        self.database.store.act(selection, action).await.unwrap();
    }

    fn foreign(&mut self) {
        let foreign = self.database.foreign();
        foreign.execute("INSERT INTO job_queue (job_type, queue) VALUES ('sms', 'c')", []).unwrap();
        self.last = self.last.max(foreign.last_insert_rowid());
        foreign.execute("DELETE FROM job_queue WHERE status = 'cancelled' AND id % 7 = 0", []).unwrap();
    }

    /// The process of another worker dies with some jobs, of which one had begun.
    async fn crash(&mut self) {
        let store = self.database.another_store();
        let worker = register(&store).await;
        let leases = store.claim(request(&worker, 3)).await.unwrap().leases;
        if let Some(lease) = leases.first() {
            let begun =
                StartedAttempt { slot: 0, id: lease.id, claim_number: lease.claim_number, is_accompanied: false };
            store.mark_started(worker.clone(), [begun].into()).await.unwrap();
        }
        store.close();
        let reclaimed = self.database.store.reclaim().await.unwrap();
        assert_eq!(reclaimed.jobs, leases.len() as u64);
    }

    fn check(&self, seed: u64) {
        self.database.assert_counts_are_true();
        let running = self.database.number("SELECT count(*) FROM job_queue WHERE status = 'running'");
        assert_eq!(running, self.held.len() as i64, "seed {seed}");
        let blocked =
            "SELECT count(*) FROM job_queue AS child JOIN job_queue AS parent ON parent.id = child.parent_job_id
            WHERE child.status = 'blocked' AND parent.status = 'completed'";
        assert_eq!(self.database.number(blocked), 0, "seed {seed}");
        let integrity: String =
            self.database.foreign().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(integrity, "ok", "seed {seed}");
    }
}
