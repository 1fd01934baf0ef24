//! What SQLite allows and few expect: odd names, strings in double quotes, text that it splices itself.

use longshore_migrate::schema::{ObjectKind, ObjectName, Schema, differences};
use longshore_migrate_sqlite::catalog;

use crate::fixture::{database, schema};

fn kinds(expected: &str, observed: &str) -> Vec<String> {
    let found = differences(&schema(&[expected]), &schema(&[observed])).differences;
    found.iter().map(|one| format!("{:?} {}", one.kind, one.object)).collect()
}

#[test]
fn names_with_marks_in_them_are_read_and_compared() {
    let odd = r#"CREATE TABLE "a,b" ("c)(d" TEXT CHECK ("c)(d" <> '),('), [e"f] INT DEFAULT ((1)), "check" INT, `g``h` INT,
        "i""j" INT GENERATED ALWAYS AS ("check" + 1), UNIQUE ("c)(d", "check"));
        CREATE INDEX "k l" ON "a,b" ("check" DESC) WHERE [e"f] > 1;"#;
    let otherwise = r#"CREATE TABLE [A,B] ([C)(D] TEXT, [e"f] INT DEFAULT 1, [CHECK] INT, "g`h" INT,
        `i"j` INT AS ([check] + 1), CONSTRAINT u UNIQUE (`c)(d`, "check"), CHECK (`c)(d` != '),('));
        CREATE INDEX [K L] ON `a,b` ([check] DESC) WHERE ("e""f" > 1);"#;
    assert_eq!(kinds(odd, otherwise), [""; 0]);
    assert_eq!(kinds(odd, &otherwise.replace("'),('", "'),)'")), ["Check check a,b (`c)(d` <> '),(')"]);
    assert_eq!(kinds(odd, &otherwise.replace("> 1", "> 2")), ["IndexPredicate index k l on a,b"]);
}

#[test]
fn a_string_in_double_quotes_is_a_string_where_no_column_has_that_name() {
    let single = "CREATE TABLE a (status TEXT CHECK (status IN ('Open', 'paid')))";
    assert_eq!(kinds(single, &single.replace("'Open'", "\"Open\"")), [""; 0]);
    assert_eq!(kinds(single, &single.replace("'Open'", "\"open\"")).len(), 1);
}

#[test]
fn added_columns_are_spliced_into_any_text_and_read_the_same() {
    let made =
        "CREATE TABLE a (id INTEGER PRIMARY KEY, b TEXT DEFAULT 'x', c INT NOT NULL DEFAULT 5, d TEXT COLLATE NOCASE
        REFERENCES a (b), CHECK (id > 0), UNIQUE (id, b))";
    let added = "CREATE TABLE a (id INTEGER PRIMARY KEY -- the id, and a ' mark
        /* more */, CHECK (id > 0)
        , UNIQUE (id, b) -- the end
        );";
    let added = added.replace(
        "-- the id, and a ' mark\n        /* more */",
        "-- the id, and a ' mark\n , b TEXT DEFAULT 'x' /* more */",
    ) + "ALTER TABLE a ADD c INT NOT NULL DEFAULT 5; ALTER TABLE a ADD COLUMN d TEXT COLLATE NOCASE REFERENCES a (b);";
    assert_eq!(kinds(made, &added), [""; 0]);
}

#[test]
fn renaming_a_table_carries_its_keys_triggers_and_views_along() {
    let made = "CREATE TABLE a (id INTEGER PRIMARY KEY, b_id INT REFERENCES b (id)); CREATE TABLE b (id INTEGER PRIMARY KEY, c INT);
        CREATE TRIGGER t AFTER INSERT ON b WHEN NEW.c > 1 BEGIN UPDATE a SET b_id = NEW.id WHERE b_id IN (SELECT id FROM b); END;
        CREATE VIEW v AS SELECT b.c FROM a JOIN b ON b.id = a.b_id;";
    let renamed = made.replace(" b ", " old ").replace("FROM b)", "FROM old)").replace("b.", "old.")
        + "ALTER TABLE old RENAME TO b;";
    assert_eq!(kinds(made, &renamed), [""; 0]);
}

