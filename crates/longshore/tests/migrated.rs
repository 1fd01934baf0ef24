//! A migration under a running worker, with the real store and the real migrations: it pauses rather than fails.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "worker/warnings.rs"]
mod warnings;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use longshore::testing::ScratchQueue;
use longshore::{Payload, Queue, Status, StoreError, Worker, WorkerError, rusqlite};
use longshore_migrate::{DataLoss, Migrator, RunRequest};
use longshore_migrate_sqlite::{Access, SqliteTarget};
use longshore_sqlite::migrations::longshore;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use crate::warnings::Warnings;

const PAUSED: &str = "paused by a migration";
const GOES_ON: &str = "the worker continues";

#[derive(Serialize, Deserialize)]
struct Step;

impl Payload for Step {
    const JOB_TYPE: &'static str = "step";
}

/// Handlers that say when they begin, and end when they are let.
#[derive(Clone, Default)]
struct Gate {
    begun: Arc<Notify>,
    open: Arc<Notify>,
    runs: Arc<AtomicU32>,
}

fn worker(queue: &Queue, gate: &Gate) -> Worker {
    let gate = gate.clone();
    let step = move |_: Step, _| {
        let gate = gate.clone();
        async move {
            gate.runs.fetch_add(1, Ordering::SeqCst);
            gate.begun.notify_one();
            gate.open.notified().await;
            Ok(())
        }
    };
    Worker::new(queue).concurrency(1).handle(step)
}

/// A worker that runs until it is told to stop.
struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), WorkerError>>,
}

impl Running {
    fn begin(worker: Worker) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self { stop, task: tokio::spawn(worker.run(async { drop(stopped.await) })) }
    }

    /// Tells it to stop; it must do so soon, and without an error.
    async fn end(self) {
        drop(self.stop);
        tokio::time::timeout(Duration::from_secs(30), self.task).await.unwrap().unwrap().unwrap();
    }
}

fn migrator(path: &Path) -> Migrator<'static> {
    Migrator::new(Box::new(SqliteTarget::open(path, Access::Write).unwrap()), vec![longshore()])
}

fn down(queue: &ScratchQueue) {
    migrator(&queue.path()).down(&RunRequest { data_loss: DataLoss::Allow, ..RunRequest::default() }).unwrap();
}

fn up(queue: &ScratchQueue) {
    migrator(&queue.path()).up(&RunRequest::default()).unwrap();
}

