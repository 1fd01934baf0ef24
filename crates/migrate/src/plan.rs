//! Decides what a command does. Pure: a survey and a goal go in, an ordered plan or a refusal comes out.

mod alter;
mod data;
mod mend;
mod only;
mod repair;
mod stake;

pub use data::data_statements;
pub use mend::{Materials, mends};
pub use only::{already_there, not_there_yet};
pub(crate) use repair::joined;
pub use repair::{Conflicts, Planned, repair};
pub(crate) use stake::at_stake;

use crate::{
    error::MigrateError,
    files::migration::{Direction, MigrationId},
    files::source::LONGSHORE,
    ledger::Witness,
    report::finding::FindingKind,
    schema::{ObjectKind, ObjectName, Presence},
    survey::{Standing, Survey},
};

/// How far a command goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Goal {
    /// The last migration to apply, or the one to which to roll back, which stays. Only its source is touched.
    pub to: Option<MigrationId>,
    /// At most so many migrations.
    pub steps: Option<usize>,
}

/// What `up` runs, in order. Refused where the history is broken or where something is there already.
pub fn up(survey: &Survey, goal: &Goal) -> Result<Vec<MigrationId>, MigrateError> {
    let broken = survey.broken();
    if !broken.is_empty() {
        return Err(MigrateError::HistoryBroken { findings: broken });
    }
    let is_wanted = |standing: &&Standing| {
        let to = goal.to.as_ref();
        standing.is_pending() && to.is_none_or(|to| standing.id.source == to.source && standing.id.number <= to.number)
    };
    let wanted = survey.standings.iter().filter(is_wanted).take(goal.steps.unwrap_or(usize::MAX));
    let wanted: Vec<&Standing> = wanted.collect();
    if let Some(to) = goal.to.as_ref().filter(|_| wanted.is_empty()) {
        refuse_going_back(survey, to)?;
    }
    // What another program's table lacks is said better by its adoption.
    refuse_without_adoption(survey, &wanted)?;
    refuse_missing(survey)?;
    if let Some(error) = wanted.iter().find_map(|standing| occupied(standing, survey)) {
        return Err(error);
    }
    if let Some(standing) = wanted.iter().find(|standing| !there_already(standing, survey).is_empty()) {
        return Err(MigrateError::AlreadyThere { id: standing.id.clone(), objects: there_already(standing, survey) });
    }
    Ok(wanted.into_iter().map(|standing| standing.id.clone()).collect())
}

/// `up` rolls nothing back, and saying that there is nothing to do would sound as if it had.
fn refuse_going_back(survey: &Survey, to: &MigrationId) -> Result<(), MigrateError> {
    let is_later = |id: &MigrationId| id.source == to.source && id.number > to.number;
    let last = survey.standings.iter().rfind(|standing| standing.is_applied() && is_later(&standing.id));
    last.map_or(Ok(()), |last| Err(MigrateError::AlreadyPast { to: to.clone(), last: last.id.clone() }))
}

fn refuse_without_adoption(survey: &Survey, wanted: &[&Standing]) -> Result<(), MigrateError> {
    let Some(takeover) = survey.takeover.as_ref().filter(|takeover| takeover.is_needed) else {
        return Ok(());
    };
    let mut links = wanted.iter().filter_map(|standing| survey.chain.link(&standing.id));
    if !links.any(|link| link.footprint.objects().iter().any(|object| object.owner() == takeover.table)) {
        return Ok(());
    }
    let what = takeover.found.first().cloned().unwrap_or_default();
    Err(MigrateError::NeedsAdoption { table: takeover.table.clone(), what })
}

