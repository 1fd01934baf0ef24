//! Runs every migration up, down and up again on an empty database, with transactions and foreign keys as at run time.

use crate::{
    error::MigrateError,
    execution::apply::{in_own_transaction, keys},
    execution::replay::{Chain, RunError, Stage, perform},
    files::migration::{Body, Direction, Migration},
    files::script::Bounds,
    report::finding::{Finding, FindingKind},
    schema::differences,
    target::{ForeignKeys, Target, TargetError},
};

/// What goes wrong on the way; it ends at the first migration after which the schema is not known. `target` is empty.
///
/// That a down undoes too much is seen at the end alone, so that the cost grows with the statements, not with the
/// square of the tables.
pub(crate) fn rehearse(
    target: &mut dyn Target,
    migrations: &[&Migration],
    chain: &Chain,
) -> Result<Vec<Finding>, TargetError> {
    let mut findings = Vec::new();
    for migration in migrations {
        if let Err(error) = step(target, migration, Direction::Up)? {
            findings.push(broken(migration, FindingKind::BrokenReplay, "it does not run on an empty database", &error));
            return Ok(findings);
        }
        if !migration.has_down() {
            continue;
        }
        if let Err(error) = step(target, migration, Direction::Down)? {
            findings.push(broken(
                migration,
                FindingKind::BrokenDown,
                "its down does not run on an empty database",
                &error,
            ));
            if migration.bounds(Direction::Down) == Bounds::Statements {
                return Ok(findings);
            }
            continue;
        }
        if let Err(error) = step(target, migration, Direction::Up)? {
            findings.push(broken(
                migration,
                FindingKind::BrokenDown,
                "after its down its up does not run again",
                &error,
            ));
            return Ok(findings);
        }
    }
    let last = migrations.last().filter(|_| findings.is_empty());
    if let Some(difference) = last.and_then(|_| chain.broken().is_none().then_some(())).map(|()| target.observe()) {
        let found = differences(&chain.last(), &difference?).differences.into_iter().next();
        findings.extend(found.map(|difference| {
            let message = format!("a down undoes more than its up makes: in the end {difference}");
            Finding::new(FindingKind::BrokenDown, difference.object.to_string(), message)
        }));
    }
    Ok(findings)
}

type Stepped = Result<(), MigrateError>;

fn broken(migration: &Migration, kind: FindingKind, what: &str, error: &MigrateError) -> Finding {
    let hint = if error.wants_rebuild() { REBUILD } else { "correct the migration" };
    Finding::new(kind, migration.id.to_string(), format!("{what}: {}", in_short(error))).hint(hint)
}

const REBUILD: &str = "begin the file with the line `-- longshore: rebuild`";

/// Without the name of the migration, which the finding has.
fn in_short(error: &MigrateError) -> String {
    match error {
        MigrateError::Failed { error, .. } => error.to_string(),
        error => error.to_string(),
    }
}

/// The outer error is one of the rehearsal itself.
fn step(target: &mut dyn Target, migration: &Migration, direction: Direction) -> Result<Stepped, TargetError> {
    let bounds = migration.bounds(direction);
    if bounds == Bounds::Statements && matches!(migration.body, Body::Sql { .. }) {
        return Ok(by_statements(target, migration, direction).map_err(|error| failed(migration, error)));
    }
    target.begin(keys(bounds))?;
    let result = perform(target, migration, direction, Stage::Scratch, &|_| true);
    let result = result.map_err(|error| failed(migration, error));
    let result = result.and_then(|()| Ok(target.commit()?));
    if result.is_err() {
        target.roll_back();
    }
    Ok(result)
}

fn failed(migration: &Migration, error: RunError) -> MigrateError {
    MigrateError::Failed { id: migration.id.clone(), error: Box::new(error), done: Vec::new(), statements_done: 0 }
}

/// A pragma of the file acts from its place to the end of the file, as it does when a runner runs it.
fn by_statements(target: &mut dyn Target, migration: &Migration, direction: Direction) -> Result<(), RunError> {
    let script = migration.script(direction).ok_or(RunError::NoDown)?;
    for statement in script.replayed() {
        let result = if target.is_outside_transactions(&statement.text) {
            target.execute(&statement.text).map(|_| ())
        } else {
            in_own_transaction(target, ForeignKeys::AsSet, |target| target.execute(&statement.text).map(|_| ()))
        };
        result.map_err(|source| RunError::Statement { statement: statement.clone(), source })?;
    }
    target.enforce_keys(true)?;
    Ok(())
}
