//! Single changes to a migrated schema: each is found, and named by its kind and its object.

use longshore_migrate::schema::differences;

use crate::fixture::Change::{self, Run, Text};
use crate::fixture::{changed, migrated};
use longshore_migrate_sqlite::catalog;

/// A change, the kind of the difference and the object that it is on.
type Row = (Change, &'static str, &'static str);

#[rustfmt::skip]
const COLUMNS: [Row; 28] = [
    (Run("ALTER TABLE job_queue DROP COLUMN progress_message"), "column_missing", "column job_queue.progress_message"),
    (Run("ALTER TABLE job_queue DROP COLUMN metadata"), "column_missing", "column job_queue.metadata"),
    (Run("ALTER TABLE accounts DROP COLUMN name_lower"), "column_missing", "column accounts.name_lower"),
    (Run("ALTER TABLE job_queue RENAME COLUMN result TO outcome"), "column_missing", "column job_queue.result"),
    (Run("ALTER TABLE job_queue ADD COLUMN failure_typ TEXT"), "column_extra", "column job_queue.failure_typ"),
    (Run("ALTER TABLE tags ADD COLUMN colour"), "column_extra", "column tags.colour"),
    (Run("ALTER TABLE tags ADD COLUMN twice AS (tag || tag)"), "column_extra", "column tags.twice"),
    (Text("result TEXT,", "result VARCHAR(20),"), "type", "column job_queue.result"),
    (Text("ready_at INTEGER,", "ready_at TIMESTAMP,"), "type", "column job_queue.ready_at"),
    (Text("progress REAL", "progress INTEGER"), "type", "column job_queue.progress"),
    (Text("progress REAL", "progress"), "type", "column job_queue.progress"),
    (Text("NUMERIC(10, 2)", "NUMERIC(10, 3)"), "type", "column accounts.balance"),
    (Text("avatar BLOB", "avatar TEXT"), "type", "column accounts.avatar"),
    (Text("value ANY", "value TEXT"), "type", "column readings.value"),
    (Text("name TEXT NOT NULL DEFAULT 'nobody'", "name TEXT DEFAULT 'nobody'"), "nullability", "column accounts.name"),
    (Text("claim_number INTEGER NOT NULL DEFAULT 0,", "claim_number INTEGER DEFAULT 0,"), "nullability", "column job_queue.claim_number"),
    (Text("score REAL DEFAULT 1.5", "score REAL NOT NULL DEFAULT 1.5"), "nullability", "column accounts.score"),
    (Text("ON CONFLICT IGNORE", "ON CONFLICT FAIL"), "nullability", "column tags.label"),
    (Text("DEFAULT 'nobody'", "DEFAULT 'Nobody'"), "default", "column accounts.name"),
    (Text("DEFAULT 1.5", "DEFAULT 1.25"), "default", "column accounts.score"),
    (Text("score REAL DEFAULT 1.5", "score REAL"), "default", "column accounts.score"),
    (Text("max_deferrals INTEGER NOT NULL DEFAULT 1000", "max_deferrals INTEGER NOT NULL DEFAULT '1000'"), "default", "column job_queue.max_deferrals"),
    (Text("DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000.0", "DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400.0"), "default", "column job_queue.created_at"),
    (Text("x'00ff'", "x'00fe'"), "default", "column accounts.avatar"),
    (Text("(lower(name)) VIRTUAL", "(upper(name)) VIRTUAL"), "generated", "column accounts.name_lower"),
    (Text("(lower(name)) VIRTUAL", "(lower(name)) STORED"), "generated", "column accounts.name_lower"),
    (Text("(length(name) + 1) STORED", "(length(name) - 1) STORED"), "generated", "column accounts.name_length"),
    (Text("GENERATED ALWAYS AS (length(name) + 1) STORED", ""), "generated", "column accounts.name_length"),
];

