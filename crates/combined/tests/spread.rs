//! Queues that are spread over two databases, and one of them that does not answer.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use longshore_combined::{CombineError, CombinedStore, NamedDatabase, Numbering, Opening};
use longshore_core::{
    Action, ApplyLimits, ApplySchedules, ChangeSchedule, ClaimRequest, Console, Filter, Held, IdRange, JobData, JobId,
    JobPageRequest, LimitRule, LimitSubject, Limiting, NewJob, OutsideCause, PageCursor, Priority, QueueChange,
    QueueLimit, QueueScope, Recorded, ScheduleChange, ScheduleDefinition, ScheduleSource, ScheduledJob, Schedules,
    SchedulesRequest, Selection, SettleSchedules, StartedAttempt, Status, Store, StoreError, Timing, WorkerId,
    WorkerSession, stream_of,
};
use longshore_testkit::{
    EveryPlanner, FakeClock, Fault, FaultPlan, FaultStore, MemoryStore, Operation, claim, ended, heartbeat, job, worker,
};

type Part = FaultStore<MemoryStore>;

/// The database `main`, and `mail` with the queue `mail`.
struct Spread {
    clock: FakeClock,
    main: Part,
    mail: Part,
    both: CombinedStore,
}

fn named(name: &str, queues: &[&str], opening: Opening) -> NamedDatabase {
    let queues = queues.iter().map(|queue| (*queue).to_owned()).collect();
    NamedDatabase { name: name.to_owned(), queues, range: None, opening }
}

fn open(store: &Part) -> Opening {
    Opening::Open(Arc::new(store.clone()))
}

fn part(clock: &FakeClock) -> Part {
    FaultStore::new(MemoryStore::new(clock.clone()), FaultPlan::none())
}

async fn combined(main: &Part, mail: &Part) -> Result<CombinedStore, CombineError> {
    let databases = vec![named("main", &[], open(main)), named("mail", &["mail"], open(mail))];
    CombinedStore::open(databases, Numbering::Assign).await
}

impl Spread {
    async fn new() -> Self {
        let clock = FakeClock::new();
        let (main, mail) = (part(&clock), part(&clock));
        let both = combined(&main, &mail).await.unwrap();
        Self { clock, main, mail, both }
    }

    async fn enqueue(&self, job: NewJob) -> JobId {
        self.both.enqueue(vec![job]).await.unwrap()[0].id
    }

    async fn worker(&self) -> (WorkerId, Box<dyn WorkerSession>) {
        let registration = worker().lease(Duration::from_secs(86_400)).registration();
        let worker_id = registration.worker_id.clone();
        (worker_id, self.both.register(registration).await.unwrap())
    }

    async fn claim(&self, worker_id: &WorkerId, limit: u32) -> Vec<longshore_core::Lease> {
        self.both.claim(claim(worker_id, limit)).await.unwrap().leases
    }
}

fn mail() -> NewJob {
    job().queue("mail")
}

async fn count(store: &impl Console) -> u64 {
    store.count(Filter::all().into()).await.unwrap()
}

/// What is done in the background happens within seconds.
async fn until<F: Future<Output = bool>>(mut is_so: impl FnMut() -> F) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < Duration::from_secs(30), "it never became so");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn each_job_is_enqueued_in_the_database_of_its_queue_and_its_id_says_so() {
    let spread = Spread::new().await;
    let (here, there) = (spread.enqueue(job()).await, spread.enqueue(mail()).await);
    assert_eq!((count(&spread.main).await, count(&spread.mail).await), (1, 1));
    assert_eq!([here, there].map(|id| IdRange::of(id).number()), [0, 1]);
    assert_eq!([here, there].map(|id| spread.both.database_of(id).unwrap().to_string()), ["main", "mail"]);
    for id in [here, there] {
        assert_eq!(spread.both.job(id).await.unwrap().unwrap().job.id, id);
    }
    assert_eq!(count(&spread.both).await, 2);
    let unknown = JobId(IdRange::new(7).unwrap().before_first() + 1);
    assert_eq!(spread.both.job(unknown).await.unwrap(), None);
}

