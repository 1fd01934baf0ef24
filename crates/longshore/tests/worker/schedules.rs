use std::sync::{Arc, Mutex};
use std::time::Duration;

use longshore::schedule::{
    FindingKind, Missed, Overlap, ScheduleError, ScheduleSource, Tick, TickKind, TickOutcome, TicksRequest,
};
use longshore::{NewJob, Queue, Schedule, Status, Timestamp, Worker, WorkerError};
use longshore_core::Clock;
use longshore_testkit::{Fault, FaultPlan, FaultStore, Operation};

use crate::bench::{Bench, Running, Step};
use crate::warnings::Warnings;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// A schedule with a tick a minute that allows overlap.
fn minutely() -> Schedule {
    Schedule::every("minutely", MINUTE).overlap(Overlap::Allow).enqueue(&Step { number: 1 })
}

/// A schedule of its own, so that a worker without handlers has something to do.
fn other() -> Schedule {
    Schedule::every("other", 1000 * HOUR).enqueue(&Step { number: 1 })
}

/// What the handler saw: the schedule, when it was due, and when it ran.
type Seen = Arc<Mutex<Vec<(String, Timestamp, Timestamp)>>>;

fn seeing(bench: &Bench, worker: Worker) -> (Worker, Seen) {
    let (seen, clock) = (Seen::default(), bench.clock.clone());
    let noted = Arc::clone(&seen);
    let worker = worker.handle(move |_: Step, attempt| {
        let of_schedule = (attempt.schedule().unwrap(), attempt.due_at().unwrap(), clock.now());
        noted.lock().unwrap().push(of_schedule);
        async { Ok(()) }
    });
    (worker, seen)
}

async fn ticks(bench: &Bench, schedule: &str) -> Vec<Tick> {
    let request = TicksRequest { schedule: schedule.to_owned(), outcomes: None, before: None, limit: 1000 };
    let mut ticks = bench.queue.schedules().ticks(request).await.unwrap().ticks;
    ticks.reverse();
    ticks
}

