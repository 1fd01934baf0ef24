use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use longshore_core::{Backend, IdRange, OutsideCause, StoreError};

/// Opens a database again that could not be reached. It may block, and is called on a thread of its own.
pub type Opener = Arc<dyn Fn() -> Result<Arc<dyn Backend>, StoreError> + Send + Sync>;

/// One of several databases.
#[derive(Debug)]
pub struct NamedDatabase {
    /// Its name, for people.
    pub name: String,
    /// The queues whose jobs are enqueued there. The first database has every queue that no other one names.
    pub queues: Vec<String>,
    /// The range of its ids. None: the one that it has; a database without jobs gets the lowest that is free.
    pub range: Option<IdRange>,
    /// The database itself.
    pub opening: Opening,
}

/// Whether a database is open.
pub enum Opening {
    /// It is.
    Open(Arc<dyn Backend>),
    /// It cannot be reached at the moment, and is opened as soon as that is possible.
    Later {
        /// Why not.
        error: StoreError,
        /// Opens it.
        open: Opener,
    },
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(_) => f.write_str("Open"),
            Self::Later { error, .. } => f.debug_struct("Later").field("error", error).finish_non_exhaustive(),
        }
    }
}

/// A database that does not answer.
#[derive(Clone, Debug)]
pub struct UnreachableDatabase {
    /// Its name.
    pub name: Arc<str>,
    /// Why.
    pub error: Arc<StoreError>,
}

/// A database of a [`CombinedStore`](crate::CombinedStore).
pub(crate) struct Member {
    pub(crate) name: Arc<str>,
    pub(crate) queues: Vec<String>,
    /// The range that was configured.
    pub(crate) configured: Option<IdRange>,
    range: Mutex<Option<IdRange>>,
    store: OnceLock<Arc<dyn Backend>>,
    pub(crate) open: Option<Opener>,
    /// Why it does not answer, from the first failure to the next success.
    trouble: Mutex<Option<Arc<StoreError>>>,
}

impl Member {
    pub(crate) fn new(database: NamedDatabase) -> Self {
        let NamedDatabase { name, queues, range: configured, opening } = database;
        let (store, open, trouble) = match opening {
            Opening::Open(store) => (OnceLock::from(store), None, None),
            Opening::Later { error, open } => (OnceLock::new(), Some(open), Some(Arc::new(error))),
        };
        let range = Mutex::new(configured.filter(|_| store.get().is_none()));
        Self { name: name.into(), queues, configured, range, store, open, trouble: Mutex::new(trouble) }
    }

    /// The range of its ids, once it is known.
    pub(crate) fn range(&self) -> Option<IdRange> {
        *self.range.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_range(&self, range: IdRange) {
        *self.range.lock().unwrap_or_else(PoisonError::into_inner) = Some(range);
    }

    /// The store, once it was opened.
    pub(crate) fn opened(&self) -> Option<&Arc<dyn Backend>> {
        self.store.get()
    }

    /// The store; the error names this database.
    pub(crate) fn store(&self) -> Result<&Arc<dyn Backend>, StoreError> {
        self.store.get().ok_or_else(|| self.out_of_reach())
    }

    pub(crate) fn set_store(&self, store: Arc<dyn Backend>) {
        let _ = self.store.set(store);
    }

    /// Why it does not answer at the moment.
    pub(crate) fn trouble(&self) -> Option<Arc<StoreError>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The error of a call that is not made because it would only wait.
    pub(crate) fn out_of_reach(&self) -> StoreError {
        let source =
            self.trouble().unwrap_or_else(|| Arc::new(StoreError::Closed { database: Arc::clone(&self.name) }));
        StoreError::InDatabase { name: Arc::clone(&self.name), source }
    }

    /// Names this database in an error that concerns all of it, and remembers that it does not answer. Errors that a
    /// caller handles by their kind stay as they are.
    pub(crate) fn meet(&self, error: StoreError) -> StoreError {
        if !is_of_database(&error) {
            return error;
        }
        let source = Arc::new(error);
        if keeps_away(&source) {
            self.note_trouble(&source);
        }
        StoreError::InDatabase { name: Arc::clone(&self.name), source }
    }

    /// It does not answer from now on.
    pub(crate) fn note_trouble(&self, error: &Arc<StoreError>) {
        let earlier = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).replace(Arc::clone(error));
        if earlier.is_none() {
            self.tell_trouble();
        }
    }

    /// Says why it does not answer, if it does not.
    pub(crate) fn tell_trouble(&self) {
        let Some(error) = self.trouble() else { return };
        tracing::warn!(
            database = &*self.name,
            error = %error,
            code = error.code(),
            hint = error.hint(),
            "a database does not answer; its jobs wait, and the others go on"
        );
    }

    /// Says why it has not got what this process applies. If it does not answer, that was said
    /// already.
    pub(crate) fn tell_missed(&self, error: &StoreError, what: &str) {
        if self.trouble().is_none() {
            tracing::warn!(database = &*self.name, %error, code = error.code(), hint = error.hint(), "{what}");
        }
    }

    /// It has answered.
    pub(crate) fn pass(&self) {
        let earlier = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take();
        if earlier.is_some() {
            tracing::warn!(database = &*self.name, "the database answers again");
        }
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member").field("name", &self.name).field("range", &self.range).finish_non_exhaustive()
    }
}

/// The error without the name of its database.
pub(crate) fn source_of(error: StoreError) -> Arc<StoreError> {
    match error {
        StoreError::InDatabase { source, .. } => source,
        error => Arc::new(error),
    }
}

/// Whether an error concerns a database as a whole, so that others go on without it.
pub(crate) const fn is_of_database(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Outside(_)
            | StoreError::Backend { .. }
            | StoreError::SchemaChanged { .. }
            | StoreError::Closed { .. }
            | StoreError::InDatabase { .. }
    )
}

/// Whether the next call would most likely fail as well, or wait. A lock and a full disk hinder only some calls.
const fn keeps_away(error: &StoreError) -> bool {
    match error {
        StoreError::Outside(cause) => !matches!(
            cause,
            OutsideCause::Busy { .. }
                | OutsideCause::Conflict { .. }
                | OutsideCause::StatementCancelled { .. }
                | OutsideCause::RunnerBusy { .. }
                | OutsideCause::Full { .. }
                | OutsideCause::FileTooLarge { .. }
                | OutsideCause::NotAFolder { .. }
                | OutsideCause::ReadOnly { .. }
                | OutsideCause::ReadOnlyMount { .. }
                | OutsideCause::ReadOnlyServer { .. }
                | OutsideCause::Forbidden { .. }
                | OutsideCause::Denied { .. }
        ),
        StoreError::Closed { .. } => true,
        _ => false,
    }
}
