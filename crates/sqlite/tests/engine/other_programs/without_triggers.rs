//! What a program leaves that has its triggers off: housekeeping finds what they would have noted.

use std::time::Duration;

use longshore_core::{
    Awaited, BatchId, BatchStatus, ChangeLimit, Console, EnqueuedWorkflow, JobId, LimitRule, LimitSubject, Limiting,
    Limits, Maintenance, Needs, NewDependency, NewWorkflow, Outcome, Retention, Status, Store, WorkerId, WorkflowBatch,
    WorkflowJob, Workflows,
};
use longshore_sqlite::rusqlite::{Connection, config::DbConfig};
use longshore_testkit::claim;

use crate::database::{Database, job};

const MAINTENANCE: Maintenance =
    Maintenance { retention: Retention::Forever, dead_letter_retention: Retention::Forever, rows_max: 100 };
const ENDED: &str = "completed_at = 1700000000001";

fn without_triggers(database: &Database) -> Connection {
    let foreign = database.foreign();
    foreign.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).unwrap();
    foreign
}

async fn keep_house(database: &Database) {
    while database.store.maintain(MAINTENANCE).await.unwrap().has_more {}
    while database.store.advance_workflows().await.unwrap().has_more {}
}

/// A member `a`, a job `b` after it, and a callback for the end.
async fn enqueue(database: &Database) -> EnqueuedWorkflow {
    let named = |reference: &str| WorkflowJob::new(job()).named(reference);
    let workflow = NewWorkflow {
        batch: WorkflowBatch::New { name: "import".to_owned(), is_open: false },
        jobs: vec![
            named("a"),
            named("b").after(NewDependency::on(Awaited::Reference("a".to_owned()))),
            named("done").after(NewDependency::needing(Awaited::Batch, Needs::Ended)),
        ],
    };
    database.store.enqueue_workflow(workflow.check(&Limits::default()).unwrap()).await.unwrap()
}

async fn status(database: &Database, id: JobId) -> Status {
    database.job(id).await.status
}

async fn batch_status(database: &Database, id: Option<BatchId>) -> BatchStatus {
    database.store.batch(id.unwrap()).await.unwrap().unwrap().status
}

#[tokio::test]
async fn a_member_that_it_ends_is_counted_and_releases_who_waits() {
    let database = Database::new();
    let flow = enqueue(&database).await;
    let (a, b, done) = (flow.ids["a"], flow.ids["b"], flow.ids["done"]);
    let end = format!("UPDATE job_queue SET status = 'completed', {ENDED} WHERE id = ?1");
    without_triggers(&database).execute(&end, [a.0]).unwrap();
    assert!(!database.store.advance_workflows().await.unwrap().has_more, "nobody was told");
    assert_eq!(status(&database, b).await, Status::Blocked);
    keep_house(&database).await;
    assert_eq!(status(&database, b).await, Status::Pending);

    without_triggers(&database).execute(&end, [b.0]).unwrap();
    keep_house(&database).await;
    assert_eq!(batch_status(&database, flow.batch_id).await, BatchStatus::Completed);
    assert_eq!(status(&database, done).await, Status::Pending);
}

#[tokio::test]
async fn a_member_that_it_deletes_counts_as_cancelled_and_leaves_nothing() {
    let database = Database::new();
    let flow = enqueue(&database).await;
    let foreign = without_triggers(&database);
    foreign.execute("DELETE FROM job_queue WHERE id IN (?1, ?2)", [flow.ids["a"].0, flow.ids["b"].0]).unwrap();
    keep_house(&database).await;
    assert_eq!(batch_status(&database, flow.batch_id).await, BatchStatus::Failed);
    assert_eq!(status(&database, flow.ids["done"]).await, Status::Pending);
    assert_eq!(database.number("SELECT count(*) FROM job_members"), 1);
    assert_eq!(database.number("SELECT count(*) FROM job_waits"), 1, "that of the callback");
}

