use std::time::Duration;

use super::*;
use crate::{
    BatchId, BatchStatus, ClaimNumber, Job, JobData, LimitRow, LimitRule, LimitSource, LimitSubject, Priority,
    Timestamp, WorkerId,
};

const NOW: Timestamp = Timestamp::from_ms(1_700_000_000_000);

fn before(seconds: u64) -> Timestamp {
    NOW.before(Duration::from_secs(seconds))
}

fn in_seconds(seconds: u64) -> Timestamp {
    NOW.after(Duration::from_secs(seconds))
}

fn a_job(id: i64, status: Status) -> Job {
    Job {
        id: JobId(id),
        job_type: "mail".to_owned(),
        job_data: JobData::default(),
        status,
        priority: Priority::NORMAL,
        created_at: before(60),
        started_at: None,
        completed_at: None,
        log_file_path: None,
        error_message: None,
        retry_count: 0,
        max_retries: 3,
        worker_id: None,
        timeout: None,
        parent_job_id: None,
        failure_type: None,
        next_retry_at: None,
        last_error_traceback: None,
        dead_letter_reason: None,
        moved_to_dead_letter_at: None,
        dead_letter_code: None,
        queue: "default".to_owned(),
        run_at: before(60),
        claim_number: ClaimNumber(0),
        crash_count: 0,
        max_crashes: 3,
        deferral_count: 0,
        max_deferrals: 3,
        unique_key: None,
        limit_key: None,
        cancel_requested_at: None,
        progress: None,
        progress_message: None,
        result: None,
        metadata: None,
        expires_at: None,
        deadline_at: None,
    }
}

fn of(job: Job) -> JobFacts {
    JobFacts {
        job,
        queue_paused_at: None,
        awaits_settings: false,
        has_valid_names: true,
        ahead: 0,
        limits: Vec::new(),
        keys_ahead: 0,
        unmet: None,
    }
}

fn a_worker(name: &str) -> WorkerFacts {
    WorkerFacts {
        worker_id: WorkerId::from_stored(name),
        is_alive: true,
        queues: Vec::new(),
        job_types: vec!["mail".to_owned()],
        concurrency: 2,
        running: 0,
    }
}

/// A job that nothing keeps, with a worker that is free.
fn facts(status: Status) -> WaitingFacts {
    WaitingFacts {
        now: NOW,
        job: of(a_job(7, status)),
        ancestors: Vec::new(),
        root: None,
        unique_key_holder: None,
        workers: vec![a_worker("w1")],
    }
}

/// The code and the sentence of the reason, and the codes of the others.
fn told(facts: &WaitingFacts) -> (&'static str, String, Vec<&'static str>) {
    let Explanation { reason, also, .. } = explain(facts);
    (reason.reason.code(), reason.message, also.iter().map(|cause| cause.reason.code()).collect())
}

#[test]
fn a_job_that_nothing_keeps_is_taken_next() {
    let (code, sentence, also) = told(&facts(Status::Pending));
    assert_eq!((code, also), ("ready", vec![]));
    assert_eq!(sentence, "nothing keeps it from running: the next claim of a worker takes it");
}

#[test]
fn a_name_that_is_no_valid_text_is_the_only_reason() {
    let mut facts = facts(Status::Pending);
    facts.job.has_valid_names = false;
    facts.workers.clear();
    let (code, sentence, also) = told(&facts);
    assert_eq!((code, also), ("invalid_name", vec![]));
    assert!(sentence.starts_with("no worker can claim it, because a name is not valid UTF-8"), "{sentence}");
}

#[test]
fn a_scheduled_job_says_when_in_words_and_as_an_instant() {
    let mut facts = facts(Status::Pending);
    facts.job.job.run_at = in_seconds(7384);
    let (code, sentence, _) = told(&facts);
    assert_eq!((code, sentence.as_str()), ("not_due", "it is due in 2h 3m 4s, at 2023-11-15T00:16:24.000Z"));
    facts.job.job.status = Status::Retrying;
    let (code, sentence, _) = told(&facts);
    assert_eq!(code, "not_due");
    assert!(sentence.starts_with("its last attempt failed, and it is retried in 2h 3m 4s"), "{sentence}");
}

