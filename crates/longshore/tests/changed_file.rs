//! The file changes under an open queue. Nothing is acknowledged that would not be in the file at its path.

#![allow(clippy::unwrap_used, reason = "what a table of tests holds is not seen as a test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use longshore::{JobData, NewJob, OutsideCause, Queue, StoreError, Worker, WorkerError, rusqlite};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::sync::Notify;

#[derive(Serialize, Deserialize)]
struct Step {}

impl longshore::Payload for Step {
    const JOB_TYPE: &'static str = "step";
}

const PATIENCE: Duration = Duration::from_secs(60);

struct Scene {
    folder: TempDir,
    queue: Queue,
}

/// A change of the file.
type Change = fn(&Scene);

/// Every change, with the code of the error that follows.
const CHANGES: [(Change, &str); 8] = [
    (|scene| fs::rename(scene.path(), scene.at("moved.db")).unwrap(), "database_moved"),
    (replace, "database_moved"),
    (|scene| fs::remove_file(scene.path()).unwrap(), "database_moved"),
    (|scene| fs::remove_file(scene.at("queue.db-wal")).unwrap(), "database_log_gone"),
    (replace_log, "database_log_gone"),
    (|scene| fs::remove_file(scene.at("queue.db-shm")).unwrap(), "database_log_gone"),
    (replace_index, "database_log_gone"),
    (|scene| fs::hard_link(scene.path(), scene.at("second.db")).unwrap(), "database_hard_linked"),
];

fn replace_log(scene: &Scene) {
    fs::write(scene.at("new"), "").unwrap();
    fs::rename(scene.at("new"), scene.at("queue.db-wal")).unwrap();
}

fn replace_index(scene: &Scene) {
    fs::write(scene.at("new"), "").unwrap();
    fs::rename(scene.at("new"), scene.at("queue.db-shm")).unwrap();
}

fn replace(scene: &Scene) {
    let backup = scene.at("backup.db");
    rusqlite::Connection::open(scene.path()).unwrap().execute("VACUUM INTO ?1", [backup.to_str().unwrap()]).unwrap();
    fs::rename(backup, scene.path()).unwrap();
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let queue = Queue::open_blocking(folder.path().join("queue.db").to_str().unwrap()).unwrap();
        queue.enqueue_job_blocking(job()).unwrap();
        Self { folder, queue }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn path(&self) -> PathBuf {
        self.at("queue.db")
    }
}

fn job() -> NewJob {
    NewJob::new("step", JobData::default())
}

