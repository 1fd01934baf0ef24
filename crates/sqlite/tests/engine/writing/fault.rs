//! Problems of a file, and that work continues when the cause is gone.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::time::Duration;

use longshore_core::{Console, JobData, NewJob, OutsideCause, Store, StoreError};
use longshore_sqlite::rusqlite::TransactionBehavior;
use longshore_sqlite::{SqliteOptions, SqliteStore};

use crate::database::{Database, job};

#[test]
fn a_file_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.db");

    let error = SqliteStore::open(SqliteOptions::new(&path)).unwrap_err();

    assert!(matches!(error, StoreError::Outside(OutsideCause::Missing { .. })), "{error}");
    assert!(!path.exists());
}

#[test]
fn a_file_that_is_no_database_is_told_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter.txt");
    let letter = "Dear Sir or Madam, ".repeat(500);
    fs::write(&path, &letter).unwrap();

    let error = SqliteStore::open(SqliteOptions::new(&path)).unwrap_err();

    assert!(matches!(error, StoreError::Outside(OutsideCause::NotADatabase { .. })), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), letter);
    let error = SqliteStore::open(SqliteOptions::new(folder.path())).unwrap_err();
    assert!(matches!(error, StoreError::Outside(OutsideCause::NotAFile { kind: "a folder", .. })), "{error}");
}

#[tokio::test]
async fn a_lock_that_lasts_too_long_is_told_and_the_next_call_works() {
    let database = Database::new();
    let store = SqliteStore::open(database.options().busy_timeout(Duration::from_millis(50))).unwrap();
    let mut foreign = database.foreign();
    let lock = foreign.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();

    let error = store.enqueue(vec![job()]).await.unwrap_err();
    lock.commit().unwrap();

    assert!(matches!(error, StoreError::Outside(OutsideCause::Busy { .. })), "{error}");
    assert_eq!(store.enqueue(vec![job()]).await.unwrap().len(), 1);
    assert_eq!(database.number("SELECT count(*) FROM job_queue"), 1);
}

#[tokio::test]
async fn when_no_space_is_left_nothing_is_kept_and_work_goes_on_when_there_is() {
    let database = Database::new();
    database.enqueue(job()).await;
    let store = SqliteStore::open(database.options().size_max_bytes(database.bytes() + 16_384)).unwrap();
    let big = || NewJob::new("mail", JobData::parse(format!("\"{}\"", "x".repeat(100_000))).unwrap());

    let error = store.enqueue(vec![job(), big()]).await.unwrap_err();

    assert!(matches!(error, StoreError::Outside(OutsideCause::Full { .. })), "{error}");
    assert_eq!(database.number("SELECT count(*) FROM job_queue"), 1);
    assert_eq!(store.enqueue(vec![job()]).await.unwrap().len(), 1);
    database.assert_counts_are_true();
}

#[cfg(unix)]
#[tokio::test]
async fn a_damaged_file_is_told_as_such() {
    let database = Database::new();
    database.store.enqueue((0..5000).map(|_| job()).collect()).await.unwrap();
    database.store.close();
    let path = database.path();
    let length = fs::metadata(&path).unwrap().len();
    let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    for page in 8..length / 4096 {
        file.seek(SeekFrom::Start(page * 4096)).unwrap();
        file.write_all(&[0xA5; 4096]).unwrap();
    }
    drop(file);

    let error = match SqliteStore::open(database.options()) {
        Ok(store) => {
            let error = store.jobs(all()).await.unwrap_err();
            store.close();
            error
        }
        Err(error) => error,
    };

    assert!(matches!(error, StoreError::Outside(OutsideCause::Damaged { .. })), "{error}");
}

fn all() -> longshore_core::JobPageRequest {
    longshore_core::JobPageRequest {
        selection: longshore_core::Filter::all().into(),
        after: None,
        limit: 1000,
        looked_max: None,
    }
}
