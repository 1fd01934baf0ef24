use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use longshore::backend::{Actor, Via, audited};
use longshore::handler::{AttemptResult, BoxFuture, CurrentAttempt, Done, Handler, HandlerError};
use longshore::job::{JobData, NewJob, Priority};
use longshore::limits::{LimitRule, LimitSubject};
use longshore::workflow::{After, Workflow};
use longshore::{FailureType, Queue, Worker};
use longshore_core::{Deed, QueueChange};
use serde_json::json;
use tokio::sync::Notify;

/// Types of jobs with their queues.
const KINDS: [(&str, &str); 10] = [
    ("send_mail", "mail"),
    ("send_receipt", "mail"),
    ("resize_image", "media"),
    ("transcode_video", "media"),
    ("sync_tenant", "sync"),
    ("index_document", "search"),
    ("build_report", "reports"),
    ("charge_card", "billing"),
    ("warm_cache", "default"),
    ("close_account", "default"),
];
const ERRORS: [(FailureType, &str); 8] = [
    (FailureType::ValidationError, "the address is not a mailbox"),
    (FailureType::ValidationError, "field \"amount\" must be positive"),
    (FailureType::PermissionError, "access to bucket \"assets\" was denied"),
    (FailureType::ConfigError, "the environment names no API key"),
    (FailureType::ValidationError, "the file is no image"),
    (FailureType::PermissionError, "the token of tenant 4711 has expired"),
    (FailureType::ConfigError, "template receipt-7 does not exist"),
    (FailureType::ValidationError, "the document has more than 10000 pages"),
];
/// One of so many ended jobs is a dead letter.
const DEAD_OF: u64 = 11;
const TENANTS: u64 = 2000;
/// How many jobs wait for the same one.
const FAN_OUT: u64 = 20_000;
const MEMBERS: u64 = 20_000;
const BATCHES: u64 = 300;
const DEEDS: u64 = 2000;
const DAY: Duration = Duration::from_secs(86_400);

/// Fills an empty database by the API alone, so that every row is one that the queue has written.
pub(super) async fn fill(url: &str, waiting: u64) -> Result<(), Box<dyn Error>> {
    let queue = Queue::open(url).await?;
    let begin = Instant::now();
    let done = |what: &str| println!("{:>6.1} s  {what}", begin.elapsed().as_secs_f64());
    rare(&queue).await?;
    done("rare jobs, the oldest");
    let ended = waiting + waiting / (DEAD_OF - 1);
    queue.enqueue_iter((0..ended).map(|number| Ok(job(number)))).await?;
    done("jobs that are to end");
    drain(&queue, ended).await?;
    done("ended jobs and dead letters");
    flows(&queue, waiting).await?;
    done("batches and jobs that wait for others");
    limits(&queue).await?;
    queue.enqueue_iter((0..waiting).map(|number| Ok(waiting_job(number)))).await?;
    done("waiting jobs");
    deeds(&queue).await?;
    done("the audit trail");
    Ok(())
}

fn job(number: u64) -> NewJob {
    let (job_type, queue) = KINDS[number as usize % KINDS.len()];
    let payload = json!({
        "order": { "id": number, "paid": number.is_multiple_of(3) },
        "tenant": format!("tenant-{}", number % TENANTS),
        "to": format!("user{number}@example.org"),
    });
    let tags = if number.is_multiple_of(1000) { json!({ "tags": ["eu", "vip"] }) } else { json!({ "tags": ["eu"] }) };
    let job = NewJob::encode(job_type, &payload).expect("the payload is an object");
    job.queue(queue).max_retries(3).metadata(JobData::encode(&tags).expect("the metadata is an object"))
}

/// Every twentieth is due on another day, and some are urgent.
fn waiting_job(number: u64) -> NewJob {
    let job = job(number).priority(Priority((number % 4) as i32 * 5));
    if number % 20 == 7 { job.delay(DAY * (1 + (number % 30) as u32)) } else { job }
}

/// A few jobs that a list finds only behind all others.
async fn rare(queue: &Queue) -> Result<(), Box<dyn Error>> {
    for number in 0..3 {
        queue.enqueue_job(job(number).queue("rare_queue")).await?;
        let rare = NewJob::encode("rare_type", &json!({ "n": number }))?;
        queue.enqueue_job(rare.clone()).await?;
        let held = queue.enqueue_job(rare.delay(DAY * 30)).await?.id;
        queue.enqueue_job(NewJob::encode("rare_child", &json!({}))?.parent(held)).await?;
        let cancelled = queue.enqueue_job(NewJob::encode("rare_type", &json!({}))?.delay(DAY)).await?.id;
        queue.cancel(cancelled).await?;
        queue.enqueue_job(NewJob::encode("rare_retry", &json!({}))?.max_retries(9)).await?;
        queue.enqueue_job(NewJob::encode("rare_failure", &json!({}))?.max_retries(0)).await?;
    }
    let first = Arc::new(Countdown::of(4 * 3));
    let types = ["rare_type", "rare_retry", "rare_failure", KINDS[0].0, KINDS[1].0, KINDS[2].0];
    run(queue, &types, &first).await
}

