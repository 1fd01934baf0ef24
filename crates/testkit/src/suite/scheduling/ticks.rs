use longshore_core::{
    Console, Maintenance, PlannedTick, Retention, ScheduleDefinition, Schedules, Tick, TickKind, TickOutcome,
    TickRetention, TicksRequest, Timestamp,
};

use super::{add, addition, apply, every, next_multiple, outcomes, record, settle, ticks_of, wait_until};
use crate::EveryPlanner;
use crate::suite::world::seconds;
use crate::suite::{Harness, World};

fn by_hand(definition: &ScheduleDefinition, due_at: Timestamp, kind: TickKind) -> PlannedTick {
    EveryPlanner::default().by_hand(definition, due_at, kind)
}

fn later(instant: Timestamp, by: u64) -> Timestamp {
    instant.after(seconds(by))
}

async fn page<H: Harness>(
    world: &World<H>,
    outcomes: Option<Vec<TickOutcome>>,
    before: Option<Timestamp>,
    limit: u32,
) -> (Vec<Tick>, Option<Timestamp>) {
    let request = TicksRequest { schedule: "a".to_owned(), outcomes, before, limit };
    let page = world.store.ticks(request).await.expect("ticks can be listed");
    (page.ticks, page.next)
}

pub async fn ticks_are_listed_newest_first_in_pages_and_by_outcome<H: Harness>() {
    let world = World::<H>::new();
    let definition = every("a", 60);
    apply(&world, vec![definition.clone()]).await;
    let first = next_multiple(world.now(), 60);
    for number in 0..5 {
        let mut tick = by_hand(&definition, later(first, 60 * number), TickKind::Manual);
        if number % 2 == 1 {
            tick = tick.missed("it is odd");
        }
        add(&world, "a", vec![tick]).await;
    }
    let dues = |ticks: &[Tick]| ticks.iter().map(|tick| tick.due_at.since(first).as_secs() / 60).collect::<Vec<_>>();
    let (ticks, next) = page(&world, None, None, 2).await;
    assert_eq!(dues(&ticks), [4, 3]);
    let (ticks, next) = page(&world, None, next, 2).await;
    assert_eq!(dues(&ticks), [2, 1]);
    let (ticks, next) = page(&world, None, next, 2).await;
    assert_eq!((dues(&ticks), next), (vec![0], None));
    let (ticks, next) = page(&world, Some(vec![TickOutcome::Missed]), None, 9).await;
    assert_eq!((dues(&ticks), next), (vec![3, 1], None));
    assert_eq!(page(&world, Some(Vec::new()), None, 9).await, (Vec::new(), None));
    let (exact, next) = page(&world, None, None, 5).await;
    assert_eq!((exact.len(), next), (5, None));
}

pub async fn a_run_by_hand_makes_a_job_and_leaves_the_position<H: Harness>() {
    let world = World::<H>::new();
    let definition = every("a", 60);
    apply(&world, vec![definition.clone()]).await;
    let before = record(&world, "a").await.expect("it is there");
    let jobs = add(&world, "a", vec![by_hand(&definition, world.now(), TickKind::Manual)]).await;
    let id = jobs.expect("there is a schedule")[0].expect("it makes a job");
    let tick = ticks_of(&world, "a").await.remove(0);
    assert_eq!((tick.kind, tick.outcome, tick.job_id), (TickKind::Manual, TickOutcome::Enqueued, Some(id)));
    assert_eq!(tick.decided_by, "an operator");
    let schedule = record(&world, "a").await.expect("it is there");
    assert_eq!((schedule.settled_until, schedule.next_due_at), (before.settled_until, before.next_due_at));
    // It counts as the last run.
    assert_eq!(schedule.open_job, Some(id));
    let again = add(&world, "a", vec![by_hand(&definition, world.now(), TickKind::Manual)]).await;
    assert_eq!(again, Some(vec![None]), "the instant has its run");
    assert_eq!(world.count().await, 1);
}

