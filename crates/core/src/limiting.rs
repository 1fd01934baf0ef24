pub(crate) mod arrival;
pub(crate) mod key_pointer;
pub(crate) mod rate;
pub(crate) mod row;
pub(crate) mod rule;

use std::fmt;

use crate::{LimitPage, LimitPosition, LimitRule, LimitSubject, StoreFuture};

/// The limits of a database: how many jobs of a queue, a type or a key run at once, and how often they start.
///
/// A job holds its place while its row is `running`, so nothing has to be released: the commit that ends or takes back
/// the job frees the place. The rules in the database rule for every process and host. A program applies its own rules
/// only when it starts, and a rule that was set by hand wins over them until it is unset.
///
/// A claim gives at most what is free, whoever asks. Types and queues without a rule cost and notice nothing.
pub trait Limiting: Send + Sync + fmt::Debug + 'static {
    /// Makes each of these rules the configured one of its subject, or removes the configured one, all in one
    /// transaction. Other subjects keep theirs. Only reads if nothing differs. Jobs that wait already are sorted by the
    /// new rules in bounded steps, by claims and by [`Console::maintain`](crate::Console::maintain); what runs keeps
    /// running and counts. Returns [`StoreError::InvalidLimit`](crate::StoreError::InvalidLimit), and changes nothing, if
    /// one of them does not [check](LimitRule::check).
    fn apply_limits(&self, apply: ApplyLimits) -> StoreFuture<'_, AppliedLimits>;

    /// Sets or unsets a rule by hand. Returns whether anything has changed. Unsetting removes the rule that was set by
    /// hand, so that the configured one holds again; where none was set by hand, it removes the configured one, which
    /// lasts until a program that still has it starts. Returns
    /// [`StoreError::InvalidLimit`](crate::StoreError::InvalidLimit) for a rule that does not check.
    fn change_limit(&self, change: ChangeLimit) -> StoreFuture<'_, bool>;

    /// A page of limits and what they hold now: queues, then types, then the keys with jobs that run or wait; each by
    /// name and key, in byte order. Only reads.
    fn limit_page(&self, request: LimitsRequest) -> StoreFuture<'_, LimitPage>;
}

/// The rules of a program that starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyLimits {
    /// The rule of each queue and type that the program knows. `None`, or a rule that limits nothing, removes the
    /// configured rule.
    pub rules: Vec<(LimitSubject, Option<LimitRule>)>,
}

/// What became of the rules of a program.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct AppliedLimits {
    /// Subjects whose configured rule is another one than before.
    pub changed: Vec<LimitSubject>,
    /// Subjects with a rule that was set by hand and is not the configured one: it wins.
    pub overridden: Vec<LimitSubject>,
}

/// A change of one rule by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeLimit {
    /// What it is about.
    pub subject: LimitSubject,
    /// The rule to set; `None` unsets it.
    pub rule: Option<LimitRule>,
}

/// A request for a page of limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitsRequest {
    /// Which ones.
    pub selection: LimitSelection,
    /// Only those behind this one.
    pub after: Option<LimitPosition>,
    /// The maximum number of limits, from 1 to 1000.
    pub limit: u32,
}

/// Which limits a page has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LimitSelection {
    /// All.
    All,
    /// All of queues and of types, without those of keys, of which there may be many.
    Rules,
    /// Those at which nothing may start now: all places are taken, or the rate is spent.
    Saturated,
    /// The limit of this queue, or of this type with its keys.
    Of(LimitSubject),
}
