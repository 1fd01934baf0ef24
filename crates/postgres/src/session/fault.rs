use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use longshore_cause::OutsideCause;
use longshore_core::StoreError;
use tokio_postgres::error::SqlState;

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

    /// Whether the server took the transaction back only because of others, so that it can be repeated at once.
    pub(crate) fn is_conflict(&self) -> bool {
        self.code().is_some_and(|code| {
            *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED
        })
    }

    /// Whether a row broke a constraint or a trigger refused it: repeating the same cannot help.
    pub(crate) fn is_refusal(&self) -> bool {
        let class = self.code().map_or("", |code| &code.code()[..2]);
        matches!(class, "22" | "23" | "P0" | "44")
    }
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
        let Some(kind) = kind_of(&error) else {
            return StoreError::Backend { database: self.database(), doing, source: in_words(error) };
        };
        let database = self.database();
        StoreError::Outside(match kind {
            Kind::Unreachable => OutsideCause::Unreachable { database, source: in_words(error) },
            Kind::ReadOnly => OutsideCause::ReadOnly { database },
            Kind::Full => OutsideCause::Full { database },
            Kind::Busy => OutsideCause::Busy { database, waited: Duration::ZERO },
        })
    }

    pub(crate) fn closed(&self) -> StoreError {
        StoreError::Closed { database: self.database() }
    }

    pub(crate) fn busy(&self) -> StoreError {
        StoreError::Outside(OutsideCause::Busy { database: self.database(), waited: Duration::ZERO })
    }

    pub(crate) fn unreachable(&self, error: tokio_postgres::Error) -> StoreError {
        self.answer(Fault::Database(error), "connecting")
    }

    fn database(&self) -> Arc<str> {
        Arc::clone(&self.database)
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Unreachable,
    ReadOnly,
    Full,
    Busy,
}

/// An error without a code is one of the connection.
fn kind_of(error: &tokio_postgres::Error) -> Option<Kind> {
    let Some(code) = error.code() else {
        return Some(Kind::Unreachable);
    };
    Some(match code.code() {
        "25006" => Kind::ReadOnly,
        "53100" => Kind::Full,
        "55P03" | "40001" | "40P01" => Kind::Busy,
        "53300" | "57P01" | "57P02" | "57P03" | "57P05" => Kind::Unreachable,
        code if code.starts_with("08") || code.starts_with("28") || code == "3D000" => Kind::Unreachable,
        _ => return None,
    })
}

/// What the server said, with its detail; the driver's own words are only "db error".
fn in_words(error: tokio_postgres::Error) -> Box<dyn Error + Send + Sync> {
    match error.as_db_error() {
        Some(said) => match said.detail() {
            Some(detail) => format!("{} ({detail})", said.message()).into(),
            None => said.message().to_owned().into(),
        },
        None => Box::new(error),
    }
}
