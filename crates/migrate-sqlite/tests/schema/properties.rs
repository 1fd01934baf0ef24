//! What holds for every schema and every text, shown on random ones.

use fastrand::Rng;
use longshore_migrate::schema::{Footprint, Presence, differences};
use longshore_migrate_sqlite::catalog::{self, canonical_sql};

use crate::fixture::{APP, database, migrated};
use crate::fuzz::{Fuzz, expressions};
use crate::parentheses::Judge;

/// Expressions of every sort, which the application's schema does not have all of.
#[rustfmt::skip]
pub(crate) const EXPRESSIONS: [&str; 14] = [
    "a IS NOT DISTINCT FROM b OR NOT c = d AND e IS DISTINCT FROM f",
    "CASE a WHEN 1 THEN (b) WHEN 2 THEN c ELSE - - d END COLLATE nocase || 'it''s'",
    "CAST(a AS DECIMAL(10, 2)) BETWEEN 1 AND 2 + 3 AND x NOT IN (SELECT y FROM z WHERE z.y > (1))",
    "(a, b) = (1, 2) AND a -> '$.b' ->> 'c' <> +d",
    "count(*) FILTER (WHERE a) OVER (PARTITION BY b ORDER BY c DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)",
    "WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t LIMIT 10 OFFSET (2)) SELECT group_concat(DISTINCT n) FROM t",
    "a LIKE 'x%' ESCAPE '\\' AND b NOT GLOB '*' AND c REGEXP d AND e MATCH f",
    "a & b | c << 2 >> ~d % 3 / 4 * 5 - -6 + .5e-3",
    "EXISTS (SELECT 1) AND NOT EXISTS (SELECT 2) AND raise(IGNORE)",
    "INSERT OR REPLACE INTO t (a, b) SELECT * FROM u NATURAL LEFT JOIN v USING (w) GROUP BY 1 HAVING max(x) > 1",
    "x'ABCD' = X'abcd' AND 0xff > 1_000 AND 1e3 < 9223372036854775808",
    "\"a\"\"b\" = [c d] AND `e``f` = \"select\"",
    "a BETWEEN b AND c BETWEEN d AND e",
    "a NOT NULL ISNULL NOTNULL IS NULL",
];

/// The application's schema without its virtual table.
fn tables() -> &'static str {
    APP.split("CREATE VIRTUAL").next().unwrap()
}

#[test]
fn broken_texts_are_written_without_panic_and_read_where_sqlite_takes_them() {
    let mut fuzz = Fuzz::new(68, tables(), &EXPRESSIONS);
    for _ in 0..4_000 {
        fuzz.break_one();
    }
    for _ in 0..300 {
        fuzz.break_one_in_sqlite();
    }
    assert!(fuzz.figures.accepted > 20, "{:?}", fuzz.figures);
}

#[test]
fn random_rewordings_never_differ() {
    let mut fuzz = Fuzz::new(86, tables(), &[]);
    for _ in 0..60 {
        fuzz.reword();
    }
}

#[test]
fn canonical_text_is_its_own_canonical_text() {
    for text in EXPRESSIONS {
        let once = canonical_sql(text);
        assert_eq!(canonical_sql(&once), once, "of {text}");
    }
    for depth in 1..300 {
        let deep = format!("a = {}b", "NOT - c = ".repeat(depth));
        assert_eq!(canonical_sql(&canonical_sql(&deep)), canonical_sql(&deep), "{depth} deep");
    }
    let migrated = catalog::read(&migrated()).unwrap();
    for text in expressions(&migrated) {
        assert_eq!(canonical_sql(text), *text);
    }
}

#[test]
fn a_text_of_a_hundred_thousand_terms_is_written_in_one_pass() {
    for chain in ["a + ", "a AND ", "a = b OR ", "a, ", "(a) || "] {
        let text = format!("{}a", chain.repeat(100_000));
        assert!(canonical_sql(&text).len() >= 300_000);
    }
}

