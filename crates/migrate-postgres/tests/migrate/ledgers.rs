//! Ledgers of other managers: recognised, named, and never altered.

use longshore_migrate_postgres::{PostgresTargetOptions, PostgresUrl};

use crate::support::{database, migrator, migrator_with, rows, source, up};

const FILES: [(&str, &str); 1] = [("001_a.up.sql", "CREATE TABLE a (i int)")];

#[test]
fn a_ledger_of_another_tool_is_named_and_left_alone() {
    for (made, tool) in [
        (
            "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL); INSERT INTO schema_migrations VALUES (7, false)",
            "golang-migrate",
        ),
        (
            "CREATE TABLE schema_migrations (version varchar PRIMARY KEY); INSERT INTO schema_migrations VALUES ('7')",
            "dbmate",
        ),
        (
            "CREATE TABLE __diesel_schema_migrations (version varchar(50) PRIMARY KEY, run_on timestamp NOT NULL DEFAULT now()); INSERT INTO __diesel_schema_migrations VALUES ('7')",
            "diesel",
        ),
        (
            "CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, description text, success boolean NOT NULL, checksum bytea); INSERT INTO _sqlx_migrations VALUES (7, 'x', true)",
            "sqlx",
        ),
        (
            "CREATE TABLE refinery_schema_history (version int4 PRIMARY KEY, name varchar(255), applied_on varchar(255), checksum varchar(255)); INSERT INTO refinery_schema_history VALUES (7)",
            "refinery",
        ),
        (
            "CREATE TABLE goose_db_version (id serial PRIMARY KEY, version_id bigint NOT NULL, is_applied boolean NOT NULL, tstamp timestamp DEFAULT now()); INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, true), (7, true)",
            "goose",
        ),
        (
            "CREATE TABLE alembic_version (version_num varchar(32) NOT NULL PRIMARY KEY); INSERT INTO alembic_version VALUES ('7')",
            "Alembic",
        ),
        (
            "CREATE TABLE flyway_schema_history (installed_rank int PRIMARY KEY, version varchar(50), description varchar(200) NOT NULL, checksum int, installed_on timestamp NOT NULL DEFAULT now(), success boolean NOT NULL); INSERT INTO flyway_schema_history VALUES (1, '7', 'x', 0, now(), true), (2, '8', 'y', 0, now(), false)",
            "Flyway",
        ),
        (
            "CREATE TABLE seaql_migrations (version varchar PRIMARY KEY, applied_at bigint NOT NULL); INSERT INTO seaql_migrations VALUES ('7', 1)",
            "sea-orm",
        ),
        (
            "CREATE TABLE _yoyo_migration (migration_hash varchar(64) PRIMARY KEY, migration_id varchar(255), applied_at_utc timestamp); INSERT INTO _yoyo_migration VALUES ('x', '7', now())",
            "yoyo",
        ),
        // Rails has the same table as dbmate, and one beside it.
        (
            "CREATE TABLE schema_migrations (version varchar NOT NULL PRIMARY KEY); CREATE TABLE ar_internal_metadata (key varchar PRIMARY KEY, value varchar); INSERT INTO schema_migrations VALUES ('7')",
            "dbmate",
        ),
    ] {
        let database = database();
        database.sql(made);
        let table = made.split_whitespace().nth(2).unwrap();
        let before = rows(&database, &format!("SELECT to_jsonb(t) FROM {table} t"));
        let mut migrator = migrator(&database, &FILES);
        let status = migrator.status().unwrap();
        assert_eq!(status.foreign_ledgers[0].tool.in_words(), tool);
        assert_eq!(status.foreign_ledgers[0].versions, ["7"]);
        assert_eq!(up(&mut migrator), [1]);
        assert_eq!(rows(&database, &format!("SELECT to_jsonb(t) FROM {table} t")), before, "{tool}");
        assert!(migrator.verify().unwrap().ok);
        assert_eq!(migrator.status().unwrap().applied_count, 1);
    }
}

