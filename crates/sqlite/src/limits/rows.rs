//! The limits as people see them.

use longshore_core::{
    Arrival, Job, JobFacts, LimitPage, LimitPosition, LimitRow, LimitRule, LimitScope, LimitSelection, LimitSource,
    LimitSubject, LimitsRequest, Status, Timestamp,
};
use rusqlite::{Connection, OptionalExtension, params};

use crate::database::column;
use crate::limits::change::words;
use crate::limits::limit_set::TypeLimit;

/// How many keys one page looks at, most of which may not be saturated.
const KEYS_MAX: usize = 10_000;
const WAITING_MAX: u32 = LimitRow::WAITING_MAX;

/// A page of limits.
pub(crate) fn page(connection: &Connection, request: &LimitsRequest, now: Timestamp) -> rusqlite::Result<LimitPage> {
    let limit = request.limit.clamp(1, 1000) as usize;
    let (mut page, mut looked_at) = (LimitPage::default(), 0);
    let is_behind = |position: &LimitPosition| request.after.as_ref().is_none_or(|after| position > after);
    let is_asked = |row: &LimitRow| request.selection != LimitSelection::Saturated || row.is_saturated();
    let mut subjects = Limits::read(connection, &request.selection)?;
    subjects.sort_by_key(Limits::position);
    for subject in &subjects {
        let position = subject.position();
        if !is_behind(&position) {
            continue;
        }
        let row = subject.row(connection, now)?;
        if row.source.is_some() || row.opens_at.is_some() {
            page.limits.extend(Some(row).filter(is_asked));
        }
        if page.limits.len() >= limit {
            page.next = Some(position);
            return Ok(page);
        }
    }
    if request.selection == LimitSelection::Rules {
        return Ok(page);
    }
    for subject in subjects.iter().filter(|subject| subject.rule.key.is_some()) {
        let mut key = match &request.after {
            Some(after) if after.scope == LimitScope::Key && after.name == subject.name() => {
                after.key.clone().unwrap_or_default()
            }
            Some(after) if after.scope == LimitScope::Key && after.name.as_str() > subject.name() => continue,
            _ => String::new(),
        };
        while let Some(next) = next_key(connection, subject.name(), &key)? {
            let row = subject.key_row(connection, &next, now)?;
            let position = row.position();
            if row.running > 0 || row.waiting > 0 {
                page.limits.extend(Some(row).filter(is_asked));
            }
            looked_at += 1;
            if page.limits.len() >= limit || looked_at >= KEYS_MAX {
                page.next = Some(position);
                return Ok(page);
            }
            key = next;
        }
    }
    Ok(page)
}

/// A queue or a type, with its rule and the state of its rate.
struct Limits {
    subject: LimitSubject,
    number: i64,
    rule: LimitRule,
    source: Option<LimitSource>,
    arrival: Arrival,
    closed_until: Option<Timestamp>,
}

impl Limits {
    fn read(connection: &Connection, selection: &LimitSelection) -> rusqlite::Result<Vec<Self>> {
        let (scope, name) = match selection {
            LimitSelection::Of(subject) => {
                let (scope, name) = words(subject);
                (Some(scope), Some(name))
            }
            LimitSelection::All | LimitSelection::Rules | LimitSelection::Saturated => (None, None),
        };
        connection
            .prepare_cached(include_str!("../sql/limits/select_limit_rows.sql"))?
            .query_map(params![scope, name], |row| {
                let (configured, manual) = (column::optional_text(row, 3)?, column::optional_text(row, 4)?);
                let source = match (&manual, &configured) {
                    (Some(_), _) => Some(LimitSource::Manual),
                    (None, Some(_)) => Some(LimitSource::Config),
                    (None, None) => None,
                };
                let rule = manual.or(configured).map(|document| LimitRule::from_document(&document));
                let (scope, name) = (column::text(row, 1)?, column::text(row, 2)?);
                Ok(Self {
                    subject: if scope == "queue" { LimitSubject::Queue(name) } else { LimitSubject::Type(name) },
                    number: column::integer(row, 0)?,
                    rule: rule.unwrap_or_default(),
                    source,
                    arrival: Arrival(column::integer(row, 5)?),
                    closed_until: column::optional_timestamp(row, 6)?,
                })
            })?
            .collect()
    }

    fn name(&self) -> &str {
        self.subject.name()
    }

    fn position(&self) -> LimitPosition {
        LimitPosition { scope: self.subject.scope(), name: self.name().to_owned(), key: None }
    }

