use std::io;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// The first and the second request to stop: SIGTERM, SIGINT (Ctrl-C) or SIGHUP (the terminal was closed).
///
/// For [`Worker::run_until`](crate::Worker::run_until) and similar methods. Every signal from now on counts. A SIGHUP
/// that is ignored when the program starts, as under `nohup`, stays ignored on Linux, where this can be detected. Call
/// it inside a Tokio runtime whose I/O is enabled; otherwise it returns an error.
pub fn stop_signals() -> io::Result<(impl Future<Output = ()> + Send, impl Future<Output = ()> + Send)> {
    if Handle::try_current().is_err() {
        return Err(io::Error::other("they need a Tokio runtime: call it inside one"));
    }
    // A runtime does not say whether its I/O is enabled. Without it, the call to listen panics.
    let listening = std::panic::catch_unwind(StopSignals::listen);
    let signals =
        listening.map_err(|_| io::Error::other("the Tokio runtime has no I/O: build it with enable_all"))??;
    let (counter, counted) = watch::channel(0);
    // Ends with the two futures. A task of its own, because only one of them may be polled.
    tokio::spawn(count(signals, counter));
    Ok((reached(counted.clone(), 1), reached(counted, 2)))
}

/// Counts the requests for as long as anybody waits for one.
async fn count(mut signals: StopSignals, counter: watch::Sender<u32>) {
    loop {
        tokio::select! {
            () = counter.closed() => return,
            () = signals.next() => counter.send_modify(|count| *count += 1),
        }
    }
}

async fn reached(mut counted: watch::Receiver<u32>, count: u32) {
    if counted.wait_for(|counted| *counted >= count).await.is_err() {
        // The runtime ends, which is no request.
        std::future::pending::<()>().await;
    }
}

/// A terminal that is closed may send SIGHUP twice, once through the shell and once itself. Within this time they count
/// as one.
const HANGUP_ECHO: Duration = Duration::from_millis(250);

struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Option<Signal>,
    hung_up_at: Option<Instant>,
}

impl StopSignals {
    fn listen() -> io::Result<Self> {
        let hangup = if is_hangup_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup,
            hung_up_at: None,
        })
    }

    /// Resolves at the next signal. Cancellation safe.
    async fn next(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                () = received(&mut self.hangup) => {}
            }
            if self.hung_up_at.is_none_or(|at| at.elapsed() > HANGUP_ECHO) {
                self.hung_up_at = Some(Instant::now());
                return;
            }
        }
    }
}

async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Whether SIGHUP is ignored now. It is no longer ignored once somebody listens for it.
fn is_hangup_ignored() -> bool {
    const HANGUP_BIT: u64 = 1;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & HANGUP_BIT != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_without_a_runtime_or_without_its_io_are_an_error() {
        let error = stop_signals().err().unwrap();
        assert!(error.to_string().contains("a Tokio runtime"), "{error}");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let error = runtime.block_on(async { stop_signals().err() }).unwrap();
        assert!(error.to_string().contains("enable_all"), "{error}");
    }
}
