//! The liveness file of a worker: what it proves when it exists, and that its absence proves nothing.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use longshore_core::{
    Console, JobId, Lease, OutsideCause, Registration, StartedAttempt, Status, Store, StoreError, WorkerId,
    WorkerSession,
};
use longshore_sqlite::SqliteStore;
use longshore_sqlite::rusqlite::TransactionBehavior;
use longshore_testkit::heartbeat;

use crate::database::{Database, LEASE, job, registration, request};

/// A worker of another process that has started one job and only claimed another one.
struct Other {
    store: SqliteStore,
    worker_id: WorkerId,
    registration: Registration,
    session: Box<dyn WorkerSession>,
    begun: JobId,
    claimed: JobId,
    leases: Vec<Lease>,
}

impl Other {
    async fn new(database: &Database, store: SqliteStore) -> Self {
        let (begun, claimed) = (database.enqueue(job()).await, database.enqueue(job()).await);
        let registration = registration();
        let worker_id = registration.worker_id.clone();
        let session = store.register(registration.clone()).await.unwrap();
        let leases = store.claim(request(&worker_id, 2)).await.unwrap().leases;
        let lease = &leases[0];
        let (id, claim_number) = (lease.id, lease.claim_number);
        let attempt = StartedAttempt { slot: 3, id, claim_number, is_accompanied: false };
        store.mark_started(worker_id.clone(), [attempt].into()).await.unwrap();
        Self { store, worker_id, registration, session, begun, claimed, leases }
    }

    fn file(&self, database: &Database) -> PathBuf {
        folder(database).join(self.worker_id.as_str())
    }

    async fn extend(&self) {
        let held = self.leases.iter().map(|lease| (lease.id, lease.claim_number)).collect();
        assert_eq!(self.store.extend(heartbeat(&self.worker_id, held)).await.unwrap().lost, []);
    }

    /// Whether its last heartbeat has found that its session is lost.
    async fn is_session_lost(&self) -> bool {
        tokio::time::timeout(Duration::ZERO, self.session.lost()).await.is_ok()
    }

    async fn register_again(&mut self) {
        self.session = self.store.register(self.registration.clone()).await.unwrap();
    }

    async fn crash_counts(&self, database: &Database) -> (u32, u32) {
        (database.job(self.begun).await.crash_count, database.job(self.claimed).await.crash_count)
    }
}

fn folder(database: &Database) -> PathBuf {
    database.path().with_file_name("queue.db-workers")
}

type Harm = fn(&PathBuf, &PathBuf);

/// What can happen to the folder and the file of a living worker.
const HARMS: [(&str, Harm); 7] = [
    ("the folder is removed", |folder, _| fs::remove_dir_all(folder).unwrap()),
    ("the file is removed", |_, file| fs::remove_file(file).unwrap()),
    ("an empty file takes its place", |_, file| {
        fs::remove_file(file).unwrap();
        fs::write(file, b"").unwrap();
    }),
    ("a copy takes its place", |_, file| {
        let copy = file.with_extension("copy");
        fs::copy(file, &copy).unwrap();
        fs::rename(copy, file).unwrap();
    }),
    ("a folder takes its place", |_, file| {
        fs::remove_file(file).unwrap();
        fs::create_dir(file).unwrap();
    }),
    ("a named pipe takes its place", |_, file| {
        fs::remove_file(file).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(file).status().unwrap().success());
    }),
    ("a copy takes the place of the folder", |folder, file| {
        let moved = folder.with_extension("moved");
        fs::rename(folder, &moved).unwrap();
        fs::create_dir(folder).unwrap();
        fs::copy(moved.join(file.file_name().unwrap()), file).unwrap();
    }),
];

#[tokio::test]
async fn a_missing_or_strange_file_is_no_proof_of_death() {
    for (what, harm) in HARMS {
        let database = Database::new();
        let other = Other::new(&database, database.another_store()).await;

        harm(&folder(&database), &other.file(&database));

        assert_eq!(database.look_for(Duration::from_secs(5)).await.jobs, 0, "{what}");
        other.extend().await;
        assert!(other.is_session_lost().await, "{what}");
        assert_eq!(database.job(other.begun).await.status, Status::Running, "{what}");
    }
}

