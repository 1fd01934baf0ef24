//! What a repair asks of the rows before it runs.

use super::refuse;
use crate::{
    alterer::{Alteration, Breach, RowCondition},
    error::MigrateError,
    execution::loss::Loss,
    files::migration::MigrationId,
    migrator::Migrator,
    plan::Planned,
    report::finding::{Finding, FindingKind},
    target::{TargetError, Value},
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
            Breach::Prevents(rows) => {
                let table = alteration.object.owner();
                let noun = if count == 1 { "is 1 row".to_owned() } else { format!("are {count} rows") };
                Ok(Some(finding(format!("there {noun} of {table} {rows}"))))
            }
            Breach::Loses(table, column) => {
                let all = self.target.count(table, Some(column))?;
                refuse(id, vec![Loss::values(table, column, all, all.saturating_sub(count))])?;
                Ok(None)
            }
        }
    }
}

fn first_number(rows: &[Vec<Value>]) -> u64 {
    match rows.first().and_then(|row| row.first()) {
        Some(Value::Integer(count)) => u64::try_from(*count).unwrap_or_default(),
        _ => 0,
    }
}
