use std::collections::BTreeMap;

use longshore_core::{
    ApplyLimits, ChangeLimit, Console, InvalidLimit, LimitRow, LimitRule, LimitScope, LimitSelection, LimitSource,
    LimitSubject, Limiting, LimitsRequest, NewJob, Reason, StoreError, explain,
};

use super::{apply, by_key, concurrency, job_of, of_queue, of_type, rate, row, rows, set, settle, tenants, unset};
use crate::job;
use crate::suite::{Harness, World};

pub async fn without_a_rule_nothing_is_listed<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    world.enqueue(job()).await;
    assert_eq!(rows(&world, LimitSelection::All).await, []);
    assert!(!unset(&world, of_type()).await);
}

pub async fn an_applied_rule_is_listed_with_what_it_says<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let rule = LimitRule { burst: Some(20), concurrency: Some(50), ..rate("1000/1m") };
    assert_eq!(apply(&world, of_type(), rule.clone()).await.changed, [of_type()]);
    let row = row(&world, of_type()).await;
    assert_eq!((row.scope, row.name.as_str(), row.key.as_deref()), (LimitScope::Type, "work", None));
    assert_eq!((row.concurrency, row.rate, row.burst), (rule.concurrency, rule.rate, rule.burst));
    assert_eq!((row.running, row.waiting, row.opens_at), (0, 0, None));
    assert_eq!(row.source, Some(LimitSource::Config));
}

pub async fn a_rate_without_a_burst_and_weights_are_listed_as_they_count<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let key_rate = rate("5/1s").rate;
    let weights = BTreeMap::from([("acme".to_owned(), 3)]);
    let key = Some("/tenant".parse().expect("a pointer"));
    let rule = LimitRule { key, key_rate, weights: weights.clone(), ..rate("1000/1m") };
    apply(&world, of_type(), rule).await;
    world.enqueue(NewJob { limit_key: Some("acme".to_owned()), ..job() }).await;
    let listed = rows(&world, LimitSelection::Of(of_type())).await;
    let said: Vec<_> = listed.iter().map(|row| (row.scope, row.burst, row.weight, row.weights.clone())).collect();
    let of_key = (LimitScope::Key, Some(1), Some(3), BTreeMap::new());
    assert_eq!(said, [(LimitScope::Type, Some(1), None, weights), of_key]);
}

pub async fn applying_the_same_again_changes_nothing<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    apply(&world, of_queue("q"), concurrency(3)).await;
    assert_eq!(apply(&world, of_queue("q"), concurrency(3)).await.changed, []);
    assert_eq!(apply(&world, of_queue("q"), concurrency(4)).await.changed, [of_queue("q")]);
    assert_eq!(row(&world, of_queue("q")).await.concurrency, Some(4));
}

pub async fn applying_no_rule_removes_the_configured_one_and_no_other<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    apply(&world, of_type(), concurrency(1)).await;
    apply(&world, of_queue("q"), concurrency(1)).await;
    let none = ApplyLimits { rules: vec![(of_type(), None)] };
    assert_eq!(world.store.apply_limits(none).await.expect("it can be applied").changed, [of_type()]);
    settle(&world).await;
    let left: Vec<String> = rows(&world, LimitSelection::All).await.into_iter().map(|row| row.name).collect();
    assert_eq!(left, ["q"]);
}

pub async fn a_rule_that_was_set_by_hand_wins_until_it_is_unset<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    apply(&world, of_type(), concurrency(5)).await;
    assert!(set(&world, of_type(), concurrency(2)).await);
    assert!(!set(&world, of_type(), concurrency(2)).await);
    let applied = apply(&world, of_type(), concurrency(7)).await;
    assert_eq!(applied.overridden, [of_type()]);
    let by_hand = row(&world, of_type()).await;
    assert_eq!((by_hand.concurrency, by_hand.source), (Some(2), Some(LimitSource::Manual)));
    assert!(unset(&world, of_type()).await);
    let configured = row(&world, of_type()).await;
    assert_eq!((configured.concurrency, configured.source), (Some(7), Some(LimitSource::Config)));
}

