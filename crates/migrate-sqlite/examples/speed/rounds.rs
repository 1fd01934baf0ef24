use std::time::{Duration, Instant};

use longshore_migrate::{Migrator, RepairRequest, RunRequest, Source};
use longshore_migrate_sqlite::rusqlite::Connection;
use longshore_migrate_sqlite::{Access, SqliteTarget};

use crate::layout::Layout;

/// Prints what each command costs, and as a multiple of what plain SQLite takes for the same files.
pub(crate) fn measure(layout: &Layout, size: usize) {
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
    let on_disk = timed(|| plain(&Connection::open(folder.path().join("plain.db")).unwrap(), &files));
    println!("  plain SQLite {:>7.0} ms on disk", millis(on_disk));
    let migrator = |access: Access| {
        let target = SqliteTarget::open(&path, access).unwrap();
        Migrator::new(Box::new(target), vec![Source::directory("app", &sources).unwrap()])
    };
    let told = |command: &str, took: Duration| {
        let plain = if command == "up" { on_disk } else { in_memory };
        let ratio = took.as_secs_f64() / plain.as_secs_f64();
        println!("  {command:<12} {:>7.0} ms  {ratio:>6.2} of plain", millis(took));
    };
    told("lint", timed(|| drop(migrator(Access::Inspect).lint().unwrap())));
    told("up", timed(|| drop(migrator(Access::Write).up(&RunRequest::default()).unwrap())));
    told("status", timed(|| assert_eq!(migrator(Access::Inspect).status().unwrap().pending_count, 0)));
    told("verify", timed(|| assert!(migrator(Access::Inspect).verify().unwrap().ok)));
    told("repair", timed(|| drop(migrator(Access::Inspect).repair(&RepairRequest::default()).unwrap())));
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
