//! The cost of idle workers on a server, in the workers and in the server.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use longshore_postgres::tokio_postgres::Client;
use serde::Serialize;

use super::super::idle::{ProcessTimes, Processes, percent};

/// A server tells what a session has done within a second, once that session is idle.
const SETTLE: Duration = Duration::from_secs(3);

/// The cost of idle workers.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct ServerIdle {
    /// Processor time of workers and server together, in percent of one core. None if the server is on another machine.
    pub(super) cpu_percent: Option<f64>,
    /// That of the workers alone.
    pub(super) worker_cpu_percent: Option<f64>,
    /// Resident memory of the workers.
    pub(super) rss_mib: Option<f64>,
    /// Transactions a second in the database; a statement by itself is one.
    pub(super) transactions_per_second: f64,
}

/// Measures `longshore work` processes on the empty queue that the URL names. `client` is a session of the same server.
pub(super) async fn watch_idle(url: &str, workers: usize, span: Duration, client: &Client) -> Result<ServerIdle> {
    let folder = tempfile::Builder::new().prefix("longshore-bench-").tempdir()?;
    let Some(processes) = Processes::start(folder.path(), OsStr::new(url), workers)? else {
        return Ok(ServerIdle::default());
    };
    tokio::time::sleep(SETTLE).await;
    let server = postmaster(client).await?;
    let (of_workers, of_server, transactions) = (processes.cpu_ticks()?, ticks(server)?, counted(client).await?);
    tokio::time::sleep(span).await;
    let transactions = counted(client).await? - transactions;
    let of_workers = percent(processes.cpu_ticks()? - of_workers, span);
    let of_server = ticks(server)?.zip(of_server).map(|(after, before)| percent(after - before, span));
    Ok(ServerIdle {
        cpu_percent: of_server.map(|of_server| of_server + of_workers),
        worker_cpu_percent: Some(of_workers),
        rss_mib: Some((processes.resident_mib()? * 10.0).round() / 10.0),
        // Without the one that counted before.
        transactions_per_second: (((transactions - 1) as f64 / span.as_secs_f64()) * 100.0).round() / 100.0,
    })
}

/// The parent of all processes of the server, if they run on this machine.
async fn postmaster(client: &Client) -> Result<Option<u32>> {
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await?.try_get(0)?;
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    if name.trim_end() != "postgres" {
        return Ok(None);
    }
    Ok(Some(ProcessTimes::of(u32::try_from(pid)?)?.parent))
}

/// The processor time of a server, with that of its processes that have ended.
fn ticks(postmaster: Option<u32>) -> Result<Option<u64>> {
    let Some(postmaster) = postmaster else { return Ok(None) };
    let times = ProcessTimes::of(postmaster)?;
    let mut ticks = times.own + times.of_children;
    for entry in Path::new("/proc").read_dir()? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // Others end at any time.
        if let Ok(times) = ProcessTimes::of(pid)
            && times.parent == postmaster
        {
            ticks += times.own;
        }
    }
    Ok(Some(ticks))
}

async fn counted(client: &Client) -> Result<i64> {
    let sql = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()";
    Ok(client.query_one(sql, &[]).await?.try_get(0)?)
}