#[test]
fn what_else_will_keep_a_job_is_listed_in_the_order_in_which_it_is_removed() {
    let mut facts = facts(Status::Pending);
    facts.job.job.run_at = in_seconds(60);
    facts.job.queue_paused_at = Some(before(60));
    facts.workers.clear();
    facts.job.awaits_settings = true;
    let (code, _, also) = told(&facts);
    assert_eq!((code, also), ("not_due", vec!["queue_paused", "no_worker", "awaits_settings"]));
    facts.job.job.run_at = before(1);
    let (code, sentence, also) = told(&facts);
    assert_eq!((code, also), ("queue_paused", vec!["no_worker", "awaits_settings"]));
    assert_eq!(sentence, "queue default is paused since 2023-11-14T22:12:20.000Z, for 1m");
}

#[test]
fn a_job_that_no_worker_can_run_says_what_those_that_live_take() {
    let mut facts = facts(Status::Pending);
    facts.workers[0].is_alive = false;
    assert_eq!(told(&facts).0, "no_worker");
    facts.workers.push(WorkerFacts { job_types: vec!["b".to_owned(), "a".to_owned()], ..a_worker("w2") });
    let (code, sentence, _) = told(&facts);
    assert_eq!(code, "no_worker_for_type");
    assert_eq!(sentence, "no running worker knows the type mail: the worker that runs knows a, b");
    facts.workers.push(WorkerFacts { queues: vec!["slow".to_owned()], ..a_worker("w3") });
    let (code, sentence, _) = told(&facts);
    assert_eq!(code, "no_worker_for_queue");
    let expected = "no running worker takes mail from queue default: the worker that knows the type takes from slow";
    assert_eq!(sentence, expected);
    facts.workers.push(WorkerFacts { queues: vec!["default".to_owned()], ..a_worker("w4") });
    assert_eq!(told(&facts).0, "ready");
}

#[test]
fn names_that_are_left_out_are_counted() {
    let mut facts = facts(Status::Pending);
    facts.workers[0].job_types = (10..53).map(|number| format!("type{number}")).collect();
    let (code, sentence, _) = told(&facts);
    assert_eq!(code, "no_worker_for_type");
    assert!(
        sentence.ends_with(
            "knows type10, type11, type12, type13, type14, type15, type16, type17, type18, type19, \
             type20, type21, type22, type23, type24, type25, type26, type27, type28, type29 and 23 more"
        ),
        "{sentence}"
    );
    let json = serde_json::to_value(explain(&facts)).unwrap();
    assert_eq!(
        (&json["reason"]["known"][19], &json["reason"]["known_count"]),
        (&serde_json::json!("type29"), &serde_json::json!(43))
    );
}

#[test]
fn instants_are_written_as_the_reader_wants_them() {
    let mut facts = facts(Status::Blocked);
    facts.job.job.parent_job_id = Some(JobId(5));
    facts.ancestors = vec![crate::Ancestor { id: JobId(5), status: Status::Pending }];
    facts.root = Some(JobFacts { queue_paused_at: Some(before(60)), ..of(a_job(5, Status::Pending)) });
    facts.job.job.run_at = in_seconds(60);
    let Explanation { reason, also, .. } = explain_with(&facts, &|at| format!("<{}>", at.as_ms()));
    assert!(reason.message.ends_with("queue default is paused since <1699999940000>, for 1m"), "{}", reason.message);
    assert_eq!(also[0].message, "it is due in 1m, at <1700000060000>");
}

#[test]
fn a_job_waits_for_a_slot_and_behind_others() {
    let mut facts = facts(Status::Pending);
    facts.workers[0].running = 2;
    facts.job.ahead = 1;
    let (code, sentence, also) = told(&facts);
    assert_eq!((code, also), ("workers_busy", vec!["behind"]));
    assert_eq!(sentence, "all 2 slots of the one worker that can run it are taken");
    facts.workers.push(WorkerFacts { is_alive: false, ..a_worker("dead") });
    assert_eq!(told(&facts).0, "workers_busy", "a dead worker has no slot");
    facts.workers[0].running = 1;
    let (code, sentence, _) = told(&facts);
    assert_eq!((code, sentence.as_str()), ("behind", "1 job of its type and queue can run now and come first"));
    facts.job.ahead = 1000;
    assert_eq!(told(&facts).1, "at least 1000 jobs of its type and queue can run now and come first");
}

