use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::postgres_queue::PostgresQueue;
use crate::PATIENCE;
use crate::account::Account;
use crate::crashed_queue::CrashedQueue;

/// The tables whose rows come and go with every job.
const HOT: [&str; 9] =
    ["ready", "later", "blocked", "blocked_unchecked", "running", "claim", "started", "unique_key", "change"];
/// What a hot table may have on disk after a run. A job needs about a hundred bytes in each.
const HOT_BYTES_MAX: i64 = 8 * 1024 * 1024;

/// What only PostgreSQL can get wrong.
pub(crate) struct Audit<'a> {
    queue: &'a PostgresQueue,
    account: &'a Account<'a>,
}

impl<'a> Audit<'a> {
    pub(crate) fn new(queue: &'a PostgresQueue, account: &'a Account<'a>) -> Self {
        Self { queue, account }
    }

    pub(crate) fn assert_all(&self) {
        self.assert_each_job_has_one_state();
        self.assert_outcomes_are_those_of_the_last_claim();
        self.assert_nothing_is_left_over();
        self.assert_dead_rows_are_bounded();
        self.assert_doctor_finds_nothing();
        self.assert_nobody_panicked();
    }

    fn number(&self, sql: &str) -> i64 {
        self.queue.servers.observer.number(sql)
    }

    fn assert_each_job_has_one_state(&self) {
        let states = "SELECT id FROM longshore.ready UNION ALL SELECT id FROM longshore.later \
                      UNION ALL SELECT id FROM longshore.blocked UNION ALL SELECT id FROM longshore.running \
                      UNION ALL SELECT id FROM longshore.ended";
        let wrong = format!(
            "SELECT count(*) FROM (SELECT id, count(s.id) FROM longshore.job j LEFT JOIN ({states}) s USING (id) GROUP BY id) c
             WHERE count <> 1"
        );
        assert_eq!(self.number(&wrong), 0, "jobs without a state or with several");
        let orphans = format!("SELECT count(*) FROM ({states}) s WHERE id NOT IN (SELECT id FROM longshore.job)");
        assert_eq!(self.number(&orphans), 0, "states without a job");
    }

    /// A handler may run under several claims, and one of them counts.
    fn assert_outcomes_are_those_of_the_last_claim(&self) {
        let rows = self.queue.servers.observer.rows("SELECT job_id, claim_number FROM public.effect");
        let mut effects = BTreeMap::<i64, Vec<i64>>::new();
        for row in rows {
            effects.entry(row[0].parse().unwrap()).or_default().push(row[1].parse().unwrap());
        }
        let marks = self.queue.claim_marks();
        for job in self.account.jobs.values().filter(|job| job.status == "completed") {
            match &*job.job_type {
                "exact" => assert_eq!(effects.remove(&job.id), Some(vec![job.claim_number]), "{job:?}"),
                _ => {
                    let marked = &marks[&job.id];
                    assert!(marked.contains(&job.claim_number) || marked.contains(&0), "{job:?} of {marked:?}");
                }
            }
        }
        assert!(effects.is_empty(), "effects of jobs that are not completed: {effects:?}");
        let twice = marks.values().filter(|claims| claims.len() > 1).count();
        println!("{twice} jobs ran to their end under several claims, and one of each was recorded");
        let recorded_twice = "SELECT count(*) FROM longshore.attempt a JOIN longshore.ended e USING (id)
            WHERE a.outcome = 'completed' AND e.status = 1 AND a.claim_number <> e.claim_number";
        assert_eq!(self.number(recorded_twice), 0, "jobs that were completed under two claims");
        let older = "SELECT count(*) FROM longshore.attempt a JOIN longshore.ended e USING (id)
            WHERE a.claim_number > e.claim_number";
        assert_eq!(self.number(older), 0, "outcomes under an older claim");
    }

    /// A worker finds those that died last, and retires in order.
    fn assert_nothing_is_left_over(&self) {
        let mut last = self.queue.worker(0, &mut fastrand::Rng::with_seed(0));
        let begun = Instant::now();
        let others = format!("SELECT count(*) FROM longshore.worker WHERE pid <> {}", last.pid());
        let own = format!("SELECT count(*) FROM longshore.worker WHERE pid = {}", last.pid());
        while self.number(&others) > 0 || self.number(&own) == 0 {
            assert!(begun.elapsed() < PATIENCE, "dead workers are left");
            std::thread::sleep(Duration::from_millis(50));
        }
        last.signal(Signal::TERM);
        assert!(last.wait().success());
        for table in HOT.iter().filter(|table| **table != "change").chain(&["worker"]) {
            assert_eq!(self.number(&format!("SELECT count(*) FROM longshore.{table}")), 0, "rows of {table} are left");
        }
        let sessions = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'";
        while self.number(sessions) > 0 {
            assert!(begun.elapsed() < PATIENCE, "sessions are left");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Nothing keeps dead rows from being removed, and the tables have not grown with the jobs that went through them.
    fn assert_dead_rows_are_bounded(&self) {
        for table in HOT {
            self.queue.servers.observer.rows(&format!("VACUUM longshore.{table}"));
            let bytes = self.number(&format!("SELECT pg_total_relation_size('longshore.{table}')"));
            println!("{table}: {} KiB", bytes / 1024);
            assert!(bytes <= HOT_BYTES_MAX, "{table} has grown to {bytes} bytes");
        }
        let dead = "SELECT COALESCE(sum(n_dead_tup), 0) FROM pg_stat_user_tables
            WHERE schemaname = 'longshore' AND relname = ANY ('{ready,later,blocked,running,claim,started}')";
        assert_eq!(self.number(dead), 0, "dead rows that cannot be removed");
    }

    /// Only dead letters are expected.
    fn assert_doctor_finds_nothing(&self) {
        let doctor = self.queue.command(&["doctor", "--json"]).stdout(Stdio::piped()).output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
        let found = report["findings"].as_array().unwrap();
        let is_expected = |code: &str| code == "dead_letters_grow";
        let unexpected: Vec<_> = found.iter().filter(|one| !is_expected(one["code"].as_str().unwrap())).collect();
        assert!(unexpected.is_empty(), "{unexpected:?}");
        let verified = self.queue.command(&["migrate", "verify"]).stdout(Stdio::null()).status().unwrap();
        assert!(verified.success(), "the schema has changed");
    }

    fn assert_nobody_panicked(&self) {
        for (file, log) in self.queue.worker_logs() {
            assert!(!log.contains("panicked"), "{}: {log}", file.display());
        }
    }
}
