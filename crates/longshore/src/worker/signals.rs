use std::io;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The first and the second request to stop: SIGTERM, SIGINT (Ctrl-C) or SIGHUP (the terminal was closed).
///
/// For [`Worker::run_until`](crate::Worker::run_until) and similar methods. Every signal from now on counts. A SIGHUP
/// that is ignored when the program starts, as under `nohup`, stays ignored on Linux, where this can be detected. Call
/// it inside a Tokio runtime.
pub fn stop_signals() -> io::Result<(impl Future<Output = ()> + Send, impl Future<Output = ()> + Send)> {
    let (mut once, mut twice) = (StopSignals::listen()?, StopSignals::listen()?);
    let first = async move { once.next().await };
    let second = async move {
        twice.next().await;
        twice.next().await;
    };
    Ok((first, second))
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
