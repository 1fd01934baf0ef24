use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use longshore_core::{EnqueueStream, NewJob, Stream};
use tokio::sync::mpsc;

/// An item of a stream of jobs. An error ends the stream.
pub type Line = Result<NewJob, Box<dyn Error + Send + Sync>>;

/// A stream of jobs that a test sends one by one, and its sender. The stream ends when the sender is dropped.
pub fn feed() -> (mpsc::UnboundedSender<Line>, EnqueueStream) {
    let (sender, lines) = mpsc::unbounded_channel();
    (sender, Box::pin(Fed(lines)))
}

struct Fed(mpsc::UnboundedReceiver<Line>);

impl Stream for Fed {
    type Item = Line;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Line>> {
        self.get_mut().0.poll_recv(context)
    }
}
