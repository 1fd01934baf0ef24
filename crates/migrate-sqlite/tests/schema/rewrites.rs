//! Changes of text alone: none is reported.

use longshore_migrate::schema::differences;
use longshore_migrate_sqlite::catalog;

use crate::fixture::Change::{self, Run, Text};
use crate::fixture::{changed, migrated};

#[rustfmt::skip]
const REWRITES: [Change; 78] = [
    // Spacing, case, comments.
    Text("result TEXT,", "result\t\r\n   TEXT   ,"),
    Text("result TEXT,", "result TEXT, -- what came out, with a ) and a '\n"),
    Text("result TEXT,", "result /* a comment */ TEXT /**/,"),
    Text("result TEXT,", "RESULT text,"),
    Text("progress REAL", "Progress Real"),
    Text("NUMERIC(10, 2)", "numeric ( 10,2 )"),
    Text("CREATE UNIQUE INDEX orders_label", "create  unique\nindex ORDERS_LABEL"),
    Text("AFTER UPDATE OF status, note ON orders FOR EACH ROW", "after update of STATUS , note on Orders"),
    Text("RAISE(ABORT, 'read only')", "raise ( abort , 'read only' )"),
    Text("SELECT o.id, a.email FROM", "select O.ID , A . Email from"),
    Text("CREATE TABLE tags (", "CREATE TABLE IF NOT EXISTS tags(-- the tags\n"),
    // Quotes of names.
    Text("CREATE TABLE tags", "CREATE TABLE \"tags\""),
    Text("CREATE TABLE tags", "CREATE TABLE [tags]"),
    Text("CREATE TABLE tags", "CREATE TABLE `Tags`"),
    Text("CREATE TABLE \"job_queue\"", "CREATE TABLE job_queue"),
    Text("CREATE TABLE tags", "CREATE TABLE main.tags"),
    Text("queue TEXT NOT NULL DEFAULT 'default' CHECK (queue > '' AND", "\"queue\" TEXT NOT NULL DEFAULT 'default' CHECK ([queue] > '' AND"),
    Text("ON orders (account_id, status DESC)", "ON \"orders\" (`account_id`, [status] DESC)"),
    Text("WHERE status = 'dead_letter'", "WHERE \"status\" = 'dead_letter'"),
    Text("(lower(name)) VIRTUAL", "(\"lower\"([name])) VIRTUAL"),
    Text("WHEN NEW.status <> OLD.status\n", "WHEN \"new\".\"status\" <> old.[status]\n"),
    Text("WHERE o.status = 'open'", "WHERE \"o\".\"status\" = 'open'"),
    Text("FROM orders o JOIN accounts a ON", "FROM \"orders\" AS o JOIN [accounts] AS \"a\" ON"),
    // Operators and literals in another form.
    Text("WHEN NEW.status <> OLD.status\n", "WHEN NEW.status != OLD.status\n"),
    Text("WHERE status = 'dead_letter'", "WHERE status == 'dead_letter'"),
    Text("WHEN OLD.queue <> NEW.queue OR", "WHEN OLD.queue != NEW.queue OR"),
    Text("status = 'open' AND note IS NOT NULL", "status = 'open' AND note NOTNULL"),
    Text("status = 'open' AND note IS NOT NULL", "status = 'open' AND note NOT NULL"),
    Text("(score IS NULL OR score < 100.0)", "(score ISNULL OR score < 1e2)"),
    Text("DEFAULT 1.5", "DEFAULT +1.50"),
    Text("DEFAULT 1000", "DEFAULT 0x3E8"),
    Text("DEFAULT 1000", "DEFAULT (1000)"),
    Text("x'00ff'", "X'00FF'"),
    Text("DEFAULT TRUE", "DEFAULT 1"),
    Text("DEFAULT 'nobody'", "DEFAULT nobody"),
    Text("DEFAULT 'nobody'", "DEFAULT \"nobody\""),
    Text("avatar BLOB DEFAULT x'00ff',", "avatar BLOB DEFAULT (x'00ff'),"),
    Text("parent_id INTEGER,", "parent_id INTEGER DEFAULT NULL,"),
    // Idle parentheses.
    Text("DEFAULT (upper('nl'))", "DEFAULT ((upper(('nl'))))"),
    Text("CHECK (job_type > '' AND job_type < x'')", "CHECK (((job_type) > ('')) AND (job_type < (x'')))"),
    Text("(balance >= 0 AND (score IS NULL OR score < 100.0))", "((balance >= 0) AND ((score IS NULL) OR (score < 100.0)))"),
    Text("(length(name) + 1) STORED", "((length((name))) + (1)) STORED"),
    Text("WHERE status = 'open' AND note IS NOT NULL", "WHERE ((status = 'open') AND (note IS NOT NULL))"),
    Text("(lower(email), balance * 2 DESC)", "((lower(email)), (balance * 2) DESC)"),
    Text("WHERE run_at IS NOT NULL AND status IN ('pending', 'retrying')", "WHERE (run_at IS NOT NULL) AND (status IN (('pending'), 'retrying'))"),
    Text("WHEN OLD.queue <> NEW.queue OR OLD.status <> NEW.status", "WHEN (OLD.queue <> NEW.queue) OR (OLD.status <> NEW.status)"),
    Text("SET score = score + 1 WHERE id = NEW.account_id", "SET score = (score + 1) WHERE (id = NEW.account_id)"),
    Text("ON a.id = o.account_id", "ON (a.id = o.account_id)"),
    // Where and in which order constraints stand.
    Text("CONSTRAINT balance_is_sane CHECK", "CHECK"),
    Text("CONSTRAINT balance_is_sane CHECK", "CONSTRAINT \"another name\" CHECK"),
    Text("NOT NULL COLLATE NOCASE UNIQUE", "UNIQUE COLLATE NOCASE NOT NULL"),
    Text("email TEXT NOT NULL COLLATE NOCASE UNIQUE", "email TEXT CONSTRAINT e NOT NULL CONSTRAINT u UNIQUE COLLATE \"nocase\""),
    Text("CHECK (email LIKE '%@%' ESCAPE '!'),\n    UNIQUE (name, country)", "UNIQUE (name, country),\n    CHECK (email LIKE '%@%' ESCAPE '!')"),
    Text("CHECK (email LIKE '%@%' ESCAPE '!'),\n    UNIQUE (name, country)", "CHECK (email LIKE '%@%' ESCAPE '!') UNIQUE (name, country)"),
    Text("tag TEXT PRIMARY KEY,\n    label TEXT NOT NULL ON CONFLICT IGNORE", "tag TEXT,\n label TEXT NOT NULL ON CONFLICT IGNORE, PRIMARY KEY (tag)"),
    Text("id INTEGER PRIMARY KEY AUTOINCREMENT,\n    email TEXT NOT NULL COLLATE NOCASE UNIQUE,", "id INTEGER NOT NULL PRIMARY KEY ASC AUTOINCREMENT, email TEXT NOT NULL COLLATE NOCASE UNIQUE,"),
    Text("id INTEGER PRIMARY KEY,\n    account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE ON UPDATE RESTRICT,", "id INTEGER PRIMARY KEY, account_id INTEGER REFERENCES accounts (id) ON UPDATE RESTRICT ON DELETE CASCADE NOT NULL,"),
    Text("FOREIGN KEY (parent_id) REFERENCES orders (id) DEFERRABLE INITIALLY DEFERRED,\n    FOREIGN KEY (sensor, at) REFERENCES readings (sensor, at)", "FOREIGN KEY (sensor, at) REFERENCES readings (sensor, at), FOREIGN KEY (parent_id) REFERENCES orders (id) DEFERRABLE INITIALLY DEFERRED"),
    Text("parent_id INTEGER,\n    sensor TEXT,\n    at INTEGER,\n    status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'paid')),\n    note TEXT UNIQUE ON CONFLICT REPLACE,\n    FOREIGN KEY (parent_id) REFERENCES orders (id) DEFERRABLE INITIALLY DEFERRED,", "parent_id INTEGER REFERENCES orders (id) DEFERRABLE INITIALLY DEFERRED, sensor TEXT, at INTEGER, status TEXT NOT NULL DEFAULT 'open', note TEXT, UNIQUE (note) ON CONFLICT REPLACE, CHECK (status IN ('open', 'paid')),"),
    Text("unit TEXT CHECK (unit NOT BETWEEN 'a' AND 'b'),", "unit TEXT, CHECK ((unit NOT BETWEEN ('a') AND 'b')),"),
    Text("STRICT, WITHOUT ROWID", "without rowid, strict"),
    // What is so without being said.
    Text("REFERENCES accounts (id) ON DELETE CASCADE", "REFERENCES accounts ON DELETE CASCADE"),
    Text("REFERENCES readings (sensor, at)", "REFERENCES readings (sensor, at) ON DELETE NO ACTION ON UPDATE NO ACTION"),
    Text("REFERENCES readings (sensor, at)", "REFERENCES readings (sensor, at) MATCH SIMPLE NOT DEFERRABLE INITIALLY IMMEDIATE"),
    Text("REFERENCES readings (sensor, at)", "REFERENCES readings (sensor, at) NOT DEFERRABLE INITIALLY DEFERRED"),
    Text("PRIMARY KEY (sensor, at DESC)", "PRIMARY KEY (sensor ASC, at COLLATE BINARY DESC)"),
    Text("(job_type, queue, priority DESC, id)", "(job_type COLLATE BINARY ASC, queue ASC, priority DESC, id)"),
    Text("status TEXT NOT NULL DEFAULT 'open'", "status TEXT COLLATE BINARY NULL NOT NULL ON CONFLICT ABORT DEFAULT 'open'"),
    Text("GENERATED ALWAYS AS (lower(name)) VIRTUAL", "AS (lower(name))"),
    Text("INSTEAD OF INSERT ON open_orders\n", "INSTEAD OF INSERT ON open_orders FOR EACH ROW\n"),
    Text("UPDATE OF status, note", "UPDATE OF note, status"),
    Text("orders o JOIN accounts a", "orders o INNER JOIN accounts a"),
    Text("ORDER BY o.id", "ORDER BY (o.id) ASC"),
    Text("(lower(email), balance * 2 DESC)", "(lower(email) ASC, balance * 2 DESC)"),
    // Made in other steps.
    Run("ALTER TABLE tags RENAME TO labels; ALTER TABLE labels RENAME TO tags"),
    Run("ALTER TABLE tags RENAME COLUMN label TO words; ALTER TABLE tags RENAME COLUMN words TO label"),
    Run("DROP INDEX job_queue_due; CREATE INDEX job_queue_due ON job_queue (run_at) WHERE run_at IS NOT NULL AND status IN ('pending', 'retrying')"),
    Run("ALTER TABLE job_workers DROP COLUMN suspicion_count; ALTER TABLE job_workers ADD suspicion_count INTEGER NOT NULL DEFAULT 0"),
];

#[test]
fn a_change_of_text_alone_is_not_reported() {
    let expected = catalog::read(&migrated()).unwrap();
    for change in REWRITES {
        let observed = changed(change);
        let comparison = differences(&expected, &observed);
        let (Run(text) | Text(_, text)) = change;
        assert_eq!(comparison.differences, [], "after {text}");
        assert_eq!(comparison.foreign, [], "after {text}");
        assert_eq!(observed.fingerprint(), expected.fingerprint(), "after {text}");
    }
}

#[test]
fn the_text_that_sqlite_keeps_makes_the_same_schema() {
    let migrated = migrated();
    let again = crate::fixture::schema(&[&crate::fixture::stored_text(&migrated)]);
    assert_eq!(again, catalog::read(&migrated).unwrap());
}
