//! Every single change of the mutation set is repaired with all rows in place, or is left to a person with the
//! statement that this person would run.

use std::collections::BTreeMap;

use longshore_migrate::{
    MigrateError, Migrator, RepairMode, RepairRequest, RunRequest, Source, files::script::Dialect,
};
use longshore_migrate_postgres::{PostgresTarget, PostgresTargetOptions};
use longshore_testkit_postgres::{Cluster, TestDatabase};

use crate::{
    fixture::SQL,
    mutations::{COLUMNS, OTHERS, Row, TABLES},
};

/// Rows in every table, with something that each mutation could lose.
const ROWS: &str = "
    INSERT INTO accounts (email, name, status, state, home, score, twice, note, tags, avatar)
        SELECT n || '@example.com', 'name ' || n, CASE WHEN n % 2 = 0 THEN 'new' ELSE 'old' END, 'happy',
            ROW('street', n::text), n + 0.25, 2 * n, 'note ' || n, ARRAY['a', 'b'], decode('00ff', 'hex')
        FROM generate_series(1, 20) AS n;
    INSERT INTO billing.invoices (account_id, paid, during)
        SELECT id, id % 2 = 0, tstzrange(to_timestamp(id * 1000), to_timestamp(id * 1000 + 10)) FROM accounts;
    INSERT INTO cache VALUES ('k', '{\"v\": 1}');
    INSERT INTO events VALUES (1, '2025-03-01 00:00+00', 'x');
    INSERT INTO base VALUES (1, 'a');
    INSERT INTO child VALUES (2, 'b', 'c');
    REFRESH MATERIALIZED VIEW totals;";

fn migrator(database: &TestDatabase) -> Migrator<'static> {
    let source = Source::embedded_in(Dialect::Postgres, "app", &[("001_all.up.sql", SQL)]);
    let target = PostgresTarget::open(PostgresTargetOptions::new(database.config())).unwrap();
    Migrator::new(Box::new(target), vec![source])
}

fn filled() -> TestDatabase {
    let database = Cluster::shared().database();
    migrator(&database).up(&RunRequest::default()).unwrap();
    database.sql(ROWS);
    database
}

/// The values of every column of every table, in one text each.
fn values(database: &TestDatabase) -> BTreeMap<String, String> {
    let columns = "SELECT format('SELECT %L, coalesce(string_agg(%I::text, '','' ORDER BY %I::text), '''') FROM %I.%I',
            c.relname || '.' || a.attname, a.attname, a.attname, n.nspname, c.relname)
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('public', 'billing') AND c.relkind IN ('r', 'p', 'm') AND a.attnum > 0
            AND NOT a.attisdropped AND c.relname <> 'schema_migrations'";
    let queries: Vec<String> = database.sql(columns).into_iter().filter_map(|mut row| row.remove(0)).collect();
    let answers = queries.iter().flat_map(|query| database.sql(query));
    answers.filter_map(|mut row| Some((row.remove(0)?, row.remove(0)?))).collect()
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
    if migrator.verify().unwrap().ok {
        return Err("verify finds nothing".to_owned());
    }
    let plan = migrator.repair(&RepairRequest::default());
    let plan = match plan {
        Ok(plan) => plan,
        Err(MigrateError::NoRepair { reasons }) => {
            let said = reasons.iter().map(|reason| format!("{reason}: {}", reason.hint.clone().unwrap_or_default()));
            return Ok(Some(said.collect::<Vec<_>>().join("\n")));
        }
        Err(error) => return Err(error.to_string()),
    };
    if values(database) != changed || migrator.verify().unwrap().ok {
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
const LEFT: [(&str, &str); 0] = [];

fn each_is_repaired(rows: &[Row]) {
    let mut database = filled();
    let mut wrong = Vec::new();
    for (change, ..) in rows {
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
