use crate::{BatchId, BatchStatus, DeadLetterCode, DeadLetterReason, DependencyState, Needs, Otherwise, Status};

/// What is known of that which a job waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AwaitedState {
    /// It may still happen.
    Open,
    /// The job or the batch has completed, or the signal came.
    Completed,
    /// The job or the batch ended otherwise, was deleted before it had ended, or the signal did not come in time.
    Failed,
}

impl AwaitedState {
    /// That of a job; none for one that does not exist.
    pub const fn of_job(status: Option<Status>) -> Self {
        match status {
            Some(Status::Completed) => Self::Completed,
            Some(status) if !status.is_ended() => Self::Open,
            Some(_) | None => Self::Failed,
        }
    }

    /// That of a batch; none for one that does not exist.
    pub const fn of_batch(status: Option<BatchStatus>) -> Self {
        match status {
            Some(BatchStatus::Completed) => Self::Completed,
            Some(BatchStatus::Open | BatchStatus::Running) => Self::Open,
            Some(BatchStatus::Failed) | None => Self::Failed,
        }
    }
}

/// What becomes of a dependency, and of the job that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DependencySettled {
    /// Nothing yet.
    Waits,
    /// The job no longer waits for it.
    Over(DependencyState),
    /// The job is given up and ends with this status. The dependency has failed.
    GivenUp(Status),
}

/// Decides what becomes of a dependency that is [`DependencyState::Waiting`]; a signal is needed as
/// [`Needs::Completed`]. Pure: every store decides alike.
pub const fn settle_dependency(needs: Needs, otherwise: Otherwise, awaited: AwaitedState) -> DependencySettled {
    let is_met = match (needs, awaited) {
        (_, AwaitedState::Open) => return DependencySettled::Waits,
        (Needs::Ended, _) | (Needs::Completed, AwaitedState::Completed) | (Needs::Failed, AwaitedState::Failed) => true,
        (Needs::Completed, AwaitedState::Failed) | (Needs::Failed, AwaitedState::Completed) => false,
    };
    if is_met {
        return DependencySettled::Over(DependencyState::Met);
    }
    match otherwise {
        Otherwise::DeadLetter => DependencySettled::GivenUp(Status::DeadLetter),
        Otherwise::Cancel => DependencySettled::GivenUp(Status::Cancelled),
        Otherwise::Run => DependencySettled::Over(DependencyState::Passed),
        Otherwise::Wait => DependencySettled::Waits,
    }
}

/// Whether a job that comes back waits for a dependency again, so that it is judged by what the other job or the batch is
/// then. What was needed `completed` and completed stays, and so does a signal that came, or that the job runs without.
/// Pure: every store decides alike.
pub const fn is_judged_again(state: DependencyState, needs: Needs, is_signal: bool) -> bool {
    match state {
        DependencyState::Waiting => false,
        DependencyState::Failed => true,
        // It was met by an end that may be taken back: the other job may run again.
        DependencyState::Met => !is_signal && !matches!(needs, Needs::Completed),
        DependencyState::Passed => !is_signal,
    }
}

/// Whether a job that ended for this reason was given up because of a dependency, so that it comes back when the
/// dependency may still be met.
pub fn is_given_up_for_dependency(reason: &str) -> bool {
    DeadLetterCode::of_reason(reason) == Some(DeadLetterCode::DependencyFailed)
}

/// Why a job is given up whose dependency on another job failed; none for `status` if that job was deleted.
pub const fn job_failed(job: crate::JobId, status: Option<Status>) -> DeadLetterReason {
    match status {
        Some(status) => DeadLetterReason::DependencyEnded { job, status },
        None => DeadLetterReason::DependencyDeleted { job },
    }
}

/// Why a job is given up to which a signal did not come in time, in the words that are stored.
pub fn signal_missed(batch: BatchId, signal: &str) -> String {
    format!("{}: the signal {signal} to batch {batch} did not come in time", DeadLetterCode::DependencyFailed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEEDS: [Needs; 3] = [Needs::Completed, Needs::Ended, Needs::Failed];
    const OTHERWISE: [Otherwise; 4] = [Otherwise::DeadLetter, Otherwise::Cancel, Otherwise::Run, Otherwise::Wait];

    #[test]
    fn nothing_is_settled_before_the_end() {
        for needs in NEEDS {
            for otherwise in OTHERWISE {
                assert_eq!(settle_dependency(needs, otherwise, AwaitedState::Open), DependencySettled::Waits);
            }
        }
    }

    #[test]
    fn what_happened_is_met_whatever_was_to_become_otherwise() {
        let met = DependencySettled::Over(DependencyState::Met);
        for otherwise in OTHERWISE {
            assert_eq!(settle_dependency(Needs::Completed, otherwise, AwaitedState::Completed), met);
            assert_eq!(settle_dependency(Needs::Failed, otherwise, AwaitedState::Failed), met);
            assert_eq!(settle_dependency(Needs::Ended, otherwise, AwaitedState::Completed), met);
            assert_eq!(settle_dependency(Needs::Ended, otherwise, AwaitedState::Failed), met);
        }
    }

    #[test]
    fn what_can_no_longer_happen_has_the_chosen_consequence() {
        let ends = [
            (Otherwise::DeadLetter, DependencySettled::GivenUp(Status::DeadLetter)),
            (Otherwise::Cancel, DependencySettled::GivenUp(Status::Cancelled)),
            (Otherwise::Run, DependencySettled::Over(DependencyState::Passed)),
            (Otherwise::Wait, DependencySettled::Waits),
        ];
        for (otherwise, expected) in ends {
            assert_eq!(settle_dependency(Needs::Completed, otherwise, AwaitedState::Failed), expected);
            assert_eq!(settle_dependency(Needs::Failed, otherwise, AwaitedState::Completed), expected);
        }
    }

    #[test]
    fn only_a_completion_and_a_signal_stay_when_a_job_comes_back() {
        let again = |state, needs| is_judged_again(state, needs, false);
        for needs in NEEDS {
            assert!(!again(DependencyState::Waiting, needs));
            assert!(again(DependencyState::Failed, needs) && again(DependencyState::Passed, needs));
            assert_eq!(again(DependencyState::Met, needs), needs != Needs::Completed, "{needs:?}");
        }
        let of_signal = |state| is_judged_again(state, Needs::Completed, true);
        assert!(of_signal(DependencyState::Failed));
        assert!(!of_signal(DependencyState::Met) && !of_signal(DependencyState::Passed));
    }

    #[test]
    fn a_missed_signal_is_named_and_told_as_a_failed_dependency() {
        let reason = signal_missed(BatchId(1), "approved");
        assert_eq!(reason, "dependency_failed: the signal approved to batch 1 did not come in time");
        assert!(is_given_up_for_dependency(&reason));
    }

    #[test]
    fn a_failure_that_can_no_longer_happen_cancels_unless_told_otherwise() {
        assert_eq!(Needs::Failed.default_otherwise(), Otherwise::Cancel);
        assert_eq!(Needs::Completed.default_otherwise(), Otherwise::DeadLetter);
    }

    #[test]
    fn a_deleted_job_counts_as_one_that_did_not_complete() {
        assert_eq!(AwaitedState::of_job(None), AwaitedState::Failed);
        assert_eq!(AwaitedState::of_batch(None), AwaitedState::Failed);
    }
}
