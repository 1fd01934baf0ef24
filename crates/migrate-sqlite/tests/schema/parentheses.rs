//! SQLite itself as the judge of parentheses: two expressions that are written the same must have the same values,
//! and two that compile to the same program ought to be written the same.

use fastrand::Rng;
use longshore_migrate_sqlite::catalog::canonical_sql;
use rusqlite::Connection;
use rusqlite::types::Value;

/// What a course has done.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    /// Pairs with the same program and the same text.
    pub(crate) alike: u64,
    /// Pairs with different programs and different texts.
    pub(crate) different: u64,
    /// Pairs that SQLite compiles alike although they are not written alike. Those seen were different expressions
    /// of which a constant made it drop a part, as in `… OR 1`.
    pub(crate) alarms: u64,
}

/// A seeded course over random expressions, each in two versions that differ by one pair of parentheses.
pub(crate) struct Judge {
    rng: Rng,
    connection: Connection,
    pub(crate) verdicts: Verdicts,
}

#[rustfmt::skip]
const OPERATORS: [&str; 34] = [
    "AND", "AND", "OR", "OR", "=", "==", "<>", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "||", "&", "|", "<<", ">>",
    "IS", "IS NOT", "IS NOT DISTINCT FROM", "LIKE", "NOT LIKE", "GLOB", "BETWEEN 1 AND", "NOT BETWEEN b AND", "->", "->>", "IS DISTINCT FROM", "=",
];
const BEFORE: [&str; 8] = ["", "", "", "", "NOT ", "-", "~", "+"];
#[rustfmt::skip]
const AFTER: [&str; 12] = [
    "", "", "", "", "", "", " ISNULL", " NOTNULL", " NOT NULL", " COLLATE nocase", " IN (1, b)", " IN (SELECT d FROM t)",
];
#[rustfmt::skip]
const OPERANDS: [&str; 12] = [
    "a", "b", "c", "d", "1", "0x10", "'x'", "NULL", "abs(a)", "CASE a WHEN b THEN c ELSE d END", "(SELECT max(d) FROM t)", "CAST(a AS TEXT)",
];

/// Every combination of a few values that tell expressions apart.
const ROWS: &str = "CREATE TABLE t (a INTEGER, b TEXT COLLATE NOCASE, c REAL, d);
    WITH v (v) AS (VALUES (NULL), (0), (1), ('x'))
    INSERT INTO t SELECT v1.v, v2.v, v3.v + 0.5, v4.v FROM v v1, v v2, v v3, v v4;";

impl Judge {
    pub(crate) fn new(seed: u64) -> Self {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(ROWS).unwrap();
        Self { rng: Rng::with_seed(seed), connection, verdicts: Verdicts::default() }
    }

    /// Makes one pair and compares the two.
    pub(crate) fn judge(&mut self) {
        let parts: Vec<String> = (0..self.rng.usize(2..6)).map(|_| self.operand()).collect();
        let operators: Vec<&str> = parts.iter().skip(1).map(|_| self.rng.choice(OPERATORS).unwrap()).collect();
        let outer = self.span(parts.len());
        let inner = self.span(parts.len());
        let one = joined(&parts, &operators, &[outer]);
        let other = joined(&parts, &operators, &[outer, inner]);
        let (Some(program), Some(other_program)) = (self.program(&one), self.program(&other)) else {
            return;
        };
        match (canonical_sql(&one) == canonical_sql(&other), program == other_program) {
            (true, true) => self.verdicts.alike += 1,
            (false, false) => self.verdicts.different += 1,
            (false, true) => self.verdicts.alarms += 1,
            (true, false) => self.compare_values(&one, &other),
        }
    }

    /// Sees that the canonical text of one expression compiles to its own program.
    pub(crate) fn judge_canonical(&mut self) {
        let parts: Vec<String> = (0..self.rng.usize(1..6)).map(|_| self.operand()).collect();
        let operators: Vec<&str> = parts.iter().skip(1).map(|_| self.rng.choice(OPERATORS).unwrap()).collect();
        let spans = [self.span(parts.len()), self.span(parts.len())];
        let text = joined(&parts, &operators, &spans);
        let Some(program) = self.program(&text) else {
            return;
        };
        let written = canonical_sql(&text);
        if self.program(&written) != Some(program) {
            return self.compare_values(&text, &written);
        }
        self.verdicts.alike += 1;
    }

    // `a AND (b AND c)` compiles to another order of evaluation than `a AND b AND c`, with the same value.
    fn compare_values(&mut self, one: &str, other: &str) {
        let (Some(values), Some(other_values)) = (self.values(one), self.values(other)) else {
            return;
        };
        assert!(values == other_values, "{one} and {other} are written {}", canonical_sql(one));
        self.verdicts.alike += 1;
    }

    fn operand(&mut self) -> String {
        let mut choose = |from: &[&'static str]| from[self.rng.usize(..from.len())];
        format!("{}{}{}", choose(&BEFORE), choose(&OPERANDS), choose(&AFTER))
    }

    fn span(&mut self, count: usize) -> (usize, usize) {
        let first = self.rng.usize(..count);
        (first, self.rng.usize(first..count))
    }

    // The value in every row, or nothing if one cannot be had, as of `->` on what is no JSON.
    fn values(&self, expression: &str) -> Option<Vec<Value>> {
        let mut statement = self.connection.prepare(&format!("SELECT {expression} FROM t ORDER BY rowid")).ok()?;
        let values = statement.query_map([], |row| row.get(0)).ok()?;
        values.collect::<Result<_, _>>().ok()
    }

    // The opcodes, or nothing if SQLite refuses the text.
    fn program(&self, expression: &str) -> Option<Vec<String>> {
        let sql = format!("EXPLAIN SELECT {expression} FROM t");
        let mut statement = self.connection.prepare(&sql).ok()?;
        let rows = statement.query_map([], |row| {
            let numbers: (i64, i64, i64, i64) = (row.get(2)?, row.get(3)?, row.get(4)?, row.get(6)?);
            Ok(format!("{} {numbers:?} {:?}", row.get::<_, String>(1)?, row.get::<_, Option<String>>(5)?))
        });
        rows.ok()?.collect::<Result<_, _>>().ok()
    }
}

fn joined(parts: &[String], operators: &[&str], spans: &[(usize, usize)]) -> String {
    // Spans that cross cannot both be written.
    let crosses = |one: (usize, usize), other: (usize, usize)| one.0 < other.0 && other.0 <= one.1 && one.1 < other.1;
    let spans: Vec<(usize, usize)> = match spans {
        [one, other] if crosses(*one, *other) || crosses(*other, *one) => vec![*one],
        spans => spans.to_vec(),
    };
    let mut text = String::new();
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            text.push_str(&format!(" {} ", operators[at - 1]));
        }
        text.push_str(&"(".repeat(spans.iter().filter(|span| span.0 == at).count()));
        text.push_str(part);
        text.push_str(&")".repeat(spans.iter().filter(|span| span.1 == at).count()));
    }
    text
}
