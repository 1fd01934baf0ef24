use std::sync::Arc;

use longshore::Schedule;
use longshore::backend::ResumedSchedule;
use longshore::schedule::ScheduleError;
use longshore_core::{AppliedSchedules, ApplySchedules, Deed, JobId, ScheduleSource, StoreError};
use longshore_schedule::TickPlanner;
use serde::Serialize;

use super::{existing, explained, no_such, warn_of_types};
use crate::arguments::AddArguments;
use crate::commands::enqueue::payload;
use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::error_report::command_error::CommandError;
use crate::exit::Exit;
use crate::settings::schedules::ScheduleSettings;

/// What was applied, in JSON.
#[derive(Serialize)]
struct Applied {
    added: Vec<String>,
    changed: Vec<String>,
    removed: Vec<String>,
    unchanged: Vec<String>,
    dry_run: bool,
}

impl Applied {
    fn new(applied: AppliedSchedules, dry_run: bool) -> Self {
        let AppliedSchedules { added, changed, removed, unchanged } = applied;
        Self { added, changed, removed, unchanged, dry_run }
    }

    fn words(&self) -> String {
        let would = if self.dry_run { "would be " } else { "" };
        let parts = [("added", &self.added), ("changed", &self.changed), ("removed", &self.removed)];
        let parts = parts.iter().filter(|(_, names)| !names.is_empty());
        let parts: Vec<String> = parts.map(|(what, names)| format!("{would}{what}: {}", names.join(", "))).collect();
        if parts.is_empty() { "nothing to change".to_owned() } else { parts.join("; ") }
    }
}

/// Adds or replaces a schedule.
pub(super) async fn add(context: &Context, arguments: AddArguments) -> anyhow::Result<Exit> {
    let deed = Deed::on_schedule("add_schedule", &arguments.name);
    let (name, job_type) = (arguments.name.clone(), arguments.job_type.clone());
    let schedule = schedule_of(context, arguments)?;
    schedule.definition()?;
    let database = Database::open(context, Prepare::New).await?;
    let schedules = database.queue().schedules();
    let applied = database.audited(deed, schedules.add(&schedule)).await?;
    warn_of_types(context, &database, &[(name.as_str(), job_type.as_str())]).await?;
    tell_applied(context, &Applied::new(applied, false))
}

fn schedule_of(context: &Context, arguments: AddArguments) -> anyhow::Result<Schedule> {
    let mut job = context.config()?.new_job(&arguments.job_type);
    job.job_data = payload::read(arguments.data.as_deref())?;
    job.queue = arguments.queue.unwrap_or(job.queue);
    job.priority = arguments.priority.unwrap_or(job.priority);
    job.max_retries = arguments.max_retries.or(job.max_retries);
    job.timeout = arguments.timeout.or(job.timeout);
    let schedule = match (arguments.cron, arguments.every) {
        (Some(cron), _) => Schedule::cron(arguments.name, cron),
        (None, every) => Schedule::every(arguments.name, every.unwrap_or_default()),
    };
    let settings = ScheduleSettings {
        time_zone: arguments.time_zone,
        missed: arguments.missed,
        late_after: arguments.late_after,
        catch_up: arguments.catch_up,
        catch_up_max: arguments.catch_up_max,
        overlap: arguments.overlap,
        jitter: arguments.jitter,
        expect_within: arguments.expect_within,
        is_paused: arguments.paused,
    };
    Ok(settings.set(schedule.enqueue_job(job)))
}

/// Applies the schedules of the configuration file.
pub(super) async fn apply(context: &Context, prune: bool, dry_run: bool) -> anyhow::Result<Exit> {
    let schedules = context.config()?.schedules();
    let definitions = schedules.iter().map(Schedule::definition).collect::<Result<Vec<_>, ScheduleError>>()?;
    // A dry run only looks.
    let database = Database::open(context, if dry_run { Prepare::Nothing } else { Prepare::New }).await?;
    let apply = ApplySchedules {
        definitions,
        source: ScheduleSource::Config,
        prune,
        dry_run,
        planner: Arc::new(TickPlanner::new()),
        decided_by: longshore::schedule::decided_by(),
    };
    let applied = match dry_run {
        true => database.apply_schedules(apply).await?,
        false => {
            let deed = Deed::new("apply_schedules", "the schedules of the configuration file");
            database.audited(deed, database.apply_schedules(apply)).await?
        }
    };
    warn_of_types(context, &database, &context.config()?.types_of_schedules()).await?;
    tell_applied(context, &Applied::new(applied, dry_run))
}

