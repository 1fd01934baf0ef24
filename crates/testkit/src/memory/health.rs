use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use longshore_core::{
    Health, Job, LongAttempt, RunningJob, Status, StuckCause, StuckJob, Timestamp, TypeBacklog, WorkerId, WorkerRecord,
};

use crate::memory::Moment;
use crate::memory::state::State;
use crate::memory::workers::worker::Worker;

/// How many of a worker's jobs are listed.
const RUNNING_MAX: usize = 100;
const HOUR: Duration = Duration::from_secs(3600);

impl State {
    pub(super) fn worker_records(&mut self, observer: u64, moment: Moment) -> Vec<WorkerRecord> {
        let (living, dead) = self.living_and_dead(observer, moment);
        let of =
            |worker: &Worker, is_alive| (worker.registration.worker_id.clone(), self.worker_record(worker, is_alive));
        let all: BTreeMap<WorkerId, WorkerRecord> =
            living.iter().map(|worker| of(worker, true)).chain(dead.iter().map(|worker| of(worker, false))).collect();
        all.into_values().collect()
    }

    fn living_and_dead(&mut self, observer: u64, moment: Moment) -> (Vec<Worker>, Vec<Worker>) {
        let workers: Vec<Worker> = self.workers.values().cloned().collect();
        workers.into_iter().partition(|worker| self.is_alive(worker, observer, moment.monotonic))
    }

    fn worker_record(&self, worker: &Worker, is_alive: bool) -> WorkerRecord {
        let registration = &worker.registration;
        let mut held: Vec<&Job> = self.held_jobs(&registration.worker_id).collect();
        held.sort_by_key(|job| (job.started_at, job.id));
        WorkerRecord {
            worker_id: registration.worker_id.clone(),
            host: registration.host.clone(),
            pid: registration.pid,
            started_at: worker.started_at,
            heartbeat_at: worker.heartbeat_at,
            queues: registration.queues.clone(),
            job_types: registration.job_types.to_vec(),
            concurrency: registration.concurrency,
            is_alive,
            running: held.into_iter().take(RUNNING_MAX).filter_map(running_job).collect(),
        }
    }

    pub(super) fn health(&mut self, observer: u64, moment: Moment) -> Health {
        let (living, dead) = self.living_and_dead(observer, moment);
        let known: BTreeSet<String> =
            living.iter().flat_map(|worker| worker.registration.job_types.iter().cloned()).collect();
        let buried: Vec<Timestamp> = self.rows.values().filter_map(|row| row.job.moved_to_dead_letter_at).collect();
        Health {
            now: moment.now,
            latest_record_at: self.latest_record_at(),
            local: None,
            server: None,
            queues: self.queue_stats(moment.now),
            backlog: self.backlog(),
            dead_workers: self.holding(&dead),
            known_job_types: known.into_iter().collect(),
            living_workers: living.len() as u64,
            stuck: self.stuck_jobs(),
            keepers: Vec::new(),
            broken_keys: Vec::new(),
            long_attempts: self.long_attempts(moment.now),
            dead_letters: buried.len() as u64,
            dead_letters_last_hour: buried.iter().filter(|at| moment.now.since(**at) <= HOUR).count() as u64,
            moving: self.moving.clone(),
        }
    }

    fn long_attempts(&self, now: Timestamp) -> Vec<LongAttempt> {
        let running = self.rows.values().filter(|row| row.job.status == Status::Running);
        let mut long: Vec<LongAttempt> = running
            .filter_map(|row| {
                let started_at = row.job.started_at?;
                let usual = self.usual(&row.job.job_type)?;
                let usual_ms = usual.as_millis() as u64;
                let attempt = LongAttempt { id: row.job.id, job_type: row.job.job_type.clone(), started_at, usual_ms };
                LongAttempt::is_long(now.since(started_at), usual).then_some(attempt)
            })
            .collect();
        long.sort_by_key(|attempt| (attempt.started_at, attempt.id));
        long.truncate(LongAttempt::TOLD_MAX);
        long
    }

    fn usual(&self, job_type: &str) -> Option<Duration> {
        let newest = self.rows.values().rev().take(LongAttempt::JOBS_MAX as usize).map(|row| &row.job);
        let of_type = newest.filter(|job| job.status == Status::Completed && job.job_type == job_type);
        let ran = of_type.filter_map(|job| Some(job.completed_at?.since(job.started_at?)));
        LongAttempt::usual(ran.take(LongAttempt::KNOWN_MAX).collect())
    }

    fn stuck_jobs(&self) -> Vec<StuckJob> {
        let told = self.stuck().into_iter().take(StuckJob::TOLD_MAX);
        told.map(|(id, parent, status)| StuckJob { id, cause: StuckCause::ParentEnded { parent, status } }).collect()
    }

    fn held_jobs<'a>(&'a self, worker_id: &'a WorkerId) -> impl Iterator<Item = &'a Job> {
        self.rows.values().filter(|row| row.is_held_by(worker_id)).map(|row| &row.job)
    }

    fn holding(&self, workers: &[Worker]) -> Vec<(WorkerId, u64)> {
        let ids = workers.iter().map(|worker| &worker.registration.worker_id);
        ids.map(|id| (id.clone(), self.held_jobs(id).count() as u64)).filter(|(_, jobs)| *jobs > 0).collect()
    }

    fn latest_record_at(&self) -> Option<Timestamp> {
        let of_jobs = self.rows.values().flat_map(|row| {
            let job = &row.job;
            [Some(job.created_at), job.started_at, job.completed_at, job.moved_to_dead_letter_at]
        });
        of_jobs.flatten().chain(self.workers.values().map(|worker| worker.heartbeat_at)).max()
    }

    fn backlog(&self) -> Vec<TypeBacklog> {
        let mut waiting: BTreeMap<(&str, &str), (u64, Timestamp)> = BTreeMap::new();
        for job in self.rows.values().filter(|row| row.is_ready()).map(|row| &row.job) {
            let (jobs, oldest) = waiting.entry((&job.queue, &job.job_type)).or_insert((0, job.run_at));
            *jobs += 1;
            *oldest = job.run_at.min(*oldest);
        }
        waiting
            .into_iter()
            .map(|((queue, job_type), (jobs, oldest_ready_at))| TypeBacklog {
                queue: queue.to_owned(),
                job_type: job_type.to_owned(),
                jobs: jobs.min(u64::from(TypeBacklog::JOBS_MAX)),
                oldest_ready_at,
                has_valid_names: true,
            })
            .collect()
    }
}

fn running_job(job: &Job) -> Option<RunningJob> {
    debug_assert_eq!(job.status, Status::Running);
    Some(RunningJob { id: job.id, job_type: job.job_type.clone(), started_at: job.started_at? })
}
