//! What many migrations, views in views and bulk work must not cost.

use fastrand::Rng;
use longshore_migrate::{
    execution::replay::Chain,
    {Migration, RepairRequest, RunRequest, Source},
};
use longshore_migrate_sqlite::rusqlite::Connection;
use longshore_migrate_sqlite::{Access, SqliteTarget};

use crate::support::Database;

fn source_of(texts: &[String]) -> Source {
    let files: Vec<(String, &str)> =
        texts.iter().enumerate().map(|(at, text)| (format!("{:03}_step.up.sql", at + 1), text.as_str())).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    Source::embedded("app", &files)
}

/// SQLite expands the views behind a view whenever it is asked for its columns: 2^40 of them here.
#[test]
fn every_command_ends_where_views_are_made_of_views() {
    let level = |at: usize| {
        let below = at - 1;
        format!("CREATE VIEW v{at} AS SELECT a.x FROM v{below} a JOIN v{below} b ON a.x = b.x")
    };
    let mut texts = vec!["CREATE TABLE v0 (x)".to_owned()];
    texts.extend((1..=40).map(level));
    let database = Database::empty();
    let migrator = || database.migrator_of(vec![source_of(&texts)]);
    assert!(migrator().lint().unwrap().findings.iter().all(|finding| !finding.kind.breaks_history()));
    assert_eq!(migrator().up(&RunRequest::default()).unwrap().migrations.len(), 41);
    assert_eq!(migrator().status().unwrap().pending_count, 0);
    assert!(migrator().verify().unwrap().ok);
    database.execute("DROP VIEW v40");
    assert_eq!(migrator().verify().unwrap().differences.len(), 1);
    assert!(!migrator().repair(&RepairRequest::default()).unwrap().steps.is_empty());
}

/// Of the billion rows only a look at the real database would know.
#[test]
fn a_look_does_not_repeat_work_on_rows() {
    let texts = [
        "CREATE TABLE a (i INTEGER)".to_owned(),
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) INSERT INTO a SELECT i FROM n"
            .to_owned(),
        "CREATE TABLE b AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT i FROM n"
            .to_owned(),
    ];
    let database = Database::with("CREATE TABLE a (i INTEGER); CREATE TABLE b (i)");
    let status = database.migrator_of(vec![source_of(&texts)]).status().unwrap();
    assert_eq!(status.pending_count, 3);
    assert!(status.findings.is_empty(), "{:#?}", status.findings);
    // In a transaction a statement that is broken off takes what was before it along.
    let both = [format!("{};\n{};\n{};", texts[0], texts[1], texts[2])];
    for texts in [&texts[..], &both] {
        assert!(Database::empty().migrator_of(vec![source_of(texts)]).lint().unwrap().ok);
    }
}

fn step(random: &mut Rng) -> String {
    let name = |random: &mut Rng| ["a", "b", "c"][random.usize(..3)];
    let (one, other, column) = (name(random), name(random), ["x", "y", "z"][random.usize(..3)]);
    match random.u8(..10) {
        0 | 1 => format!("CREATE TABLE {one} (id INTEGER PRIMARY KEY, {column} TEXT REFERENCES {other})"),
        2 => format!("ALTER TABLE {one} ADD COLUMN {column} TEXT"),
        3 => format!("ALTER TABLE {one} DROP COLUMN {column}"),
        4 => format!("ALTER TABLE {one} RENAME TO {other}"),
        5 => format!("CREATE INDEX i_{one} ON {one} ({column})"),
        6 => format!("CREATE VIEW v_{one} AS SELECT id FROM {one}"),
        7 => format!("DROP VIEW v_{one}"),
        8 => format!("DROP TABLE {one}"),
        _ => format!("INSERT INTO {one} (id) VALUES (1) ON CONFLICT DO NOTHING"),
    }
}

/// Steps that run one after the other.
fn story(seed: u64) -> Vec<String> {
    let mut random = Rng::with_seed(seed);
    let connection = Connection::open_in_memory().unwrap();
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    let mut steps: Vec<String> = (0..60).map(|_| step(&mut random)).collect();
    steps.retain(|step| connection.execute_batch(step).is_ok());
    steps
}

#[test]
fn every_version_of_a_chain_is_what_its_migrations_make_by_themselves() {
    let target = SqliteTarget::open("", Access::Inspect).unwrap();
    for seed in 0..12 {
        let source = source_of(&story(seed));
        let migrations: Vec<&Migration> = source.migrations().iter().collect();
        let chain = Chain::replay(&target, &migrations).unwrap();
        assert!(chain.broken().is_none(), "{:?}", chain.broken());
        let mut random = Rng::with_seed(seed);
        for _ in 0..20 {
            let count = random.usize(..=migrations.len());
            let alone = Chain::replay(&target, &migrations[..count]).unwrap();
            assert_eq!(chain.after(count), alone.last(), "seed {seed}, {count} of {}", migrations.len());
            assert_eq!(chain.definitions(count), alone.definitions(count), "seed {seed}, {count}");
        }
    }
}
