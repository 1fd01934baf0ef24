use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use longshore::{DatabaseUrl, InvalidDatabaseUrl};
use longshore_core::{NameBounds, OutsideCause, Status, StoreError};
use longshore_moving::{MoveListener, MoveOptions, MovePlan, MoveReport, MoveStep, Mover, NewPlace, Place, UndoReport};
use longshore_sqlite::schema::SchemaProblem;

use crate::arguments::{Durability, MoveArguments};
use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::error_report::command_error::CommandError;
use crate::exit::Exit;
use crate::output::Output;
use crate::output::relative_time::span;
use crate::output::table::count_jobs;

/// Runs `longshore move`.
pub(crate) fn run(context: &Context, arguments: &MoveArguments) -> anyhow::Result<Exit> {
    let durability = context.config()?.durability.unwrap_or(Durability::Full);
    let from = url(&arguments.from, "--from")?;
    let (store, _) = Database::open_to_move(&from, durability, Prepare::Nothing)?;
    let from = Place { store, name: name(&from)? };
    let Some(to) = &arguments.to else { return undo_without(context, &from) };
    let to = url(to, "--to")?;
    let prepare = if arguments.dry_run || arguments.undo { Prepare::Nothing } else { Prepare::Beside };
    let options = MoveOptions { takes_ended: arguments.ended, grace: arguments.grace, ..MoveOptions::default() };
    let opened = Database::open_to_move(&to, durability, prepare);
    if arguments.dry_run && opened.as_ref().is_err_and(has_no_tables) {
        return plan_without(context, &from, &new_place(&to)?, &options);
    }
    let to = Place { store: opened?.0, name: name(&to)? };
    let mover = Mover::new(from, to, options, Arc::new(Teller::new(&context.output)));
    if arguments.dry_run {
        let plan = context.block_on(async { Ok(mover.plan().await?) })?;
        context.output.result(&plan, |output| print_plan(output, &plan))?;
        return Ok(Exit::Done);
    }
    if arguments.undo {
        let report = context.block_on(async { Ok(mover.undo().await?) })?;
        return tell_undo(context, &report);
    }
    let report = context.block_on(async { Ok(mover.run().await?) })?;
    CommandError::after("the queue has moved", context.output.result(&report, |output| print(output, &report)))?;
    Ok(Exit::Done)
}

fn url(text: &OsStr, origin: &'static str) -> Result<DatabaseUrl, CommandError> {
    let text = text.to_str().ok_or(CommandError::DatabaseUrl { source: InvalidDatabaseUrl::NotUtf8, origin })?;
    text.parse().map_err(|source| CommandError::DatabaseUrl { source, origin })
}

/// How the database is named in the other one: the same from every folder, without a user and a password, and so that it
/// can be given to --database.
fn name(url: &DatabaseUrl) -> anyhow::Result<String> {
    Ok(match url {
        DatabaseUrl::Sqlite(path) => {
            let path = std::fs::canonicalize(path).or_else(|_| std::path::absolute(path))?;
            format!("sqlite:{}", path.display())
        }
        DatabaseUrl::Postgres(server) if &**server.schema() == "longshore" => url.to_string(),
        DatabaseUrl::Postgres(server) => format!("{url}?longshore_schema={}", server.schema()),
    })
}

/// Whether a move would first create the queue's tables.
fn has_no_tables(error: &anyhow::Error) -> bool {
    let never = |problem: &SchemaProblem| matches!(problem, SchemaProblem::NeverMigrated);
    let is_missing = |error: &StoreError| matches!(error, StoreError::Outside(OutsideCause::Missing { .. }));
    error.downcast_ref().is_some_and(never) || error.downcast_ref().is_some_and(is_missing)
}

fn new_place(url: &DatabaseUrl) -> anyhow::Result<NewPlace> {
    let bounds = match url {
        DatabaseUrl::Sqlite(_) => NameBounds::NONE,
        DatabaseUrl::Postgres(_) => NameBounds::INDEXED,
    };
    Ok(NewPlace { name: name(url)?, bounds })
}

/// The plan for a database that has no tables yet, which a plan does not create.
fn plan_without(context: &Context, from: &Place, to: &NewPlace, options: &MoveOptions) -> anyhow::Result<Exit> {
    let plan = context.block_on(async { Ok(Mover::plan_to_new(from, to, options).await?) })?;
    context.output.result(&plan, |output| print_plan(output, &plan))?;
    Ok(Exit::Done)
}

