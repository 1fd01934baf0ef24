//! The replay: it touches nothing that is there, and nothing of it stays.

use crate::support::{database, migrator, rows, up};

#[test]
fn a_migration_that_names_its_schemas_is_replayed_beside_the_real_ones() {
    let database = database();
    let files = [
        (
            "001_a.up.sql",
            "CREATE SCHEMA billing; CREATE TABLE public.a (i int); CREATE TABLE billing.b (i int);
            CREATE FUNCTION billing.f() RETURNS bigint LANGUAGE plpgsql SET search_path = public, billing AS $$
            BEGIN RETURN (SELECT count(*) FROM public.a); END $$;
            CREATE VIEW billing.v AS SELECT billing.f() AS n, i FROM public.a;
            DO $$ BEGIN IF NOT EXISTS (SELECT FROM information_schema.columns
                WHERE table_schema = 'public' AND table_name = 'a' AND column_name = 'j') THEN
                EXECUTE 'ALTER TABLE public.a ADD COLUMN j int'; END IF; END $$;",
        ),
        (
            "001_a.down.sql",
            "DROP VIEW billing.v; DROP FUNCTION billing.f(); DROP TABLE billing.b; DROP TABLE public.a; DROP SCHEMA billing;",
        ),
    ];
    let mut migrator = migrator(&database, &files);
    assert_eq!(up(&mut migrator), [1]);
    let verified = migrator.verify().unwrap();
    assert!(verified.ok, "{verified:#?}");
    assert_eq!(migrator.lint().unwrap().findings, []);
    database.sql("DROP FUNCTION billing.f() CASCADE");
    let found: Vec<String> = migrator.verify().unwrap().differences.into_iter().map(|one| one.object).collect();
    assert_eq!(found, ["function billing.f()", "view billing.v"]);
    assert_eq!(rows(&database, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'longshore\\_scratch%'"), ["0"]);
}

#[test]
fn a_replay_does_not_wait_for_a_table_that_is_locked() {
    let database = database();
    let files = [("001_a.up.sql", "CREATE TABLE a (i int)"), ("002_b.up.sql", "ALTER TABLE public.a ADD COLUMN j int")];
    let mut migrator = migrator(&database, &files);
    up(&mut migrator);
    let config = database.config();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (client, connection) = runtime.block_on(config.connect(tokio_postgres::NoTls)).unwrap();
    runtime.spawn(connection);
    runtime.block_on(client.batch_execute("BEGIN; LOCK TABLE a IN ACCESS EXCLUSIVE MODE")).unwrap();
    assert_eq!(migrator.status().unwrap().pending_count, 0);
    migrator.lint().unwrap();
}

#[test]
fn work_on_rows_that_never_ends_does_not_stop_a_look() {
    let database = database();
    let files = [
        ("001_a.up.sql", "CREATE TABLE a (i bigint); INSERT INTO a SELECT generate_series(1, 9000000000000);"),
        ("002_b.up.sql", "CREATE TABLE b AS SELECT generate_series(1, 9000000000000) AS i;"),
    ];
    let status = migrator(&database, &files).status().unwrap();
    assert_eq!((status.pending_count, status.findings.len()), (2, 0), "{:?}", status.findings);
}

#[test]
fn rows_with_deferred_keys_do_not_forbid_to_alter_their_table() {
    let database = database();
    let files = [
        (
            "001_a.up.sql",
            "CREATE TABLE a (id int PRIMARY KEY, p int REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED);
            INSERT INTO a VALUES (1, 2), (2, 1);",
        ),
        ("001_a.down.sql", "-- longshore: loses a\nDROP TABLE a;"),
        (
            "002_b.up.sql",
            "ALTER TABLE a ADD COLUMN t text; INSERT INTO a VALUES (3, 4), (4, 3) ON CONFLICT DO NOTHING;",
        ),
        ("002_b.down.sql", "-- longshore: loses a\nALTER TABLE a DROP COLUMN t;"),
    ];
    let mut migrator = migrator(&database, &files);
    assert_eq!(migrator.lint().unwrap().findings, []);
    assert_eq!(up(&mut migrator), [1, 2]);
}

#[test]
fn an_extension_in_the_same_schema_is_no_difference_and_a_real_table_is_not_met() {
    let database = database();
    database.admin_sql("CREATE EXTENSION IF NOT EXISTS citext SCHEMA public");
    let files = [(
        "001_a.up.sql",
        "CREATE EXTENSION IF NOT EXISTS citext; CREATE TABLE a (mail citext NOT NULL);
            CREATE TYPE mood AS ENUM ('sad'); ALTER TYPE mood ADD VALUE 'happy';",
    )];
    let mut first = migrator(&database, &files);
    assert_eq!(up(&mut first), [1]);
    let verified = first.verify().unwrap();
    assert!(verified.ok && verified.foreign.is_empty(), "{verified:#?}");
    database.sql("CREATE TABLE by_hand (i int)");
    let stray = [files[0], ("002_b.up.sql", "ALTER TABLE by_hand ADD COLUMN j int")];
    let findings = migrator(&database, &stray).status().unwrap().findings;
    assert!(findings[0].message.contains("relation \"by_hand\" does not exist"), "{findings:?}");
}

#[test]
fn roles_and_settings_of_the_server_are_left_alone_by_a_look() {
    let database = database();
    let files = [
        ("001_a.up.sql", "DO $$ BEGIN NULL; END $$; CREATE TABLE a (i int); ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;
            GRANT SELECT ON a TO PUBLIC; SET statement_timeout = '5min'; SET ROLE app; RESET ROLE;"),
        ("002_vacuum.up.sql", "-- longshore: no transaction\nVACUUM ANALYZE a;"),
    ];
    let mut migrator = migrator(&database, &files);
    assert_eq!(migrator.status().unwrap().findings, []);
    assert_eq!(up(&mut migrator), [1, 2]);
    assert!(migrator.verify().unwrap().ok);
}

const MOODS: [(&str, &str); 4] = [
    (
        "001_mood.up.sql",
        "DO $$ BEGIN CREATE TYPE mood AS ENUM ('sad', 'ok'); EXCEPTION WHEN duplicate_object THEN NULL; END $$;
         CREATE TYPE public.size AS ENUM ('small'); CREATE TABLE o (id int, m mood, s size);",
    ),
    (
        "002_happy.up.sql",
        "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'happy' BEFORE 'ok'; ALTER TYPE size ADD VALUE 'large';",
    ),
    ("003_use.up.sql", "ALTER TABLE o ALTER COLUMN m SET DEFAULT 'happy'; UPDATE o SET m = 'happy', s = 'large';"),
    ("003_use.down.sql", "ALTER TABLE o ALTER COLUMN m DROP DEFAULT;"),
];

#[test]
fn a_value_that_one_migration_adds_to_an_enum_can_be_used_by_a_later_one() {
    let database = database();
    let mut migrator = migrator(&database, &MOODS);
    assert_eq!(migrator.status().unwrap().findings, []);
    let broken: Vec<_> =
        migrator.lint().unwrap().findings.into_iter().filter(|one| one.kind.breaks_history()).collect();
    assert_eq!(broken, []);
    assert_eq!(up(&mut migrator), [1, 2, 3]);
    let verified = migrator.verify().unwrap();
    assert!(verified.ok, "{verified:#?}");
    assert_eq!(rows(&database, "SELECT enum_range(NULL::mood)"), ["{sad,happy,ok}"]);
}

#[test]
fn a_file_without_a_transaction_can_use_the_value_that_it_adds() {
    let database = database();
    let alone = (
        "002_happy.up.sql",
        "-- longshore: no transaction\nALTER TYPE mood ADD VALUE 'happy'; UPDATE o SET m = 'happy';
         ALTER TABLE o ALTER COLUMN m SET DEFAULT 'happy';",
    );
    let mut migrator = migrator(&database, &[MOODS[0], alone]);
    assert_eq!(migrator.status().unwrap().findings, []);
    let broken: Vec<_> =
        migrator.lint().unwrap().findings.into_iter().filter(|one| one.kind.breaks_history()).collect();
    assert_eq!(broken, []);
    assert_eq!(up(&mut migrator), [1, 2]);
    assert!(migrator.verify().unwrap().ok);
}
