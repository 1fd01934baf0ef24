use std::time::Duration;

use longshore_core::{
    Action, Console, Failure, FailureType, Filter, JobId, JobPageRequest, Maintenance, Outcome, PageCursor, Priority,
    QueueChange, Refusal, Retention, Selection, Status, Store,
};

use crate::database::{Database, job};

fn only(ids: &[JobId]) -> Selection {
    Selection::Jobs(ids.to_vec())
}

fn with_status(statuses: &[Status]) -> Selection {
    Selection::from(Filter::all().statuses(statuses.to_vec()))
}

async fn page(
    database: &Database,
    selection: Selection,
    after: Option<PageCursor>,
    limit: u32,
) -> (Vec<i64>, Option<PageCursor>) {
    let page = database.store.jobs(JobPageRequest { selection, after, limit, looked_max: None }).await.unwrap();
    (page.jobs.iter().map(|job| job.id.0).collect(), page.next)
}

/// Creates a dead letter.
async fn bury(database: &Database) -> JobId {
    let id = database.enqueue(job().priority(Priority::CRITICAL)).await;
    let worker = database.worker().await;
    let lease = database.claim_one(&worker).await;
    assert_eq!(lease.id, id);
    let failure = Failure::new(FailureType::ConfigError, "no key");
    let reason = longshore_core::DeadLetterReason::NotRetried(FailureType::ConfigError);
    database.record(&worker, &lease, Outcome::DeadLetter { reason, failure }).await;
    id
}

#[tokio::test]
async fn pages_follow_each_other_newest_first() {
    let database = Database::new();
    for _ in 0..5 {
        database.enqueue(job()).await;
    }

    assert_eq!(page(&database, Selection::from(Filter::all()), None, 2).await, (vec![5, 4], Some(JobId(4).into())));
    assert_eq!(
        page(&database, Selection::from(Filter::all()), Some(JobId(4).into()), 2).await,
        (vec![3, 2], Some(JobId(2).into()))
    );
    assert_eq!(page(&database, Selection::from(Filter::all()), Some(JobId(2).into()), 2).await, (vec![1], None));
}

#[tokio::test]
async fn a_page_looks_at_as_many_jobs_as_it_may_and_says_where_it_stopped() {
    let database = Database::new();
    let rare = database.enqueue(job().queue("rare")).await;
    for _ in 0..30 {
        database.enqueue(job()).await;
    }

    let (mut found, mut ends, mut after) = (Vec::new(), Vec::new(), None);
    for _ in 0..4 {
        let selection = Filter::all().queues(["rare"]).into();
        let request = JobPageRequest { selection, after, limit: 5, looked_max: Some(10) };
        let page = database.store.jobs(request).await.unwrap();
        found.push(page.jobs.iter().map(|job| job.id).collect::<Vec<_>>());
        ends.push(page.next.as_ref().map(PageCursor::id));
        after = page.next;
    }

    assert_eq!(found, [vec![], vec![], vec![], vec![rare]]);
    assert_eq!(ends, [Some(JobId(22)), Some(JobId(12)), Some(JobId(2)), None]);
}

#[tokio::test]
async fn few_pending_jobs_are_found_behind_many_newer_ones_in_other_states() {
    let database = Database::new();
    let ready = database.enqueue(job().queue("quiet")).await;
    let scheduled = database.enqueue(job().queue("quiet").delay(Duration::from_secs(3600))).await;
    for _ in 0..20 {
        bury(&database).await;
    }

    let found = async |filter: Filter| {
        let request = JobPageRequest { selection: filter.into(), after: None, limit: 5, looked_max: Some(4) };
        let page = database.store.jobs(request).await.unwrap();
        (page.jobs.iter().map(|job| job.id).collect::<Vec<_>>(), page.next)
    };

    assert_eq!(found(Filter::all().statuses([Status::Pending])).await, (vec![scheduled, ready], None));
    let quiet = Filter::all().statuses([Status::Pending]).queues(["quiet"]);
    assert_eq!(found(quiet).await, (vec![scheduled, ready], None));
}

#[tokio::test]
async fn a_selection_holds_all_of_its_conditions() {
    let database = Database::new();
    let dead = bury(&database).await;
    let waiting = database.enqueue(job().queue("a")).await;
    database.enqueue(job().queue("b")).await;

    assert_eq!(page(&database, with_status(&[Status::DeadLetter]), None, 9).await.0, [dead.0]);
    let selection = Selection::from(Filter::all().statuses([Status::Pending, Status::DeadLetter]).queues(["a"]));
    assert_eq!(page(&database, selection.clone(), None, 9).await.0, [waiting.0]);
    assert_eq!(database.store.count(selection).await.unwrap(), 1);
    let selection = Selection::from(Filter::all().failure_types([FailureType::ConfigError]));
    assert_eq!(page(&database, selection.clone(), None, 9).await.0, [dead.0]);
    assert_eq!(database.store.count(selection).await.unwrap(), 1);
    assert_eq!(database.store.count(with_status(&[Status::DeadLetter])).await.unwrap(), 1);
}

