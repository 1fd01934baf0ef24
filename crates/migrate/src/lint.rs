//! Looks at the files of a source without any database.

use crate::{
    finding::{Finding, FindingKind},
    loss::emptied_tables,
    migration::{Direction, Migration},
    script::{Bounds, Statement},
    source::{BLANK, Source},
};

/// Numbers at or above this are taken for timestamps, among which gaps mean nothing.
const SEQUENTIAL_MAX: i64 = 99_999;

/// Everything that can be said of the files of `source`, in the order of the files.
pub(crate) fn lint(source: &Source) -> Vec<Finding> {
    let mut findings = source.findings().to_vec();
    findings.extend(source.skipped().iter().filter(|skipped| skipped.reason == BLANK).map(|skipped| {
        Finding::new(FindingKind::EmptyMigration, &skipped.name, "it has no statement yet")
            .hint(format!("write a statement into {}, or delete it", skipped.name))
    }));
    findings.extend(gaps(source.migrations()));
    for migration in source.migrations() {
        if !migration.has_down() {
            let finding = Finding::new(FindingKind::MissingDown, migration.id.to_string(), "it has no down");
            findings.push(finding.hint(format!("add {}", migration.origin.replace(".up.sql", ".down.sql"))));
        }
        findings.extend(of_up(migration));
    }
    findings
}

fn gaps(migrations: &[Migration]) -> Vec<Finding> {
    let pairs = migrations.windows(2).filter(|pair| pair[1].id.number <= SEQUENTIAL_MAX);
    pairs
        .filter(|pair| pair[1].id.number > pair[0].id.number + 1)
        .map(|pair| {
            let message = format!("the number before it is {}, so at least one is missing", pair[0].id.number);
            Finding::new(FindingKind::NumberGap, pair[1].id.to_string(), message)
                .hint("bring the missing file back, or renumber what was never applied")
        })
        .collect()
}

fn of_up(migration: &Migration) -> Vec<Finding> {
    let Some(script) = migration.script(Direction::Up) else {
        return Vec::new();
    };
    let id = migration.id.to_string();
    let emptied = emptied_tables(script).into_iter().map(|table| {
        Finding::new(FindingKind::Destructive, &id, format!("it drops or empties table {table}"))
            .hint("up refuses it where the table has rows, unless the loss is allowed")
    });
    let statements = script.statements().iter().filter_map(|statement| of_statement(&id, statement, script.bounds()));
    emptied.chain(statements).collect()
}

fn of_statement(id: &str, statement: &Statement, bounds: Bounds) -> Option<Finding> {
    let words = statement.words();
    let is = |at: usize, word: &str| words.get(at).is_some_and(|token| token.is(word));
    let line = statement.line;
    if is(0, "pragma") && bounds != Bounds::Statements {
        let name = words.get(1).map(|token| token.text).unwrap_or_default();
        let idle = ["foreign_keys", "journal_mode", "synchronous", "auto_vacuum", "page_size"];
        if idle.iter().any(|pragma| name.eq_ignore_ascii_case(pragma)) {
            let message = format!("line {line}: PRAGMA {name} does nothing inside a transaction");
            return Some(Finding::new(FindingKind::IdlePragma, id, message).hint(match bounds {
                Bounds::Rebuild => "delete it: `-- longshore: rebuild` suspends foreign keys",
                _ => "begin the file with `-- longshore: rebuild` or `-- longshore: no transaction`",
            }));
        }
    }
    let drops_column = words.windows(2).any(|pair| pair[0].is("drop") && pair[1].is("column"));
    if is(0, "alter") && drops_column {
        return Some(Finding::new(FindingKind::Destructive, id, format!("line {line}: it drops a column")));
    }
    if is(0, "vacuum") && bounds == Bounds::Statements {
        let message = format!("line {line}: VACUUM writes the whole database anew under a lock");
        return Some(Finding::new(FindingKind::Locking, id, message));
    }
    let rewrites = is(0, "update") && !words.iter().any(|token| token.is("where"));
    rewrites.then(|| {
        let message = format!("line {line}: it updates every row in one transaction, while nobody else can write");
        Finding::new(FindingKind::Locking, id, message)
    })
}