/// That migration alone, even if later ones are applied or part of it is there; nothing where it is applied.
pub fn up_only(survey: &Survey, id: &MigrationId) -> Result<Vec<MigrationId>, MigrateError> {
    let mut broken = survey.broken();
    broken.retain(|finding| finding.kind != FindingKind::OutOfOrder);
    if !broken.is_empty() {
        return Err(MigrateError::HistoryBroken { findings: broken });
    }
    let standing = survey.standing(id).filter(|standing| standing.has_file);
    let standing = standing.ok_or_else(|| MigrateError::UnknownId { text: id.to_string() })?;
    refuse_without_adoption(survey, &[standing])?;
    refuse_missing(survey)?;
    Ok(standing.is_pending().then(|| id.clone()).into_iter().collect())
}

/// What `down` rolls back, newest first: one step unless the goal says otherwise.
pub fn down(survey: &Survey, goal: &Goal) -> Result<Vec<MigrationId>, MigrateError> {
    let mut broken = survey.broken();
    // A gap or an unrecognised file does not prevent a rollback.
    broken.retain(|finding| !matches!(finding.kind, FindingKind::OutOfOrder | FindingKind::UnrecognisedFile));
    if !broken.is_empty() {
        return Err(MigrateError::HistoryBroken { findings: broken });
    }
    let steps = goal.steps.unwrap_or(if goal.to.is_some() { usize::MAX } else { 1 });
    let is_wanted = |standing: &&Standing| {
        let to = goal.to.as_ref();
        standing.is_applied() && to.is_none_or(|to| standing.id.source == to.source && standing.id.number > to.number)
    };
    let wanted: Vec<&Standing> = survey.standings.iter().rev().filter(is_wanted).take(steps).collect();
    // What an interrupted down has dropped is missing, and the next one continues after it.
    for standing in wanted.iter().filter(|standing| standing.down_done.is_none()) {
        let missing = holding_data(missing_of(standing, survey));
        if !missing.is_empty() {
            return Err(MigrateError::NotThere { id: standing.id.clone(), missing, direction: Direction::Down });
        }
    }
    Ok(wanted.into_iter().map(|standing| standing.id.clone()).collect())
}

/// A table of a built-in migration whose name a table or a view has already. Nobody creates half of such a table by
/// hand, so it is the application's: it is neither marked nor replaced.
fn occupied(standing: &Standing, survey: &Survey) -> Option<MigrateError> {
    let link = survey.chain.link(&standing.id).filter(|_| standing.id.source == LONGSHORE && !standing.is_reached)?;
    let mut tables = link.footprint.adds.keys().filter(|name| name.kind == ObjectKind::Table);
    tables.find_map(|table| {
        let of_table = |name: &&ObjectName| name.kind == ObjectKind::Column && name.owner() == table.name;
        let columns: Vec<&ObjectName> = link.footprint.adds.keys().filter(of_table).collect();
        let lacks: Vec<ObjectName> =
            columns.iter().filter(|column| !survey.observed.contains(column)).map(|column| (*column).clone()).collect();
        let view = ObjectName::view(&table.name);
        let is_other_table = survey.observed.contains(table) && lacks.len() * 2 > columns.len();
        let found = if survey.observed.contains(&view) { view } else { table.clone() };
        let is_other = is_other_table || found != *table;
        is_other.then(|| MigrateError::Occupied { id: standing.id.clone(), table: found, lacks })
    })
}

/// Nothing is built on tables and columns that the ledger only claims. What a person marked against the schema is that
/// person's word.
fn refuse_missing(survey: &Survey) -> Result<(), MigrateError> {
    for standing in survey.standings.iter().filter(|standing| standing.is_applied()) {
        let missing = holding_data(missing_of(standing, survey));
        if !missing.is_empty() && standing.witness != Witness::Unverified {
            return Err(MigrateError::NotThere { id: standing.id.clone(), missing, direction: Direction::Up });
        }
    }
    Ok(())
}

