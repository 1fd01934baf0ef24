//! The exit codes of the command line, of which migrations mean the most.

use std::process::ExitCode;

use serde::Serialize;

/// How a command ended, as scripts see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// 0: it did what was asked, or all is in order.
    Done,
    /// 1: it failed.
    Failed,
    /// 2: the words of the call are off.
    Usage,
    /// 3: the answer is "not yet" or "no".
    NotYet,
    /// 4: the migrations' history is broken.
    HistoryBroken,
    /// 5: the schema disagrees with the ledger.
    SchemaDisagrees,
    /// 6: somebody else holds the lock.
    Locked,
    /// 7: it would lose data or claim what is not shown, and wants a stronger word.
    Refused,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
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
