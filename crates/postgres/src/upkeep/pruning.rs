use longshore_core::{Retention, Status};

use crate::session::sql::{Sql, sql};

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
    pub(crate) fn duty(self, retention: Retention) -> Option<String> {
        let after = retention.span()?.as_millis();
        let what = match self {
            Self::Ended => "prune",
            Self::DeadLetters => "prune dead letters",
        };
        // A default removes less than the same span does that somebody has set.
        let whose = if matches!(retention, Retention::Default(_)) { " by default" } else { "" };
        Some(format!("{what}{whose} after {after} ms"))
    }

    pub(crate) const fn covers(self, status: Status) -> bool {
        match self {
            Self::Ended => matches!(status, Status::Completed | Status::Cancelled),
            Self::DeadLetters => matches!(status, Status::DeadLetter),
        }
    }

    pub(crate) fn page(self) -> &'static Sql {
        match self {
            Self::Ended => sql!("upkeep/select_ended_page"),
            Self::DeadLetters => sql!("upkeep/select_dead_letters_page"),
        }
    }
}
