use longshore_core::{ClaimNumber, JobId, RunningMember, WorkerId};

use crate::CurrentAttempt;

/// The variable that says which claim a program works for. With it, `longshore batches add` may add members to the
/// closed batch of the job.
#[doc(hidden)]
pub const CLAIM_VARIABLE: &str = "LONGSHORE_CLAIM";

/// The value of [`CLAIM_VARIABLE`]: the job, the number of its claim, and the worker.
#[cfg(unix)]
pub(crate) fn claim_word(attempt: &CurrentAttempt) -> String {
    let lease = attempt.lease();
    format!("{}:{}:{}", lease.id, lease.claim_number, attempt.worker_id())
}

/// The member for which a program works, by the value of [`CLAIM_VARIABLE`]. `None` if it has another form.
#[doc(hidden)]
pub fn running_member(word: &str) -> Option<RunningMember> {
    let (id, rest) = word.split_once(':')?;
    let (claim_number, worker_id) = rest.split_once(':')?;
    let id = id.parse().ok().map(JobId)?;
    let claim_number = claim_number.parse().ok().map(ClaimNumber)?;
    Some(RunningMember { worker_id: WorkerId::from_stored(worker_id), id, claim_number })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::testing::{AttemptProbe, EnqueueRecorder};
    use longshore_core::{JobData, NewJob};

    #[test]
    fn a_claim_is_read_back() {
        let probe = AttemptProbe::new(NewJob::new("split", JobData::default()), EnqueueRecorder::queue().1);
        let attempt = probe.attempt();
        let expected =
            RunningMember { worker_id: attempt.worker_id().clone(), id: JobId(1), claim_number: ClaimNumber(1) };
        assert_eq!(running_member(&claim_word(&attempt)), Some(expected));
        for word in ["", "7", "7:3", "x:3:w", "7:x:w"] {
            assert_eq!(running_member(word), None, "{word:?}");
        }
    }
}
