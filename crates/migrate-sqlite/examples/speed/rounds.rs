use std::{
    path::Path,
    time::{Duration, Instant},
};

use longshore_migrate::{Migrator, RepairRequest, RunRequest, Source};
use longshore_migrate_sqlite::rusqlite::Connection;
use longshore_migrate_sqlite::{Access, SqliteTarget};

use crate::layout::Layout;

/// The commands, in the order in which they are measured.
pub(crate) const COMMANDS: [&str; 6] = ["lint", "up", "status", "verify", "repair", "mend"];

/// Prints what each of `commands` costs, and as a multiple of what plain SQLite takes for the same files.
pub(crate) fn measure(layout: &Layout, size: usize, commands: &[&str]) {
    let files = (layout.files)(size);
    let folder = tempfile::tempdir().unwrap();
    let sources = folder.path().join("migrations");
    std::fs::create_dir(&sources).unwrap();
    for (at, text) in files.iter().enumerate() {
        std::fs::write(sources.join(format!("{:05}_step.up.sql", at + 1)), text).unwrap();
    }
    let path = folder.path().join("a.db");
    println!("{} at {size}: {} files", layout.name, files.len());
    let in_memory = timed(|| plain(&Connection::open_in_memory().unwrap(), &files));
    println!("  plain SQLite {:>7.0} ms in memory", millis(in_memory));
    let on_disk = || timed(|| plain(&Connection::open(folder.path().join("plain.db")).unwrap(), &files));
    let on_disk = commands.contains(&"up").then(on_disk).inspect(|took| {
        println!("  plain SQLite {:>7.0} ms on disk", millis(*took));
    });
    let migrator = |access: Access| {
        let target = SqliteTarget::open(&path, access).unwrap();
        Migrator::new(Box::new(target), vec![Source::directory("app", &sources).unwrap()])
    };
    for command in commands {
        if *command == "mend" && !damage(&path) {
            continue;
        }
        let took = timed(|| run(command, &migrator));
        let plain = on_disk.filter(|_| *command == "up").unwrap_or(in_memory);
        let ratio = took.as_secs_f64() / plain.as_secs_f64();
        println!("  {command:<12} {:>7.0} ms  {ratio:>6.2} of plain", millis(took));
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
        "mend" => assert!(!look().repair(&RepairRequest::default()).unwrap().steps.is_empty()),
        unknown => panic!("{unknown} is none of {COMMANDS:?}"),
    }
}

/// Drops every other index, so that many migrations are there in part; whether there was one.
fn damage(path: &Path) -> bool {
    let connection = Connection::open(path).unwrap();
    let query = "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL AND rowid % 4 < 2";
    let mut found = connection.prepare(query).unwrap();
    let names: Vec<String> = found.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    drop(found);
    for name in &names {
        connection.execute_batch(&format!("DROP INDEX {name}")).unwrap();
    }
    !names.is_empty()
}

fn plain(connection: &Connection, files: &[String]) {
    for file in files {
        connection.execute_batch(&format!("BEGIN; {file} COMMIT")).unwrap();
    }
}

/// The processor time of some work, which other programs on the machine do not change; elsewhere than on Linux the time
/// that passed.
fn timed(work: impl FnOnce()) -> Duration {
    let (begun, spent) = (Instant::now(), processor_time());
    work();
    match (spent, processor_time()) {
        (Some(before), Some(after)) => after.saturating_sub(before),
        _ => begun.elapsed(),
    }
}

fn processor_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    Some(Duration::from_nanos(text.split_whitespace().next()?.parse().ok()?))
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The most that this process has held.
pub(crate) fn memory_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() / 1024
}
