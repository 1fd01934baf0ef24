use std::collections::BTreeMap;

use crate::crashed_queue::{CrashedQueue, JobRow, TakenAway};
use crate::crew::Crew;
use crate::ledger::{Expected, Ledger};

/// What the database and the marks of the programs show at the end.
pub(crate) struct Account<'a> {
    queue: &'a dyn CrashedQueue,
    crew: &'a Crew,
    pub(crate) jobs: BTreeMap<i64, JobRow>,
    taken_away: Vec<TakenAway>,
}

impl<'a> Account<'a> {
    pub(crate) fn new(queue: &'a dyn CrashedQueue, crew: &'a Crew) -> Self {
        let jobs = queue.jobs().into_iter().map(|job| (job.id, job)).collect();
        Self { queue, crew, jobs, taken_away: queue.taken_away() }
    }

    /// Every check that both backends share.
    pub(crate) fn assert_all(&self, ledger: &Ledger) {
        self.assert_sound();
        self.assert_nothing_is_lost(ledger);
        self.assert_nothing_is_wrongly_charged();
        self.assert_every_poison_is_given_up();
    }

    /// Everything has ended, no attempt was recorded after it was taken, and the counts are right.
    fn assert_sound(&self) {
        let is_ended = |job: &&JobRow| matches!(&*job.status, "completed" | "dead_letter");
        let unended: Vec<&JobRow> = self.jobs.values().filter(|job| !is_ended(job)).collect();
        assert!(unended.is_empty(), "{}: {unended:?}", self.queue.depths());
        // An attempt that was taken is in the history. If its worker had still recorded an outcome, the job would have
        // ended with that claim.
        for attempt in self.taken_away.iter().filter(|attempt| attempt.outcome != "dead_letter") {
            let job = &self.jobs[&attempt.job_id];
            assert!(attempt.claim_number < job.claim_number, "a fenced worker recorded {attempt:?} of {job:?}");
        }
        assert_eq!(self.queue.wrong_counts(), 0, "the counts are not those of the jobs");
    }

    fn assert_nothing_is_lost(&self, ledger: &Ledger) {
        println!("{} jobs were acknowledged, {} ended", ledger.len(), self.jobs.len());
        assert!(ledger.len() > 20, "too few jobs to mean anything");
        let marks = self.queue.marks();
        for (id, expected) in ledger.entries() {
            let job = self.jobs.get(&id).unwrap_or_else(|| panic!("the acknowledged job {id} is gone"));
            let status = if expected == Expected::DeadLetter { "dead_letter" } else { "completed" };
            assert_eq!(job.status, status, "job {id}: {:?}", job.reason);
            let is_marked = expected != Expected::Marked || marks.contains(&id);
            assert!(is_marked, "{job:?} is completed and never ran to its end");
        }
    }

    /// A crash requires a worker that died, or one that was frozen for longer than its lease and lost its jobs.
    fn assert_nothing_is_wrongly_charged(&self) {
        let mut justified = BTreeMap::<i64, i64>::new();
        for attempt in &self.taken_away {
            let (job_id, worker_id) = (attempt.job_id, &attempt.worker_id);
            let (was_killed, was_frozen) = (self.crew.was_killed(worker_id), self.crew.was_frozen(worker_id));
            let is_death = attempt.outcome != "returned";
            let is_lapse = !is_death && attempt.failure_type.is_some();
            assert!(!is_death || was_killed, "job {job_id} was charged a crash of {worker_id}, which nobody killed");
            let may_lapse = was_frozen || was_killed && self.queue.can_the_dead_lapse();
            assert!(!is_lapse || may_lapse, "job {job_id} was taken from {worker_id}, which was never frozen");
            *justified.entry(job_id).or_default() += i64::from(is_death || is_lapse);
        }
        let charged: Vec<&JobRow> = self.jobs.values().filter(|job| job.crash_count > 0).collect();
        for job in &charged {
            let most = justified.get(&job.id).copied().unwrap_or(0);
            assert!(job.crash_count <= most, "{job:?} was charged {} crashes of {most}", job.crash_count);
        }
        println!("{} jobs were charged crashes, none of them wrongly", charged.len());
    }

    fn assert_every_poison_is_given_up(&self) {
        let poisons: Vec<&JobRow> = self.jobs.values().filter(|job| job.job_type == "poison").collect();
        assert!(!poisons.is_empty(), "there was a poison");
        for job in &poisons {
            let is_given_up = job.status == "dead_letter" && job.crash_count >= 3;
            assert!(is_given_up, "a job that kills its worker was not given up: {job:?}");
        }
        println!("{} jobs that kill their worker were given up", poisons.len());
    }
}