#[test]
fn a_ledger_that_cannot_be_read_is_named_and_nothing_else() {
    for (made, tool, versions) in [
        (
            "CREATE TABLE django_migrations (id bigint PRIMARY KEY, app varchar(255), name varchar(255), applied timestamptz); INSERT INTO django_migrations VALUES (1, 'shop', '0001_initial', now())",
            "Django",
            vec!["shop.0001_initial"],
        ),
        ("CREATE TABLE flyway_schema_history (version text, success text)", "Flyway", vec![]),
        ("CREATE TABLE schema_migrations (id int, filename text)", "another tool", vec![]),
    ] {
        let database = database();
        database.sql(made);
        let mut migrator = migrator(&database, &FILES);
        let found = migrator.status().unwrap().foreign_ledgers;
        assert_eq!(
            (found[0].tool.in_words(), &found[0].versions),
            (tool, &versions.iter().map(ToString::to_string).collect())
        );
        assert_eq!(up(&mut migrator), [1], "{tool}");
    }
}

#[test]
fn another_manager_with_our_columns_keeps_its_rows_and_its_columns() {
    let database = database();
    database.sql(
        "CREATE TABLE schema_migrations (migration_number int NOT NULL UNIQUE, migration_name text NOT NULL,
             applied_at timestamp, app_version text DEFAULT 'v1');
         INSERT INTO schema_migrations VALUES (90, 'something_else', '2025-01-01', 'v0')",
    );
    let mut migrator = migrator(&database, &FILES);
    let theirs = migrator.status().unwrap().theirs;
    assert_eq!((theirs[0].number, theirs[0].applied_at.as_deref()), (90, Some("2025-01-01T00:00:00.000Z")));
    assert_eq!(up(&mut migrator), [1]);
    let found =
        rows(&database, "SELECT migration_number, migration_name, app_version FROM schema_migrations ORDER BY 1");
    assert_eq!(found, ["1|a|v1", "90|something_else|v0"]);
    assert_eq!(migrator.status().unwrap().applied_count, 1);
    migrator.redo(&longshore_migrate::RunRequest::default()).unwrap_err();
}

#[test]
fn the_history_cannot_be_rewritten() {
    let database = database();
    up(&mut migrator(&database, &FILES));
    let changed = "DO $$ BEGIN UPDATE longshore.longshore_migrations_history SET who = 'eve';
        EXCEPTION WHEN raise_exception THEN RETURN; END $$";
    database.sql(changed);
    assert_eq!(rows(&database, "SELECT who FROM longshore.longshore_migrations_history"), ["ann"]);
}

#[test]
fn the_ledger_is_in_the_schema_of_the_queue_whatever_its_name() {
    let database = database();
    let url = PostgresUrl::from(database.config()).in_schema("odd_queue").unwrap();
    let mut migrator = migrator_with(PostgresTargetOptions::new(url), vec![source(&FILES)]);
    assert_eq!(up(&mut migrator), [1]);
    assert_eq!(rows(&database, "SELECT count(*) FROM odd_queue.longshore_migrations"), ["1"]);
    assert!(migrator.verify().unwrap().ok);
}

#[test]
fn a_migration_that_moves_the_search_path_does_not_move_the_ledger() {
    let database = database();
    let files = [
        ("001_a.up.sql", "CREATE SCHEMA other; SET search_path TO other, public; CREATE TABLE b (i int);"),
        ("002_c.up.sql", "SELECT pg_catalog.set_config('search_path', '', false); CREATE TABLE public.c (i int);"),
        ("003_d.up.sql", "CREATE TABLE d (i int);"),
    ];
    let mut migrator = migrator(&database, &files);
    assert_eq!(up(&mut migrator), [1, 2, 3]);
    let made = "SELECT relnamespace::regnamespace, relname FROM pg_class WHERE relname IN ('b', 'c', 'd') ORDER BY 2";
    assert_eq!(rows(&database, made), ["other|b", "public|c", "public|d"]);
    assert!(migrator.verify().unwrap().ok, "{:#?}", migrator.verify().unwrap());
}