#[tokio::test]
async fn a_worker_whose_folder_became_a_file_cannot_be_registered_and_waiting_cannot_help() {
    let database = Database::new();
    let mut other = Other::new(&database, database.another_store()).await;
    fs::remove_dir_all(folder(&database)).unwrap();
    fs::write(folder(&database), "x").unwrap();

    let error = other.store.register(other.registration.clone()).await.err().unwrap();

    assert!(!error.is_passing(), "{error}");
    assert!(
        matches!(&error, StoreError::Outside(OutsideCause::NotAFolder { path }) if *path == folder(&database)),
        "{error}"
    );
    fs::remove_file(folder(&database)).unwrap();
    other.register_again().await;
    other.store.close();
}

#[tokio::test]
async fn a_worker_that_is_registered_again_restores_its_file_and_then_its_death_is_seen_at_once_again() {
    for (what, harm) in HARMS {
        let database = Database::new();
        let mut other = Other::new(&database, database.another_store()).await;
        harm(&folder(&database), &other.file(&database));

        other.extend().await;
        other.register_again().await;
        other.extend().await;

        assert!(!other.is_session_lost().await, "{what}");
        assert_eq!(database.store.reclaim().await.unwrap().jobs, 0, "{what}");
        other.store.close();
        assert_eq!(database.store.reclaim().await.unwrap().jobs, 2, "{what}");
        assert_eq!(other.crash_counts(&database).await, (1, 0), "{what}");
        let left: Vec<_> = fs::read_dir(folder(&database)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.is_empty(), "{what}: {left:?}");
    }
}

#[tokio::test]
async fn while_the_file_cannot_be_restored_the_lease_holds_and_the_session_stays_lost() {
    let database = Database::new();
    let mut other = Other::new(&database, database.another_store()).await;
    fs::remove_dir_all(folder(&database)).unwrap();
    fs::write(folder(&database), b"").unwrap();
    other.extend().await;

    for _ in 0..3 {
        assert!(other.store.register(other.registration.clone()).await.is_err());
        assert!(other.is_session_lost().await);
        assert_eq!(database.look_for(LEASE / 2).await.jobs, 0);
        other.extend().await;
    }

    fs::remove_file(folder(&database)).unwrap();
    other.register_again().await;
    other.extend().await;
    assert!(!other.is_session_lost().await);
    other.store.close();
    assert_eq!(database.store.reclaim().await.unwrap().jobs, 2);
    assert_eq!(other.crash_counts(&database).await, (1, 0));
}

#[tokio::test]
async fn a_registration_that_nobody_waits_for_leaves_no_living_worker_behind() {
    let database = Database::new();
    let store = database.another_store();

    drop(tokio::time::timeout(Duration::ZERO, store.register(registration())).await);

    // Whatever became of the registration is written before this.
    store.enqueue(vec![job()]).await.unwrap();
    database.store.reclaim().await.unwrap();
    assert_eq!(database.store.workers().await.unwrap(), []);
}

#[tokio::test]
async fn a_dead_worker_without_its_file_loses_its_jobs_with_its_lease() {
    let database = Database::new();
    let other = Other::new(&database, database.another_store()).await;
    fs::remove_dir_all(folder(&database)).unwrap();
    other.store.close();

    assert_eq!(database.look_for(LEASE - Duration::from_secs(1)).await.jobs, 0);
    assert_eq!(database.look_for(Duration::from_secs(12)).await.jobs, 2);

    assert_eq!(other.crash_counts(&database).await, (0, 0));
    let next = database.worker().await;
    // It is unknown what had started, so both count.
    assert!(database.claim(&next, 2).await.leases.iter().all(|lease| lease.budgets.crash_count == 1));
}

#[tokio::test]
async fn a_file_that_was_emptied_or_torn_means_that_everything_had_begun() {
    for length in [0, 7, 63] {
        let database = Database::new();
        let other = Other::new(&database, database.another_store()).await;
        let file = fs::OpenOptions::new().write(true).open(other.file(&database)).unwrap();
        file.set_len(length).unwrap();
        other.store.close();

        assert_eq!(database.store.reclaim().await.unwrap().jobs, 2, "{length}");

        assert_eq!(other.crash_counts(&database).await, (1, 1), "{length}");
    }
}

