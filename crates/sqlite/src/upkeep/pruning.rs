use std::time::Duration;

use longshore_core::Status;

/// Which ended jobs a retention is for: a person looks after dead letters, so they are kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pruning {
    /// Completed and cancelled ones.
    Ended = 0,
    DeadLetters = 1,
}

impl Pruning {
    /// A duty for each retention: a store without one, or with a longer one, must keep nobody from removing jobs.
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
            Self::Ended => include_str!("../sql/select_ended_page.sql"),
            Self::DeadLetters => include_str!("../sql/select_dead_letters_page.sql"),
        }
    }
}