#[tokio::test]
async fn a_dead_letter_is_put_back_with_fresh_budgets_and_its_history() {
    let database = Database::new();
    let id = bury(&database).await;

    let actioned = database.store.act(only(&[id]), Action::Retry).await.unwrap();

    assert_eq!((actioned.touched, actioned.refused.len()), (1, 0));
    let detail = database.detail(id).await;
    assert_eq!((detail.job.status, detail.job.retry_count), (Status::Pending, 0));
    assert_eq!((detail.job.dead_letter_reason, detail.attempts.len()), (None, 1));
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_completed_job_that_is_run_again_keeps_its_first_attempt() {
    let database = Database::new();
    let id = database.enqueue(job()).await;
    let worker = database.worker().await;
    let lease = database.claim_one(&worker).await;
    database.record(&worker, &lease, Outcome::Completed { result: None }).await;

    database.store.act(only(&[id]), Action::Retry).await.unwrap();
    let lease = database.claim_one(&worker).await;
    database.record(&worker, &lease, Outcome::Completed { result: None }).await;

    assert_eq!(database.detail(id).await.attempts.len(), 2);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn every_job_that_may_not_move_is_refused_by_itself() {
    let database = Database::new();
    let (running, waiting) = (database.enqueue(job()).await, database.enqueue(job()).await);
    let worker = database.worker().await;
    database.claim_one(&worker).await;

    let actioned = database.store.act(only(&[JobId(99), waiting, running]), Action::Delete).await.unwrap();

    assert_eq!(actioned.touched, 1);
    let refused = [Refusal::WrongStatus { id: running, status: Status::Running }, Refusal::NotFound { id: JobId(99) }];
    assert_eq!(actioned.refused, refused);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_job_is_not_put_back_while_another_holds_its_unique_key() {
    let database = Database::new();
    let first = database.enqueue(job().unique_key("k")).await;
    database.store.act(only(&[first]), Action::Cancel).await.unwrap();
    let second = database.enqueue(job().unique_key("k")).await;

    let actioned = database.store.act(only(&[first]), Action::Retry).await.unwrap();

    assert_eq!(actioned.refused, [Refusal::UniqueKeyTaken { id: first, by: second }]);
}

#[tokio::test]
async fn a_large_selection_is_moved_in_steps() {
    let database = Database::new();
    database.store.enqueue((0..2500).map(|_| job()).collect()).await.unwrap();

    let actioned = database.store.act(with_status(&[Status::Pending]), Action::Cancel).await.unwrap();

    assert_eq!(actioned.touched, 2500);
    assert_eq!(database.store.count(with_status(&[Status::Cancelled])).await.unwrap(), 2500);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_deleted_job_takes_its_history_along_and_its_waiting_children_are_given_up() {
    let database = Database::new();
    let dead = bury(&database).await;
    let parent = database.enqueue(job()).await;
    let child = database.enqueue(job().parent(parent)).await;

    database.store.act(only(&[dead, parent]), Action::Delete).await.unwrap();

    assert_eq!(database.number("SELECT count(*) FROM job_attempts"), 0);
    let child = database.job(child).await;
    assert_eq!((child.status, child.parent_job_id), (Status::DeadLetter, None));
    assert_eq!(child.dead_letter_reason.unwrap(), format!("parent_ended: its parent job {parent} was deleted"));
    database.assert_counts_are_true();
}

#[tokio::test]
async fn a_new_priority_decides_the_next_claim() {
    let database = Database::new();
    database.enqueue(job()).await;
    let later = database.enqueue(job()).await;

    database.store.act(only(&[later]), Action::Reprioritise(Priority::URGENT)).await.unwrap();

    let worker = database.worker().await;
    assert_eq!(database.claim_one(&worker).await.id, later);
}

#[tokio::test]
async fn ended_jobs_are_removed_when_they_are_old_enough_and_dead_letters_stay() {
    let database = Database::new();
    let dead = bury(&database).await;
    let old = database.enqueue(job()).await;
    database.store.act(only(&[old]), Action::Cancel).await.unwrap();
    database.clock.advance(Duration::from_secs(100));
    let young = database.enqueue(job()).await;
    let maintenance = Maintenance {
        retention: Retention::After(Duration::from_secs(60)),
        dead_letter_retention: Retention::Forever,
        rows_max: 1,
    };

    let mut pruned = 0;
    loop {
        let maintained = database.store.maintain(maintenance).await.unwrap();
        pruned += maintained.pruned;
        if !maintained.has_more {
            break;
        }
    }

    assert_eq!(pruned, 1);
    assert_eq!(page(&database, Selection::from(Filter::all()), None, 9).await.0, [young.0, dead.0]);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn counts_that_somebody_broke_are_mended() {
    let database = Database::new();
    database.store.enqueue((0..50).map(|_| job()).collect()).await.unwrap();
    database.foreign().execute("UPDATE job_depths SET jobs = 7", []).unwrap();
    let maintenance =
        Maintenance { retention: Retention::Forever, dead_letter_retention: Retention::Forever, rows_max: 20 };

    let mut reconciled = 0;
    loop {
        let maintained = database.store.maintain(maintenance).await.unwrap();
        reconciled += maintained.reconciled;
        if !maintained.has_more {
            break;
        }
        database.enqueue(job()).await;
    }

    assert_eq!(reconciled, 1);
    database.assert_counts_are_true();
}

#[tokio::test]
async fn health_tells_the_facts_that_doctor_judges() {
    let database = Database::new();
    bury(&database).await;
    database.enqueue(longshore_core::NewJob::new("nobody knows", longshore_core::JobData::default())).await;
    database.store.change_queue("quiet".to_owned(), QueueChange::Pause).await.unwrap();

    let health = database.store.health().await.unwrap();

    assert_eq!((health.dead_letters, health.dead_letters_last_hour, health.living_workers), (1, 1, 1));
    assert_eq!(health.known_job_types, ["mail", "sms"]);
    assert_eq!(health.backlog.len(), 1);
    assert_eq!((health.backlog[0].job_type.as_str(), health.backlog[0].jobs), ("nobody knows", 1));
    assert!(health.queues.iter().any(|queue| queue.queue == "quiet" && queue.paused_at.is_some()));
    let local = health.local.unwrap();
    assert!(local.database_bytes > 0 && local.disk_free_bytes.is_some_and(|bytes| bytes > 0));
}