#[test]
fn a_temporary_table_of_the_same_name_is_not_taken_for_ours() {
    let main = "CREATE TABLE a (id INTEGER PRIMARY KEY, b TEXT UNIQUE); CREATE INDEX i ON a (b);";
    let temporary = "CREATE TEMP TABLE a (x); CREATE TEMP TABLE c (x); CREATE INDEX temp.i ON a (x);";
    assert_eq!(schema(&[main, temporary]), schema(&[main]));
}

#[test]
fn what_sqlite_keeps_for_itself_is_not_read() {
    let main = "CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, b TEXT); CREATE INDEX i ON a (b); INSERT INTO a (b) VALUES (1);";
    assert_eq!(
        schema(&[main, "ANALYZE; CREATE TABLE Schema_Migrations (id); CREATE TABLE longshore_migrations_history (id)"]),
        schema(&[main])
    );
    assert_eq!(schema(&[main]).tables().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn a_virtual_table_is_one_table_whatever_tables_it_keeps() {
    let made = schema(&[
        "CREATE VIRTUAL TABLE notes USING fts5(title); CREATE VIRTUAL TABLE boxes USING rtree(id, low, high)",
    ]);
    assert_eq!(made.tables().collect::<Vec<_>>(), ["boxes", "notes"]);
}

#[test]
fn a_module_that_is_not_loaded_and_a_view_on_nothing_do_not_stop_the_reading() {
    let connection = database(&["CREATE TABLE a (b); CREATE VIEW v AS SELECT x FROM nowhere; PRAGMA writable_schema = ON;
        INSERT INTO sqlite_schema VALUES ('table', 'strange', 'strange', 0, 'CREATE VIRTUAL TABLE strange USING absent(x)');
        PRAGMA writable_schema = RESET;"]);
    let read = catalog::read(&connection).unwrap();
    assert_eq!(read.tables().collect::<Vec<_>>(), ["a", "strange"]);
    assert_eq!(read.views().collect::<Vec<_>>(), ["v"]);
}

#[test]
fn two_foreign_keys_on_one_column_are_told_apart() {
    let two = "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (id INTEGER PRIMARY KEY);
        CREATE TABLE c (x INT REFERENCES a (id) REFERENCES b (id) ON DELETE CASCADE);";
    let turned = two.replace(
        "REFERENCES a (id) REFERENCES b (id) ON DELETE CASCADE",
        "REFERENCES b ON DELETE CASCADE REFERENCES a",
    );
    assert_eq!(kinds(two, &turned), [""; 0]);
    assert_eq!(kinds(two, &two.replace("REFERENCES b (id) ON DELETE CASCADE", "")), ["ForeignKey foreign key c (x 2)"]);
}

#[test]
fn names_that_are_keywords_elsewhere_do_not_end_a_trigger_early() {
    let made = "CREATE TABLE a (\"begin\" INT, \"of\" INT);
        CREATE TRIGGER t UPDATE OF \"of\" ON a WHEN NEW.begin > 1 AND CASE WHEN NEW.\"of\" THEN 1 END BEGIN SELECT 1; END";
    let read = schema(&[made]);
    let trigger = ObjectName::on(ObjectKind::Trigger, "a", "t");
    let words = read.definition(&trigger).unwrap().describe(ObjectKind::Trigger);
    assert_eq!(
        words,
        "BEFORE UPDATE OF `of` WHEN new.`begin` > 1 AND CASE WHEN new.`of` THEN 1 END BEGIN SELECT 1; END"
    );
}

#[test]
fn the_empty_database_has_the_empty_schema() {
    assert_eq!(schema(&[]), Schema::new());
}
