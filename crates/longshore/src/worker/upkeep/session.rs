use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::runtime::quiet;
use crate::worker::trouble::Patience;
use crate::worker::worker_run::WorkerRun;

/// A session that lasted this long is no part of the trouble before it.
const LASTING: Duration = Duration::from_secs(30);

/// Registers the worker again whenever its session is lost, under its own identity, which keeps what it holds. Until
/// that succeeds its lease alone shows that it lives, so what runs goes on. Each trouble is told once, however often
/// the session is lost or the store refuses a new one.
pub(crate) async fn run(worker_run: Arc<WorkerRun>) {
    let mut series = LossSeries::default();
    let mut began_at = Instant::now();
    loop {
        let (session, lost) = worker_run.sessions.lost().await;
        if began_at.elapsed() >= LASTING {
            series = LossSeries::default();
        }
        if series.is_new() {
            quiet::warning!(reason = %lost, "the session that shows that this worker lives is lost; registering again");
        } else {
            // The last one was lost at once.
            series.rest().await;
        }
        register(&worker_run, session, &mut series).await;
        began_at = Instant::now();
    }
}

/// Tries until the store answers. It is not given up when the worker stops: what runs then wants to be known to live.
async fn register(worker_run: &WorkerRun, session: u64, series: &mut LossSeries) {
    while let Err(error) = worker_run.register_after_loss(session).await {
        if !std::mem::replace(&mut series.is_refusal_told, true) {
            quiet::warning!(
                error = %error,
                code = error.code(),
                hint = error.hint(),
                "cannot register again; until then only its lease shows that this worker lives"
            );
        }
        series.rest().await;
    }
    if std::mem::take(&mut series.is_refusal_told) {
        quiet::warning!("registered again");
    }
}

/// A time of losses that follow each other closely.
#[derive(Debug, Default)]
struct LossSeries {
    patience: Patience,
    is_loss_told: bool,
    is_refusal_told: bool,
}

impl LossSeries {
    fn is_new(&mut self) -> bool {
        !std::mem::replace(&mut self.is_loss_told, true)
    }

    async fn rest(&mut self) {
        sleep(self.patience.next(fastrand::f64())).await;
    }
}
