use serde::Serialize;

use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::doctor::{Finding, examine, programs};
use crate::error_report::ErrorReport;
use crate::exit::Exit;
use crate::output::table::one_line;

/// The findings of `doctor`.
#[derive(Serialize)]
struct Diagnosis {
    ok: bool,
    findings: Vec<Finding>,
    /// How long ended jobs are kept by this configuration.
    retention: String,
}

/// Checks for common problems. A schema that this version does not support is also a finding here, and keeps its own
/// exit code.
pub(crate) fn run(context: &Context) -> anyhow::Result<Exit> {
    let config = context.config()?;
    let configured = config.worked_types().cloned().collect();
    let facts = context.block_on(async {
        let database = Database::open(context, Prepare::Nothing).await?;
        let (mut findings, now) = examine(&database, &configured).await?;
        findings.extend(programs::examine(&database, &config).await?);
        Ok((findings, now))
    });
    let (findings, exit) = match facts {
        Ok((findings, _)) => (findings, Exit::NotYet),
        Err(error) => schema_finding(error)?,
    };
    let retention = config.worker.retention_words();
    let diagnosis = Diagnosis { ok: findings.is_empty(), findings, retention };
    tell(context, &diagnosis)?;
    Ok(if diagnosis.ok { Exit::Done } else { exit })
}

fn schema_finding(error: anyhow::Error) -> anyhow::Result<(Vec<Finding>, Exit)> {
    let report = ErrorReport::of(&error);
    let code = match report.exit {
        Exit::SchemaDisagrees => "schema_disagrees",
        Exit::HistoryBroken => "history_broken",
        _ => return Err(error),
    };
    let hint = report.hint.unwrap_or_else(|| "longshore migrate status".to_owned());
    Ok((vec![Finding::new(code, report.message, hint)], report.exit))
}

fn tell(context: &Context, diagnosis: &Diagnosis) -> anyhow::Result<()> {
    context.output.result(diagnosis, |output| {
        for finding in &diagnosis.findings {
            let [message, hint] = [&finding.message, &finding.hint].map(|text| one_line(text, usize::MAX));
            output.line(format!("{message}\n  {hint}"))?;
        }
        if diagnosis.ok {
            output.line("no problems found")?;
        }
        output.line(&diagnosis.retention)
    })?;
    Ok(())
}