/// The limit of a type or of a key: two places, of which one is taken.
fn a_limit(key: Option<&str>) -> LimitRow {
    let both = Some(2);
    let rule = LimitRule { concurrency: both, key_concurrency: both, ..LimitRule::default() };
    let source = Some(LimitSource::Config);
    let limit = match key {
        Some(key) => LimitRow::of_key("mail", key, &rule, source),
        None => LimitRow::of_rule(&LimitSubject::Type("mail".to_owned()), &rule, source),
    };
    LimitRow { running: 1, waiting: 1, ..limit }
}

#[test]
fn a_job_says_which_limit_keeps_it_and_until_when() {
    let mut facts = facts(Status::Pending);
    facts.job.limits = vec![a_limit(None), a_limit(Some("acme"))];
    facts.job.keys_ahead = 3;
    assert_eq!(told(&facts).1, "3 other keys have their turn first");
    facts.job.limits[1].running = 2;
    let (code, sentence, also) = told(&facts);
    assert_eq!((code, also), ("limit_reached", vec!["behind_keys"]));
    assert_eq!(sentence, "2 of key acme of type mail run, and the limit is 2: it runs when one of them ends");
    facts.job.limits[0].opens_at = Some(in_seconds(30));
    let (code, sentence, _) = told(&facts);
    assert_eq!(code, "limit_closed");
    let expected = "nothing of type mail starts for another 30s: the limit opens at 2023-11-14T22:13:50.000Z";
    assert_eq!(sentence, expected);
}

#[test]
fn a_blocked_job_names_its_parent_the_root_and_what_keeps_that() {
    let mut facts = facts(Status::Blocked);
    facts.job.job.parent_job_id = Some(JobId(5));
    let ancestor = |id, status| crate::Ancestor { id: JobId(id), status };
    facts.ancestors = vec![ancestor(5, Status::Blocked), ancestor(3, Status::Pending)];
    facts.root = Some(JobFacts { queue_paused_at: Some(before(60)), ..of(a_job(3, Status::Pending)) });
    let (code, sentence, also) = told(&facts);
    assert_eq!((code, also), ("waits_for_parent", vec![]));
    assert_eq!(
        sentence,
        "it waits for its parent, job 5, which waits for job 3, which is pending: queue default is paused since \
         2023-11-14T22:12:20.000Z, for 1m"
    );
    facts.ancestors = vec![ancestor(5, Status::DeadLetter)];
    facts.root =
        Some(of(Job { dead_letter_reason: Some("not_retried: no".to_owned()), ..a_job(5, Status::DeadLetter) }));
    assert_eq!(told(&facts).1, "it waits for its parent, job 5, which is dead_letter: it was given up: no");
    facts.ancestors = vec![ancestor(5, Status::Blocked), ancestor(7, Status::Blocked)];
    assert_eq!(told(&facts).0, "waits_for_itself");
    facts.ancestors.clear();
    assert_eq!(told(&facts).1, "its parent, job 5, does not exist: housekeeping gives it up");
}

#[test]
fn a_running_job_says_who_runs_it_and_whether_that_worker_lives() {
    let mut facts = facts(Status::Running);
    let job = &mut facts.job.job;
    (job.worker_id, job.started_at, job.retry_count) = (Some(WorkerId::from_stored("w1")), Some(before(5)), 2);
    let (code, sentence, _) = told(&facts);
    assert_eq!(
        (code, sentence.as_str()),
        ("running", "worker w1 runs it (attempt 3) since 2023-11-14T22:13:15.000Z, for 5s")
    );
    facts.job.job.cancel_requested_at = Some(before(1));
    assert_eq!(told(&facts).0, "cancelling");
    facts.workers[0].is_alive = false;
    assert_eq!(told(&facts).0, "worker_lost");
    facts.workers.clear();
    assert_eq!(told(&facts).1, "worker w1 held it and does not live any more: the next worker takes it back");
    let also: Vec<&str> = explain(&facts).also.iter().map(|cause| cause.reason.code()).collect();
    assert_eq!(also, ["no_worker"]);
    facts.workers.push(a_worker("w2"));
    assert_eq!(explain(&facts).also, []);
}