#[tokio::test]
async fn what_no_transaction_covers_is_refused_and_changes_nothing() {
    let spread = Spread::new().await;
    let parent = spread.enqueue(job()).await;
    let child = spread.both.enqueue(vec![mail().parent(parent)]).await.unwrap_err();
    assert!(matches!(child, StoreError::ParentElsewhere { .. }), "{child:?}");
    assert_eq!(child.to_string(), "job 1 is in database main and cannot be the parent of a job in database mail");
    let batch = spread.both.enqueue(vec![job(), mail()]).await.unwrap_err();
    assert!(matches!(batch, StoreError::SeveralDatabases { .. }), "{batch:?}");
    let jobs = [mail(), job()].map(Ok);
    let stream = spread.both.enqueue_stream(stream_of(jobs)).await.unwrap_err();
    assert!(matches!(stream, StoreError::SeveralDatabases { .. }), "{stream:?}");
    assert_eq!(count(&spread.both).await, 1);
    let stream = spread.both.enqueue_stream(stream_of([mail(), mail()].map(Ok))).await.unwrap();
    assert_eq!((stream, count(&spread.mail).await), (2, 2));
}

#[tokio::test]
async fn a_unique_key_holds_within_one_database() {
    let spread = Spread::new().await;
    let first = spread.enqueue(mail().unique_key("a")).await;
    assert_eq!(spread.enqueue(mail().unique_key("a")).await, first);
    assert_ne!(spread.enqueue(job().unique_key("a")).await, first);
}

#[tokio::test]
async fn claims_go_through_all_databases_in_turns() {
    let spread = Spread::new().await;
    let (worker_id, _session) = spread.worker().await;
    for _ in 0..4 {
        spread.enqueue(job()).await;
        spread.enqueue(mail()).await;
    }
    let mut queues = Vec::new();
    for _ in 0..4 {
        let leases = spread.claim(&worker_id, 2).await;
        queues.push(leases.iter().map(|lease| lease.queue.clone()).collect::<Vec<_>>());
    }
    queues.sort();
    assert_eq!(queues, [["default"; 2], ["default"; 2], ["mail"; 2], ["mail"; 2]], "each has its turn");
    spread.enqueue(job()).await;
    spread.enqueue(mail().priority(Priority::HIGH)).await;
    let both = spread.claim(&worker_id, 9).await;
    assert_eq!(both.iter().map(|lease| lease.queue.as_str()).collect::<Vec<_>>(), ["mail", "default"]);
}

#[tokio::test]
async fn the_limit_of_a_queue_holds_over_all_databases() {
    let spread = Spread::new().await;
    let (worker_id, _session) = spread.worker().await;
    // Jobs of one queue are in both, as after a change of the configuration.
    spread.main.enqueue(vec![mail(), mail()]).await.unwrap();
    spread.mail.enqueue(vec![mail(), mail()]).await.unwrap();
    let scope = QueueScope::Only(vec![QueueLimit { queue: "mail".to_owned(), limit: 3 }]);
    let leases = spread.both.claim(ClaimRequest { scope, ..claim(&worker_id, 9) }).await.unwrap().leases;
    assert_eq!(leases.len(), 3);
}

#[tokio::test]
async fn jobs_that_a_change_of_the_configuration_left_behind_are_worked() {
    let spread = Spread::new().await;
    let left = spread.main.enqueue(vec![mail()]).await.unwrap()[0].id;
    let (worker_id, _session) = spread.worker().await;
    let leases = spread.claim(&worker_id, 9).await;
    assert_eq!(leases.iter().map(|lease| lease.id).collect::<Vec<_>>(), [left]);
    let recorded = spread.both.record(worker_id, [ended(&leases[0]).completed()].into()).await.unwrap();
    assert_eq!(recorded, [Recorded::Recorded]);
    assert_eq!(spread.both.job(left).await.unwrap().unwrap().job.status, Status::Completed);
}

#[tokio::test]
async fn outcomes_and_heartbeats_reach_the_database_of_each_job() {
    let spread = Spread::new().await;
    let (worker_id, _session) = spread.worker().await;
    spread.enqueue(job()).await;
    let there = spread.enqueue(mail()).await;
    let leases = spread.claim(&worker_id, 9).await;
    let held = leases.iter().map(|lease| (lease.id, lease.claim_number)).collect();
    spread.both.act(Selection::job(there), Action::Cancel).await.unwrap();
    let extended = spread.both.extend(heartbeat(&worker_id, held)).await.unwrap();
    assert_eq!((extended.lost, extended.cancel_requested), (vec![], vec![there]));
    for (store, heartbeats) in [(&spread.main, 1), (&spread.mail, 1)] {
        let told = store.heartbeats();
        assert!(told.len() == heartbeats && matches!(&told[0].held, Held::All(held) if held.len() == 1), "{told:?}");
    }
    let records: Vec<_> = leases.iter().map(|lease| ended(lease).completed()).collect();
    let recorded = spread.both.record(worker_id.clone(), records.into()).await.unwrap();
    assert_eq!(recorded, [Recorded::Recorded, Recorded::Recorded]);
    let workers = spread.both.workers().await.unwrap();
    assert_eq!(workers.len(), 1, "one worker, though each database knows it");
}

