//! Schemas that mean the same, however they came about: none of them is a difference.

use std::process::Command;

use longshore_migrate::schema::differences;
use longshore_migrate::target::Session;
use longshore_testkit_postgres::Cluster;

use crate::fixture::{SQL, compared, look, made_by, migrated, observed};

fn same(made: &str, migration: &str) {
    let database = Cluster::shared().database();
    database.sql(made);
    let found = compared(&database, migration);
    assert_eq!(found, [], "{made}\n{migration}");
}

#[test]
fn what_the_migrations_make_is_no_difference_to_itself() {
    assert_eq!(compared(&migrated(), SQL), []);
}

#[test]
fn another_spelling_of_the_same_is_no_difference() {
    for (made, migration) in [
        (
            "CREATE TABLE a (s text CHECK (s IN ('x', 'y')))",
            "CREATE TABLE a (s text CHECK (s = ANY (ARRAY['x', 'y'])))",
        ),
        ("CREATE TABLE a (i int4, s varchar)", "CREATE TABLE a (i integer, s character varying)"),
        ("CREATE TABLE a (i int, j text); ALTER TABLE a ADD k date", "CREATE TABLE a (k date, i int, j text)"),
        (
            "CREATE TABLE a (i int); ALTER TABLE a ALTER i SET NOT NULL, ADD PRIMARY KEY (i)",
            "CREATE TABLE a (i int PRIMARY KEY)",
        ),
        (
            "CREATE TABLE a (i int CONSTRAINT x UNIQUE CONSTRAINT y CHECK (i > 0))",
            "CREATE TABLE a (i int UNIQUE CHECK (i > 0))",
        ),
        (
            "CREATE TABLE a (i int); CREATE TABLE b (i int); DROP TABLE a; ALTER TABLE b RENAME TO a",
            "CREATE TABLE a (i int)",
        ),
        (
            "CREATE TABLE a (i int DEFAULT -1, s text DEFAULT 'x')",
            "CREATE TABLE a (i int DEFAULT '-1', s text DEFAULT 'x'::text)",
        ),
        (
            "CREATE TABLE a (i int, j int); CREATE INDEX x ON a USING btree (i ASC NULLS LAST)",
            "CREATE TABLE a (i int, j int); CREATE INDEX x ON a (i)",
        ),
        ("CREATE VIEW v AS SELECT 1 AS a", "CREATE VIEW v (a) AS (SELECT 1)"),
        ("CREATE TABLE a (z int, i int); ALTER TABLE a DROP z", "CREATE TABLE a (i int)"),
    ] {
        same(made, migration);
    }
}

/// The comment of the table says that programs make and drop its partitions.
#[test]
fn partitions_that_come_and_go_at_run_time_are_no_difference() {
    const DIVIDED: &str = "CREATE TABLE d (id bigint PRIMARY KEY, t text) PARTITION BY RANGE (id);
        COMMENT ON TABLE d IS 'Its partitions are made and dropped at run time.';
        CREATE TABLE d_1 PARTITION OF d FOR VALUES FROM (1) TO (5);
        CREATE TABLE d_2 PARTITION OF d FOR VALUES FROM (5) TO (9);";
    for change in [
        "DROP TABLE d_1",
        "CREATE TABLE d_3 PARTITION OF d FOR VALUES FROM (9) TO (20)",
        "ALTER TABLE d DETACH PARTITION d_2; ALTER TABLE d_2 RENAME TO d_4;
         ALTER TABLE d ATTACH PARTITION d_4 FOR VALUES FROM (5) TO (100)",
        "ALTER TABLE d_1 SET (fillfactor = 50); CREATE INDEX ON d_1 (t); ALTER TABLE d_2 ADD CHECK (t <> '')",
    ] {
        same(&format!("{DIVIDED} {change}"), DIVIDED);
    }
    // The table itself is compared.
    let database = Cluster::shared().database();
    database.sql(&format!("{DIVIDED} ALTER TABLE d ADD note text; CREATE INDEX d_t ON d (t)"));
    let found: Vec<String> = compared(&database, DIVIDED).iter().map(|one| one.object.to_string()).collect();
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn a_rebuilt_index_and_a_full_vacuum_are_no_difference() {
    let database = migrated();
    database.sql("REINDEX INDEX CONCURRENTLY accounts_search");
    database.sql("REINDEX TABLE accounts");
    database.sql("VACUUM FULL accounts");
    assert_eq!(compared(&database, SQL), []);
}

#[test]
fn another_search_path_is_no_difference() {
    let database = migrated();
    let name = database.name().to_owned();
    database.sql(&format!("ALTER DATABASE {name} SET search_path TO public, billing, pg_catalog"));
    assert_eq!(compared(&database, SQL), []);
    database.sql(&format!("ALTER ROLE app IN DATABASE {name} SET quote_all_identifiers = off"));
    assert_eq!(compared(&database, SQL), []);
}

#[test]
fn a_dump_that_was_restored_twice_is_no_difference() {
    let origin = migrated();
    let expected = made_by(&look(&origin), SQL);
    let mut from = origin;
    for _ in 0..2 {
        let dump = Command::new("pg_dump").args(["--schema-only", "--no-owner", &from.admin_url()]).output().unwrap();
        assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
        let restored = Cluster::shared().database();
        // The lines of psql, and the schema that every database has.
        let text = String::from_utf8(dump.stdout).unwrap();
        let is_kept = |line: &&str| !line.starts_with('\\') && !line.starts_with("CREATE SCHEMA public");
        restored.sql(&text.lines().filter(is_kept).collect::<Vec<_>>().join("\n"));
        let found = differences(&expected, &observed(&restored));
        assert_eq!(found.differences, []);
        from = restored;
    }
}

#[test]
fn the_definitions_of_a_schema_make_that_schema_again() {
    let database = migrated();
    let expected = observed(&database);
    let mut target = look(&database);
    drop(made_by(&target, "CREATE SCHEMA billing"));
    let text: Vec<String> = target.definitions().unwrap().into_iter().map(|one| one.sql).collect();
    let again = Cluster::shared().database();
    again.sql(&text.join(";\n"));
    assert_eq!(differences(&expected, &observed(&again)).differences, []);
}
