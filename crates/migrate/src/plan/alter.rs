//! Turns differences into statements that change a schema in place, for a database that can.

use super::{
    mend::{Stock, fillings, is_dropped_by_ours, owner},
    repair::Planned,
};
use crate::{
    alterer::{AlterRequest, Alteration, Alterer, Moment},
    report::RepairAction,
    schema::{Difference, DifferenceKind, ObjectKind, ObjectName, Schema},
    survey::Survey,
};

/// The steps for `differences`, as the database plans them.
pub(super) fn alters(
    alterer: &dyn Alterer,
    differences: &[Difference],
    expected: &Schema,
    survey: &Survey,
    stock: &Stock<'_>,
) -> Vec<Planned> {
    let wanted = wanted(differences, survey);
    let request = AlterRequest { differences: &wanted, expected, definitions: &stock.definitions };
    let mut steps = Vec::new();
    let mut rows = Vec::new();
    for alteration in alterer.alterations(&request) {
        // Rows come when every table is there, and before constraints and triggers look at them.
        let is_behind_tables = !matches!(
            alteration.object.kind,
            ObjectKind::Namespace
                | ObjectKind::Type
                | ObjectKind::Domain
                | ObjectKind::Sequence
                | ObjectKind::Function
                | ObjectKind::Table
                | ObjectKind::Column
        );
        if is_behind_tables && alteration.moment != Moment::Before {
            steps.append(&mut rows);
        }
        // What no migration made is put aside because of something that one did.
        let id = {
            let whole = expected.of_owner(alteration.because.owner()).map(|(name, _)| name);
            let mut known = [&alteration.object, &alteration.because].into_iter().chain(whole);
            known.find_map(|object| owner(survey, object, stock))
        };
        let Some(id) = id else { continue };
        let is_new_table = alteration.object.kind == ObjectKind::Table && alteration.action == RepairAction::Add;
        if is_new_table {
            let why = format!("{} gets the rows that its migrations give it", alteration.object);
            let filled = fillings(&alteration.object, stock).into_iter();
            rows.extend(filled.map(|sql| Planned::new(RepairAction::Add, id, why.clone()).sql(sql)));
        }
        let why = alteration.why.clone().unwrap_or_else(|| said(&wanted, &alteration));
        let mut planned = Planned::new(alteration.action, id, why).sql(alteration.sql.clone());
        planned.alteration = Some(alteration);
        steps.push(planned);
    }
    steps.extend(rows);
    steps
}

fn said(differences: &[Difference], alteration: &Alteration) -> String {
    let is_it = |object: &ObjectName| differences.iter().find(|one| one.object == *object);
    let difference = is_it(&alteration.object).or_else(|| is_it(&alteration.because));
    difference.map_or_else(|| format!("{} is not as its migrations make it", alteration.because), ToString::to_string)
}

/// Those that a repair may remove. What no migration made is left to a person, unless one of ours had taken it away, or
/// unless it is a constraint: the table has the shape that its migrations give it, and no row is lost with one.
fn wanted(differences: &[Difference], survey: &Survey) -> Vec<Difference> {
    use DifferenceKind as K;
    let is_wanted = |one: &&Difference| match one.kind {
        K::ColumnExtra | K::SequenceExtra => false,
        K::IndexExtra | K::TriggerExtra | K::PolicyExtra | K::RuleExtra | K::StatisticsExtra => {
            is_dropped_by_ours(survey, &one.object)
        }
        _ => true,
    };
    differences.iter().filter(is_wanted).cloned().collect()
}
