//! The smallest ordered plan that brings ledger, files and schema into agreement without losing anything.

use std::collections::BTreeSet;

use super::{
    data::data_statements,
    mend::{Materials, Stock, mends},
    occupied,
};
use crate::{
    alterer::{Alteration, Moment},
    files::checksum::Change,
    files::migration::MigrationId,
    files::script::{Bounds, Statement},
    files::source::LONGSHORE,
    report::finding::{Finding, FindingKind},
    report::{RepairAction, RepairStep},
    schema::{Difference, DifferenceKind, ObjectKind, ObjectName, Presence, Schema, differences},
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
    /// The statement of a database that changes its tables in place.
    pub alteration: Option<Alteration>,
}

impl Planned {
    pub(super) fn new(action: RepairAction, id: &MigrationId, why: String) -> Self {
        let step = RepairStep { action, id: Some(id.clone()), sql: None, why };
        Self { step, rebuild: None, alteration: None }
    }

    /// When it runs.
    pub fn moment(&self) -> Moment {
        self.alteration.as_ref().map_or(Moment::Together, |alteration| alteration.moment)
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
    if let Some(standing) = survey.standings.iter().find(|standing| standing.is_interrupted) {
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
    let mut workshop = Workshop::new(survey, materials);
    if conflicts == Conflicts::Mend {
        plan.extend(mend_reached(survey, &mut workshop));
    }
    for standing in survey.standings.iter().filter(|standing| standing.has_file) {
        // What is there and differs is mended where it is, so nothing of such a file has to run.
        let is_there =
            matches!(standing.presence, Some(Presence::Conflicting(_))) && !standing.already_there.is_empty();
        let is_ahead = standing.is_pending() && !standing.is_reached && !is_there;
        if is_ahead && bounds(&standing.id) == Bounds::Statements {
            break;
        }
        // What refuses a transaction cannot run in that of the repair, so its objects are made one by one.
        let by_parts = standing.presence == Some(Presence::Absent) && bounds(&standing.id) == Bounds::Statements;
        if by_parts {
            plan.extend(complete(standing, survey, &mut workshop));
            plan.extend((!standing.is_applied()).then(|| mark(standing)));
            continue;
        }
        plan.extend(steps(standing, survey, conflicts, &mut workshop));
    }
    let invalid = InvalidIndexes::find(survey, &plan);
    plan.extend(invalid.mends(survey, &mut workshop));
    let mut asked = unseen_data_work(&plan, survey, materials);
    asked.extend(invalid.left_by(&plan, survey, &mut workshop));
    asked.extend(data_work_alone(survey, materials, bounds));
    if asked.is_empty() { Ok(plan) } else { Err(asked) }
}

fn occupied_name(standing: &Standing, survey: &Survey) -> Option<Finding> {
    let error = occupied(standing, survey).filter(|_| standing.is_pending())?;
    let finding = Finding::new(FindingKind::SchemaDisagrees, standing.id.to_string(), error.to_string());
    Some(finding.hint("rename that table, or give the queue a database of its own"))
}

/// A mark would claim that these statements ran, and nothing shows that they did: a person says so, or runs them. The
/// queue's own tables are never made by hand, and its upkeep recounts what its migrations count.
fn unseen_data_work(plan: &[Planned], survey: &Survey, materials: &Materials) -> Vec<Finding> {
    let marks = plan.iter().filter(|planned| planned.step.action == RepairAction::MarkApplied);
    let ids = marks.filter_map(|planned| planned.step.id.as_ref()).filter(|id| id.source != LONGSHORE);
    let asked = ids.filter_map(|id| {
        let at = survey.chain.place(id)?;
        let statements = data_statements(materials.of(at)?);
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

/// What changes data outside of a transaction is not run by a repair, which could not take it back.
fn data_work_alone(survey: &Survey, materials: &Materials, bounds: &dyn Fn(&MigrationId) -> Bounds) -> Vec<Finding> {
    let absent = survey.standings.iter().filter(|standing| {
        standing.is_applied()
            && standing.presence == Some(Presence::Absent)
            && bounds(&standing.id) == Bounds::Statements
    });
    let asked = absent.filter_map(|standing| {
        let statements = materials.of(survey.chain.place(&standing.id)?)?;
        let first = *data_statements(statements).first()?;
        let message = format!(
            "nothing of it is there, and it changes data outside of a transaction (line {}: {})",
            first.line,
            first.in_short()
        );
        let finding = Finding::new(FindingKind::DataWork, standing.id.to_string(), message);
        Some(finding.hint("mark it as rolled back, then run only this migration"))
    });
    asked.collect()
}

/// A hole is filled and an accepted file is recorded; the rest is for a person.
fn is_mendable(finding: &Finding, survey: &Survey) -> bool {
    match finding.kind {
        FindingKind::OutOfOrder => true,
        FindingKind::ChangedMigration => {
            let standing = survey.standing_of(&finding.subject);
            standing.is_some_and(|standing| matches!(standing.presence, Some(Presence::Present)))
        }
        _ => false,
    }
}

fn steps(standing: &Standing, survey: &Survey, conflicts: Conflicts, workshop: &mut Workshop<'_>) -> Vec<Planned> {
    let materials = workshop.materials;
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
                steps.extend(complete(standing, survey, workshop));
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
    let statements = at.and_then(|at| materials.of(at)).filter(|statements| !statements.is_empty());
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
            "but it is there; a later step replaces what differs in it ({})",
            conflicts.first().map(|difference| difference.object.to_string()).unwrap_or_default()
        ),
        Some(Presence::Invisible) => "but later migrations that follow it are in the schema".to_owned(),
        Some(Presence::Partial { .. }) => "and with what was missing all of it is there".to_owned(),
        _ => "but all of it is in the schema".to_owned(),
    };
    Planned::new(RepairAction::MarkApplied, &standing.id, format!("{ledger}, {schema}"))
}

/// What of this one migration is missing, as the migration itself makes it.
fn complete(standing: &Standing, survey: &Survey, workshop: &mut Workshop<'_>) -> Vec<Planned> {
    let Some(at) = survey.chain.place(&standing.id) else {
        return Vec::new();
    };
    let version = workshop.reached.filter(|_| standing.is_reached).map_or(at, |reached| reached.max(at));
    let touched = survey.chain.links()[at].footprint.objects();
    let owners: BTreeSet<&str> = touched.iter().map(|object| object.owner()).collect();
    let expected = survey.chain.after(version + 1).only(owners.iter().copied());
    let observed = survey.observed.only(owners);
    let own: Vec<Difference> = differences(&expected, &observed)
        .differences
        .into_iter()
        .filter(|difference| touched.contains(&difference.object))
        .collect();
    workshop.stock.go_to(version, &survey.chain);
    mends(&own, &expected, survey, &workshop.stock)
}

/// Everything that differs at the version that the schema has reached.
fn mend_reached(survey: &Survey, workshop: &mut Workshop<'_>) -> Vec<Planned> {
    let Some(version) = workshop.reached else {
        return Vec::new();
    };
    let expected = survey.chain.after(version + 1);
    // Migrations before it that did not run are run, not fixed.
    let is_absent = |object: &ObjectName| {
        let mut touching = survey.chain.touching(object).iter().map(|place| &survey.chain.links()[*place]);
        let maker = touching.find(|link| link.footprint.adds.contains_key(object));
        maker
            .and_then(|link| survey.standing(&link.id))
            .is_some_and(|standing| standing.presence == Some(Presence::Absent))
    };
    let found = differences(&expected, &survey.observed).differences.into_iter();
    let found: Vec<Difference> = found.filter(|difference| !is_absent(&difference.object)).collect();
    workshop.stock.go_to(version, &survey.chain);
    mends(&found, &expected, survey, &workshop.stock)
}

/// Indexes of ours that are there and INVALID, as far as nothing else of a plan mends them. The trial of a plan builds
/// each of them anew and whole, so it does not show them.
struct InvalidIndexes {
    /// The place of the last migration that the database has or that the plan gives it.
    version: usize,
    expected: Schema,
    differences: Vec<Difference>,
}

impl InvalidIndexes {
    fn find(survey: &Survey, plan: &[Planned]) -> Self {
        let planned: BTreeSet<&MigrationId> = plan.iter().filter_map(|planned| planned.step.id.as_ref()).collect();
        let is_there = |id: &MigrationId| {
            let standing = survey.standing(id);
            planned.contains(id) || standing.is_some_and(|standing| standing.is_reached || standing.is_applied())
        };
        let links = survey.chain.links();
        let Some(version) = links.iter().rposition(|link| is_there(&link.id)) else {
            return Self { version: 0, expected: Schema::new(), differences: Vec::new() };
        };
        let applies = plan.iter().filter(|planned| planned.step.action == RepairAction::Apply);
        let applied: BTreeSet<&MigrationId> = applies.filter_map(|planned| planned.step.id.as_ref()).collect();
        let is_left = |difference: &Difference| {
            let mut touching = survey.chain.touching(&difference.object).iter();
            !touching.any(|place| applied.contains(&links[*place].id))
        };
        let expected = survey.chain.after(version + 1);
        let mut found = differences(&expected, &survey.observed).differences;
        found.retain(|one| one.kind == DifferenceKind::Validity && one.object.kind == ObjectKind::Index);
        found.retain(|one| is_left(one) && !is_mended(&one.object, plan));
        Self { version, expected, differences: found }
    }

    fn mends(&self, survey: &Survey, workshop: &mut Workshop<'_>) -> Vec<Planned> {
        if self.differences.is_empty() {
            return Vec::new();
        }
        workshop.stock.go_to(self.version, &survey.chain);
        mends(&self.differences, &self.expected, survey, &workshop.stock)
    }

    /// Those for which a plan has no step, for a person.
    fn left_by(&self, plan: &[Planned], survey: &Survey, workshop: &mut Workshop<'_>) -> Vec<Finding> {
        let left: Vec<&Difference> = self.differences.iter().filter(|one| !is_mended(&one.object, plan)).collect();
        if left.is_empty() {
            return Vec::new();
        }
        workshop.stock.go_to(self.version, &survey.chain);
        let finding = |difference: &&Difference| {
            let message = "it is INVALID: its build did not end, and no query uses it";
            let by_hand = workshop.stock.by_hand(difference, &self.expected);
            let hint = by_hand.unwrap_or_else(|| "drop it and build it again by hand".to_owned());
            Finding::new(FindingKind::SchemaDisagrees, difference.object.to_string(), message).hint(hint)
        };
        left.iter().map(finding).collect()
    }
}

fn is_mended(object: &ObjectName, plan: &[Planned]) -> bool {
    let mut alterations = plan.iter().filter_map(|planned| planned.alteration.as_ref());
    alterations.any(|alteration| alteration.object == *object || alteration.because == *object)
}

/// What the steps of one plan are made of, in the order of the chain.
struct Workshop<'a> {
    materials: &'a Materials,
    stock: Stock<'a>,
    /// The place of the last migration that the schema as a whole looks as if it had run.
    reached: Option<usize>,
}

impl<'a> Workshop<'a> {
    fn new(survey: &Survey, materials: &'a Materials) -> Self {
        let is_reached = |id: &MigrationId| survey.standing(id).is_some_and(|standing| standing.is_reached);
        let reached = survey.chain.links().iter().rposition(|link| is_reached(&link.id));
        Self { materials, stock: materials.stock(), reached }
    }
}
