//! What a statement of PostgreSQL does to those who use its table meanwhile.

use crate::{
    files::script::{Bounds, Dialect, Statement, Token},
    report::finding::{Finding, FindingKind},
};

/// The statement's danger, with what does the same without it.
pub(super) fn of_statement(id: &str, statement: &Statement, bounds: Bounds, made: &[String]) -> Option<Finding> {
    let words = statement.words();
    let (message, hint) = danger(&words, made)?;
    let line = statement.line;
    // Each statement of such a file is its own transaction, so that nothing is locked for the whole of it.
    if bounds == Bounds::Statements && words.first().is_some_and(|word| word.is("update")) {
        return None;
    }
    Some(Finding::new(FindingKind::Locking, id, format!("line {line}: {message}")).hint(hint))
}

fn danger(words: &[Token<'_>], made: &[String]) -> Option<(&'static str, &'static str)> {
    let is = |at: usize, word: &str| words.get(at).is_some_and(|token| token.is(word));
    let has = |word: &str| words.iter().any(|token| token.is(word));
    let has_pair = |one: &str, two: &str| words.windows(2).any(|pair| pair[0].is(one) && pair[1].is(two));
    // A table that the same file makes is nobody's yet.
    let is_made = |name: &String| made.iter().any(|one| one.rsplit('.').next() == Some(name.as_str()));
    if words.iter().skip(1).any(|token| is_made(&Dialect::Postgres.name(token))) {
        return None;
    }
    let builds = is(0, "create") && (is(1, "index") || is(1, "unique") && is(2, "index"));
    if builds && !has("concurrently") {
        return Some((
            "it builds an index while nobody can write to the table",
            "build it with CREATE INDEX CONCURRENTLY in a file that begins with `-- longshore: no transaction`",
        ));
    }
    if is(0, "vacuum") && has("full") || is(0, "cluster") || is(0, "reindex") && !has("concurrently") {
        return Some(("it locks the whole table while it writes it anew", "do it when nobody uses the table"));
    }
    if is(0, "update") && !has("where") {
        return Some((
            "it updates every row in one transaction, and each stays locked until the commit",
            "update in steps, with a condition",
        ));
    }
    if !(is(0, "alter") && is(1, "table")) {
        return None;
    }
    if has_pair("set", "not") {
        return Some((
            "SET NOT NULL reads every row while nobody can use the table",
            "add CHECK (… IS NOT NULL) NOT VALID, validate it in a migration of its own, then SET NOT NULL",
        ));
    }
    if has("type") && has("alter") {
        return Some((
            "a change of type may write the table anew while nobody can use it",
            "add a column of the new type and fill it in steps",
        ));
    }
    let adds_check = has("add") && (has("check") || has("references")) && !has("valid") && !has("column");
    adds_check.then_some((
        "it checks every row while nobody can write",
        "add the constraint with NOT VALID, and validate it in a migration of its own",
    ))
}