pub async fn a_scheduled_tick_at_the_instant_of_a_run_by_hand_makes_no_second_job<H: Harness>() {
    let world = World::<H>::new();
    let definition = every("a", 60);
    apply(&world, vec![definition.clone()]).await;
    wait_until(&world, next_multiple(world.now(), 60));
    add(&world, "a", vec![by_hand(&definition, world.now(), TickKind::Manual)]).await;
    let settled = settle(&world).await;
    assert!(settled.ticks.is_empty() && !settled.has_more, "{settled:?}");
    assert_eq!(world.count().await, 1);
    assert_eq!(record(&world, "a").await.expect("it is there").settled_until, world.now());
}

pub async fn a_backfill_replaces_what_was_missed_and_passes_over_what_ran<H: Harness>() {
    let world = World::<H>::new();
    let definition = every("a", 60);
    apply(&world, vec![definition.clone()]).await;
    let first = next_multiple(world.now(), 60);
    // Five ticks are due: four are coalesced, the last one runs.
    wait_until(&world, later(first, 4 * 60));
    settle(&world).await;
    assert_eq!(outcomes(&world, "a").await, [(TickOutcome::Coalesced, 4), (TickOutcome::Enqueued, 1)]);
    let span: Vec<PlannedTick> =
        (0..5).map(|number| by_hand(&definition, later(first, 60 * number), TickKind::Backfill)).collect();
    let jobs = add(&world, "a", span[1..3].to_vec()).await.expect("there is a schedule");
    assert!(jobs.iter().all(Option::is_some), "{jobs:?}");
    let (enqueued, coalesced) = ((TickOutcome::Enqueued, 1), (TickOutcome::Coalesced, 1));
    assert_eq!(outcomes(&world, "a").await, [coalesced, enqueued, enqueued, coalesced, enqueued]);
    let jobs = add(&world, "a", span).await.expect("there is a schedule");
    let made: Vec<bool> = jobs.iter().map(Option::is_some).collect();
    assert_eq!(made, [true, false, false, true, false]);
    assert_eq!(outcomes(&world, "a").await, [enqueued; 5]);
    assert_eq!(world.count().await, 5);
    let open = record(&world, "a").await.expect("it is there").open_job;
    assert_eq!(open, ticks_of(&world, "a").await[4].job_id, "a backfill is not the last run");
}

/// Of each row: how many minutes after the first tick it begins and ends, and its number of ticks.
async fn spans<H: Harness>(world: &World<H>, first: Timestamp) -> Vec<(u64, u64, u64, TickOutcome)> {
    let minutes = |at: Timestamp| at.since(first).as_secs() / 60;
    let span =
        |tick: &Tick| (minutes(tick.due_at), minutes(tick.until_at.unwrap_or(tick.due_at)), tick.ticks, tick.outcome);
    ticks_of(world, "a").await.iter().map(span).collect()
}

/// A schedule of each minute that was down for ten ticks, of which the last one ran; and its first tick.
async fn after_ten_minutes<H: Harness>(world: &World<H>) -> (ScheduleDefinition, Timestamp) {
    let definition = every("a", 60);
    apply(world, vec![definition.clone()]).await;
    let first = next_multiple(world.now(), 60);
    wait_until(world, later(first, 9 * 60));
    (definition, first)
}

fn backfill(definition: &ScheduleDefinition, first: Timestamp, minutes: &[u64]) -> Vec<PlannedTick> {
    minutes.iter().map(|minute| by_hand(definition, later(first, 60 * minute), TickKind::Backfill)).collect()
}

pub async fn every_tick_of_a_run_has_a_row_whichever_of_them_are_filled<H: Harness>() {
    let world = World::<H>::new();
    let (definition, first) = after_ten_minutes(&world).await;
    settle(&world).await;
    let (skipped, made) = (TickOutcome::Coalesced, TickOutcome::Enqueued);
    assert_eq!(spans(&world, first).await, [(0, 8, 9, skipped), (9, 9, 1, made)]);
    // Both ends in one call, then one in the middle.
    add(&world, "a", backfill(&definition, first, &[0, 8])).await;
    assert_eq!(spans(&world, first).await[..2], [(0, 0, 1, made), (1, 7, 7, skipped)]);
    add(&world, "a", backfill(&definition, first, &[4])).await;
    assert_eq!(spans(&world, first).await[1..4], [(1, 3, 3, skipped), (4, 4, 1, made), (5, 7, 3, skipped)]);
    add(&world, "a", backfill(&definition, first, &[2, 5, 7])).await;
    let expected = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
        .map(|minute: u64| (minute, minute, 1, if [1, 3, 6].contains(&minute) { skipped } else { made }));
    assert_eq!(spans(&world, first).await, expected);
    add(&world, "a", backfill(&definition, first, &[1, 3, 6])).await;
    assert_eq!(outcomes(&world, "a").await, [(made, 1); 10]);
    assert_eq!(world.count().await, 10);
}

