use std::collections::BTreeMap;
use std::time::Duration;

use longshore_core::{Job, Status, Timestamp, WorkerRecord};

/// The newest ended jobs of one type.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct TypeRuns {
    pub(super) job_type: String,
    /// How many living workers can run it.
    pub(super) workers: u64,
    pub(super) ended: u64,
    failed: u64,
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

    /// How many of a hundred ended as dead letters.
    pub(super) fn failed_percent(&self) -> Option<u64> {
        // One of a thousand is not none.
        (self.ended > 0).then(|| (self.failed * 100).div_ceil(self.ended))
    }

    /// How many ended in a minute, on average. None where a few jobs or a moment say nothing.
    pub(super) fn per_minute(&self) -> Option<f64> {
        let (first, last) = self.between?;
        let minutes = last.since(first).as_secs_f64() / 60.0;
        (self.ended > 1 && minutes > 0.0).then(|| (self.ended - 1) as f64 / minutes)
    }

    fn add(&mut self, job: &Job) {
        self.ended += 1;
        let ended_at = job.completed_at.or(job.moved_to_dead_letter_at);
        match job.status {
            Status::DeadLetter => self.failed += 1,
            _ => self.ran.extend(job.started_at.zip(job.completed_at).map(|(from, to)| to.since(from))),
        }
        if let Some(at) = ended_at {
            let (first, last) = self.between.unwrap_or((at, at));
            self.between = Some((first.min(at), last.max(at)));
        }
    }
}

/// The types of these ended jobs and of the living workers, by name.
pub(super) fn runs_by_type(jobs: &[Job], workers: &[WorkerRecord]) -> Vec<TypeRuns> {
    let mut types: BTreeMap<&str, TypeRuns> = BTreeMap::new();
    for job in jobs {
        types.entry(&job.job_type).or_default().add(job);
    }
    for job_type in workers.iter().filter(|worker| worker.is_alive).flat_map(|worker| &worker.job_types) {
        types.entry(job_type).or_default().workers += 1;
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
    fn a_type_that_nothing_has_ended_of_has_no_share() {
        assert_eq!(TypeRuns::default().failed_percent(), None);
        assert_eq!(TypeRuns { ended: 1000, failed: 1, ..TypeRuns::default() }.failed_percent(), Some(1));
        assert_eq!(TypeRuns { ended: 3, ..TypeRuns::default() }.failed_percent(), Some(0));
    }

    #[test]
    fn a_rate_needs_two_ends() {
        let between = Some((Timestamp::from_ms(0), Timestamp::from_ms(120_000)));
        assert_eq!(TypeRuns { ended: 5, between, ..TypeRuns::default() }.per_minute(), Some(2.0));
        assert_eq!(TypeRuns { ended: 1, between, ..TypeRuns::default() }.per_minute(), None);
    }
}
