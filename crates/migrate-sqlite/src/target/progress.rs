//! Tells how far a statement is while SQLite runs it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use longshore_migrate::{
    files::script::{TokenKind, tokens},
    target::{Progress, ProgressListener},
};
use rusqlite::Connection;

/// Virtual-machine steps between two reports: some milliseconds of work.
const STEPS: i32 = 200_000;
/// The total is not known.
const UNKNOWN: u64 = u64::MAX;

/// Counts the rows that a statement writes.
pub(super) struct Meter {
    listener: ProgressListener,
    done: Arc<AtomicU64>,
    total: Arc<AtomicU64>,
}

impl Meter {
    /// Counts by SQLite's hooks. Should they be refused, statements merely stay silent.
    pub(super) fn on(connection: &mut Connection, listener: ProgressListener) -> Self {
        let meter = Self::without_hooks(listener);
        let (done, total, listener) = (meter.done.clone(), meter.total.clone(), meter.listener.clone());
        let counted = meter.done.clone();
        let _ = connection.update_hook(Some(move |_, _: &str, _: &str, _| {
            counted.fetch_add(1, Ordering::Relaxed);
        }));
        let _ = connection.progress_handler(
            STEPS,
            Some(move || {
                listener(&rows(done.load(Ordering::Relaxed), total.load(Ordering::Relaxed)));
                false
            }),
        );
        meter
    }

    /// For a connection whose hooks are its owner's.
    pub(super) fn without_hooks(listener: ProgressListener) -> Self {
        Self { listener, done: Arc::new(AtomicU64::new(0)), total: Arc::new(AtomicU64::new(UNKNOWN)) }
    }

    /// A statement begins; the largest table that it reads says how many rows it may write.
    pub(super) fn begin(&self, connection: &Connection, statement: &str) {
        self.done.store(0, Ordering::Relaxed);
        self.total.store(expected_rows(connection, statement).unwrap_or(UNKNOWN), Ordering::Relaxed);
    }

    pub(super) fn tell(&self, progress: &Progress) {
        (self.listener)(progress);
    }
}

fn rows(done: u64, total: u64) -> Progress {
    let total = (total != UNKNOWN).then(|| total.max(done));
    Progress::Rows { done, total }
}

fn expected_rows(connection: &Connection, statement: &str) -> Option<u64> {
    let words: Vec<_> =
        tokens(statement).into_iter().filter(longshore_migrate::files::script::Token::has_meaning).collect();
    let first = words.first()?;
    if !["insert", "update", "delete", "replace"].iter().any(|word| first.is(word)) {
        return None;
    }
    let names = words.iter().filter(|word| matches!(word.kind, TokenKind::Word | TokenKind::Quoted));
    let tables = names.map(longshore_migrate::files::script::Token::name).filter(|name| is_table(connection, name));
    tables.filter_map(|table| count(connection, &table)).max()
}

fn is_table(connection: &Connection, name: &str) -> bool {
    let query = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE";
    connection.prepare_cached(query).and_then(|mut prepared| prepared.exists([name])).unwrap_or(false)
}

fn count(connection: &Connection, table: &str) -> Option<u64> {
    let query = format!("SELECT count(*) FROM {}", super::quoted(table));
    let count: i64 = connection.query_row(&query, [], |row| row.get(0)).ok()?;
    u64::try_from(count).ok()
}
