//! What an error of the server means: a cause outside of the statement, or the statement with the line that is wrong.

use std::{error::Error as StdError, sync::Arc, time::Duration};

use longshore_migrate::{
    OutsideCause,
    files::script::{Dialect, Statement},
    target::{StatementError, TargetError},
};
use tokio_postgres::{Error, error::ErrorPosition};

use crate::wire::Fault;

/// Names the database in every error.
#[derive(Debug, Clone)]
pub(crate) struct Failures {
    pub(crate) database: Arc<str>,
    /// How long a statement waits for a lock.
    pub(crate) lock_timeout: Duration,
}

impl Failures {
    /// What the fault of a statement means.
    pub(crate) fn told(&self, statement: &str, fault: Fault) -> TargetError {
        let error = match fault {
            Fault::Gone => return self.unreachable("the connection has ended".into()),
            Fault::Outside(cause) => return cause.into(),
            Fault::Database(error) => error,
        };
        // What a standby says to a transaction that wants to write.
        if statement.starts_with("BEGIN") && error.code().is_some_and(|code| code.code() == "0A000") {
            return OutsideCause::ReadOnlyServer { database: Arc::clone(&self.database) }.into();
        }
        match self.outside_cause(&error) {
            Some(cause) => cause.into(),
            None => failed(statement, &error),
        }
    }

    pub(crate) fn unreachable(&self, source: Box<dyn StdError + Send + Sync>) -> TargetError {
        OutsideCause::ServerUnreachable { database: Arc::clone(&self.database), source }.into()
    }

    /// The cause that lies outside of the statement, where one does.
    fn outside_cause(&self, error: &Error) -> Option<OutsideCause> {
        let database = Arc::clone(&self.database);
        let source = in_words(error);
        let Some(code) = error.code() else {
            return Some(OutsideCause::ServerUnreachable { database, source });
        };
        Some(match code.code() {
            "25006" => OutsideCause::ReadOnlyServer { database },
            "42501" => OutsideCause::Denied { database, source },
            "3D000" => OutsideCause::MissingOnServer { database },
            "53100" => OutsideCause::Full { database },
            "53300" => OutsideCause::TooManyConnections { database },
            "55P03" | "40001" | "40P01" => OutsideCause::Busy { database, waited: self.waited(code.code()) },
            "57014" => OutsideCause::StatementCancelled { database, source },
            "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => OutsideCause::ServerStopping { database, source },
            "58030" => OutsideCause::Device { database, source },
            "XX001" | "XX002" => OutsideCause::Damaged { database, source },
            code if code.starts_with("08") => OutsideCause::ServerUnreachable { database, source },
            code if code.starts_with("28") => OutsideCause::LoginRefused { database, source },
            _ => return None,
        })
    }

    fn waited(&self, code: &str) -> Duration {
        if code == "55P03" { self.lock_timeout } else { Duration::ZERO }
    }
}

/// The error with the line of the statement in which it is, not with all of it.
fn failed(statement: &str, error: &Error) -> TargetError {
    let position = match error.as_db_error().and_then(|said| said.position()) {
        Some(ErrorPosition::Original(position)) => usize::try_from(*position).ok(),
        _ => None,
    };
    let line = position
        .map(|position| statement.chars().take(position.saturating_sub(1)).filter(|letter| *letter == '\n').count());
    let shown = line.and_then(|line| statement.lines().nth(line)).unwrap_or(statement);
    let shown = Statement::alone(Dialect::Postgres, shown).in_short();
    let source = StatementError { message: in_words(error).to_string(), line: line.unwrap_or_default() };
    TargetError::Statement { statement: shown, source: Box::new(source) }
}

/// What the server said, with its detail and its hint; the driver's own words are only "db error".
fn in_words(error: &Error) -> Box<dyn StdError + Send + Sync> {
    let Some(said) = error.as_db_error() else {
        // The chain of a lost connection ends with what the system said.
        let mut last: &dyn StdError = error;
        while let Some(source) = last.source() {
            last = source;
        }
        return last.to_string().into();
    };
    let mut text = said.message().to_owned();
    for more in [said.detail(), said.hint()].into_iter().flatten() {
        text.push_str(&format!(" ({})", more.trim_end_matches('.')));
    }
    text.into()
}