/// Read past the store, which answers nothing about a schema that it does not understand.
fn status(queue: &ScratchQueue, id: i64) -> String {
    let connection = rusqlite::Connection::open(queue.path()).unwrap();
    connection.query_row("SELECT status FROM job_queue WHERE id = ?1", [id], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_worker_pauses_while_a_migration_is_undone_and_goes_on_when_it_is_back() {
    let (warnings, _guard) = Warnings::listen();
    let (queue, gate) = (ScratchQueue::open().await.unwrap(), Gate::default());
    let first = queue.enqueue(&Step).await.unwrap().id;
    let second = queue.enqueue(&Step).await.unwrap().id;
    let running = Running::begin(worker(&queue, &gate));
    gate.begun.notified().await;

    down(&queue);
    gate.open.notify_one();
    warnings.until(PAUSED, 1).await;

    assert_eq!((status(&queue, first.0), status(&queue, second.0)), ("running".to_owned(), "pending".to_owned()));
    let refused = queue.enqueue(&Step).await;
    assert!(refused.is_err(), "{refused:?}");
    up(&queue);
    gate.open.notify_one();
    warnings.until(GOES_ON, 1).await;
    for id in [first, second] {
        assert_eq!(queue.wait(id, Duration::from_secs(60)).await.unwrap().job.status, Status::Completed);
    }
    assert_eq!(gate.runs.load(Ordering::SeqCst), 2, "no outcome was lost");
    running.end().await;
    // A read that began while the migration was undone may be answered after the pause is over, and pauses it again.
    let pauses = warnings.count(PAUSED);
    assert!((1..=2).contains(&pauses), "one line for each pause: {:?}", warnings.told);
    assert_eq!(warnings.count(GOES_ON), pauses, "{:?}", warnings.told);
    assert_eq!(warnings.count("longshore migrate status"), pauses, "the hint is part of it");
    assert_eq!(warnings.count("the store fails"), 0, "{:?}", warnings.told);
}

#[tokio::test]
async fn a_worker_that_does_nothing_notices_a_migration_too() {
    let (warnings, _guard) = Warnings::listen();
    let (queue, gate) = (ScratchQueue::open().await.unwrap(), Gate::default());
    let running = Running::begin(worker(&queue, &gate));

    down(&queue);
    warnings.until(PAUSED, 1).await;
    up(&queue);
    warnings.until(GOES_ON, 1).await;
    let id = queue.enqueue(&Step).await.unwrap().id;
    gate.open.notify_one();

    assert_eq!(queue.wait(id, Duration::from_secs(60)).await.unwrap().job.status, Status::Completed);
    running.end().await;
}

#[tokio::test]
async fn a_newer_schema_pauses_a_worker_although_the_tables_that_it_knows_are_the_same() {
    let (warnings, _guard) = Warnings::listen();
    let (queue, gate) = (ScratchQueue::open().await.unwrap(), Gate::default());
    let running = Running::begin(worker(&queue, &gate));
    gate.open.notify_one();
    let id = queue.enqueue(&Step).await.unwrap().id;
    queue.wait(id, Duration::from_secs(60)).await.unwrap();

    let newer = "BEGIN; CREATE TABLE job_moons (id INTEGER PRIMARY KEY);
        INSERT INTO longshore_migrations (source, migration_number, migration_name) VALUES ('longshore', 99, 'moons'); COMMIT";
    rusqlite::Connection::open(queue.path()).unwrap().execute_batch(newer).unwrap();

    warnings.until(PAUSED, 1).await;
    running.end().await;
}

#[tokio::test]
async fn a_paused_worker_ends_when_it_is_told_to() {
    let (warnings, _guard) = Warnings::listen();
    let (queue, gate) = (ScratchQueue::open().await.unwrap(), Gate::default());
    let running = Running::begin(worker(&queue, &gate));
    down(&queue);
    warnings.until(PAUSED, 1).await;

    running.end().await;
}

#[tokio::test]
async fn a_drain_ends_with_the_error_in_place_of_waiting_for_ever() {
    let (queue, gate) = (ScratchQueue::open().await.unwrap(), Gate::default());
    queue.enqueue(&Step).await.unwrap();
    let running = tokio::spawn(worker(&queue, &gate).run_until_drained());
    gate.begun.notified().await;

    down(&queue);
    gate.open.notify_one();

    let ended = tokio::time::timeout(Duration::from_secs(60), running).await.unwrap().unwrap();
    assert!(matches!(ended, Err(WorkerError::Store(StoreError::SchemaChanged { .. }))), "{ended:?}");
}

#[tokio::test]
async fn a_handler_goes_on_in_a_pause_that_outlasts_its_lease_and_its_outcome_is_kept() {
    let (warnings, _guard) = Warnings::listen();
    let (queue, gate) = (ScratchQueue::open().await.unwrap(), Gate::default());
    let id = queue.enqueue(&Step).await.unwrap().id;
    let lease = Duration::from_secs(1);
    let running = Running::begin(worker(&queue, &gate).lease(lease));
    gate.begun.notified().await;

    down(&queue);
    warnings.until(PAUSED, 1).await;
    // Nobody could write, so nobody could have taken the job.
    tokio::time::sleep(lease * 2).await;
    gate.open.notify_one();
    up(&queue);

    let detail = queue.wait(id, Duration::from_secs(60)).await.unwrap();
    assert_eq!((detail.job.status, detail.job.crash_count), (Status::Completed, 0));
    assert_eq!(detail.attempts.len(), 1, "{:?}", detail.attempts);
    running.end().await;
}
