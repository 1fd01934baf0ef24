//! A panic inside the store is returned to its callers as an error, and the store keeps working.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use longshore_core::{Clock, Console, JobData, JobId, NewJob, Store, StoreError, SystemClock, Timestamp};
use longshore_sqlite::{SqliteOptions, SqliteStore, schema};

/// Panics once when a test requests it.
#[derive(Debug)]
struct PanickyClock {
    inner: SystemClock,
    panics: AtomicBool,
}

impl Clock for PanickyClock {
    fn now(&self) -> Timestamp {
        assert!(!self.panics.swap(false, Ordering::SeqCst), "the clock is broken");
        self.inner.now()
    }

    fn monotonic(&self) -> Duration {
        self.inner.monotonic()
    }
}

fn job() -> NewJob {
    NewJob::new("a", JobData::default())
}

#[tokio::test]
async fn a_panic_of_the_writer_or_of_a_reader_is_an_error_and_the_next_request_works() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.db");
    schema::latest_up(&path).unwrap();
    let clock = Arc::new(PanickyClock { inner: SystemClock::new(), panics: AtomicBool::new(false) });
    let store = SqliteStore::open(SqliteOptions::new(&path).clock(clock.clone())).unwrap();
    store.enqueue(vec![job()]).await.unwrap();

    for _ in 0..5 {
        clock.panics.store(true, Ordering::SeqCst);
        let refused = store.enqueue(vec![job()]).await.unwrap_err();
        assert_panicked(&refused, "enqueueing");
        clock.panics.store(true, Ordering::SeqCst);
        assert_panicked(&store.job(JobId(1)).await.unwrap_err(), "reading");
    }

    assert_eq!(store.enqueue(vec![job()]).await.unwrap()[0].id, JobId(2));
    assert!(store.job(JobId(2)).await.unwrap().is_some());
    store.close();
}

fn assert_panicked(error: &StoreError, expected_doing: &str) {
    match error {
        StoreError::Panicked { doing, message, .. } => {
            assert!(doing.contains(expected_doing), "{doing}");
            assert_eq!(message, "the clock is broken");
        }
        other => panic!("{other:?}"),
    }
    assert!(!error.is_passing());
}
