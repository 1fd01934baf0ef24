use std::time::{Duration, Instant};

use longshore_core::{JobId, Missed, Overlap, ScheduledJob, WaitingTick};

use super::*;

fn definition(every: Duration) -> ScheduleDefinition {
    let timing = Timing::Every { every_ms: every.as_millis() as u64, time_zone: "UTC".to_owned() };
    let job = ScheduledJob::new("report", JobData::parse(r#"{"kind": "daily"}"#).unwrap());
    ScheduleDefinition { overlap: Overlap::Allow, ..ScheduleDefinition::new("nightly", timing, job) }
}

fn due(definition: ScheduleDefinition, settled_until: Timestamp) -> DueSchedule {
    DueSchedule { definition, settled_until, paused: None, waiting: Vec::new(), open_job: None }
}

const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_ms(1_800_000_000_000 + seconds * 1000)
}

fn plan(schedule: &DueSchedule, now: Timestamp) -> TickPlan {
    TickPlanner::new().plan(schedule, now)
}

/// A tick that waits since it was due.
const fn waits(due_at: Timestamp) -> WaitingTick {
    WaitingTick { due_at, since: due_at, is_after_gap: false }
}

fn waiting(plan: &TickPlan) -> Vec<Timestamp> {
    plan.waiting.iter().map(|tick| tick.due_at).collect()
}

/// Seconds, number of ticks and outcome of each row.
fn rows(plan: &TickPlan) -> Vec<(i64, u64, TickOutcome)> {
    plan.ticks.iter().map(|row| ((row.due_at.as_ms() - at(0).as_ms()) / 1000, row.ticks, row.outcome)).collect()
}

fn jobs(plan: &TickPlan) -> usize {
    plan.ticks.iter().filter(|row| row.job.is_some()).count()
}

const MINUTE: Duration = Duration::from_secs(60);
use TickOutcome::{Coalesced, Enqueued, Late, Missed as MissedTick, SkippedOverlap, SkippedPaused};

#[test]
fn a_tick_in_time_makes_its_job_with_its_origin_in_the_metadata() {
    let plan = plan(&due(definition(MINUTE), at(0)), at(60));
    assert_eq!(rows(&plan), [(60, 1, Enqueued)]);
    let job = plan.ticks[0].job.as_ref().unwrap();
    assert_eq!(job.job_type, "report");
    assert_eq!(job.metadata.as_ref().unwrap().as_str(), format!(r#"{{"due_at":"{}","schedule":"nightly"}}"#, at(60)));
    assert_eq!((plan.settled_until, plan.next_due_at), (at(60), Some(at(120))));
    assert_eq!((plan.ticks[0].why.as_str(), plan.warning), ("on time", None));
}

#[test]
fn nothing_is_decided_before_it_is_due_or_while_the_clock_is_behind() {
    for now in [at(59), at(0), at(-1_000_000)] {
        let plan = plan(&due(definition(MINUTE), at(0)), now);
        assert_eq!((plan.ticks.len(), plan.next_due_at), (0, Some(at(60))), "{now}");
        assert!(plan.settled_until >= at(0));
    }
}

#[test]
fn a_tick_in_a_short_restart_is_not_lost_whatever_missed_says() {
    for missed in [Missed::Skip, Missed::Latest, Missed::All] {
        let definition = ScheduleDefinition { missed, ..definition(Duration::from_secs(3600)) };
        let plan = plan(&due(definition, at(0)), at(3620));
        assert_eq!(rows(&plan), [(3600, 1, Enqueued)], "{missed:?}");
    }
}

#[test]
fn after_downtime_missed_decides_and_each_tick_is_accounted_for() {
    for (missed, expected) in [
        (Missed::Skip, vec![(60, 3, MissedTick), (240, 1, Enqueued)]),
        (Missed::Latest, vec![(60, 3, Coalesced), (240, 1, Enqueued)]),
        (Missed::All, vec![(60, 1, Late), (120, 1, Late), (180, 1, Late), (240, 1, Enqueued)]),
    ] {
        let definition = ScheduleDefinition { missed, ..definition(MINUTE) };
        let plan = plan(&due(definition, at(0)), at(260));
        assert_eq!(rows(&plan), expected, "{missed:?}");
    }
    // The newest one is late, too.
    for (missed, expected) in [
        (Missed::Skip, vec![(3600, 1, MissedTick)]),
        (Missed::Latest, vec![(3600, 1, Late)]),
        (Missed::All, vec![(3600, 1, Late)]),
    ] {
        let definition = ScheduleDefinition { missed, ..definition(Duration::from_secs(3600)) };
        let plan = plan(&due(definition, at(0)), at(4800));
        assert_eq!(rows(&plan), expected, "{missed:?}");
    }
}

#[test]
fn three_weeks_of_downtime_of_a_schedule_with_a_tick_a_second_are_a_few_rows_and_jobs() {
    let weeks = 21 * 86_400;
    let timings = [
        Timing::Every { every_ms: 1000, time_zone: "UTC".to_owned() },
        Timing::Cron { cron: "* * * * * *".to_owned(), time_zone: "Europe/Berlin".to_owned() },
    ];
    for (missed, expected) in [(Missed::Skip, 1), (Missed::Latest, 1), (Missed::All, 100)] {
        for timing in &timings {
            let definition = ScheduleDefinition { missed, timing: timing.clone(), ..definition(MINUTE) };
            let started = Instant::now();
            let plan = plan(&due(definition, at(0)), at(weeks));
            assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
            assert_eq!(jobs(&plan), expected, "{missed:?}");
            assert_eq!(plan.ticks.iter().map(|row| row.ticks).sum::<u64>(), weeks.unsigned_abs());
            assert!(plan.ticks.len() <= expected + 2);
            assert_eq!(plan.ticks[0].outcome, MissedTick);
            let warning = plan.warning.unwrap();
            assert!(warning.starts_with("1814400 ticks since "), "{warning}");
        }
    }
}

#[test]
fn a_late_run_after_a_gap_says_that_it_may_have_run_before() {
    let mut definition = definition(Duration::from_secs(86_400));
    definition.late_after_ms = 60_000;
    let midnight = at(0).as_ms() / 86_400_000 * 86_400_000;
    let plan = plan(
        &due(definition, Timestamp::from_ms(midnight + 1)),
        Timestamp::from_ms(midnight + 86_400_000 + 7 * 3_600_000),
    );
    assert_eq!(plan.ticks[0].outcome, Late);
    assert_eq!(
        plan.ticks[0].why,
        "7h after it was due; no scheduler ran, or the database was restored from an older copy, and then it may have run before"
    );
    assert!(plan.warning.unwrap().contains("restored from an older copy"));
}

#[test]
fn overlap_decides_while_the_last_job_has_not_ended() {
    for (overlap, expected, waits, cancels) in [
        (Overlap::Allow, vec![(60, 1, Enqueued)], vec![], false),
        (Overlap::Skip, vec![(60, 1, SkippedOverlap)], vec![], false),
        (Overlap::After, vec![], vec![at(60)], false),
        (Overlap::Replace, vec![(60, 1, Enqueued)], vec![], true),
    ] {
        let definition = ScheduleDefinition { overlap, ..definition(MINUTE) };
        let schedule = DueSchedule { open_job: Some(JobId(7)), ..due(definition, at(0)) };
        let plan = plan(&schedule, at(60));
        assert_eq!((rows(&plan), waiting(&plan), plan.cancel_open_job), (expected, waits, cancels), "{overlap:?}");
        assert_eq!(plan.settled_until, at(60));
    }
}

#[test]
fn one_tick_waits_for_the_job_before_it_and_runs_when_it_has_ended() {
    let definition = ScheduleDefinition { overlap: Overlap::After, ..definition(MINUTE) };
    let blocked = DueSchedule { waiting: vec![waits(at(60))], open_job: Some(JobId(7)), ..due(definition, at(60)) };
    let second = plan(&blocked, at(120));
    assert_eq!((rows(&second), waiting(&second)), (vec![(120, 1, SkippedOverlap)], vec![at(60)]));
    let ended = DueSchedule { open_job: None, ..blocked };
    let after = plan(&ended, at(95));
    assert_eq!((rows(&after), waiting(&after)), (vec![(60, 1, Enqueued)], vec![]));
    assert_eq!(after.ticks[0].why, "waited 35s for the job before it to end");
    assert_eq!(after.next_due_at, Some(at(120)));
}

#[test]
fn ticks_that_are_caught_up_without_overlap_run_one_after_another() {
    let definition = ScheduleDefinition { overlap: Overlap::Skip, missed: Missed::All, ..definition(MINUTE) };
    let mut schedule = due(definition, at(0));
    let first = plan(&schedule, at(180));
    assert_eq!((rows(&first), waiting(&first)), (vec![(60, 1, Late)], vec![at(120), at(180)]));
    (schedule.settled_until, schedule.waiting, schedule.open_job) =
        (first.settled_until, first.waiting, Some(JobId(1)));
    // A tick meanwhile is no longer caught up.
    let meanwhile = plan(&schedule, at(240));
    assert_eq!((rows(&meanwhile), meanwhile.waiting.len()), (vec![(240, 1, SkippedOverlap)], 2));
    (schedule.settled_until, schedule.open_job) = (meanwhile.settled_until, None);
    let second = plan(&schedule, at(250));
    assert_eq!((rows(&second), waiting(&second)), (vec![(120, 1, Late)], vec![at(180)]));
}

const MAY_HAVE_RUN: &str =
    "; no scheduler ran, or the database was restored from an older copy, and then it may have run before";

#[test]
fn a_tick_after_a_gap_that_waits_says_later_that_it_may_have_run_before_and_how_long_it_waited() {
    for overlap in [Overlap::Skip, Overlap::After] {
        let definition = ScheduleDefinition { overlap, missed: Missed::All, ..definition(2 * MINUTE) };
        let mut schedule = due(definition, at(0));
        let first = plan(&schedule, at(1200));
        assert_eq!(first.ticks[0].why, format!("18m after it was due{MAY_HAVE_RUN}"), "{overlap:?}");
        assert_eq!(first.waiting.len(), 9);
        (schedule.settled_until, schedule.waiting) = (first.settled_until, first.waiting);
        let second = plan(&schedule, at(1204));
        let why = format!("waited 4s for the job before it to end, 16m 4s after it was due{MAY_HAVE_RUN}");
        assert_eq!(second.ticks[0].why, why, "{overlap:?}");
        // The last of them was due at the end of the gap.
        schedule.waiting = second.waiting.into_iter().skip(7).collect();
        assert_eq!(plan(&schedule, at(1230)).ticks[0].why, "waited 30s for the job before it to end");
    }
}

#[test]
fn a_tick_that_waited_in_a_copy_that_was_restored_says_that_it_may_have_run_before() {
    let definition = ScheduleDefinition { overlap: Overlap::After, ..definition(MINUTE) };
    let mut schedule = DueSchedule { waiting: vec![waits(at(60))], ..due(definition, at(60)) };
    let why = format!("waited 19m for the job before it to end, 19m after it was due{MAY_HAVE_RUN}");
    assert_eq!(plan(&schedule, at(1200)).ticks[0].why, why);
    schedule.open_job = Some(JobId(7));
    assert!(plan(&schedule, at(1200)).waiting[0].is_after_gap);
}

#[test]
fn a_tick_that_was_caught_up_without_a_gap_says_how_late_it_is() {
    let waiting = vec![WaitingTick { due_at: at(60), since: at(80), is_after_gap: false }];
    let schedule = DueSchedule { waiting, ..due(definition(MINUTE), at(80)) };
    assert_eq!(plan(&schedule, at(90)).ticks[0].why, "waited 10s for the job before it to end, 30s after it was due");
}

#[test]
fn a_tick_that_waited_until_it_was_too_old_says_how_long_it_waited() {
    let definition = ScheduleDefinition { catch_up_ms: 3_600_000, overlap: Overlap::Skip, ..definition(MINUTE) };
    let waiting = vec![WaitingTick { due_at: at(60), since: at(3000), is_after_gap: true }];
    let schedule = DueSchedule { waiting, open_job: Some(JobId(7)), ..due(definition, at(3660)) };
    let plan = plan(&schedule, at(3661));
    assert_eq!(rows(&plan), [(60, 1, MissedTick)]);
    assert_eq!(
        plan.ticks[0].why,
        "older than catch_up = 1h; waited 11m 1s for the job before it to end; no scheduler ran, or the database was restored \
         from an older copy"
    );
}

#[test]
fn a_gap_is_what_was_settled_later_than_late_after_and_a_jitter_is_none() {
    let hourly = |late_after_ms, jitter_ms| {
        let definition = definition(Duration::from_secs(3600));
        due(ScheduleDefinition { late_after_ms, jitter_ms, ..definition }, at(0))
    };
    for (late_after_ms, seconds, is_told) in
        [(60_000, 60, false), (60_000, 61, true), (1000, 10, false), (1000, 11, true), (900_000, 600, false)]
    {
        let plan = plan(&hourly(late_after_ms, 0), at(3600 + seconds));
        let why = &plan.ticks[0].why;
        assert_eq!((plan.warning.is_some(), why.ends_with(MAY_HAVE_RUN)), (is_told, is_told), "{seconds}: {why}");
    }
    let delayed = hourly(1000, 3_599_000);
    let settled = TickPlanner::new().next_after(&delayed.definition, at(0)).unwrap();
    assert!(settled.since(at(3600)) > 10 * Duration::from_secs(1), "the jitter of this tick is long enough to matter");
    let plan = plan(&delayed, settled);
    assert_eq!((plan.ticks[0].why.as_str(), plan.warning), ("on time", None));
}

#[test]
fn a_pause_skips_ticks_in_runs_and_what_was_due_before_it_was_missed() {
    let schedule = DueSchedule { paused: Some((at(150), "too slow".to_owned())), ..due(definition(MINUTE), at(0)) };
    let plan = plan(&schedule, at(400));
    assert_eq!(rows(&plan), [(60, 2, MissedTick), (180, 4, SkippedPaused)]);
    assert!(plan.ticks[1].why.ends_with(": too slow"), "{}", plan.ticks[1].why);
    assert_eq!((plan.ticks[1].until_at, plan.warning), (Some(at(360)), None));
    // The longer the pause, the rarer the rows.
    let long =
        DueSchedule { paused: Some((at(0), "off".to_owned())), ..due(definition(Duration::from_secs(1)), at(6000)) };
    assert_eq!(TickPlanner::new().plan(&long, at(6001)).next_due_at, Some(at(6061)));
}

#[test]
fn a_tick_that_waited_when_the_schedule_was_paused_is_skipped() {
    let schedule = DueSchedule {
        paused: Some((at(70), "off".to_owned())),
        waiting: vec![waits(at(60))],
        open_job: Some(JobId(3)),
        ..due(definition(MINUTE), at(60))
    };
    let plan = plan(&schedule, at(120));
    assert_eq!(rows(&plan), [(60, 1, SkippedPaused), (120, 1, SkippedPaused)]);
    assert!(plan.waiting.is_empty());
}

#[test]
fn what_is_older_than_catch_up_is_missed_whatever_missed_says() {
    for missed in [Missed::Latest, Missed::All] {
        let definition = ScheduleDefinition { missed, catch_up_ms: 3_600_000, ..definition(MINUTE) };
        let plan = plan(&due(definition, at(0)), at(36_000));
        let missed_ticks: u64 = plan.ticks.iter().filter(|row| row.outcome == MissedTick).map(|row| row.ticks).sum();
        assert_eq!(plan.ticks[0].outcome, MissedTick);
        assert!(missed_ticks >= 540 - 1, "{missed_ticks}");
        assert!(plan.ticks[0].why.starts_with("older than catch_up = 1h"), "{}", plan.ticks[0].why);
    }
}

#[test]
fn jitter_is_the_same_everywhere_stays_in_its_bound_and_keeps_the_order_of_ticks() {
    for (every, jitter_ms) in [(MINUTE, 120_000), (Duration::from_secs(3600), 120_000), (MINUTE, 1)] {
        let definition = ScheduleDefinition { jitter_ms, ..definition(every) };
        let bound = jitter_ms.min(every.as_millis() as u64);
        let (planner, other) = (TickPlanner::new(), TickPlanner::new());
        let mut offsets = std::collections::BTreeSet::new();
        let mut before = at(0);
        for tick in 1..200 {
            let tick = Timestamp::from_ms(before.as_ms() / every.as_millis() as i64 * every.as_millis() as i64)
                .after(every * u32::from(tick > 0));
            let settled = planner.next_after(&definition, before).unwrap();
            assert_eq!(Some(settled), other.next_after(&definition, before));
            let offset = settled.since(tick).as_millis() as u64;
            assert!(settled >= tick && offset < bound, "{offset}");
            offsets.insert(offset);
            let schedule = due(definition.clone(), before);
            // Not before its offset, and then at once.
            assert!(planner.plan(&schedule, settled.before(Duration::from_millis(1))).ticks.is_empty());
            let plan = planner.plan(&schedule, settled);
            assert_eq!((plan.ticks.len(), plan.ticks[0].due_at, plan.ticks[0].outcome), (1, tick, Enqueued));
            assert!(plan.next_due_at.unwrap() > settled);
            before = tick;
        }
        assert!(offsets.len() > 100 || jitter_ms == 1, "{}", offsets.len());
    }
}

#[test]
fn a_wall_clock_time_that_did_not_exist_is_told() {
    let timing = Timing::Cron { cron: "*/30 2 * * *".to_owned(), time_zone: "Europe/Berlin".to_owned() };
    let schedule = due(ScheduleDefinition { timing, ..definition(MINUTE) }, "2024-03-30T12:00:00Z".parse().unwrap());
    let plan = plan(&schedule, "2024-04-01T00:00:00Z".parse().unwrap());
    let told = &plan.ticks[0];
    assert_eq!(
        (told.outcome, told.ticks, &*told.due_at.to_string()),
        (TickOutcome::NoSuchTime, 2, "2024-03-31T01:00:00.000Z")
    );
    assert_eq!(
        told.why,
        "the clock went from 2024-03-31 02:00 to 2024-03-31 03:00, so the times between did not exist"
    );
    assert_eq!(plan.ticks[1].outcome, Enqueued);
}

#[test]
fn however_the_time_is_cut_into_steps_each_tick_is_decided_once() {
    let zone = "America/Havana".to_owned();
    let timing = Timing::Cron { cron: "*/7 * * * *".to_owned(), time_zone: zone };
    let definition = ScheduleDefinition { timing, missed: Missed::All, overlap: Overlap::Allow, ..definition(MINUTE) };
    let start: Timestamp = "2024-11-02T20:00:00Z".parse().unwrap();
    let end = start.after(Duration::from_secs(12 * 3600));
    let due_times = |step: u64| {
        let mut schedule = due(definition.clone(), start);
        let (mut now, mut seen) = (start, Vec::new());
        while now < end {
            now = now.after(Duration::from_secs(step)).min(end);
            let plan = plan(&schedule, now);
            seen.extend(plan.ticks.iter().map(|row| row.due_at));
            schedule.settled_until = plan.settled_until;
        }
        seen
    };
    let expected = due_times(1800);
    assert!(expected.is_sorted_by(|a, b| a < b) && expected.len() > 90, "{}", expected.len());
    for step in [37, 420, 3000] {
        assert_eq!(due_times(step), expected, "{step}");
    }
}

#[test]
fn a_schedule_that_this_process_does_not_understand_is_left_as_it_is() {
    let timing = Timing::Cron { cron: "0 0 * * *".to_owned(), time_zone: "Mars/Olympus".to_owned() };
    let schedule =
        DueSchedule { waiting: vec![waits(at(1))], ..due(ScheduleDefinition { timing, ..definition(MINUTE) }, at(0)) };
    let plan = plan(&schedule, at(100_000));
    assert_eq!((plan.ticks.len(), plan.settled_until, waiting(&plan)), (0, at(0), vec![at(1)]));
    assert!(plan.next_due_at.unwrap() > at(100_000));
    assert!(plan.warning.unwrap().contains("the time zone \"Mars/Olympus\" is not known"));
}
