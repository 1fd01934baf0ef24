use fastrand::Rng;

use super::*;
use crate::catalog;

/// A connection whose catalog is read after some of its statements, each time beside a reader that knows nothing.
struct Twin {
    connection: Connection,
    reader: CatalogReader,
    reach: Reach,
    told: Schema,
}

impl Twin {
    fn new() -> Self {
        let connection = Connection::open_in_memory().unwrap();
        Self { connection, reader: CatalogReader::default(), reach: Reach::default(), told: Schema::new() }
    }

    /// Whether the statement ran.
    fn run(&mut self, statement: &str) -> bool {
        self.reach.extend(Reach::of(statement));
        self.connection.execute_batch(statement).is_ok()
    }

    fn compare(&mut self, story: &str) {
        let reach = std::mem::take(&mut self.reach);
        let read = self.reader.read_what(&self.connection, &reach).unwrap();
        let mut fresh = CatalogReader::default();
        assert_eq!(read, fresh.read(&self.connection).unwrap(), "{story}");
        assert_eq!(self.reader.definitions(), fresh.definitions(), "{story}");
        let changes = self.reader.changes();
        changes.owners.iter().for_each(|owner| self.told.replace_owner(owner, &changes.schema));
        assert_eq!(self.told, read, "what was told of the changes is not all of them: {story}");
    }
}

fn name(random: &mut Rng) -> &'static str {
    ["a", "b", "c", "\"a_data\"", "\"D e\""][random.usize(..5)]
}

fn statement(random: &mut Rng) -> String {
    let (one, other) = (name(random), name(random));
    let column = ["x", "y", "z", "\"b\""][random.usize(..4)];
    match random.u8(..18) {
        0 => format!("CREATE TABLE {one} (id INTEGER PRIMARY KEY, {column} TEXT)"),
        1 => format!("CREATE TABLE {one} ({column} TEXT PRIMARY KEY, o REFERENCES {other}) WITHOUT ROWID, STRICT"),
        2 => format!(
            "CREATE TABLE {one} (id INTEGER PRIMARY KEY AUTOINCREMENT, {column} REFERENCES {other} ON DELETE CASCADE)"
        ),
        3 => format!("CREATE VIRTUAL TABLE {one} USING fts5({column})"),
        4 => format!("CREATE VIEW {one} AS SELECT *, \"{}\" FROM {other}", ["x", "text", "z"][random.usize(..3)]),
        5 => format!("CREATE INDEX i{} ON {one} ({column})", random.u8(..3)),
        6 => format!("CREATE UNIQUE INDEX i{} ON {one} ({column}) WHERE \"y\" = 1", random.u8(..3)),
        7 => format!(
            "CREATE TRIGGER t{} AFTER INSERT ON {one} BEGIN INSERT INTO {other} ({column}) VALUES (\"x\"); END",
            random.u8(..3)
        ),
        8 => format!("ALTER TABLE {one} ADD COLUMN {column} TEXT DEFAULT 'n'"),
        9 => format!("ALTER TABLE {one} DROP COLUMN {column}"),
        10 => format!("ALTER TABLE {one} RENAME TO {other}"),
        11 => format!("ALTER TABLE {one} RENAME COLUMN {column} TO {}", ["x", "y", "w"][random.usize(..3)]),
        12 | 13 => format!("DROP TABLE IF EXISTS {one}"),
        14 => format!("DROP VIEW IF EXISTS {one}"),
        15 => format!("DROP INDEX i{}", random.u8(..3)),
        16 => format!("DROP TRIGGER t{}", random.u8(..3)),
        _ => format!("INSERT INTO {one} ({column}) VALUES ('v')"),
    }
}

#[test]
fn what_is_read_piece_by_piece_is_what_is_read_at_once() {
    for seed in 0..150 {
        let mut random = Rng::with_seed(seed);
        let mut twin = Twin::new();
        let mut story = format!("seed {seed}:");
        for _ in 0..40 {
            let statement = statement(&mut random);
            if twin.run(&statement) {
                story += &format!("\n{statement};");
            }
            if random.bool() {
                twin.compare(&story);
            }
        }
        twin.compare(&story);
    }
}

#[test]
fn a_text_in_quotes_becomes_a_name_when_something_gets_that_name() {
    let mut twin = Twin::new();
    twin.run("CREATE TABLE a (x)");
    twin.run("CREATE VIEW v AS SELECT x, \"later\" FROM a");
    twin.compare("before");
    twin.run("CREATE TABLE later (y)");
    twin.compare("after");
    twin.run("DROP TABLE later");
    twin.compare("and back");
}

#[test]
fn a_foreign_key_without_columns_follows_the_key_of_its_parent() {
    let mut twin = Twin::new();
    twin.run("CREATE TABLE child (p REFERENCES parent)");
    twin.compare("without a parent");
    twin.run("CREATE TABLE parent (id TEXT PRIMARY KEY)");
    twin.compare("with one");
    let read = twin.reader.read(&twin.connection).unwrap();
    let key = read.definition(&ObjectName::on(ObjectKind::ForeignKey, "child", "p")).unwrap();
    assert_eq!(key.describe(ObjectKind::ForeignKey), "REFERENCES parent (id)");
}

#[test]
fn views_in_views_are_read_without_expanding_them() {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch("CREATE TABLE v0 (x)").unwrap();
    for level in 1..60 {
        let below = level - 1;
        let view = format!("CREATE VIEW v{level} AS SELECT a.x FROM v{below} a JOIN v{below} b ON a.x = b.x");
        connection.execute_batch(&view).unwrap();
    }
    assert_eq!(catalog::read(&connection).unwrap().views().count(), 59);
}

#[test]
fn the_tables_behind_a_virtual_table_are_its_own() {
    let connection = Connection::open_in_memory().unwrap();
    connection
        .execute_batch(
            "CREATE TABLE notes_extra (x); CREATE VIRTUAL TABLE notes USING fts5(text);
             CREATE VIRTUAL TABLE box USING rtree(id, low, high); CREATE TABLE box_size (x)",
        )
        .unwrap();
    let schema = catalog::read(&connection).unwrap();
    assert_eq!(schema.tables().collect::<Vec<_>>(), ["box", "box_size", "notes", "notes_extra"]);
}
