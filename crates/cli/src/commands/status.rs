use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use longshore_core::{MinuteStats, Stats, Status, Timestamp, WorkerRecord};
use longshore_report::QueueSummary;
use serde::Serialize;

use super::queues;
use crate::context::Context;
use crate::database::{Database, Prepare, Unreachable};
use crate::doctor::{Finding, examine};
use crate::exit::Exit;
use crate::output::Output;
use crate::output::relative_time::{relative, span};
use crate::output::sparkline::sparkline;
use crate::output::table::{Screen, count_jobs, one_line};
use crate::output::wrap::wrapped;

/// The summary in JSON.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    database: String,
    now: Timestamp,
    /// The number of jobs in each status.
    jobs: BTreeMap<Status, u64>,
    pub(super) queues: Vec<QueueSummary>,
    last_hour: Hour,
    workers: Workers,
    next_due_at: Option<Timestamp>,
    pub(super) findings: Vec<Finding>,
    /// Of several databases, those that are missing in all of this.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unreachable: Vec<Unreachable>,
}

/// What ended in the last sixty minutes, including the current one.
#[derive(Debug, Serialize)]
struct Hour {
    #[serde(flatten)]
    total: Ended,
    /// How long the ended attempts had waited, on average, in milliseconds.
    waited_ms: Option<u64>,
    /// How long they ran, on average, in milliseconds.
    ran_ms: Option<u64>,
    /// Each minute, oldest first.
    minutes: Vec<Ended>,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Ended {
    completed: u64,
    retried: u64,
    dead_letters: u64,
    cancelled: u64,
}

#[derive(Debug, Serialize)]
struct Workers {
    alive: usize,
    dead: usize,
    /// How many jobs the living workers run at once, in total.
    slots: u64,
    running: usize,
}

/// How many minutes of the past are shown.
pub(super) const MINUTES: u32 = 60;
const TWO_LINES_BELOW: usize = 70;
/// The assumed width if there is no terminal.
const COLUMNS_OF_PAPER: usize = 80;

/// Runs `longshore status`.
pub(crate) fn run(context: &Context) -> anyhow::Result<Exit> {
    let (report, database) = context.block_on(report(context))?;
    context.output.result(&report, |output| tell(output, &report))?;
    Ok(database.exit_when_shown(context))
}

async fn report(context: &Context) -> anyhow::Result<(Report, Database)> {
    let config = context.config()?;
    let configured = config.worked_types().cloned().collect();
    let name = context.databases()?.to_string();
    let database = Database::open(context, Prepare::Nothing).await?;
    let (stats, workers) = (database.stats(MINUTES).await?, database.workers().await?);
    let (mut findings, now) = examine(&database, &configured).await?;
    for finding in &mut findings {
        finding.hint = context.output.hint(&finding.hint);
    }
    let mut report = Report::new(name, stats, &workers, findings, now);
    report.unreachable = database.unreachable();
    Ok((report, database))
}

impl Report {
    /// The summary of what was read at `now`.
    pub(super) fn new(
        database: String,
        stats: Stats,
        workers: &[WorkerRecord],
        findings: Vec<Finding>,
        now: Timestamp,
    ) -> Self {
        let Stats { queues, minutes, next_due_at } = stats;
        let mut jobs: BTreeMap<Status, u64> = Status::ALL.map(|status| (status, 0)).into();
        for (status, count) in queues.iter().flat_map(|queue| &queue.jobs) {
            *jobs.entry(*status).or_default() += count;
        }
        Self {
            database,
            now,
            jobs,
            queues: queues.into_iter().map(|stats| QueueSummary::new(stats, now)).collect(),
            last_hour: Hour::new(&minutes, now),
            workers: Workers::new(workers),
            next_due_at,
            findings,
            unreachable: Vec::new(),
        }
    }

    /// The database and its jobs by status, in one line.
    pub(super) fn head(&self) -> String {
        format!("{}: {}", self.database, in_words(&self.jobs))
    }