#[tokio::test]
async fn a_job_that_it_blocks_without_need_is_released() {
    let database = Database::new();
    let worker_id = database.worker().await;
    let flow = enqueue(&database).await;
    let lease = database.claim_one(&worker_id).await;
    database.record(&worker_id, &lease, Outcome::Completed { result: None }).await;
    let block = "UPDATE job_queue SET status = 'blocked' WHERE id = ?1";
    without_triggers(&database).execute(block, [flow.ids["b"].0]).unwrap();
    keep_house(&database).await;
    assert_eq!(status(&database, flow.ids["b"]).await, Status::Pending);
}

async fn limit(database: &Database) -> WorkerId {
    limit_by(database, "/to").await;
    database.worker().await
}

async fn limit_by(database: &Database, pointer: &str) {
    let rule = LimitRule {
        key: Some(pointer.parse().unwrap()),
        key_concurrency: Some(1),
        concurrency: Some(9),
        ..LimitRule::default()
    };
    let change = ChangeLimit { subject: LimitSubject::Type("mail".to_owned()), rule: Some(rule) };
    database.store.change_limit(change).await.unwrap();
}

async fn claimed(database: &Database, worker_id: &WorkerId) -> Vec<JobId> {
    let request = longshore_core::ClaimRequest { job_types: ["mail".to_owned()].into(), ..claim(worker_id, 9) };
    database.store.claim(request).await.unwrap().leases.into_iter().map(|lease| lease.id).collect()
}

/// A claim sorts it, too, so it never runs past its limit.
#[tokio::test]
async fn jobs_that_it_inserts_stand_in_the_lanes_of_their_limit() {
    let database = Database::new();
    let worker_id = limit(&database).await;
    let insert = r#"INSERT INTO job_queue (job_type, job_data, queue, priority, created_at)
                    VALUES ('mail', '{"to":"you"}', 'default', 5, 1700000000000)"#;
    for _ in 0..3 {
        without_triggers(&database).execute(insert, []).unwrap();
    }
    assert_eq!(database.number("SELECT count(*) FROM job_queue WHERE lane IS NULL"), 3);
    keep_house(&database).await;
    assert_eq!(database.number("SELECT count(*) FROM job_queue WHERE lane > 0"), 3);
    assert_eq!(claimed(&database, &worker_id).await, [JobId(1)]);

    without_triggers(&database).execute(insert, []).unwrap();
    assert_eq!(claimed(&database, &worker_id).await, [], "the place of its key is taken");
}

#[tokio::test]
async fn a_place_that_it_frees_is_found_within_the_hour() {
    let database = Database::new();
    let worker_id = limit(&database).await;
    for _ in 0..2 {
        database.enqueue(job()).await;
    }
    assert_eq!(claimed(&database, &worker_id).await, [JobId(1)]);
    assert_eq!(claimed(&database, &worker_id).await, []);
    let end = format!("UPDATE job_queue SET status = 'completed', {ENDED} WHERE id = 1");
    without_triggers(&database).execute(&end, []).unwrap();
    assert_eq!(claimed(&database, &worker_id).await, [], "nobody was told");
    database.clock.advance(Duration::from_secs(3601));
    keep_house(&database).await;
    assert_eq!(claimed(&database, &worker_id).await, [JobId(2)]);
}

/// An earlier version of the program marks the lanes of an earlier key as settled, and leaves jobs in them.
#[tokio::test]
async fn jobs_that_it_leaves_in_settled_lanes_of_an_earlier_key_get_their_new_one() {
    let database = Database::new();
    let worker_id = limit(&database).await;
    for job_data in [r#"{"to":"you","from":"me"}"#, r#"{"to":"them","from":"me"}"#] {
        let insert = "INSERT INTO job_queue (job_type, job_data) VALUES ('mail', ?1)";
        database.foreign().execute(insert, [job_data]).unwrap();
    }
    limit_by(&database, "/from").await;
    let settle = "UPDATE job_lanes SET is_open = 1, revision = (SELECT revision FROM job_limits)";
    without_triggers(&database).execute(settle, []).unwrap();
    assert_eq!(claimed(&database, &worker_id).await, [], "their lanes are only marked");
    assert_eq!(claimed(&database, &worker_id).await, [JobId(1)]);
    assert_eq!(claimed(&database, &worker_id).await, [], "the place of their key is taken");
}
