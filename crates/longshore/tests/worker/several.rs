//! A worker on several databases, of which one does not answer for a while.

use std::sync::Arc;
use std::time::{Duration, Instant};

use longshore::backend::{CombinedStore, NamedDatabase, Numbering, Opening};
use longshore::{CurrentAttempt, HandlerError, NewJob, Payload, Queue, Status, Worker};
use longshore_core::{JobId, SystemClock};
use longshore_testkit::{FaultPlan, FaultStore, MemoryStore};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

#[derive(Serialize, Deserialize)]
struct Letter;

impl Payload for Letter {
    const JOB_TYPE: &'static str = "letter";
}

type Part = FaultStore<MemoryStore>;

fn part() -> Part {
    FaultStore::new(MemoryStore::new(SystemClock::new()), FaultPlan::none())
}

async fn both(main: &Part, mail: &Part) -> Queue {
    let named = |name: &str, queues: Vec<String>, store: &Part| NamedDatabase {
        name: name.to_owned(),
        queues,
        range: None,
        opening: Opening::Open(Arc::new(store.clone())),
    };
    let databases = vec![named("main", Vec::new(), main), named("mail", vec!["mail".to_owned()], mail)];
    Queue::from_backend(Arc::new(CombinedStore::open(databases, Numbering::Assign).await.unwrap()))
}

async fn enqueue(queue: &Queue, name: &str) -> JobId {
    queue.enqueue_job(NewJob::encode("letter", &Letter).unwrap().queue(name)).await.unwrap().id
}

async fn until_status(store: &Part, id: JobId, status: Status) {
    let begun = Instant::now();
    loop {
        // Below the faults: the test sees the database also while nobody else does.
        let detail = longshore_core::Console::job(store.inner(), id).await.unwrap().unwrap();
        if detail.job.status == status {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{detail:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn outcomes_of_a_database_that_is_away_wait_and_delay_no_other_one() {
    let (main, mail) = (part(), part());
    let queue = both(&main, &mail).await;
    let (go_on, may_end) = watch::channel(false);
    let worker = Worker::new(&queue).concurrency(4).handle(move |_: Letter, attempt: CurrentAttempt| {
        let mut may_end = may_end.clone();
        async move {
            if attempt.queue_name() == "mail" {
                may_end.wait_for(|may| *may).await.unwrap();
            }
            Ok::<_, HandlerError>(())
        }
    });
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(worker.run(async { stopped.await.unwrap_or_default() }));
    let there = enqueue(&queue, "mail").await;
    until_status(&mail, there, Status::Running).await;

    mail.set_gone(true);
    go_on.send_replace(true);
    for _ in 0..3 {
        let here = enqueue(&queue, "other").await;
        until_status(&main, here, Status::Completed).await;
    }
    until_status(&mail, there, Status::Running).await;

    mail.set_gone(false);
    until_status(&mail, there, Status::Completed).await;
    let detail = queue.job(there).await.unwrap().unwrap();
    assert_eq!((detail.attempts.len(), detail.job.retry_count), (1, 0), "it ran once");
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
}
