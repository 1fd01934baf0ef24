use std::process::ExitCode;

/// How a command ended, as scripts see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what was asked.
    Done,
    /// It failed.
    Failed,
    /// The words of the call are off.
    Usage,
    /// The answer is "not yet" or "no".
    NotYet,
    /// The migrations' history is broken.
    HistoryBroken,
    /// The schema disagrees with the ledger.
    SchemaDisagrees,
    /// Somebody else holds the lock.
    Locked,
    /// It would lose data or claim what is not shown, and wants a stronger word.
    Refused,
}

impl Exit {
    /// The number.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotYet => 3,
            Self::HistoryBroken => 4,
            Self::SchemaDisagrees => 5,
            Self::Locked => 6,
            Self::Refused => 7,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl From<longshore_migrate::Exit> for Exit {
    fn from(exit: longshore_migrate::Exit) -> Self {
        use longshore_migrate::Exit as Theirs;
        match exit {
            Theirs::Done => Self::Done,
            Theirs::Failed => Self::Failed,
            Theirs::Usage => Self::Usage,
            Theirs::NotYet => Self::NotYet,
            Theirs::HistoryBroken => Self::HistoryBroken,
            Theirs::SchemaDisagrees => Self::SchemaDisagrees,
            Theirs::Locked => Self::Locked,
            Theirs::Refused => Self::Refused,
        }
    }
}
