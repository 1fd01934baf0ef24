use std::collections::VecDeque;

use longshore_core::{IdRange, Job, JobId, JobPage, PageCursor, Timestamp};

/// The jobs of one database for a page over all.
pub(crate) struct Part {
    pub(crate) range: IdRange,
    /// Where it began.
    pub(crate) after: Option<JobId>,
    pub(crate) page: JobPage,
}

/// A page of the newest jobs of all parts. Each part keeps its order; of their first jobs the newest comes next.
pub(crate) fn merge(parts: Vec<Part>, limit: usize) -> JobPage {
    let mut runs: Vec<Run> = parts.into_iter().map(Run::of).collect();
    let mut jobs = Vec::new();
    while jobs.len() < limit {
        let newest = runs.iter_mut().filter(|run| !run.jobs.is_empty()).max_by_key(|run| run.key());
        let Some(job) = newest.and_then(Run::take) else { break };
        jobs.push(job);
    }
    let has_more = runs.iter().any(|run| run.next.is_some() || !run.jobs.is_empty());
    let next = if has_more { PageCursor::behind(runs.iter().map(Run::end)) } else { None };
    JobPage { jobs, next }
}

struct Run {
    jobs: VecDeque<Job>,
    /// The last job that was taken, or where the run began.
    last: JobId,
    /// Where the next page of its database begins. It lies behind the last job if the database stopped to look.
    next: Option<JobId>,
}

impl Run {
    fn of(part: Part) -> Self {
        let Part { range, after, page } = part;
        let jobs = VecDeque::from(page.jobs);
        // Jobs that are enqueued from now on come before all pages. Without any job the run is at its end.
        let first = jobs.front().map_or(range.before_first() + 1, |job| job.id.0 + 1);
        Self { jobs, last: after.unwrap_or(JobId(first)), next: page.next.map(|next| next.id()) }
    }

    fn end(&self) -> JobId {
        if self.jobs.is_empty() { self.next.unwrap_or(self.last) } else { self.last }
    }

    fn key(&self) -> Option<(Timestamp, JobId)> {
        self.jobs.front().map(|job| (job.created_at, job.id))
    }

    fn take(&mut self) -> Option<Job> {
        let job = self.jobs.pop_front()?;
        self.last = job.id;
        Some(job)
    }
}
