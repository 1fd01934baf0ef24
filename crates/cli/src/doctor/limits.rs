use longshore_core::{Health, LimitRow, LimitScope, LimitSelection, LimitsRequest};
use longshore_report::{LimitProblem, LimitProblemKind};

use super::Finding;
use crate::database::Database;
use crate::output::quoted::argument;

/// How many limits are looked at.
const LOOKED_AT: u32 = 1000;
/// How many problems of one kind are told.
const TOLD_MAX: usize = 5;

/// Limits whose jobs wait for a long time, or that are closed for one.
pub(super) async fn examine(database: &Database, health: &Health) -> anyhow::Result<Vec<Finding>> {
    let request = LimitsRequest { selection: LimitSelection::Saturated, after: None, limit: LOOKED_AT };
    Ok(judge(&database.limit_page(request).await?.limits, health))
}

/// Finds problems in the limits where nothing can start now.
pub(super) fn judge(saturated: &[LimitRow], health: &Health) -> Vec<Finding> {
    let problems = LimitProblem::all_of(saturated, health);
    let (closed, behind): (Vec<&LimitProblem>, Vec<&LimitProblem>) =
        problems.iter().partition(|problem| matches!(problem.kind, LimitProblemKind::Closed(_)));
    closed.into_iter().take(TOLD_MAX).chain(behind.into_iter().take(TOLD_MAX)).map(of_problem).collect()
}

fn of_problem(problem: &LimitProblem) -> Finding {
    let show = show(&problem.limit);
    let hint = match problem.kind {
        LimitProblemKind::Closed(_) => format!("see {show}; setting or unsetting its limit opens it"),
        LimitProblemKind::FallsBehind(_) => {
            format!("see {show}; raise the limit if more of them may run at once or start")
        }
    };
    Finding::new(problem.code(), problem.to_string(), hint)
}

fn show(row: &LimitRow) -> String {
    let scope = if row.scope == LimitScope::Queue { "queue" } else { "type" };
    format!("longshore limits show --{scope} {}", argument(&row.name))
}
