//! Looks at the files of a source without any database.

mod postgres;

use crate::{
    execution::loss::{Moves, emptied_tables, made_tables},
    files::migration::{Direction, Migration},
    files::script::{Bounds, Dialect, Script, Statement},
    files::source::{BLANK, Source},
    report::finding::{Finding, FindingKind},
    schema::ObjectName,
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
        findings.extend(pragmas(migration, Direction::Down));
    }
    findings
}

fn gaps(migrations: &[Migration]) -> Vec<Finding> {
    let pairs = migrations.windows(2).filter(|pair| is_gap(pair[0].id.number, pair[1].id.number));
    let is_meant = |pair: &&[Migration]| {
        let script = pair[1].script(Direction::Up);
        script.and_then(Script::follows) == Some(pair[0].id.number)
    };
    pairs
        .filter(|pair| !is_meant(pair))
        .map(|pair| {
            let number = pair[0].id.number;
            let message = format!("the number before it is {number}, so at least one is missing");
            let hint = format!(
                "bring the missing file back, renumber what was never applied, or write `-- longshore: follows {number}` \
                 into {} if there never was one",
                pair[1].origin
            );
            Finding::new(FindingKind::NumberGap, pair[1].id.to_string(), message).hint(hint)
        })
        .collect()
}

/// Whether a number is missing between two of one source.
pub(crate) fn is_gap(before: i64, number: i64) -> bool {
    number <= SEQUENTIAL_MAX && number > before + 1
}

fn of_up(migration: &Migration) -> Vec<Finding> {
    let Some(script) = migration.script(Direction::Up) else {
        return Vec::new();
    };
    let id = migration.id.to_string();
    let is_intended = |table: &String| {
        let object = ObjectName::table(table);
        script.intended_losses().iter().any(|one| one.covers(&object))
    };
    let emptied = emptied_tables(script).into_iter().filter(|table| !is_intended(table)).map(|table| {
        Finding::new(FindingKind::Destructive, &id, format!("it drops or empties table {table}"))
            .hint(format!("up refuses it if the table has rows, unless the file says `-- longshore: loses {table}`"))
    });
    let made = made_tables(script);
    let statements =
        script.statements().iter().filter_map(|statement| of_statement(&id, statement, script.bounds(), &made));
    emptied.chain(statements).chain(pragmas(migration, Direction::Up)).collect()
}

/// Pragmas that do nothing where they stand although something depends on them.
pub(crate) fn idle_pragmas(migration: &Migration, direction: Direction) -> Vec<Finding> {
    let mut found = pragmas(migration, direction);
    found.retain(|finding| finding.kind == FindingKind::IdlePragma);
    found
}

fn pragmas(migration: &Migration, direction: Direction) -> Vec<Finding> {
    let Some(script) = migration.script(direction) else {
        return Vec::new();
    };
    let id = migration.id.to_string();
    let of = |statement: &Statement| {
        let (kind, message, hint) = pragma(statement, script.bounds())?;
        let place = if direction == Direction::Down { "down, line" } else { "line" };
        let message = format!("{place} {}: PRAGMA {message}", statement.line);
        Some(Finding::new(kind, &id, message).hint(hint))
    };
    script.statements().iter().filter_map(of).collect()
}

fn pragma(statement: &Statement, bounds: Bounds) -> Option<(FindingKind, String, &'static str)> {
    const DELETE: &str = "delete it: `-- longshore: rebuild` suspends foreign keys and checks every one at the end";
    let words = statement.words();
    let at = if words.get(2).is_some_and(|token| token.text == ".") { 3 } else { 1 };
    let (name, value) = (words.get(at)?.name().to_lowercase(), words.get(at + 2)?.name().to_lowercase());
    if !words.first()?.is("pragma") {
        return None;
    }
    let is_off = ["off", "0", "no", "false"].contains(&value.as_str());
    let idle = |why: &str, hint| Some((FindingKind::IdlePragma, format!("{name} {why}"), hint));
    match (bounds, name.as_str()) {
        (Bounds::Statements, "defer_foreign_keys") if !is_off => {
            idle("does nothing here: the end of each statement switches it off", "delete it")
        }
        (Bounds::Statements, _) => None,
        (Bounds::Transaction, "foreign_keys") if is_off => idle(
            "does nothing inside a transaction, so every cascade still fires",
            "begin the file with `-- longshore: rebuild` instead",
        ),
        (Bounds::Transaction, "foreign_keys") => {
            let message = format!("{name} has no effect: foreign keys are on");
            Some((FindingKind::SuperfluousPragma, message, "delete it"))
        }
        (Bounds::Rebuild, "foreign_keys" | "defer_foreign_keys") => {
            let message = format!("{name} has no effect: foreign keys are off until the end");
            Some((FindingKind::SuperfluousPragma, message, DELETE))
        }
        (_, "journal_mode" | "synchronous" | "auto_vacuum" | "page_size" | "encoding") => {
            idle("does nothing inside a transaction", "begin the file with `-- longshore: no transaction`")
        }
        _ => None,
    }
}

fn of_statement(id: &str, statement: &Statement, bounds: Bounds, made: &[String]) -> Option<Finding> {
    let words = statement.words();
    let is = |at: usize, word: &str| words.get(at).is_some_and(|token| token.is(word));
    let line = statement.line;
    let drops_column = words.windows(2).any(|pair| pair[0].is("drop") && pair[1].is("column"));
    if is(0, "alter") && drops_column {
        return Some(Finding::new(FindingKind::Destructive, id, format!("line {line}: it drops a column")));
    }
    if statement.dialect == Dialect::Postgres
        && let Some(finding) = postgres::of_statement(id, statement, bounds, made)
    {
        return Some(finding);
    }
    let is_sqlite = statement.dialect == Dialect::Sqlite;
    if is_sqlite && is(0, "vacuum") && bounds == Bounds::Statements {
        let message = format!("line {line}: VACUUM rewrites the whole database under a lock");
        return Some(Finding::new(FindingKind::Locking, id, message));
    }
    if let Some((table, columns)) = Moves::nulled_in(statement.dialect, &statement.text) {
        let columns = columns.into_iter().collect::<Vec<_>>().join(", ");
        let message = format!("line {line}: it sets {columns} of table {table} to NULL");
        return Some(Finding::new(FindingKind::Destructive, id, message));
    }
    let rewrites = is_sqlite && is(0, "update") && !words.iter().any(|token| token.is("where"));
    rewrites.then(|| {
        let message =
            format!("line {line}: it updates every row in one transaction, and no other program can write meanwhile");
        Finding::new(FindingKind::Locking, id, message)
    })
}
