use std::os::fd::AsFd;

use tokio::io::{AsyncRead, AsyncReadExt};

const READ_BYTES: usize = 16 * 1024;

/// One of the two outputs of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Stdout,
    Stderr,
}

/// One output, read in pieces until it ends.
pub(crate) struct OutputStream<R> {
    reader: Option<R>,
    buffer: Box<[u8]>,
}

impl<R: AsyncRead + Unpin> OutputStream<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader: Some(reader), buffer: vec![0; READ_BYTES].into_boxed_slice() }
    }

    pub(crate) const fn is_open(&self) -> bool {
        self.reader.is_some()
    }

    /// The bytes written since the last call; empty at the end. Cancellation safe.
    pub(crate) async fn next(&mut self) -> &[u8] {
        let count = match &mut self.reader {
            Some(reader) => reader.read(&mut self.buffer).await.unwrap_or(0),
            None => 0,
        };
        if count == 0 {
            self.reader = None;
        }
        &self.buffer[..count]
    }
}

impl<R: AsFd> OutputStream<R> {
    /// The bytes that are there now. `None` if there are none, also at the end, which [`OutputStream::next`] tells.
    ///
    /// It asks the operating system: the runtime may not have heard of them yet.
    pub(crate) fn read_now(&self, buffer: &mut [u8]) -> Option<usize> {
        rustix::io::read(self.reader.as_ref()?, buffer).ok().filter(|count| *count > 0)
    }
}
