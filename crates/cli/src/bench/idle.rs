//! The cost of idle worker processes.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::own::open;
use super::producer::SERVER_VARIABLE;
use crate::arguments::Durability;

/// How long the processes may take until they are idle.
const START: Duration = Duration::from_secs(1);

/// The cost of idle worker processes.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Idle {
    /// Processor time, in percent of one core.
    pub cpu_percent: f64,
    /// Resident memory in MiB.
    pub rss_mib: f64,
}

/// A worker needs at least one type. No job of this type is ever enqueued.
const IDLE_CONFIG: &str = "[jobs.never]\nrun = [\"true\"]\n";

/// Measures `longshore work` processes on an empty queue for `span`. All of them use one file, and their costs are
/// added. Returns nothing where the system has no `/proc`.
pub(super) async fn watch_idle(
    folder: &Path,
    workers: usize,
    span: Duration,
    durability: Durability,
) -> Result<Option<Idle>> {
    let path = folder.join(format!("idle-{workers}.db"));
    drop(open(&path, durability)?);
    let Some(processes) = Processes::start(folder, path.as_os_str(), workers)? else { return Ok(None) };
    tokio::time::sleep(START).await;
    let before = processes.cpu_ticks()?;
    tokio::time::sleep(span).await;
    let cpu_percent = percent(processes.cpu_ticks()? - before, span);
    Ok(Some(Idle { cpu_percent, rss_mib: processes.resident_mib()? }))
}

/// Processor time as a share of one core.
pub(super) fn percent(ticks: u64, span: Duration) -> f64 {
    ticks as f64 / TICKS_PER_SECOND / span.as_secs_f64() * 100.0
}

/// Worker processes on one database. Dropping them kills them, however the measurement ends.
pub(super) struct Processes(Vec<Child>);

impl Processes {
    /// Starts workers with an empty configuration in `folder`; none where the system has no `/proc`.
    pub(super) fn start(folder: &Path, database: &OsStr, workers: usize) -> Result<Option<Self>> {
        if !Path::new("/proc/self/stat").exists() {
            return Ok(None);
        }
        let config = folder.join("longshore.toml");
        std::fs::write(&config, IDLE_CONFIG)?;
        let mut processes = Self(Vec::new());
        for _ in 0..workers {
            let worker = Command::new(std::env::current_exe()?)
                .args(["work", "--quiet", "--concurrency", "10", "--config"])
                .arg(&config)
                .env(SERVER_VARIABLE, database)
                .current_dir(folder)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .spawn()?;
            processes.0.push(worker);
        }
        Ok(Some(processes))
    }

    pub(super) fn cpu_ticks(&self) -> Result<u64> {
        self.0.iter().map(|process| ProcessTimes::of(process.id()).map(|times| times.own)).sum()
    }

    pub(super) fn resident_mib(&self) -> Result<f64> {
        let kib = self.0.iter().map(|process| resident_kib(process.id())).sum::<Result<f64>>()?;
        Ok(kib / 1024.0)
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for process in &mut self.0 {
            // `kill` fails for a process that has already ended. It must be waited for in any case.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn resident_kib(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let word = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next());
    let Some(word) = word else { bail!("the idle worker ended early") };
    Ok(word.parse()?)
}

/// Linux reports processor time in hundredths of a second (proc(5), sysconf(_SC_CLK_TCK)).
const TICKS_PER_SECOND: f64 = 100.0;

/// What /proc/PID/stat says of a process.
pub(super) struct ProcessTimes {
    pub(super) parent: u32,
    /// User and system time.
    pub(super) own: u64,
    /// The same of its children that have ended.
    pub(super) of_children: u64,
}

impl ProcessTimes {
    /// Fields 4 and 14 to 17 of /proc/PID/stat. The fields are counted after the name in parentheses.
    pub(super) fn of(pid: u32) -> Result<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("a process ended early")?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let field = |index: usize| fields.get(index).and_then(|word| word.parse::<u64>().ok()).unwrap_or(0);
        let parent = u32::try_from(field(1)).unwrap_or(0);
        Ok(Self { parent, own: field(11) + field(12), of_children: field(13) + field(14) })
    }
}
