//! Runs every migration up, down and up again on an empty database, with transactions and foreign keys as at run time.

use crate::{
    error::MigrateError,
    execution::apply::{in_own_transaction, keys},
    execution::replay::{REBUILD, RunError, Stage, perform},
    files::migration::{Body, Direction, Migration},
    files::script::Bounds,
    report::finding::{Finding, FindingKind},
    schema::{Schema, differences},
    target::{ForeignKeys, SchemaChanges, Target, TargetError},
};

/// What goes wrong on the way; it ends at the first migration after which the schema is not known. `target` is empty.
pub(crate) fn rehearse(target: &mut dyn Target, migrations: &[&Migration]) -> Result<Vec<Finding>, TargetError> {
    let mut findings = Vec::new();
    // What the ups make without any down; only a down can make it another.
    let mut expected = Schema::new();
    let has_downs = migrations.iter().any(|migration| migration.has_down());
    for migration in migrations {
        if let Err(error) = step(target, migration, Direction::Up)? {
            findings.push(broken(migration, FindingKind::BrokenReplay, "it does not run on an empty database", &error));
            return Ok(findings);
        }
        if !has_downs {
            continue;
        }
        follow(&mut expected, &target.changes()?);
        if !migration.has_down() {
            continue;
        }
        match back_and_forth(target, migration)? {
            Ok(()) => findings.extend(undone_too_much(target, migration, &mut expected)?),
            Err(Stuck { finding, is_known }) => {
                findings.push(finding);
                if !is_known {
                    return Ok(findings);
                }
            }
        }
    }
    Ok(findings)
}

/// A down that fails, or an up that does not run again.
struct Stuck {
    finding: Finding,
    /// Whether the schema is as it was before.
    is_known: bool,
}

fn back_and_forth(target: &mut dyn Target, migration: &Migration) -> Result<Result<(), Stuck>, TargetError> {
    let kind = FindingKind::BrokenDown;
    if let Err(error) = step(target, migration, Direction::Down)? {
        let finding = broken(migration, kind, "its down does not run on an empty database", &error);
        return Ok(Err(Stuck { finding, is_known: migration.bounds(Direction::Down) != Bounds::Statements }));
    }
    if let Err(error) = step(target, migration, Direction::Up)? {
        let finding = broken(migration, kind, "after its down its up does not run again", &error);
        return Ok(Err(Stuck { finding, is_known: false }));
    }
    Ok(Ok(()))
}

/// Only the tables that its down and its up changed are compared, so that the cost grows with the statements, not with
/// the square of the tables.
fn undone_too_much(
    target: &mut dyn Target,
    migration: &Migration,
    expected: &mut Schema,
) -> Result<Option<Finding>, TargetError> {
    let changes = target.changes()?;
    let before = expected.only(changes.owners.iter().map(String::as_str));
    let found = differences(&before, &changes.schema).differences.into_iter().next();
    // What is said once is not said again of the migrations after it.
    follow(expected, &changes);
    Ok(found.map(|difference| {
        let message = format!("a down undoes more than its up makes: after its down and its up {difference}");
        Finding::new(FindingKind::BrokenDown, migration.id.to_string(), message).hint("correct the down")
    }))
}

fn follow(expected: &mut Schema, changes: &SchemaChanges) {
    for owner in &changes.owners {
        expected.replace_owner(owner, &changes.schema);
    }
}

type Stepped = Result<(), MigrateError>;

fn broken(migration: &Migration, kind: FindingKind, what: &str, error: &MigrateError) -> Finding {
    let hint = if error.wants_rebuild() { REBUILD } else { "correct the migration" };
    Finding::new(kind, migration.id.to_string(), format!("{what}: {}", in_short(error))).hint(hint)
}

/// Without the name of the migration, which the finding has.
fn in_short(error: &MigrateError) -> String {
    match error {
        MigrateError::Failed { error, .. } => error.to_string(),
        error => error.to_string(),
    }
}

/// Runs that direction, again as long as it has a statement that is too much; each is so once. The outer error is one
/// of the rehearsal itself.
fn step(target: &mut dyn Target, migration: &Migration, direction: Direction) -> Result<Stepped, TargetError> {
    loop {
        let stepped = attempt(target, migration, direction)?;
        if !stepped.as_ref().is_err_and(is_too_much) {
            return Ok(stepped);
        }
    }
}

fn is_too_much(error: &MigrateError) -> bool {
    let MigrateError::Failed { error, .. } = error else { return false };
    matches!(error.target_error(), Some(TargetError::TooMuch { .. }))
}

fn attempt(target: &mut dyn Target, migration: &Migration, direction: Direction) -> Result<Stepped, TargetError> {
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
        let mut run = || {
            if target.is_outside_transactions(&statement.text) {
                return target.execute(&statement.text).map(|_| ());
            }
            in_own_transaction(target, ForeignKeys::AsSet, |target| target.execute(&statement.text).map(|_| ()))
        };
        let result = match run() {
            Err(TargetError::TooMuch { .. }) => run(),
            result => result,
        };
        result.map_err(|source| RunError::Statement { statement: statement.clone(), source })?;
    }
    target.enforce_keys(true)?;
    Ok(())
}
