use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use longshore_core::{ClaimNumber, JobId, WorkerId};

/// The jobs that workers of this store hold, so that a plain outcome needs no look at what is known already. It is
/// never needed for correctness: of what is not in here the database is asked.
#[derive(Debug, Default)]
pub(crate) struct HeldJobs {
    workers: Mutex<HashMap<WorkerId, HashMap<ClaimNumber, HeldClaim>>>,
}

/// What is left of a claim: each job, and whether it has a unique key.
type HeldClaim = HashMap<JobId, HasKey>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HasKey {
    Yes,
    No,
}

/// What the end of some attempts means for the rows beside those of their jobs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Leftovers {
    /// The jobs that have a unique key, or may have one.
    pub(crate) keyed: Vec<i64>,
    /// The claims of which nothing is left.
    pub(crate) used_up: Vec<i64>,
}

impl HeldJobs {
    /// What a claim has given.
    pub(crate) fn give(
        &self,
        worker_id: &WorkerId,
        claim_number: ClaimNumber,
        jobs: impl IntoIterator<Item = (JobId, HasKey)>,
    ) {
        let jobs: HeldClaim = jobs.into_iter().collect();
        if !jobs.is_empty() {
            self.all().entry(worker_id.clone()).or_default().insert(claim_number, jobs);
        }
    }

    /// What must be written beside the end of these attempts. Changes nothing, because the write may fail.
    pub(crate) fn leftovers(&self, worker_id: &WorkerId, ending: &[(JobId, ClaimNumber)]) -> Leftovers {
        let all = self.all();
        let claims = all.get(worker_id);
        let mut leftovers = Leftovers::default();
        let mut ended: HashMap<ClaimNumber, usize> = HashMap::new();
        for (id, claim_number) in ending {
            let has_key = claims.and_then(|claims| claims.get(claim_number)?.get(id));
            if has_key != Some(&HasKey::No) {
                leftovers.keyed.push(id.0);
            }
            if has_key.is_some() {
                *ended.entry(*claim_number).or_default() += 1;
            }
        }
        for (claim_number, count) in ended {
            if claims.and_then(|claims| claims.get(&claim_number)).is_some_and(|left| left.len() <= count) {
                leftovers.used_up.push(claim_number.0);
            }
        }
        leftovers
    }

    /// These attempts have ended, or are others'.
    pub(crate) fn end(&self, worker_id: &WorkerId, ended: &[(JobId, ClaimNumber)]) {
        let mut all = self.all();
        let Some(claims) = all.get_mut(worker_id) else { return };
        for (id, claim_number) in ended {
            if let Some(left) = claims.get_mut(claim_number) {
                left.remove(id);
                if left.is_empty() {
                    claims.remove(claim_number);
                }
            }
        }
    }

    /// The worker holds nothing any more.
    pub(crate) fn forget(&self, worker_id: &WorkerId) {
        self.all().remove(worker_id);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<WorkerId, HashMap<ClaimNumber, HeldClaim>>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(id: i64, claim_number: i64) -> (JobId, ClaimNumber) {
        (JobId(id), ClaimNumber(claim_number))
    }

    #[test]
    fn a_claim_is_used_up_with_its_last_job() {
        let (held, worker_id) = (HeldJobs::default(), WorkerId::random());
        held.give(&worker_id, ClaimNumber(7), [(JobId(1), HasKey::No), (JobId(2), HasKey::Yes)]);
        assert_eq!(held.leftovers(&worker_id, &[job(1, 7)]), Leftovers::default());
        held.end(&worker_id, &[job(1, 7)]);
        let last = Leftovers { keyed: vec![2], used_up: vec![7] };
        assert_eq!(held.leftovers(&worker_id, &[job(2, 7)]), last);
        assert_eq!(held.leftovers(&worker_id, &[job(2, 7)]), last, "a look changes nothing");
    }

    #[test]
    fn what_is_not_known_may_have_a_key_and_uses_nothing_up() {
        let (held, worker_id) = (HeldJobs::default(), WorkerId::random());
        held.give(&worker_id, ClaimNumber(7), [(JobId(1), HasKey::No)]);
        let unknown = Leftovers { keyed: vec![3], used_up: Vec::new() };
        assert_eq!(held.leftovers(&worker_id, &[job(3, 7)]), unknown);
        held.forget(&worker_id);
        assert_eq!(held.leftovers(&worker_id, &[job(1, 7)]).used_up, Vec::<i64>::new());
    }
}
