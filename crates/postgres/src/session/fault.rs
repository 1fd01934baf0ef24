use std::sync::Arc;
use std::time::Duration;

use longshore_cause::OutsideCause;
use longshore_core::StoreError;
use tokio_postgres::error::SqlState;

use super::statements::is_stale_statement;
use crate::moving::fence::{HAS_MOVED, IS_MOVING};
use longshore_postgres_server::{cause_of, connect_cause, in_words};

/// Why a request failed, before it is said in words.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The driver or the server.
    Database(tokio_postgres::Error),
    /// Already in words.
    Store(StoreError),
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Fault {
    pub(crate) fn code(&self) -> Option<&SqlState> {
        match self {
            Self::Database(error) => error.code(),
            Self::Store(_) => None,
        }
    }

    /// Whether the server took the transaction back only because of others, so that it can be repeated at once. So it is
    /// after a migration, which makes prepared statements useless.
    pub(crate) fn is_conflict(&self) -> bool {
        let Self::Database(error) = self else { return false };
        let is_of_others = error.code().is_some_and(|code| {
            *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED
        });
        is_of_others || is_stale_statement(error)
    }

    /// What the database said, for the answer of a row that it refused.
    pub(crate) fn reason(&self) -> Arc<str> {
        match self {
            Self::Database(error) => match error.as_db_error() {
                Some(said) => said.message().into(),
                None => error.to_string().into(),
            },
            Self::Store(error) => error.to_string().into(),
        }
    }

    /// Whether a row broke a constraint or a trigger refused it: repeating the same cannot help.
    pub(crate) fn is_refusal(&self) -> bool {
        let class = self.code().map_or("", |code| &code.code()[..2]);
        matches!(class, "22" | "23" | "P0" | "44")
    }
}

/// The error of a statement that the fence of a move refused.
fn refusal_of_move(error: &tokio_postgres::Error) -> Option<StoreError> {
    let said = error.as_db_error()?;
    let is_final = match said.code().code() {
        IS_MOVING => false,
        HAS_MOVED => true,
        _ => return None,
    };
    Some(StoreError::Moving { message: said.message().into(), is_final })
}

/// Names the database in every error.
#[derive(Clone, Debug)]
pub(crate) struct ErrorContext {
    pub(crate) database: Arc<str>,
}

impl ErrorContext {
    pub(crate) fn answer(&self, fault: Fault, doing: &'static str) -> StoreError {
        let error = match fault {
            Fault::Store(error) => return error,
            Fault::Database(error) => error,
        };
        if let Some(refusal) = refusal_of_move(&error) {
            return refusal;
        }
        match cause_of(self.database(), &error) {
            Some(cause) => cause.into(),
            None => StoreError::Backend { database: self.database(), doing, source: in_words(&error).into() },
        }
    }

    pub(crate) fn closed(&self) -> StoreError {
        StoreError::Closed { database: self.database() }
    }

    pub(crate) fn busy(&self) -> StoreError {
        StoreError::Outside(OutsideCause::Busy { database: self.database(), waited: Duration::ZERO })
    }

    /// An error right after a connection was made, where no statement of the caller can be the cause.
    pub(crate) fn unreachable(&self, error: &tokio_postgres::Error) -> StoreError {
        connect_cause(self.database(), error).into()
    }

    fn database(&self) -> Arc<str> {
        Arc::clone(&self.database)
    }
}
