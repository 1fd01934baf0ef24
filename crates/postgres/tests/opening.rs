//! How a store is opened on a database in every state, and what it does when a migration runs meanwhile.

use std::thread;

use longshore_core::{JobData, NewJob, SchemaVerdict, Store, StoreError};
use longshore_postgres::schema::{SchemaProblem, check};
use longshore_postgres::{OpenError, Origin, PostgresOptions, PostgresStore, PostgresUrl, Prepare};
use longshore_testkit_postgres::{Cluster, TestDatabase};

fn database() -> TestDatabase {
    Cluster::shared().database()
}

fn options(database: &TestDatabase) -> PostgresOptions {
    PostgresOptions::new(database.config())
}

fn open(database: &TestDatabase, prepare: Prepare) -> Result<(PostgresStore, Origin), OpenError> {
    PostgresStore::open_prepared(options(database), prepare)
}

fn problem(opened: Result<(PostgresStore, Origin), OpenError>) -> SchemaProblem {
    match opened {
        Err(OpenError::Schema(problem)) => problem,
        other => panic!("expected a problem of the schema, got {other:?}"),
    }
}

fn job() -> NewJob {
    NewJob::new("mail", JobData::default())
}

async fn enqueue(store: &PostgresStore) -> Result<i64, StoreError> {
    Ok(store.enqueue(vec![job()]).await?[0].id.0)
}

#[tokio::test]
async fn an_empty_database_becomes_a_queue_once() {
    let database = database();
    let (first, origin) = open(&database, Prepare::New).expect("it is empty");
    assert_eq!(origin, Origin::Created);
    let (second, origin) = open(&database, Prepare::Nothing).expect("it is a queue now");
    assert_eq!(origin, Origin::Found);
    assert_eq!(enqueue(&first).await.expect("it can be written"), 1);
    assert_eq!(enqueue(&second).await.expect("it can be written"), 2);
    check(&options(&database)).expect("nothing has changed");
}

#[test]
fn a_database_that_was_never_migrated_is_left_as_it_is_if_nothing_is_permitted() {
    let database = database();
    assert!(matches!(problem(open(&database, Prepare::Nothing)), SchemaProblem::NeverMigrated));
    let schemas = database.sql("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'longshore%'");
    assert_eq!(schemas, [[Some("0".to_owned())]]);
}

#[tokio::test]
async fn the_tables_of_an_application_stay_and_get_the_queue_beside_them_if_that_is_permitted() {
    let database = database();
    database.sql("CREATE TABLE track (id bigint PRIMARY KEY); INSERT INTO track VALUES (7)");
    assert!(matches!(problem(open(&database, Prepare::New)), SchemaProblem::NeverMigrated));
    let (store, origin) = open(&database, Prepare::Beside).expect("it is permitted");
    assert_eq!(origin, Origin::Created);
    enqueue(&store).await.expect("it can be written");
    assert_eq!(database.sql("SELECT id FROM track"), [[Some("7".to_owned())]]);
}

#[tokio::test]
async fn processes_that_open_a_new_database_at_once_make_one_queue() {
    let database = database();
    let origins: Vec<Origin> = thread::scope(|scope| {
        let opening: Vec<_> =
            (0..4).map(|_| scope.spawn(|| open(&database, Prepare::New).map(|opened| opened.1))).collect();
        opening.into_iter().map(|opened| opened.join().expect("it does not panic").expect("it opens")).collect()
    });
    assert!(origins.contains(&Origin::Created), "{origins:?}");
    check(&options(&database)).expect("it is whole");
}

#[tokio::test]
async fn two_queues_in_two_schemas_of_one_database_do_not_meet() {
    let database = database();
    let url = PostgresUrl::from(database.config()).in_schema("other_jobs").expect("a valid name");
    let other = PostgresOptions::new(url);
    let (first, _) = open(&database, Prepare::New).expect("it is empty");
    let (second, _) = PostgresStore::open_prepared(other, Prepare::Beside).expect("it has a name of its own");
    assert_eq!(enqueue(&first).await.expect("it can be written"), 1);
    assert_eq!(enqueue(&second).await.expect("it can be written"), 1);
    for schema in ["longshore", "other_jobs"] {
        assert_eq!(database.sql(&format!("SELECT id FROM {schema}.job_queue")), [[Some("1".to_owned())]], "{schema}");
    }
}

#[test]
fn a_dropped_index_is_noticed_although_the_ledger_is_content() {
    let database = database();
    drop(open(&database, Prepare::New).expect("it is empty"));
    database.sql("DROP INDEX longshore.later_due");
    let problem = problem(open(&database, Prepare::Latest));
    assert_eq!(problem.verdict(), SchemaVerdict::Disagrees);
    assert!(problem.to_string().contains("later_due"), "{problem}");
}

#[test]
fn a_changed_function_is_noticed() {
    let database = database();
    drop(open(&database, Prepare::New).expect("it is empty"));
    database.sql("CREATE OR REPLACE FUNCTION longshore.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT now()'");
    let problem = problem(open(&database, Prepare::Latest));
    assert_eq!(problem.verdict(), SchemaVerdict::Disagrees, "{problem}");
}

#[test]
fn a_newer_schema_is_refused() {
    let database = database();
    drop(open(&database, Prepare::New).expect("it is empty"));
    database.sql(NEWER);
    assert_eq!(problem(open(&database, Prepare::Latest)).verdict(), SchemaVerdict::Newer);
}

const NEWER: &str = "INSERT INTO longshore.longshore_migrations (source, migration_number, migration_name, applied_at)
    VALUES ('longshore', 99, 'newer', clock_timestamp())";

#[tokio::test]
async fn a_store_writes_nothing_while_the_schema_is_newer_and_goes_on_afterwards() {
    let database = database();
    let (store, _) = open(&database, Prepare::New).expect("it is empty");
    enqueue(&store).await.expect("it can be written");
    database.sql(NEWER);
    let begun = std::time::Instant::now();
    // It looks once a second.
    while enqueue(&store).await.is_ok() {
        assert!(begun.elapsed().as_secs() < 20, "the store does not notice that the schema is newer");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let refused = enqueue(&store).await.expect_err("the schema is newer");
    assert!(matches!(refused, StoreError::SchemaChanged { .. }) && refused.is_passing(), "{refused}");
    database.sql("DELETE FROM longshore.longshore_migrations WHERE migration_number = 99");
    while enqueue(&store).await.is_err() {
        assert!(begun.elapsed().as_secs() < 40, "the store does not notice that the schema is its own again");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[test]
fn a_database_that_is_not_there_is_named() {
    let database = database();
    let mut config = database.config();
    config.dbname("nobody_made_this");
    let error = PostgresStore::open_prepared(PostgresOptions::new(config), Prepare::Latest).expect_err("it is missing");
    assert!(error.to_string().contains("nobody_made_this"), "{error}");
}
