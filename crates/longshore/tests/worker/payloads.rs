use std::time::Duration;

use longshore::{
    Due, Enqueued, HandlerError, Job, JobData, NewJob, OnDuplicate, Payload, Priority, RetryPolicy, Status,
    UniqueWhile, handler::HandlerPolicy,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::bench::Bench;

const HOUR: Duration = Duration::from_secs(3600);
const PAUSE: Duration = Duration::from_secs(5);

#[derive(Job, Serialize, Deserialize)]
#[job(name = "send_receipt", queue = "mail", priority = "high", max_retries = 5, max_crashes = 2, max_deferrals = 9)]
#[job(timeout = "30s", grace = "1500ms", delay = PAUSE, expires_in = "1h", deadline_in = "1h 30m")]
#[job(unique, on_duplicate = "replace", unique_while = "waiting")]
struct SendReceipt {
    order: u64,
}

#[derive(Serialize, Deserialize)]
struct ByHand {
    order: u64,
}

impl Payload for ByHand {
    const JOB_TYPE: &'static str = "send_receipt";

    fn configure(&self, job: NewJob) -> NewJob {
        let job =
            job.queue("mail").priority(Priority::HIGH).max_retries(5).timeout(Duration::from_secs(30)).delay(PAUSE);
        let job = job.max_crashes(2).max_deferrals(9).expires_in(HOUR).deadline_in(HOUR * 3 / 2);
        job.unique_payload().on_duplicate(OnDuplicate::Replace).unique_while(UniqueWhile::Waiting)
    }

    fn policy(policy: HandlerPolicy) -> HandlerPolicy {
        let policy = policy.queue("mail").priority(Priority::HIGH).max_retries(5);
        policy.timeout(Duration::from_secs(30)).grace(Duration::from_millis(1500))
    }
}

#[test]
fn a_payload_type_says_everything_about_its_jobs_in_one_place() {
    let job = SendReceipt { order: 7 }.to_job().unwrap();
    assert_eq!((job.job_type.as_str(), job.queue.as_str()), ("send_receipt", "mail"));
    assert_eq!((job.priority, job.max_retries, job.max_crashes, job.max_deferrals), (Priority::HIGH, Some(5), 2, 9));
    assert_eq!((job.timeout, job.due), (Some(Duration::from_secs(30)), Due::After(PAUSE)));
    assert_eq!((job.expires_in, job.deadline_in), (Some(HOUR), Some(HOUR * 3 / 2)));
    assert_eq!(job.unique_key.as_deref(), Some(r#"send_receipt:{"order":7}"#));
    assert_eq!((job.on_duplicate, job.unique_while), (OnDuplicate::Replace, UniqueWhile::Waiting));
}

#[test]
fn the_same_is_written_by_hand() {
    assert_eq!(ByHand { order: 7 }.to_job().unwrap(), SendReceipt { order: 7 }.to_job().unwrap());
    assert_eq!(ByHand::policy(HandlerPolicy::default()), SendReceipt::policy(HandlerPolicy::default()));
}

#[derive(Job, Serialize, Deserialize)]
struct HTTPFetch;

#[derive(Job, Serialize, Deserialize)]
#[job(unique = "user_id", priority = -3)]
struct Sync {
    #[serde(rename = "user")]
    user_id: u64,
    is_full: bool,
}

#[derive(Job, Serialize, Deserialize)]
#[job(unique = ["0", "2"], priority = 7)]
struct Pair(u64, bool, Option<String>);

#[derive(Job, Serialize, Deserialize)]
#[job(name = "event", unique, priority = Priority::URGENT, max_retries = RETRIES)]
#[serde(bound = "")]
enum Event<T: Send + Serialize + DeserializeOwned + 'static> {
    Created { id: u64 },
    Other(T),
}

const RETRIES: u32 = 2;

#[test]
fn a_type_without_settings_has_its_name_and_the_defaults() {
    let job = HTTPFetch.to_job().unwrap();
    assert_eq!(job, NewJob::new("http_fetch", JobData::parse("null").unwrap()));
    assert_eq!(HTTPFetch::policy(HandlerPolicy::default()), HandlerPolicy::default());
}

#[test]
fn jobs_are_unique_by_the_fields_that_are_named() {
    let key = |job: NewJob| job.unique_key.unwrap();
    assert_eq!(key(Sync { user_id: 7, is_full: true }.to_job().unwrap()), "sync:7");
    assert_eq!(key(Pair(7, true, None).to_job().unwrap()), "pair:[7,null]");
    assert_eq!(key(Pair(7, false, Some("a\nb".into())).to_job().unwrap()), r#"pair:[7,"a\nb"]"#);
}

#[test]
fn an_enum_and_a_generic_type_are_payloads_too() {
    let job = Event::<u8>::Created { id: 1 }.to_job().unwrap();
    assert_eq!((job.priority, job.max_retries), (Priority::URGENT, Some(2)));
    assert_eq!(job.unique_key.as_deref(), Some(r#"event:{"Created":{"id":1}}"#));
    assert_eq!(Event::Other("x".to_owned()).to_job().unwrap().job_data.as_str(), r#"{"Other":"x"}"#);
    assert_eq!(Sync { user_id: 7, is_full: true }.to_job().unwrap().priority, Priority(-3));
    assert_eq!(Pair(7, true, None).to_job().unwrap().priority, Priority(7));
}

#[tokio::test(start_paused = true)]
async fn a_second_job_with_the_same_fields_is_not_made() {
    let bench = Bench::new();
    let enqueue = async |user_id, is_full| bench.queue.enqueue(&Sync { user_id, is_full }).await.unwrap();
    let first: Enqueued = enqueue(7, true).await;
    let second = enqueue(7, false).await;
    let other = enqueue(8, false).await;

    assert_eq!((second.id, second.is_duplicate), (first.id, true));
    assert!(!first.is_duplicate && !other.is_duplicate);
    bench.worker().handle(|_: Sync, _| async { Ok(()) }).run_until_drained().await.unwrap();
    assert!(!enqueue(7, true).await.is_duplicate, "the first one has ended");
}

#[derive(Job, Serialize, Deserialize)]
#[job(name = "slow", timeout = "5s", max_retries = 1, retry = RetryPolicy { jitter: 0.0, ..RetryPolicy::default() })]
struct Slow;

/// Another program, or plain SQL, enqueues it without the settings of the type.
#[tokio::test(start_paused = true)]
async fn the_timeout_of_a_type_counts_for_jobs_that_another_program_enqueued() {
    let bench = Bench::new();
    let job = NewJob::new("slow", JobData::parse("null").unwrap()).max_retries(0);
    let id = bench.queue.enqueue_job(job).await.unwrap().id;

    let worker = bench.worker().grace(Duration::ZERO).handle(|_: Slow, _| async {
        std::future::pending::<()>().await;
        Ok(())
    });
    worker.run_until_drained().await.unwrap();

    let job = bench.job(id).await;
    assert_eq!(job.error_message.as_deref(), Some("the attempt reached its time limit of 5s"));
}

#[derive(Job, Serialize, Deserialize)]
#[job(retry = "quick")]
struct Quick;

#[derive(Job, Serialize, Deserialize)]
#[job(max_retries = 9, retry = ["1s", "1m"])]
struct Listed;

#[test]
fn a_policy_by_name_or_by_its_delays_may_have_another_number_of_retries() {
    assert_eq!(Quick::policy(HandlerPolicy::default()).retry, RetryPolicy::quick());
    let delays = [1, 60].map(Duration::from_secs);
    assert_eq!(Listed::policy(HandlerPolicy::default()).retry, RetryPolicy::delays(delays).retries(9));
}

#[derive(Job, Serialize, Deserialize)]
#[job(name = "later", retry = exactly(HOUR), max_retries = 1)]
struct Later;

fn exactly(delay: Duration) -> RetryPolicy {
    RetryPolicy::fixed(delay).jitter(0.0)
}

#[tokio::test(start_paused = true)]
async fn the_retries_of_a_type_have_its_delays_and_a_worker_may_change_them() {
    for changed in [None, Some(HOUR * 2)] {
        let bench = Bench::new();
        let id = bench.queue.enqueue(&Later).await.unwrap().id;

        let worker = bench.worker().handle(|_: Later, _| async { Err::<(), HandlerError>("no".into()) });
        let worker = match changed {
            Some(delay) => worker.retry("later", exactly(delay)),
            None => worker,
        };
        worker.run_until_drained().await.unwrap();

        let detail = bench.detail(id).await;
        assert_eq!((detail.job.status, detail.job.retry_count), (Status::DeadLetter, 1));
        let waited = detail.attempts[1].started_at.unwrap().since(detail.attempts[0].finished_at.unwrap());
        let expected = changed.unwrap_or(HOUR);
        assert!((expected..expected + Duration::from_secs(60)).contains(&waited), "{waited:?}");
    }
}
