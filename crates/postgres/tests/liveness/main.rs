//! Who lives and who does not, with real processes and servers that stop. The test binary is also the worker that is
//! killed.

#![allow(clippy::unwrap_used, reason = "tests of a harness of their own are not seen as tests")]

mod outages;
mod pooled;
mod processes;
mod schedulers;
#[path = "../support/template.rs"]
mod template;
mod workflow_ends;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Trial};
use longshore_core::{
    Clock, Console, Extended, Job, JobId, Lease, Reclaimed, Record, Recorded, Registration, SessionLost,
    StartedAttempt, Store, StoreError, WorkerId, WorkerSession,
};
use longshore_postgres::{PostgresOptions, PostgresStore};
use longshore_testkit::{claim, ended, heartbeat, job};
use longshore_testkit_postgres::TestDatabase;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some(processes::HOLD) => return processes::hold(&arguments.next().unwrap()),
        Some(schedulers::SETTLE) => return schedulers::settle_until_killed(&arguments.next().unwrap()),
        Some(workflow_ends::END) => return workflow_ends::end_both(&arguments.next().unwrap()),
        _ => {}
    }
    let trials =
        [processes::trials(), outages::trials(), pooled::trials(), schedulers::trials(), workflow_ends::trials()];
    let trials = trials.into_iter().flatten().collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A behaviour in a runtime of its own.
fn trial<F: Future<Output = ()> + 'static>(name: &'static str, run: fn() -> F) -> Trial {
    Trial::test(name, move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run());
        Ok(())
    })
}

fn open(database: &TestDatabase) -> PostgresStore {
    PostgresStore::connect_lazily(PostgresOptions::new(database.config())).unwrap()
}

/// A worker in a store of its own, as in a process of its own.
struct Member {
    store: PostgresStore,
    registration: Registration,
    worker_id: WorkerId,
    session: Box<dyn WorkerSession>,
}

impl Member {
    async fn join(store: PostgresStore, registration: Registration) -> Self {
        let session = store.register(registration.clone()).await.unwrap();
        Self { store, worker_id: registration.worker_id.clone(), registration, session }
    }

    async fn claim_one(&self) -> Lease {
        self.store.claim(claim(&self.worker_id, 1)).await.unwrap().leases.pop().unwrap()
    }

    /// Claims a job and notes that it begins.
    async fn begin_one(&self) -> Lease {
        let lease = self.claim_one().await;
        let begun = StartedAttempt { slot: 0, id: lease.id, claim_number: lease.claim_number, is_accompanied: false };
        self.store.mark_started(self.worker_id.clone(), [begun].into()).await.unwrap();
        lease
    }

    async fn beat(&self, lease: &Lease) -> Result<Extended, StoreError> {
        self.store.extend(heartbeat(&self.worker_id, vec![(lease.id, lease.claim_number)])).await
    }

    async fn lost(&self) -> SessionLost {
        tokio::time::timeout(PATIENCE, self.session.lost()).await.unwrap()
    }

    async fn join_again(&mut self) {
        let again = until("it can register again", || self.store.register(self.registration.clone())).await;
        self.session = again;
    }

    async fn complete(&self, lease: &Lease) {
        let record: Arc<[Record]> = [ended(lease).completed()].into();
        let recorded =
            until("the outcome is recorded", || self.store.record(self.worker_id.clone(), Arc::clone(&record))).await;
        assert_eq!(recorded, [Recorded::Recorded]);
    }
}

/// Repeats a call while the server is away.
async fn until<T, F: Future<Output = Result<T, StoreError>>>(what: &str, call: impl Fn() -> F) -> T {
    let begun = Instant::now();
    loop {
        match call().await {
            Ok(answer) => return answer,
            Err(error) => assert!(begun.elapsed() < PATIENCE, "{what}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Looks for lost workers as often as it is told to, until a job was taken.
async fn look_until_taken(store: &PostgresStore) -> Reclaimed {
    let begun = Instant::now();
    loop {
        let reclaimed = store.reclaim().await.unwrap();
        if reclaimed.jobs > 0 {
            return reclaimed;
        }
        assert!(begun.elapsed() < PATIENCE, "no worker is found lost");
        tokio::time::sleep(reclaimed.next).await;
    }
}

/// Looks for lost workers all this time, and finds none. The server may be away.
async fn look_in_vain(store: &PostgresStore, span: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < span {
        if let Ok(reclaimed) = store.reclaim().await {
            assert_eq!((reclaimed.workers, reclaimed.jobs), (Vec::new(), 0));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn enqueue(store: &PostgresStore) -> JobId {
    store.enqueue(vec![job()]).await.unwrap()[0].id
}

async fn read(store: &PostgresStore, id: JobId) -> Job {
    store.job(id).await.unwrap().unwrap().job
}

/// A clock whose steps a test makes.
fn stepped(options: PostgresOptions, clock: &longshore_testkit::FakeClock) -> PostgresStore {
    let clock: Arc<dyn Clock> = Arc::new(clock.clone());
    PostgresStore::connect_lazily(options.clock(clock)).unwrap()
}
