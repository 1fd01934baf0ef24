//! Random walks up and down: wherever they stop, files, ledger and schema agree.

use fastrand::Rng;
use longshore_migrate::{Goal, RunRequest, execution::replay::Chain, target::Session};
use longshore_migrate_postgres::PostgresTarget;

use crate::support::{database, migrator, options, source};

/// Statements that can follow any others, with what undoes them; `#` is the number of the migration.
const STEPS: [(&str, &str); 12] = [
    ("CREATE TABLE t# (id int PRIMARY KEY, a text, b int)", "DROP TABLE t#"),
    ("ALTER TABLE root ADD COLUMN c# text DEFAULT 'x'", "ALTER TABLE root DROP COLUMN c#"),
    ("CREATE INDEX i# ON root (a) WHERE b > #", "DROP INDEX i#"),
    (
        "CREATE TYPE e# AS ENUM ('a', 'b'); ALTER TABLE root ADD COLUMN e# e#",
        "ALTER TABLE root DROP COLUMN e#; DROP TYPE e#",
    ),
    ("CREATE VIEW v# AS SELECT id, a FROM root WHERE b = #", "DROP VIEW v#"),
    ("ALTER TABLE root ADD CONSTRAINT k# CHECK (b <> #)", "ALTER TABLE root DROP CONSTRAINT k#"),
    ("CREATE SEQUENCE s# INCREMENT BY 3", "DROP SEQUENCE s#"),
    ("CREATE FUNCTION f#(x int) RETURNS int LANGUAGE sql AS $$ SELECT x + # $$", "DROP FUNCTION f#(int)"),
    ("CREATE INDEX x# ON root (b); COMMENT ON INDEX x# IS 'of #'", "DROP INDEX x#"),
    (
        "CREATE TABLE p# (id int REFERENCES root (id)) PARTITION BY RANGE (id); CREATE TABLE p#_1 PARTITION OF p# FOR VALUES FROM (1) TO (9)",
        "DROP TABLE p#",
    ),
    ("ALTER TABLE root RENAME TO trunk; ALTER TABLE trunk RENAME TO root", "SELECT 1"),
    ("DO $$ BEGIN EXECUTE 'CREATE TABLE d# (i serial)'; END $$", "DROP TABLE d#"),
];

fn files(rng: &mut Rng, count: usize) -> Vec<(String, String)> {
    let root = "CREATE TABLE root (id int PRIMARY KEY, a text, b int)";
    let mut files = vec![
        ("001_root.up.sql".to_owned(), root.to_owned()),
        ("001_root.down.sql".to_owned(), "DROP TABLE root".to_owned()),
    ];
    for number in 2..=count {
        let (up, down) = rng.choice(STEPS).unwrap();
        let text = |text: &str| text.replace('#', &number.to_string());
        files.push((format!("{number:03}_step.up.sql"), text(up)));
        files.push((format!("{number:03}_step.down.sql"), text(down)));
    }
    files
}

#[test]
fn wherever_a_random_walk_stops_the_schema_is_that_of_the_ledger() {
    for seed in 0..4 {
        let mut rng = Rng::with_seed(seed);
        let files = files(&mut rng, 9);
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let database = database();
        let mut migrator = migrator(&database, &files);
        for _ in 0..6 {
            let request = RunRequest { goal: Goal { steps: Some(rng.usize(1..5)), to: None }, ..RunRequest::default() };
            let result = if rng.bool() { migrator.up(&request) } else { migrator.down(&request) };
            result.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            let report = migrator.verify().unwrap();
            assert!(report.ok && report.foreign.is_empty(), "seed {seed}: {report:#?}");
        }
    }
}

#[test]
fn what_statements_are_said_to_reach_is_all_that_they_change() {
    for seed in 10..16 {
        let mut rng = Rng::with_seed(seed);
        let files = files(&mut rng, 12);
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let database = database();
        let target = PostgresTarget::open(options(&database)).unwrap();
        let source = source(&files);
        let chain = Chain::replay(&target, &source.migrations().iter().collect::<Vec<_>>()).unwrap();
        assert_eq!(chain.broken(), None, "seed {seed}");
        for (_, text) in files.iter().filter(|(name, _)| name.ends_with(".up.sql")) {
            database.sql(text);
        }
        let mut looking = PostgresTarget::open(options(&database)).unwrap();
        assert_eq!(chain.last(), looking.observe().unwrap(), "seed {seed}");
    }
}
