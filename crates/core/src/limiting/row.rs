use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{KeyPointer, LimitRule, LimitSubject, Rate, Timestamp};

/// A limit and what it holds now. Serialised with the field names of `--json` and HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LimitRow {
    /// What is limited.
    pub scope: LimitScope,
    /// The name of the queue or the type.
    pub name: String,
    /// The key; only of a key.
    pub key: Option<String>,
    /// How many run at once.
    pub concurrency: Option<u32>,
    /// How many run: leases that workers hold, started or not.
    pub running: u64,
    /// How many could be claimed now if there were room. Counted up to [`LimitRow::WAITING_MAX`].
    pub waiting: u64,
    /// How often they start.
    pub rate: Option<Rate>,
    /// How many may start at once; 1 for a rate without a burst.
    pub burst: Option<u32>,
    /// When the next one may start, because the rate is spent or a handler was asked to slow down. None if one may start
    /// now.
    pub opens_at: Option<Timestamp>,
    /// The turns of the key, where others have one; only of a key.
    pub weight: Option<u32>,
    /// Where the payload has the key; only of a type.
    pub key_pointer: Option<KeyPointer>,
    /// How many of one key run at once; only of a type.
    pub key_concurrency: Option<u32>,
    /// How often those of one key start; only of a type.
    pub key_rate: Option<Rate>,
    /// The keys whose turns differ from 1; only of a type.
    pub weights: BTreeMap<String, u32>,
    /// Where the rule comes from. None if there is no rule: a handler was asked to slow down.
    pub source: Option<LimitSource>,
}

impl LimitRow {
    /// As far as waiting jobs are counted.
    pub const WAITING_MAX: u32 = 1000;

    /// The limit of a queue or a type that holds nothing and is open.
    pub fn of_rule(subject: &LimitSubject, rule: &LimitRule, source: Option<LimitSource>) -> Self {
        Self {
            scope: subject.scope(),
            name: subject.name().to_owned(),
            key: None,
            concurrency: rule.concurrency,
            running: 0,
            waiting: 0,
            rate: rule.rate,
            burst: rule.rate.map(|_| rule.burst.unwrap_or(1)),
            opens_at: None,
            weight: None,
            key_pointer: rule.key.clone(),
            key_concurrency: rule.key_concurrency,
            key_rate: rule.key_rate,
            weights: rule.weights.clone(),
            source,
        }
    }

    /// The limit of a key of a type that holds nothing and is open.
    pub fn of_key(job_type: &str, key: &str, rule: &LimitRule, source: Option<LimitSource>) -> Self {
        Self {
            scope: LimitScope::Key,
            name: job_type.to_owned(),
            key: Some(key.to_owned()),
            concurrency: rule.key_concurrency,
            running: 0,
            waiting: 0,
            rate: rule.key_rate,
            burst: rule.key_rate.map(|_| 1),
            opens_at: None,
            weight: Some(rule.weight(Some(key))),
            key_pointer: None,
            key_concurrency: None,
            key_rate: None,
            weights: BTreeMap::new(),
            source,
        }
    }

    /// Whether all of its places are taken.
    pub fn is_full(&self) -> bool {
        self.concurrency.is_some_and(|concurrency| self.running >= u64::from(concurrency))
    }

    /// Whether nothing may start now.
    pub fn is_saturated(&self) -> bool {
        self.is_full() || self.opens_at.is_some()
    }

    /// Its place in the order of a page.
    pub fn position(&self) -> LimitPosition {
        LimitPosition { scope: self.scope, name: self.name.clone(), key: self.key.clone() }
    }
}

/// What a limit is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitScope {
    /// The jobs of a queue.
    Queue,
    /// The jobs of a type.
    Type,
    /// The jobs of a type with one key.
    Key,
}

/// Where a rule comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitSource {
    /// The configuration or the code of a program.
    Config,
    /// Somebody set it by hand.
    Manual,
}

/// A place in the order of limits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LimitPosition {
    /// The scope.
    pub scope: LimitScope,
    /// The name.
    pub name: String,
    /// The key.
    pub key: Option<String>,
}

/// A page of limits.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
pub struct LimitPage {
    /// The limits.
    pub limits: Vec<LimitRow>,
    /// Where the next page begins, if there is one.
    #[serde(skip)]
    pub next: Option<LimitPosition>,
}