#[tokio::test]
async fn a_file_from_before_the_machine_started_means_that_everything_had_begun() {
    let database = Database::new();
    let before = SqliteStore::open(database.options().boot_id("the boot before")).unwrap();
    let other = Other::new(&database, before).await;
    other.store.close();

    assert_eq!(database.store.reclaim().await.unwrap().jobs, 2);

    assert_eq!(other.crash_counts(&database).await, (1, 1));
}

#[tokio::test]
async fn a_start_of_the_machine_is_a_death_though_the_file_went_with_it() {
    for (what, harm) in HARMS {
        let database = Database::new();
        let before = SqliteStore::open(database.options().boot_id("the boot before")).unwrap();
        let other = Other::new(&database, before).await;
        harm(&folder(&database), &other.file(&database));
        other.store.close();

        assert_eq!(database.store.reclaim().await.unwrap().jobs, 2, "{what}");

        assert_eq!(other.crash_counts(&database).await, (1, 1), "{what}");
    }
}

#[tokio::test]
async fn within_one_boot_only_what_had_begun_counts() {
    let database = Database::new();
    let options = || database.options().boot_id("this boot");
    let other = Other::new(&database, SqliteStore::open(options()).unwrap()).await;
    other.store.close();
    let observer = SqliteStore::open(options()).unwrap();

    assert_eq!(observer.reclaim().await.unwrap().jobs, 2);

    assert_eq!(other.crash_counts(&database).await, (1, 0));
    observer.close();
}

#[tokio::test]
async fn while_nobody_can_write_no_lease_ends_and_afterwards_the_worker_comes_first() {
    let database = Database::new();
    let patience = Duration::from_millis(20);
    let other = Other::new(&database, SqliteStore::open(database.options().busy_timeout(patience)).unwrap()).await;
    let observer = SqliteStore::open(database.options().busy_timeout(patience)).unwrap();
    observer.reclaim().await.unwrap();
    let mut foreign = database.foreign();
    let lock = foreign.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();

    let mut refusals = 0;
    for _ in 0..20 {
        database.clock.advance(LEASE / 8);
        match observer.reclaim().await {
            Ok(reclaimed) => assert_eq!(reclaimed.jobs, 0),
            Err(error) => {
                assert!(matches!(error, StoreError::Outside(OutsideCause::Busy { .. })), "{error}");
                refusals += 1;
            }
        }
    }
    lock.commit().unwrap();

    assert!(refusals > 5, "it tried to write {refusals} times");
    for _ in 0..4 {
        assert_eq!(observer.reclaim().await.unwrap().jobs, 0);
        database.clock.advance(Duration::from_secs(2));
    }
    other.extend().await;
    assert_eq!(observer.reclaim().await.unwrap().jobs, 0);
    observer.close();
    other.store.close();
}

#[tokio::test]
async fn a_file_that_nobody_is_left_to_remove_is_removed_later() {
    let database = Database::new();
    let other = Other::new(&database, database.another_store()).await;
    assert_eq!(database.look_for(LEASE + Duration::from_secs(11)).await.jobs, 2);
    other.store.close();

    database.store.reclaim().await.unwrap();
    assert!(other.file(&database).exists(), "it is too fresh");
    let file = fs::File::options().write(true).open(other.file(&database)).unwrap();
    file.set_modified(std::time::SystemTime::now() - Duration::from_secs(120)).unwrap();
    database.store.reclaim().await.unwrap();

    assert!(!other.file(&database).exists());
}

#[tokio::test]
async fn a_worker_that_does_not_come_back_keeps_its_file_while_its_process_lives() {
    let database = Database::new();
    let other = Other::new(&database, database.another_store()).await;

    assert_eq!(database.look_for(LEASE + Duration::from_secs(11)).await.jobs, 2);

    assert!(other.file(&database).exists());
    assert_eq!(database.store.workers().await.unwrap(), []);
    other.store.retire(other.worker_id.clone()).await.unwrap();
    assert!(!other.file(&database).exists());
}
