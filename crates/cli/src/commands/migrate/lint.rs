use longshore_migrate::Exit;

use super::Site;

/// Looks through the files without a database.
pub(super) fn run(site: &Site<'_>) -> anyhow::Result<Exit> {
    let report = site.offline()?.lint()?;
    site.context.output.result(&report, |output| {
        for finding in &report.findings {
            output.line(finding)?;
            if let Some(hint) = &finding.hint {
                output.line(format!("  {hint}"))?;
            }
        }
        if report.findings.is_empty() { output.line("all is well") } else { Ok(()) }
    })?;
    Ok(report.exit())
}
