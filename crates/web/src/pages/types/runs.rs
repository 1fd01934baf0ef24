use std::collections::BTreeMap;
use std::time::Duration;

use longshore_core::{Job, Status, Timestamp, TypeBacklog, WorkerRecord};
use longshore_report::CountedJobs;

/// The newest jobs of one type that have ended or are retried, and what waits and runs.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct TypeRuns {
    pub(super) job_type: String,
    /// How many living workers can run it.
    pub(super) workers: u64,
    /// Jobs that could run now. None if there are none, or if that could not be read.
    pub(super) waiting: Option<CountedJobs>,
    pub(super) running: u64,
    pub(super) ended: u64,
    /// How many of these were given up.
    pub(super) given_up: u64,
    attempts: u64,
    failed_attempts: u64,
    /// How long the last attempts of completed jobs ran, shortest first.
    ran: Vec<Duration>,
    /// When the first and the last of them ended.
    between: Option<(Timestamp, Timestamp)>,
}

impl TypeRuns {
    /// So many of a hundred completed jobs ran no longer.
    pub(super) fn percentile(&self, share: usize) -> Option<Duration> {
        let place = (self.ran.len() * share).div_ceil(100);
        self.ran.get(place.checked_sub(1)?).copied()
    }

    /// How many of a hundred attempts failed.
    pub(super) fn failed_percent(&self) -> Option<u64> {
        // One of a thousand is not none.
        (self.attempts > 0).then(|| (self.failed_attempts * 100).div_ceil(self.attempts))
    }

    /// How many ended in a minute, on average. None where one job says nothing. What ended within a minute is that many a
    /// minute: a burst of a moment says nothing of the rest of it.
    pub(super) fn per_minute(&self) -> Option<f64> {
        let (first, last) = self.between?;
        let minutes = last.since(first).as_secs_f64() / 60.0;
        let rate = if minutes < 1.0 { self.ended as f64 } else { (self.ended - 1) as f64 / minutes };
        (self.ended > 1).then_some(rate)
    }

    fn add(&mut self, job: &Job) {
        let retried = u64::from(job.retry_count);
        // A job may be given up before its first attempt, for example because its parent was.
        let last = u64::from(job.status == Status::Completed || job.started_at.is_some());
        match job.status {
            Status::Retrying => return self.add_attempts(retried, retried),
            Status::DeadLetter => {
                self.given_up += 1;
                self.add_attempts(retried + last, retried + last);
            }
            _ => {
                self.add_attempts(retried + last, retried);
                self.ran.extend(job.started_at.zip(job.completed_at).map(|(from, to)| to.since(from)));
            }
        }
        self.ended += 1;
        if let Some(at) = job.completed_at.or(job.moved_to_dead_letter_at) {
            let (first, last) = self.between.unwrap_or((at, at));
            self.between = Some((first.min(at), last.max(at)));
        }
    }

    const fn add_attempts(&mut self, attempts: u64, failed: u64) {
        self.attempts += attempts;
        self.failed_attempts += failed;
    }
}

/// The types of these jobs, of the living workers and of the jobs that wait, by name.
pub(super) fn runs_by_type(jobs: &[Job], workers: &[WorkerRecord], backlog: &[TypeBacklog]) -> Vec<TypeRuns> {
    let mut types: BTreeMap<&str, TypeRuns> = BTreeMap::new();
    for job in jobs {
        types.entry(&job.job_type).or_default().add(job);
    }
    for job_type in workers.iter().filter(|worker| worker.is_alive).flat_map(|worker| &worker.job_types) {
        types.entry(job_type).or_default().workers += 1;
    }
    for job in workers.iter().flat_map(|worker| &worker.running) {
        types.entry(&job.job_type).or_default().running += 1;
    }
    let mut waiting: BTreeMap<&str, Vec<&TypeBacklog>> = BTreeMap::new();
    for of_queue in backlog {
        waiting.entry(&of_queue.job_type).or_default().push(of_queue);
    }
    for (job_type, of_type) in waiting {
        types.entry(job_type).or_default().waiting = Some(CountedJobs::of(of_type.into_iter()));
    }
    let named = |(name, mut runs): (&str, TypeRuns)| {
        runs.ran.sort_unstable();
        TypeRuns { job_type: name.to_owned(), ..runs }
    };
    types.into_iter().map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(ms: &[u64]) -> TypeRuns {
        TypeRuns { ran: ms.iter().copied().map(Duration::from_millis).collect(), ..TypeRuns::default() }
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let ten = runs(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 1000]);
        let ms = |share| ten.percentile(share).map(|ran| ran.as_millis());
        assert_eq!([50, 90, 95, 99].map(ms), [Some(5), Some(9), Some(1000), Some(1000)]);
        assert_eq!(runs(&[]).percentile(50), None);
    }

    #[test]
    fn a_type_without_an_attempt_has_no_share() {
        assert_eq!(TypeRuns::default().failed_percent(), None);
        assert_eq!(TypeRuns { attempts: 1000, failed_attempts: 1, ..TypeRuns::default() }.failed_percent(), Some(1));
        assert_eq!(TypeRuns { attempts: 3, ..TypeRuns::default() }.failed_percent(), Some(0));
    }

    #[test]
    fn a_type_that_only_waits_is_listed_with_its_jobs_in_all_queues() {
        let waiting = |queue: &str, jobs| TypeBacklog {
            queue: queue.to_owned(),
            job_type: "mail".to_owned(),
            jobs,
            oldest_ready_at: Timestamp::from_ms(0),
            has_valid_names: true,
        };
        let types = runs_by_type(&[], &[], &[waiting("a", 2), waiting("b", 3)]);
        assert_eq!(types.len(), 1);
        assert_eq!((types[0].job_type.as_str(), types[0].workers), ("mail", 0));
        assert_eq!(types[0].waiting, Some(CountedJobs { jobs: 5, is_at_least: false }));
    }

    #[test]
    fn a_rate_needs_two_ends() {
        let between = Some((Timestamp::from_ms(0), Timestamp::from_ms(120_000)));
        assert_eq!(TypeRuns { ended: 5, between, ..TypeRuns::default() }.per_minute(), Some(2.0));
        assert_eq!(TypeRuns { ended: 1, between, ..TypeRuns::default() }.per_minute(), None);
        assert_eq!(TypeRuns::default().per_minute(), None);
    }

    #[test]
    fn a_burst_is_as_many_a_minute_as_it_has_jobs() {
        for burst_ms in [0, 151, 59_999] {
            let between = Some((Timestamp::from_ms(0), Timestamp::from_ms(burst_ms)));
            assert_eq!(TypeRuns { ended: 12, between, ..TypeRuns::default() }.per_minute(), Some(12.0), "{burst_ms}");
        }
    }
}
