use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::thread;

use longshore::backend::{Actor, Backend, Deed, Touched, Via, audited};
use longshore::{DatabaseUrl, Queue};
use longshore_combined::{CombineError, CombinedStore, NamedDatabase, Numbering, Opener, Opening};
use longshore_core::{JobId, Moving, OutsideCause, StoreError};
use longshore_migrate::Author;
use longshore_migrate::target::TargetError;
use longshore_postgres::{PostgresOptions, PostgresStore, PostgresUrl};
pub(crate) use longshore_sqlite::Prepare;
use longshore_sqlite::schema::SchemaProblem;
use longshore_sqlite::{OpenError, Origin, SqliteOptions, SqliteStore};
use serde::Serialize;

use crate::arguments::Durability;
use crate::context::Context;
use crate::exit::Exit;
use crate::settings::databases::{Databases, PlacedDatabase};

/// An open database with a supported schema, or several that are used as one.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    queue: Queue,
    /// If there are several.
    combined: Option<CombinedStore>,
}

/// A database that does not answer, in JSON.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Unreachable {
    pub(crate) database: Arc<str>,
    pub(crate) message: String,
}

/// Every backend can be one of the two databases of a move.
trait MovableBackend: Backend + Moving {}

impl<S: Backend + Moving> MovableBackend for S {}

type Opened = Result<(Arc<dyn MovableBackend>, Origin), OpenError>;

impl Database {
    /// Opens the database that the flags, the environment or the configuration name.
    pub(crate) async fn open(context: &Context, prepare: Prepare) -> anyhow::Result<Self> {
        let databases = context.databases()?;
        let durability = context.config()?.durability.unwrap_or(Durability::Full);
        let (database, created) = Self::open_all(&databases, durability, prepare).await?;
        for url in created {
            let what = if url.path().is_some() { "" } else { "the queue's tables in " };
            context.output.note(format!("created {what}{url}"));
        }
        Ok(database)
    }

    /// Opens the databases again that were open before; creates nothing. Blocks.
    pub(crate) fn open_existing(databases: &Databases, durability: Durability) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        Ok(runtime.block_on(Self::open_all(databases, durability, Prepare::Nothing))?.0)
    }

    /// Says which of them were created.
    async fn open_all(
        databases: &Databases,
        durability: Durability,
        prepare: Prepare,
    ) -> anyhow::Result<(Self, Vec<DatabaseUrl>)> {
        if !databases.are_several() {
            let url = &databases.main().url;
            let (backend, origin) = open_one(url, durability, prepare).map_err(explain)?;
            let created = if origin == Origin::Created { vec![url.clone()] } else { Vec::new() };
            return Ok((Self { queue: Queue::from_backend(backend), combined: None }, created));
        }
        check_distinct(databases)?;
        let (mut named, mut created) = (Vec::new(), Vec::new());
        let mut missed = None;
        for (placed, opened) in databases.all.iter().zip(open_at_once(databases, durability, prepare)) {
            let opening = match opened {
                Ok((backend, origin)) => {
                    created.extend((origin == Origin::Created).then(|| placed.url.clone()));
                    Opening::Open(backend)
                }
                Err(error) if is_out_of_reach(&error) => {
                    let (named, error) = (into_store_error(&error, placed), explain(error));
                    missed.get_or_insert(error);
                    Opening::Later { error: named, open: opener(placed, durability, prepare) }
                }
                Err(error) => return Err(explain(error)),
            };
            let PlacedDatabase { name, queues, range, .. } = placed.clone();
            named.push(NamedDatabase { name, queues, range, opening });
        }
        if let Some(error) = missed
            && named.iter().all(|database| matches!(database.opening, Opening::Later { .. }))
        {
            return Err(error);
        }
        let numbering = if prepare == Prepare::Nothing { Numbering::LookOnly } else { Numbering::Assign };
        let combined = CombinedStore::open(named, numbering).await?;
        Ok((Self { queue: Queue::from_backend(Arc::new(combined.clone())), combined: Some(combined) }, created))
    }

    /// A database as one of the two of a move, and whether that created it. Blocks.
    pub(crate) fn open_to_move(
        url: &DatabaseUrl,
        durability: Durability,
        prepare: Prepare,
    ) -> anyhow::Result<(Arc<dyn Moving>, Origin)> {
        let (store, origin) = open_one(url, durability, prepare).map_err(explain)?;
        Ok((store, origin))
    }

    /// The database as the library's `Queue`.
    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Changes something, with an entry in the audit trail.
    pub(crate) async fn audited<T: Touched, E: From<StoreError> + fmt::Display>(
        &self,
        deed: Deed,
        change: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let Author { who, host } = Author::from_environment();
        let name = [who.as_deref().unwrap_or("unknown"), host.as_deref().unwrap_or_default()].join("@");
        let actor = Actor { name: name.trim_end_matches('@').to_owned(), via: Via::CommandLine };
        audited(self.queue.backend().as_ref(), &actor, deed, change).await
    }

    /// The databases behind it, if there are several.
    pub(crate) fn combined(&self) -> Option<&CombinedStore> {
        self.combined.as_ref()
    }

    /// In which database a job is, if there are several.
    pub(crate) fn place_of(&self, id: JobId) -> Option<Arc<str>> {
        self.combined.as_ref()?.database_of(id).ok()
    }

    /// The databases that do not answer.
    pub(crate) fn unreachable(&self) -> Vec<Unreachable> {
        let unreachable = self.combined.as_ref().map(CombinedStore::unreachable).unwrap_or_default();
        let words = |it: longshore_combined::UnreachableDatabase| Unreachable {
            message: it.error.to_string(),
            database: it.name,
        };
        unreachable.into_iter().map(words).collect()
    }

    /// The exit code of a command that has shown something of all databases: a failure if one of them is missing in it,
    /// which it says.
    pub(crate) fn exit_when_shown(&self, context: &Context) -> Exit {
        let unreachable = self.unreachable();
        for Unreachable { database, message } in &unreachable {
            context.output.note(format!("database {database} does not answer and is left out: {message}"));
        }
        if unreachable.is_empty() { Exit::Done } else { Exit::Failed }
    }
}

