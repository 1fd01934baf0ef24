use longshore_core::{Job, JobId, JobPage, JobPageRequest, LogEndRequest, LogEntry, LogPage, LogRequest, Selection};

use crate::memory::state::State;

const PAGE_MAX: u32 = 1000;

impl State {
    pub(super) fn jobs(&self, request: &JobPageRequest) -> JobPage {
        let limit = request.limit.clamp(1, PAGE_MAX) as usize;
        let is_after = |job: &&Job| request.after.as_ref().is_none_or(|after| job.id < after.id());
        let mut behind = self.rows.values().rev().map(|row| &row.job).filter(is_after);
        let looked_max = request.looked_max.map_or(usize::MAX, |looked| looked as usize);
        let looked: Vec<&Job> = behind.by_ref().take(looked_max).collect();
        let end = behind.next().and_then(|_| looked.last()).map(|job| job.id.into());
        let mut found = looked.into_iter().filter(|job| is_selected(job, &request.selection));
        let jobs: Vec<Job> = found.by_ref().take(limit).cloned().collect();
        let next = match found.next() {
            Some(_) => jobs.last().map(|job| job.id.into()),
            None => end,
        };
        JobPage { jobs, next }
    }

    pub(super) fn count(&self, selection: &Selection) -> u64 {
        self.rows.values().filter(|row| is_selected(&row.job, selection)).count() as u64
    }

    /// The ids that an action visits: the selected ones, and the listed ones that do not exist.
    pub(super) fn visited(&self, selection: &Selection) -> Vec<JobId> {
        let mut ids = match selection {
            Selection::Jobs(ids) => ids.clone(),
            Selection::Matching(_) => {
                self.rows.values().filter(|row| is_selected(&row.job, selection)).map(|row| row.job.id).collect()
            }
        };
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Whether an action may still change a job that it visits. A missing job is refused.
    pub(super) fn is_still_meant(&self, id: JobId, selection: &Selection) -> bool {
        self.rows.get(&id).is_none_or(|row| is_selected(&row.job, selection))
    }

    pub(super) fn log(&self, request: LogRequest) -> LogPage {
        let Some(row) = self.rows.get(&request.id) else { return LogPage::default() };
        let entries = row
            .log
            .iter()
            .filter(|(place, _)| request.after.is_none_or(|after| **place > after))
            .map(|(_, entry)| entry)
            .filter(|entry| request.attempt.is_none_or(|attempt| entry.attempt == attempt))
            .cloned()
            .collect();
        LogPage { entries }
    }

    pub(super) fn log_end(&self, request: LogEndRequest) -> LogPage {
        let Some(row) = self.rows.get(&request.id) else { return LogPage::default() };
        let (mut entries, mut bytes): (Vec<LogEntry>, usize) = (Vec::new(), 0);
        for entry in row.log.values().rev().filter(|entry| entry.claim_number == request.claim_number) {
            if bytes >= request.bytes_max {
                break;
            }
            bytes += entry.text.len();
            entries.push(entry.clone());
        }
        entries.reverse();
        LogPage { entries }
    }
}

fn is_selected(job: &Job, selection: &Selection) -> bool {
    match selection {
        Selection::Jobs(ids) => ids.contains(&job.id),
        Selection::Matching(filter) => filter.matches(&job.into()),
    }
}
