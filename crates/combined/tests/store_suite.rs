//! The behaviours that every store must have, and the random run against the model, on two databases behind one store.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use longshore_combined::{CombinedStore, NamedDatabase, Numbering, Opening};
use longshore_core::{IdRange, JobId, Limits, Status, WorkerId};
use longshore_testkit::suite::{Harness, PlainInsert};
use longshore_testkit::{FakeClock, MemoryStore, RandomRun, store_suite, workflow_suite};

/// Two databases in memory. The first one has every queue.
struct Both {
    databases: [MemoryStore; 2],
    opened: AtomicU64,
    /// The processes, by the name of their first database.
    processes: Mutex<Vec<(String, [MemoryStore; 2])>>,
}

impl Harness for Both {
    type Store = CombinedStore;

    fn create(clock: FakeClock, limits: Limits) -> Self {
        let databases = [MemoryStore::with_limits(clock.clone(), limits), MemoryStore::with_limits(clock, limits)];
        Self { databases, opened: AtomicU64::new(0), processes: Mutex::default() }
    }

    fn open(&self) -> CombinedStore {
        let process = self.databases.each_ref().map(MemoryStore::another_process);
        let name = format!("first-of-{}", self.opened.fetch_add(1, Ordering::Relaxed));
        let named = |name: String, store: &MemoryStore| NamedDatabase {
            queues: Vec::new(),
            // The suite gives the first one others.
            range: IdRange::new(if name == "second" { 9 } else { 0 }).filter(|range| range.number() > 0),
            opening: Opening::Open(Arc::new(store.clone())),
            name,
        };
        let databases = vec![named(name.clone(), &process[0]), named("second".to_owned(), &process[1])];
        self.processes.lock().unwrap_or_else(PoisonError::into_inner).push((name, process));
        opened(CombinedStore::open(databases, Numbering::Assign))
    }

    fn try_insert_plainly(&self, plain: &PlainInsert) -> Result<JobId, String> {
        self.databases[0].try_insert_plainly(plain)
    }

    fn refuse(&self, id: JobId, moves: &[Status]) {
        self.databases[0].refuse(id, moves);
    }

    fn refuse_type(&self, job_type: &str) {
        self.databases[0].refuse_type(job_type, "a constraint of the application");
    }

    fn write_newer_definition(&self, schedule: &str) {
        self.databases[0].spoil_definition(schedule);
    }

    fn kill(&self, store: CombinedStore) {
        let name = &store.databases()[0].0;
        let processes = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, process) = processes.iter().find(|(of, _)| **of == **name).expect("it was opened here");
        process.iter().for_each(MemoryStore::die);
    }

    fn lose_session(&self, worker_id: &WorkerId) {
        self.databases[0].lose_session(worker_id);
    }
}

/// On a thread of its own, because a test opens it inside of its runtime.
fn opened<E: std::fmt::Debug + Send + 'static>(
    opening: impl Future<Output = Result<CombinedStore, E>> + Send + 'static,
) -> CombinedStore {
    let runtime = || tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts");
    let thread = std::thread::spawn(move || runtime().block_on(opening));
    thread.join().expect("it does not panic").expect("the databases fit together")
}

store_suite!(crate::Both);
workflow_suite!(crate::Both);

#[tokio::test]
async fn two_databases_agree_with_the_model_under_a_random_run() {
    RandomRun::from_env(500).on::<Both>().await;
}
