use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::Client;
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

/// The process that the other end named when the session began. The driver tells it only to whom it sends a request for
/// cancellation, so this one is sent to nobody.
pub(super) async fn named_process(client: &Client) -> Option<i32> {
    let written = Nobody::default();
    client.cancel_token().cancel_query_raw(written.clone(), written.clone()).await.ok()?;
    let bytes = written.0.lock().unwrap_or_else(PoisonError::into_inner);
    // A request is 16 bytes: length, code, process, key. One for TLS may stand before it.
    let request = bytes.get(bytes.len().checked_sub(16)?..)?;
    Some(i32::from_be_bytes(request[8..12].try_into().ok()?))
}

/// Keeps what is written to it. It agrees to TLS and encrypts nothing.
#[derive(Clone, Debug, Default)]
struct Nobody(Arc<Mutex<Vec<u8>>>);

impl AsyncWrite for Nobody {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Nobody {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if buffer.remaining() > 0 {
            buffer.put_slice(b"S");
        }
        Poll::Ready(Ok(()))
    }
}

impl TlsConnect<Self> for Nobody {
    type Stream = Self;
    type Error = io::Error;
    type Future = std::future::Ready<io::Result<Self>>;

    fn connect(self, stream: Self) -> Self::Future {
        std::future::ready(Ok(stream))
    }
}

impl TlsStream for Nobody {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}
