use std::collections::BTreeSet;

use rusqlite::Connection;

use crate::crew::Crew;
use crate::harbour::Harbour;

/// What the database and the marks of the programs show at the end.
pub(crate) struct Account<'a> {
    harbour: &'a Harbour,
    crew: &'a Crew,
    database: Connection,
}

/// An attempt that was taken from its worker.
struct TakenAway {
    job_id: i64,
    worker_id: String,
    outcome: String,
    failure_type: Option<String>,
}

impl<'a> Account<'a> {
    pub(crate) fn new(harbour: &'a Harbour, crew: &'a Crew) -> Self {
        Self { harbour, crew, database: harbour.database() }
    }

    fn count(&self, sql: &str) -> i64 {
        self.database.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// The file is intact, everything has ended, no attempt was recorded after it was taken, and the counts are right.
    pub(crate) fn assert_sound(&self) {
        let verdict: String = self.database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(verdict, "ok");
        let unended = "SELECT count(*) FROM job_queue WHERE status NOT IN ('completed', 'dead_letter')";
        assert_eq!(self.count(unended), 0, "{:?}", self.harbour.depths());
        // An attempt that was taken is in the history. If its worker had still recorded an outcome, the job would have
        // ended with that claim.
        let fenced = "SELECT count(*) FROM job_queue j JOIN job_attempts a ON a.job_id = j.id \
                      WHERE a.outcome IN ('crashed', 'returned') AND a.claim_number >= j.claim_number";
        assert_eq!(self.count(fenced), 0, "a fenced worker recorded an outcome");
        let wrong = "SELECT count(*) FROM (SELECT queue, status, jobs FROM job_depths WHERE jobs <> 0 \
                     EXCEPT SELECT queue, status, count(*) FROM job_queue GROUP BY queue, status)";
        assert_eq!(self.count(wrong), 0, "the counts are not those of the jobs");
    }

    pub(crate) fn assert_nothing_is_lost(&self, acknowledged: &BTreeSet<i64>) {
        let ended = self.harbour.ended();
        let mut select =
            self.database.prepare("SELECT status, dead_letter_reason FROM job_queue WHERE id = ?1").unwrap();
        for id in acknowledged {
            let (status, reason): (String, Option<String>) = select
                .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
                .unwrap_or_else(|error| panic!("the acknowledged job {id} is gone: {error}"));
            assert_eq!(status, "completed", "job {id}: {reason:?}");
            assert!(ended.contains(id), "job {id} is completed and never ran to its end");
        }
    }

    /// A crash requires a worker that died, or one that was frozen for longer than its lease and lost its jobs.
    pub(crate) fn assert_nothing_is_wrongly_charged(&self) {
        let mut justified = std::collections::BTreeMap::<i64, i64>::new();
        for attempt in self.taken_away() {
            let is_death = attempt.outcome != "returned";
            let is_lapse = attempt.outcome == "returned" && attempt.failure_type.is_some();
            if is_death {
                assert!(
                    self.crew.was_killed(&attempt.worker_id),
                    "job {} was charged a crash of {}, which nobody killed",
                    attempt.job_id,
                    attempt.worker_id
                );
            }
            if is_lapse {
                assert!(
                    self.crew.was_frozen(&attempt.worker_id),
                    "job {} was taken from {}, which was never frozen",
                    attempt.job_id,
                    attempt.worker_id
                );
            }
            *justified.entry(attempt.job_id).or_default() += i64::from(is_death || is_lapse);
        }
        let mut select = self.database.prepare("SELECT id, crash_count FROM job_queue WHERE crash_count > 0").unwrap();
        let charged = select.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))).unwrap();
        let mut jobs = 0;
        for (id, crashes) in charged.map(Result::unwrap) {
            let most = justified.get(&id).copied().unwrap_or(0);
            assert!(crashes <= most, "job {id} was charged {crashes} crashes, of which {most} happened");
            jobs += 1;
        }
        println!("{jobs} jobs were charged crashes, none of them wrongly");
    }

    fn taken_away(&self) -> Vec<TakenAway> {
        let sql = "SELECT job_id, worker_id, outcome, failure_type FROM job_attempts \
                   WHERE outcome IN ('crashed', 'returned', 'dead_letter')";
        let mut select = self.database.prepare(sql).unwrap();
        let rows = select.query_map([], |row| {
            Ok(TakenAway {
                job_id: row.get(0)?,
                worker_id: row.get(1)?,
                outcome: row.get(2)?,
                failure_type: row.get(3)?,
            })
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    pub(crate) fn assert_every_poison_is_given_up(&self) {
        let poisons = self.count("SELECT count(*) FROM job_queue WHERE job_type = 'poison'");
        let given_up = "SELECT count(*) FROM job_queue \
                        WHERE job_type = 'poison' AND status = 'dead_letter' AND crash_count >= 3";
        assert!(poisons > 0, "there was a poison");
        assert_eq!(self.count(given_up), poisons, "each job that kills its worker is given up");
        println!("{poisons} jobs that kill their worker were given up");
    }
}