#[test]
fn parentheses_stay_where_they_mean_something() {
    for (one, other) in [
        ("a - (b - c)", "a - b - c"),
        ("(a OR b) AND c", "a OR b AND c"),
        ("NOT (a AND b)", "NOT a AND b"),
        ("(NOT a) = b", "NOT a = b"),
        ("- (a || b)", "- a || b"),
        ("(a = b) = c", "a = (b = c)"),
        ("a IN (b)", "a IN b"),
        ("a IN ((SELECT b FROM c))", "a IN (SELECT b FROM c)"),
        ("(a || b) COLLATE nocase", "a || b COLLATE nocase"),
        ("a * (b + c)", "a * b + c"),
        ("(a BETWEEN b AND c) AND d", "a BETWEEN b AND (c AND d)"),
        ("+a", "a"),
        ("x = 'A'", "x = 'a'"),
        ("5", "5.0"),
    ] {
        assert_ne!(canonical_sql(one), canonical_sql(other));
    }
}

#[test]
fn sqlite_compiles_what_is_written_the_same_to_the_same_program() {
    let mut judge = Judge::new(4);
    for _ in 0..3_000 {
        judge.judge();
        judge.judge_canonical();
    }
    assert!(judge.verdicts.different > 300, "{:?}", judge.verdicts);
    assert!(judge.verdicts.alarms < 20, "{:?}", judge.verdicts);
}

/// Steps that a random history is made of. Those that do not fit are skipped.
#[rustfmt::skip]
const STEPS: [&str; 21] = [
    "CREATE TABLE a (id INTEGER PRIMARY KEY, x TEXT, y INTEGER DEFAULT 1 CHECK (y > 0))",
    "CREATE TABLE a (x TEXT UNIQUE, y INTEGER, id INTEGER PRIMARY KEY AUTOINCREMENT)",
    "CREATE TABLE b (id INTEGER PRIMARY KEY, a_id INTEGER REFERENCES a (id) ON DELETE CASCADE, CHECK (id > a_id))",
    "CREATE TABLE b (id INTEGER PRIMARY KEY, a_id INTEGER REFERENCES a (id)) STRICT",
    "DROP TABLE a", "DROP TABLE b",
    "ALTER TABLE a ADD z REAL", "ALTER TABLE a DROP COLUMN z", "ALTER TABLE a DROP COLUMN x", "ALTER TABLE a ADD x BLOB",
    "ALTER TABLE b RENAME COLUMN a_id TO parent", "ALTER TABLE a RENAME TO c", "ALTER TABLE c RENAME TO a",
    "CREATE INDEX i ON a (x)", "CREATE INDEX i ON a (x DESC, y)", "CREATE UNIQUE INDEX i ON b (a_id) WHERE a_id > 0", "DROP INDEX i",
    "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END", "CREATE TRIGGER t BEFORE DELETE ON a WHEN OLD.x BEGIN SELECT 2; END", "DROP TRIGGER t",
    "CREATE VIEW v AS SELECT id FROM b",
];

#[test]
fn a_footprint_is_absent_before_present_after_and_seen_through_what_follows() {
    let mut rng = Rng::with_seed(2);
    for round in 0..400 {
        let database = database(&[]);
        let states: Vec<_> = (0..3)
            .map(|_| {
                for _ in 0..rng.usize(1..8) {
                    // A step that does not fit the state changes nothing.
                    let _ = database.execute_batch(rng.choice(STEPS).unwrap());
                }
                catalog::read(&database).unwrap()
            })
            .collect();
        let (first, second) = (Footprint::between(&states[0], &states[1]), Footprint::between(&states[1], &states[2]));
        if first.is_empty() {
            assert_eq!(states[0], states[1], "round {round}");
            continue;
        }
        assert_eq!(first.presence(&states[0]), Presence::Absent, "round {round}: {first:#?}");
        assert_eq!(first.presence(&states[1]), Presence::Present, "round {round}: {first:#?}");
        let seen = first.then(&second).presence(&states[2]);
        assert!(matches!(seen, Presence::Present | Presence::Invisible), "round {round}: {seen:#?} of {first:#?}");
        assert!(differences(&states[1], &states[1]).is_clean());
    }
}
