//! What a repair asks of the rows before it runs.

use std::collections::BTreeMap;

use super::refuse;
use crate::{
    alterer::{Alteration, Breach, RowCondition},
    error::MigrateError,
    execution::loss::{Loss, unasked},
    files::migration::MigrationId,
    files::script::{Dialect, Statement, Token},
    migrator::Migrator,
    plan::Planned,
    report::RepairAction,
    report::finding::{Finding, FindingKind},
    target::{RowTrial, Target, TargetError, Value},
};

impl Migrator<'_> {
    /// The rows that stand against the plan, a finding for each condition that they do not meet.
    /// [`MigrateError::DataLoss`] where a statement would change values.
    pub(super) fn refuse_rows(&mut self, plan: &[Planned]) -> Result<Vec<Finding>, MigrateError> {
        let mut obstacles = Vec::new();
        for planned in plan {
            let (Some(alteration), Some(id)) = (&planned.alteration, &planned.step.id) else { continue };
            for condition in &alteration.conditions {
                obstacles.extend(self.obstacle(alteration, id, condition)?);
            }
        }
        let dialect = self.target.dialect();
        for (id, trial) in trials(plan, dialect) {
            obstacles.extend(tried(self.target.as_mut(), id, &trial)?);
        }
        Ok(obstacles)
    }

    fn obstacle(
        &mut self,
        alteration: &Alteration,
        id: &MigrationId,
        condition: &RowCondition,
    ) -> Result<Option<Finding>, MigrateError> {
        let finding = |message: String| {
            let hint = format!("change these rows, then run repair again; it would run: {}", alteration.sql);
            Finding::new(FindingKind::SchemaDisagrees, id.to_string(), message).hint(hint)
        };
        let count = match self.target.query(&condition.count) {
            Ok(rows) => first_number(&rows),
            Err(error @ TargetError::Statement { .. }) => {
                return Ok(Some(finding(format!("the rows of {} do not fit: {error}", alteration.object.owner()))));
            }
            Err(error) => return Err(error.into()),
        };
        if count == 0 {
            return Ok(None);
        }
        match &condition.breach {
            Breach::Prevents(rows) => Ok(Some(finding(counted(count, alteration.object.owner(), rows)))),
            Breach::Loses(table, column) => {
                let all = self.target.count(table, Some(column))?;
                refuse(id, vec![Loss::values(table, column, all, all.saturating_sub(count))])?;
                Ok(None)
            }
        }
    }
}

/// Refuses a rebuild in its own transaction: a row that was written since the plan was made may not fit.
pub(super) fn refuse_rebuild(target: &mut dyn Target, planned: &Planned) -> Result<(), MigrateError> {
    let (Some(id), Some(rebuild)) = (&planned.step.id, &planned.rebuild) else {
        return Ok(());
    };
    let trial = RowTrial { table: rebuild.table.clone(), shape: Some(rebuild.shape.clone()), indexes: Vec::new() };
    let reasons = tried(target, id, &trial)?;
    if reasons.is_empty() { Ok(()) } else { Err(MigrateError::NoRepair { reasons }) }
}

/// What the plan does to each table that could stop at its rows, with the migration because of which it does so.
fn trials(plan: &[Planned], dialect: Dialect) -> Vec<(&MigrationId, RowTrial)> {
    let mut trials: BTreeMap<String, (&MigrationId, RowTrial)> = BTreeMap::new();
    // What a pending migration does is counted when it runs.
    let counts = |planned: &&Planned| planned.alteration.is_none() && planned.step.action != RepairAction::Apply;
    for planned in plan.iter().filter(counts) {
        let Some(id) = &planned.step.id else { continue };
        let index = planned.step.sql.as_deref().filter(|_| planned.rebuild.is_none());
        let indexed = index.and_then(|sql| Some((sql, uniquely_indexed(sql, dialect)?)));
        let rebuilt = planned.rebuild.as_ref().map(|rebuild| rebuild.table.clone());
        let Some(table) = rebuilt.or_else(|| indexed.as_ref().map(|(_, table)| table.clone())) else { continue };
        let new = || (id, RowTrial { table: table.clone(), ..RowTrial::default() });
        let (_, trial) = trials.entry(table.to_ascii_lowercase()).or_insert_with(new);
        if let Some(rebuild) = &planned.rebuild {
            trial.shape = Some(rebuild.shape.clone());
        }
        trial.indexes.extend(indexed.map(|(sql, _)| sql.to_owned()));
    }
    trials.into_values().collect()
}

/// The table of `CREATE UNIQUE INDEX … ON table`.
fn uniquely_indexed(sql: &str, dialect: Dialect) -> Option<String> {
    let statement = Statement::alone(dialect, sql);
    let words = statement.words();
    if !(words.first()?.is("create") && words.get(1)?.is("unique")) {
        return None;
    }
    let on = words.iter().position(|word| word.is("on"))?;
    words.get(on + 1).map(Token::name)
}

fn tried(target: &mut dyn Target, id: &MigrationId, trial: &RowTrial) -> Result<Vec<Finding>, MigrateError> {
    let found = target.try_rows(trial)?;
    refuse(id, unasked(found.changed, &[]))?;
    let finding = |(count, words): &(u64, String)| {
        Finding::new(FindingKind::SchemaDisagrees, id.to_string(), counted(*count, &trial.table, words))
            .hint("change these rows, then run repair again")
    };
    Ok(found.refused.iter().map(finding).collect())
}

fn counted(count: u64, table: &str, words: &str) -> String {
    let noun = if count == 1 { "is 1 row".to_owned() } else { format!("are {count} rows") };
    format!("there {noun} of {table} {words}")
}

fn first_number(rows: &[Vec<Value>]) -> u64 {
    match rows.first().and_then(|row| row.first()) {
        Some(Value::Integer(count)) => u64::try_from(*count).unwrap_or_default(),
        _ => 0,
    }
}
