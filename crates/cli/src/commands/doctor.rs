use longshore_migrate::Agreement;
use longshore_migrate::report::StatusReport;
use serde::Serialize;

use super::enqueue::misspelt_of_schedules;
use super::migrate;
use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::doctor::{Finding, examine, programs};
use crate::error_report::ErrorReport;
use crate::error_report::migration::of_next_step;
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
        let misspelt = misspelt_of_schedules(&database, &config, &config.types_of_schedules()).await;
        findings.extend(misspelt.into_iter().map(of_misspelt));
        Ok((findings, now))
    });
    let (mut findings, exit) = match facts {
        Ok((findings, _)) => with_application(context, findings),
        Err(error) => schema_finding(error)?,
    };
    for finding in &mut findings {
        finding.hint = context.output.hint(&finding.hint);
    }
    let retention = config.worker.retention_words();
    let diagnosis = Diagnosis { ok: findings.is_empty(), findings, retention };
    // A database that cannot be used has other worries, and a choice of the user needs no reminder.
    let is_default = config.worker.retention.is_none() || config.worker.dead_letter_retention.is_none();
    let retention = (diagnosis.ok || exit == Exit::NotYet) && is_default;
    tell(context, &diagnosis, retention.then_some(&diagnosis.retention))?;
    Ok(if diagnosis.ok { Exit::Done } else { exit })
}

fn of_misspelt(sentence: String) -> Finding {
    Finding::new("misspelt_schedule", sentence, "correct job in [schedules.NAME], or declare the type")
}

/// Adds what is wrong with the application's own migrations. One that waits to be applied is nothing wrong.
fn with_application(context: &Context, mut findings: Vec<Finding>) -> (Vec<Finding>, Exit) {
    if findings.iter().any(|finding| finding.code == "database_unreachable") {
        return (findings, Exit::NotYet);
    }
    let (found, exit) = match migrate::of_application(context) {
        Ok(report) => report.as_ref().and_then(of_application).unzip(),
        // What it takes to look is more than the other checks need, on PostgreSQL the right to create a schema.
        Err(error) => {
            let report = ErrorReport::of(&error);
            let hint = report.hint.unwrap_or_else(|| "longshore migrate status".to_owned());
            let message = format!("the application's migrations cannot be checked: {}", report.message);
            (Some(Finding::new("migrations_unchecked", message, hint)), None)
        }
    };
    findings.extend(found);
    (findings, exit.unwrap_or(Exit::NotYet))
}

fn of_application(report: &StatusReport) -> Option<(Finding, Exit)> {
    let agreement = report.agreement();
    let code = match agreement {
        Agreement::HistoryBroken => "history_broken",
        Agreement::SchemaDisagrees => "schema_disagrees",
        Agreement::InOrder | Agreement::Pending => return None,
    };
    let broken = report.findings.iter().find(|finding| finding.kind.breaks_history()).map(ToString::to_string);
    let differing = report.differences.first().map(migrate::discrepancy_in_words);
    let message = broken.or(differing).unwrap_or_else(|| "the migrations and the schema disagree".to_owned());
    let hint = report.next.as_ref().and_then(of_next_step);
    let hint = hint.unwrap_or_else(|| "longshore migrate status".to_owned());
    Some((Finding::new(code, message, hint), agreement.into()))
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

fn tell(context: &Context, diagnosis: &Diagnosis, retention: Option<&String>) -> anyhow::Result<()> {
    context.output.result(diagnosis, |output| {
        for finding in &diagnosis.findings {
            let [message, hint] = [&finding.message, &finding.hint].map(|text| one_line(text, usize::MAX));
            output.line(format!("{message}\n  {hint}"))?;
        }
        if diagnosis.ok {
            output.line("no problems found")?;
        }
        retention.map_or(Ok(()), |words| output.line(words))
    })?;
    Ok(())
}
