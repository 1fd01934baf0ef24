//! Decides what a command does. Pure: a survey and a goal go in, an ordered plan or a refusal comes out.

mod mend;
mod repair;

pub use mend::{Materials, mends};
pub(crate) use repair::joined;
pub use repair::{Conflicts, Planned, repair};

use crate::{
    adoption::Takeover,
    error::MigrateError,
    finding::FindingKind,
    migration::MigrationId,
    schema::{ObjectName, Presence},
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
    if let Some(takeover) = needed_takeover(survey, &wanted) {
        let what = takeover.found.first().cloned().unwrap_or_default();
        return Err(MigrateError::NeedsAdoption { table: takeover.table.clone(), what });
    }
    if let Some(standing) = wanted.iter().find(|standing| !there_already(standing, survey).is_empty()) {
        return Err(MigrateError::AlreadyThere { id: standing.id.clone(), objects: there_already(standing, survey) });
    }
    Ok(wanted.into_iter().map(|standing| standing.id.clone()).collect())
}

fn needed_takeover<'s>(survey: &'s Survey, wanted: &[&Standing]) -> Option<&'s Takeover> {
    let table = |takeover: &Takeover| ObjectName::table(takeover.table.as_str());
    let touches = |takeover: &Takeover| {
        let mut links = wanted.iter().filter_map(|standing| survey.chain.link(&standing.id));
        links.any(|link| link.footprint.objects().iter().any(|object| object.owner() == table(takeover).owner()))
    };
    survey.takeover.as_ref().filter(|takeover| takeover.is_needed && touches(takeover))
}

/// What `down` rolls back, newest first: one step unless the goal says otherwise.
pub fn down(survey: &Survey, goal: &Goal) -> Result<Vec<MigrationId>, MigrateError> {
    let mut broken = survey.broken();
    // A hole or a stray file does not stand in the way of going back.
    broken.retain(|finding| !matches!(finding.kind, FindingKind::OutOfOrder | FindingKind::UnrecognisedFile));
    if !broken.is_empty() {
        return Err(MigrateError::HistoryBroken { findings: broken });
    }
    let steps = goal.steps.unwrap_or(if goal.to.is_some() { usize::MAX } else { 1 });
    let is_wanted = |standing: &&Standing| {
        let to = goal.to.as_ref();
        standing.is_applied() && to.is_none_or(|to| standing.id.source == to.source && standing.id.number > to.number)
    };
    Ok(survey.standings.iter().rev().filter(is_wanted).take(steps).map(|standing| standing.id.clone()).collect())
}

/// What of a migration that the ledger does not count is there: the objects that it would make.
pub fn there_already(standing: &Standing, survey: &Survey) -> Vec<ObjectName> {
    if standing.statements_done > 0 {
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
    let later = survey.chain.links().iter().skip_while(|link| link.id != standing.id).skip(1);
    let is_reached = |id: &MigrationId| survey.standing(id).is_some_and(|standing| standing.is_reached);
    later.filter(|link| is_reached(&link.id)).any(|link| link.footprint.drops.contains(name))
}

#[cfg(test)]
mod tests;
