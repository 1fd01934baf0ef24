//! What happens to a job whose unique key is enqueued again, through the library and with plain SQL.

use std::time::Duration;

use longshore_core::{
    Action, Console, Duplicate, Enqueued, Failure, FailureType, Job, JobData, JobEdit, JobId, NewJob, OnDuplicate,
    Outcome, Priority, Refusal, Selection, Status, Store, StoreError, UniqueWhile,
};
use longshore_sqlite::enqueue_in;

use crate::database::{Database, job};

const PAGE: &str = include_str!("../../../../../docs/sql.md");

/// The statement on the page about plain SQL that starts with this comment.
fn documented(name: &str) -> &'static str {
    let mut blocks = PAGE.split("```sql\n").skip(1).map(|block| block.split("```").next().unwrap());
    blocks.find(|block| block.starts_with(&format!("-- {name}:"))).unwrap()
}

fn report() -> NewJob {
    job().unique_key("report:7")
}

/// A job with this status and the key of the page.
async fn holder(database: &Database, status: Status) -> JobId {
    let parent = database.enqueue(job().priority(Priority::URGENT)).await;
    let worker_id = database.worker().await;
    let lease = database.claim_one(&worker_id).await;
    if status == Status::Blocked {
        return database.enqueue(report().parent(parent)).await;
    }
    database.record(&worker_id, &lease, Outcome::Completed { result: None }).await;
    let id = database.enqueue(report()).await;
    if status != Status::Pending {
        let lease = database.claim_one(&worker_id).await;
        if status == Status::Retrying {
            let failure = Failure::new(FailureType::Unknown, "no");
            let delay = Duration::from_secs(3600);
            database.record(&worker_id, &lease, Outcome::Retrying { delay, failure }).await;
        }
    }
    assert_eq!(database.job(id).await.status, status);
    id
}

