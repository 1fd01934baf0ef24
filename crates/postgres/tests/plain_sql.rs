//! What other programs do with plain SQL, and applications in their own transactions.

#[path = "support/template.rs"]
mod template;

use std::pin::pin;
use std::time::Duration;

use longshore_core::{
    ClaimNumber, Console, Duplicate, Enqueued, JobData, JobId, NewJob, OnDuplicate, Status, Store, StoreError,
};
use longshore_postgres::{
    AttemptSuccess, CompleteError, PostgresOptions, PostgresStore, Statement, Value, complete_in, enqueue_in,
};
use longshore_testkit::{claim, worker};
use longshore_testkit_postgres::TestDatabase;
use tokio_postgres::Client;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;

const PAGE: &str = include_str!("../../../docs/sql.md");

fn store(database: &TestDatabase) -> PostgresStore {
    PostgresStore::connect_lazily(PostgresOptions::new(database.config())).expect("a thread can be started")
}

fn job() -> NewJob {
    NewJob::new("work", JobData::default())
}

async fn ids(client: &Client, sql: &str) -> Vec<i64> {
    let rows = client.query(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    rows.iter().map(|row| row.get(0)).collect()
}

/// What the server says of a statement that it refuses.
async fn refusal(client: &Client, sql: &str) -> String {
    let error = client.batch_execute(sql).await.expect_err(sql);
    error.as_db_error().expect("the server refuses it").message().to_owned()
}

async fn waiting_by_queue(store: &PostgresStore) -> Vec<(String, u64)> {
    let stats = store.stats(1).await.expect("statistics can be read");
    let pending = stats.queues.into_iter().map(|queue| (queue.queue, queue.jobs.get(&Status::Pending).copied()));
    pending.filter_map(|(queue, jobs)| Some((queue, jobs.filter(|jobs| *jobs > 0)?))).collect()
}

fn blocks_of_page() -> impl Iterator<Item = &'static str> {
    PAGE.split("```postgresql\n").skip(1).map(|block| block.split("```").next().expect("a split has a first part"))
}

