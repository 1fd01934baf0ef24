use longshore_core::{
    Action, Checksum, ClaimNumber, Console, Failure, FailureType, Filter, Job, JobDetail, JobEdit, JobId, Lease,
    LogChunk, LogRequest, Maintenance, MoveChange, MovePhase, MoveState, MovedJob, MovedJobsRequest, MovedPart, Moving,
    NewCheckpoint, NewJob, NewToken, Outcome, Priority, Progress, QueueChange, Recorded, Report, Selection, Status,
    StepName, Store, StoreError, Timestamp, TokenHash, Tokens, TypeSettings, UniqueWhile, WorkerId,
};

use crate::suite::world::{data, job_at, seconds};
use crate::suite::{Harness, PlainInsert, World, ids};
use crate::{claim, ended, heartbeat, job, worker};

/// The place where the queue is, or to which it moves.
const ELSEWHERE: &str = "postgres://elsewhere/queue";

fn state(phase: MovePhase) -> MoveState {
    MoveState {
        move_id: "a-move".to_owned(),
        phase,
        other: ELSEWHERE.to_owned(),
        begun_at: Timestamp::from_ms(1_700_000_000_000),
        takes_ended: true,
        has_settings: false,
        copied_to: None,
        before: None,
    }
}

const EVERYTHING: MovedJobsRequest =
    MovedJobsRequest { after: JobId(i64::MIN), jobs_max: 1000, bytes_max: usize::MAX, takes_ended: true };

impl<H: Harness<Store: Moving>> World<H> {
    async fn set_state(&self, next: Option<MoveState>) {
        let expected = self.store.move_state().await.expect("the state can be read");
        let change = MoveChange { expected, next };
        assert!(self.store.change_move_state(change).await.expect("the state can be written"));
    }

    pub(super) async fn set_phase(&self, phase: MovePhase) {
        self.set_state(Some(state(phase))).await;
    }

    async fn moved(&self, request: MovedJobsRequest) -> Vec<MovedJob> {
        self.store.moved_jobs(request).await.expect("jobs can be read")
    }

    pub(super) async fn keep(&self, part: MovedPart) {
        let expected = self.store.move_state().await.expect("the state can be read");
        let change = MoveChange { next: expected.clone(), expected };
        assert!(self.store.keep_moved(change, part).await.expect("what moves can be written"));
    }

    /// A database to which everything of this one has moved, by the same clock.
    pub(super) async fn moved_house(&self, takes_ended: bool) -> Self {
        let there = Self::at(self.now());
        there.set_phase(MovePhase::Arriving).await;
        let settings = self.store.moved_settings().await.expect("settings can be read");
        there.keep(MovedPart::Settings(Box::new(settings))).await;
        let jobs = self.moved(MovedJobsRequest { takes_ended, ..EVERYTHING }).await;
        there.keep(MovedPart::Jobs(jobs)).await;
        there.set_phase(MovePhase::Arrived).await;
        there
    }

    async fn all_details(&self) -> Vec<(JobDetail, Vec<String>)> {
        let mut details = Vec::new();
        for moved in self.moved(EVERYTHING).await {
            let id = moved.job.id;
            let page = self.store.log(LogRequest { id, attempt: None, after: None }).await.expect("logs can be read");
            details.push((self.detail(id).await, page.entries.into_iter().map(|entry| entry.text).collect()));
        }
        details
    }
}

fn chunk(number: u32, text: &str) -> LogChunk {
    LogChunk { number, text: text.to_owned(), cut_bytes: 0, replaces: 0..0 }
}

/// Whether the error says that the queue moves, and whether for good.
#[track_caller]
fn assert_moving<T: std::fmt::Debug>(answer: Result<T, StoreError>, final_move: bool) {
    match answer {
        Err(StoreError::Moving { message, is_final }) => {
            assert!(message.contains(ELSEWHERE), "{message}");
            assert_eq!(is_final, final_move, "{message}");
        }
        other => panic!("the fence let it through: {other:?}"),
    }
}

