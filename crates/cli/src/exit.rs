use std::process::ExitCode;

use longshore_migrate::Agreement;

/// The exit code of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: the command succeeded.
    Done,
    /// 1: the command failed.
    Failed,
    /// 2: invalid arguments.
    Usage,
    /// 3: the answer is "not yet" or "no".
    NotYet,
    /// 4: the migrations' history is broken.
    HistoryBroken,
    /// 5: the schema disagrees with the ledger.
    SchemaDisagrees,
    /// 6: another process holds the lock.
    Locked,
    /// 7: refused: it would lose data, or record something that the schema does not show. A flag can permit it.
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

impl From<Agreement> for Exit {
    fn from(agreement: Agreement) -> Self {
        match agreement {
            Agreement::InOrder => Self::Done,
            Agreement::Pending => Self::NotYet,
            Agreement::SchemaDisagrees => Self::SchemaDisagrees,
            Agreement::HistoryBroken => Self::HistoryBroken,
        }
    }
}
