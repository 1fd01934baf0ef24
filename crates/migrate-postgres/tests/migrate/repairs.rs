//! Repairs of large tables, under locks, and killed in the middle.

use std::{sync::mpsc, thread, time::Duration};

use longshore_migrate::{MigrateError, RepairMode, RepairRequest};
use longshore_testkit_postgres::TestDatabase;

use crate::support::{database, migrator, migrator_with, options, rows, source, up};

const FILES: [(&str, &str); 1] = [(
    "001_big.up.sql",
    "CREATE TABLE big (id bigint PRIMARY KEY, parent bigint REFERENCES big (id), n integer NOT NULL CHECK (n >= 0),
         code text UNIQUE, body text);
     CREATE INDEX big_n ON big (n);",
)];

fn apply() -> RepairRequest {
    RepairRequest { mode: RepairMode::Apply { reason: "a test".to_owned() } }
}

/// More than a statement may go through while others wait.
fn large() -> TestDatabase {
    let database = database();
    up(&mut migrator(&database, &FILES));
    database.sql(
        "INSERT INTO big SELECT i, nullif(i - 1, 0), i, 'code ' || i, repeat('x', 400)
         FROM generate_series(1, 30000) AS i",
    );
    database
}

#[test]
fn a_repair_of_a_large_table_goes_through_its_rows_only_while_others_can_write() {
    let database = large();
    let before = rows(&database, "SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM big AS t");
    database.sql(
        "ALTER TABLE big DROP CONSTRAINT big_n_check, DROP CONSTRAINT big_parent_fkey, DROP CONSTRAINT big_code_key,
             ALTER COLUMN n DROP NOT NULL; DROP INDEX big_n",
    );
    let mut migrator = migrator(&database, &FILES);
    let plan = migrator.repair(&RepairRequest::default()).unwrap_or_else(|error| panic!("{error}"));
    let said: Vec<String> = plan.steps.iter().filter_map(|step| step.sql.clone()).collect();
    assert_eq!(
        said,
        [
            "ALTER TABLE big ADD CONSTRAINT big_n_check CHECK ((n >= 0)) NOT VALID",
            "ALTER TABLE big ADD CONSTRAINT big_parent_fkey FOREIGN KEY (parent) REFERENCES public.big(id) NOT VALID",
            "ALTER TABLE big ADD CONSTRAINT longshore_n_is_not_null CHECK (n IS NOT NULL) NOT VALID",
            "ALTER TABLE big VALIDATE CONSTRAINT longshore_n_is_not_null",
            "ALTER TABLE big ALTER COLUMN n SET NOT NULL, DROP CONSTRAINT longshore_n_is_not_null",
            "CREATE UNIQUE INDEX CONCURRENTLY big_code_key ON big (code)",
            "ALTER TABLE big ADD CONSTRAINT big_code_key UNIQUE USING INDEX big_code_key",
            "ALTER TABLE big VALIDATE CONSTRAINT big_parent_fkey",
            "ALTER TABLE big VALIDATE CONSTRAINT big_n_check",
            "CREATE INDEX CONCURRENTLY big_n ON public.big USING btree (n)",
        ]
    );
    assert_eq!(migrator.repair(&apply()).unwrap_or_else(|error| panic!("{error}")).steps, plan.steps);
    assert!(migrator.verify().unwrap().ok, "{:#?}", migrator.verify().unwrap());
    assert_eq!(rows(&database, "SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM big AS t"), before);
}

#[test]
fn what_would_keep_others_waiting_for_long_is_left_to_a_person_with_its_statement() {
    let database = large();
    database.sql("ALTER TABLE big ALTER COLUMN n TYPE bigint");
    let error = migrator(&database, &FILES).repair(&apply()).unwrap_err();
    let MigrateError::NoRepair { reasons } = error else { panic!("{error}") };
    let hint = reasons[0].hint.as_deref().unwrap();
    assert!(hint.contains("the table is large"), "{hint}");
    assert!(hint.ends_with("run by hand: ALTER TABLE big ALTER COLUMN n TYPE integer"), "{hint}");
}

#[test]
fn a_repair_that_waits_for_a_lock_lets_others_pass_and_comes_back() {
    let database = database();
    up(&mut migrator(&database, &FILES));
    database.sql("ALTER TABLE big DROP CONSTRAINT big_n_check");
    let (let_go, told) = mpsc::channel::<()>();
    let (has, holds) = mpsc::channel();
    let config = database.config();
    let holder = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            client.batch_execute("BEGIN; SELECT * FROM big").await.unwrap();
            has.send(()).unwrap();
            let _ = tokio::task::spawn_blocking(move || told.recv()).await.unwrap();
            client.batch_execute("COMMIT").await.unwrap();
        });
    });
    holds.recv().unwrap();
    let patient = options(&database).lock_timeout(Duration::from_millis(100)).lock_attempts(400);
    let repairing = thread::spawn(move || migrator_with(patient, vec![source(&FILES)]).repair(&apply()).unwrap());
    let is_waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'ALTER TABLE big%'
        AND datname = current_database()";
    while rows(&database, is_waiting) == ["0"] {
        thread::sleep(Duration::from_millis(5));
    }
    database.sql("INSERT INTO big (id, n) VALUES (1, 1)");
    let_go.send(()).unwrap();
    holder.join().unwrap();
    assert!(repairing.join().unwrap().applied);
    assert!(migrator(&database, &FILES).verify().unwrap().ok);
}