async fn drain(queue: &Queue, jobs: u64) -> Result<(), Box<dyn Error>> {
    let left = Arc::new(Countdown::of(jobs));
    let types: Vec<&str> = KINDS.into_iter().map(|(job_type, _)| job_type).collect();
    run(queue, &types, &left).await
}

/// Runs jobs of these types until the countdown is over.
async fn run(queue: &Queue, types: &[&str], countdown: &Arc<Countdown>) -> Result<(), Box<dyn Error>> {
    let mut worker = Worker::new(queue).concurrency(256);
    for job_type in types {
        worker = worker.handler(*job_type, Arc::new(Ends(Arc::clone(countdown))));
    }
    let over = Arc::clone(countdown);
    worker.run(async move { over.reached.notified().await }).await?;
    Ok(())
}

struct Countdown {
    left: AtomicU64,
    reached: Notify,
}

impl Countdown {
    fn of(jobs: u64) -> Self {
        Self { left: AtomicU64::new(jobs), reached: Notify::new() }
    }
}

/// Completes jobs, but for some.
struct Ends(Arc<Countdown>);

impl Handler for Ends {
    fn run(&self, attempt: CurrentAttempt) -> BoxFuture<'static, AttemptResult> {
        let before = self.0.left.fetch_sub(1, Ordering::Relaxed);
        if before == 1 {
            self.0.reached.notify_one();
        }
        let failed = |kind, message: &str| Err(HandlerError::failed(kind, message));
        let result = match attempt.job_type() {
            "rare_retry" => failed(FailureType::NetworkError, "connection reset by peer"),
            "rare_failure" => failed(FailureType::ResourceError, "no space left on device"),
            _ if before.is_multiple_of(DEAD_OF) => {
                let (kind, message) = ERRORS[(before / DEAD_OF) as usize % ERRORS.len()];
                failed(kind, &format!("{message} (order {before})"))
            }
            _ => Ok(Done::Completed { result: None }),
        };
        Box::pin(std::future::ready(result))
    }
}

async fn flows(queue: &Queue, waiting: u64) -> Result<(), Box<dyn Error>> {
    let (fan_out, members) = (FAN_OUT.min(waiting), MEMBERS.min(waiting));
    let root = queue.enqueue_job(NewJob::encode("fan_out", &json!({}))?.delay(DAY * 30)).await?.id;
    queue.enqueue_iter((0..fan_out).map(move |number| Ok(job(number).parent(root)))).await?;
    let mut large = Workflow::new("import of the whole catalogue");
    for number in 0..members {
        large.add_job(job(number).delay(DAY));
    }
    queue.enqueue_workflow(large).await?;
    for number in 0..BATCHES.min(waiting) {
        let mut flow = Workflow::new(format!("import {number}"));
        let fetch = flow.add_job(job(number).queue("imports").delay(DAY)).named("fetch");
        let mut parts = Vec::new();
        for part in 0..12 {
            let convert = job(part).queue("imports");
            parts.push(flow.add_job(convert).named(format!("convert {part}")).after(fetch.clone()));
        }
        let mut merge = flow.add_job(job(number).queue("imports")).named("merge");
        for part in parts {
            merge = merge.after(After::the_end_of(part));
        }
        queue.enqueue_workflow(flow).await?;
    }
    Ok(())
}

async fn limits(queue: &Queue) -> Result<(), Box<dyn Error>> {
    let limits = queue.limits();
    for (name, concurrency) in [("mail", 50), ("reports", 4)] {
        let rule = LimitRule { concurrency: Some(concurrency), ..LimitRule::default() };
        limits.set(LimitSubject::Queue(name.to_owned()), rule).await?;
    }
    let by_tenant = LimitRule {
        concurrency: Some(100),
        rate: Some("1000/1m".parse()?),
        key: Some("/tenant".parse()?),
        key_concurrency: Some(2),
        weights: [("tenant-4".to_owned(), 3)].into(),
        ..LimitRule::default()
    };
    limits.set(LimitSubject::Type("sync_tenant".to_owned()), by_tenant).await?;
    Ok(())
}

async fn deeds(queue: &Queue) -> Result<(), Box<dyn Error>> {
    let store = queue.backend().as_ref();
    for number in 0..DEEDS {
        let actor = Actor { name: format!("operator-{}", number % 7), via: Via::Dashboard };
        let change = if number.is_multiple_of(2) { QueueChange::Pause } else { QueueChange::Resume };
        let deed = Deed::on_queue(change, "search");
        audited(store, &actor, deed, store.change_queue("search".to_owned(), change)).await?;
    }
    Ok(())
}
