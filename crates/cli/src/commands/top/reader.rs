use std::collections::BTreeSet;

use longshore_core::{
    Action, Actioned, Clock, Deed, Filter, Job, JobId, JobPageRequest, LogRequest, QueueChange, Refusal, Selection,
    Status, SystemClock,
};

use super::state::{Change, Notice, Request, Snapshot, States};
use super::update::TopEvent;
use crate::arguments::Durability;
use crate::commands::status::{MINUTES, Report};
use crate::database::Database;
use crate::doctor::{Finding, examine};
use crate::error_report::ErrorReport;
use crate::settings::databases::Databases;

/// The most jobs that are listed.
const JOBS_MAX: u32 = 200;
/// The most pieces of a log that are read at once.
const LOG_PAGES_MAX: usize = 16;
/// The facts for `doctor` are read with each so many overviews, because they cost more than the rest.
const OVERVIEWS_A_HEALTH: u64 = 5;

/// Reads and changes the database. An error closes it, and the next request opens it again.
#[derive(Debug)]
pub(super) struct Reader {
    databases: Databases,
    durability: Durability,
    database: Option<Database>,
    /// The types of the configuration.
    configured: BTreeSet<String>,
    findings: Vec<Finding>,
    overviews: u64,
}

impl Reader {
    /// A reader of an open database.
    pub(super) fn new(
        databases: Databases,
        durability: Durability,
        database: Database,
        configured: BTreeSet<String>,
    ) -> Self {
        Self { databases, durability, database: Some(database), configured, findings: Vec::new(), overviews: 0 }
    }

    /// Does what is asked. Never fails: an error is an event too.
    pub(super) async fn answer(&mut self, request: Request) -> TopEvent {
        let is_change = matches!(request, Request::Change(_));
        let answered = match self.open().await {
            Ok(database) => self.carry_out(database, request).await,
            Err(error) => Err(error),
        };
        answered.unwrap_or_else(|error| {
            let words = ErrorReport::of(&error).message;
            if is_change {
                return TopEvent::Changed(Notice { words: format!("not done: {words}"), is_error: true });
            }
            TopEvent::Unreadable(words)
        })
    }

    /// The open database.
    async fn open(&mut self) -> anyhow::Result<Database> {
        if let Some(database) = &self.database {
            return Ok(database.clone());
        }
        let (databases, durability) = (self.databases.clone(), self.durability);
        // Opening may wait for a lock; the screen does not.
        let database = tokio::task::spawn_blocking(move || Database::open_existing(&databases, durability)).await??;
        self.database = Some(database.clone());
        Ok(database)
    }

    async fn carry_out(&mut self, database: Database, request: Request) -> anyhow::Result<TopEvent> {
        let answered = match request {
            Request::Overview { states } => self.overview(&database, states).await,
            Request::Job { id, after } => job(&database, id, after).await,
            Request::Change(change) => make(&database, change).await,
        };
        if answered.is_err() {
            let closed = self.database.take();
            // Closing may wait for the store's threads.
            tokio::task::spawn_blocking(move || drop((closed, database)));
        }
        answered
    }

    async fn overview(&mut self, database: &Database, states: States) -> anyhow::Result<TopEvent> {
        let stats = database.stats(MINUTES).await?;
        let workers = database.workers().await?;
        if self.overviews.is_multiple_of(OVERVIEWS_A_HEALTH) {
            self.findings = examine(database, &self.configured).await?.0;
        }
        self.overviews += 1;
        let jobs = jobs(database, states).await?;
        let now = SystemClock::new().now();
        let report = Report::new(self.databases.to_string(), stats, &workers, self.findings.clone(), now);
        Ok(TopEvent::Snapshot(Box::new(Snapshot { report, jobs, now })))
    }
}

/// The newest jobs; of all states, running ones first.
async fn jobs(database: &Database, states: States) -> anyhow::Result<Vec<Job>> {
    let page =
        |filter: Filter| JobPageRequest { selection: filter.into(), after: None, limit: JOBS_MAX, looked_max: None };
    match states {
        States::One(status) => Ok(database.jobs(page(Filter::all().statuses([status]))).await?.jobs),
        States::All => {
            let mut jobs = database.jobs(page(Filter::all().statuses([Status::Running]))).await?.jobs;
            let others = Status::ALL.into_iter().filter(|status| *status != Status::Running);
            jobs.extend(database.jobs(page(Filter::all().statuses(others))).await?.jobs);
            Ok(jobs)
        }
    }
}

type LogPlace = Option<(longshore_core::ClaimNumber, u32)>;

async fn job(database: &Database, id: JobId, after: LogPlace) -> anyhow::Result<TopEvent> {
    let detail = database.job(id).await?.map(Box::new);
    let mut log = Vec::new();
    let mut request = LogRequest { id, attempt: None, after };
    for _ in 0..LOG_PAGES_MAX {
        let entries = database.log(request).await?.entries;
        let Some(last) = entries.last() else { break };
        request.after = Some((last.claim_number, last.chunk_number));
        log.extend(entries);
    }
    Ok(TopEvent::Job { id, detail, log, now: SystemClock::new().now() })
}

async fn make(database: &Database, change: Change) -> anyhow::Result<TopEvent> {
    let done = |words: String| Notice { words, is_error: false };
    let notice = match change {
        Change::Queue { queue, change } => {
            let deed = Deed::on_queue(change, &queue);
            database.audited(deed, database.change_queue(queue.clone(), change)).await?;
            done(match change {
                QueueChange::Pause => format!("queue {queue} is paused; running jobs continue"),
                QueueChange::Resume => format!("queue {queue} is resumed"),
            })
        }
        Change::Job { id, action } => {
            let selection = Selection::job(id);
            let deed = Deed::on_jobs(action, &selection);
            let Actioned { touched, refused } = database.audited(deed, database.act(selection, action)).await?;
            match (refused.first(), action) {
                (Some(refusal), _) => refusal_notice(refusal, action),
                (None, Action::Cancel) => done(format!("job {id} is cancelled, or was asked to stop")),
                (None, _) if touched > 1 => done(format!("job {id} and {} of its children are retried", touched - 1)),
                (None, _) => done(format!("job {id} is retried")),
            }
        }
    };
    Ok(TopEvent::Changed(notice))
}

fn refusal_notice(refusal: &Refusal, action: Action) -> Notice {
    let verb = if action == Action::Cancel { "cancel" } else { "retry" };
    Notice { words: format!("cannot {verb}: {refusal}"), is_error: true }
}