#[test]
fn a_down_copies_what_it_takes_away_and_the_last_few_copies_stay() {
    let files = [
        ("001_a.up.sql", "CREATE TABLE a (id int PRIMARY KEY, note text); CREATE TABLE other (id int)"),
        ("001_a.down.sql", "-- longshore: loses a\nDROP TABLE other; DROP TABLE a"),
        ("002_b.up.sql", "CREATE TABLE b (a_id int REFERENCES a ON DELETE CASCADE); CREATE INDEX a_note ON a (note)"),
        ("002_b.down.sql", "DROP INDEX a_note; DROP TABLE b"),
        ("003_c.up.sql", "ALTER TABLE a ADD COLUMN more text"),
        ("003_c.down.sql", "-- longshore: loses a.more\nALTER TABLE a DROP COLUMN more"),
    ];
    let database = database();
    let mut migrator = migrator(&database, &files);
    up(&mut migrator);
    database.sql("INSERT INTO a VALUES (1, 'x', 'y'), (2, 'x', NULL); INSERT INTO other VALUES (7)");
    let down = |migrator: &mut longshore_migrate::Migrator<'_>| {
        let report = migrator.down(&longshore_migrate::RunRequest::default()).unwrap_or_else(|error| panic!("{error}"));
        report.backup.map(|backup| backup.display().to_string())
    };
    let backup = down(&mut migrator).unwrap();
    let schema = backup.strip_prefix("schema ").unwrap();
    assert_eq!(rows(&database, &format!("SELECT * FROM {schema}.a ORDER BY id")), ["1|x|y", "2|x|NULL"]);
    let tables = format!("SELECT relname FROM pg_class WHERE relnamespace = '{schema}'::regnamespace");
    assert_eq!(rows(&database, &tables), ["a"]);
    // Nothing holds rows that this one could take.
    assert_eq!(down(&mut migrator), None);
    assert!(migrator.verify().unwrap().ok);
    for _ in 0..6 {
        up(&mut migrator);
        down(&mut migrator).unwrap();
    }
    let kept = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'longshore_backup_%'";
    assert_eq!(rows(&database, kept), ["5"]);
    let request = longshore_migrate::RunRequest {
        backup: longshore_migrate::Backup::Skip,
        ..longshore_migrate::RunRequest::default()
    };
    assert_eq!(migrator.down(&request).unwrap().backup, None);
    assert_eq!(rows(&database, kept), ["5"]);
}

const INDEXED: [(&str, &str); 2] =
    [("001_t.up.sql", "CREATE TABLE t (id int, n int);"), ("002_t_n.up.sql", "CREATE UNIQUE INDEX t_n ON t (n DESC);")];

/// Breaks off the build of the index at rows with the same value.
fn build_in_vain(database: &TestDatabase) {
    database.sql("INSERT INTO t VALUES (1, 1), (2, 1)");
    let config = database.config();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (client, connection) = runtime.block_on(config.connect(tokio_postgres::NoTls)).unwrap();
    runtime.spawn(connection);
    let build = "CREATE UNIQUE INDEX CONCURRENTLY t_n ON t (n DESC)";
    runtime.block_on(client.batch_execute(build)).unwrap_err();
}

#[test]
fn an_invalid_index_is_built_again_once_its_rows_allow_it() {
    let database = database();
    let mut migrator = migrator(&database, &INDEXED);
    up(&mut migrator);
    database.sql("DROP INDEX t_n");
    build_in_vain(&database);
    assert!(!migrator.verify().unwrap().ok);
    let MigrateError::NoRepair { reasons } = migrator.repair(&RepairRequest::default()).unwrap_err() else { panic!() };
    assert_eq!(reasons[0].message, "there are 2 rows of t with the same n as another one");
    database.sql("DELETE FROM t WHERE id = 2");
    assert!(!migrator.repair(&RepairRequest::default()).unwrap().steps.is_empty());
    migrator.repair(&apply()).unwrap_or_else(|error| panic!("{error}"));
    assert!(migrator.verify().unwrap().ok);
    assert_eq!(migrator.repair(&RepairRequest::default()).unwrap().steps, []);
}

#[test]
fn a_pending_migration_whose_index_is_invalid_is_marked_and_the_index_built_again() {
    let alone = ("002_t_n.up.sql", "-- longshore: no transaction\nCREATE UNIQUE INDEX CONCURRENTLY t_n ON t (n DESC);");
    for second in [INDEXED[1], alone] {
        let database = database();
        up(&mut migrator(&database, &INDEXED[..1]));
        build_in_vain(&database);
        database.sql("DELETE FROM t WHERE id = 2");
        let mut migrator = migrator(&database, &[INDEXED[0], second]);
        migrator.repair(&apply()).unwrap_or_else(|error| panic!("{error}"));
        assert!(migrator.verify().unwrap().ok);
        assert_eq!(up(&mut migrator), [0; 0]);
    }
}

#[test]
fn the_fence_of_a_move_is_left_where_it_is() {
    let database = database();
    let mut migrator = migrator(&database, &INDEXED);
    up(&mut migrator);
    let before = migrator.dump().unwrap();
    database.sql(
        "CREATE TABLE longshore_move (document text);
         CREATE FUNCTION longshore_move_refuses() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
         CREATE TRIGGER longshore_move_refuses BEFORE INSERT ON t
             FOR EACH STATEMENT EXECUTE FUNCTION longshore_move_refuses()",
    );
    assert!(migrator.verify().unwrap().ok);
    assert_eq!(migrator.repair(&RepairRequest::default()).unwrap_or_else(|error| panic!("{error}")).steps, []);
    assert_eq!(migrator.dump().unwrap(), before);
}