/// Where the backend is selected.
fn open_one(url: &DatabaseUrl, durability: Durability, prepare: Prepare) -> Opened {
    Ok(match url {
        DatabaseUrl::Sqlite(path) => {
            let options = SqliteOptions::new(path).durability(durability.into());
            let (store, origin) = SqliteStore::open_prepared(options, prepare)?;
            (Arc::new(store), origin)
        }
        DatabaseUrl::Postgres(url) => {
            let options = PostgresOptions::new(PostgresUrl::clone(url));
            let (store, origin) = PostgresStore::open_prepared(options, prepare)?;
            (Arc::new(store), origin)
        }
    })
}

/// Before anything is opened: otherwise the one database takes the number that is for the other one.
fn check_distinct(databases: &Databases) -> Result<(), CombineError> {
    for (place, second) in databases.all.iter().enumerate() {
        if let Some(first) = databases.all[..place].iter().find(|first| first.url.is_same_database(&second.url)) {
            let [first, second] = [first, second].map(|placed| Arc::<str>::from(placed.name.as_str()));
            return Err(CombineError::SameDatabase { first, second });
        }
    }
    Ok(())
}

/// Opens each on a thread of its own, so that one that does not answer delays no other one.
fn open_at_once(databases: &Databases, durability: Durability, prepare: Prepare) -> Vec<Opened> {
    thread::scope(|scope| {
        let open = |placed| scope.spawn(move || open_one(&PlacedDatabase::clone(placed).url, durability, prepare));
        let opening: Vec<_> = databases.all.iter().map(open).collect();
        opening.into_iter().map(|it| it.join().expect("opening a database does not panic")).collect()
    })
}

fn opener(placed: &PlacedDatabase, durability: Durability, prepare: Prepare) -> Opener {
    let placed = placed.clone();
    Arc::new(move || {
        let opened = open_one(&placed.url, durability, prepare);
        opened.map(|(backend, _)| backend as Arc<dyn Backend>).map_err(|error| into_store_error(&error, &placed))
    })
}

/// The cause outside the program for which a database was not opened.
fn cause_of(error: &OpenError) -> Option<&OutsideCause> {
    match error {
        OpenError::Store(StoreError::Outside(cause))
        | OpenError::Schema(SchemaProblem::Unreadable { source: TargetError::Outside(cause) }) => Some(cause),
        OpenError::Migrate(error) => error.target_error().and_then(TargetError::outside_cause),
        _ => None,
    }
}

/// Whether the other databases can be used without this one: it does not answer, or a command that only looks does not
/// create it.
fn is_out_of_reach(error: &OpenError) -> bool {
    cause_of(error).is_some_and(|cause| cause.is_passing() || matches!(cause, OutsideCause::Missing { .. }))
}

/// The same for the store, whose error is shown again and again.
fn into_store_error(error: &OpenError, placed: &PlacedDatabase) -> StoreError {
    let database = placed.url.to_string().into();
    match cause_of(error) {
        // It names the database itself, which must not be said twice.
        Some(OutsideCause::ServerUnreachable { source, .. }) => {
            OutsideCause::ServerUnreachable { database, source: source.to_string().into() }.into()
        }
        Some(_) => OutsideCause::ServerUnreachable { database, source: error.to_string().into() }.into(),
        None => StoreError::Backend { database, doing: "opening it", source: error.to_string().into() },
    }
}

/// Keeps the type of each cause, because the error report depends on it.
fn explain(error: OpenError) -> anyhow::Error {
    match error {
        OpenError::Schema(problem) => problem.into(),
        OpenError::Migrate(error) => error.into(),
        OpenError::Store(error) => error.into(),
        error => error.into(),
    }
}

impl Deref for Database {
    type Target = dyn Backend;

    fn deref(&self) -> &Self::Target {
        self.queue.backend().as_ref()
    }
}
