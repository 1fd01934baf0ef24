//! Causes outside of the migrations: each has its code and its sentence.

use longshore_migrate::{
    OutsideCause, RunRequest,
    target::{Session, TargetError},
};
use longshore_migrate_postgres::{Access, KeptConnection, PostgresTarget, PostgresTargetOptions};
use longshore_testkit_postgres::{Cluster, Options};

use crate::support::{database, migrator, migrator_with, refused, rows, source, up};

const FILES: [(&str, &str); 1] = [("001_a.up.sql", "CREATE TABLE a (i int)")];

fn cause(options: PostgresTargetOptions) -> OutsideCause {
    match PostgresTarget::open(options) {
        Err(TargetError::Outside(cause)) => cause,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was opened"),
    }
}

#[test]
fn a_server_or_a_database_that_is_not_there_is_said() {
    let database = database();
    let mut config = database.config();
    config.dbname("nowhere");
    assert_eq!(cause(PostgresTargetOptions::new(config)).code(), "database_missing");
    let config: tokio_postgres::Config = "postgres://app@127.0.0.1:1/x".parse().unwrap();
    let unreachable = cause(PostgresTargetOptions::new(config));
    assert_eq!(unreachable.code(), "database_unreachable");
    assert!(unreachable.to_string().contains("postgres://127.0.0.1:1/x"), "{unreachable}");
}

#[test]
fn a_role_that_does_not_exist_is_refused_at_the_login() {
    let mut config = database().config();
    config.user("nobody_of_that_name");
    assert_eq!(cause(PostgresTargetOptions::new(config)).code(), "login_refused");
}

#[test]
fn a_missing_right_names_the_object() {
    let database = database();
    database.admin_sql("CREATE SCHEMA closed; CREATE TABLE closed.secret (i int)");
    let files = [("001_a.up.sql", "CREATE TABLE a (i int); INSERT INTO a SELECT i FROM closed.secret")];
    let error = migrator(&database, &files).up(&RunRequest::default()).unwrap_err();
    assert_eq!(error.code(), "history_broken");
    assert!(error.to_string().contains("permission denied for schema closed"), "{error}");
    assert_eq!(rows(&database, "SELECT to_regclass('a')"), ["NULL"]);
}

#[test]
fn a_server_that_takes_no_writes_is_said_for_what_it_is() {
    let database = database();
    up(&mut migrator(&database, &FILES));
    let name = database.name().to_owned();
    database.sql(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
    // A role may write all the same where only the default says no, and the runner asks for it.
    assert_eq!(up(&mut migrator(&database, &[FILES[0], ("002_b.up.sql", "CREATE TABLE b (i int)")])), [2]);
    let cluster = Cluster::private(&Options::new());
    let primary = cluster.database();
    up(&mut migrator(&primary, &FILES));
    let replica = cluster.replica();
    cluster.wait_for_replica(&replica);
    let config: tokio_postgres::Config = primary.url_through(replica.port()).parse().unwrap();
    let mut migrator = migrator_with(PostgresTargetOptions::new(config), vec![source(&FILES)]);
    let (code, message) = refused(migrator.up(&RunRequest::default()));
    assert_eq!(code, "database_read_only", "{message}");
}

#[test]
fn no_right_to_make_schemas_is_said_with_the_database() {
    let database = database();
    database.admin_sql(&format!(
        "DO $$ BEGIN CREATE ROLE migrate_guest LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
         GRANT CONNECT ON DATABASE {} TO migrate_guest",
        database.name()
    ));
    let mut config = database.config();
    config.user("migrate_guest");
    let target = PostgresTarget::open(PostgresTargetOptions::new(config)).unwrap();
    let mut migrator = longshore_migrate::Migrator::new(Box::new(target), vec![source(&FILES)]);
    let (code, message) = refused(migrator.status());
    assert_eq!(code, "permission_denied");
    assert!(message.contains("permission denied for database"), "{message}");
}

#[test]
fn a_connection_that_is_cut_in_the_middle_takes_the_migration_back() {
    let database = database();
    let files = [("001_a.up.sql", "CREATE TABLE a (i int); SELECT pg_sleep(60);")];
    let runner = std::thread::scope(|scope| {
        let runner = scope.spawn(|| migrator(&database, &files).up(&RunRequest::default()).unwrap_err());
        // The replay sleeps, too, for a limited time; then the real run does, with its ledger in its transaction.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        loop {
            let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
            let sleeping = "SELECT count(*) FROM pg_stat_activity a WHERE query LIKE '%pg_sleep(60)%'
                AND datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'
                AND query_start < clock_timestamp() - interval '3 seconds'";
            if database.admin_sql(locks)[0][0].as_deref() == Some("1")
                && database.admin_sql(sleeping)[0][0].as_deref() == Some("1")
            {
                break;
            }
            assert!(std::time::Instant::now() < deadline);
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        database.admin_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE query LIKE '%pg_sleep(60)%' AND datname = current_database() AND pid <> pg_backend_pid()",
        );
        runner.join().unwrap()
    });
    assert_eq!(runner.code(), "server_stopping", "{runner}");
    assert_eq!(rows(&database, "SELECT to_regclass('a')"), ["NULL"]);
}

#[test]
fn targets_that_look_share_a_connection_one_after_the_other() {
    let database = database();
    let process = |target: &mut PostgresTarget| target.query("SELECT pg_backend_pid()").unwrap();
    let open = |options: &PostgresTargetOptions| PostgresTarget::open(options.clone()).unwrap();
    let kept = KeptConnection::default();
    let options = PostgresTargetOptions::new(database.config()).access(Access::Inspect).keep(&kept);
    let mut first = open(&options);
    let of_first = process(&mut first);
    let of_second = process(&mut open(&options));
    assert_ne!(of_second, of_first, "two at once have two");
    drop(first);
    assert_eq!(process(&mut open(&options)), of_first);
    // What others do to the schema is seen.
    database.sql("CREATE TABLE made_meanwhile (i int)");
    let mut target = open(&options);
    assert!(format!("{:?}", target.observe().unwrap()).contains("made_meanwhile"));
    assert_eq!(process(&mut target), of_first);
    drop(target);
    let sessions = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !database.admin_sql(&format!("SELECT pg_terminate_backend(pid) {sessions}")).is_empty() {
        assert!(std::time::Instant::now() < deadline);
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let mut target = open(&options);
    let replaced = process(&mut target);
    assert_ne!(replaced, of_first, "one that is gone is replaced");
    // What a target leaves behind is not met by the next one.
    target.query("SELECT set_config('search_path', 'elsewhere', false)").unwrap();
    target.execute("BEGIN").unwrap();
    drop(target);
    let mut target = open(&options);
    assert_eq!(process(&mut target), replaced);
    assert!(format!("{:?}", target.observe().unwrap()).contains("made_meanwhile"));
    drop(target);
    let mut writer = open(&options.access(Access::Write));
    assert_ne!(process(&mut writer), replaced);
    drop(kept);
}