fn ids_in(path: &Path) -> Vec<i64> {
    let connection = rusqlite::Connection::open(path).unwrap();
    let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    let mut read = connection.prepare("SELECT id FROM job_queue ORDER BY id").unwrap();
    read.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn an_enqueue_on_a_changed_file_is_an_error_and_stays_one() {
    for (change, code) in CHANGES {
        let scene = Scene::new();
        change(&scene);
        for _ in 0..3 {
            let refused = scene.queue.enqueue_job_blocking(job()).unwrap_err();
            assert_eq!(refused.code(), code);
            assert!(!refused.is_passing() && refused.hint().is_some(), "{refused}");
        }
        let refused = scene.queue.job_blocking(longshore::JobId(1)).unwrap_err();
        assert_eq!(refused.code(), code, "a read is no better");
    }
}

#[tokio::test]
async fn a_worker_on_a_changed_file_ends_with_the_error() {
    for (change, code) in CHANGES {
        let scene = Scene::new();
        let began = Arc::new(Notify::new());
        let told = Arc::clone(&began);
        let worker = Worker::new(&scene.queue).handle(move |_: Step, _| {
            told.notify_one();
            async { Ok(()) }
        });
        let running = tokio::spawn(worker.run(std::future::pending()));
        tokio::time::timeout(PATIENCE, began.notified()).await.unwrap();

        change(&scene);

        let ended = tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap();
        let Err(WorkerError::Store(error)) = ended else { panic!("{code}: {ended:?}") };
        assert_eq!(error.code(), code);
    }
}

#[test]
fn every_job_that_was_acknowledged_before_its_file_was_moved_is_in_the_moved_file() {
    let scene = Scene::new();
    let (queue, (sender, acknowledged)) = (scene.queue.clone(), std::sync::mpsc::channel());
    let producer = std::thread::spawn(move || {
        loop {
            match queue.enqueue_job_blocking(job()) {
                Ok(enqueued) => sender.send(enqueued.id.0).unwrap(),
                Err(error) => return error,
            }
        }
    });
    let mut known: Vec<i64> = (0..50).map(|_| acknowledged.recv().unwrap()).collect();
    fs::rename(scene.path(), scene.at("moved.db")).unwrap();
    let error = producer.join().unwrap();
    known.extend(acknowledged.try_iter());

    assert!(matches!(error, StoreError::Outside(OutsideCause::Moved { .. })), "{error}");
    let there = ids_in(&scene.at("moved.db"));
    assert!(known.iter().all(|id| there.contains(id)), "{} of {}", there.len(), known.len());
}

#[test]
fn every_job_that_was_acknowledged_before_the_log_was_deleted_is_in_the_file() {
    let scene = Scene::new();
    let known: Vec<i64> = (0..50).map(|_| scene.queue.enqueue_job_blocking(job()).unwrap().id.0).collect();
    fs::remove_file(scene.at("queue.db-wal")).unwrap();
    assert!(matches!(scene.queue.enqueue_job_blocking(job()), Err(StoreError::Outside(OutsideCause::LogGone { .. }))));
    drop(scene.queue);
    let there = ids_in(&scene.folder.path().join("queue.db"));
    assert_eq!(there.len(), known.len() + 1);
}

#[test]
fn a_job_in_the_callers_own_transaction_is_refused_on_a_changed_file() {
    let scene = Scene::new();
    let path = scene.path();
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("BEGIN").unwrap();
    Queue::enqueue_job_in(&connection, &job()).unwrap();
    connection.execute_batch("COMMIT").unwrap();

    fs::hard_link(&path, scene.at("second.db")).unwrap();
    assert!(matches!(
        Queue::enqueue_job_in(&connection, &job()),
        Err(StoreError::Outside(OutsideCause::HardLinked { links: 2, .. }))
    ));
    fs::remove_file(scene.at("second.db")).unwrap();
    Queue::enqueue_job_in(&connection, &job()).unwrap();
    fs::rename(&path, scene.at("moved.db")).unwrap();
    assert!(matches!(Queue::enqueue_job_in(&connection, &job()), Err(StoreError::Outside(OutsideCause::Moved { .. }))));
}

#[test]
fn a_queue_is_not_opened_where_only_the_log_of_a_database_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let [missing, empty] = ["missing.db", "empty.db"].map(|name| folder.path().join(name));
    fs::write(&empty, "").unwrap();
    for path in [&missing, &empty] {
        let log = path.with_extension("db-wal");
        fs::write(&log, "frames").unwrap();

        let refused = Queue::open_blocking(path.to_str().unwrap()).unwrap_err();

        assert_eq!(refused.code(), "database_log_left", "{refused}");
        assert_eq!(fs::read_to_string(&log).unwrap(), "frames");
        fs::remove_file(log).unwrap();
        Queue::open_blocking(path.to_str().unwrap()).unwrap();
    }
}

#[test]
fn a_queue_that_is_opened_anew_after_the_change_works() {
    for (change, code) in CHANGES {
        let scene = Scene::new();
        change(&scene);
        assert_eq!(scene.queue.enqueue_job_blocking(job()).unwrap_err().code(), code);
        let (path, second) = (scene.path(), scene.at("second.db"));
        drop(scene.queue);
        let _ = fs::remove_file(second);
        let queue = Queue::open_blocking(path.to_str().unwrap()).unwrap();
        queue.enqueue_job_blocking(job()).unwrap();
    }
}