fn outcomes(ticks: &[Tick]) -> Vec<(TickOutcome, u64)> {
    ticks.iter().map(|tick| (tick.outcome, tick.ticks)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_tick_starts_its_job_within_fifty_milliseconds_and_says_what_became_of_it() {
    let bench = Bench::new();
    let (worker, seen) = seeing(&bench, bench.worker());
    let running = Running::spawn(worker.schedule(minutely()));
    tokio::time::sleep(10 * MINUTE + SECOND).await;
    running.stop().await;

    let ticks = ticks(&bench, "minutely").await;
    assert_eq!(outcomes(&ticks), [(TickOutcome::Enqueued, 1); 10]);
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 10);
    for (tick, (schedule, due_at, ran_at)) in ticks.iter().zip(&seen) {
        assert_eq!((schedule.as_str(), *due_at), ("minutely", tick.due_at));
        assert_eq!(due_at.as_ms() % 60_000, 0);
        assert!(ran_at.since(*due_at) < Duration::from_millis(50), "{:?}", ran_at.since(*due_at));
        assert_eq!(bench.status(tick.job_id.unwrap()).await, Status::Completed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_is_not_valid_is_an_error_before_anything_is_claimed() {
    let bench = Bench::new();
    let id = bench.enqueue(1).await;
    let step = || Step { number: 1 };
    let invalid: [(Schedule, &str); 7] = [
        (Schedule::cron("a", "61 * * * *").enqueue(&step()), "the cron expression \"61 * * * *\" is not valid"),
        (Schedule::cron("a", "0 0 30 2 *").enqueue(&step()), "never matches"),
        (minutely().time_zone("Europe/Berln"), "did you mean Europe/Berlin?"),
        (Schedule::every("a", Duration::from_millis(10)).enqueue(&step()), "from 1s to 10 years"),
        (Schedule::cron("a", "@daily"), "schedule \"a\" has no job"),
        (minutely().catch_up_max(101), "catch_up_max must be from 1 to 100"),
        (minutely().enqueue_job(NewJob::new("step", Default::default()).delay(SECOND)), "cannot have a time"),
    ];
    for (schedule, words) in invalid {
        let worker = bench.worker().handle(|_: Step, _| async { Ok(()) }).schedule(schedule);
        let error = worker.run_until_drained().await.unwrap_err();
        assert!(matches!(error, WorkerError::Schedule(_)), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    let twice = bench.worker().handle(|_: Step, _| async { Ok(()) }).schedule(minutely()).schedule(minutely());
    assert!(matches!(
        twice.run_until_drained().await,
        Err(WorkerError::Schedule(ScheduleError::Doubled { name })) if name == "minutely"
    ));
    assert_eq!(bench.status(id).await, Status::Pending);
    assert!(bench.queue.schedules().list().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_worker_without_handlers_makes_the_jobs_of_others() {
    let bench = Bench::new();
    let scheduler = Running::spawn(bench.worker().schedule(minutely()));
    tokio::time::sleep(3 * MINUTE).await;
    scheduler.stop().await;
    assert_eq!(ticks(&bench, "minutely").await.len(), 3);
    let (worker, seen) = seeing(&bench, bench.worker());
    worker.run_until_drained().await.unwrap();
    assert_eq!(seen.lock().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn schedules_of_the_database_run_in_a_worker_that_knows_none() {
    let bench = Bench::new();
    let (worker, seen) = seeing(&bench, bench.worker());
    let running = Running::spawn(worker);
    tokio::time::sleep(MINUTE + SECOND).await;
    bench.queue.schedules().add(&Schedule::every("soon", 5 * SECOND).enqueue(&Step { number: 1 })).await.unwrap();
    tokio::time::sleep(21 * SECOND).await;
    running.stop().await;
    assert!((4..=5).contains(&seen.lock().unwrap().len()), "{:?}", seen.lock().unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_new_or_edited_schedule_starts_now_and_has_no_run_for_the_past() {
    let bench = Bench::new();
    let schedules = bench.queue.schedules();
    let hourly = Schedule::every("minutely", HOUR).enqueue(&Step { number: 1 });
    tokio::time::sleep(HOUR / 2).await;
    schedules.add(&minutely()).await.unwrap();
    bench.worker().schedule(other()).run_until_drained().await.unwrap();
    assert_eq!(ticks(&bench, "minutely").await.len(), 0);
    let applied = schedules.add(&hourly).await.unwrap();
    assert_eq!(applied.changed, ["minutely"]);
    bench.worker().schedule(other()).run_until_drained().await.unwrap();
    assert_eq!(ticks(&bench, "minutely").await.len(), 0);
    let unchanged = schedules.apply(&[hourly], ScheduleSource::Manual).await.unwrap();
    assert_eq!(unchanged.unchanged, ["minutely"]);
}

#[tokio::test(start_paused = true)]
async fn after_three_weeks_of_downtime_missed_decides_and_nothing_floods() {
    for (missed, jobs) in [(Missed::Skip, 1), (Missed::Latest, 1), (Missed::All, 100)] {
        let bench = Bench::new();
        let secondly = Schedule::every("secondly", SECOND).overlap(Overlap::Allow).missed(missed);
        bench.queue.schedules().add(&secondly.enqueue(&Step { number: 1 })).await.unwrap();
        tokio::time::sleep(21 * 24 * HOUR).await;
        let (worker, seen) = seeing(&bench, bench.worker());
        worker.run_until_drained().await.unwrap();
        assert_eq!(seen.lock().unwrap().len(), jobs, "{missed:?}");
        let ticks = ticks(&bench, "secondly").await;
        assert!(ticks.len() <= jobs + 2, "{}", ticks.len());
        assert_eq!(ticks.iter().map(|tick| tick.ticks).sum::<u64>(), 21 * 86_400);
        let findings = bench.queue.schedules().check(Some("secondly")).await.unwrap();
        assert_eq!(findings.iter().map(|it| it.kind).collect::<Vec<_>>(), [FindingKind::Missed]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_run_after_a_gap_is_logged_with_what_may_have_happened() {
    let (warnings, _guard) = Warnings::listen();
    let bench = Bench::new();
    let nightly = Schedule::every("nightly", 24 * HOUR).enqueue(&Step { number: 1 });
    bench.queue.schedules().add(&nightly).await.unwrap();
    tokio::time::sleep(30 * HOUR).await;
    let (worker, seen) = seeing(&bench, bench.worker());
    worker.run_until_drained().await.unwrap();
    assert_eq!(seen.lock().unwrap().len(), 1);
    let tick = &ticks(&bench, "nightly").await[0];
    assert_eq!(tick.outcome, TickOutcome::Late);
    assert!(tick.why.contains("restored from an older copy"), "{}", tick.why);
    assert_eq!(warnings.count("look at this schedule"), 1, "{:?}", warnings.told);
    assert_eq!(warnings.count("a scheduled job is late"), 1, "{:?}", warnings.told);
}

#[tokio::test(start_paused = true)]
async fn each_tick_after_a_gap_says_what_may_have_happened_also_if_it_waited_for_a_job() {
    let bench = Bench::new();
    let schedule = Schedule::every("caught_up", 2 * MINUTE).overlap(Overlap::Skip).missed(Missed::All);
    bench.queue.schedules().add(&schedule.enqueue(&Step { number: 1 })).await.unwrap();
    tokio::time::sleep(20 * MINUTE).await;
    let began = bench.clock.now();
    let (worker, _seen) = seeing(&bench, bench.worker());
    let running = Running::spawn(worker);
    tokio::time::sleep(MINUTE).await;
    running.stop().await;
    let mut after_gap = ticks(&bench, "caught_up").await;
    after_gap.retain(|tick| tick.due_at < began.before(SECOND));
    assert!(after_gap.len() >= 9, "{after_gap:?}");
    for tick in after_gap {
        assert!(tick.job_id.is_some(), "{tick:?}");
        assert!(tick.why.ends_with("restored from an older copy, and then it may have run before"), "{}", tick.why);
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_settles_what_is_due_and_waits_for_no_later_tick() {
    let bench = Bench::new();
    bench.queue.schedules().add(&minutely()).await.unwrap();
    tokio::time::sleep(MINUTE).await;
    let (worker, seen) = seeing(&bench, bench.worker());
    let began = tokio::time::Instant::now();
    worker.run_until_drained().await.unwrap();
    assert!(began.elapsed() < 10 * SECOND, "{:?}", began.elapsed());
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_tick_whose_answer_was_lost_is_decided_once_and_errors_are_retried() {
    let bench = Bench::new();
    let store = FaultStore::new(bench.store.clone(), FaultPlan::none());
    let queue = Queue::from_backend(Arc::new(store.clone()));
    store.fail_next(Operation::Schedule, Fault::Busy);
    store.fail_next(Operation::Schedule, Fault::Lost);
    let (worker, seen) = seeing(&bench, bench.worker_of(&queue));
    let running = Running::spawn(worker.schedule(minutely()));
    tokio::time::sleep(MINUTE / 2).await;
    for fault in [Fault::Lost, Fault::Full, Fault::Lost, Fault::Busy] {
        store.fail_next(Operation::Settle, fault);
        tokio::time::sleep(MINUTE).await;
    }
    running.stop().await;
    let ticks = ticks(&bench, "minutely").await;
    assert_eq!(ticks.iter().map(|tick| tick.ticks).sum::<u64>(), 4, "{ticks:?}");
    assert_eq!(seen.lock().unwrap().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn overlap_skips_waits_replaces_or_allows_while_the_last_job_runs() {
    for (overlap, at_once, outcome) in [
        (Overlap::Skip, 1, TickOutcome::SkippedOverlap),
        (Overlap::After, 1, TickOutcome::SkippedOverlap),
        // The job that is cancelled still stops while the next one begins.
        (Overlap::Replace, 2, TickOutcome::Enqueued),
        (Overlap::Allow, 3, TickOutcome::Enqueued),
    ] {
        let bench = Bench::new();
        let tally = crate::bench::Tally::default();
        let inside = tally.clone();
        let worker = bench.worker().handle(move |_: Step, attempt| {
            let tally = inside.clone();
            async move {
                tally.enter(1);
                let stopped = tokio::time::timeout(150 * SECOND, attempt.stopped()).await.is_ok();
                tally.leave();
                if stopped { Err("replaced".into()) } else { Ok::<_, longshore::HandlerError>(()) }
            }
        });
        let running = Running::spawn(worker.schedule(minutely().overlap(overlap)));
        tokio::time::sleep(9 * MINUTE + SECOND).await;
        running.stop().await;
        assert_eq!(tally.most(), at_once, "{overlap:?}");
        let ticks = ticks(&bench, "minutely").await;
        assert!(ticks.iter().any(|tick| tick.outcome == outcome), "{overlap:?}: {:?}", outcomes(&ticks));
        let jobs = ticks.iter().filter(|tick| tick.job_id.is_some()).count();
        let expected = match overlap {
            Overlap::Skip => 3..=4,
            Overlap::After => 3..=5,
            Overlap::Replace | Overlap::Allow => 9..=9,
        };
        assert!(expected.contains(&jobs), "{overlap:?}: {:?}", outcomes(&ticks));
    }
}

#[tokio::test(start_paused = true)]
async fn missed_ticks_run_one_after_another_if_they_must_not_overlap() {
    let bench = Bench::new();
    bench.queue.schedules().add(&minutely().overlap(Overlap::Skip).missed(Missed::All)).await.unwrap();
    tokio::time::sleep(5 * MINUTE + SECOND).await;
    let tally = crate::bench::Tally::default();
    let inside = tally.clone();
    let worker = bench.worker().handle(move |_: Step, attempt| {
        let (tally, minute) = (inside.clone(), attempt.due_at().unwrap().minute());
        async move {
            tally.enter(u32::try_from(minute % 1000).unwrap());
            tokio::time::sleep(SECOND).await;
            tally.leave();
            Ok(())
        }
    });
    let running = Running::spawn(worker);
    tokio::time::sleep(MINUTE / 2).await;
    running.stop().await;
    let seen = tally.seen();
    assert_eq!((tally.most(), seen.len()), (1, 5), "{seen:?}");
    assert!(seen.is_sorted(), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_pause_skips_ticks_and_a_resume_catches_up_only_when_told_to() {
    for catches_up in [false, true] {
        let bench = Bench::new();
        let (worker, seen) = seeing(&bench, bench.worker());
        let running = Running::spawn(worker.schedule(minutely().missed(Missed::All)));
        let schedules = bench.queue.schedules();
        tokio::time::sleep(MINUTE + SECOND).await;
        assert!(schedules.pause("minutely", "too noisy").await.unwrap());
        tokio::time::sleep(3 * MINUTE).await;
        let skipped: Vec<Tick> = ticks(&bench, "minutely").await.split_off(1);
        assert!(!skipped.is_empty() && skipped.iter().all(|tick| tick.outcome == TickOutcome::SkippedPaused));
        assert!(skipped[0].why.contains("too noisy"), "{}", skipped[0].why);
        let found = match catches_up {
            true => schedules.resume_and_catch_up("minutely").await,
            false => schedules.resume("minutely").await,
        };
        assert!(found.unwrap());
        tokio::time::sleep(2 * MINUTE).await;
        running.stop().await;
        let ticks = ticks(&bench, "minutely").await;
        assert_eq!(ticks.iter().map(|tick| tick.ticks).sum::<u64>(), 6, "{:?}", outcomes(&ticks));
        assert_eq!(seen.lock().unwrap().len(), if catches_up { 6 } else { 3 });
        assert!(!schedules.pause("none", "").await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn a_person_runs_a_schedule_now_and_fills_the_past() {
    let bench = Bench::new();
    let schedules = bench.queue.schedules();
    // Not at the very time of a tick, which would be the same row.
    tokio::time::sleep(HOUR / 3).await;
    schedules.add(&Schedule::every("hourly", HOUR).enqueue(&Step { number: 1 })).await.unwrap();
    let id = schedules.run("hourly").await.unwrap();
    let tick = ticks(&bench, "hourly").await.pop().unwrap();
    assert_eq!((tick.kind, tick.job_id, tick.outcome), (TickKind::Manual, Some(id), TickOutcome::Enqueued));
    assert!(matches!(schedules.run("none").await, Err(ScheduleError::NotFound { .. })));

    tokio::time::sleep(6 * HOUR).await;
    let now = bench.clock.now();
    let (from, to) = (now.before(10 * HOUR), now.before(HOUR));
    let planned = schedules.backfill_dry_run("hourly", from, to).await.unwrap();
    assert_eq!((planned.ticks.len(), ticks(&bench, "hourly").await.len()), (9, 1));
    assert!(planned.ticks.iter().all(|tick| tick.job_id.is_none() && !tick.had_job), "{planned:?}");
    let filled = schedules.backfill("hourly", from, to).await.unwrap();
    assert!(filled.ticks.iter().all(|tick| tick.job_id.is_some() && !tick.had_job));
    let wider = schedules.backfill_dry_run("hourly", from, to.after(HOUR)).await.unwrap();
    assert_eq!(
        wider.ticks.iter().map(|tick| tick.had_job).collect::<Vec<_>>(),
        [[true; 9].as_slice(), &[false]].concat()
    );
    let again = schedules.backfill("hourly", from, to).await.unwrap();
    assert!(again.ticks.iter().all(|tick| tick.job_id.is_none() && tick.had_job), "{again:?}");
    for (from, to) in [(to, from), (from, from)] {
        assert!(matches!(schedules.backfill("hourly", from, to).await, Err(ScheduleError::EmptySpan { .. })));
    }
    let future = schedules.backfill("hourly", from, now.after(HOUR)).await;
    assert!(matches!(future, Err(ScheduleError::FutureSpan { .. })), "{future:?}");
    let secondly = Schedule::every("secondly", SECOND).enqueue(&Step { number: 1 });
    schedules.add(&secondly).await.unwrap();
    let many = schedules.backfill("secondly", now.before(5 * HOUR), now).await;
    assert!(matches!(many, Err(ScheduleError::TooManyTicks { ticks: 18_000, .. })), "{many:?}");
}

#[tokio::test(start_paused = true)]
async fn a_check_tells_an_overdue_schedule_and_one_that_nobody_settles() {
    let bench = Bench::new();
    let schedules = bench.queue.schedules();
    schedules.add(&minutely().expect_within(10 * SECOND)).await.unwrap();
    assert_eq!(schedules.check(None).await.unwrap(), []);
    let scheduler = Running::spawn(bench.worker().schedule(minutely().expect_within(10 * SECOND)));
    tokio::time::sleep(2 * MINUTE).await;
    scheduler.stop().await;
    let kinds = async || schedules.check(None).await.unwrap().iter().map(|it| it.kind).collect::<Vec<_>>();
    assert_eq!(kinds().await, [FindingKind::Overdue]);
    let (worker, _) = seeing(&bench, bench.worker());
    worker.run_until_drained().await.unwrap();
    assert_eq!(kinds().await, []);
    tokio::time::sleep(5 * MINUTE).await;
    assert_eq!(kinds().await, [FindingKind::Unsettled, FindingKind::Overdue]);
}

#[tokio::test(start_paused = true)]
async fn two_workers_with_different_schedules_do_not_undo_each_other() {
    let bench = Bench::new();
    let (first, seen) = seeing(&bench, bench.worker_elsewhere());
    let first = Running::spawn(first.schedule(minutely()));
    tokio::time::sleep(2 * MINUTE + SECOND).await;
    let (second, other) = seeing(&bench, bench.worker_elsewhere());
    let second = Running::spawn(second.schedule(Schedule::every("minutely", 2 * MINUTE).enqueue(&Step { number: 2 })));
    tokio::time::sleep(10 * MINUTE).await;
    first.stop().await;
    second.stop().await;
    let record = bench.queue.schedules().get("minutely").await.unwrap().unwrap();
    assert_eq!(record.revision, 2, "each applied its own definition once, when it started");
    let ticks = ticks(&bench, "minutely").await;
    let runs = seen.lock().unwrap().len() + other.lock().unwrap().len();
    assert_eq!((ticks.len(), runs), (7, 7), "{:?}", outcomes(&ticks));
    assert!(ticks[2..].iter().all(|tick| tick.due_at.as_ms() % 120_000 == 0));
}
