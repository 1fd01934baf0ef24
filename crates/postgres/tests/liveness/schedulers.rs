use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use longshore_core::{
    ApplySchedules, JobData, Overlap, ScheduleDefinition, ScheduleSource, ScheduledJob, Schedules, SettleSchedules,
    SettledSchedules, Timing,
};
use longshore_postgres::{PostgresOptions, PostgresStore, PostgresUrl};
use longshore_testkit::EveryPlanner;
use longshore_testkit_postgres::{Cluster, PgBouncer, TestDatabase};

use crate::pooled::through;
use crate::{open, template, trial};

/// Makes this program a scheduler that settles until it is killed.
pub(crate) const SETTLE: &str = "settle-schedules";

const SCHEDULES: usize = 60;
/// How long schedulers run and are killed.
const TROUBLE: Duration = Duration::from_secs(5);
/// How many ticks there must be to mean anything, on a machine that is busy with other things.
const TICKS_MIN: i64 = 60;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("schedulers_that_are_killed_while_they_settle_leave_each_tick_with_its_one_job", killed_schedulers),
        trial("through_a_pooler_schedules_are_settled", settled_through_a_pooler),
        trial("ten_thousand_schedules_that_are_due_at_once_are_settled_in_bounded_steps", many_at_once),
    ]
}

pub(crate) fn settle_until_killed(url: &str) -> ExitCode {
    let url: PostgresUrl = url.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = PostgresStore::connect_lazily(PostgresOptions::new(url)).unwrap();
        loop {
            settle(&store, 7).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
}

async fn settle(store: &PostgresStore, limit: u32) -> SettledSchedules {
    let planner = Arc::new(EveryPlanner::default());
    let settle = SettleSchedules { planner, decided_by: "a scheduler".to_owned(), limit };
    store.settle_schedules(settle).await.unwrap()
}

async fn apply(store: &PostgresStore, schedules: usize, every_ms: u64) {
    let definition = |number: usize| {
        let timing = Timing::Every { every_ms, time_zone: "UTC".to_owned() };
        let job = ScheduledJob::new("work", JobData::default());
        ScheduleDefinition { overlap: Overlap::Allow, ..ScheduleDefinition::new(format!("s{number}"), timing, job) }
    };
    let apply = ApplySchedules {
        definitions: (0..schedules).map(definition).collect(),
        source: ScheduleSource::Config,
        prune: false,
        dry_run: false,
        planner: Arc::new(EveryPlanner::default()),
        decided_by: "the test".to_owned(),
    };
    store.apply_schedules(apply).await.unwrap();
}

/// A process that settles. It is killed with the value.
struct Scheduler(Child);

impl Scheduler {
    fn start(database: &TestDatabase) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        Self(command.arg(SETTLE).arg(database.url()).stdin(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn killed_schedulers() {
    let database = template::migrated();
    apply(&open(&database), SCHEDULES, 200).await;
    let begun = Instant::now();
    let mut schedulers: Vec<Scheduler> = (0..3).map(|_| Scheduler::start(&database)).collect();
    let mut next = 0;
    while begun.elapsed() < TROUBLE {
        tokio::time::sleep(Duration::from_millis(fastrand::u64(20..150))).await;
        // The old one is dead before the new one begins.
        drop(schedulers.remove(next % 2));
        schedulers.push(Scheduler::start(&database));
        next += 1;
    }
    drop(schedulers);
    assert_ticks_and_jobs_agree(&database);
}

/// Each decided tick has its one job, each job its one tick, and no instant is missing.
fn assert_ticks_and_jobs_agree(database: &TestDatabase) {
    let number = |sql: &str| -> i64 { database.sql(sql)[0][0].as_deref().unwrap_or("0").parse().unwrap() };
    let enqueued = number("SELECT count(*) FROM longshore.tick WHERE outcome = 'enqueued'");
    assert!(enqueued >= TICKS_MIN, "only {enqueued} ticks");
    assert_eq!(number("SELECT count(*) FROM longshore.job"), enqueued);
    let pairs = "SELECT count(*) FROM longshore.tick t JOIN longshore.job j ON j.id = t.job_id
                 WHERE j.metadata ->> 'schedule' = t.schedule AND (j.metadata ->> 'due_at')::timestamptz = t.due_at";
    assert_eq!(number(pairs), enqueued);
    let gaps = "SELECT count(*) FROM (
                    SELECT s.name,
                           sum(t.ticks) AS told,
                           floor(extract(epoch FROM s.settled_until) * 5) - floor(extract(epoch FROM s.created_at) * 5) AS due
                    FROM longshore.schedule s JOIN longshore.tick t ON t.schedule = s.name
                    GROUP BY s.name
                ) AS sums
                WHERE told <> due";
    assert_eq!(number(gaps), 0, "an instant is told twice or not at all");
}

async fn settled_through_a_pooler() {
    let database = template::migrated();
    let pool = PgBouncer::with_pool_size(&Cluster::shared(), 2);
    let stores = [(); 2].map(|()| PostgresStore::connect_lazily(through(&pool, &database)).unwrap());
    apply(&stores[0], SCHEDULES, 200).await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        tokio::join!(settle(&stores[0], 9), settle(&stores[1], 9));
    }
    assert_ticks_and_jobs_agree(&database);
}

async fn many_at_once() {
    let database = template::migrated();
    let store = open(&database);
    apply(&store, 10_000, 3_600_000).await;
    database.sql("UPDATE longshore.schedule SET settled_until = settled_until - interval '1 hour', next_due_at = longshore.now()");
    let (mut settled, mut steps) = (0, 0);
    loop {
        let step = settle(&store, 500).await;
        settled += step.ticks.iter().filter(|tick| tick.job_id.is_some()).count();
        steps += 1;
        assert!(step.ticks.len() <= 1000 && steps <= 30, "{settled} after {steps} steps");
        if !step.has_more {
            break;
        }
    }
    assert_eq!(settled, 10_000);
}