fn missing_of(standing: &Standing, survey: &Survey) -> Vec<ObjectName> {
    match &standing.presence {
        Some(Presence::Absent) => {
            let objects = survey.chain.link(&standing.id).map(|link| link.footprint.main_objects()).unwrap_or_default();
            objects.into_iter().filter(|object| !survey.observed.contains(object)).cloned().collect()
        }
        Some(Presence::Partial { missing, .. }) => missing.clone(),
        // Beside a column that is missing another may differ.
        Some(Presence::Conflicting(differences)) => {
            let missing = differences.iter().filter(|difference| difference.found.is_none());
            let unseen = survey.comparison.differences.iter().filter(|difference| difference.found.is_none());
            let is_own = |object: &ObjectName| survey.because(object) == Some(&standing.id);
            let unseen = unseen.filter(|difference| is_own(&difference.object));
            let mut missing: Vec<ObjectName> =
                missing.chain(unseen).map(|difference| difference.object.clone()).collect();
            missing.sort();
            missing.dedup();
            missing
        }
        _ => Vec::new(),
    }
}

fn holding_data(mut objects: Vec<ObjectName>) -> Vec<ObjectName> {
    objects.retain(|object| matches!(object.kind, ObjectKind::Table | ObjectKind::Column));
    objects
}

/// What of a migration that the ledger does not count is there: the objects that it would make.
pub fn there_already(standing: &Standing, survey: &Survey) -> Vec<ObjectName> {
    if standing.is_interrupted {
        return Vec::new();
    }
    if !standing.already_there.is_empty() {
        return standing.already_there.clone();
    }
    let Some(link) = survey.chain.link(&standing.id).filter(|_| standing.is_reached) else {
        return Vec::new();
    };
    if matches!(standing.presence, Some(Presence::Invisible)) {
        return Vec::new();
    }
    let made = link.footprint.adds.keys().filter(|name| survey.observed.contains(name));
    let whole: Vec<ObjectName> = made.clone().filter(|name| name.table.is_none()).cloned().collect();
    if whole.is_empty() { made.cloned().collect() } else { whole }
}

/// Whether marking `standing` as applied tells the truth: nothing that it makes is missing. A difference alone is left
/// to `verify`, which names it, because the migration did run.
pub fn missing_for_mark(standing: &Standing, survey: &Survey) -> Vec<String> {
    match &standing.presence {
        Some(Presence::Absent) => {
            let link = survey.chain.link(&standing.id);
            let adds = link.map(|link| link.footprint.main_objects().into_iter().map(ToString::to_string).collect());
            adds.unwrap_or_default()
        }
        Some(Presence::Partial { missing, lingering, .. }) => {
            let lingering = lingering.iter().map(|object| format!("{object} is there still"));
            missing.iter().map(|object| format!("{object} is missing")).chain(lingering).collect()
        }
        Some(Presence::Conflicting(differences)) => missing_in_conflict(standing, survey, differences),
        _ => Vec::new(),
    }
}

fn missing_in_conflict(standing: &Standing, survey: &Survey, differences: &[crate::schema::Difference]) -> Vec<String> {
    let Some(link) = survey.chain.link(&standing.id) else {
        return Vec::new();
    };
    let is_whole = |name: &&ObjectName| !name.kind.is_constraint();
    let missing: Vec<String> = link
        .footprint
        .adds
        .keys()
        .filter(is_whole)
        .filter(|name| !survey.observed.contains(name) && !is_superseded(name, standing, survey))
        .map(|name| format!("{name} is missing"))
        .collect();
    if missing.is_empty() && !standing.is_reached {
        return differences.iter().map(ToString::to_string).collect();
    }
    missing
}

fn is_superseded(name: &ObjectName, standing: &Standing, survey: &Survey) -> bool {
    let Some(own) = survey.chain.place(&standing.id) else { return false };
    let later = survey.chain.touching(name).iter().filter(|place| **place > own);
    let later = later.map(|place| &survey.chain.links()[*place]);
    let is_reached = |id: &MigrationId| survey.standing(id).is_some_and(|standing| standing.is_reached);
    later.filter(|link| link.footprint.drops.contains(name)).any(|link| is_reached(&link.id))
}

#[cfg(test)]
mod tests;
