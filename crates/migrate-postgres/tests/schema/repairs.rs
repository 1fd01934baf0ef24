//! Every single change of the mutation set is repaired with all rows in place, or is left to a person with the
//! statement that this person would run.

use std::collections::BTreeMap;

use longshore_migrate::{
    MigrateError, Migrator, RepairMode, RepairRequest, RunRequest, Source, files::script::Dialect,
};
use longshore_migrate_postgres::{PostgresTarget, PostgresTargetOptions, PostgresUrl};
use longshore_testkit_postgres::{Cluster, TestDatabase};

use crate::{
    fixture::SQL,
    mutations::{COLUMNS, OTHERS, Row, TABLES},
};

/// Rows in every table, with something that each mutation could lose.
const ROWS: &str = "
    INSERT INTO accounts (email, name, status, state, home, score, twice, note, tags, avatar)
        SELECT n || '@example.com', 'name ' || n, 'new', 'happy',
            ('(street,' || n || ')')::address, n + 0.25, 2 * n, 'note ' || n, ARRAY['a', 'b'], decode('00ff', 'hex')
        FROM generate_series(1, 20) AS n;
    INSERT INTO billing.invoices (account_id, paid, during)
        SELECT id, id % 2 = 0, tstzrange(to_timestamp(id * 1000), to_timestamp(id * 1000 + 10)) FROM accounts;
    INSERT INTO cache VALUES ('k', '{\"v\": 1}');
    INSERT INTO events VALUES (1, '2025-03-01 00:00+00', 'x');
    INSERT INTO base VALUES (1, 'a');
    INSERT INTO child VALUES (2, 'b', 'c');
    REFRESH MATERIALIZED VIEW totals;";

fn files() -> Source {
    Source::embedded_in(Dialect::Postgres, "app", &[("001_all.up.sql", SQL)])
}

fn migrator(database: &TestDatabase) -> Migrator<'static> {
    let target = PostgresTarget::open(PostgresTargetOptions::new(database.config())).unwrap();
    Migrator::new(Box::new(target), vec![files()])
}

/// A database in which the fixture was migrated, with its rows.
fn filled() -> TestDatabase {
    let prepare = |url: String| async move {
        let made = tokio::task::spawn_blocking(move || {
            let url: PostgresUrl = url.parse().unwrap();
            let target = PostgresTarget::open(PostgresTargetOptions::new(url)).unwrap();
            Migrator::new(Box::new(target), vec![files()]).up(&RunRequest::default()).unwrap();
        });
        made.await.unwrap();
    };
    let hash = longshore_migrate::files::checksum::sha256_hex(SQL.as_bytes());
    let database = Cluster::shared().database_from(&format!("repair_{}", &hash[..12]), prepare);
    database.sql(ROWS);
    database
}

