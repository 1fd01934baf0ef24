use longshore_core::{JobData, NewJob, Store};
use tempfile::TempDir;

use super::*;
use crate::{SqliteOptions, SqliteStore};

async fn two_stores() -> (TempDir, SqliteStore, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.db");
    crate::schema::latest_up(&path).unwrap();
    let open = || SqliteStore::open(SqliteOptions::new(&path)).unwrap();
    let (first, second) = (open(), open());
    first.enqueue(vec![NewJob::new("mail", JobData::default())]).await.unwrap();
    (folder, first, second)
}

fn foreign(folder: &TempDir) -> rusqlite::Connection {
    rusqlite::Connection::open(folder.path().join("queue.db")).unwrap()
}

async fn take(store: &SqliteStore) -> Option<Term> {
    let Parts { duties, readers, writer, .. } = &*store.parts;
    duties.take(vec![COUNTS.to_owned()], readers, writer).await.unwrap().remove(COUNTS)
}

fn step(term: Term) -> Prune {
    Prune { term, what: Pruning::Ended, retention: Retention::After(Duration::ZERO), rows_max: 10, after: JobId(0) }
}

/// The holder was stopped between its comparison and its correction, and another store has made the correction.
#[tokio::test]
async fn a_correction_after_the_term_has_ended_is_not_written() {
    let (folder, first, second) = two_stores().await;
    foreign(&folder).execute("UPDATE job_depths SET jobs = 12", []).unwrap();
    let late = take(&first).await.expect("nobody else holds it");
    let drift = first.parts.readers.run("testing", |tx| Ok(find_drift(tx.connection)?)).await.unwrap();
    assert_eq!(drift.len(), 1);
    assert_eq!(take(&second).await, None, "it is held");

    foreign(&folder).execute("UPDATE job_duties SET taken_at = 0", []).unwrap();
    let term = take(&second).await.expect("its holder has not renewed it");
    assert_eq!(reconcile(&second.parts, term).await.unwrap(), 1);

    assert_eq!(mend(&first.parts, late.clone(), drift).await.unwrap(), 0);
    let pruned = prune(&first.parts, step(late)).await.unwrap();
    assert_eq!((pruned.removed, pruned.next), (0, None));
    let jobs: i64 = foreign(&folder).query_row("SELECT jobs FROM job_depths", [], |row| row.get(0)).unwrap();
    assert_eq!(jobs, 1);
    assert_eq!(take(&first).await, None, "the other one holds it now");
}

#[tokio::test]
async fn a_duty_that_somebody_else_takes_meanwhile_is_not_taken() {
    let (_folder, first, second) = two_stores().await;
    let vacant = || vec![COUNTS.to_owned()];
    let Parts { duties, readers, writer, .. } = &*first.parts;
    let both = tokio::join!(
        duties.take(vacant(), readers, writer),
        second.parts.duties.take(vacant(), &second.parts.readers, &second.parts.writer)
    );

    let holders = usize::from(!both.0.unwrap().is_empty()) + usize::from(!both.1.unwrap().is_empty());
    assert_eq!(holders, 1);
}
