use longshore::schedule::Finding;
use serde::Serialize;

use super::{existing, explained};
use crate::context::Context;
use crate::exit::Exit;

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
    let checked = Checked { ok: findings.is_empty(), findings };
    context.output.result(&checked, |output| {
        for finding in &checked.findings {
            output.line(&finding.message)?;
        }
        if checked.ok { output.line("nothing was missed, and nothing is overdue") } else { Ok(()) }
    })?;
    Ok(if checked.ok { Exit::Done } else { Exit::NotYet })
}
