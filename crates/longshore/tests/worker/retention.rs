use std::time::Duration;

use longshore::{Failure, FailureType, NewJob, Status};

use crate::bench::{Bench, Running, Step};

const MINUTE: Duration = Duration::from_secs(60);
const BROKEN: u32 = 13;

#[tokio::test(start_paused = true)]
async fn a_running_worker_removes_old_ended_jobs_and_nothing_else() {
    let bench = Bench::new();
    let worker = bench.worker().retention(60 * MINUTE).handle(|step: Step, _| async move {
        if step.number == BROKEN {
            return Err(Failure::new(FailureType::ValidationError, "broken").into());
        }
        Ok(())
    });
    let running = Running::spawn(worker);
    let foreign = || NewJob::new("foreign", Default::default());
    let old = [bench.enqueue(0).await, bench.queue.enqueue_job(foreign()).await.unwrap().id];
    let stays = [bench.enqueue(BROKEN).await, bench.queue.enqueue_job(foreign()).await.unwrap().id];
    bench.queue.cancel(old[1]).await.unwrap();
    bench.until_status(old[0], Status::Completed).await;
    bench.until_status(stays[0], Status::DeadLetter).await;
    tokio::time::sleep(30 * MINUTE).await;
    let young = bench.enqueue(1).await;
    bench.until_status(young, Status::Completed).await;
    tokio::time::sleep(29 * MINUTE).await;
    for id in old {
        assert!(bench.queue.job(id).await.unwrap().is_some(), "job {id} is not old enough");
    }

    tokio::time::sleep(3 * MINUTE).await;

    for id in old {
        assert!(bench.queue.job(id).await.unwrap().is_none(), "job {id} is old enough");
    }
    assert_eq!(bench.status(young).await, Status::Completed);
    assert_eq!((bench.status(stays[0]).await, bench.status(stays[1]).await), (Status::DeadLetter, Status::Pending));
    running.stop().await;
}