#[tokio::test]
async fn attempts_of_two_databases_that_run_at_once_are_no_certain_cause_of_a_death() {
    let spread = Spread::new().await;
    let (worker_id, session) = spread.worker().await;
    spread.enqueue(job().max_crashes(1)).await;
    spread.enqueue(mail().max_crashes(1)).await;
    let leases = spread.claim(&worker_id, 9).await;
    for (slot, lease) in (0..).zip(&leases) {
        let (id, claim_number) = (lease.id, lease.claim_number);
        let started = StartedAttempt { slot, id, claim_number, is_accompanied: false };
        spread.both.mark_started(worker_id.clone(), [started].into()).await.unwrap();
    }
    for store in [&spread.main, &spread.mail] {
        store.inner().kill(&worker_id);
        store.reclaim().await.unwrap();
    }
    std::mem::forget(session);
    for lease in leases {
        let job = spread.both.job(lease.id).await.unwrap().unwrap().job;
        assert_eq!((job.status, job.crash_count), (Status::Pending, 1), "counted, and not given up");
    }
}

#[tokio::test]
async fn pages_show_the_newest_jobs_of_all_databases_first() {
    let spread = Spread::new().await;
    let mut expected = Vec::new();
    for number in 0..9 {
        spread.clock.advance(Duration::from_secs(1));
        expected.push(spread.enqueue(if number % 3 == 1 { mail() } else { job() }).await);
    }
    expected.reverse();
    let (mut found, mut after) = (Vec::new(), None::<PageCursor>);
    for _ in 0..5 {
        let request = JobPageRequest { selection: Filter::all().into(), after, limit: 2, looked_max: None };
        let page = spread.both.jobs(request).await.unwrap();
        found.extend(page.jobs.iter().map(|job| job.id));
        // What comes in between is on no later page.
        spread.clock.advance(Duration::from_secs(1));
        spread.enqueue(mail()).await;
        after = page.next.map(|cursor| cursor.to_string().parse().unwrap());
    }
    assert_eq!((found, after), (expected, None));
}

#[tokio::test]
async fn changes_and_numbers_are_about_all_databases() {
    let spread = Spread::new().await;
    for new in [job(), mail(), mail()] {
        spread.enqueue(new).await;
    }
    let depths = spread.both.stats(0).await.unwrap().queues;
    let depths: Vec<_> = depths.iter().map(|queue| (queue.queue.as_str(), queue.jobs[&Status::Pending])).collect();
    assert_eq!(depths, [("default", 1), ("mail", 2)]);
    spread.both.change_queue("mail".to_owned(), QueueChange::Pause).await.unwrap();
    let (worker_id, _session) = spread.worker().await;
    assert_eq!(spread.claim(&worker_id, 9).await.len(), 1);
    assert!(spread.both.stats(0).await.unwrap().queues.iter().any(|queue| queue.paused_at.is_some()));
    let cancelled = spread.both.act(Filter::all().statuses([Status::Pending]).into(), Action::Cancel).await.unwrap();
    assert_eq!((cancelled.touched, cancelled.refused), (2, vec![]));
}

