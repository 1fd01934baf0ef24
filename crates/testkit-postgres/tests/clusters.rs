//! The servers that other tests use.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use longshore_testkit_postgres::{Cluster, Options, PausingProxy, PgBouncer, StopMode};
use tokio_postgres::NoTls;

fn one(rows: &[Vec<Option<String>>]) -> &str {
    rows[0][0].as_deref().unwrap_or("null")
}

#[test]
fn a_template_is_prepared_once_and_its_copies_are_independent() {
    let cluster = Cluster::shared();
    let name = format!("once_{}", std::process::id());
    let prepare = async |url: String| {
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.expect("the template accepts a session");
        tokio::spawn(connection);
        client.batch_execute("CREATE TABLE t AS SELECT 7 AS n").await.expect("app owns the database");
    };
    let first = cluster.database_from(&name, prepare);
    let second = cluster.database_from(&name, async |_| panic!("the template is there"));
    first.sql("UPDATE t SET n = 8");
    assert_eq!(one(&second.sql("SELECT n FROM t")), "7");
    assert_eq!(one(&second.sql("SELECT current_setting('is_superuser')")), "off");
    assert_eq!(one(&second.admin_sql("SELECT current_setting('is_superuser')")), "on");
    drop((first, second));
    cluster.sql(&format!("DROP DATABASE template_{name}"));
}

#[test]
fn a_database_ends_with_its_value_even_when_it_is_in_use() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    let name = database.name().to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let client = database.connect().await;
        client.batch_execute("BEGIN; CREATE TABLE t (n int)").await.expect("a transaction");
        // Dropped inside a runtime, with an open transaction.
        drop(database);
    });
    assert!(cluster.sql(&format!("SELECT 1 FROM pg_database WHERE datname = '{name}'")).is_empty());
}

#[test]
fn a_private_server_is_stopped_killed_and_started_and_keeps_what_was_committed() {
    let cluster = Cluster::private(&Options::new().with_fsync().setting("log_statement", "ddl"));
    let database = cluster.database();
    database.sql("CREATE TABLE t AS SELECT 7 AS n");
    cluster.kill();
    assert!(std::panic::catch_unwind(|| database.sql("SELECT n FROM t")).is_err());
    cluster.start();
    assert_eq!(one(&database.sql("SELECT n FROM t")), "7");
    cluster.restart(StopMode::Immediate);
    assert_eq!(one(&database.sql("SELECT n FROM t")), "7");
    assert_eq!(one(&database.sql("SHOW fsync")), "on");
    assert!(cluster.log().contains("CREATE TABLE t"));
    let folder = cluster.socket_folder().to_owned();
    drop(database);
    drop(cluster);
    assert!(!folder.exists());
}

#[test]
fn a_replica_follows_and_is_promoted() {
    let primary = Cluster::private(&Options::new());
    let database = primary.database();
    let replica = primary.replica();
    database.sql("CREATE TABLE t AS SELECT 7 AS n");
    primary.wait_for_replica(&replica);
    primary.kill();
    replica.promote();
    let url = database.url_through(replica.port());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let count = runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.expect("the replica accepts a session");
        tokio::spawn(connection);
        client.execute("UPDATE t SET n = 8", &[]).await.expect("the replica accepts writes")
    });
    assert_eq!(count, 1);
}

#[tokio::test]
async fn a_proxy_pauses_and_cuts() {
    let cluster = Cluster::shared();
    let proxy = PausingProxy::to(cluster.port());
    let database = cluster.database();
    let (client, connection) =
        tokio_postgres::connect(&database.url_through(proxy.port()), NoTls).await.expect("a session");
    tokio::spawn(connection);
    proxy.pause();
    let query = client.query_one("SELECT 7", &[]);
    tokio::pin!(query);
    assert!(tokio::time::timeout(Duration::from_millis(100), &mut query).await.is_err());
    proxy.resume();
    assert_eq!(query.await.expect("an answer").get::<_, i32>(0), 7);
    proxy.cut();
    assert!(client.query_one("SELECT 7", &[]).await.is_err());
    assert_eq!(proxy.accepted(), 1);
}

#[tokio::test]
async fn pgbouncer_gives_two_transactions_of_one_client_different_sessions() {
    let cluster = Cluster::shared();
    let pool = PgBouncer::before(&cluster);
    let database = cluster.database();
    let url = database.url_through(pool.port());
    let (first, connection) = tokio_postgres::connect(&url, NoTls).await.expect("a session");
    tokio::spawn(connection);
    let (second, connection) = tokio_postgres::connect(&url, NoTls).await.expect("a session");
    tokio::spawn(connection);
    first.batch_execute("SET application_name = 'first'").await.expect("a setting of the session");
    let name = second.simple_query("SHOW application_name").await.expect("an answer");
    let tokio_postgres::SimpleQueryMessage::Row(row) = &name[1] else { panic!("a row, not {:?}", name[1]) };
    assert_eq!(row.get(0), Some("first"), "the second client got the first one's session");
}

/// Runs this test again in a process of its own, which is killed.
#[test]
fn a_private_server_ends_when_its_process_is_killed() {
    if let Ok(file) = std::env::var("LONGSHORE_TEST_FOLDER_FILE") {
        let cluster = Cluster::private(&Options::new());
        fs::write(format!("{file}.new"), cluster.socket_folder().as_os_str().as_encoded_bytes()).expect("a file");
        fs::rename(format!("{file}.new"), file).expect("a file");
        loop {
            std::thread::park();
        }
    }
    let scratch = tempfile::tempdir().expect("a folder");
    let file = scratch.path().join("folder");
    let test = std::env::current_exe().expect("the path of this program");
    let mut child = Command::new(test)
        .args(["--exact", "a_private_server_ends_when_its_process_is_killed"])
        .env("LONGSHORE_TEST_FOLDER_FILE", &file)
        .spawn()
        .expect("this program starts");
    until("the server runs", || file.exists());
    let folder = PathBuf::from(fs::read_to_string(&file).expect("a file"));
    assert!(folder.join("data/postmaster.pid").exists());
    child.kill().expect("a child can be killed");
    child.wait().expect("a child can be waited for");
    until("the server's folder is gone", || {
        !folder.exists() || fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_none())
    });
    drop(fs::remove_dir(folder));
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