/// Stores a checkpoint, or with a name the result of a step.
async fn save<H: Harness<Store: Moving>>(
    world: &World<H>,
    worker_id: &WorkerId,
    lease: &Lease,
    step: Option<&str>,
) -> Recorded {
    let checkpoint = NewCheckpoint {
        id: lease.id,
        claim_number: lease.claim_number,
        attempt: lease.attempt(),
        step: step.map(|step| StepName::new(step).expect("the name is plain text")),
        value: data(r#"{"b": 1.0, "a": 2}"#),
    };
    world.store.save_checkpoint(worker_id.clone(), checkpoint).await.expect("a checkpoint can be stored")
}

/// Jobs in every state, with everything that a job can have; none of them is running.
async fn one_of_everything<H: Harness<Store: Moving>>(world: &World<H>) -> Vec<JobId> {
    let worker_id = world.register(worker().lease(seconds(10 * 86_400)).settings([TypeSettings::new("work")])).await;
    let rich = || {
        job().metadata(data(r#"{"of":[1,2]}"#)).priority(Priority(-7)).max_retries(4).max_crashes(2).timeout(seconds(9))
    };
    let mut made = Vec::new();
    // Payloads that other representations of JSON would change.
    for text in [r#"{"a":1,"a":2}"#, r#""\u0000""#, "1e400", "123456789012345678901234567890", " [ 1.0 ] ", r#""é\/""#]
    {
        made.push(world.enqueue(NewJob { job_data: data(text), ..job().queue("bytes") }).await);
    }
    let progress = Progress { fraction: 0.25, message: Some("a quarter".to_owned()) };
    for (number, priority) in (0..6_i32).zip(10..) {
        world.clock.advance(seconds(1));
        let lease = world.running(&worker_id, NewJob { priority: Priority(priority), ..rich() }).await;
        made.push(lease.id);
        world.clock.advance(seconds(1));
        let report = Report {
            id: lease.id,
            claim_number: lease.claim_number,
            attempt: lease.attempt(),
            progress: Some(progress.clone()),
            log: vec![chunk(0, "first\n")],
        };
        assert_eq!(
            world.store.report(worker_id.clone(), [report].into()).await.expect("the store answers"),
            [Recorded::Recorded]
        );
        for step in [None, Some("second"), Some("First")] {
            assert_eq!(save(world, &worker_id, &lease, step).await, Recorded::Recorded);
        }
        let ended = ended(&lease).ran(seconds(1)).log(vec![chunk(1, "second\n")]);
        let record = match number {
            0 => ended.completed_with(data(r#"{"answer":42.0}"#)),
            1 => ended.cancelled(),
            2 => ended.dead_letter(),
            3 => ended.retrying(seconds(300)),
            4 => ended.deferred(seconds(600)),
            _ => ended.outcome(Outcome::Crashed { failure: Failure::new(FailureType::WorkerError, "it died") }),
        };
        world.finish(&worker_id, record).await;
    }
    made.push(world.enqueue(rich().delay(seconds(3600))).await);
    let parent = world.enqueue(rich().unique_key("parent")).await;
    made.push(parent);
    made.push(world.enqueue(job().parent(parent)).await);
    made.push(world.enqueue(job().parent(parent).delay(seconds(900))).await);
    made.push(world.enqueue(job().unique_key("bounded").expires_in(seconds(900)).deadline_in(seconds(1000))).await);
    let cancelled = world.enqueue(job().delay(seconds(60))).await;
    world.act(cancelled, Action::Cancel).await;
    made.push(cancelled);
    let retried = world.dead_letter(&worker_id, job().priority(Priority(99))).await;
    world.act(retried, Action::Retry).await;
    made.push(retried);
    made
}

pub async fn a_database_that_never_moved_says_so<H: Harness<Store: Moving>>() {
    let world = World::<H>::new();
    assert_eq!(world.store.move_state().await.expect("it can be read"), None);
}

pub async fn a_job_arrives_as_it_left_whatever_its_state<H: Harness<Store: Moving>>() {
    let world = World::<H>::new();
    let made = one_of_everything(&world).await;
    let there = world.moved_house(true).await;
    let (left, arrived) = (world.moved(EVERYTHING).await, there.moved(EVERYTHING).await);
    assert_eq!(left.len(), made.len());
    for (left, arrived) in left.iter().zip(&arrived) {
        assert_eq!(arrived, left);
        assert_eq!(Checksum::of(arrived), Checksum::of(left));
    }
    assert_eq!(there.all_details().await, world.all_details().await);
    let depths = |stats: longshore_core::Stats| {
        stats.queues.into_iter().map(|queue| (queue.queue, queue.jobs, queue.oldest_waiting_at)).collect::<Vec<_>>()
    };
    let here = depths(world.store.stats(0).await.expect("stats can be read"));
    assert_eq!(depths(there.store.stats(0).await.expect("stats can be read")), here);
}

pub async fn a_zero_in_a_text_arrives_as_the_character_for_what_cannot_be_kept<H: Harness<Store: Moving>>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    let failure = Failure::new(FailureType::WorkerError, "a\0b");
    let record = ended(&lease).log(vec![chunk(0, "c\0d")]).outcome(Outcome::Crashed { failure });
    world.finish(&worker_id, record).await;
    let there = world.moved_house(true).await;
    assert_eq!(there.job(lease.id).await.error_message.as_deref(), Some("a\u{fffd}b"));
    let (left, arrived) = (world.moved(EVERYTHING).await, there.moved(EVERYTHING).await);
    assert_eq!(Checksum::of(&arrived[0]), Checksum::of(&left[0]), "that is no difference");
    assert_eq!(arrived[0].log[0].text, "c\u{fffd}d");
}

pub async fn completed_and_cancelled_jobs_stay_behind_unless_somebody_waits_for_them<H: Harness<Store: Moving>>() {
    let world = World::<H>::new();
    let states = world.one_in_each_state().await;
    let moved = world.moved(MovedJobsRequest { takes_ended: false, ..EVERYTHING }).await;
    let expected: Vec<JobId> = states
        .iter()
        .filter(|(status, _)| !matches!(status, Status::Completed | Status::Cancelled))
        .map(|(_, id)| *id)
        .collect();
    let mut found: Vec<JobId> = moved.iter().map(|moved| moved.job.id).collect();
    found.sort_unstable();
    let mut sorted = expected.clone();
    sorted.sort_unstable();
    assert_eq!(found, sorted);
    // A child that was retried without its cancelled parent waits for it.
    let parent = world.enqueue(job().delay(seconds(9))).await;
    let child = world.enqueue(job().parent(parent)).await;
    world.act(parent, Action::Cancel).await;
    world.act(child, Action::Retry).await;
    assert_eq!(world.status(child).await, Status::Blocked);
    let moved = world.moved(MovedJobsRequest { takes_ended: false, ..EVERYTHING }).await;
    let waits = moved.iter().find(|moved| moved.job.id == child).expect("it has not ended");
    assert_eq!(waits.job.parent_job_id, Some(parent));
    assert!(moved.iter().any(|moved| moved.job.id == parent));
}

pub async fn a_parent_that_stays_behind_is_left_out<H: Harness<Store: Moving>>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let parent = world.running(&worker_id, job()).await;
    let child = world.enqueue(job().parent(parent.id)).await;
    world.complete(&worker_id, &parent).await;
    let there = world.moved_house(false).await;
    assert_eq!(there.job(child).await.parent_job_id, None);
    assert_eq!(there.count().await, 1);
    let there = world.moved_house(true).await;
    assert_eq!(there.job(child).await.parent_job_id, Some(parent.id));
}

pub async fn jobs_arrive_in_pages_of_the_requested_size<H: Harness<Store: Moving>>() {
    let world = World::<H>::new();
    let payload = data(&format!("\"{}\"", "x".repeat(1000)));
    let made = world.enqueue_all(vec![NewJob { job_data: payload, ..job() }; 9]).await;
    let page = |after: JobId, jobs_max: u32, bytes_max: usize| MovedJobsRequest {
        after,
        jobs_max,
        bytes_max,
        takes_ended: false,
    };
    let first = world.moved(page(JobId(i64::MIN), 4, usize::MAX)).await;
    assert_eq!(
        first.iter().map(|moved| moved.job.id).collect::<Vec<_>>(),
        made[..4].iter().map(|made| made.id).collect::<Vec<_>>()
    );
    let second = world.moved(page(made[3].id, 4, 2500)).await;
    assert_eq!(
        second.iter().map(|moved| moved.job.id).collect::<Vec<_>>(),
        made[4..7].iter().map(|made| made.id).collect::<Vec<_>>()
    );
    assert_eq!(world.moved(page(made[7].id, 4, 1)).await.len(), 1, "a page is never empty while there is a job");
    assert_eq!(world.moved(page(made[8].id, 4, 1)).await, []);
}

pub async fn settings_pauses_and_minutes_move_too<H: Harness<Store: Moving>>() {
    let world = World::<H>::new();
    let settings = TypeSettings {
        queue: Some("post".to_owned()),
        priority: Some(Priority::HIGH),
        max_retries: Some(7),
        timeout: Some(seconds(300)),
        ..TypeSettings::new("mail")
    };
    let worker_id = world.register(worker().settings([settings, TypeSettings::new("work")])).await;
    world.store.change_queue("held".to_owned(), QueueChange::Pause).await.expect("queues can be paused");
    let lease = world.running(&worker_id, job()).await;
    world.clock.advance(seconds(2));
    world.finish(&worker_id, ended(&lease).ran(seconds(2)).completed()).await;
    let there = world.moved_house(true).await;
    let read = |stats: longshore_core::Stats| {
        (stats.minutes, stats.queues.into_iter().map(|queue| (queue.queue, queue.paused_at)).collect::<Vec<_>>())
    };
    let expected = read(world.store.stats(9).await.expect("stats can be read"));
    assert_eq!(expected.1.len(), 2, "{expected:?}");
    assert_eq!(read(there.store.stats(9).await.expect("stats can be read")), expected);
    let id = there.insert_plainly(&PlainInsert { job_type: "mail".to_owned(), ..PlainInsert::default() });
    let job = there.job(id).await;
    assert_eq!((job.queue.as_str(), job.priority, job.max_retries), ("post", Priority::HIGH, 7));
    let checksum = |settings: &longshore_core::MovedSettings| {
        let mut checksum = Checksum::default();
        checksum.add_settings(settings);
        checksum.finish()
    };
    let here = world.store.moved_settings().await.expect("settings can be read");
    let other = there.store.moved_settings().await.expect("settings can be read");
    assert_eq!(checksum(&other), checksum(&here));
}

pub async fn access_tokens_move_and_take_the_place_of_those_that_were_there<H: Harness<Store: Moving>>() {
    let token = |name: &str, secret: u8| {
        let scopes = vec!["read".to_owned(), "operate".to_owned()];
        NewToken { name: name.to_owned(), hash: TokenHash([secret; 32]), scopes }
    };
    let world = World::<H>::new();
    for (name, secret) in [("deploy", 1), ("backup", 2)] {
        assert!(world.store.add_token(token(name, secret)).await.expect("tokens can be added"));
    }
    let there = World::<H>::at(world.now().after(seconds(5)));
    assert!(there.store.add_token(token("deploy", 3)).await.expect("tokens can be added"));
    let settings = world.store.moved_settings().await.expect("settings can be read");
    there.set_phase(MovePhase::Arriving).await;
    there.keep(MovedPart::Settings(Box::new(settings.clone()))).await;
    there.set_phase(MovePhase::Arrived).await;
    assert_eq!(there.store.moved_settings().await.expect("settings can be read").tokens, settings.tokens);
    let listed = world.store.tokens().await.expect("tokens can be read");
    assert_eq!(there.store.tokens().await.expect("tokens can be read"), listed);
    let found = async |secret: u8| there.store.token(TokenHash([secret; 32])).await.expect("tokens can be read");
    assert_eq!(found(1).await.as_ref(), listed.last());
    assert_eq!(found(3).await, None);
}

pub async fn new_jobs_and_claims_have_higher_numbers_than_all_that_arrived<H: Harness<Store: Moving>>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    for _ in 0..5 {
        let lease = world.running(&worker_id, job()).await;
        world.complete(&worker_id, &lease).await;
    }
    let mut last = ClaimNumber(0);
    let returned = world.enqueue(job()).await;
    for _ in 0..3 {
        let lease = world.claim_one(&worker_id).await;
        last = lease.claim_number;
        world.finish(&worker_id, ended(&lease).returned()).await;
    }
    let deleted = world.enqueue(job()).await;
    world.act(deleted, Action::Delete).await;
    let there = world.moved_house(false).await;
    let worker_id = there.worker().await;
    let lease = there.claim_one(&worker_id).await;
    assert_eq!(lease.id, returned);
    assert!(lease.claim_number > last, "{:?} is not higher than {last:?}", lease.claim_number);
    let new = there.enqueue(job()).await;
    assert!(new > deleted, "{new} was given before");
}

pub async fn a_child_that_arrived_blocked_runs_once_its_parent_has_completed<H: Harness<Store: Moving>>() {
    let world = World::<H>::new();
    let parent = world.enqueue(job()).await;
    let child = world.enqueue(job().parent(parent)).await;
    let there = world.moved_house(false).await;
    let worker_id = there.worker().await;
    let leases = there.claim(&worker_id, 9).await;
    assert_eq!(ids(&leases), [parent]);
    there.complete(&worker_id, &leases[0]).await;
    assert_eq!(ids(&there.claim(&worker_id, 9).await), [child]);
}

pub async fn a_unique_key_holds_where_its_job_has_arrived<H: Harness<Store: Moving>>() {
    let world = World::<H>::new();
    let id = world.enqueue(job().unique_key("key")).await;
    let there = world.moved_house(false).await;
    let enqueued = there.enqueue_all(vec![job().unique_key("key")]).await;
    assert_eq!((enqueued[0].id, enqueued[0].is_duplicate), (id, true));
    there.act(id, Action::Cancel).await;
    there.enqueue(job().unique_key("key")).await;
}

pub async fn a_key_that_was_passed_on_arrives_as_such<H: Harness<Store: Moving>>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let first = world.running(&worker_id, job().unique_key("key")).await;
    let behind = NewJob { unique_while: UniqueWhile::Waiting, ..job().unique_key("key") };
    let second = world.enqueue(behind).await;
    world.finish(&worker_id, ended(&first).returned()).await;
    let there = world.moved_house(false).await;
    for id in [first.id, second] {
        assert_eq!(there.job(id).await.unique_key.as_deref(), Some("key"));
    }
    there.act(first.id, Action::Cancel).await;
    let enqueued = there.enqueue_all(vec![job().unique_key("key")]).await;
    assert_eq!((enqueued[0].id, enqueued[0].is_duplicate), (second, true), "the other one still has the key");
    assert_eq!(there.moved(EVERYTHING).await.len(), 2);
}

pub async fn a_delayed_and_a_retrying_job_become_due_where_they_arrived<H: Harness<Store: Moving>>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let retrying = world.running(&worker_id, job()).await;
    world.finish(&worker_id, ended(&retrying).retrying(seconds(10))).await;
    let delayed = world.enqueue(job().delay(seconds(20))).await;
    let there = world.moved_house(false).await;
    let worker_id = there.worker().await;
    let claimed = there.claimed(&worker_id, 9).await;
    assert_eq!((ids(&claimed.leases), claimed.next_due), (vec![], Some(seconds(10))));
    there.clock.advance(seconds(10));
    let leases = there.claim(&worker_id, 9).await;
    assert_eq!(ids(&leases), [retrying.id]);
    assert_eq!(leases[0].budgets.retry_count, 1);
    there.clock.advance(seconds(10));
    assert_eq!(ids(&there.claim(&worker_id, 9).await), [delayed]);
}

pub async fn a_job_of_a_lapsed_worker_spends_its_crash_where_it_is_claimed<H: Harness<Store: Moving>>() {
    let world = World::<H>::new();
    let process = world.process_of(worker().lease(seconds(5))).await;
    let id = world.enqueue(job()).await;
    assert_eq!(process.begin_one().await.id, id);
    world.look_for(seconds(60)).await;
    assert_eq!(world.job(id).await.crash_count, 0, "nobody else has claimed it");
    let there = world.moved_house(false).await;
    let worker_id = there.worker().await;
    assert_eq!(ids(&there.claim(&worker_id, 1).await), [id]);
    assert_eq!(there.job(id).await.crash_count, 1);
}

pub async fn a_bounded_job_expires_where_it_arrived<H: Harness<Store: Moving>>() {
    let world = World::<H>::new();
    let id = world.enqueue(job_at(world.now().after(seconds(100))).expires_in(seconds(10))).await;
    let there = world.moved_house(false).await;
    there.clock.advance(seconds(11));
    there.reclaim().await;
    assert_eq!(there.status(id).await, Status::Cancelled);
}

pub async fn a_plain_insert_still_awaits_the_settings_of_its_type<H: Harness<Store: Moving>>() {
    let world = World::<H>::new();
    let id = world.insert_plainly(&PlainInsert { job_type: "mail".to_owned(), ..PlainInsert::default() });
    let there = world.moved_house(false).await;
    let settings = TypeSettings { queue: Some("post".to_owned()), max_retries: Some(7), ..TypeSettings::new("mail") };
    there.register(worker().settings([settings])).await;
    let Job { queue, max_retries, .. } = there.job(id).await;
    assert_eq!((queue.as_str(), max_retries), ("post", 7));
}

pub async fn whoever_expects_another_state_changes_nothing<H: Harness<Store: Moving>>() {
    let world = World::<H>::new();
    world.set_phase(MovePhase::Arriving).await;
    let elsewhere = World::<H>::at(world.now());
    elsewhere.enqueue(job()).await;
    let jobs = elsewhere.moved(EVERYTHING).await;
    let late = |next: MovePhase| MoveChange {
        expected: Some(MoveState { copied_to: Some(JobId(7)), ..state(MovePhase::Arriving) }),
        next: Some(state(next)),
    };
    let store = &world.store;
    assert!(!store.change_move_state(late(MovePhase::Arrived)).await.expect("the store answers"));
    assert!(!store.change_move_state(MoveChange { expected: None, next: None }).await.expect("the store answers"));
    assert!(
        !store.keep_moved(late(MovePhase::Arriving), MovedPart::Jobs(jobs.clone())).await.expect("the store answers")
    );
    assert_eq!(world.count().await, 0);
    world.keep(MovedPart::Jobs(jobs.clone())).await;
    assert!(
        !store
            .drop_moved(late(MovePhase::Arriving).expected.expect("it expects one"), vec![jobs[0].job.id])
            .await
            .expect("the store answers")
    );
    assert_eq!(world.count().await, 1);
    assert_eq!(store.move_state().await.expect("the store answers"), Some(state(MovePhase::Arriving)));
}

/// Every call that writes and is no end of an attempt.
async fn assert_nothing_begins<H: Harness<Store: Moving>>(
    world: &World<H>,
    worker_id: &WorkerId,
    id: JobId,
    is_final: bool,
) {
    let store = world.open();
    assert_moving(store.enqueue(vec![job()]).await, is_final);
    assert_moving(store.enqueue(vec![job(), job()]).await, is_final);
    assert_moving(store.enqueue(vec![job().unique_key("new")]).await, is_final);
    assert_moving(store.enqueue(vec![job().parent(id)]).await, is_final);
    assert_moving(world.store.claim(claim(worker_id, 9)).await, is_final);
    assert_moving(store.register(worker().registration()).await.map(drop), is_final);
    for action in [Action::Cancel, Action::Retry, Action::Delete, Action::Reprioritise(Priority(77))] {
        assert_moving(store.act(Selection::job(id), action).await, is_final);
        assert_moving(store.act(Selection::from(Filter::all()), action).await, is_final);
    }
    assert_moving(store.edit(id, JobEdit::new().queue("other")).await, is_final);
    for change in [QueueChange::Pause, QueueChange::Resume] {
        assert_moving(store.change_queue("any".to_owned(), change).await, is_final);
    }
    let maintenance =
        Maintenance { retention: seconds(0).into(), dead_letter_retention: seconds(0).into(), rows_max: 100 };
    assert_moving(store.maintain(maintenance).await, is_final);
    let plain = PlainInsert { job_type: "work".to_owned(), ..PlainInsert::default() };
    let refused = world.try_insert_plainly(&plain).expect_err("plain SQL is refused, too");
    assert!(refused.contains(ELSEWHERE), "{refused}");
}

pub async fn a_frozen_queue_is_read_and_refuses_every_write<H: Harness<Store: Moving>>() {
    let world = World::<H>::new();
    one_of_everything(&world).await;
    let worker_id = world.worker().await;
    let id = world.enqueue(job()).await;
    let before = (world.moved(EVERYTHING).await, world.all_details().await);
    world.set_phase(MovePhase::Frozen).await;
    assert_nothing_begins(&world, &worker_id, id, false).await;
    assert_eq!((world.moved(EVERYTHING).await, world.all_details().await), before);
    assert_eq!(world.store.workers().await.expect("workers can be listed").len(), 2);
}

pub async fn a_draining_queue_records_outcomes_and_begins_nothing<H: Harness<Store: Moving>>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let parent = world.running(&worker_id, job().unique_key("key")).await;
    let child = world.enqueue(job().parent(parent.id)).await;
    let retrying = world.running(&worker_id, job()).await;
    let waiting = world.enqueue(job()).await;
    world.set_phase(MovePhase::Draining).await;
    assert_nothing_begins(&world, &worker_id, waiting, false).await;
    let held = vec![(parent.id, parent.claim_number), (retrying.id, retrying.claim_number)];
    let extended = world.store.extend(heartbeat(&worker_id, held)).await.expect("the lease still counts");
    assert_eq!((extended.lost, extended.cancel_requested), (vec![], vec![]));
    let report = Report {
        id: parent.id,
        claim_number: parent.claim_number,
        attempt: 1,
        progress: Some(Progress { fraction: 0.5, message: None }),
        log: vec![chunk(0, "late\n")],
    };
    assert_eq!(
        world.store.report(worker_id.clone(), [report].into()).await.expect("the store answers"),
        [Recorded::Recorded]
    );
    assert_eq!(save(&world, &worker_id, &retrying, Some("late")).await, Recorded::Recorded);
    world.complete(&worker_id, &parent).await;
    world.finish(&worker_id, ended(&retrying).retrying(seconds(9))).await;
    assert_eq!(world.status(child).await, Status::Pending);
    assert_eq!(world.status(retrying.id).await, Status::Retrying);
    assert_nothing_begins(&world, &worker_id, child, false).await;
}

