use longshore_core::Timestamp;

use super::state::{JobPage, JobView};
use crate::commands::jobs::{attempts, fact_lines};
use crate::output::table::printable;
use crate::output::wrap::wrapped;

/// Rows at the top and at the bottom that always have the same use: the head, the notice and the keys.
const FRAME_ROWS: usize = 3;

/// How many rows are left for a job between the head and the keys.
pub(super) fn body_rows(rows: usize) -> usize {
    rows.saturating_sub(FRAME_ROWS).max(1)
}

/// The facts or the log of a job, in lines that fit.
pub(super) fn job_lines(view: &JobView, width: usize, now: Timestamp) -> Vec<String> {
    match (view.page, &view.detail) {
        (JobPage::Log, _) if view.log.lines.is_empty() => vec!["this job has logged nothing so far".to_owned()],
        (JobPage::Log, _) => view.log.lines.iter().flat_map(|line| wrapped(&printable(line), width)).collect(),
        (JobPage::Facts, None) => Vec::new(),
        (JobPage::Facts, Some(detail)) => {
            let mut lines: Vec<String> = fact_lines(detail, now).iter().flat_map(|line| wrapped(line, width)).collect();
            if !detail.attempts.is_empty() {
                lines.push(String::new());
                lines.extend(attempts(detail, now).to_lines(width).into_iter().map(|line| line.text));
            }
            lines
        }
    }
}
