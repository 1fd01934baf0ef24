//! The smallest ordered plan that brings ledger, files and schema into agreement without losing anything.

use super::{
    data::data_statements,
    mend::{Materials, mends},
    occupied,
};
use crate::{
    files::checksum::Change,
    files::migration::MigrationId,
    files::script::{Bounds, Statement},
    files::source::LONGSHORE,
    report::finding::{Finding, FindingKind},
    report::{RepairAction, RepairStep},
    schema::{Difference, ObjectName, Presence, differences},
    survey::{Recorded, Standing, Survey},
    target::Rebuild,
};

/// What is done about a migration that is there and differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflicts {
    /// Left to the later migrations of the plan, which may make it over.
    LeaveToLater,
    /// Mended before anything else runs.
    Mend,
}

/// One step with what carrying it out needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The step as it is shown.
    pub step: RepairStep,
    /// The rebuild behind [`RepairAction::RebuildTable`].
    pub rebuild: Option<Rebuild>,
}

impl Planned {
    pub(super) fn new(action: RepairAction, id: &MigrationId, why: String) -> Self {
        let step = RepairStep { action, id: Some(id.clone()), sql: None, why };
        Self { step, rebuild: None }
    }

    pub(super) fn sql(mut self, sql: String) -> Self {
        self.step.sql = Some(sql);
        self
    }
}

/// Plans a repair, or says what only a person can decide.
///
/// The plan is right if, run on the observed schema, it ends in the last one of the chain; whoever calls tries that on
/// a scratch database before showing it. `bounds` tells how a migration's up is bounded.
pub fn repair(
    survey: &Survey,
    conflicts: Conflicts,
    materials: &Materials,
    bounds: &dyn Fn(&MigrationId) -> Bounds,
) -> Result<Vec<Planned>, Vec<Finding>> {
    let reasons: Vec<Finding> = survey.broken().into_iter().filter(|finding| !is_mendable(finding, survey)).collect();
    if !reasons.is_empty() {
        return Err(reasons);
    }
    if let Some(standing) = survey.standings.iter().find(|standing| standing.statements_done > 0) {
        let message = format!("it was interrupted after {} of its statements", standing.statements_done);
        let finding = Finding::new(FindingKind::Interrupted, standing.id.to_string(), message);
        return Err(vec![finding.hint("finish its up first")]);
    }
    let occupied: Vec<Finding> =
        survey.standings.iter().filter_map(|standing| occupied_name(standing, survey)).collect();
    if !occupied.is_empty() {
        return Err(occupied);
    }
    let mut plan = Vec::new();
    if conflicts == Conflicts::Mend {
        plan.extend(mend_reached(survey, materials));
    }
    for standing in survey.standings.iter().filter(|standing| standing.has_file) {
        if standing.is_pending() && !standing.is_reached && bounds(&standing.id) == Bounds::Statements {
            break;
        }
        plan.extend(steps(standing, survey, conflicts, materials));
    }
    let asked = unseen_data_work(&plan, survey, materials);
    if asked.is_empty() { Ok(plan) } else { Err(asked) }
}

fn occupied_name(standing: &Standing, survey: &Survey) -> Option<Finding> {
    let error = occupied(standing, survey).filter(|_| standing.is_pending())?;
    let finding = Finding::new(FindingKind::SchemaDisagrees, standing.id.to_string(), error.to_string());
    Some(finding.hint("rename that table, or give the queue a database of its own"))
}

/// A mark would claim that these statements ran, and nothing shows that they did: a person says so, or runs them. The
/// queue's own tables are never made by hand, and what its migrations count is counted anew by its upkeep.
fn unseen_data_work(plan: &[Planned], survey: &Survey, materials: &Materials) -> Vec<Finding> {
    let marks = plan.iter().filter(|planned| planned.step.action == RepairAction::MarkApplied);
    let ids = marks.filter_map(|planned| planned.step.id.as_ref()).filter(|id| id.source != LONGSHORE);
    let asked = ids.filter_map(|id| {
        let at = survey.chain.place(id)?;
        let statements = data_statements(materials.statements.get(at)?);
        let first = statements.first()?;
        let more = statements.len() - 1;
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let message = format!(
            "it changes data, which the schema does not show (line {}: {}{more}), so it may not have run",
            first.line,
            first.in_short(),
        );
        let finding = Finding::new(FindingKind::DataWork, id.to_string(), message);
        Some(finding.hint("mark it as applied if that was done, otherwise run only this migration"))
    });
    asked.collect()
}

/// A hole is filled and an accepted file is recorded; the rest is for a person.
fn is_mendable(finding: &Finding, survey: &Survey) -> bool {
    match finding.kind {
        FindingKind::OutOfOrder => true,
        FindingKind::ChangedMigration => {
            let standing = survey.standings.iter().find(|standing| standing.id.to_string() == finding.subject);
            standing.is_some_and(|standing| matches!(standing.presence, Some(Presence::Present)))
        }
        _ => false,
    }
}