pub async fn unsetting_what_only_the_configuration_says_removes_that<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    apply(&world, of_queue("q"), concurrency(5)).await;
    assert!(unset(&world, of_queue("q")).await);
    assert_eq!(rows(&world, LimitSelection::All).await, []);
}

pub async fn a_rule_that_permits_nothing_is_refused_and_changes_nothing<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let zero = ChangeLimit { subject: of_type(), rule: Some(concurrency(0)) };
    let refused = world.store.change_limit(zero).await;
    assert!(matches!(refused, Err(StoreError::InvalidLimit(InvalidLimit::OutOfRange { .. }))), "{refused:?}");
    let rules = vec![(of_queue("q"), Some(concurrency(1))), (of_queue("r"), Some(rate("1/1s")))];
    let refused = world.store.apply_limits(ApplyLimits { rules }).await;
    assert!(matches!(refused, Err(StoreError::InvalidLimit(InvalidLimit::OnlyForTypes { .. }))), "{refused:?}");
    let nothing = ChangeLimit { subject: of_type(), rule: Some(LimitRule::default()) };
    let refused = world.store.change_limit(nothing).await;
    assert!(matches!(refused, Err(StoreError::InvalidLimit(InvalidLimit::Nothing { .. }))), "{refused:?}");
    assert_eq!(rows(&world, LimitSelection::All).await, []);
}

pub async fn limits_are_listed_in_pages_queues_first_and_keys_last<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    apply(&world, of_type(), by_key(Some(1))).await;
    for queue in ["r", "q"] {
        apply(&world, of_queue(queue), concurrency(1)).await;
    }
    apply(&world, LimitSubject::Type("mail".to_owned()), concurrency(1)).await;
    for tenant in ["b", "a", "c"] {
        world.enqueue(job_of(tenant)).await;
    }
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let request = LimitsRequest { selection: LimitSelection::All, after, limit: 2 };
        let page = world.store.limit_page(request).await.expect("limits can be listed");
        assert!(page.limits.len() <= 2);
        names.extend(page.limits.into_iter().map(|row| row.key.unwrap_or(row.name)));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(names.join(" "), "q r mail work a b c");
    let of_one = rows(&world, LimitSelection::Of(of_type())).await;
    assert_eq!(of_one.len(), 4);
    let rules: Vec<String> = rows(&world, LimitSelection::Rules).await.into_iter().map(|row| row.name).collect();
    assert_eq!(rules.join(" "), "q r mail work");
}

pub async fn a_page_may_have_only_what_lets_nothing_start<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), by_key(Some(1))).await;
    apply(&world, of_queue("q"), concurrency(1)).await;
    for tenant in ["a", "a", "b"] {
        world.enqueue(job_of(tenant)).await;
    }
    assert_eq!(rows(&world, LimitSelection::Saturated).await, []);
    assert_eq!(tenants(&world.claim(&worker_id, 1).await), "a");
    let saturated = rows(&world, LimitSelection::Saturated).await;
    let shown: Vec<_> = saturated.iter().map(|row| (row.key.as_deref(), row.running, row.waiting)).collect();
    assert_eq!(shown, [(Some("a"), 1, 1)]);
}

pub async fn what_waits_at_a_limit_is_counted_up_to_a_bound<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    apply(&world, of_type(), concurrency(1)).await;
    apply(&world, of_queue(&job().queue), concurrency(1)).await;
    for (jobs, counted) in [(LimitRow::WAITING_MAX - 1, LimitRow::WAITING_MAX - 1), (5, LimitRow::WAITING_MAX)] {
        world.enqueue_all((0..jobs).map(|_| job()).collect()).await;
        let waiting: Vec<u64> = rows(&world, LimitSelection::Rules).await.iter().map(|row| row.waiting).collect();
        assert_eq!(waiting, [u64::from(counted); 2]);
    }
}

