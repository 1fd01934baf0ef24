use std::cell::Cell;

use longshore_sqlite_file::Answered as _;
use rusqlite::Connection;
use rusqlite::hooks::Wal;

thread_local! {
    /// The size of the log after the last commit of this thread's writing connection, until it is read.
    static LOG_PAGES: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Makes SQLite say the size of the log after each commit of this connection, instead of its own checkpoints.
pub(crate) fn follow(connection: &mut Connection) -> rusqlite::Result<()> {
    // The hook gets `&Wal` before version 0.41 of rusqlite, and `&mut Wal` from then on. A type `FileControl` exists in
    // rusqlite from that version on and hides the one below, which has a function of its own before the trait's.
    #[allow(unused_imports, reason = "FileControl is the one that this version needs")]
    use rusqlite::*;

    connection.wal_hook(Some(FileControl::note)).answered()
}

/// The size of the log after the last commit, if there was one since the last call.
pub(crate) fn take() -> Option<u32> {
    LOG_PAGES.take()
}

#[allow(dead_code, reason = "rusqlite has its own from 0.41 on")]
struct FileControl;

impl FileControl {
    #[allow(dead_code, reason = "the hook of rusqlite before 0.41")]
    fn note(_: &Wal, pages: i32) -> rusqlite::Result<()> {
        LOG_PAGES.set(Some(pages.unsigned_abs()));
        Ok(())
    }
}

trait Note {
    #[allow(dead_code, reason = "the hook of rusqlite from 0.41 on")]
    fn note(_: &mut Wal, pages: i32) -> rusqlite::Result<()> {
        LOG_PAGES.set(Some(pages.unsigned_abs()));
        Ok(())
    }
}

impl<T> Note for T {}