fn steps(standing: &Standing, survey: &Survey, conflicts: Conflicts, materials: &Materials) -> Vec<Planned> {
    let mut steps = Vec::new();
    if standing.change == Change::Meaning {
        let why = "its file was changed after it ran, and the schema shows what the file says now".to_owned();
        steps.push(Planned::new(RepairAction::RecordChecksum, &standing.id, why));
    }
    let is_applied = standing.is_applied();
    match &standing.presence {
        Some(Presence::Absent) => steps.push(apply(standing, survey, materials)),
        Some(Presence::Partial { .. }) => {
            if conflicts == Conflicts::LeaveToLater || !standing.is_reached {
                steps.extend(complete(standing, survey, materials));
            }
            steps.extend((!is_applied).then(|| mark(standing)));
        }
        Some(Presence::Conflicting(_)) if !standing.is_reached && standing.already_there.is_empty() => {
            steps.extend((!is_applied).then(|| apply(standing, survey, materials)));
        }
        Some(Presence::Invisible) if !is_applied && !standing.is_reached => {
            steps.push(apply(standing, survey, materials));
        }
        None => {}
        _ => steps.extend((!is_applied).then(|| mark(standing))),
    }
    steps
}

fn apply(standing: &Standing, survey: &Survey, materials: &Materials) -> Planned {
    let why = match standing.recorded {
        Recorded::Applied => "the ledger says applied, but nothing of it is in the schema",
        Recorded::RolledBack => "the ledger says rolled back, and nothing of it is in the schema",
        Recorded::Never => "it never ran, and nothing of it is in the schema",
    };
    let planned = Planned::new(RepairAction::Apply, &standing.id, why.to_owned());
    let at = survey.chain.place(&standing.id);
    let statements = at.and_then(|at| materials.statements.get(at)).filter(|statements| !statements.is_empty());
    match statements {
        Some(statements) => planned.sql(joined(statements)),
        None => planned,
    }
}

pub(crate) fn joined(statements: &[Statement]) -> String {
    statements.iter().map(|statement| format!("{};", statement.text)).collect::<Vec<_>>().join("\n")
}

fn mark(standing: &Standing) -> Planned {
    let ledger = match standing.recorded {
        Recorded::RolledBack => "the ledger says rolled back",
        _ => "the ledger does not know it",
    };
    let schema = match &standing.presence {
        Some(Presence::Conflicting(conflicts)) => format!(
            "but it is there; what differs in it ({}) is made over by a later step",
            conflicts.first().map(|difference| difference.object.to_string()).unwrap_or_default()
        ),
        Some(Presence::Invisible) => "but later migrations that follow it are in the schema".to_owned(),
        Some(Presence::Partial { .. }) => "and with what was missing all of it is there".to_owned(),
        _ => "but all of it is in the schema".to_owned(),
    };
    Planned::new(RepairAction::MarkApplied, &standing.id, format!("{ledger}, {schema}"))
}

/// What of this one migration is missing, as the migration itself makes it.
fn complete(standing: &Standing, survey: &Survey, materials: &Materials) -> Vec<Planned> {
    let Some(at) = survey.chain.place(&standing.id) else {
        return Vec::new();
    };
    let reached = survey.chain.links().iter().rposition(|link| is_reached(survey, &link.id));
    let version = reached.filter(|_| standing.is_reached).map_or(at, |reached| reached.max(at));
    let expected = survey.chain.after(version + 1);
    let touched = survey.chain.links()[at].footprint.objects();
    let own: Vec<Difference> = differences(&expected, &survey.observed)
        .differences
        .into_iter()
        .filter(|difference| touched.contains(&difference.object))
        .collect();
    mends(&own, &expected, survey, &materials.at(version, &survey.chain))
}

/// Everything that differs at the version that the schema has reached.
fn mend_reached(survey: &Survey, materials: &Materials) -> Vec<Planned> {
    let Some(version) = survey.chain.links().iter().rposition(|link| is_reached(survey, &link.id)) else {
        return Vec::new();
    };
    let expected = survey.chain.after(version + 1);
    // Migrations before it that did not run are run, not mended.
    let is_absent = |object: &ObjectName| {
        let mut touching = survey.chain.touching(object).iter().map(|place| &survey.chain.links()[*place]);
        let maker = touching.find(|link| link.footprint.adds.contains_key(object));
        maker
            .and_then(|link| survey.standing(&link.id))
            .is_some_and(|standing| standing.presence == Some(Presence::Absent))
    };
    let found = differences(&expected, &survey.observed).differences.into_iter();
    let found: Vec<Difference> = found.filter(|difference| !is_absent(&difference.object)).collect();
    mends(&found, &expected, survey, &materials.at(version, &survey.chain))
}

fn is_reached(survey: &Survey, id: &MigrationId) -> bool {
    survey.standing(id).is_some_and(|standing| standing.is_reached)
}