pub async fn a_draining_queue_gives_the_jobs_of_its_workers_back<H: Harness<Store: Moving>>() {
    let world = World::<H>::new();
    let process = world.process().await;
    let id = world.enqueue(job()).await;
    let lease = process.claim(1).await.remove(0);
    let dead = world.process().await;
    let lost = world.enqueue(job()).await;
    assert_eq!(ids(&dead.claim(1).await), [lost]);
    world.set_phase(MovePhase::Draining).await;
    world.kill(dead);
    world.reclaim().await;
    assert_eq!(world.status(lost).await, Status::Pending);
    // Whoever moves the queue takes back what is left, also from workers of other processes.
    world.store.retire(process.worker_id.clone()).await.expect("it holds the job no longer");
    let Job { status, crash_count, retry_count, .. } = world.job(id).await;
    assert_eq!((status, crash_count, retry_count), (Status::Pending, 0, 0));
    world.set_phase(MovePhase::Frozen).await;
    let beat = process.store.extend(heartbeat(&process.worker_id, vec![(id, lease.claim_number)])).await;
    assert!(
        matches!(beat, Err(StoreError::WorkerGone { .. })),
        "the worker learns that it has lost its jobs: {beat:?}"
    );
    world.set_phase(MovePhase::Draining).await;
    let late = ended(&lease).completed();
    let recorded = process.store.record(process.worker_id.clone(), [late].into()).await.expect("it is answered");
    assert_eq!(recorded, [Recorded::Fenced]);
}

