mod run;

pub(crate) use run::RanHere;

use std::sync::Arc;
use std::time::{Duration, Instant};

use longshore_core::{StoreError, WriteMeasures};
use rusqlite::Connection;

use crate::database::connection::{open_writer, wait_on_this_thread};
use crate::database::database_file::{DatabaseFile, FileChange};
use crate::database::fault::ErrorContext;
use crate::database::readers::Readers;
use crate::options::SqliteOptions;
use crate::workers::held::HeldLeases;
use crate::writing::awake::Awake;
use crate::writing::checkpoints::{Checkpoints, Step};
use crate::writing::hints::Hints;
use crate::writing::permits::Permits;
use crate::writing::session::Session;
use crate::writing::watch::Watch;

/// How often SQLite is asked whether the file has moved. It takes some microseconds.
const LOOK_AT_FILE: Duration = Duration::from_millis(100);
/// How often the file is checked while there are no requests and no subscribers.
const PAUSE_UNHEARD: Duration = Duration::from_secs(1);

/// The one connection that writes, and the state that a group of requests needs. Whoever holds its lock may run a
/// group: the writer's thread, or the only caller on its own thread.
pub(crate) struct WriterConnection {
    options: SqliteOptions,
    context: ErrorContext,
    file: Arc<DatabaseFile>,
    readers: Arc<Readers>,
    permits: Permits,
    awake: Awake,
    hints: Arc<Hints>,
    writes: Arc<WriteMeasures>,
    held: HeldLeases,
    checkpoints: Checkpoints,
    /// What a commit on a caller's thread left for the writer's thread.
    next_step: Step,
    /// `None` while the database cannot be opened, and after the end.
    open: Option<Open>,
    /// The open connection must not be used any more.
    is_spoilt: bool,
    file_looked_at: Instant,
    /// The file has changed, and earlier commits are safe.
    has_parted: bool,
    /// The mark of the schema when the store was opened.
    understood: String,
}

struct Open {
    session: Session,
    watch: Watch,
}

/// What an open store passes to its writer.
pub(crate) struct Opened {
    pub(crate) options: SqliteOptions,
    pub(crate) context: ErrorContext,
    pub(crate) file: Arc<DatabaseFile>,
    pub(crate) readers: Arc<Readers>,
    pub(crate) hints: Arc<Hints>,
    pub(crate) writes: Arc<WriteMeasures>,
}

impl WriterConnection {
    /// `understood` is the mark of the schema, which was checked. Call [`WriterConnection::begin`] next.
    pub(crate) fn new(opened: Opened, permits: Permits, awake: Awake, understood: String) -> Self {
        let Opened { options, context, file, readers, hints, writes } = opened;
        Self {
            checkpoints: Checkpoints::new(options.clone(), context.clone(), Arc::clone(&file)),
            options,
            context,
            file,
            readers,
            permits,
            awake,
            hints,
            writes,
            held: HeldLeases::default(),
            next_step: Step::Nothing,
            open: None,
            is_spoilt: false,
            file_looked_at: Instant::now(),
            has_parted: false,
            understood,
        }
    }

    /// The thread that takes the connection waits for locks as this store does.
    pub(crate) fn wait_on_this_thread(&self) {
        wait_on_this_thread(&self.context);
    }

    /// Starts to use an open connection.
    pub(crate) fn begin(&mut self, mut connection: Connection) {
        self.checkpoints.follow(&mut connection);
        let watch = Watch::begin(&connection);
        self.open = Some(Open { session: Session::begin(connection, self.understood.clone()), watch });
    }

    /// Replaces a spoilt connection, and opens the database again if it could not be opened before.
    pub(crate) fn make_ready(&mut self) -> Result<(), StoreError> {
        if self.is_spoilt {
            self.part_if_changed();
            self.is_spoilt = false;
            self.close_connection();
        }
        if self.open.is_some() {
            return Ok(());
        }
        let refuse = |change: FileChange| Err(change.error(&self.context));
        self.file.change().map_or(Ok(()), refuse)?;
        let connection = open_writer(&self.options, &self.context)?;
        self.file.note_log_reopened();
        self.file.check_thoroughly(&connection).or_else(refuse)?;
        self.begin(connection);
        Ok(())
    }

    /// Does what no caller should wait for. Returns how long the writer's thread may sleep.
    pub(crate) fn tidy(&mut self) -> Duration {
        self.look();
        if self.is_spoilt {
            // If the database cannot be opened now, the next request tries again and gets the reason.
            let _ = self.make_ready();
        }
        let step = std::mem::take(&mut self.next_step);
        match &self.open {
            Some(Open { session, watch }) => {
                self.checkpoints.carry_out(step, &session.connection);
                if self.hints.has_subscribers() { watch.pause(&self.hints) } else { PAUSE_UNHEARD }
            }
            None => PAUSE_UNHEARD,
        }
    }

    /// Looks for commits of other connections and for changes of the file, as often as is useful.
    fn look(&mut self) {
        let Some(Open { session, watch }) = &mut self.open else { return };
        if self.hints.take_log_written() {
            watch.note_log_written();
        }
        if self.hints.has_subscribers() && watch.has_foreign_commit(&session.connection) {
            self.hints.give_unknown();
        }
        if self.file_looked_at.elapsed() >= LOOK_AT_FILE {
            self.file_looked_at = Instant::now();
            self.is_spoilt |= self.file.check_thoroughly(&session.connection).is_err();
        }
    }

    /// Checks whether the file has changed. The operating system has reported a new name, or a write.
    pub(crate) fn check_file(&mut self) {
        self.is_spoilt |= self.file.check().is_err();
    }

    /// Closes everything if the file at the path is another one. Otherwise a program that opens that one would share
    /// the index of the log with this store.
    fn part_if_changed(&mut self) {
        let Err(change) = self.file.check() else { return };
        if std::mem::replace(&mut self.has_parted, true) {
            return;
        }
        crate::database::quiet::error!(error = %change.error(&self.context), "this store stops working");
        self.readers.abandon();
        self.checkpoints.end();
        if let Some(open) = &self.open {
            self.file.part(&open.session.connection);
        }
        self.hints.give_unknown();
    }

    /// Ends the work for good. Later requests find no connection.
    pub(crate) fn close(&mut self) {
        self.part_if_changed();
        // Before the last connection copies the whole log.
        self.checkpoints.end();
        self.close_connection();
    }

    fn close_connection(&mut self) {
        self.file.note_log_closing();
        self.open = None;
    }
}
