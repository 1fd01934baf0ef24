//! Jobs that an iterator or a stream gives.

#![expect(clippy::unwrap_used, reason = "the lint knows tests, but not the functions that they share")]

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use longshore::{JobData, NewJob, Queue, StoreError, stream_of};
use longshore_testkit::{FakeClock, MemoryStore};

const MINUTE: Duration = Duration::from_secs(60);

fn queue() -> Queue {
    Queue::from_backend(Arc::new(MemoryStore::new(FakeClock::new())))
}

fn job() -> NewJob {
    NewJob::new("mail", JobData::default())
}

async fn count(queue: &Queue) -> u64 {
    queue.backend().count(longshore::backend::Filter::all().into()).await.unwrap()
}

#[tokio::test]
async fn an_iterator_is_enqueued_whole_however_long_it_is() {
    let queue = queue();
    for length in [0, 1, 255, 256, 257, 5000] {
        let before = count(&queue).await;
        assert_eq!(queue.enqueue_iter((0..length).map(|_| Ok(job()))).await.unwrap(), length);
        assert_eq!(count(&queue).await - before, length);
    }
}

#[tokio::test]
async fn an_iterator_of_large_jobs_is_enqueued_whole() {
    let queue = queue();
    let large = JobData::encode(&"x".repeat(700 * 1024)).unwrap();
    let jobs = (0..20).map(move |_| Ok(NewJob::new("mail", large.clone())));
    assert_eq!(queue.enqueue_iter(jobs).await.unwrap(), 20);
}

/// On a runtime of one thread the other task could not run while this thread is blocked.
#[tokio::test]
async fn an_iterator_that_blocks_holds_up_no_other_task() {
    let queue = queue();
    let (lines, read) = channel();
    let others = async {
        for _ in 0..10 {
            queue.enqueue_job(job().queue("other")).await.unwrap();
            lines.send(()).unwrap();
        }
        drop(lines);
    };
    let (made, ()) = tokio::join!(queue.enqueue_iter(read.into_iter().map(|()| Ok(job()))), others);
    assert_eq!(made.unwrap(), 10);
    assert_eq!(count(&queue).await, 20);
}

#[tokio::test]
async fn an_iterator_that_breaks_off_or_panics_enqueues_nothing_and_says_why() {
    let queue = queue();
    let broken = (0..1000).map(|number| if number == 999 { Err("line 1000 is no JSON".into()) } else { Ok(job()) });
    let error = queue.enqueue_iter(broken).await.unwrap_err();
    assert!(matches!(&error, StoreError::Aborted { .. }) && error.to_string() == "line 1000 is no JSON", "{error}");

    let panicking = (0..1000).map(|number| if number == 999 { panic!("a mistake of the test") } else { Ok(job()) });
    let error = queue.enqueue_iter(panicking).await.unwrap_err();
    assert!(matches!(&error, StoreError::Aborted { .. }), "{error}");
    assert_eq!(error.to_string(), "the iterator of jobs panicked");
    assert_eq!(count(&queue).await, 0);
}

#[tokio::test]
async fn an_endless_iterator_is_left_when_its_caller_has_gone() {
    let queue = queue();
    let (alive, gone) = channel::<()>();
    let endless = std::iter::repeat_with(move || {
        let _alive = &alive;
        Ok(job())
    });

    // Its payloads are in memory until the end; the chunks that it may be ahead are few.
    tokio::time::timeout(Duration::from_millis(50), queue.enqueue_iter(endless)).await.unwrap_err();

    let ended = tokio::task::spawn_blocking(move || gone.recv_timeout(MINUTE)).await.unwrap();
    assert_eq!(ended, Err(RecvTimeoutError::Disconnected), "the iterator was dropped");
    assert_eq!(count(&queue).await, 0);
}

#[test]
fn code_that_is_not_async_enqueues_an_iterator_on_its_own_thread() {
    let queue = queue();
    let here = std::thread::current().id();
    let jobs = (0..1000).map(move |_| {
        assert_eq!(std::thread::current().id(), here);
        Ok(job())
    });
    assert_eq!(queue.enqueue_iter_blocking(jobs).unwrap(), 1000);
    let error = queue.enqueue_iter_blocking([Ok(job()), Ok(job().queue(""))]).unwrap_err();
    assert!(matches!(error, StoreError::InvalidJob(_)), "{error}");
}

#[tokio::test]
async fn a_stream_is_enqueued_as_it_is() {
    let queue = queue();
    assert_eq!(queue.enqueue_stream(stream_of((0..1000).map(|_| Ok(job())))).await.unwrap(), 1000);
}