pub async fn a_rule_holds_for_every_process<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let process = world.process().await;
    for _ in 0..3 {
        world.enqueue(job()).await;
    }
    assert_eq!(process.claim(1).await.len(), 1);
    set(&world, of_type(), concurrency(2)).await;
    assert_eq!(process.claim(9).await.len(), 1);
    set(&world, of_type(), concurrency(3)).await;
    assert_eq!(process.claim(9).await.len(), 1);
}

pub async fn jobs_that_wait_already_get_the_new_keys<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    for tenant in ["a", "a", "a", "b"] {
        world.enqueue(job_of(tenant)).await;
    }
    apply(&world, of_type(), concurrency(100)).await;
    settle(&world).await;
    apply(&world, of_type(), by_key(Some(1))).await;
    settle(&world).await;
    assert_eq!(tenants(&world.claim(&worker_id, 9).await), "a b");
}

pub async fn many_jobs_that_wait_already_are_sorted_in_steps<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.enqueue_all((0..300).map(|number| job_of(&format!("{}", number % 150))).collect()).await;
    apply(&world, of_type(), by_key(Some(1))).await;
    settle(&world).await;
    assert_eq!(world.claim(&worker_id, 1000).await.len(), 150);
    unset(&world, of_type()).await;
    settle(&world).await;
    assert_eq!(world.claim(&worker_id, 1000).await.len(), 150);
}

pub async fn a_scheduled_job_gets_its_key_whatever_the_rule_was_at_its_enqueue<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let soon = std::time::Duration::from_secs(60);
    for tenant in ["a", "a"] {
        world.enqueue(job_of(tenant).delay(soon)).await;
    }
    apply(&world, of_type(), by_key(Some(1))).await;
    settle(&world).await;
    world.clock.advance(soon);
    settle(&world).await;
    let mut leases = world.claim(&worker_id, 9).await;
    leases.extend(world.claim(&worker_id, 9).await);
    assert_eq!(tenants(&leases), "a");
}

pub async fn a_type_without_its_rule_is_as_before<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), by_key(Some(1))).await;
    for tenant in ["a", "a", "b"] {
        world.enqueue(job_of(tenant)).await;
    }
    assert_eq!(tenants(&world.claim(&worker_id, 9).await), "a b");
    unset(&world, of_type()).await;
    assert_eq!(tenants(&world.claim(&worker_id, 9).await), "a");
    settle(&world).await;
    assert_eq!(rows(&world, LimitSelection::All).await, []);
    world.enqueue(job_of("c")).await;
    assert_eq!(tenants(&world.claim(&worker_id, 9).await), "c");
}

pub async fn a_job_explains_which_limit_keeps_it<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), by_key(Some(1))).await;
    apply(&world, of_queue("default"), concurrency(3)).await;
    world.enqueue(job_of("a")).await;
    let id = world.enqueue(job_of("a")).await;
    world.claim(&worker_id, 1).await;
    let facts = world.store.waiting_facts(id).await.expect("it can be explained").expect("it is there");
    let scopes: Vec<_> = facts.job.limits.iter().map(|row| (row.scope, row.running, row.waiting)).collect();
    assert_eq!(scopes, [(LimitScope::Queue, 1, 1), (LimitScope::Type, 1, 1), (LimitScope::Key, 1, 1)]);
    let reached = |reason: &Reason| matches!(reason, Reason::LimitReached { key: Some(key), .. } if key == "a");
    assert!(reached(&explain(&facts).reason.reason), "{facts:?}");
}

pub async fn a_job_explains_that_other_keys_have_their_turn<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    apply(&world, of_type(), by_key(None)).await;
    world.enqueue(job_of("a")).await;
    assert_eq!(tenants(&world.claim(&worker_id, 1).await), "a");
    let id = world.enqueue(job_of("a")).await;
    for tenant in ["b", "c"] {
        world.enqueue(job_of(tenant)).await;
    }
    let facts = world.store.waiting_facts(id).await.expect("it can be explained").expect("it is there");
    assert_eq!((facts.job.keys_ahead, facts.job.ahead), (2, 0));
}