    fn row(&self, connection: &Connection, now: Timestamp) -> rusqlite::Result<LimitRow> {
        let count = |sql: &str, params: &[&dyn rusqlite::ToSql]| -> rusqlite::Result<u64> {
            connection
                .prepare_cached(sql)?
                .query_row(params, |row| row.get::<_, i64>(0))
                .map(|count| count.max(0) as u64)
        };
        let (running, waiting) = if self.subject.scope() == LimitScope::Queue {
            let running: Option<i64> = connection
                .prepare_cached(include_str!("../sql/limits/select_depth.sql"))?
                .query_row([self.name(), Status::Running.as_str()], |row| column::integer(row, 0))
                .optional()?;
            let sql = include_str!("../sql/limits/count_waiting_in_queue.sql");
            (running.unwrap_or(0).max(0) as u64, count(sql, &[&self.name(), &WAITING_MAX])?)
        } else {
            let (from, to) = self.lane_bounds();
            let running = match self.rule.is_empty() {
                true => count(include_str!("../sql/limits/count_running_by_type.sql"), &[&self.name()])?,
                false => count(include_str!("../sql/limits/count_running_of_type.sql"), &[&from, &to, &i64::MAX])?,
            };
            let sql = include_str!("../sql/limits/count_waiting_of_type.sql");
            (running, count(sql, &[&from, &to, &self.name(), &WAITING_MAX])?)
        };
        let paced = self.rule.pace().and_then(|pace| pace.opens_at(self.arrival, now));
        let opens_at = paced.max(self.closed_until.filter(|until| *until > now));
        Ok(LimitRow { running, waiting, opens_at, ..LimitRow::of_rule(&self.subject, &self.rule, self.source) })
    }

    fn key_row(&self, connection: &Connection, key: &str, now: Timestamp) -> rusqlite::Result<LimitRow> {
        let (running, waiting, arrival, closed_until) = connection
            .prepare_cached(include_str!("../sql/limits/select_key_counts.sql"))?
            .query_row(params![self.name(), key, WAITING_MAX], |row| {
                let arrival = Arrival(column::integer(row, 2)?);
                Ok((column::size(row, 0)?, column::size(row, 1)?, arrival, column::optional_timestamp(row, 3)?))
            })?;
        let paced = self.rule.key_pace().and_then(|pace| pace.opens_at(arrival, now));
        let opens_at = paced.max(closed_until.filter(|until| *until > now));
        Ok(LimitRow { running, waiting, opens_at, ..LimitRow::of_key(self.name(), key, &self.rule, self.source) })
    }

    fn lane_bounds(&self) -> (i64, i64) {
        TypeLimit::bounds_of(self.number)
    }
}

fn next_key(connection: &Connection, job_type: &str, after: &str) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached(include_str!("../sql/limits/select_next_key.sql"))?
        .query_row([job_type, after], |row| column::text(row, 0))
        .optional()
}

/// Adds to the facts of a waiting job what its limits say.
pub(crate) fn add_facts(connection: &Connection, facts: &mut JobFacts, now: Timestamp) -> rusqlite::Result<()> {
    if facts.job.status.is_ended() || facts.job.status == Status::Running {
        return Ok(());
    }
    let job = &facts.job;
    let subjects = [LimitSubject::Queue(job.queue.clone()), LimitSubject::Type(job.job_type.clone())];
    let lane = LaneOfJob::read(connection, job)?;
    for subject in subjects {
        for limits in Limits::read(connection, &LimitSelection::Of(subject))? {
            let row = limits.row(connection, now)?;
            if row.source.is_some() || row.opens_at.is_some() {
                facts.limits.push(row);
            }
            if let Some(lane) = lane.as_ref().filter(|lane| limits.rule.key.is_some() && !lane.key.is_empty()) {
                facts.limits.push(limits.key_row(connection, &lane.key, now)?);
            }
        }
    }
    if let Some(lane) = lane.filter(|_| JobFacts::is_claimable(&facts.job, now)) {
        (facts.ahead, facts.keys_ahead) = lane.ahead(connection, &facts.job)?;
    }
    Ok(())
}

struct LaneOfJob {
    id: i64,
    key: String,
    head_priority: i64,
    turn: i64,
}

impl LaneOfJob {
    fn read(connection: &Connection, job: &Job) -> rusqlite::Result<Option<Self>> {
        connection
            .prepare_cached(include_str!("../sql/limits/select_lane_of_job.sql"))?
            .query_row([job.id.0], |row| {
                Ok(Self {
                    id: column::integer(row, 0)?,
                    key: column::text(row, 3)?,
                    head_priority: column::integer(row, 4)?,
                    turn: column::integer(row, 5)?,
                })
            })
            .optional()
    }

    /// How many jobs of the lane come first, and how many other lanes have their turn first.
    fn ahead(&self, connection: &Connection, job: &Job) -> rusqlite::Result<(u32, u32)> {
        let max = JobFacts::AHEAD_MAX;
        let jobs = connection
            .prepare_cached(include_str!("../sql/limits/count_ahead_in_lane.sql"))?
            .query_row(params![self.id, job.priority.0, job.id.0, max], |row| column::count(row, 0))?;
        let keys = connection
            .prepare_cached(include_str!("../sql/limits/count_lanes_ahead.sql"))?
            .query_row(params![job.job_type, job.queue, self.head_priority, self.turn, self.key, max], |row| {
                column::count(row, 0)
            })?;
        Ok((jobs, keys))
    }
}