#[tokio::test]
async fn a_database_that_does_not_answer_keeps_nobody_waiting() {
    let spread = Spread::new().await;
    let (worker_id, _session) = spread.worker().await;
    spread.enqueue(job()).await;
    let there = spread.enqueue(mail()).await;
    let leases = spread.claim(&worker_id, 9).await;
    spread.mail.set_gone(true);
    let records: Vec<_> = leases.iter().map(|lease| ended(lease).completed()).collect();
    let recorded = spread.both.record(worker_id.clone(), records.clone().into()).await.unwrap();
    for (lease, recorded) in leases.iter().zip(recorded) {
        let is_there = lease.id == there;
        assert!(matches!(recorded, Recorded::Unanswered { .. }) == is_there, "{recorded:?}");
    }
    assert_eq!(spread.both.unreachable()[0].name.to_string(), "mail");
    let here = spread.enqueue(job()).await;
    assert_eq!(spread.claim(&worker_id, 9).await.iter().map(|lease| lease.id).collect::<Vec<_>>(), [here]);
    spread.both.extend(heartbeat(&worker_id, vec![])).await.unwrap();
    spread.both.reclaim().await.unwrap();
    assert_eq!(spread.both.stats(0).await.unwrap().queues.len(), 1, "the others are shown");
    let error = spread.both.enqueue(vec![mail()]).await.unwrap_err();
    assert!(error.is_passing() && error.to_string().starts_with("database mail: "), "{error}");
    let error = spread.both.count(Filter::all().into()).await.unwrap_err();
    assert_eq!(error.code(), "database_unreachable", "a count would be wrong");
    spread.mail.set_gone(false);
    until(async || spread.both.unreachable().is_empty()).await;
    let late = records.into_iter().filter(|record| record.id == there).collect::<Vec<_>>();
    assert_eq!(spread.both.record(worker_id, late.into()).await.unwrap(), [Recorded::Recorded]);
}

#[tokio::test]
async fn a_claim_that_a_database_did_not_answer_is_repeated_there_and_loses_no_job() {
    let spread = Spread::new().await;
    let (worker_id, _session) = spread.worker().await;
    spread.mail.fail_next(Operation::Claim, Fault::Lost);
    spread.enqueue(mail()).await;
    spread.enqueue(job()).await;
    let mut found = spread.claim(&worker_id, 9).await;
    assert_eq!(found.len(), 1, "the answer of the other one was lost");
    found.extend(spread.claim(&worker_id, 9).await);
    let mut queues: Vec<_> = found.iter().map(|lease| lease.queue.as_str()).collect();
    queues.sort_unstable();
    assert_eq!(queues, ["default", "mail"]);
    assert!(spread.claim(&worker_id, 9).await.is_empty());
}

#[tokio::test]
async fn a_database_that_was_away_at_the_start_is_worked_as_soon_as_it_answers() {
    let clock = FakeClock::new();
    let (main, mail_part) = (part(&clock), part(&clock));
    mail_part.enqueue(vec![mail()]).await.unwrap();
    let range = IdRange::new(1).unwrap();
    let is_there = Arc::new(AtomicBool::new(false));
    let opener = {
        let (is_there, store) = (Arc::clone(&is_there), part(&clock));
        store.take_id_range(range).await.unwrap();
        store.enqueue(vec![mail()]).await.unwrap();
        move || match is_there.load(Ordering::Acquire) {
            true => Ok(Arc::new(store.clone()) as Arc<dyn longshore_core::Backend>),
            false => Err(away()),
        }
    };
    let later = Opening::Later { error: away(), open: Arc::new(opener) };
    let there = NamedDatabase { range: Some(range), ..named("mail", &["mail"], later) };
    let databases = vec![named("main", &[], open(&main)), there];
    let both = CombinedStore::open(databases, Numbering::Assign).await.unwrap();
    let registration = worker().lease(Duration::from_secs(86_400)).registration();
    let worker_id = registration.worker_id.clone();
    let _session = both.register(registration).await.unwrap();
    assert!(both.claim(claim(&worker_id, 9)).await.unwrap().leases.is_empty());
    assert_eq!(both.unreachable().len(), 1);
    is_there.store(true, Ordering::Release);
    let claimed = std::sync::Mutex::new(Vec::new());
    until(async || {
        let leases = both.claim(claim(&worker_id, 9)).await.unwrap().leases;
        claimed.lock().unwrap().extend(leases);
        claimed.lock().unwrap().len() == 1
    })
    .await;
    assert_eq!(both.unreachable().len(), 0);
}

#[tokio::test]
async fn limits_hold_where_a_database_answers_and_elsewhere_before_its_first_claim() {
    let spread = Spread::new().await;
    let (worker_id, _session) = spread.worker().await;
    for _ in 0..2 {
        spread.enqueue(job()).await;
        spread.enqueue(mail()).await;
    }
    spread.mail.set_gone(true);
    let rule = LimitRule { concurrency: Some(1), ..LimitRule::default() };
    let apply = ApplyLimits { rules: vec![(LimitSubject::Type(job().job_type), Some(rule))] };
    let applied = spread.both.apply_limits(apply).await.unwrap();
    assert_eq!(applied.changed.len(), 1);
    assert_eq!(spread.claim(&worker_id, 9).await.len(), 1, "the others go on, each with the limit");
    spread.mail.set_gone(false);
    let claimed = std::sync::Mutex::new(Vec::new());
    until(async || {
        let leases = spread.claim(&worker_id, 9).await;
        claimed.lock().unwrap().extend(leases);
        !claimed.lock().unwrap().is_empty()
    })
    .await;
    assert!(spread.claim(&worker_id, 9).await.is_empty());
    assert_eq!(claimed.into_inner().unwrap().len(), 1, "its limit was there first");
}

