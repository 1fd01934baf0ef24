use longshore::schedule::Finding;
use serde::Serialize;

use super::{existing, explained, warn_of_types};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::table::one_line;

/// The findings in JSON.
#[derive(Serialize)]
struct Checked {
    ok: bool,
    findings: Vec<Finding>,
}

/// Says what was missed, and what is overdue.
pub(super) async fn check(context: &Context, name: Option<&str>) -> anyhow::Result<Exit> {
    let database = existing(context).await?;
    let findings = match database.queue().schedules().check(name).await {
        Ok(findings) => findings,
        Err(error) => return Err(explained(&database, error).await),
    };
    warn_of_types(context, &database, &context.config()?.types_of_schedules()).await?;
    let is_whole = database.unreachable().is_empty();
    let checked = Checked { ok: findings.is_empty(), findings };
    context.output.result(&checked, |output| {
        for finding in &checked.findings {
            output.line(one_line(&finding.message, usize::MAX))?;
        }
        if !checked.ok {
            return Ok(());
        }
        let of_those = if is_whole { "" } else { " in the databases that answer" };
        output.line(format!("nothing was missed, and nothing is overdue{of_those}"))
    })?;
    // A database that is left out may have missed ticks, too, so this comes before what was found.
    match database.exit_when_shown(context) {
        Exit::Done if !checked.ok => Ok(Exit::NotYet),
        shown => Ok(shown),
    }
}
