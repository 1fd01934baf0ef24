use std::time::Duration;

use longshore::{NewJob, Queue};
use longshore_core::{JobData, StoreError};
use longshore_testkit_postgres::{Cluster, PgBouncer};
use tokio_postgres::NoTls;

use crate::site::Site;
use longshore_postgres::tokio_postgres;

/// Locks a table, by a superuser whom no limit stops.
async fn locked(site: &Site, table: &str) -> tokio_postgres::Client {
    let (client, connection) = site.database.admin_config().connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    let sql = format!("SET statement_timeout = 0; BEGIN; LOCK TABLE longshore.{table} IN ACCESS EXCLUSIVE MODE");
    client.batch_execute(&sql).await.unwrap();
    client
}

fn jobs(count: usize) -> Vec<NewJob> {
    vec![NewJob::new("note", JobData::parse("{}").unwrap()); count]
}

/// What a time limit of the role says while a statement waits.
async fn a_limit_is_told(setting: &str, cause: &str, (code, cause_of_command): (&str, &str)) {
    let site = Site::on(&Cluster::shared());
    site.alter_role(&format!("SET {setting}"));
    let (mut worker, id) = site.busy_worker();
    let holder = locked(&site, "running").await;
    site.let_jobs_end();
    worker.until_log_has(cause);
    let enqueued = locked(&site, "job").await;
    site.run(&["enqueue", "note", "--json"]).assert_fails(code, cause_of_command);
    drop((enqueued, holder));
    site.assert_goes_on(id);
    worker.assert_told_once(cause);
    worker.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_timeout_of_the_role_is_named_and_outcomes_are_stored_afterwards() {
    a_limit_is_told("statement_timeout = '400ms'", "statement timeout", ("statement_cancelled", "statement timeout"))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_timeout_of_the_role_is_named_and_outcomes_are_stored_afterwards() {
    a_limit_is_told("lock_timeout = '400ms'", "lock timeout", ("database_locked", "is locked")).await;
}

/// Their sessions are idle between heartbeats.
#[test]
fn limits_on_idle_sessions_do_not_end_those_of_a_worker() {
    let site = Site::on(&Cluster::shared());
    site.alter_role("SET idle_session_timeout = '200ms'");
    site.alter_role("SET idle_in_transaction_session_timeout = '200ms'");
    let (mut worker, id) = site.busy_worker();
    std::thread::sleep(Duration::from_secs(3));
    site.let_jobs_end();
    site.assert_goes_on(id);
    assert_eq!((worker.lines_with("lost"), worker.lines_with("the store fails")), (0, 0), "{}", worker.log());
    worker.assert_readable();
    worker.stop();
}

/// The statements expect to see what others have committed meanwhile, and producers and workers meet in the same rows.
#[tokio::test(flavor = "multi_thread")]
async fn roles_with_a_stricter_isolation_work_as_others_directly_and_behind_a_pooler() {
    for isolation in ["serializable", "repeatable read"] {
        let cluster = Cluster::shared();
        let site = Site::on(&cluster);
        let pool = PgBouncer::before(&cluster);
        site.alter_role(&format!("SET default_transaction_isolation = '{isolation}'"));
        let pooled = site.database.url_through(pool.port());
        let site = site.at(pooled);
        let mut workers = [site.worker(), site.worker()];
        let mut producers = Vec::new();
        for url in [site.url().to_owned(), site.database.url()] {
            let queue = Queue::open(url).await.unwrap();
            for _ in 0..4 {
                let queue = queue.clone();
                producers.push(tokio::spawn(async move {
                    for round in 0..10 {
                        let unique = jobs(1).remove(0).unique_key(format!("{}", round % 3));
                        queue.enqueue_all(jobs(3)).await?;
                        queue.enqueue_job(unique).await?;
                    }
                    Ok::<_, StoreError>(())
                }));
            }
        }
        for producer in producers {
            producer.await.unwrap().unwrap_or_else(|error| panic!("{isolation}: {error}"));
        }
        let open = "SELECT count(*) FROM longshore.job_queue WHERE status <> 'completed'";
        site.until("all have run", || site.database.admin_sql(open)[0][0].as_deref() == Some("0"));
        for worker in &mut workers {
            assert_eq!(worker.lines_with("the store fails"), 0, "{isolation}: {}", worker.log());
            worker.assert_readable();
            worker.stop();
        }
    }
}

/// The server takes back one of two transactions that wait for each other; the foreign one waits longer than ours.
#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_with_a_foreign_transaction_costs_nothing() {
    let site = Site::on(&Cluster::shared());
    site.alter_role("SET deadlock_timeout = '200ms'");
    let ids = [site.enqueue("slow"), site.enqueue("slow")];
    let mut worker = site.worker();
    site.until("both have begun", || site.ids("began").len() == 2);
    let (foreign, connection) = site.database.admin_config().connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    let lock = |id: i64| format!("SELECT 1 FROM longshore.running WHERE id = {id} FOR UPDATE");
    foreign.batch_execute(&format!("SET deadlock_timeout = '1h'; BEGIN; {}", lock(ids[1]))).await.unwrap();
    site.let_jobs_end();
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    site.until("the outcomes wait", || site.database.admin_sql(waits)[0][0].as_deref() == Some("1"));
    foreign.batch_execute(&lock(ids[0])).await.unwrap();
    foreign.batch_execute("COMMIT").await.unwrap();
    ids.iter().for_each(|id| site.until_completed(*id));
    let mut began = site.ids("began");
    began.sort_unstable();
    assert_eq!(began, ids, "each ran once");
    assert_eq!(worker.lines_with("the store fails"), 0, "{}", worker.log());
    worker.assert_readable();
    worker.stop();
}