#[rustfmt::skip]
const TABLES: [Row; 34] = [
    (Text("NOT NULL COLLATE NOCASE UNIQUE", "NOT NULL COLLATE RTRIM UNIQUE"), "collation", "column accounts.email"),
    (Text("NOT NULL COLLATE NOCASE UNIQUE", "NOT NULL UNIQUE"), "collation", "column accounts.email"),
    (Text("label TEXT NOT NULL", "label TEXT COLLATE NOCASE NOT NULL"), "collation", "column tags.label"),
    (Text("ready_at INTEGER,\n    claim_number INTEGER NOT NULL DEFAULT 0,", "claim_number INTEGER NOT NULL DEFAULT 0,\n ready_at INTEGER,"), "column_order", "table job_queue"),
    (Text("sensor TEXT NOT NULL,\n    at INTEGER NOT NULL", "at INTEGER NOT NULL, sensor TEXT NOT NULL"), "column_order", "table readings"),
    (Text("PRIMARY KEY (sensor, at DESC)", "PRIMARY KEY (sensor, at)"), "primary_key", "table readings"),
    (Text("PRIMARY KEY (sensor, at DESC)", "PRIMARY KEY (at DESC, sensor)"), "primary_key", "table readings"),
    (Text("tag TEXT PRIMARY KEY", "tag TEXT"), "primary_key", "table tags"),
    (Text("tag TEXT PRIMARY KEY", "tag TEXT PRIMARY KEY ON CONFLICT REPLACE"), "primary_key", "table tags"),
    (Text("id INTEGER PRIMARY KEY,", "id INTEGER PRIMARY KEY DESC,"), "primary_key", "table orders"),
    (Text("PRIMARY KEY (job_id, claim_number)", "PRIMARY KEY (job_id, claim_number, attempt)"), "primary_key", "table job_attempts"),
    (Text("COLLATE NOCASE UNIQUE", "COLLATE NOCASE"), "unique", "unique accounts (email)"),
    (Text("UNIQUE (name, country)", "UNIQUE (country, name)"), "unique", "unique accounts (name, country)"),
    (Text("UNIQUE (name, country)", "UNIQUE (name, country, score)"), "unique", "unique accounts (name, country)"),
    (Text("ON CONFLICT IGNORE", "ON CONFLICT IGNORE UNIQUE"), "unique", "unique tags (label)"),
    (Text("UNIQUE ON CONFLICT REPLACE", "UNIQUE"), "unique", "unique orders (note)"),
    (Text("ON DELETE CASCADE ON UPDATE RESTRICT", "ON DELETE SET NULL ON UPDATE RESTRICT"), "foreign_key", "foreign key orders (account_id)"),
    (Text("ON DELETE CASCADE ON UPDATE RESTRICT", "ON DELETE CASCADE"), "foreign_key", "foreign key orders (account_id)"),
    (Text("ON DELETE SET NULL", ""), "foreign_key", "foreign key job_queue (parent_job_id)"),
    (Text("REFERENCES accounts (id)", "REFERENCES orders (id)"), "foreign_key", "foreign key orders (account_id)"),
    (Text("DEFERRABLE INITIALLY DEFERRED", ""), "foreign_key", "foreign key orders (parent_id)"),
    (Text("REFERENCES readings (sensor, at)", "REFERENCES readings (at, sensor)"), "foreign_key", "foreign key orders (sensor, at)"),
    (Text(",\n    FOREIGN KEY (sensor, at) REFERENCES readings (sensor, at)", ""), "foreign_key", "foreign key orders (sensor, at)"),
    (Text("label TEXT NOT NULL", "label TEXT REFERENCES accounts (name) NOT NULL"), "foreign_key", "foreign key tags (label)"),
    (Text("('open', 'paid')", "('open')"), "check", "check orders (status IN ('open', 'paid'))"),
    (Text("CHECK (status IN ('open', 'paid'))", ""), "check", "check orders (status IN ('open', 'paid'))"),
    (Text("WHEN 'blocked' THEN parent_job_id IS NOT NULL\n", ""), "check", "check job_queue (CASE status WHEN 'pending' THEN 1 WHEN 'running' THEN worker_id IS NOT NULL AND started_at IS NOT NULL WHEN 'completed' THEN completed_at IS NOT NULL WHEN 'retrying' THEN next_retry_at IS NOT NULL WHEN 'dead_letter' THEN dead_letter_reason IS NOT NULL AND moved_to_dead_letter_at IS NOT NULL WHEN 'cancelled' THEN completed_at IS NOT NULL WHEN 'blocked' THEN parent_job_id IS NOT NULL ELSE 0 END)"),
    (Text("(score IS NULL OR score < 100.0)", "score IS NULL OR score < 100.0"), "check", "check accounts (balance >= 0 AND (score IS NULL OR score < 100.0))"),
    (Text("ESCAPE '!'", "ESCAPE '?'"), "check", "check accounts (email LIKE '%@%' ESCAPE '!')"),
    (Text("tag TEXT PRIMARY KEY", "tag TEXT PRIMARY KEY CHECK (tag <> '')"), "check", "check tags (tag <> '')"),
    (Text("STRICT, WITHOUT ROWID", "WITHOUT ROWID"), "strict", "table readings"),
    (Text("STRICT, WITHOUT ROWID", "STRICT"), "without_rowid", "table readings"),
    (Text("id INTEGER PRIMARY KEY AUTOINCREMENT,\n    email", "id INTEGER PRIMARY KEY,\n    email"), "autoincrement", "table accounts"),
    (Run("DROP TABLE job_workers"), "table_missing", "table job_workers"),
];

