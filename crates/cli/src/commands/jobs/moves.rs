use std::collections::HashMap;

use clap::Args;
use longshore_core::{Action, Deed, Filter, JobId, JobPageRequest, Selection, Status};

use crate::arguments::{TargetArguments, ToFilter};
use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::error_report::command_error::CommandError;
use crate::exit::Exit;
use crate::output::table::count_jobs;

/// An action on jobs and the words for it.
#[derive(Clone, Copy, Debug)]
pub(in crate::commands) struct Verb {
    /// The action.
    pub(in crate::commands) action: Action,
    /// The verb in questions and errors.
    pub(in crate::commands) word: &'static str,
    /// The result in messages.
    pub(in crate::commands) done: &'static str,
    /// The states that `--all` takes when no status was given.
    pub(in crate::commands) statuses: &'static [Status],
}

/// Whether the user must confirm an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::commands) enum Consent {
    /// Confirmed: the jobs were listed by id, or `--yes` was given.
    Given,
    /// Not yet confirmed: ask the user.
    Needed,
}

/// An action that a user requested.
#[derive(Debug)]
pub(in crate::commands) struct Move<'a> {
    /// The action and its words.
    pub(in crate::commands) verb: &'a Verb,
    /// The jobs.
    pub(in crate::commands) selection: Selection,
    /// Whether the user must confirm it.
    pub(in crate::commands) consent: Consent,
}

/// The selected jobs, and whether the user must confirm the action.
pub(in crate::commands) fn targets<F: ToFilter + Args>(
    arguments: &TargetArguments<F>,
) -> Result<(Selection, Consent), CommandError> {
    let filter = arguments.scope.filter.to_filter();
    if arguments.scope.all {
        if !arguments.ids.is_empty() {
            return Err(CommandError::IdsWithAll);
        }
        let consent = if arguments.scope.yes { Consent::Given } else { Consent::Needed };
        return Ok((filter.into(), consent));
    }
    if filter != Filter::all() {
        return Err(CommandError::FilterWithIds);
    }
    let mut ids = arguments.ids.clone();
    ids.sort_unstable();
    ids.dedup();
    Ok((Selection::Jobs(ids), Consent::Given))
}

impl Move<'_> {
    /// Performs the action, after a confirmation if one is needed.
    pub(in crate::commands) async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let database = Database::open(context, Prepare::Nothing).await?;
        let is_named = matches!(self.selection, Selection::Jobs(_));
        match &self.selection {
            Selection::Jobs(ids) => check_names(&database, ids, self.verb).await?,
            Selection::Matching(_) => {
                let jobs = database.count(self.selection.clone()).await?;
                context.output.note(format!("{} in all", count_jobs(jobs)));
                if !self.is_confirmed(context, jobs)? {
                    context.output.note("nothing was changed");
                    return Ok(Exit::Done);
                }
            }
        }
        let deed = Deed::on_jobs(self.verb.action, &self.selection);
        let actioned = database.audited(deed, database.act(self.selection, self.verb.action)).await?;
        if is_named && !actioned.refused.is_empty() {
            return Err(CommandError::NotMoved { verb: self.verb.word, actioned }.into());
        }
        let done = format!("{} {}", count_jobs(actioned.touched), self.verb.done);
        CommandError::after(&done, context.output.result(&actioned, |output| output.line(&done)))?;
        for refusal in &actioned.refused {
            context.output.note(format!("left alone: {refusal}"));
        }
        Ok(Exit::Done)
    }

    /// Asks for a confirmation if one is needed and at least one job matches. No is an answer, not an error.
    fn is_confirmed(&self, context: &Context, jobs: u64) -> anyhow::Result<bool> {
        if jobs == 0 || self.consent == Consent::Given {
            return Ok(true);
        }
        let verb = self.verb.word;
        if !context.output.can_ask() {
            return Err(CommandError::Unconfirmed { verb, jobs }.into());
        }
        Ok(context.output.ask(format!("{verb} {}?", count_jobs(jobs)))?)
    }
}

/// How many listed jobs are checked at once: the size of a page.
const NAMES_STEP: usize = 1000;

/// Checks, before the first change, that every listed job exists and, for `dead` commands, is a dead letter.
async fn check_names(database: &Database, ids: &[JobId], verb: &Verb) -> anyhow::Result<()> {
    for ids in ids.chunks(NAMES_STEP) {
        let named = Selection::Jobs(ids.to_vec());
        let request = JobPageRequest { selection: named, after: None, limit: NAMES_STEP as u32, looked_max: None };
        let jobs: HashMap<JobId, Status> =
            database.jobs(request).await?.jobs.into_iter().map(|job| (job.id, job.status)).collect();
        for id in ids.iter().copied() {
            let status = *jobs.get(&id).ok_or(CommandError::NoSuchJob { id })?;
            if verb.statuses == [Status::DeadLetter] && status != Status::DeadLetter {
                return Err(CommandError::NotADeadLetter { id, status }.into());
            }
        }
    }
    Ok(())
}