#[tokio::test]
async fn every_statement_of_the_page_does_what_it_says() {
    let database = template::migrated();
    let (client, store) = (database.connect().await, store(&database));
    let statements: Vec<&str> = blocks_of_page().filter(|block| !block.starts_with("GRANT")).collect();
    assert_eq!(statements.len(), 7);
    for statement in &statements {
        client.batch_execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
    let days = "SELECT job_data::text FROM longshore.job_queue WHERE unique_key = 'report:7'";
    let rows = client.query(days, &[]).await.expect("the view can be read");
    let days: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(days, [r#"{"day": 3}"#], "the last call met a job that waits");
    let depths = [("default".to_owned(), 2), ("mail".to_owned(), 1), ("reports".to_owned(), 1)];
    assert_eq!(waiting_by_queue(&store).await, depths);
}

#[tokio::test]
async fn the_rights_of_the_page_are_enough_for_a_producer_and_for_nothing_else() {
    let database = template::migrated();
    let client = database.connect().await;
    let store = store(&database);
    let old = store.enqueue(vec![job().unique_key("old").expires_in(Duration::from_millis(1))]).await;
    let parent = old.expect("it is acceptable")[0].id;
    let role = format!("producer_of_{}", database.name());
    database.admin_sql(&format!("CREATE ROLE {role}"));
    database.admin_sql(&format!("GRANT {role} TO app"));
    for grants in blocks_of_page().filter(|block| block.starts_with("GRANT")) {
        client.batch_execute(&grants.replace("producer", &role)).await.expect("the owner may grant");
    }
    client.batch_execute(&format!("SET ROLE {role}")).await.expect("app is a member");
    tokio::time::sleep(Duration::from_millis(5)).await;
    for statement in blocks_of_page().filter(|block| !block.starts_with("GRANT")) {
        client.batch_execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
    for statement in [
        "SELECT longshore.enqueue('work', unique_key => 'old')".to_owned(),
        format!("SELECT longshore.enqueue('work', parent_job_id => {parent}, deadline_at => 'infinity')"),
        "SELECT status FROM longshore.job_queue".to_owned(),
    ] {
        client.batch_execute(&statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
    let refused = refusal(&client, "SELECT * FROM longshore.token").await;
    client.batch_execute("RESET ROLE").await.expect("it may");
    database.admin_sql(&format!("DROP OWNED BY {role}"));
    database.admin_sql(&format!("DROP ROLE {role}"));
    assert_eq!(refused, "permission denied for table token");
}

#[tokio::test]
async fn no_producer_waits_for_an_open_transaction_of_another_one() {
    let database = template::migrated();
    let (mut one, mut two) = (database.connect().await, database.connect().await);
    let store = store(&database);
    let open = one.transaction().await.expect("a transaction begins");
    let other = two.transaction().await.expect("a transaction begins");
    let insert = "INSERT INTO longshore.job_queue (job_type) VALUES ('work')";
    open.batch_execute(insert).await.expect("the first one inserts");
    enqueue_in(&open, &job().unique_key("a")).await.expect("the first one enqueues");
    // Each of these would time out behind a lock.
    other.batch_execute("SET LOCAL lock_timeout = '2s'").await.expect("it is a setting");
    other.batch_execute(insert).await.expect("the second one inserts");
    enqueue_in(&other, &job().unique_key("b")).await.expect("the second one enqueues");
    other.batch_execute("SELECT longshore.enqueue('work')").await.expect("the second one calls the function");
    let all = vec![job(), job().unique_key("c"), job()];
    let soon = tokio::time::timeout(Duration::from_secs(30), store.enqueue(all)).await;
    soon.expect("the store does not wait either").expect("the jobs are acceptable");
    other.commit().await.expect("the second one commits first");
    open.commit().await.expect("the first one commits");
    assert_eq!(waiting_by_queue(&store).await, [("default".to_owned(), 8)]);
}

#[tokio::test]
async fn an_open_transaction_with_the_same_unique_key_holds_up_no_other_enqueue() {
    let database = template::migrated();
    let mut client = database.connect().await;
    let store = store(&database);
    let open = client.transaction().await.expect("a transaction begins");
    let first = enqueue_in(&open, &job().unique_key("same")).await.expect("it is acceptable");
    let same = tokio::spawn({
        let store = store.clone();
        async move { store.enqueue(vec![job().unique_key("same")]).await }
    });
    for number in 0..20 {
        let others = store.enqueue(vec![job().unique_key(format!("other {number}"))]);
        let soon = tokio::time::timeout(Duration::from_secs(30), others).await;
        soon.expect("it does not wait").expect("the job is acceptable");
        store.enqueue(vec![job()]).await.expect("the job is acceptable");
    }
    open.commit().await.expect("it commits");
    let met = same.await.expect("no panic").expect("it waits for the commit alone");
    assert_eq!(met, [Enqueued::met(first.id, Duplicate::Kept)]);
}

#[tokio::test]
async fn a_copy_into_the_view_makes_jobs_and_counts_them() {
    let database = template::migrated();
    let (client, store) = (database.connect().await, store(&database));
    let copy = "COPY longshore.job_queue (job_type, queue) FROM STDIN (FORMAT binary)";
    let sink = client.copy_in(copy).await.expect("the view takes COPY");
    let mut rows = pin!(BinaryCopyInWriter::new(sink, &[Type::TEXT, Type::TEXT]));
    for number in 0..2000 {
        let queue = if number < 1000 { "a" } else { "b" };
        rows.as_mut().write(&[&"work", &queue]).await.expect("the row is sent");
    }
    rows.finish().await.expect("the rows are acceptable");
    assert_eq!(waiting_by_queue(&store).await, [("a".to_owned(), 1000), ("b".to_owned(), 1000)]);
    assert_eq!(ids(&client, "SELECT count(*) FROM longshore.change").await, [2], "a few rows, not one a job");
}

#[tokio::test]
async fn what_a_plain_insert_may_not_say_is_refused_with_a_sentence() {
    let database = template::migrated();
    let client = database.connect().await;
    client
        .batch_execute("INSERT INTO longshore.job_queue (job_type, unique_key) VALUES ('work', 'k')")
        .await
        .expect("it is free");
    let past = "a new job waits, and has no id and no past: leave these columns out";
    for (columns, values, expected) in [
        ("queue", "'a'", "job_type must be 1 to 1000 bytes"),
        ("job_type", "''", "job_type must be 1 to 1000 bytes"),
        ("job_type, queue", "'work', ''", "queue must be 1 to 1000 bytes"),
        ("job_type, queue", "'work', repeat('q', 1001)", "queue must be 1 to 1000 bytes"),
        (
            "job_type, unique_key",
            "'work', 'a' || chr(31)",
            "unique_key must be 1 to 2000 bytes without the control character 31",
        ),
        ("job_type, unique_key", "'work', 'k'", "a job with the unique key 'k' has not ended"),
        (
            "job_type, parent_job_id",
            "'work', 4711",
            "parent_job_id must name a job that was made before, but there is no job 4711",
        ),
        ("job_type, timeout_seconds", "'work', -1", "timeout_seconds must be 0.001 or more"),
        ("job_type, limit_key", "'work', ''", "limit_key must be 1 to 200 bytes"),
        ("job_type, max_retries", "'work', -1", "max_retries, max_crashes and max_deferrals must be 0 or more"),
        ("job_type, id", "'work', 5", past),
        ("job_type, status", "'work', 'running'", past),
        ("job_type, retry_count", "'work', 2", past),
        ("job_type, result", "'work', '1'", past),
    ] {
        let insert = format!("INSERT INTO longshore.job_queue ({columns}) VALUES ({values})");
        assert_eq!(refusal(&client, &insert).await, expected, "{insert}");
    }
    assert_eq!(refusal(&client, "UPDATE longshore.job_queue SET priority = 9").await, "plain SQL cannot update jobs");
    assert_eq!(refusal(&client, "DELETE FROM longshore.job_queue").await, "plain SQL cannot delete jobs");
    let rule = "SELECT longshore.enqueue('work', on_duplicate => 'pushback')";
    assert_eq!(
        refusal(&client, rule).await,
        "\"pushback\" is not a rule for duplicates: expected keep, replace or push_back"
    );
    for (parameters, expected) in [
        ("'work', timeout_seconds => 0", "timeout_seconds must be 0.001 or more"),
        ("'', unique_key => 'k', on_duplicate => 'replace'", "job_type must be 1 to 1000 bytes"),
        (
            "'work', unique_key => 'k', on_duplicate => 'push_back', max_crashes => -1",
            "max_retries, max_crashes and max_deferrals must be 0 or more",
        ),
        ("'work', limit_key => repeat('k', 201)", "limit_key must be 1 to 200 bytes"),
    ] {
        let call = format!("SELECT longshore.enqueue({parameters})");
        assert_eq!(refusal(&client, &call).await, expected, "{call}");
    }
}

#[tokio::test]
async fn a_payload_is_kept_to_the_byte_on_every_way_in() {
    let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    let huge =
        r#"{"b": 123456789012345678901234567890.10e400, "a": 1.10, "a": 2, "\u0000": "\u0000", "s":  "\ud83d\ude00"}"#;
    let database = template::migrated();
    let mut client = database.connect().await;
    let store = store(&database);
    for text in [deep.as_str(), huge] {
        let data = JobData::parse(text).expect("it is JSON");
        let job = NewJob::new("work", data.clone()).metadata(data.clone());
        let mut made = store.enqueue(vec![job.clone()]).await.expect("alone");
        made.extend(store.enqueue(vec![job.clone(); 600]).await.expect("by COPY").into_iter().take(1));
        made.extend(store.enqueue(vec![job.clone().unique_key(text.len().to_string())]).await.expect("with a key"));
        let transaction = client.transaction().await.expect("a transaction begins");
        made.push(enqueue_in(&transaction, &job).await.expect("in a transaction"));
        transaction.commit().await.expect("it commits");
        for enqueued in made {
            let found = store.job(enqueued.id).await.expect("jobs can be read").expect("it is there").job;
            assert_eq!((&found.job_data, found.metadata.as_ref()), (&data, Some(&data)));
        }
    }
}

#[tokio::test]
async fn an_enqueue_in_a_transaction_follows_every_rule_and_its_fate() {
    let database = template::migrated();
    let mut client = database.connect().await;
    let store = store(&database);
    let transaction = client.transaction().await.expect("a transaction begins");
    let lost = enqueue_in(&transaction, &job()).await.expect("it is acceptable");
    transaction.rollback().await.expect("it is taken back");
    assert!(store.job(lost.id).await.expect("jobs can be read").is_none());

    let transaction = client.transaction().await.expect("a transaction begins");
    let keyed = || job().unique_key("k").delay(Duration::from_secs(60));
    let made = enqueue_in(&transaction, &keyed()).await.expect("it is acceptable");
    let replaces =
        NewJob { job_data: JobData::parse("[7]").expect("JSON"), ..keyed().on_duplicate(OnDuplicate::Replace) };
    let mut met = Vec::new();
    for job in [keyed(), replaces, keyed().on_duplicate(OnDuplicate::PushBack)] {
        met.push(enqueue_in(&transaction, &job).await.expect("it is acceptable"));
    }
    let of = |duplicate| Enqueued::met(made.id, duplicate);
    assert_eq!(met, [of(Duplicate::Kept), of(Duplicate::Replaced), of(Duplicate::PushedBack)]);
    // What was stored for the old content goes, also where plain SQL replaces it.
    let store_one = format!("INSERT INTO longshore.checkpoint VALUES ({}, '', 1, now(), '7')", made.id);
    let count = "SELECT count(*) FROM longshore.checkpoint";
    let replace = "SELECT * FROM longshore.enqueue('work', '[8]', unique_key => 'k', on_duplicate => 'replace')";
    for (statement, left) in
        [("SELECT * FROM longshore.enqueue('work', '[8]', unique_key => 'k')", 1_i64), (replace, 0)]
    {
        transaction.batch_execute(&store_one).await.expect("it is a row");
        transaction.query(statement, &[]).await.expect("it is acceptable");
        let found: i64 = transaction.query_one(count, &[]).await.expect("it can be counted").get(0);
        assert_eq!(found, left, "{statement}");
        transaction.execute("DELETE FROM longshore.checkpoint", &[]).await.expect("it can be emptied");
    }
    let child = enqueue_in(&transaction, &job().parent(made.id)).await.expect("its parent is there");
    transaction.commit().await.expect("it commits");
    assert_eq!(store.job(child.id).await.expect("jobs can be read").expect("it is there").job.status, Status::Blocked);

    let transaction = client.transaction().await.expect("a transaction begins");
    let unknown = JobId(4711);
    let error = enqueue_in(&transaction, &job().parent(unknown)).await.expect_err("it has no parent");
    assert!(matches!(error, StoreError::UnknownParent { parent } if parent == unknown), "{error:?}");
}

#[tokio::test]
async fn the_statement_for_other_drivers_has_a_typed_value_for_each_place() {
    let database = template::migrated();
    let client = database.connect().await;
    let statement =
        Statement::enqueueing(job().check(&longshore_core::Limits::default()).expect("it is valid"), "longshore");
    let types: Vec<Type> = statement
        .values
        .iter()
        .map(|value| match value {
            Value::Integer(_) => Type::INT8,
            Value::Text(_) => Type::TEXT,
        })
        .collect();
    let prepared = client.prepare(&statement.sql).await.expect("a driver prepares it without types");
    assert_eq!(prepared.params(), types);
}

#[tokio::test]
async fn many_lone_enqueues_at_once_share_few_commits() {
    let database = template::migrated();
    let store = store(&database);
    store.enqueue(vec![job()]).await.expect("it connects");
    let commits = "SELECT count(DISTINCT xmin::text) FROM longshore.job";
    let before: i64 = database.sql(commits)[0][0].as_deref().expect("a count").parse().expect("a number");
    let all: Vec<_> = (0..500)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.enqueue(vec![job()]).await })
        })
        .collect();
    for one in all {
        one.await.expect("no panic").expect("it is acceptable");
    }
    let after: i64 = database.sql(commits)[0][0].as_deref().expect("a count").parse().expect("a number");
    assert!(after - before <= 100, "{} commits for 500 jobs", after - before);
}

#[tokio::test]
async fn a_job_is_completed_with_the_transaction_of_its_handler_and_never_twice() {
    let database = template::migrated();
    let mut client = database.connect().await;
    let store = store(&database);
    let registration = worker().registration();
    let worker_id = registration.worker_id.clone();
    let session = store.register(registration).await.expect("it can register");
    let parent = store.enqueue(vec![job().unique_key("k")]).await.expect("it is acceptable")[0].id;
    let child = store.enqueue(vec![job().parent(parent)]).await.expect("it is acceptable")[0].id;
    let lease = store.claim(claim(&worker_id, 1)).await.expect("it may claim").leases.remove(0);
    let result = JobData::parse(r#"{"b": 1.10}"#).expect("it is JSON");
    let success = AttemptSuccess {
        worker_id: &worker_id,
        id: lease.id,
        claim_number: lease.claim_number,
        ran: Some(Duration::from_millis(5)),
        result: Some(&result),
    };
    let transaction = client.transaction().await.expect("a transaction begins");
    complete_in(&transaction, &success).await.expect("it runs");
    transaction.rollback().await.expect("it is taken back");
    let status = async |id| store.job(id).await.expect("jobs can be read").expect("it is there").job.status;
    assert_eq!((status(parent).await, status(child).await), (Status::Running, Status::Blocked));

    let transaction = client.transaction().await.expect("a transaction begins");
    complete_in(&transaction, &success).await.expect("it runs");
    let again = complete_in(&transaction, &success).await;
    assert!(matches!(again, Err(CompleteError::AlreadyCompleted { .. })), "{again:?}");
    transaction.commit().await.expect("it commits");
    assert_eq!((status(parent).await, status(child).await), (Status::Completed, Status::Pending));
    let found = store.job(parent).await.expect("jobs can be read").expect("it is there").job;
    assert_eq!(found.result.as_ref(), Some(&result));
    assert!(!store.enqueue(vec![job().unique_key("k")]).await.expect("the key is free")[0].is_duplicate);
    let other = AttemptSuccess { claim_number: ClaimNumber(lease.claim_number.0 + 1), ..success };
    let transaction = client.transaction().await.expect("a transaction begins");
    let fenced = complete_in(&transaction, &other).await;
    assert!(matches!(fenced, Err(CompleteError::NotRunning { .. })), "{fenced:?}");
    drop(session);
}