#[rustfmt::skip]
const OTHERS: [Row; 40] = [
    (Run("DROP INDEX job_queue_ready"), "index_missing", "index job_queue_ready on job_queue"),
    (Run("CREATE INDEX by_hand ON job_queue (result)"), "index_extra", "index by_hand on job_queue"),
    (Run("DROP INDEX orders_label; CREATE UNIQUE INDEX orders_label ON orders (note)"), "index_columns", "index orders_label on orders"),
    (Text("(job_type, queue, priority DESC, id)", "(job_type, priority DESC, queue, id)"), "index_columns", "index job_queue_ready on job_queue"),
    (Text("(job_type, queue, priority DESC, id)", "(job_type, queue, priority, id)"), "index_columns", "index job_queue_ready on job_queue"),
    (Text("(job_type, queue, priority DESC, id)", "(job_type, queue, priority DESC)"), "index_columns", "index job_queue_ready on job_queue"),
    (Text("ON job_queue (run_at)", "ON job_queue (run_at, id)"), "index_columns", "index job_queue_due on job_queue"),
    (Text("(lower(email), balance * 2 DESC)", "(upper(email), balance * 2 DESC)"), "index_columns", "index accounts_search on accounts"),
    (Text("(lower(email), balance * 2 DESC)", "(lower(email), balance * 3 DESC)"), "index_columns", "index accounts_search on accounts"),
    (Text("(lower(email), balance * 2 DESC)", "(lower(email), balance * 2)"), "index_columns", "index accounts_search on accounts"),
    (Text("(lower(email), balance * 2 DESC)", "(lower(email) COLLATE NOCASE, balance * 2 DESC)"), "index_columns", "index accounts_search on accounts"),
    (Text("CREATE UNIQUE INDEX orders_label", "CREATE INDEX orders_label"), "index_unique", "index orders_label on orders"),
    (Text("CREATE INDEX job_queue_parent", "CREATE UNIQUE INDEX job_queue_parent"), "index_unique", "index job_queue_parent on job_queue"),
    (Text("WHERE status = 'dead_letter'", "WHERE status = 'Dead_letter'"), "index_predicate", "index job_queue_dead_letter on job_queue"),
    (Text("WHERE status = 'dead_letter'", ""), "index_predicate", "index job_queue_dead_letter on job_queue"),
    (Text("WHERE status = 'open' AND note IS NOT NULL", "WHERE status = 'open' OR note IS NOT NULL"), "index_predicate", "index orders_open on orders"),
    (Text("WHERE status = 'open' AND note IS NOT NULL", "WHERE status = 'open' AND note IS NULL"), "index_predicate", "index orders_open on orders"),
    (Run("CREATE INDEX tags_label ON tags (label) WHERE label > ''; DROP INDEX orders_open"), "index_missing", "index orders_open on orders"),
    (Run("DROP TRIGGER job_queue_moved"), "trigger_missing", "trigger job_queue_moved on job_queue"),
    (Run("DROP TRIGGER open_orders_inserted"), "trigger_missing", "trigger open_orders_inserted on open_orders"),
    (Run("CREATE TRIGGER by_hand AFTER INSERT ON job_queue BEGIN SELECT 1; END"), "trigger_extra", "trigger by_hand on job_queue"),
    (Text("AFTER UPDATE OF status, note", "BEFORE UPDATE OF status, note"), "trigger_changed", "trigger orders_touched on orders"),
    (Text("AFTER UPDATE OF status, note", "UPDATE OF status, note"), "trigger_changed", "trigger orders_touched on orders"),
    (Text("AFTER UPDATE OF status, note", "AFTER UPDATE OF status"), "trigger_changed", "trigger orders_touched on orders"),
    (Text("AFTER UPDATE OF status, note", "AFTER UPDATE"), "trigger_changed", "trigger orders_touched on orders"),
    (Text("AFTER DELETE ON job_queue\nBEGIN", "AFTER DELETE ON job_queue WHEN OLD.id > 1 BEGIN"), "trigger_changed", "trigger job_queue_deleted on job_queue"),
    (Text("WHEN NEW.status <> OLD.status\n", "WHEN NEW.status = OLD.status\n"), "trigger_changed", "trigger orders_touched on orders"),
    (Text("WHEN NEW.status <> OLD.status\n", ""), "trigger_changed", "trigger orders_touched on orders"),
    (Text("score = score + 1", "score = score + 2"), "trigger_changed", "trigger orders_touched on orders"),
    (Text("VALUES (NEW.status, 'Touched')", "VALUES (NEW.status, 'touched')"), "trigger_changed", "trigger orders_touched on orders"),
    (Text("DELETE FROM job_logs WHERE job_id = OLD.id;", ""), "trigger_changed", "trigger job_queue_deleted on job_queue"),
    (Text("RAISE(ABORT, 'read only')", "RAISE(IGNORE)"), "trigger_changed", "trigger open_orders_inserted on open_orders"),
    (Run("DROP VIEW open_orders"), "view_missing", "view open_orders"),
    (Text("WHERE o.status = 'open'", "WHERE o.status = 'paid'"), "view_changed", "view open_orders"),
    (Text("orders o JOIN accounts a", "orders o LEFT JOIN accounts a"), "view_changed", "view open_orders"),
    (Text("(order_id, email) AS", "(id, email) AS"), "view_changed", "view open_orders"),
    (Text("ORDER BY o.id", "ORDER BY o.id DESC"), "view_changed", "view open_orders"),
    (Text("SELECT o.id, a.email", "SELECT DISTINCT o.id, a.email"), "view_changed", "view open_orders"),
    (Text("tokenize = 'porter ascii'", "tokenize = 'ascii'"), "virtual_table", "table notes"),
    (Text("fts5(title, body", "fts5(title, text"), "virtual_table", "table notes"),
];

