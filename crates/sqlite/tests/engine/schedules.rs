use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use longshore_core::{
    ApplySchedules, JobData, Overlap, ScheduleDefinition, ScheduleSource, ScheduledJob, Schedules, SettleSchedules,
    Timing,
};
use longshore_testkit::EveryPlanner;

use crate::database::Database;

fn hourly(number: usize) -> ScheduleDefinition {
    let timing = Timing::Every { every_ms: 3_600_000, time_zone: "UTC".to_owned() };
    let job = ScheduledJob::new("work", JobData::default());
    ScheduleDefinition { overlap: Overlap::Allow, ..ScheduleDefinition::new(format!("s{number}"), timing, job) }
}

async fn apply(database: &Database, number: usize) {
    let apply = ApplySchedules {
        definitions: (0..number).map(hourly).collect(),
        source: ScheduleSource::Config,
        prune: false,
        dry_run: false,
        planner: Arc::new(EveryPlanner::default()),
        decided_by: "the test".to_owned(),
    };
    database.store.apply_schedules(apply).await.unwrap();
}

fn make_due(database: &Database) {
    let due = "UPDATE job_schedules SET settled_until = settled_until - 3600000, next_due_at = settled_until";
    database.foreign().execute(due, []).unwrap();
}

fn step() -> SettleSchedules {
    SettleSchedules { planner: Arc::new(EveryPlanner::default()), decided_by: "a scheduler".to_owned(), limit: 500 }
}

#[tokio::test]
async fn ten_thousand_schedules_that_are_due_at_once_are_settled_in_bounded_steps() {
    let database = Database::new();
    apply(&database, 10_000).await;
    make_due(&database);
    let (begun, mut settled, mut steps) = (Instant::now(), 0, 0);
    loop {
        let step = database.store.settle_schedules(step()).await.unwrap();
        settled += step.ticks.iter().filter(|tick| tick.job_id.is_some()).count();
        steps += 1;
        assert!(step.ticks.len() <= 1000 && steps <= 30, "{settled} after {steps} steps");
        if !step.has_more {
            break;
        }
    }
    println!("10,000 schedules were settled in {:?}", begun.elapsed());
    assert_eq!(settled, 10_000);
    database.assert_counts_are_true();
    let begun = Instant::now();
    for _ in 0..1000 {
        assert!(database.store.settle_schedules(step()).await.unwrap().ticks.is_empty());
    }
    println!("a look at 10,000 schedules that are not due takes {:?}", begun.elapsed() / 1000);
}

#[tokio::test]
async fn a_step_that_finds_nothing_due_and_schedules_that_do_not_differ_write_nothing() {
    let database = Database::new();
    apply(&database, 10).await;
    let foreign = database.foreign();
    let commits = || -> i64 { foreign.query_row("PRAGMA data_version", [], |row| row.get(0)).unwrap() };
    let seen = commits();
    for _ in 0..3 {
        assert!(database.store.settle_schedules(step()).await.unwrap().ticks.is_empty());
    }
    apply(&database, 10).await;
    assert_eq!(commits(), seen, "a commit was made");
}

/// The system's program, whose SQLite may be older than the one of this crate.
fn sqlite3(file: &Path, input: &str) -> String {
    let program = Command::new("sqlite3").arg("-bail").arg(file).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut program = program.unwrap();
    program.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let ended = program.wait_with_output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    String::from_utf8(ended.stdout).unwrap()
}

#[tokio::test]
async fn an_older_sqlite_finds_schedules_sound_and_reads_its_dump_back() {
    let database = Database::new();
    apply(&database, 3).await;
    assert_eq!(sqlite3(&database.path(), "PRAGMA integrity_check;").trim(), "ok");
    let copy = database.path().with_file_name("copy.db");
    sqlite3(&copy, &sqlite3(&database.path(), ".dump\n"));
    let schedules = "SELECT name, waiting IS NULL FROM job_schedules ORDER BY name;";
    assert_eq!(sqlite3(&copy, schedules), "s0|1\ns1|1\ns2|1\n");
    assert_eq!(sqlite3(&copy, "PRAGMA integrity_check;").trim(), "ok");
}
