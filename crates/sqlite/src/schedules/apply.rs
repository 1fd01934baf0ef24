use std::collections::{BTreeMap, BTreeSet};

use longshore_core::{AppliedSchedules, ApplySchedules, ScheduleDefinition, ScheduleFit, ScheduleRow, ScheduleSource};
use rusqlite::Connection;

use super::schedule_row;
use super::settlement::Settlement;
use crate::database::column;
use crate::database::fault::Fault;
use crate::writing::session::WriteTx;
use crate::writing::work::Work;

/// Makes schedules known.
pub(super) struct Apply {
    pub(super) request: ApplySchedules,
}

/// What applying would do. Only reads.
pub(super) fn applied(connection: &Connection, request: &ApplySchedules) -> rusqlite::Result<AppliedSchedules> {
    let mut applied = AppliedSchedules::default();
    for definition in by_name(request).values() {
        let row = schedule_row::read(connection, &definition.name)?;
        applied.add(&definition.name, row.map_or(ScheduleFit::New, |row| row.fit(definition, request.source)));
    }
    applied.removed = pruned(connection, request)?;
    Ok(applied)
}

impl Work for Apply {
    type Answer = AppliedSchedules;
    const DOING: &'static str = "applying schedules";

    fn rows(&self) -> usize {
        self.request.definitions.len()
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<AppliedSchedules, Fault> {
        let mut applied = AppliedSchedules::default();
        for definition in by_name(&self.request).values() {
            let fit = self.apply(tx, definition)?;
            applied.add(&definition.name, fit);
        }
        applied.removed = pruned(tx.connection, &self.request)?;
        applied.removed.iter().try_for_each(|name| schedule_row::delete(tx.connection, name))?;
        if applied.has_changes() {
            tx.wake_schedulers();
        }
        Ok(applied)
    }
}

impl Apply {
    fn apply(&self, tx: &mut WriteTx<'_, '_>, definition: &ScheduleDefinition) -> Result<ScheduleFit, Fault> {
        let ApplySchedules { source, planner, decided_by, .. } = &self.request;
        let Some(mut row) = schedule_row::read(tx.connection, &definition.name)? else {
            let row = ScheduleRow::begin(definition, *source, &**planner, tx.now);
            schedule_row::write(tx.connection, &row)?;
            return Ok(ScheduleFit::New);
        };
        let fit = row.fit(definition, *source);
        if fit == ScheduleFit::Same {
            return Ok(fit);
        }
        if let (Some(settling), Ok(own)) = (row.settling_before(definition, fit), row.parsed()) {
            Settlement { planner: &**planner, decided_by, settling }.settle(tx, &mut row, own)?;
        }
        row.define(definition, *source, &**planner, tx.now);
        schedule_row::write(tx.connection, &row)?;
        Ok(fit)
    }
}

/// Of several with one name the last one counts.
fn by_name(request: &ApplySchedules) -> BTreeMap<&str, &ScheduleDefinition> {
    request.definitions.iter().map(|definition| (definition.name.as_str(), definition)).collect()
}

/// The schedules of the source that are not among the definitions, if these are to go.
fn pruned(connection: &Connection, request: &ApplySchedules) -> rusqlite::Result<Vec<String>> {
    if !request.prune {
        return Ok(Vec::new());
    }
    let given: BTreeSet<&str> = request.definitions.iter().map(|definition| definition.name.as_str()).collect();
    let mut names = names_of(connection, request.source)?;
    names.retain(|name| !given.contains(name.as_str()));
    Ok(names)
}

fn names_of(connection: &Connection, source: ScheduleSource) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached(include_str!("../sql/schedules/select_names_of_source.sql"))?
        .query_map([source.as_str()], |row| column::text(row, 0))?
        .collect()
}