pub async fn a_queue_that_moved_away_says_where_it_is<H: Harness<Store: Moving>>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let id = world.enqueue(job()).await;
    for phase in [MovePhase::Draining, MovePhase::Frozen, MovePhase::MovedAway] {
        world.set_phase(phase).await;
    }
    assert_nothing_begins(&world, &worker_id, id, true).await;
    assert_eq!(world.status(id).await, Status::Pending, "what is left can still be read");
}

pub async fn a_queue_whose_fence_is_gone_works_as_before<H: Harness<Store: Moving>>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let id = world.enqueue(job()).await;
    for phase in [MovePhase::Draining, MovePhase::Frozen] {
        world.set_phase(phase).await;
        assert_moving(world.store.enqueue(vec![job()]).await, false);
    }
    world.set_state(None).await;
    assert_eq!(world.store.move_state().await.expect("the store answers"), None);
    let lease = world.claim_one(&worker_id).await;
    assert_eq!(lease.id, id);
    world.complete(&worker_id, &lease).await;
    let plain = world.insert_plainly(&PlainInsert { job_type: "work".to_owned(), ..PlainInsert::default() });
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [plain]);
    world.store.change_queue("any".to_owned(), QueueChange::Pause).await.expect("queues can be paused");
    // An arrived queue has a state and no fence.
    world.set_phase(MovePhase::Arrived).await;
    world.enqueue(job()).await;
}

