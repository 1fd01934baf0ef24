use std::sync::Arc;

use longshore_core::{
    Job, JobFacts, LimitPage, LimitPosition, LimitRow, LimitScope, LimitSelection, LimitSubject, LimitsRequest,
    Timestamp,
};
use postgres_types::Type;
use tokio_postgres::Error;

use super::row::{StoredLimit, key_row, limit_row};
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};
use crate::store::Parts;
use crate::upkeep::stats::now;

/// How many keys one statement reads, at most.
const KEYS_MAX: usize = 1000;
const WAITING_MAX: i64 = LimitRow::WAITING_MAX as i64;

/// A page of limits, as one snapshot sees them.
pub(super) async fn page(parts: Arc<Parts>, request: LimitsRequest) -> Result<LimitPage, Fault> {
    let transaction = parts.pool.begin_reading().await?;
    let now = now(&transaction).await?;
    let (types, queues): (Option<Vec<&str>>, Option<Vec<&str>>) = match &request.selection {
        LimitSelection::Of(LimitSubject::Type(name)) => (Some(vec![name]), Some(Vec::new())),
        LimitSelection::Of(LimitSubject::Queue(name)) => (Some(Vec::new()), Some(vec![name])),
        LimitSelection::All | LimitSelection::Rules | LimitSelection::Saturated => (None, None),
    };
    let stored = limits(&transaction, types.as_deref(), queues.as_deref(), now).await?;
    let wanted = usize::try_from(request.limit.clamp(1, 1000)).unwrap_or(1000);
    // One more says whether there is another page.
    let mut selected = Selected { request: &request, rows: Vec::new(), wanted: wanted + 1 };
    stored.iter().for_each(|stored| selected.add(&stored.row));
    let mut after = match &request.after {
        Some(LimitPosition { scope: LimitScope::Key, name, key }) => (name.clone(), key.clone().unwrap_or_default()),
        _ => (String::new(), String::new()),
    };
    let has_keys = |stored: &&StoredLimit| request.selection != LimitSelection::Rules && stored.rule.key.is_some();
    let keyed: Vec<&StoredLimit> = stored.iter().filter(has_keys).collect();
    // Few keys are saturated; otherwise nearly every one that is read is shown.
    let step = if request.selection == LimitSelection::Saturated { KEYS_MAX } else { KEYS_MAX.min(wanted + 1) };
    while !keyed.is_empty() && !selected.is_full() {
        let keys = keys(&transaction, &keyed, &after, step, now).await?;
        keys.iter().for_each(|row| selected.add(row));
        match keys.last() {
            Some(last) if keys.len() == step => {
                after = (last.name.clone(), last.key.clone().unwrap_or_default());
            }
            _ => break,
        }
    }
    transaction.commit().await?;
    let mut limits = selected.rows;
    let has_more = limits.len() > wanted;
    limits.truncate(wanted);
    let next = limits.last().filter(|_| has_more).map(LimitRow::position);
    Ok(LimitPage { limits, next })
}

/// The limits that a job is under: of its queue, its type and its key.
pub(crate) async fn limits_of(session: &Session, job: &Job, now: Timestamp) -> Result<Vec<LimitRow>, Error> {
    let (types, queues) = ([job.job_type.as_str()], [job.queue.as_str()]);
    let stored = limits(session, Some(&types), Some(&queues), now).await?;
    let mut rows: Vec<LimitRow> = stored.iter().map(|stored| stored.row.clone()).collect();
    for of_type in &stored {
        let Some(pointer) = &of_type.rule.key else { continue };
        let Some(key) = job.limit_key.clone().or_else(|| pointer.key_of(&job.job_data)) else { continue };
        let parameters: [Parameter<'_>; 3] =
            [(&job.job_type, Type::TEXT), (&key, Type::TEXT), (&WAITING_MAX, Type::INT8)];
        if let Some(row) = session.query_opt(sql!("limiting/select_key"), &parameters).await? {
            rows.push(key_row(&mut Columns::of(&row), of_type, now)?);
        }
    }
    Ok(rows)
}

/// How many other keys have their turn before that of a ready job, and how many jobs of its key come first. None if the
/// keys of its type do not take turns.
pub(crate) async fn count_turns_ahead(
    session: &Session,
    job: &Job,
    limits: &[LimitRow],
) -> Result<Option<(u32, u32)>, Error> {
    let of_type = limits.iter().find(|limit| limit.scope == LimitScope::Type);
    let Some(pointer) = of_type.and_then(|limit| limit.key_pointer.as_ref()) else { return Ok(None) };
    let (pointer, at_most) = (pointer.as_str(), i64::from(JobFacts::AHEAD_MAX));
    let parameters: [Parameter<'_>; 3] = [(&job.id.0, Type::INT8), (&pointer, Type::TEXT), (&at_most, Type::INT8)];
    let Some(row) = session.query_opt(sql!("limiting/count_turns_ahead"), &parameters).await? else { return Ok(None) };
    let columns = &mut Columns::of(&row);
    let count = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(Some((count(columns.read()?), count(columns.read()?))))
}

/// The rows of a page, in order.
struct Selected<'r> {
    request: &'r LimitsRequest,
    rows: Vec<LimitRow>,
    wanted: usize,
}

impl Selected<'_> {
    fn add(&mut self, row: &LimitRow) {
        let is_behind = self.request.after.as_ref().is_none_or(|after| row.position() > *after);
        let is_of_selection = match self.request.selection {
            LimitSelection::Saturated => row.is_saturated(),
            LimitSelection::All | LimitSelection::Rules | LimitSelection::Of(_) => true,
        };
        // A limit that holds nothing and has no rule is only not removed yet.
        let is_there = row.source.is_some() || row.opens_at.is_some();
        if is_behind && is_of_selection && is_there && !self.is_full() {
            self.rows.push(row.clone());
        }
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= self.wanted
    }
}

async fn limits(
    session: &Session,
    types: Option<&[&str]>,
    queues: Option<&[&str]>,
    now: Timestamp,
) -> Result<Vec<StoredLimit>, Error> {
    let parameters: [Parameter<'_>; 3] =
        [(&types, Type::TEXT_ARRAY), (&queues, Type::TEXT_ARRAY), (&WAITING_MAX, Type::INT8)];
    let rows = session.query(sql!("limiting/select_limits"), &parameters).await?;
    rows.iter().map(|row| limit_row(row, now)).collect()
}

async fn keys(
    session: &Session,
    of: &[&StoredLimit],
    after: &(String, String),
    limit: usize,
    now: Timestamp,
) -> Result<Vec<LimitRow>, Error> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let types: Vec<&str> = of.iter().map(|stored| stored.row.name.as_str()).collect();
    let pointers: Vec<&str> =
        of.iter().map(|stored| stored.rule.key.as_ref().map_or("", |pointer| pointer.as_str())).collect();
    let (after_type, after_key) = after;
    let parameters: [Parameter<'_>; 6] = [
        (&types, Type::TEXT_ARRAY),
        (&pointers, Type::TEXT_ARRAY),
        (after_type, Type::TEXT),
        (after_key, Type::TEXT),
        (&limit, Type::INT8),
        (&WAITING_MAX, Type::INT8),
    ];
    let mut rows = Vec::new();
    for row in session.query(sql!("limiting/select_keys"), &parameters).await? {
        let columns = &mut Columns::of(&row);
        let job_type: &str = columns.read()?;
        let Some(of) = of.iter().find(|stored| stored.row.name == job_type) else { continue };
        rows.push(key_row(columns, of, now)?);
    }
    Ok(rows)
}