pub async fn a_run_from_before_a_change_of_the_timing_stays_beside_what_is_filled<H: Harness>() {
    let world = World::<H>::new();
    let (_, first) = after_ten_minutes(&world).await;
    settle(&world).await;
    let changed = every("a", 45);
    apply(&world, vec![changed.clone()]).await;
    let (skipped, made) = (TickOutcome::Coalesced, TickOutcome::Enqueued);
    let ticks = vec![by_hand(&changed, later(first, 125), TickKind::Backfill)];
    add(&world, "a", ticks).await;
    assert_eq!(spans(&world, first).await, [(0, 8, 9, skipped), (2, 2, 1, made), (9, 9, 1, made)]);
    let ticks = vec![by_hand(&changed, first, TickKind::Backfill)];
    add(&world, "a", ticks).await;
    assert_eq!(spans(&world, first).await[..2], [(0, 0, 1, made), (0, 8, 8, skipped)]);
}

pub async fn a_run_is_settled_around_the_ticks_that_were_filled_before<H: Harness>() {
    let world = World::<H>::new();
    let (definition, first) = after_ten_minutes(&world).await;
    let (skipped, made) = (TickOutcome::Coalesced, TickOutcome::Enqueued);
    // No scheduler has run yet. The first tick is also that of the run of skipped ones.
    add(&world, "a", backfill(&definition, first, &[0, 5])).await;
    settle(&world).await;
    let expected = [(0, 0, 1, made), (1, 4, 4, skipped), (5, 5, 1, made), (6, 8, 3, skipped), (9, 9, 1, made)];
    assert_eq!(spans(&world, first).await, expected);
    assert_eq!(world.count().await, 3);
}

pub async fn ticks_are_added_all_or_none<H: Harness>() {
    let world = World::<H>::new();
    let (good, mut bad) = (every("a", 60), every("a", 60));
    bad.job.job_type = "refused".to_owned();
    apply(&world, vec![good.clone()]).await;
    world.refuse_type("refused");
    let (one, two) = (world.now(), later(world.now(), 1));
    let ticks = vec![by_hand(&good, one, TickKind::Backfill), by_hand(&bad, two, TickKind::Backfill)];
    let added = world.store.add_ticks(addition("a", ticks)).await;
    assert!(added.is_err(), "{added:?}");
    assert_eq!((world.count().await, ticks_of(&world, "a").await.len()), (0, 0));
}

pub async fn old_ticks_go_and_the_newest_stay_however_old_they_are<H: Harness>() {
    let world = World::<H>::new();
    let definition = every("a", 60);
    apply(&world, vec![definition.clone()]).await;
    let first = world.now();
    let ticks: Vec<PlannedTick> = (0..120_u64)
        .map(|number| by_hand(&definition, later(first, number), TickKind::Backfill).missed("for the test"))
        .collect();
    add(&world, "a", ticks).await;
    let keep = async || {
        let maintenance =
            Maintenance { retention: Retention::Forever, dead_letter_retention: Retention::Forever, rows_max: 7 };
        while world.store.maintain(maintenance).await.expect("house can be kept").has_more {}
    };
    keep().await;
    assert_eq!(ticks_of(&world, "a").await.len(), 120, "they are young");
    world.clock.advance(TickRetention::AGE + seconds(300));
    keep().await;
    let left = ticks_of(&world, "a").await;
    assert_eq!((left.len(), left[0].due_at), (TickRetention::ALWAYS as usize, later(first, 20)));
}
