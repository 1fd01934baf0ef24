use std::collections::BTreeSet;

use longshore_core::{
    Job, LimitPage, LimitRow, LimitRule, LimitScope, LimitSelection, LimitSource, LimitSubject, LimitsRequest, Status,
    Timestamp,
};

use super::bounds::is_ready;
use crate::memory::state::State;

impl State {
    pub(super) fn limit_page(&self, request: &LimitsRequest, now: Timestamp) -> LimitPage {
        let mut rows = self.limit_rows(now);
        rows.retain(|row| match &request.selection {
            LimitSelection::All => true,
            LimitSelection::Rules => row.scope != LimitScope::Key,
            LimitSelection::Saturated => row.is_saturated(),
            LimitSelection::Of(LimitSubject::Queue(name)) => row.scope == LimitScope::Queue && row.name == *name,
            LimitSelection::Of(LimitSubject::Type(name)) => row.scope != LimitScope::Queue && row.name == *name,
        });
        rows.retain(|row| request.after.as_ref().is_none_or(|after| row.position() > *after));
        let has_more = rows.len() > request.limit as usize;
        rows.truncate(request.limit as usize);
        let next = rows.last().filter(|_| has_more).map(LimitRow::position);
        LimitPage { limits: rows, next }
    }

    fn limit_rows(&self, now: Timestamp) -> Vec<LimitRow> {
        let book = &self.limit_book;
        let mut subjects: BTreeSet<LimitSubject> = book.configured.keys().chain(book.manual.keys()).cloned().collect();
        let closed = book.types.keys().filter(|name| self.type_opens_at(name, now).is_some());
        subjects.extend(closed.map(|name| LimitSubject::Type(name.clone())));
        let mut rows: Vec<LimitRow> = subjects.iter().map(|subject| self.limit_row(subject, now)).collect();
        for subject in &subjects {
            let LimitSubject::Type(job_type) = subject else { continue };
            let Some((rule, source)) = book.rule(subject).filter(|(rule, _)| rule.key.is_some()) else { continue };
            for key in self.keys_of(job_type) {
                rows.push(self.key_row(job_type, &key, rule, source, now));
            }
        }
        rows
    }

    fn limit_row(&self, subject: &LimitSubject, now: Timestamp) -> LimitRow {
        let (rule, source) = match self.limit_book.rule(subject) {
            Some((rule, source)) => (rule.clone(), Some(source)),
            None => (LimitRule::default(), None),
        };
        let is_meant = |job: &Job| match subject {
            LimitSubject::Queue(queue) => job.queue == *queue,
            LimitSubject::Type(job_type) => job.job_type == *job_type,
        };
        let opens_at = match subject {
            LimitSubject::Queue(_) => None,
            LimitSubject::Type(job_type) => self.type_opens_at(job_type, now),
        };
        let (running, waiting) = (self.count_running(is_meant), self.count_ready(is_meant));
        LimitRow { running, waiting, opens_at, ..LimitRow::of_rule(subject, &rule, source) }
    }

    fn key_row(&self, job_type: &str, key: &str, rule: &LimitRule, source: LimitSource, now: Timestamp) -> LimitRow {
        let is_meant = |job: &Job| job.job_type == job_type && self.limit_book.key_of(job) == key;
        let (running, waiting) = (self.count_running(is_meant), self.count_ready(is_meant));
        let opens_at = self.key_opens_at(job_type, key, now);
        LimitRow { running, waiting, opens_at, ..LimitRow::of_key(job_type, key, rule, Some(source)) }
    }

    fn count_ready(&self, is_meant: impl Fn(&Job) -> bool) -> u64 {
        let ready = self.rows.values().filter(|row| is_ready(row) && is_meant(&row.job)).count() as u64;
        ready.min(u64::from(LimitRow::WAITING_MAX))
    }

    /// The keys with jobs that run or wait.
    fn keys_of(&self, job_type: &str) -> BTreeSet<String> {
        let rows = self.rows.values().filter(|row| row.job.job_type == job_type);
        let busy = rows.filter(|row| is_ready(row) || row.job.status == Status::Running);
        busy.map(|row| self.limit_book.key_of(&row.job)).filter(|key| !key.is_empty()).collect()
    }

    /// The limits that a waiting job is under.
    pub(in crate::memory) fn limits_of(&self, job: &Job, now: Timestamp) -> Vec<LimitRow> {
        if job.status.is_ended() || job.status == Status::Running {
            return Vec::new();
        }
        let key = self.limit_book.key_of(job);
        let is_over = |row: &LimitRow| match row.scope {
            LimitScope::Queue => row.name == job.queue,
            LimitScope::Type => row.name == job.job_type,
            LimitScope::Key => row.name == job.job_type && row.key.as_deref() == Some(key.as_str()),
        };
        self.limit_rows(now).into_iter().filter(is_over).collect()
    }

    /// How many other lanes of its type and queue have their turn before that of a job that could run now.
    pub(in crate::memory) fn keys_ahead(&self, job: &Job, now: Timestamp) -> u32 {
        if self.limit_book.of_type(&job.job_type).is_none() {
            return 0;
        }
        let own_key = self.limit_book.key_of(job);
        let (own, ahead) = self.lane_places(job, &own_key, now);
        ahead.into_iter().filter(|place| *place < own).count() as u32
    }
}
