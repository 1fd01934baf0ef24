-- An application's schema with everything in it that a comparison can get wrong.
CREATE TABLE accounts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    email TEXT NOT NULL COLLATE NOCASE UNIQUE,
    name TEXT NOT NULL DEFAULT 'nobody',
    balance NUMERIC(10, 2) NOT NULL DEFAULT 0,
    score REAL DEFAULT 1.5,
    avatar BLOB DEFAULT x'00ff',
    active INTEGER NOT NULL DEFAULT TRUE,
    name_lower TEXT GENERATED ALWAYS AS (lower(name)) VIRTUAL,
    name_length INTEGER GENERATED ALWAYS AS (length(name) + 1) STORED,
    country TEXT NOT NULL DEFAULT (upper('nl')),
    CONSTRAINT balance_is_sane CHECK (balance >= 0 AND (score IS NULL OR score < 100.0)),
    CHECK (email LIKE '%@%' ESCAPE '!'),
    UNIQUE (name, country)
);
CREATE TABLE readings (
    sensor TEXT NOT NULL,
    at INTEGER NOT NULL,
    value ANY,
    unit TEXT CHECK (unit NOT BETWEEN 'a' AND 'b'),
    PRIMARY KEY (sensor, at DESC)
) STRICT, WITHOUT ROWID;
CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE ON UPDATE RESTRICT,
    parent_id INTEGER,
    sensor TEXT,
    at INTEGER,
    status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'paid')),
    note TEXT UNIQUE ON CONFLICT REPLACE,
    FOREIGN KEY (parent_id) REFERENCES orders (id) DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (sensor, at) REFERENCES readings (sensor, at)
);
CREATE TABLE tags (
    tag TEXT PRIMARY KEY,
    label TEXT NOT NULL ON CONFLICT IGNORE
);
CREATE INDEX orders_open ON orders (account_id, status DESC) WHERE status = 'open' AND note IS NOT NULL;
CREATE UNIQUE INDEX orders_label ON orders (note COLLATE NOCASE);
CREATE INDEX accounts_search ON accounts (lower(email), balance * 2 DESC);
CREATE VIEW open_orders (order_id, email) AS
SELECT o.id, a.email FROM orders o JOIN accounts a ON a.id = o.account_id WHERE o.status = 'open' ORDER BY o.id;
CREATE TRIGGER orders_touched AFTER UPDATE OF status, note ON orders FOR EACH ROW WHEN NEW.status <> OLD.status
BEGIN
    UPDATE accounts SET score = score + 1 WHERE id = NEW.account_id;
    INSERT INTO tags (tag, label) VALUES (NEW.status, 'Touched') ON CONFLICT (tag) DO NOTHING;
END;
CREATE TRIGGER open_orders_inserted INSTEAD OF INSERT ON open_orders
BEGIN
    SELECT RAISE(ABORT, 'read only');
END;
CREATE VIRTUAL TABLE notes USING fts5(title, body, tokenize = 'porter ascii');