#[test]
fn an_overdue_job_that_waits_is_about_to_end() {
    let mut facts = facts(Status::Pending);
    facts.job.job.deadline_at = Some(before(1));
    assert_eq!(told(&facts).0, "deadline_passed");
    facts.job.job.expires_at = Some(NOW);
    let (code, _, also) = told(&facts);
    assert_eq!((code, also), ("expired", vec![]));
    facts.job.job.expires_at = Some(in_seconds(1));
    facts.job.job.deadline_at = None;
    assert_eq!(told(&facts).0, "ready");
}

#[test]
fn an_ended_job_says_how_it_ended_and_what_keeps_it_from_being_retried() {
    let mut facts = facts(Status::Completed);
    facts.job.job.completed_at = Some(before(60));
    assert_eq!(told(&facts).1, "it completed 1m ago, at 2023-11-14T22:12:20.000Z");
    facts.job.job.status = Status::Cancelled;
    assert_eq!(told(&facts).0, "cancelled");
    facts.job.job.status = Status::DeadLetter;
    facts.job.job.dead_letter_reason = Some("retries_spent: all of its 4 attempts failed".to_owned());
    facts.unique_key_holder = Some(JobId(9));
    let (code, sentence, also) = told(&facts);
    assert_eq!((code, also), ("dead_letter", vec!["unique_key_taken"]));
    assert_eq!(sentence, "it was given up 1m ago, at 2023-11-14T22:12:20.000Z: all of its 4 attempts failed");
    facts.job.job.dead_letter_reason = Some("an operator: wrong order".to_owned());
    assert!(told(&facts).1.ends_with("Z: an operator: wrong order"), "{}", told(&facts).1);
}

#[test]
fn an_explanation_is_serialised_with_code_message_and_values() {
    let mut facts = facts(Status::Pending);
    facts.job.ahead = 3;
    let json = serde_json::to_value(explain(&facts)).unwrap();
    let message = "3 jobs of its type and queue can run now and come first";
    let reason = serde_json::json!({"code": "behind", "message": message, "jobs": 3, "at_least": false});
    assert_eq!(json, serde_json::json!({"id": 7, "status": "pending", "reason": reason, "also": []}));
    for (status, code) in [(Status::Completed, "completed"), (Status::Blocked, "parent_missing")] {
        facts.job.job.status = status;
        let explained = explain(&facts);
        let json = serde_json::to_value(&explained).unwrap();
        assert_eq!((json["reason"]["code"].as_str(), explained.reason.reason.code()), (Some(code), code));
    }
}

#[test]
fn a_job_that_waits_for_others_names_the_first_and_counts_the_rest() {
    let waits_for = |on: DependencyTarget| Dependency { on, ..Dependency::of_parent(JobId(7), None, true) };
    let job = DependencyTarget::Job { job_id: JobId(7), status: Some(Status::Running) };
    let batch = DependencyTarget::Batch { batch_id: BatchId(9), batch_status: Some(BatchStatus::Open) };
    let signal = DependencyTarget::Signal { signal: "approved".to_owned() };
    for (unmet, code, words) in [
        (vec![waits_for(job.clone())], "waits_for_job", "job 7, which is running, completes"),
        (vec![waits_for(job), waits_for(signal.clone()), waits_for(batch.clone())], "waits_for_job", "for 2 more"),
        (vec![waits_for(batch)], "waits_for_batch", "batch 9, which is open, completes"),
        (vec![waits_for(signal)], "waits_for_signal", "the signal approved"),
        (Vec::new(), "is_released", "has happened"),
    ] {
        let mut facts = facts(Status::Blocked);
        facts.job.unmet = Some(unmet);
        let explanation = explain(&facts);
        assert_eq!(explanation.reason.reason.code(), code);
        assert!(explanation.reason.message.contains(words), "{}", explanation.reason.message);
    }
}
