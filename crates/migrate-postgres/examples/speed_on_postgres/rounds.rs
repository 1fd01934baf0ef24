use std::time::{Duration, Instant};

use longshore_migrate::{Migrator, RepairRequest, RunRequest, Source, files::script::Dialect};
use longshore_migrate_postgres::{Access, PostgresTarget, PostgresTargetOptions, tokio_postgres::NoTls};
use longshore_testkit_postgres::{Cluster, TestDatabase};

use crate::layout::Layout;

/// The commands, in the order in which they are measured.
pub(crate) const COMMANDS: [&str; 5] = ["lint", "up", "status", "verify", "repair"];

/// Prints what each of `commands` costs, and as a multiple of what plain statements take for the same files.
pub(crate) fn measure(layout: &Layout, size: usize, commands: &[&str]) {
    let files = (layout.files)(size);
    let folder = tempfile::tempdir().unwrap();
    for (at, text) in files.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{:05}_step.up.sql", at + 1)), text).unwrap();
    }
    println!("{} at {size}: {} files", layout.name, files.len());
    let database = Cluster::shared().database();
    let plain = timed(|| run_plain(&database, &files));
    println!("  plain statements {:>7.0} ms", millis(plain));
    let database = Cluster::shared().database();
    let migrator = |access: Access| {
        let target = PostgresTarget::open(PostgresTargetOptions::new(database.config()).access(access)).unwrap();
        Migrator::new(Box::new(target), vec![Source::directory_in(Dialect::Postgres, "app", folder.path()).unwrap()])
    };
    if !commands.contains(&"up") {
        run("up", &migrator);
    }
    for command in commands {
        let took = timed(|| run(command, &migrator));
        let ratio = took.as_secs_f64() / plain.as_secs_f64();
        println!("  {command:<16} {:>7.0} ms  {ratio:>6.2} of plain", millis(took));
    }
}

fn run(command: &str, migrator: &dyn Fn(Access) -> Migrator<'static>) {
    let look = || migrator(Access::Inspect);
    match command {
        "lint" => drop(look().lint().unwrap()),
        "up" => drop(migrator(Access::Write).up(&RunRequest::default()).unwrap()),
        "status" => drop(look().status().unwrap()),
        "verify" => assert!(look().verify().unwrap().ok),
        "repair" => drop(look().repair(&RepairRequest::default()).unwrap()),
        unknown => panic!("{unknown} is none of {COMMANDS:?}"),
    }
}

fn run_plain(database: &TestDatabase, files: &[String]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) = database.config().connect(NoTls).await.unwrap();
        let driver = tokio::spawn(connection);
        for file in files {
            client.batch_execute(&format!("BEGIN; {file} COMMIT")).await.unwrap();
        }
        drop(client);
        driver.await.unwrap().unwrap();
    });
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
