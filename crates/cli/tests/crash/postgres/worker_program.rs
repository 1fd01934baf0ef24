use std::fs::File;
use std::io::Write;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use longshore::handler::{AttemptResult, BoxFuture, Handler, HandlerPolicy, IntoDone};
use longshore::postgres::{SCHEMA, complete_in};
use longshore::{CurrentAttempt, FailureType, HandlerError, Queue, QueueError, Worker};
use longshore_postgres::tokio_postgres::Client;
use longshore_postgres::{PostgresUrl, connect};
use tracing_subscriber::filter::LevelFilter;

/// Makes this program a worker: URL, file of the marks, and `drained` or `killed` for when it ends.
pub(crate) const WORKER: &str = "work-on-postgres";
const LEASE: Duration = Duration::from_secs(2);
/// What waits for a retry must run soon, and servers are away more often than usual.
const RETRIES_MAX: u32 = 1000;

pub(crate) fn run_worker(arguments: &[&str]) -> ExitCode {
    let [url, marks, until] = arguments else { panic!("a URL, a file and an end") };
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).with_max_level(LevelFilter::INFO).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime
        .block_on(async {
            let queue = open(url).await;
            let marks = File::options().append(true).create(true).open(marks).unwrap();
            let shared = Arc::new(Shared { url: url.parse().unwrap(), marks, clients: Mutex::default() });
            let mut worker = Worker::new(&queue).lease(LEASE).concurrency(8);
            for (job_type, work) in
                [("note", Work::Note), ("flaky", Work::Flaky), ("exact", Work::Exact), ("doomed", Work::Doomed)]
            {
                worker = worker.handler(job_type, Arc::new(CrashHandler { work, shared: Arc::clone(&shared) }));
            }
            if *until == "drained" {
                worker.run_until_drained().await
            } else {
                worker.run(std::future::pending()).await
            }
        })
        .unwrap();
    ExitCode::SUCCESS
}

/// Whoever starts a worker starts it again when it finds no server.
async fn open(url: &str) -> Queue {
    loop {
        match Queue::open(url).await {
            Ok(queue) => return queue,
            Err(QueueError::Store(error)) if error.is_passing() => tokio::time::sleep(Duration::from_millis(100)).await,
            Err(error) => panic!("{error}"),
        }
    }
}

#[derive(Clone, Copy)]
enum Work {
    /// Leaves a mark.
    Note,
    /// Fails once, then leaves a mark.
    Flaky,
    /// Writes to a table in the transaction that completes its job.
    Exact,
    /// Fails for good.
    Doomed,
}

struct CrashHandler {
    work: Work,
    shared: Arc<Shared>,
}

struct Shared {
    url: PostgresUrl,
    marks: File,
    clients: Mutex<Vec<Client>>,
}

impl Handler for CrashHandler {
    fn run(&self, attempt: CurrentAttempt) -> BoxFuture<'static, AttemptResult> {
        let (work, shared) = (self.work, Arc::clone(&self.shared));
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(0..40))).await;
            match work {
                Work::Flaky if attempt.attempt() == 1 => Err(HandlerError::retry_after(Duration::from_millis(300))),
                Work::Note | Work::Flaky => Ok(shared.mark(&attempt)?.into_done()?),
                Work::Exact => shared.commit(&attempt).await,
                Work::Doomed => Err(HandlerError::failed(FailureType::ConfigError, "it fails for good")),
            }
        })
    }

    fn policy(&self) -> HandlerPolicy {
        HandlerPolicy::default().max_retries(RETRIES_MAX)
    }
}

impl Shared {
    /// One write, so that the lines of several processes never mix.
    fn mark(&self, attempt: &CurrentAttempt) -> std::io::Result<()> {
        (&self.marks).write_all(format!("{} {}\n", attempt.id(), attempt.lease().claim_number.0).as_bytes())
    }

    /// The effect exists if and only if the job is completed by this attempt.
    async fn commit(&self, attempt: &CurrentAttempt) -> AttemptResult {
        let again = |error: HandlerError| error.with_retry_after(Duration::from_millis(200));
        let kept = self.clients.lock().unwrap().pop().filter(|client| !client.is_closed());
        let mut client = match kept {
            Some(client) => client,
            None => {
                let (client, task) = connect(&self.url).await.map_err(|error| again(error.into()))?;
                tokio::spawn(async move { drop(task.await) });
                client
            }
        };
        let completion = async {
            let transaction = client.transaction().await?;
            let (id, claim) = (attempt.id().0, attempt.lease().claim_number.0);
            transaction.execute("INSERT INTO public.effect VALUES ($1, $2)", &[&id, &claim]).await?;
            let completion = complete_in(&transaction, SCHEMA, attempt, &()).await?;
            transaction.commit().await?;
            Ok::<_, HandlerError>(completion)
        };
        let completion = completion.await.map_err(again)?;
        self.clients.lock().unwrap().push(client);
        completion.into_done()
    }
}
