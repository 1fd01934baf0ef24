use std::time::{Duration, Instant};

use longshore_core::{NewJob, Store};
use longshore_sqlite::{Durability, SqliteStore};

use crate::database::{Database, job};

const PAGE_BYTES: u64 = 4096 + 24;
/// At 8,000 pages the writer waits for the copy, and a thousand more pages may come until the log is restarted.
const LOG_BYTES_MAX: u64 = 9500 * PAGE_BYTES;
/// Several times as much as the log may hold.
const MANY: usize = 500;

/// A store that does not flush each commit: these tests are about pages, not about the disk.
fn quick_store(database: &Database) -> SqliteStore {
    SqliteStore::open(database.options().durability(Durability::Normal)).unwrap()
}

/// Each request writes about forty pages.
async fn write(store: &SqliteStore, requests: usize) {
    for _ in 0..requests {
        let wide = NewJob::encode("wide", &"x".repeat(500)).unwrap();
        store.enqueue(vec![wide; 200]).await.unwrap();
    }
}

fn log_bytes(database: &Database) -> u64 {
    std::fs::metadata(database.path().with_extension("db-wal")).map_or(0, |log| log.len())
}

fn database_bytes(database: &Database) -> u64 {
    std::fs::metadata(database.path()).unwrap().len()
}

#[tokio::test]
async fn the_log_stays_bounded_while_commits_follow_one_another() {
    let database = Database::new();
    let store = quick_store(&database);
    write(&store, MANY).await;
    assert!(database_bytes(&database) > LOG_BYTES_MAX, "so much was written that the log must have been reused");
    assert!(log_bytes(&database) < LOG_BYTES_MAX, "the log has {} bytes", log_bytes(&database));
    store.close();
}

/// These run on the caller's thread, which leaves the last pages to the writer's thread.
#[tokio::test]
async fn the_log_stays_bounded_while_one_caller_makes_one_small_request_after_another() {
    let database = Database::new();
    let store = quick_store(&database);
    let wide = NewJob::encode("wide", &"x".repeat(4000)).unwrap();
    while database_bytes(&database) < 2 * LOG_BYTES_MAX {
        store.enqueue(vec![wide.clone(); 15]).await.unwrap();
    }
    assert!(log_bytes(&database) < LOG_BYTES_MAX, "the log has {} bytes", log_bytes(&database));
    store.close();
}

#[tokio::test]
async fn the_log_is_copied_when_nobody_writes_any_more() {
    let database = Database::new();
    let store = quick_store(&database);
    let before = database_bytes(&database);
    while log_bytes(&database) < 1200 * PAGE_BYTES {
        write(&store, 1).await;
    }
    let begun = Instant::now();
    while database_bytes(&database) == before {
        assert!(begun.elapsed() < Duration::from_secs(30), "the log is not copied");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    store.close();
}

#[tokio::test]
async fn a_reader_that_holds_the_log_stops_no_commit_and_it_is_reused_when_the_reader_has_gone() {
    let database = Database::new();
    let store = quick_store(&database);
    let reader = database.foreign();
    reader.execute_batch("BEGIN; SELECT count(*) FROM job_queue").unwrap();
    write(&store, MANY).await;
    let held = log_bytes(&database);
    assert!(held > LOG_BYTES_MAX, "what the reader sees is kept");
    reader.execute_batch("ROLLBACK").unwrap();
    write(&store, MANY).await;
    let grown = log_bytes(&database).saturating_sub(held);
    assert!(grown < LOG_BYTES_MAX, "the log has grown by {grown} bytes");
    store.close();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn closing_the_store_ends_the_thread_that_copies_the_log() {
    // Thread names have at most fifteen bytes.
    let threads = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names.filter(|name| name.trim() == "longshore-check").count()
    };
    let before = threads();
    let database = Database::new();
    let store = quick_store(&database);
    write(&store, 100).await;
    assert!(threads() > before, "a log of some thousand pages is copied");
    store.close();
    drop(database);
    let begun = Instant::now();
    // Other tests of this process have threads too.
    while threads() > before && begun.elapsed() < Duration::from_secs(10) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(threads() <= before);
}

/// The cost of a lone request must not depend on a statement that a larger one left behind.
#[tokio::test]
async fn a_small_job_follows_a_large_one() {
    let database = Database::new();
    let large = NewJob::encode("large", &"x".repeat(500_000)).unwrap();
    let id = database.enqueue(large.clone()).await;
    let small = database.enqueue(job()).await;
    assert_eq!(database.job(id).await.job_data, large.job_data);
    assert_eq!(database.job(small).await.job_data, job().job_data);
}