#[test]
fn every_single_change_is_found_and_named() {
    let expected = catalog::read(&migrated()).unwrap();
    let mut found = 0;
    for (change, kind, object) in COLUMNS.into_iter().chain(TABLES).chain(OTHERS) {
        let comparison = differences(&expected, &changed(change));
        let named: Vec<(String, String)> = comparison
            .differences
            .iter()
            .map(|one| (serde_json::to_value(one.kind).unwrap().as_str().unwrap().to_owned(), one.object.to_string()))
            .collect();
        assert!(named.contains(&(kind.to_owned(), object.to_owned())), "{kind} of {object} is not among {named:#?}");
        found += 1;
    }
    assert_eq!(found, 102);
}

#[test]
fn a_change_of_one_thing_is_reported_once() {
    let expected = catalog::read(&migrated()).unwrap();
    let single = |kind: &str| !matches!(kind, "column_missing" | "generated" | "index_missing" | "view_missing");
    for (change, kind, object) in COLUMNS.into_iter().chain(TABLES).chain(OTHERS).filter(|row| single(row.1)) {
        let found = differences(&expected, &changed(change)).differences;
        assert_eq!(found.len(), 1, "{kind} of {object}: {found:#?}");
    }
}

#[test]
fn whole_tables_and_views_that_no_migration_made_are_only_named() {
    let expected = catalog::read(&migrated()).unwrap();
    let observed = changed(Run("CREATE TABLE tracks (id INTEGER PRIMARY KEY, title TEXT CHECK (title <> ''));
         CREATE INDEX tracks_title ON tracks (title);
         CREATE TRIGGER tracks_inserted AFTER INSERT ON tracks BEGIN SELECT 1; END;
         CREATE VIEW titles AS SELECT title FROM tracks;"));
    let comparison = differences(&expected, &observed);
    assert_eq!(comparison.differences, []);
    let foreign: Vec<String> = comparison.foreign.iter().map(ToString::to_string).collect();
    assert_eq!(foreign, ["view titles", "table tracks"]);
}
