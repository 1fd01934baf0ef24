use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use tokio_postgres::{Error, Row};

/// One statement on its way.
pub(super) type Boxed<'a> = Pin<Box<dyn Future<Output = Result<Vec<Row>, Error>> + Send + 'a>>;

/// Sends statements one after the other without waiting in between, and waits for all of their answers.
pub(super) async fn in_order(mut sent: Vec<Boxed<'_>>) -> Vec<Result<Vec<Row>, Error>> {
    let mut answers: Vec<_> = sent.iter().map(|_| None).collect();
    poll_fn(|context| {
        let mut is_ready = true;
        for (future, answer) in sent.iter_mut().zip(&mut answers) {
            if answer.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(given) => *answer = Some(given),
                    Poll::Pending => is_ready = false,
                }
            }
        }
        if is_ready { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    answers.into_iter().flatten().collect()
}
