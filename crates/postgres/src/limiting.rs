//! Limits: how many jobs of a queue, a type or a key run at once, and how often they start.

pub(crate) mod claiming;
pub(crate) mod moved;
mod page;
pub(crate) mod places;
mod row;
pub(crate) mod rules;
pub(crate) mod slow_down;
mod sorting;
mod storing;
pub(crate) mod upkeep;

use longshore_core::{AppliedLimits, ApplyLimits, ChangeLimit, LimitPage, Limiting, LimitsRequest, StoreFuture};

use crate::store::PostgresStore;
use places::Places;
use rules::KnownRules;
use upkeep::IdleKeys;

pub(crate) use page::{count_turns_ahead, limits_of};

/// What this store knows of limits.
#[derive(Debug, Default)]
pub(crate) struct LimitParts {
    pub(crate) rules: KnownRules,
    pub(crate) places: Places,
    pub(crate) idle: IdleKeys,
}

impl Limiting for PostgresStore {
    fn apply_limits(&self, apply: ApplyLimits) -> StoreFuture<'_, AppliedLimits> {
        self.run_by_hand("applying limits", |parts| storing::apply(parts, apply))
    }

    fn change_limit(&self, change: ChangeLimit) -> StoreFuture<'_, bool> {
        self.run_by_hand("changing a limit", |parts| storing::change(parts, change))
    }

    fn limit_page(&self, request: LimitsRequest) -> StoreFuture<'_, LimitPage> {
        self.run("reading limits", |parts| page::page(parts, request))
    }
}
