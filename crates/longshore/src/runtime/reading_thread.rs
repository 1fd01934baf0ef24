use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::{thread, vec};

use longshore_core::{EnqueueStream, NewJob, Stream, stream_of};
use tokio::sync::mpsc;

type Line = Result<NewJob, Box<dyn std::error::Error + Send + Sync>>;

/// How many jobs are passed on at a time, so that a long iterator does not need a wake-up for each job.
const CHUNK_JOBS_MAX: usize = 256;
const CHUNK_BYTES_MAX: usize = 1024 * 1024;
/// How many chunks may wait. Beyond that the iterator waits.
const CHUNKS_MAX: usize = 2;

/// A stream of the items of an iterator. The iterator is called on its own thread, so it may block. The thread ends
/// with the iterator, or at its next chunk after the stream was dropped.
pub(crate) fn read(lines: impl Iterator<Item = Line> + Send + 'static) -> EnqueueStream {
    let (chunks, arriving) = mpsc::channel(CHUNKS_MAX);
    match thread::Builder::new().name("longshore-reader".to_owned()).spawn(move || send_all(lines, &chunks)) {
        Ok(_) => Box::pin(OfThread { arriving, chunk: Vec::new().into_iter(), has_ended: false }),
        Err(error) => stream_of([Err(format!("no thread could be started to read the jobs: {error}").into())]),
    }
}

enum Chunk {
    Lines(Vec<Line>),
    /// The iterator has ended. A thread that ends without this has panicked.
    End,
}

fn send_all(lines: impl Iterator<Item = Line>, chunks: &mpsc::Sender<Chunk>) {
    let (mut chunk, mut bytes) = (Vec::new(), 0);
    for line in lines {
        bytes += line.as_ref().map_or(0, |job| job.job_data.len());
        chunk.push(line);
        if chunk.len() >= CHUNK_JOBS_MAX || bytes >= CHUNK_BYTES_MAX {
            bytes = 0;
            if chunks.blocking_send(Chunk::Lines(std::mem::take(&mut chunk))).is_err() {
                return;
            }
        }
    }
    if chunks.blocking_send(Chunk::Lines(chunk)).is_ok() {
        let _ = chunks.blocking_send(Chunk::End);
    }
}

struct OfThread {
    arriving: mpsc::Receiver<Chunk>,
    chunk: vec::IntoIter<Line>,
    has_ended: bool,
}

impl Stream for OfThread {
    type Item = Line;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Line>> {
        let this = self.get_mut();
        loop {
            if let Some(line) = this.chunk.next() {
                return Poll::Ready(Some(line));
            }
            if this.has_ended {
                return Poll::Ready(None);
            }
            match ready!(this.arriving.poll_recv(context)) {
                Some(Chunk::Lines(lines)) => this.chunk = lines.into_iter(),
                Some(Chunk::End) => this.has_ended = true,
                None => {
                    this.has_ended = true;
                    return Poll::Ready(Some(Err("the iterator of jobs panicked".into())));
                }
            }
        }
    }
}