pub async fn what_is_removed_leaves_no_trace<H: Harness<Store: Moving>>() {
    let world = World::<H>::new();
    one_of_everything(&world).await;
    let there = world.moved_house(true).await;
    there.set_phase(MovePhase::Undoing).await;
    let all: Vec<JobId> = there.moved(EVERYTHING).await.iter().map(|moved| moved.job.id).collect();
    let expected = there.store.move_state().await.expect("the store answers").expect("it is moving");
    let (first, rest) = all.split_at(all.len() / 2);
    for part in [first, rest, &[JobId(123_456)]] {
        assert!(there.store.drop_moved(expected.clone(), part.to_vec()).await.expect("the store answers"));
    }
    assert_eq!(there.count().await, 0);
    assert_eq!(there.depths("default").await, Default::default());
    assert_eq!(there.moved(EVERYTHING).await, []);
    // The same jobs may arrive once more.
    there.keep(MovedPart::Jobs(world.moved(EVERYTHING).await)).await;
    there.set_state(None).await;
    assert_eq!(there.all_details().await, world.all_details().await);
    assert_eq!(there.depths("default").await, world.depths("default").await);
}

pub async fn a_state_is_the_same_for_every_process<H: Harness<Store: Moving>>() {
    let world = World::<H>::new();
    let other = world.open();
    assert_eq!(other.enqueue(vec![job()]).await.map(|enqueued| enqueued.len()).expect("it is open"), 1);
    let mut moving = state(MovePhase::Frozen);
    moving.before =
        Some(Box::new(MoveState { other: "it's \"there\" \\ $$".to_owned(), ..state(MovePhase::MovedAway) }));
    world.set_state(Some(moving.clone())).await;
    assert_eq!(other.move_state().await.expect("the store answers"), Some(moving));
    assert_moving(other.enqueue(vec![job()]).await, false);
    let awkward = MoveState { other: format!("{ELSEWHERE}?it's=\"$fence$\\"), ..state(MovePhase::MovedAway) };
    world.set_state(Some(awkward.clone())).await;
    match other.enqueue(vec![job()]).await {
        Err(StoreError::Moving { message, is_final: true }) => assert!(message.contains(&awkward.other), "{message}"),
        answer => panic!("{answer:?}"),
    }
}