fn undo_without(context: &Context, from: &Place) -> anyhow::Result<Exit> {
    let report = context.block_on(async { Ok(Mover::undo_without(from).await?) })?;
    tell_undo(context, &report)
}

fn tell_undo(context: &Context, report: &UndoReport) -> anyhow::Result<Exit> {
    let told = context.output.result(report, |output| {
        output.line(format!("the queue is in {} as before", report.from))?;
        match &report.to {
            Some(to) => output.line(format!("{} removed from {to}", count_jobs(report.removed))),
            None => output.line("the other database stays closed until the move is undone with --to, too"),
        }
    });
    CommandError::after("the move is undone", told)?;
    Ok(Exit::Done)
}

fn print_plan(output: &Output, plan: &MovePlan) -> std::io::Result<()> {
    output.line(format!("from {}", plan.from))?;
    output.line(format!("to   {}", plan.to))?;
    output.line(format!("moves: {}", in_words(&plan.moves)))?;
    output.line(format!("stays: {}", in_words(&plan.stays)))?;
    output.line(format!("the audit trail stays in {}", plan.from))?;
    if plan.running > 0 {
        output.line(running_now(plan.running))?;
    }
    output.line(match plan.next {
        MoveStep::Reserve => "nothing was changed; carry it out with the same command without --dry-run",
        MoveStep::Done => "the queue has moved already: there is nothing to do",
        _ => "this move was interrupted; the same command without --dry-run carries on, and --undo takes it back",
    })
}

fn running_now(running: u64) -> String {
    let get = if running == 1 { "gets" } else { "get" };
    format!("{} running now {get} the grace period to end", count_jobs(running))
}

fn print(output: &Output, report: &MoveReport) -> std::io::Result<()> {
    if let Some(checksum) = &report.checksum {
        output.line(format!("moved: {}", in_words(&report.moved)))?;
        output.line(format!("the same in both databases: sha256 {checksum}"))?;
    }
    if report.stayed > 0 {
        output.line(format!("{} that had ended stayed in {}", count_jobs(report.stayed), report.from))?;
    }
    if report.taken_back > 0 {
        output
            .line(format!("{} taken back from workers; the attempts are not counted", count_jobs(report.taken_back)))?;
    }
    output.line(format!("the audit trail stays in {}: \"longshore audit\" shows it there", report.from))?;
    output.line(format!("the queue is in {} now; start workers and producers with that database", report.to))
}

fn in_words(jobs: &BTreeMap<Status, u64>) -> String {
    if jobs.is_empty() {
        return "no jobs".to_owned();
    }
    jobs.iter().map(|(status, jobs)| format!("{jobs} {status}")).collect::<Vec<_>>().join(", ")
}

/// Tells on standard error how the move goes on: a line for each step, and a progress bar on a terminal.
struct Teller {
    output: Output,
    bar: Option<ProgressBar>,
}

impl Teller {
    fn new(output: &Output) -> Self {
        Self { output: output.clone(), bar: output.has_progress().then(ProgressBar::new_spinner) }
    }

    fn above(&self, words: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.output.note(words)),
            None => self.output.note(words),
        }
    }
}

impl MoveListener for Teller {
    fn begins(&self, step: MoveStep) {
        self.above(match step {
            MoveStep::Check => "the names of jobs are looked at",
            MoveStep::Reserve => "the new database is closed to others",
            MoveStep::Clear => "older copies are removed from the new database",
            MoveStep::Fence => "the old database takes no new jobs and gives none to workers",
            MoveStep::Drain => "running jobs may end",
            MoveStep::Copy => "jobs are copied",
            MoveStep::Compare => "both databases are compared",
            MoveStep::Switch => "the queue switches to the new database",
            MoveStep::Done => "done",
        });
    }

    fn passes(&self, _: MoveStep, jobs: u64, of: u64) {
        if let Some(bar) = &self.bar {
            bar.set_style(style("{wide_bar} {human_pos}/{human_len} jobs  {eta}"));
            bar.set_length(of.max(jobs));
            bar.set_position(jobs);
        }
    }

    fn waits(&self, running: u64, left: Duration) {
        if let Some(bar) = &self.bar {
            bar.set_style(style("{spinner} {msg}"));
            bar.set_message(format!("{} running; {} left", count_jobs(running), span(left)));
            bar.tick();
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates of this file are well formed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_job_gets_the_grace_period_and_several_get_it() {
        assert_eq!(running_now(1), "1 job running now gets the grace period to end");
        assert_eq!(running_now(2), "2 jobs running now get the grace period to end");
    }
}