#[tokio::test]
async fn a_claim_names_the_cause_why_a_database_has_no_limits() {
    let spread = Spread::new().await;
    let (worker_id, _session) = spread.worker().await;
    // More often than anybody tries again during this test.
    for _ in 0..100 {
        spread.mail.fail_next(Operation::Schedule, Fault::Full);
    }
    let rule = LimitRule { concurrency: Some(1), ..LimitRule::default() };
    let apply = ApplyLimits { rules: vec![(LimitSubject::Type(job().job_type), Some(rule))] };
    spread.both.apply_limits(apply).await.unwrap();
    assert!(spread.both.unreachable().is_empty(), "it answers");
    spread.main.set_gone(true);
    spread.both.stats(0).await.unwrap();
    let error = spread.both.claim(claim(&worker_id, 9)).await.unwrap_err();
    assert!(error.code() == "disk_full" && error.to_string().starts_with("database mail: "), "{error}");
}

/// A schedule whose jobs are in this queue.
fn each(name: &str, queue: &str) -> ScheduleDefinition {
    let timing = Timing::Every { every_ms: 60_000, time_zone: "UTC".to_owned() };
    let mut job = ScheduledJob::new("work", JobData::default());
    job.queue = Some(queue.to_owned());
    ScheduleDefinition::new(name, timing, job)
}

fn application(definitions: Vec<ScheduleDefinition>) -> ApplySchedules {
    ApplySchedules {
        definitions,
        source: ScheduleSource::Config,
        prune: false,
        dry_run: false,
        planner: Arc::new(EveryPlanner::default()),
        decided_by: "the test".to_owned(),
    }
}

/// The names of the schedules of a database.
async fn schedules(store: &Part) -> Vec<String> {
    let request = SchedulesRequest { names: None, after: None, limit: 100 };
    // Below the faults: the test sees the database also while nobody else does.
    store.inner().schedules(request).await.unwrap().into_iter().map(|record| record.name).collect()
}

async fn settle(store: &CombinedStore) {
    let planner = Arc::new(EveryPlanner::default());
    let settle = SettleSchedules { planner, decided_by: "the test".to_owned(), limit: 100 };
    store.settle_schedules(settle).await.unwrap();
}

#[tokio::test]
async fn schedules_are_applied_once_where_a_database_answers_and_elsewhere_as_soon_as_it_does() {
    let spread = Spread::new().await;
    spread.mail.set_gone(true);
    let apply = application(vec![each("here", "default"), each("there", "mail")]);
    let error = spread.both.apply_schedules(apply).await.unwrap_err();
    assert!(error.is_passing() && error.to_string().starts_with("database mail: "), "{error}");
    assert_eq!((schedules(&spread.main).await, schedules(&spread.mail).await), (vec!["here".to_owned()], vec![]));
    let removal = ChangeSchedule {
        name: "here".to_owned(),
        change: ScheduleChange::Remove,
        planner: Arc::new(EveryPlanner::default()),
        decided_by: "an operator".to_owned(),
    };
    assert!(spread.main.change_schedule(removal).await.unwrap());

    spread.mail.set_gone(false);
    until(async || schedules(&spread.mail).await == ["there"]).await;

    assert_eq!(schedules(&spread.main).await, [""; 0], "what was removed by hand stays so");
}

#[tokio::test]
async fn a_schedule_that_has_left_a_database_that_was_away_does_not_run_there_as_well() {
    let spread = Spread::new().await;
    spread.mail.apply_schedules(application(vec![each("moved", "mail")])).await.unwrap();
    spread.mail.set_gone(true);
    spread.both.apply_schedules(application(vec![each("moved", "default")])).await.unwrap();
    spread.clock.advance(Duration::from_secs(60));

    spread.mail.set_gone(false);
    until(async || {
        settle(&spread.both).await;
        schedules(&spread.mail).await.is_empty()
    })
    .await;

    assert_eq!(schedules(&spread.main).await, ["moved"]);
    assert_eq!((count(&spread.main).await, count(&spread.mail).await), (1, 0));
}

