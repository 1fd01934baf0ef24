pub mod limit_concurrency;
pub mod limit_key_changes;
pub mod limit_keys;
pub mod limit_lanes;
pub mod limit_random;
pub mod limit_rates;
pub mod limit_rules;
pub mod limit_slow_down;

use longshore_core::{
    AppliedLimits, ApplyLimits, ChangeLimit, ClaimRequest, Console, JobId, Lease, LimitRow, LimitRule, LimitSelection,
    LimitSubject, Limiting, LimitsRequest, Maintenance, NewJob, Retention, Store, WorkerId,
};

use crate::suite::Harness;
use crate::suite::world::{World, data, ids};
use crate::{claim, job};

/// The type of the jobs of [`job`].
pub(super) fn of_type() -> LimitSubject {
    LimitSubject::Type("work".to_owned())
}

pub(super) fn of_queue(name: &str) -> LimitSubject {
    LimitSubject::Queue(name.to_owned())
}

pub(super) fn concurrency(concurrency: u32) -> LimitRule {
    LimitRule { concurrency: Some(concurrency), ..LimitRule::default() }
}

pub(super) fn rate(rate: &str) -> LimitRule {
    LimitRule { rate: Some(rate.parse().expect("the test's own rate is valid")), ..LimitRule::default() }
}

/// Keys in `/tenant`, so many of each at once.
pub(super) fn by_key(key_concurrency: Option<u32>) -> LimitRule {
    let key = Some("/tenant".parse().expect("the test's own pointer is valid"));
    LimitRule { key, key_concurrency, ..LimitRule::default() }
}

pub(super) fn job_of(tenant: &str) -> NewJob {
    NewJob { job_data: data(&format!(r#"{{"tenant":"{tenant}"}}"#)), ..job() }
}

pub(super) async fn apply<H: Harness>(world: &World<H>, subject: LimitSubject, rule: LimitRule) -> AppliedLimits
where
    H::Store: Limiting,
{
    let apply = ApplyLimits { rules: vec![(subject, Some(rule))] };
    world.store.apply_limits(apply).await.expect("limits can be applied")
}

pub(super) async fn set<H: Harness>(world: &World<H>, subject: LimitSubject, rule: LimitRule) -> bool
where
    H::Store: Limiting,
{
    world.store.change_limit(ChangeLimit { subject, rule: Some(rule) }).await.expect("limits can be set")
}

pub(super) async fn unset<H: Harness>(world: &World<H>, subject: LimitSubject) -> bool
where
    H::Store: Limiting,
{
    world.store.change_limit(ChangeLimit { subject, rule: None }).await.expect("limits can be unset")
}

pub(super) async fn rows<H: Harness>(world: &World<H>, selection: LimitSelection) -> Vec<LimitRow>
where
    H::Store: Limiting,
{
    let request = LimitsRequest { selection, after: None, limit: 1000 };
    world.store.limit_page(request).await.expect("limits can be listed").limits
}

/// The only row of a subject without keys.
pub(super) async fn row<H: Harness>(world: &World<H>, subject: LimitSubject) -> LimitRow
where
    H::Store: Limiting,
{
    rows(world, LimitSelection::Of(subject)).await.into_iter().next().expect("it is limited")
}

/// Sorts all that waits by the rules of now.
pub(super) async fn settle<H: Harness>(world: &World<H>) {
    let forever = Retention::Forever;
    let maintenance = Maintenance { retention: forever, dead_letter_retention: forever, rows_max: 100 };
    while world.store.maintain(maintenance).await.expect("house can be kept").has_more {}
}

/// The tenants of leases, in order.
pub(super) fn tenants(leases: &[Lease]) -> String {
    let tenant = |lease: &Lease| {
        let text = lease.job_data.as_str();
        text.split('"').nth(3).unwrap_or("-").to_owned()
    };
    leases.iter().map(tenant).collect::<Vec<_>>().join(" ")
}

/// A claim by a worker that starts at most so many limited jobs.
pub(super) async fn claim_limited<H: Harness>(
    world: &World<H>,
    worker_id: &WorkerId,
    limit: u32,
    limited_max: u32,
) -> Vec<JobId> {
    let request = ClaimRequest { limited_max, ..claim(worker_id, limit) };
    ids(&world.store.claim(request).await.expect("the worker may claim").leases)
}
