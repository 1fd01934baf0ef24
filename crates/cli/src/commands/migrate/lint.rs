use super::{Site, print_skipped};

use crate::error_report::migration::with_commands;
use crate::exit::Exit;

/// Checks the migration files without a database.
pub(super) fn run(site: &Site<'_>) -> anyhow::Result<Exit> {
    let mut report = site.offline()?.lint()?;
    with_commands(&site.context.output, &mut report.findings);
    site.context.output.result(&report, |output| {
        for finding in &report.findings {
            output.line(finding)?;
            if let Some(hint) = &finding.hint {
                output.line(format!("  {hint}"))?;
            }
        }
        print_skipped(output, &report.skipped)?;
        if report.findings.is_empty() { output.line("no problems found") } else { Ok(()) }
    })?;
    Ok(report.agreement().into())
}