#[tokio::test]
async fn a_dry_run_and_pruning_are_not_made_up_for_later() {
    let spread = Spread::new().await;
    spread.mail.set_gone(true);
    let dry = ApplySchedules { dry_run: true, ..application(vec![each("there", "mail")]) };
    spread.both.apply_schedules(dry).await.unwrap_err();
    let prune = ApplySchedules { prune: true, ..application(vec![each("there", "mail")]) };
    spread.both.apply_schedules(prune).await.unwrap_err();

    spread.mail.set_gone(false);
    // What is made up for is made up for within a second.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(schedules(&spread.mail).await, [""; 0]);
}

fn away() -> StoreError {
    OutsideCause::ServerUnreachable { database: "mail".into(), source: "connection refused".into() }.into()
}

#[tokio::test]
async fn databases_whose_ids_say_nothing_are_not_combined() {
    let clock = FakeClock::new();
    let (main, mail_part) = (part(&clock), part(&clock));
    main.enqueue(vec![job()]).await.unwrap();
    mail_part.enqueue(vec![mail()]).await.unwrap();
    let error = combined(&main, &mail_part).await.unwrap_err();
    assert!(matches!(error, CombineError::SameRange { .. }), "{error}");
    mail_part.act(Filter::all().into(), Action::Delete).await.unwrap();
    let both = combined(&main, &mail_part).await.unwrap();
    assert_eq!(IdRange::of(both.enqueue(vec![mail()]).await.unwrap()[0].id).number(), 1);
    // The number is kept in the database, whatever the order in the configuration.
    let turned = vec![named("mail", &["default"], open(&mail_part)), named("main", &["mail"], open(&main))];
    let turned = CombinedStore::open(turned, Numbering::LookOnly).await.unwrap();
    assert_eq!(IdRange::of(turned.enqueue(vec![job()]).await.unwrap()[0].id).number(), 1);
}

#[tokio::test]
async fn a_configuration_that_contradicts_itself_is_refused() {
    let clock = FakeClock::new();
    let (main, other) = (part(&clock), part(&clock));
    let twice = vec![named("a", &["x"], open(&main)), named("b", &["x"], open(&other))];
    let error = CombinedStore::open(twice, Numbering::Assign).await.unwrap_err();
    assert!(matches!(error, CombineError::SameQueue { .. }), "{error}");
    let named_twice = vec![named("a", &[], open(&main)), named("a", &["x"], open(&other))];
    let error = CombinedStore::open(named_twice, Numbering::Assign).await.unwrap_err();
    assert!(matches!(error, CombineError::SameName { .. }), "{error}");
    other.enqueue(vec![job()]).await.unwrap();
    let fixed = NamedDatabase { range: IdRange::new(3), ..named("b", &["x"], open(&other)) };
    let error = CombinedStore::open(vec![named("a", &[], open(&main)), fixed], Numbering::Assign).await.unwrap_err();
    assert!(matches!(error, CombineError::OtherRange { .. }), "{error}");
}

#[tokio::test]
async fn a_database_that_is_given_twice_is_refused() {
    let clock = FakeClock::new();
    let part = part(&clock);
    let error = combined(&part, &part).await.unwrap_err();
    assert!(matches!(error, CombineError::SameDatabase { .. }), "{error}");
    part.enqueue(vec![job()]).await.unwrap();
    let error = combined(&part, &part).await.unwrap_err();
    assert!(error.to_string().contains("if both are the same database"), "{error}");
}

#[tokio::test]
async fn a_name_that_is_none_for_a_database_is_refused() {
    let clock = FakeClock::new();
    let (main, other) = (part(&clock), part(&clock));
    for name in ["", "Mail", "my mail", "é"] {
        let databases = vec![named("main", &[], open(&main)), named(name, &["mail"], open(&other))];
        let error = CombinedStore::open(databases, Numbering::Assign).await.unwrap_err();
        assert!(matches!(error, CombineError::InvalidName { .. }), "{name:?}: {error}");
    }
}

#[tokio::test]
async fn who_only_looks_gives_no_database_a_range() {
    let clock = FakeClock::new();
    let (main, other) = (part(&clock), part(&clock));
    let databases = vec![named("main", &[], open(&main)), named("mail", &["mail"], open(&other))];
    CombinedStore::open(databases, Numbering::LookOnly).await.unwrap();
    assert_eq!((main.id_range().await.unwrap(), other.id_range().await.unwrap()), (None, None));
}
