use std::time::Duration;

use longshore_core::Status;

/// The ended jobs that a retention applies to. Dead letters are separate, because a person handles them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pruning {
    /// Completed and cancelled jobs.
    Ended = 0,
    DeadLetters = 1,
}

impl Pruning {
    /// Each retention has its own duty: a store without a retention, or with a longer one, must not prevent another
    /// store from removing jobs.
    pub(crate) fn duty(self, retention: Duration) -> String {
        let after = retention.as_millis();
        match self {
            Self::Ended => format!("prune after {after} ms"),
            Self::DeadLetters => format!("prune dead letters after {after} ms"),
        }
    }

    pub(crate) const fn covers(self, status: Status) -> bool {
        match self {
            Self::Ended => matches!(status, Status::Completed | Status::Cancelled),
            Self::DeadLetters => matches!(status, Status::DeadLetter),
        }
    }

    pub(crate) const fn page_sql(self) -> &'static str {
        match self {
            Self::Ended => include_str!("../sql/upkeep/select_ended_page.sql"),
            Self::DeadLetters => include_str!("../sql/upkeep/select_dead_letters_page.sql"),
        }
    }
}