/// The values of every column of every table, in one text each.
fn values(database: &TestDatabase) -> BTreeMap<String, String> {
    let of_all_columns = "SELECT string_agg(
            format('SELECT %L, coalesce(string_agg(%I::text, '','' ORDER BY %I::text), '''') FROM %I.%I',
                c.relname || '.' || a.attname, a.attname, a.attname, n.nspname, c.relname),
            ' UNION ALL ')
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('public', 'billing') AND c.relkind IN ('r', 'p', 'm') AND a.attnum > 0
            AND NOT a.attisdropped AND c.relname <> 'schema_migrations'";
    let query = database.sql(of_all_columns).remove(0).remove(0).expect("there are tables");
    database.sql(&query).into_iter().filter_map(|mut row| Some((row.remove(0)?, row.remove(0)?))).collect()
}

fn apply() -> RepairRequest {
    RepairRequest { mode: RepairMode::Apply { reason: "a test".to_owned() } }
}

/// What is said to a person, or `None` where the repair did everything.
fn repaired(database: &TestDatabase, change: &str) -> Result<Option<String>, String> {
    let before = values(database);
    database.sql(change);
    let changed = values(database);
    let mut migrator = migrator(database);
    let plan = migrator.repair(&RepairRequest::default());
    let plan = match plan {
        Ok(plan) if plan.steps.is_empty() => return Err("nothing is found".to_owned()),
        Ok(plan) => plan,
        Err(MigrateError::NoRepair { reasons }) => {
            let said = reasons.iter().map(|reason| format!("{reason}: {}", reason.hint.clone().unwrap_or_default()));
            return Ok(Some(said.collect::<Vec<_>>().join("\n")));
        }
        Err(error) => return Err(error.to_string()),
    };
    if values(database) != changed {
        return Err("the plan alone has changed something".to_owned());
    }
    let steps = |steps: &[longshore_migrate::report::RepairStep]| {
        steps.iter().filter_map(|step| step.sql.clone()).collect::<Vec<_>>().join(";\n")
    };
    let done = migrator.repair(&apply()).map_err(|error| format!("{error}\n{}", steps(&plan.steps)))?;
    if done.steps != plan.steps {
        return Err(format!("the plan said\n{}\nand this was done\n{}", steps(&plan.steps), steps(&done.steps)));
    }
    let report = migrator.verify().unwrap();
    if !report.ok {
        return Err(format!("afterwards {:?}\n{}", report.differences, steps(&plan.steps)));
    }
    let after = values(database);
    let is_kept =
        |(column, text): (&String, &String)| after.get(column) == Some(text) || after.get(column) == before.get(column);
    let lost: Vec<&String> = changed.iter().filter(|one| !is_kept(*one)).map(|(column, _)| column).collect();
    let lost: Vec<&String> = lost.into_iter().filter(|column| before.contains_key(*column)).collect();
    if lost.is_empty() { Ok(None) } else { Err(format!("values differ in {lost:?}\n{}", steps(&plan.steps))) }
}

/// Those that a person decides, each with what the hint says.
#[rustfmt::skip]
const LEFT: [(&str, &str); 9] = [
    ("ALTER TABLE accounts ADD COLUMN by_hand", "ALTER TABLE accounts DROP COLUMN by_hand"),
    ("CREATE INDEX by_hand", "DROP INDEX by_hand"),
    ("CREATE TRIGGER by_hand", "DROP TRIGGER by_hand ON accounts"),
    ("CREATE RULE by_hand", "DROP RULE by_hand ON cache"),
    ("CREATE POLICY by_hand", "DROP POLICY by_hand ON accounts"),
    ("CREATE STATISTICS by_hand", "DROP STATISTICS public.by_hand"),
    ("ALTER TYPE mood ADD VALUE", "PostgreSQL takes no value from an enum"),
    ("ALTER TYPE span RENAME", "ALTER TYPE range_of_time RENAME TO span"),
    ("ALTER TYPE address ADD ATTRIBUTE", "ALTER TYPE address DROP ATTRIBUTE"),
];

/// Changes that take much along with them.
#[rustfmt::skip]
const WIDE: [Row; 16] = [
    ("ALTER TABLE accounts DROP CONSTRAINT accounts_pkey CASCADE", "", ""),
    ("ALTER TABLE accounts DROP COLUMN id CASCADE", "", ""),
    ("ALTER TABLE accounts DROP COLUMN status CASCADE; ALTER TABLE accounts DROP COLUMN state CASCADE", "", ""),
    ("ALTER TABLE billing.invoices ALTER COLUMN number TYPE bigint", "", ""),
    ("DROP VIEW open_invoices; ALTER TABLE billing.invoices ALTER COLUMN id TYPE bigint; CREATE VIEW open_invoices AS SELECT i.id, a.name, a.state FROM billing.invoices i JOIN accounts a ON a.id = i.account_id WHERE NOT i.paid", "", ""),
    ("DROP TABLE billing.invoices CASCADE", "", ""),
    ("DROP TABLE events CASCADE", "", ""),
    ("DROP TABLE base CASCADE", "", ""),
    ("DROP SCHEMA billing CASCADE", "", ""),
    ("DROP FUNCTION touch() CASCADE", "", ""),
    ("DROP FUNCTION double(integer); CREATE FUNCTION double(n integer) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT n::bigint'", "", ""),
    ("DROP SEQUENCE billing.invoices_id_seq CASCADE", "", ""),
    ("DROP SEQUENCE ticket CASCADE", "", ""),
    ("ALTER TABLE accounts ALTER COLUMN note TYPE varchar(90), ALTER COLUMN note SET DEFAULT 'x', ALTER COLUMN note SET NOT NULL", "", ""),
    ("ALTER TABLE accounts DROP COLUMN name_lower, ADD COLUMN name_lower text; UPDATE accounts SET name_lower = lower(name)", "", ""),
    ("ALTER TABLE accounts ALTER COLUMN score TYPE double precision, DROP CONSTRAINT accounts_score", "", ""),
];

fn each_is_repaired(rows: &[Row]) {
    let mut database = filled();
    let mut wrong = Vec::new();
    // The server does not take the one that is left out.
    for (change, ..) in rows.iter().filter(|row| !row.0.contains("ADD PRIMARY KEY (id, name)")) {
        let left = LEFT.iter().find(|(start, _)| change.starts_with(start));
        match (repaired(&database, change), left) {
            (Ok(None), None) => continue,
            (Ok(Some(said)), Some((_, hint))) if said.contains(hint) => {}
            (found, _) => wrong.push(format!("{change}\n  {found:?}")),
        }
        database = filled();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_single_change_of_a_column_or_a_domain_is_repaired_or_left_to_a_person() {
    each_is_repaired(&COLUMNS);
}

#[test]
fn every_single_change_of_a_table_or_a_constraint_is_repaired_or_left_to_a_person() {
    each_is_repaired(&TABLES);
}

#[test]
fn every_single_change_of_what_stands_on_tables_or_beside_them_is_repaired_or_left_to_a_person() {
    each_is_repaired(&OTHERS);
}

#[test]
fn a_key_that_nothing_enforced_is_enforced_again_once_all_rows_fit() {
    let database = filled();
    database.admin_sql("ALTER TABLE billing.invoices DISABLE TRIGGER ALL");
    let mut migrator = migrator(&database);
    migrator.repair(&apply()).unwrap();
    assert_eq!(migrator.verify().unwrap().differences, []);
    database.admin_sql("ALTER TABLE billing.invoices DISABLE TRIGGER ALL");
    database.sql("INSERT INTO billing.invoices (account_id, paid) VALUES (4711, true)");
    let error = migrator.repair(&apply()).map(|report| report.steps).expect_err("a row has no account");
    assert!(error.to_string().contains("4711"), "{error}");
}

#[test]
fn what_a_cascade_has_taken_along_comes_back_in_its_order() {
    each_is_repaired(&WIDE);
}

/// Only the statement itself finds that every row would get the same value.
#[test]
fn a_key_that_the_default_of_a_new_column_breaks_leaves_nothing_of_the_repair_behind() {
    let database = filled();
    database.sql("ALTER TABLE accounts DROP COLUMN name CASCADE");
    let before = values(&database);
    let error =
        migrator(&database).repair(&apply()).map(|report| report.steps).expect_err("two rows would be the same");
    assert!(error.to_string().contains("could not create unique index \"accounts_name_status_key\""), "{error}");
    assert_eq!(values(&database), before);
}

#[test]
fn what_stands_on_a_changed_column_is_kept_with_its_rights() {
    let database = filled();
    database.sql(
        "ALTER TABLE accounts ALTER COLUMN twice TYPE bigint; CREATE VIEW watched AS SELECT id, twice FROM accounts;
         CREATE VIEW watched_twice AS SELECT max(twice) AS most FROM watched; GRANT SELECT ON watched TO PUBLIC",
    );
    migrator(&database).repair(&apply()).unwrap_or_else(|error| panic!("{error}"));
    assert!(migrator(&database).verify().unwrap().ok);
    assert_eq!(database.sql("SELECT most FROM watched_twice"), [[Some("40".to_owned())]]);
    let rights = database.sql("SELECT has_table_privilege('public', 'watched', 'SELECT')");
    assert_eq!(rights, [[Some("t".to_owned())]]);
}

#[test]
fn functions_over_rows_of_tables_and_views_are_made_behind_them() {
    let database = filled();
    database.sql(
        "CREATE FUNCTION open_ones() RETURNS SETOF open_invoices LANGUAGE sql AS 'SELECT * FROM open_invoices';
         CREATE OR REPLACE VIEW open_invoices AS SELECT i.id, a.name, a.state FROM billing.invoices i
             JOIN accounts a ON a.id = i.account_id WHERE i.paid",
    );
    migrator(&database).repair(&apply()).unwrap_or_else(|error| panic!("{error}"));
    assert!(migrator(&database).verify().unwrap().ok);
    assert_eq!(database.sql("SELECT count(*) FROM open_ones()"), [[Some("10".to_owned())]]);
}

#[test]
fn a_counter_that_was_made_again_goes_on_behind_its_numbers() {
    let database = filled();
    database.sql("DROP SEQUENCE billing.invoices_id_seq CASCADE; ALTER TABLE accounts ALTER COLUMN id DROP IDENTITY");
    migrator(&database).repair(&apply()).unwrap_or_else(|error| panic!("{error}"));
    let id = database.sql("INSERT INTO accounts (name) VALUES ('next') RETURNING id");
    assert_eq!(id, [[Some("30".to_owned())]]);
    let id = database.sql("INSERT INTO billing.invoices (account_id) VALUES (30) RETURNING id");
    assert_eq!(id, [[Some("21".to_owned())]]);
}

#[test]
fn rows_that_do_not_fit_are_counted_and_refused_before_anything_runs() {
    #[rustfmt::skip]
    let cases = [
        ("ALTER TABLE accounts DROP CONSTRAINT accounts_name_status_key; UPDATE accounts SET name = 'same', status = 'new' WHERE twice <= 6",
            "no_repair", "there are 3 rows of accounts with the same name, status as another one"),
        ("ALTER TABLE accounts DROP CONSTRAINT accounts_score; UPDATE accounts SET score = -1 WHERE twice = 2",
            "no_repair", "there is 1 row of accounts against (score"),
        ("ALTER TABLE billing.invoices DROP CONSTRAINT invoices_account_id_fkey; UPDATE billing.invoices SET account_id = 7000 WHERE id <= 2",
            "no_repair", "there are 2 rows of billing.invoices with a reference to no row of public.accounts"),
        ("ALTER TABLE billing.invoices ALTER COLUMN account_id DROP NOT NULL; UPDATE billing.invoices SET account_id = NULL WHERE id = 3",
            "no_repair", "there is 1 row of billing.invoices without a value in account_id"),
        ("ALTER TABLE billing.invoices DROP COLUMN account_id CASCADE",
            "no_repair", "there are 20 rows of billing.invoices without a value for the new column account_id"),
        ("ALTER TABLE accounts ALTER COLUMN twice TYPE text USING 'x' || twice",
            "no_repair", "invalid input syntax for type integer"),
        ("ALTER TABLE accounts ALTER COLUMN score TYPE numeric(10, 3); UPDATE accounts SET score = 1.234 WHERE twice <= 4",
            "data_loss", "column accounts.score (2 of 20 values)"),
        ("ALTER TABLE accounts ALTER COLUMN name_lower DROP EXPRESSION; UPDATE accounts SET name_lower = 'mine' WHERE twice = 2",
            "data_loss", "column accounts.name_lower (1 of 20 values)"),
    ];
    for (change, code, message) in cases {
        let database = filled();
        database.sql(change);
        let before = values(&database);
        for request in [RepairRequest::default(), apply()] {
            let error = migrator(&database).repair(&request).map(|report| report.steps).expect_err(change);
            let said = match &error {
                MigrateError::NoRepair { reasons } => {
                    reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
                }
                error => error.to_string(),
            };
            assert_eq!(error.code(), code, "{change}: {said}");
            assert!(said.contains(message), "{change}: {said}");
        }
        assert_eq!(values(&database), before, "{change}");
    }
}
