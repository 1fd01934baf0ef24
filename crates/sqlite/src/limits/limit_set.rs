use std::collections::HashMap;
use std::sync::Arc;

use longshore_core::LimitRule;
use rusqlite::{Connection, Row};

use crate::database::column;

/// The rules in force, as one state of the database has them.
#[derive(Debug, Default)]
pub(crate) struct LimitSet {
    queues: HashMap<String, u32>,
    types: HashMap<String, Arc<TypeLimit>>,
}

/// A type with a rule, or one whose jobs still stand in lanes, or one whose handler was asked to slow down.
#[derive(Debug)]
pub(crate) struct TypeLimit {
    pub(crate) number: i64,
    pub(crate) job_type: String,
    /// Empty if it limits nothing (any more).
    pub(crate) rule: LimitRule,
    pub(crate) revision: i64,
    pub(crate) key_revision: i64,
}

impl TypeLimit {
    /// Whether its new jobs stand in lanes.
    pub(crate) fn has_lanes(&self) -> bool {
        !self.rule.is_empty()
    }

    /// The ids of its lanes are between these.
    pub(crate) const fn lane_bounds(&self) -> (i64, i64) {
        Self::bounds_of(self.number)
    }

    /// The number of the type of a lane.
    pub(crate) const fn number_of(lane: i64) -> i64 {
        lane >> 32
    }

    pub(crate) const fn bounds_of(number: i64) -> (i64, i64) {
        (number << 32, (number + 1) << 32)
    }
}

impl LimitSet {
    pub(crate) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let mut set = Self::default();
        let mut statement = connection.prepare_cached(include_str!("../sql/limits/select_limits.sql"))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            set.add(row)?;
        }
        Ok(set)
    }

    fn add(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        let (scope, name) = (column::text(row, 1)?, column::text(row, 2)?);
        let document = column::optional_text(row, 4)?.or(column::optional_text(row, 3)?);
        // What another program wrote instead of a rule limits nothing.
        let rule: LimitRule = document.map(|document| LimitRule::from_document(&document)).unwrap_or_default();
        if scope == "queue" {
            self.queues.extend(rule.concurrency.map(|concurrency| (name, concurrency)));
            return Ok(());
        }
        let limit = TypeLimit {
            number: column::integer(row, 0)?,
            job_type: name.clone(),
            rule,
            revision: column::integer(row, 5)?,
            key_revision: column::integer(row, 6)?,
        };
        self.types.insert(name, Arc::new(limit));
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queues.is_empty() && self.types.is_empty()
    }

    pub(crate) fn of_type(&self, job_type: &str) -> Option<&Arc<TypeLimit>> {
        self.types.get(job_type)
    }

    pub(crate) fn types(&self) -> impl Iterator<Item = &Arc<TypeLimit>> {
        self.types.values()
    }

    /// How many jobs of the queue may run at once.
    pub(crate) fn of_queue(&self, queue: &str) -> Option<u32> {
        self.queues.get(queue).copied()
    }

    /// The limited queues.
    pub(crate) fn queues(&self) -> impl Iterator<Item = &str> {
        self.queues.keys().map(String::as_str)
    }

    /// Whether a job is under any limit. Such a job is never given to a worker in its own enqueue.
    pub(crate) fn covers(&self, job_type: &str, queue: &str) -> bool {
        self.types.contains_key(job_type) || self.queues.contains_key(queue)
    }
}