    /// The last hour, the workers and the next scheduled job, in lines that fit.
    pub(super) fn activity(&self, width: usize) -> String {
        let mut text = hour(&self.last_hour, width);
        text += &workers(&self.workers, width);
        if let Some(next) = self.next_due_at {
            text += &format!("next        a job is due {}\n", relative(next, self.now));
        }
        text
    }
}

impl Hour {
    fn new(stats: &[MinuteStats], now: Timestamp) -> Self {
        let first = now.minute() - i64::from(MINUTES) + 1;
        let mut minutes = vec![Ended::default(); MINUTES as usize];
        for stats in stats {
            let place = usize::try_from(stats.minute.minute() - first).ok();
            if let Some(minute) = place.and_then(|place| minutes.get_mut(place)) {
                minute.add(stats);
            }
        }
        let mut total = Ended::default();
        stats.iter().for_each(|stats| total.add(stats));
        let attempts = stats.iter().map(|stats| stats.completed + stats.failed + stats.retried).sum::<u64>();
        let average = |of: fn(&MinuteStats) -> u64| stats.iter().map(of).sum::<u64>().checked_div(attempts);
        Self { total, waited_ms: average(|stats| stats.waited_ms), ran_ms: average(|stats| stats.ran_ms), minutes }
    }
}

impl Ended {
    fn add(&mut self, stats: &MinuteStats) {
        self.completed += stats.completed;
        self.retried += stats.retried;
        self.dead_letters += stats.failed;
        self.cancelled += stats.cancelled;
    }
}

impl Workers {
    fn new(workers: &[WorkerRecord]) -> Self {
        let alive = || workers.iter().filter(|worker| worker.is_alive);
        Self {
            alive: alive().count(),
            dead: workers.len() - alive().count(),
            slots: alive().map(|worker| u64::from(worker.concurrency)).sum(),
            running: alive().map(|worker| worker.running.len()).sum(),
        }
    }
}

fn tell(output: &Output, report: &Report) -> io::Result<()> {
    output.text(words(report, output.screen()).as_bytes())
}

/// The summary on this screen. Without one, the table is separated by tabs and nothing is cut or wrapped.
fn words(report: &Report, screen: Option<Screen>) -> String {
    let fitting = |line: &str| match screen {
        Some(screen) => wrapped(line, screen.width).join("\n") + "\n",
        None => format!("{line}\n"),
    };
    let mut text = fitting(&report.head());
    if !report.queues.is_empty() {
        let table = queues::table(&report.queues);
        text += &format!("\n{}", screen.map_or_else(|| table.to_tabs(), |screen| table.to_screen(screen)));
    }
    let width = screen.map_or(COLUMNS_OF_PAPER, |screen| screen.width);
    text += &format!("\n{}\n", report.activity(width));
    if report.findings.is_empty() {
        text += "no problems found\n";
    }
    for finding in &report.findings {
        let line = |text: &str| one_line(text, usize::MAX);
        text += &fitting(&format!("! {}", line(&finding.message)));
        text += &fitting(&format!("  {}", line(&finding.hint)));
    }
    text
}

/// The statuses that have jobs, and always pending and running.
fn in_words(jobs: &BTreeMap<Status, u64>) -> String {
    let is_told = |status: Status, count: u64| count > 0 || matches!(status, Status::Pending | Status::Running);
    let told = jobs.iter().filter(|(status, count)| is_told(**status, **count));
    let told: Vec<String> = told
        .map(|(status, count)| match (status, count) {
            (Status::DeadLetter, 1) => "1 dead letter".to_owned(),
            (Status::DeadLetter, count) => format!("{count} dead letters"),
            (status, count) => format!("{count} {status}"),
        })
        .collect();
    told.join(", ")
}

fn hour(hour: &Hour, width: usize) -> String {
    let Ended { completed, retried, dead_letters, cancelled } = hour.total;
    // Four counts do not fit on a narrow screen.
    let between = if width < TWO_LINES_BELOW { ",\n            " } else { ", " };
    let mut text = format!("last hour   {completed} completed, {retried} retried{between}");
    text += &format!("{dead_letters} given up, {cancelled} cancelled\n");
    let mut line = |name: &str, of: fn(&Ended) -> u64| {
        let values: Vec<u64> = hour.minutes.iter().map(of).collect();
        if values.iter().any(|value| *value > 0) {
            text += &format!("{name:<12}{}\n", sparkline(&values, width.saturating_sub(12)));
        }
    };
    line("  completed", |minute| minute.completed);
    line("  failed", |minute| minute.retried + minute.dead_letters);
    // Fewer would be shown as none.
    if completed * 10 >= u64::from(MINUTES) {
        text += &format!("  rate      {:.1} completed a minute\n", completed as f64 / f64::from(MINUTES));
    }
    if let (Some(waited), Some(ran)) = (hour.waited_ms, hour.ran_ms) {
        let [waited, ran] = [waited, ran].map(|ms| span(Duration::from_millis(ms)));
        text += &format!("  average   waited {waited}, ran {ran}\n");
    }
    text
}

fn workers(workers: &Workers, width: usize) -> String {
    let Workers { alive, dead, slots, running } = workers;
    let dead = if *dead == 0 { String::new() } else { format!(", {dead} dead") };
    let running = count_jobs(*running as u64);
    let between = if width < TWO_LINES_BELOW { ",\n            " } else { "; " };
    let slots = if *slots == 1 { "1 slot".to_owned() } else { format!("{slots} slots") };
    format!("workers     {alive} alive{dead}{between}{running} in {slots}\n")
}

#[cfg(test)]
pub(super) mod tests;
