//! The library on a real database: the README example, and what only a file can show.

use longshore::testing::{self, ScratchQueue};
use longshore::{Databases, Payload, Queue, QueueError, Status, StoreError, Worker, rusqlite};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    number: u32,
}

impl Payload for Order {
    const JOB_TYPE: &'static str = "order";
}

fn worker(queue: &Queue) -> Worker {
    Worker::new(queue).handle(|order: Order, attempt| async move {
        if order.number > 0 {
            attempt.queue().enqueue(&Order { number: order.number - 1 }).await?;
        }
        Ok(())
    })
}

#[tokio::test]
async fn a_fresh_file_takes_jobs_and_works_them_off() {
    let queue = ScratchQueue::open().await.unwrap();
    let id = queue.enqueue(&Order { number: 3 }).await.unwrap().id;

    worker(&queue).run_until_drained().await.unwrap();

    assert_eq!(queue.job(id).await.unwrap().unwrap().job.status, Status::Completed);
    assert_eq!(testing::waiting::<Order>(&queue).await.unwrap(), []);
}

#[tokio::test]
async fn many_jobs_are_worked_off_once_each() {
    let queue = ScratchQueue::open().await.unwrap();
    let jobs = (0..5000).map(|_| Order { number: 0 }.to_job().unwrap()).collect();
    queue.enqueue_all(jobs).await.unwrap();
    let ran = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let count = ran.clone();
    let worker = Worker::new(&queue).handle(move |_: Order, _| {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        async { Ok(()) }
    });

    worker.run_until_drained().await.unwrap();

    assert_eq!(ran.load(std::sync::atomic::Ordering::Relaxed), 5000);
}

#[tokio::test]
async fn a_job_exists_if_and_only_if_the_callers_transaction_committed() {
    let queue = ScratchQueue::open().await.unwrap();
    let mut connection = rusqlite::Connection::open(queue.path()).unwrap();

    let transaction = connection.transaction().unwrap();
    Queue::enqueue_in(&transaction, &Order { number: 1 }).unwrap();
    transaction.rollback().unwrap();
    let transaction = connection.transaction().unwrap();
    Queue::enqueue_in(&transaction, &Order { number: 2 }).unwrap();
    transaction.commit().unwrap();

    assert_eq!(testing::waiting::<Order>(&queue).await.unwrap(), [Order { number: 2 }]);
}

#[tokio::test]
async fn an_application_database_gets_the_tables_beside_its_own() {
    let queue = ScratchQueue::open().await.unwrap();
    let path = queue.path().with_file_name("app.db");
    let application = rusqlite::Connection::open(&path).unwrap();
    application.execute_batch("CREATE TABLE songs (id INTEGER PRIMARY KEY)").unwrap();

    let beside = Queue::open(path.display().to_string()).await.unwrap();

    beside.enqueue(&Order { number: 0 }).await.unwrap();
    let songs: i64 = application.query_row("SELECT count(*) FROM songs", [], |row| row.get(0)).unwrap();
    assert_eq!(songs, 0);
}

#[tokio::test]
async fn tables_that_are_not_understood_are_refused() {
    let queue = ScratchQueue::open().await.unwrap();
    let path = queue.path().with_file_name("changed.db");
    drop(Queue::open(path.display().to_string()).await.unwrap());
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("ALTER TABLE job_queue DROP COLUMN metadata").unwrap();

    let refused = Queue::open(path.display().to_string()).await;

    assert!(matches!(refused, Err(QueueError::Store(StoreError::Schema { .. }))), "{refused:?}");
}

#[tokio::test]
async fn one_file_under_two_names_is_not_two_databases() {
    let folder = tempfile::tempdir().unwrap();
    let url = |name: &str| folder.path().join(name).display().to_string();
    let databases = Databases::new(url("app.db")).database("mail", url("./app.db"), ["mail"]);

    let refused = Queue::open_several(databases).await.unwrap_err();

    assert_eq!((refused.code(), refused.hint()), ("invalid_config", None));
    assert_eq!(refused.to_string(), "the databases main and mail are the same one: name its queues together");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was created");
}

#[test]
fn a_thread_without_a_runtime_enqueues_too() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let scratch = runtime.block_on(ScratchQueue::open()).unwrap();
    let queue: Queue = scratch.clone();

    let id = queue.enqueue_blocking(&Order { number: 0 }).unwrap().id;

    assert_eq!(queue.job_blocking(id).unwrap().unwrap().job.status, Status::Pending);
}

#[test]
fn the_program_that_readme_shows_is_the_example_that_compiles() {
    let (_, rest) = include_str!("../../../README.md").split_once("```rust\n").unwrap();
    let (shown, _) = rest.split_once("```").unwrap();
    let (_, compiled) = include_str!("../examples/hello.rs").split_once("\n\n").unwrap();
    assert_eq!(shown, compiled);
    assert!(shown.lines().count() <= 30, "the smallest program stays small");
}

#[test]
fn the_transaction_that_readme_shows_is_in_the_example_that_runs() {
    let (_, rest) = include_str!("../../../README.md").split_once("```rust,ignore\nfn place_order").unwrap();
    let (shown, _) = rest.split_once("```").unwrap();
    assert!(include_str!("../examples/transaction.rs").contains(shown));
}
