use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use longshore::backend::{Filter, Interest, JobPageRequest};
use longshore::handler::HandlerError;
use longshore::job::{JobData, JobId, NewJob, Status};
use longshore::testing::ScratchQueue;
use longshore::{FailureType, Job, Priority, Schedule, Worker};
use longshore_web::{ServeOptions, Web};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::Notify;

/// A server on a database of its own with jobs in every status, and a worker that runs one of them.
pub(crate) struct Site {
    runtime: Runtime,
    pub(crate) queue: ScratchQueue,
    url: String,
}

/// It ends well.
#[derive(Job, Serialize, Deserialize)]
#[job(name = "resize_image", queue = "media")]
struct ResizeImage {
    path: String,
    width: u32,
}

/// It is given up at once.
#[derive(Job, Serialize, Deserialize)]
#[job(name = "send_receipt", queue = "mail", max_retries = 0)]
struct SendReceipt {
    order: u64,
}

/// It fails and is retried much later.
#[derive(Job, Serialize, Deserialize)]
#[job(name = "sync_tenant", queue = "sync", retry = ["1h"])]
struct SyncTenant {
    tenant: u64,
}

/// It runs until the test is over.
#[derive(Job, Serialize, Deserialize)]
#[job(name = "build_report", queue = "reports")]
struct BuildReport {
    month: String,
}

/// An integer that a floating-point number cannot hold.
pub(crate) const LARGE: u64 = 9_007_199_254_740_993;
/// Text that would change a page if it was not escaped.
pub(crate) const HOSTILE: &str =
    "</pre><img src=x onerror=alert(1)><script>document.title='taken'</script>\u{1b}[31m\u{202e}";

impl Site {
    /// A server with jobs.
    pub(crate) fn start() -> Self {
        Self::start_with(Web::open_to_everyone, "")
    }

    /// The same with other settings, below a path.
    pub(crate) fn start_with(settings: impl FnOnce(Web) -> Web, base: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (queue, url) = runtime.block_on(async {
            let queue = ScratchQueue::open().await.unwrap();
            seed(&queue).await;
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}{base}", listener.local_addr().unwrap());
            let web = settings(Web::new(&queue)).base_path(base).database("scratch");
            tokio::spawn(web.serve(listener, ServeOptions::default(), pending()));
            (queue, url)
        });
        Self { runtime, queue, url }
    }

    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Runs something to its end.
    pub(crate) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub(crate) fn enqueue(&self, job: NewJob) -> JobId {
        self.run(self.queue.enqueue_job(job)).unwrap().id
    }

    pub(crate) fn status(&self, id: JobId) -> Option<Status> {
        self.run(self.queue.job(id)).unwrap().map(|detail| detail.job.status)
    }

    /// The newest job of a type.
    pub(crate) fn newest(&self, job_type: &str) -> JobId {
        let selection = Filter::all().job_types([job_type]).into();
        let request = JobPageRequest { selection, after: None, limit: 1, looked_max: None };
        self.run(self.queue.backend().jobs(request)).unwrap().jobs[0].id
    }
}

fn data(value: &serde_json::Value) -> JobData {
    JobData::encode(value).unwrap()
}

async fn seed(queue: &ScratchQueue) {
    let mut ending = Vec::new();
    for number in 0..24 {
        let path = format!("/photos/2026/{number:04}.jpg");
        ending.push(queue.enqueue(&ResizeImage { path, width: 1600 }).await.unwrap().id);
    }
    for order in 0..7 {
        ending.push(queue.enqueue(&SendReceipt { order: LARGE + order }).await.unwrap().id);
    }
    let retried = queue.enqueue(&SyncTenant { tenant: 7 }).await.unwrap().id;
    let ended = Worker::new(queue)
        .handle(|image: ResizeImage, attempt| async move {
            attempt.log(&format!("resizing {} to {}\n", image.path, image.width));
            Ok(())
        })
        .handle(|receipt: SendReceipt, attempt| async move {
            attempt.log(&format!("connecting to mail.example for order {}\n{HOSTILE}\n", receipt.order));
            let message = format!("mail.example refused order {}: {HOSTILE}", receipt.order);
            Err::<(), _>(HandlerError::failed(FailureType::NetworkError, message))
        })
        .handle(|sync: SyncTenant, _attempt| async move {
            let message = format!("tenant {} did not answer within 30s", sync.tenant);
            Err::<(), _>(HandlerError::failed(FailureType::TimeoutError, message))
        });
    ended.run(have_run(queue, ending, retried)).await.unwrap();
    let cancelled = queue.enqueue_job(NewJob::new("cleanup", data(&serde_json::json!({})))).await.unwrap().id;
    queue.cancel(cancelled).await.unwrap();
    for number in 0..12 {
        let job = NewJob::new("import_rows", data(&serde_json::json!({"file": format!("rows-{number}.csv")})));
        queue.enqueue_job(job.queue("imports")).await.unwrap();
    }
    let mut hostile = NewJob::new("<b>bold</b>", data(&serde_json::json!({"note": HOSTILE, "large": LARGE})));
    hostile.priority = Priority::HIGH;
    let parent = queue.enqueue_job(hostile.queue("a/b & \"c\"")).await.unwrap().id;
    let mut child = NewJob::new("import_rows", data(&serde_json::json!({})));
    child.parent = Some(parent);
    queue.enqueue_job(child.queue("imports")).await.unwrap();
    queue.pause("imports").await.unwrap();
    run_one(queue).await;
    let nightly = Schedule::cron("nightly", "30 2 * * mon-fri").time_zone("Europe/Berlin");
    queue.schedules().add(&nightly.enqueue(&BuildReport { month: "2026-10".to_owned() })).await.unwrap();
    queue
        .schedules()
        .add(&Schedule::every("sync/all", Duration::from_secs(900)).enqueue(&SyncTenant { tenant: 1 }))
        .await
        .unwrap();
}

/// Leaves a worker that runs one job until the runtime ends.
async fn run_one(queue: &ScratchQueue) {
    let id = queue.enqueue(&BuildReport { month: "2026-11".to_owned() }).await.unwrap().id;
    let begun = Arc::new(Notify::new());
    let notice = Arc::clone(&begun);
    let worker = Worker::new(queue).concurrency(4).queue("reports").handle(move |report: BuildReport, attempt| {
        let notice = Arc::clone(&notice);
        async move {
            attempt.log(&format!("reading {}\n", report.month));
            attempt.progress(0.4, "page 4 of 10");
            notice.notify_one();
            pending::<Result<(), HandlerError>>().await
        }
    });
    tokio::spawn(worker.run(pending::<()>()));
    begun.notified().await;
    assert_eq!(queue.job(id).await.unwrap().unwrap().job.status, Status::Running);
}

/// Resolves when jobs have ended, and one waits for its retry.
async fn have_run(queue: &ScratchQueue, ending: Vec<JobId>, retried: JobId) {
    for id in ending {
        queue.wait(id, Duration::from_secs(60)).await.unwrap();
    }
    let mut wakeups = queue.backend().wakeups(Interest::Anything);
    while queue.job(retried).await.unwrap().unwrap().job.status != Status::Retrying {
        wakeups.changed().await;
    }
}
