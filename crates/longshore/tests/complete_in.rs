//! A handler that completes its job in its own transaction: the state of the job after every possible event.

#![expect(clippy::unwrap_used, reason = "the lint knows tests, but not the functions that they share")]

use std::io;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use longshore::backend::LogRequest;
use longshore::handler::CheckpointError;
use longshore::rusqlite::{Connection, Transaction, TransactionBehavior};
use longshore::testing::ScratchQueue;
use longshore::{
    AttemptOutcome, CompleteError, CurrentAttempt, Done, HandlerError, JobDetail, JobId, NewJob, Payload, Queue,
    Status, StopCause, Worker,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Page {
    number: u32,
}

impl Payload for Page {
    const JOB_TYPE: &'static str = "page";
}

/// A database with a table of the application beside the jobs.
struct Application {
    queue: ScratchQueue,
}

impl Application {
    async fn open() -> Self {
        let queue = ScratchQueue::open().await.unwrap();
        let application = Self { queue };
        application.connect().execute_batch("CREATE TABLE pages (number INTEGER)").unwrap();
        application
    }

    fn connect(&self) -> Connection {
        connect(&self.queue.path())
    }

    /// Enqueues a job without retries, and works until no job is left.
    async fn run<D: longshore::IntoDone>(
        &self,
        handler: impl Fn(&Path, CurrentAttempt) -> Result<D, HandlerError> + Send + Sync + 'static,
    ) -> JobDetail {
        let job = Page { number: 7 }.to_job().unwrap().max_retries(0);
        self.run_job(job, handler).await
    }

    async fn run_job<D: longshore::IntoDone>(
        &self,
        job: NewJob,
        handler: impl Fn(&Path, CurrentAttempt) -> Result<D, HandlerError> + Send + Sync + 'static,
    ) -> JobDetail {
        let id = self.queue.enqueue_job(job).await.unwrap().id;
        let path = self.queue.path();
        let worker = Worker::new(&self.queue)
            .grace(Duration::from_secs(20))
            .handle_blocking(move |_: Page, attempt| handler(&path, attempt));
        worker.run_until_drained().await.unwrap();
        self.detail(id).await
    }

    async fn detail(&self, id: JobId) -> JobDetail {
        self.queue.job(id).await.unwrap().unwrap()
    }

    async fn log(&self, id: JobId) -> String {
        let page = self.queue.backend().log(LogRequest { id, attempt: None, after: None }).await.unwrap();
        page.entries.into_iter().map(|entry| entry.text).collect()
    }

    fn number(&self, sql: &str) -> i64 {
        self.connect().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    fn pages(&self) -> i64 {
        self.number("SELECT count(*) FROM pages")
    }

    /// The stored counts equal the number of rows.
    fn assert_counts_are_true(&self) {
        let wrong = "SELECT count(*) FROM (
            SELECT queue, status, jobs FROM job_depths WHERE jobs <> 0
            EXCEPT SELECT queue, status, count(*) FROM job_queue GROUP BY queue, status)";
        assert_eq!(self.number(wrong), 0);
        let ended = "SELECT (SELECT count(*) FROM job_queue WHERE status = 'completed')
            - (SELECT COALESCE(sum(completed), 0) FROM job_minutes)";
        assert_eq!(self.number(ended), 0);
    }
}

fn connect(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(Duration::from_secs(30)).unwrap();
    connection
}

/// Writes a page in a transaction, and returns the result of `end`.
fn write_page<T>(path: &Path, end: impl FnOnce(Transaction<'_>) -> T) -> T {
    let mut connection = connect(path);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    transaction.execute("INSERT INTO pages VALUES (7)", []).unwrap();
    end(transaction)
}

/// Writes a page and completes the job in the same transaction.
fn complete(path: &Path, attempt: &CurrentAttempt) {
    write_page(path, |transaction| {
        let _completion = Queue::complete_in(&transaction, attempt, &"done").unwrap();
        transaction.commit().unwrap();
    });
}

#[tokio::test]
async fn the_job_completes_with_the_work_of_its_handler_and_keeps_its_result_and_its_log() {
    let application = Application::open().await;
    let detail = application
        .run(|path, attempt| {
            attempt.log("before\n");
            let completion = write_page(path, |transaction| {
                let completion = Queue::complete_in(&transaction, &attempt, &"done")?;
                transaction.commit()?;
                Ok::<_, HandlerError>(completion)
            })?;
            attempt.log("after\n");
            Ok(completion)
        })
        .await;

    let job = detail.job;
    assert_eq!((job.status, job.result.unwrap().as_str()), (Status::Completed, r#""done""#));
    assert!(job.started_at.unwrap() <= job.completed_at.unwrap());
    assert_eq!((application.pages(), application.log(job.id).await.as_str()), (1, "before\nafter\n"));
    application.assert_counts_are_true();
}

#[tokio::test]
async fn a_result_of_nothing_is_no_result() {
    let application = Application::open().await;
    let detail = application
        .run(|path, attempt| {
            write_page(path, |transaction| {
                let completion = Queue::complete_in(&transaction, &attempt, &())?;
                transaction.commit()?;
                Ok(completion)
            })
        })
        .await;
    assert_eq!((detail.job.status, detail.job.result), (Status::Completed, None));
}

#[tokio::test]
async fn a_job_stays_completed_whatever_its_handler_does_after_the_commit() {
    let application = Application::open().await;
    let failed = application
        .run(|path, attempt| {
            complete(path, &attempt);
            Err::<(), _>(io::Error::from(io::ErrorKind::PermissionDenied).into())
        })
        .await;
    let panicked = application
        .run(|path, attempt| {
            complete(path, &attempt);
            panic!("too late");
            #[expect(unreachable_code, reason = "says what the handler would return")]
            Ok(())
        })
        .await;
    let snoozed = application
        .run(|path, attempt| {
            complete(path, &attempt);
            Ok(Done::snooze(Duration::from_secs(3600)))
        })
        .await;
    let silent = application
        .run(|path, attempt| {
            complete(path, &attempt);
            Ok(())
        })
        .await;

    for detail in [&failed, &panicked, &snoozed, &silent] {
        let outcomes: Vec<_> = detail.attempts.iter().map(|attempt| attempt.outcome).collect();
        assert_eq!((detail.job.status, outcomes), (Status::Completed, vec![AttemptOutcome::Completed]));
        assert_eq!(detail.job.result.as_ref().unwrap().as_str(), r#""done""#);
    }
    assert!(application.log(failed.job.id).await.contains("the handler failed: permission denied"));
    assert!(application.log(panicked.job.id).await.contains("the handler panicked: too late"));
    assert!(application.log(snoozed.job.id).await.contains("asked to be run later"));
    assert_eq!((application.log(silent.job.id).await, application.pages()), (String::new(), 4));
    application.assert_counts_are_true();
}

#[tokio::test]
async fn after_a_rollback_the_attempt_ends_by_what_its_handler_returns() {
    let application = Application::open().await;
    let roll_back = |path: &Path, attempt: &CurrentAttempt| {
        write_page(path, |transaction| {
            let _completion = Queue::complete_in(&transaction, attempt, &1).unwrap();
            transaction.rollback().unwrap();
        });
    };
    let normal = application
        .run(move |path, attempt| {
            roll_back(path, &attempt);
            Ok(Done::with(&2)?)
        })
        .await;
    let failed = application
        .run(move |path, attempt| {
            roll_back(path, &attempt);
            Err::<(), _>(io::Error::from(io::ErrorKind::PermissionDenied).into())
        })
        .await;

    assert_eq!((normal.job.status, normal.job.result.unwrap().as_str()), (Status::Completed, "2"));
    assert_eq!((failed.job.status, failed.job.failure_type.as_deref()), (Status::DeadLetter, Some("permission_error")));
    assert_eq!(application.pages(), 0);
    application.assert_counts_are_true();
}

#[tokio::test]
async fn a_completion_whose_transaction_did_not_commit_is_a_failure_and_the_work_is_done_again() {
    let application = Application::open().await;
    let job = Page { number: 7 }.to_job().unwrap();
    let detail = application
        .run_job(job, |path, attempt| {
            write_page(path, |transaction| {
                let completion = Queue::complete_in(&transaction, &attempt, &())?;
                if attempt.attempt() > 1 {
                    transaction.commit()?;
                }
                Ok(completion)
            })
        })
        .await;

    assert_eq!((detail.job.status, detail.job.retry_count, application.pages()), (Status::Completed, 1, 1));
    let message = detail.attempts[0].error_message.clone().unwrap();
    assert!(message.contains("did not commit"), "{message}");
    application.assert_counts_are_true();
}

#[tokio::test]
async fn a_chain_of_jobs_is_made_in_the_transaction_that_completes_the_one_before() {
    let application = Application::open().await;
    let detail = application
        .run(|path, attempt| {
            write_page(path, |transaction| {
                let written: u32 = transaction.query_row("SELECT count(*) FROM pages", [], |row| row.get(0))?;
                if written < 3 {
                    Queue::enqueue_in(&transaction, &Page { number: written })?;
                }
                let completion = Queue::complete_in(&transaction, &attempt, &written)?;
                transaction.commit()?;
                Ok(completion)
            })
        })
        .await;

    assert_eq!((detail.job.status, application.pages()), (Status::Completed, 3));
    assert_eq!(application.number("SELECT count(*) FROM job_queue WHERE status = 'completed'"), 3);
    application.assert_counts_are_true();
}

#[tokio::test]
async fn a_result_that_is_too_large_and_a_second_completion_are_refused_in_words() {
    let application = Application::open().await;
    let (tell, told) = mpsc::channel();
    application
        .run(move |path, attempt| {
            write_page(path, |transaction| {
                let large = Queue::complete_in(&transaction, &attempt, &"x".repeat(2_000_000)).unwrap_err();
                let completion = Queue::complete_in(&transaction, &attempt, &())?;
                let second = Queue::complete_in(&transaction, &attempt, &()).unwrap_err();
                transaction.commit()?;
                tell.send((large, second))?;
                Ok(completion)
            })
        })
        .await;

    let (large, second) = told.recv().unwrap();
    assert!(large.to_string().starts_with("the result has 2000002 bytes"), "{large}");
    assert!(matches!(second, CompleteError::AlreadyCompleted { .. }), "{second}");
    assert_eq!(application.pages(), 1);
    application.assert_counts_are_true();
}

/// The handler continues after the commit until it is asked to stop.
async fn goes_on_after_the_commit(job: NewJob, cancel: bool) -> (Application, JobDetail, Option<StopCause>) {
    let application = Application::open().await;
    let id = application.queue.enqueue_job(job).await.unwrap().id;
    let path = application.queue.path();
    let (committed, is_committed) = tokio::sync::oneshot::channel();
    let committed = std::sync::Mutex::new(Some(committed));
    let (tell, told) = mpsc::channel();
    let worker = Worker::new(&application.queue).lease(Duration::from_secs(1)).handle(move |_: Page, attempt| {
        complete(&path, &attempt);
        let committed = committed.lock().unwrap().take();
        let tell = tell.clone();
        async move {
            attempt.log("still here\n");
            attempt.progress(0.9, None);
            committed.unwrap().send(()).unwrap();
            // Several heartbeats and log reports, during which nobody may claim that the lease was lost.
            let stopped = tokio::time::timeout(Duration::from_secs(2), attempt.stopped()).await.ok();
            attempt.log("gone\n");
            tell.send(stopped).unwrap();
            Err::<(), _>(io::Error::from(io::ErrorKind::Interrupted).into())
        }
    });
    let acting = async {
        is_committed.await.unwrap();
        if cancel {
            application.queue.cancel(id).await.unwrap();
        }
    };
    let (ended, ()) = tokio::join!(worker.run_until_drained(), acting);
    ended.unwrap();
    let detail = application.detail(id).await;
    (application, detail, told.recv().unwrap())
}

#[tokio::test]
async fn a_handler_that_goes_on_after_the_commit_is_not_told_that_it_lost_its_lease_and_may_still_log() {
    let (application, detail, stopped) = goes_on_after_the_commit(Page { number: 7 }.to_job().unwrap(), false).await;
    assert_eq!((detail.job.status, stopped), (Status::Completed, None));
    assert!(
        application.log(detail.job.id).await.starts_with("still here\ngone\nlongshore: after the job was completed")
    );
    application.assert_counts_are_true();
}

#[tokio::test]
async fn a_time_limit_that_is_reached_after_the_commit_changes_nothing() {
    let job = Page { number: 7 }.to_job().unwrap().timeout(Duration::from_millis(300));
    let (application, detail, stopped) = goes_on_after_the_commit(job, false).await;
    assert_eq!((detail.job.status, stopped), (Status::Completed, Some(StopCause::TimedOut)));
    assert_eq!(detail.attempts[0].outcome, AttemptOutcome::Completed);
    application.assert_counts_are_true();
}

#[tokio::test]
async fn a_cancellation_after_the_commit_changes_nothing() {
    let (application, detail, _) = goes_on_after_the_commit(Page { number: 7 }.to_job().unwrap(), true).await;
    assert_eq!(detail.job.status, Status::Completed);
    application.assert_counts_are_true();
}

#[tokio::test]
async fn a_commit_after_the_attempt_was_given_up_wins_and_its_log_is_kept() {
    let application = Application::open().await;
    let job = Page { number: 7 }.to_job().unwrap().timeout(Duration::from_millis(100));
    let id = application.queue.enqueue_job(job).await.unwrap().id;
    let path = application.queue.path();
    let worker = Worker::new(&application.queue).grace(Duration::from_millis(100)).handle_blocking(
        move |_: Page, attempt: CurrentAttempt| {
            attempt.log("committed late\n");
            write_page(&path, |transaction| {
                let _completion = Queue::complete_in(&transaction, &attempt, &())?;
                // In the meantime the worker decides that the attempt has overrun, and waits for the write lock to
                // record it.
                std::thread::sleep(Duration::from_millis(1500));
                transaction.commit()?;
                Ok(())
            })
        },
    );
    worker.run_until_drained().await.unwrap();

    let job = application.detail(id).await.job;
    assert_eq!((job.status, job.claim_number.0, application.pages()), (Status::Completed, 1, 1));
    assert_eq!(application.log(id).await, "committed late\n");
    application.assert_counts_are_true();
}

#[tokio::test]
async fn an_attempt_that_has_ended_completes_nothing() {
    let application = Application::open().await;
    let (keep, kept) = mpsc::channel();
    let detail = application
        .run(move |_, attempt| {
            keep.send(attempt)?;
            Err::<(), _>(io::Error::from(io::ErrorKind::PermissionDenied).into())
        })
        .await;
    let attempt = kept.recv().unwrap();

    let refused = write_page(&application.queue.path(), |transaction| {
        Queue::complete_in(&transaction, &attempt, &()).unwrap_err()
    });

    assert!(matches!(refused, CompleteError::NotRunning { id } if id == detail.job.id), "{refused}");
    assert_eq!(application.detail(detail.job.id).await.job.status, Status::DeadLetter);
}

#[tokio::test]
async fn a_handler_whose_job_was_given_to_another_worker_keeps_none_of_its_work() {
    let application = Application::open().await;
    let detail = application
        .run(|path, attempt| {
            if attempt.lease().claim_number.0 == 1 {
                // What the reclaim of another worker would do to a frozen worker.
                let sql = "UPDATE job_queue SET status = 'pending', worker_id = NULL WHERE status = 'running'";
                connect(path).execute(sql, [])?;
            }
            write_page(path, |transaction| {
                let completion = Queue::complete_in(&transaction, &attempt, &())?;
                transaction.commit()?;
                Ok(completion)
            })
        })
        .await;

    assert_eq!((detail.job.status, detail.job.claim_number.0, application.pages()), (Status::Completed, 2, 1));
    application.assert_counts_are_true();
}

#[tokio::test]
async fn a_handler_that_has_completed_its_job_stores_no_checkpoint_and_one_that_took_that_back_does() {
    let application = Application::open().await;
    let detail = application
        .run(|path, attempt| {
            let is_refused = |refused: Result<(), CheckpointError>| matches!(refused, Err(CheckpointError::Completed));
            write_page(path, |transaction| {
                let _completion = Queue::complete_in(&transaction, &attempt, &"done").unwrap();
                transaction.rollback().unwrap();
            });
            attempt.checkpoint_blocking(&7)?;
            complete(path, &attempt);
            assert!(is_refused(attempt.checkpoint_blocking(&8)));
            assert_eq!(attempt.stop_requested(), None, "the job was not lost");
            Ok(())
        })
        .await;

    assert_eq!(detail.job.status, Status::Completed);
    assert_eq!(detail.checkpoints.checkpoint.unwrap().as_str(), "7");
}
