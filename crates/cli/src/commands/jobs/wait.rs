use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use longshore_core::{Interest, Job, JobDetail, JobId, Status, Timestamp};

use super::list::about;
use super::show::read_detail;
use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::exit::Exit;
use crate::output::relative_time::span;

/// How long to wait for a change notification before reading anyway.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The minimum time between two reads, so that a busy database is not read for every change.
const REST: Duration = Duration::from_millis(50);

/// Waits until a job has ended. Exits with 0 if it completed, else with 3.
pub(super) async fn run(context: &Context, id: JobId, timeout: Option<Duration>) -> anyhow::Result<Exit> {
    let database = Database::open(context, Prepare::Nothing).await?;
    let mut teller = Teller::new(context);
    let ended = until_ended(&database, id, &mut teller);
    let waited = match timeout {
        // Only a look, so there is nothing to tell meanwhile.
        Some(Duration::ZERO) => None,
        Some(timeout) => tokio::time::timeout(timeout, ended).await.ok(),
        None => Some(ended.await),
    };
    context.hide_live();
    let detail = match waited {
        Some(detail) => detail?,
        None => read_detail(&database, id).await?,
    };
    if !detail.job.status.is_ended() {
        context.output.note(format!("job {id} did not end in time"));
    }
    context.output.result(&detail, |output| output.line(detail.job.status))?;
    Ok(if detail.job.status == Status::Completed { Exit::Done } else { Exit::NotYet })
}

async fn until_ended(database: &Database, id: JobId, teller: &mut Teller<'_>) -> anyhow::Result<JobDetail> {
    let mut wakeups = database.wakeups(Interest::Anything);
    loop {
        let detail = read_detail(database, id).await?;
        if detail.job.status.is_ended() {
            return Ok(detail);
        }
        teller.tell(&detail.job);
        tokio::time::sleep(REST).await;
        // A timeout has the same effect as a notification: read again.
        let _ = tokio::time::timeout(LOOK_EVERY, wakeups.changed()).await;
    }
}

/// Says what is waited for: on a terminal in a live line, else in a note for each status.
struct Teller<'a> {
    context: &'a Context,
    began: Instant,
    live: Option<Arc<Mutex<String>>>,
    told: Option<Status>,
}

impl<'a> Teller<'a> {
    fn new(context: &'a Context) -> Self {
        Self { context, began: Instant::now(), live: None, told: None }
    }

    fn tell(&mut self, job: &Job) {
        let words = format!("job {} is {}", job.id, in_words(job, self.context.now()));
        if let Some(live) = &self.live {
            *live.lock().unwrap_or_else(PoisonError::into_inner) = words;
            return;
        }
        if self.told.replace(job.status) == Some(job.status) {
            return;
        }
        let live = Arc::new(Mutex::new(words.clone()));
        let (shown, began) = (Arc::clone(&live), self.began);
        let text = move || {
            let words = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
            format!("{words}; waiting for {}", span(began.elapsed().max(Duration::from_secs(1))))
        };
        if self.context.show_live(Box::new(text)) {
            self.live = Some(live);
        } else {
            self.context.output.note(format!("waiting: {words}"));
        }
    }
}

/// The status, and why it has not ended.
fn in_words(job: &Job, now: Timestamp) -> String {
    match about(job, now) {
        about if about.is_empty() => job.status.to_string(),
        about => format!("{}, {about}", job.status),
    }
}
