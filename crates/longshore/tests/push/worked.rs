//! Push jobs of a worker on a database.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use longshore::push::PushHandler;
use longshore::testing::ScratchQueue;
use longshore::{Status, Worker};

use crate::server::{PATIENCE, Server, job};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, future).await.unwrap() })
}

#[test]
fn a_target_that_asks_to_slow_down_spends_a_deferral_and_no_attempt() {
    let asked = AtomicU32::new(0);
    let server = Server::start(move |_, mut stream| {
        let answer: &[u8] = match asked.fetch_add(1, Ordering::Relaxed) {
            0 => b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n",
            1 => b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n",
            _ => b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1\r\n\r\n7",
        };
        stream.write_all(answer).unwrap();
    });
    let job = block_on(async {
        let queue = ScratchQueue::open().await.unwrap();
        let id = queue.enqueue_job(job().max_retries(0)).await.unwrap().id;
        let handler = Arc::new(PushHandler::new(server.spec()).unwrap());
        Worker::new(&queue).handler("receipt", handler).run_until_drained().await.unwrap();
        queue.job(id).await.unwrap().unwrap().job
    });
    assert_eq!((job.status, job.retry_count, job.deferral_count), (Status::Completed, 0, 2));
    assert_eq!(job.result.unwrap().as_str(), "7");
    let attempts: Vec<_> = (0..3).map(|_| server.request().header("longshore-attempt").unwrap().to_owned()).collect();
    assert_eq!(attempts, ["1", "1", "1"]);
}

#[test]
fn a_target_that_does_not_answer_is_a_timeout() {
    let server = Server::start(|_, mut stream| {
        let _ = std::io::Read::read(&mut stream, &mut [0; 1]);
    });
    let job = block_on(async {
        let queue = ScratchQueue::open().await.unwrap();
        let job = job().max_retries(0).timeout(Duration::from_millis(300));
        let id = queue.enqueue_job(job).await.unwrap().id;
        let handler = Arc::new(PushHandler::new(server.spec()).unwrap());
        Worker::new(&queue).handler("receipt", handler).run_until_drained().await.unwrap();
        queue.job(id).await.unwrap().unwrap().job
    });
    assert_eq!((job.status, job.failure_type.as_deref()), (Status::DeadLetter, Some("timeout_error")));
}