#[tokio::test]
async fn the_statements_of_the_page_do_what_the_rules_do() {
    let rules = [("keep", OnDuplicate::Keep), ("replace", OnDuplicate::Replace), ("push_back", OnDuplicate::PushBack)];
    for (number, (name, rule)) in rules.into_iter().enumerate() {
        for status in [Status::Pending, Status::Retrying, Status::Blocked, Status::Running] {
            let (by_sql, by_rule) = (Database::new(), Database::new());
            let id = holder(&by_sql, status).await;
            assert_eq!(holder(&by_rule, status).await, id);
            let before = by_sql.job(id).await;

            by_sql.foreign().execute_batch(documented(name)).unwrap();
            let data = JobData::parse(format!(r#"{{"day": {}}}"#, number + 1)).unwrap();
            let new = NewJob { job_type: "report".to_owned(), job_data: data, ..report() };
            by_rule.enqueued(new.on_duplicate(rule).delay(Duration::from_secs(60))).await;

            let (sql, ours) = (by_sql.job(id).await, by_rule.job(id).await);
            let is_pushed = name == "push_back" && status != Status::Running;
            assert_eq!((sql.run_at != before.run_at, ours.run_at != before.run_at), (is_pushed, is_pushed));
            assert_eq!(sql.next_retry_at.is_some(), ours.next_retry_at.is_some(), "{name}, {status}");
            // The page uses the machine's clock.
            let timeless = |job: Job| Job { run_at: job.created_at, next_retry_at: None, worker_id: None, ..job };
            assert_eq!(timeless(sql), timeless(ours), "{name}, {status}");
            by_sql.assert_counts_are_true();
            by_rule.assert_counts_are_true();
        }
    }
}

#[tokio::test]
async fn by_plain_sql_too_a_job_may_wait_while_another_one_runs() {
    let database = Database::new();
    let first = holder(&database, Status::Running).await;
    let foreign = database.foreign();
    foreign.execute_batch(&format!("BEGIN; {} {} COMMIT", documented("waiting"), documented("keep"))).unwrap();

    assert_eq!(database.job(first).await.unique_key.as_deref(), Some("report:7"));
    let second = database.enqueued(report().unique_while(UniqueWhile::Waiting)).await;
    assert!(second.id > first && second.is_duplicate, "{second:?}");
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_key_that_was_passed_on_stays_readable_by_plain_sql() {
    let database = Database::new();
    let first = holder(&database, Status::Running).await;
    let second = database.enqueue(report().unique_while(UniqueWhile::Waiting)).await;

    let key = |id: JobId| {
        let sql = "SELECT unique_key FROM job_queue WHERE id = ?1";
        database.foreign().query_row(sql, [id.0], |row| row.get::<_, String>(0)).unwrap()
    };
    assert_eq!((key(first), key(second)), (format!("report:7\u{1f}{first}"), "report:7".to_owned()));
}

#[tokio::test]
async fn in_the_callers_transaction_a_duplicate_is_replaced_if_that_commits() {
    let database = Database::new();
    let id = database.enqueue(report()).await;
    let mut foreign = database.foreign();
    let new = report().on_duplicate(OnDuplicate::PushBack).delay(Duration::from_secs(3600)).max_retries(77);
    for is_committed in [false, true] {
        let tx = foreign.transaction().unwrap();
        assert_eq!(enqueue_in(&tx, &new).unwrap(), Enqueued::met(id, Duplicate::PushedBack));
        if is_committed {
            tx.commit().unwrap();
        } else {
            tx.rollback().unwrap();
        }
        assert_eq!(database.job(id).await.max_retries == 77, is_committed);
        database.assert_counts_are_true();
    }
}

#[tokio::test]
async fn in_the_callers_transaction_a_retrying_job_that_is_pushed_to_now_is_counted_as_pending() {
    let database = Database::new();
    let id = holder(&database, Status::Retrying).await;
    let foreign = database.foreign();

    enqueue_in(&foreign, &report().on_duplicate(OnDuplicate::PushBack)).unwrap();

    assert_eq!(database.job(id).await.status, Status::Pending);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn in_the_callers_transaction_a_key_is_passed_on_only_to_a_job_that_is_made() {
    let database = Database::new();
    let first = holder(&database, Status::Running).await;
    let mut foreign = database.foreign();
    let second = report().unique_while(UniqueWhile::Waiting);
    let tx = foreign.transaction().unwrap();

    let orphan = second.clone().parent(JobId(4711));
    assert!(matches!(enqueue_in(&tx, &orphan), Err(StoreError::UnknownParent { .. })));
    assert_eq!(enqueue_in(&tx, &report()).unwrap(), Enqueued::met(first, Duplicate::Kept));
    let made = enqueue_in(&tx, &second).unwrap();
    assert!(!made.is_duplicate);
    assert_eq!(enqueue_in(&tx, &second).unwrap(), Enqueued::met(made.id, Duplicate::Kept));
    tx.commit().unwrap();

    database.assert_counts_are_true();
    // Without a transaction of the caller, the call is a transaction itself.
    database.store.act(Selection::job(made.id), Action::Cancel).await.unwrap();
    assert!(!enqueue_in(&foreign, &second).unwrap().is_duplicate);
    assert!(foreign.is_autocommit());
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_row_that_breaks_a_constraint_is_kept_and_no_edit_changes_it() {
    let database = Database::new();
    let id = database.enqueue(report()).await;
    let spoil = |set: &str| {
        let sql = format!("PRAGMA ignore_check_constraints = ON; UPDATE job_queue SET {set} WHERE id = {id}");
        database.foreign().execute_batch(&sql).unwrap();
    };
    spoil("run_at = 'never'");
    let new = report().on_duplicate(OnDuplicate::Replace);
    let beside = database.store.enqueue(vec![job(), new.clone(), job()]).await.unwrap();
    assert_eq!(beside[1], Enqueued::met(id, Duplicate::Kept));
    assert_eq!(enqueue_in(&database.foreign(), &new).unwrap(), beside[1]);

    spoil("run_at = NULL, job_data = '{'");
    let edited = database.store.edit(id, JobEdit::new().queue("elsewhere")).await.unwrap();
    assert_eq!(edited.refused, [Refusal::Constraint { id }]);
    let mended = database.store.edit(id, JobEdit::new().job_data(JobData::default())).await.unwrap();
    assert_eq!((mended.touched, mended.refused), (1, vec![]));
    database.assert_counts_are_true();
}

#[tokio::test]
async fn callers_at_the_same_moment_make_one_job_that_waits_behind_the_running_one() {
    let database = Database::new();
    holder(&database, Status::Running).await;
    let enqueue = || database.store.enqueue(vec![report().unique_while(UniqueWhile::Waiting)]);

    let (a, b, c, d) = tokio::join!(enqueue(), enqueue(), enqueue(), enqueue());

    let made: Vec<Enqueued> = [a, b, c, d].into_iter().map(|answer| answer.unwrap()[0]).collect();
    assert_eq!(made.iter().filter(|enqueued| !enqueued.is_duplicate).count(), 1, "{made:?}");
    assert!(made.iter().all(|enqueued| enqueued.id == made[0].id), "{made:?}");
    database.assert_counts_are_true();
}
