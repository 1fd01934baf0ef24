use longshore_migrate::{
    MigrationId,
    files::source::{APP, LONGSHORE},
    ledger::{Form, Row},
    schema::{Difference, DifferenceKind},
    survey::Survey,
};

use crate::SchemaProblem;

/// Whether a survey of the queue's source found its tables as this program supports them.
pub fn judge(survey: &Survey) -> Result<(), SchemaProblem> {
    let own = || survey.standings.iter().filter(|standing| standing.id.source == LONGSHORE);
    let unknown: Vec<MigrationId> = own()
        .filter(|standing| standing.is_applied() && !standing.has_file)
        .map(|standing| standing.id.clone())
        .collect();
    if !unknown.is_empty() {
        return Err(SchemaProblem::Newer { unknown });
    }
    if let Some(takeover) = survey.takeover.as_ref().filter(|takeover| takeover.is_needed) {
        return Err(SchemaProblem::OfAnotherProgram { message: takeover.found.first().cloned().unwrap_or_default() });
    }
    let is_own = |subject: &str| subject.starts_with(LONGSHORE);
    if let Some(finding) = survey.broken().into_iter().find(|finding| is_own(&finding.subject)) {
        return Err(SchemaProblem::HistoryBroken { message: finding.to_string() });
    }
    // Two kinds of disagreement: a migration is applied but not in the ledger, or an object differs.
    if let Some(standing) = own().find(|standing| !standing.is_applied() && !standing.agrees()) {
        let problem = standing.problem.clone().unwrap_or_default();
        return Err(SchemaProblem::Disagrees { message: format!("{}: {problem}", standing.id) });
    }
    let has_app = survey.ledger.rows.iter().any(|row| row.is_applied() && row.id().source == APP);
    let has_others = has_app || survey.ledger.theirs.iter().any(Row::is_applied);
    let counts = |difference: &&Difference| !has_others || !is_addition(difference);
    if let Some(difference) = survey.comparison.differences.iter().find(counts) {
        return Err(SchemaProblem::Disagrees { message: difference.to_string() });
    }
    let pending: Vec<MigrationId> =
        own().filter(|standing| standing.is_pending()).map(|standing| standing.id.clone()).collect();
    if pending.is_empty() {
        return Ok(());
    }
    if own().all(|standing| !standing.is_applied()) && survey.ledger.form == Form::Missing {
        return Err(SchemaProblem::NeverMigrated);
    }
    Err(SchemaProblem::Pending { pending })
}

/// The user's own migrations, or those of another manager, may add to our tables. This source alone cannot tell their
/// additions from other changes. So if there are such migrations, only `verify`, which knows them, judges additions.
fn is_addition(difference: &Difference) -> bool {
    matches!(difference.kind, DifferenceKind::ColumnExtra | DifferenceKind::IndexExtra | DifferenceKind::TriggerExtra)
}