fn tell_applied(context: &Context, applied: &Applied) -> anyhow::Result<Exit> {
    let done = applied.words();
    let told = context.output.result(applied, |output| output.line(&done));
    if applied.dry_run {
        told?;
        return Ok(Exit::Done);
    }
    CommandError::after(&done, told)?;
    Ok(Exit::Done)
}

/// What became of one schedule, in JSON.
#[derive(Serialize)]
struct Changed<'a> {
    schedule: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_paused: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_removed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<JobId>,
}

impl<'a> Changed<'a> {
    const fn new(schedule: &'a str) -> Self {
        Self { schedule, is_paused: None, is_removed: None, job_id: None }
    }
}

/// Removes a schedule.
pub(super) async fn remove(context: &Context, name: &str) -> anyhow::Result<Exit> {
    let database = existing(context).await?;
    let schedules = database.queue().schedules();
    let deed = Deed::on_schedule("remove_schedule", name);
    let found = database.audited(deed, schedules.remove(name)).await;
    let changed = Changed { is_removed: Some(true), ..Changed::new(name) };
    let done = format!("schedule {name} is removed; its ticks and jobs stay");
    tell(context, &database, found, &changed, &done).await
}

/// Pauses a schedule.
pub(super) async fn pause(context: &Context, name: &str, reason: String) -> anyhow::Result<Exit> {
    let database = existing(context).await?;
    let schedules = database.queue().schedules();
    let deed = Deed::pause_schedule(name, &reason);
    let found = database.audited(deed, schedules.pause(name, reason)).await;
    let changed = Changed { is_paused: Some(true), ..Changed::new(name) };
    tell(context, &database, found, &changed, &format!("schedule {name} is paused; its ticks are skipped")).await
}

/// Resumes a schedule.
pub(super) async fn resume(context: &Context, name: &str, catch_up: bool) -> anyhow::Result<Exit> {
    let database = existing(context).await?;
    let schedules = database.queue().schedules();
    let was_paused = schedules.get(name).await?.is_some_and(|record| record.paused_at.is_some());
    let deed = Deed::on_schedule("resume", name);
    let resume = async {
        let is_known = match catch_up {
            true => schedules.resume_and_catch_up(name).await?,
            false => schedules.resume(name).await?,
        };
        Ok::<_, StoreError>(ResumedSchedule { is_known, was_paused })
    };
    let found = database.audited(deed, resume).await.map(|resumed| resumed.is_known);
    let done = match (was_paused, catch_up) {
        (false, _) => format!("schedule {name} was not paused"),
        (true, true) => format!("schedule {name} is resumed; `missed` decides which ticks of the pause make jobs"),
        (true, false) => format!("schedule {name} is resumed; the ticks of the pause stay skipped"),
    };
    let changed = Changed { is_paused: Some(false), ..Changed::new(name) };
    tell(context, &database, found, &changed, &done).await
}

async fn tell(
    context: &Context,
    database: &Database,
    found: Result<bool, StoreError>,
    changed: &Changed<'_>,
    done: &str,
) -> anyhow::Result<Exit> {
    if !found? {
        return Err(no_such(database, changed.schedule).await);
    }
    CommandError::after(done, context.output.result(changed, |output| output.line(done)))?;
    Ok(Exit::Done)
}

/// Makes a job now.
pub(super) async fn run(context: &Context, name: &str) -> anyhow::Result<Exit> {
    let database = existing(context).await?;
    let schedules = database.queue().schedules();
    let id = match database.audited(Deed::on_schedule("run", name), schedules.run(name)).await {
        Ok(id) => id,
        Err(error) => return Err(explained(&database, error).await),
    };
    let changed = Changed { job_id: Some(id), ..Changed::new(name) };
    let told = context.output.result(&changed, |output| output.line(id));
    CommandError::after(format_args!("job {id} was enqueued"), told)?;
    Ok(Exit::Done)
}
