//! Completion in shells. The script of a shell calls this program with the words of the line, so that the names of
//! queues and job types are those of the configuration and the database.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::time::Duration;

use clap::CommandFactory;
use clap_complete::Shell;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::{CompleteEnv, Shells};

use crate::arguments::{Arguments, Globals};
use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::error_report::command_error::CommandError;

/// The variable by which a script asks for completions.
const VARIABLE: &str = "LONGSHORE_COMPLETE";
/// A slow database must not block the shell.
const READ_MAX: Duration = Duration::from_secs(2);

/// Prints completions if the script of a shell asks for them. Returns whether it did.
pub(crate) fn answer_if_asked() -> Result<bool, clap::Error> {
    CompleteEnv::with_factory(Arguments::command)
        .var(VARIABLE)
        .try_complete(std::env::args_os(), std::env::current_dir().ok().as_deref())
}

/// The script for a shell.
pub(crate) fn script(shell: Shell) -> std::io::Result<Vec<u8>> {
    let shells = Shells::builtins();
    let name = shell.to_string();
    let completer =
        shells.completer(&name).ok_or_else(|| std::io::Error::other(format!("no completions for {name}")))?;
    let mut script = Vec::new();
    completer.write_registration(VARIABLE, "longshore", "longshore", "longshore", &mut script)?;
    Ok(script)
}

/// Which names complete an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// A queue.
    Queue,
    /// A list of queues, separated by commas.
    QueueList,
    /// A job type.
    Type,
    /// A list of job types, separated by commas.
    TypeList,
    /// A schedule.
    Schedule,
}

/// Completes an argument with names from the configuration and the database.
pub(crate) fn completer(names: Names) -> ArgValueCompleter {
    ArgValueCompleter::new(move |current: &OsStr| complete(names, current))
}

fn complete(names: Names, current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else { return Vec::new() };
    let (before, last, is_list) = match names {
        Names::Queue | Names::Type | Names::Schedule => ("", current, false),
        Names::QueueList | Names::TypeList => {
            let at = last_comma(current);
            (&current[..at], &current[at..], true)
        }
    };
    let known = known(names);
    let shown = known.iter().map(|name| if is_list { escaped(name) } else { name.clone() });
    shown
        .filter(|name| name.starts_with(last))
        .map(|name| CompletionCandidate::new(format!("{before}{name}")))
        .collect()
}

/// Where the last name of a list begins. A comma after a backslash belongs to a name.
fn last_comma(list: &str) -> usize {
    let mut at = 0;
    let mut is_escaped = false;
    for (index, letter) in list.char_indices() {
        if letter == ',' && !is_escaped {
            at = index + 1;
        }
        is_escaped = letter == '\\' && !is_escaped;
    }
    at
}

fn escaped(name: &str) -> String {
    name.replace('\\', r"\\").replace(',', r"\,")
}

/// The names of the configuration and the database. Whatever cannot be read adds none: a shell has no place for errors.
fn known(names: Names) -> BTreeSet<String> {
    let context = Context::new(globals(std::env::args_os()));
    let mut known = declared(&context, names).unwrap_or_default();
    let stored = async {
        let database = Database::open(&context, Prepare::Nothing).await?;
        stored(&database, names).await
    };
    let read = context.block_on(async { tokio::time::timeout(READ_MAX, stored).await? });
    known.extend(read.unwrap_or_default());
    known
}

/// The names in the configuration.
pub(crate) fn declared(context: &Context, names: Names) -> Result<BTreeSet<String>, CommandError> {
    let config = context.config()?;
    let queue = |job_type: &String| config.new_job(job_type).queue;
    Ok(match names {
        Names::Queue | Names::QueueList => config.jobs.keys().map(queue).collect(),
        Names::Type | Names::TypeList => config.jobs.keys().cloned().collect(),
        Names::Schedule => config.schedules.keys().cloned().collect(),
    })
}

/// The names in the database: of all queues, and of the types that workers know or that have waiting jobs.
pub(crate) async fn stored(database: &Database, names: Names) -> anyhow::Result<Vec<String>> {
    if matches!(names, Names::Queue | Names::QueueList) {
        return Ok(database.stats(0).await?.queues.into_iter().map(|queue| queue.queue).collect());
    }
    if names == Names::Schedule {
        return Ok(database.queue().schedules().list().await?.into_iter().map(|record| record.name).collect());
    }
    let health = database.health().await?;
    let waiting = health.backlog.into_iter().filter(|backlog| backlog.has_valid_names).map(|backlog| backlog.job_type);
    Ok(health.known_job_types.into_iter().chain(waiting).collect())
}

/// The global options on the line that is completed.
fn globals(words: impl Iterator<Item = OsString>) -> Globals {
    let words: Vec<OsString> = words.skip_while(|word| word != "--").skip(1).collect();
    let value = |flag: &str| {
        let with_value = format!("{flag}=");
        words.iter().enumerate().find_map(|(at, word)| match word.to_str() {
            Some(word) if word == flag => words.get(at + 1).cloned(),
            Some(word) => word.strip_prefix(&with_value).map(OsString::from),
            None => None,
        })
    };
    Globals {
        database: value("--database"),
        config: value("--config").map(Into::into),
        json: false,
        quiet: true,
        verbose: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_name_of_a_list_begins_after_a_comma_that_separates() {
        for (list, at) in [("", 0), ("a", 0), ("a,", 2), ("a,b", 2), (r"a\,b", 0), (r"a\\,b", 4)] {
            assert_eq!(last_comma(list), at, "{list}");
        }
    }

    #[test]
    fn the_line_that_is_completed_names_the_database() {
        let line = ["longshore", "--", "longshore", "--config=a.toml", "enqueue", "--database", "a.db", "x"];
        let globals = globals(line.iter().map(OsString::from));
        assert_eq!(globals.database.as_deref(), Some(OsStr::new("a.db")));
        assert_eq!(globals.config.as_deref(), Some(std::path::Path::new("a.toml")));
    }
}
