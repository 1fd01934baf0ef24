use std::collections::BTreeMap;

use longshore::limits::{LimitRow, LimitRule, LimitScope, LimitSelection, LimitSource, LimitSubject};
use longshore_core::{Deed, InvalidLimit, Rate, StoreError, Timestamp};
use longshore_report::{ChangedLimit, LimitList};

use crate::arguments::{LimitsArguments, LimitsCommand, SetArguments};
use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::error_report::command_error::CommandError;
use crate::exit::Exit;
use crate::output::Format;
use crate::output::names::some_of;
use crate::output::quoted::argument;
use crate::output::relative_time::relative;
use crate::output::table::Table;

/// How many limits a list without a number has.
const LISTED_MAX: u32 = 1000;

/// Runs `longshore limits`.
pub(crate) fn run(context: &Context, arguments: LimitsArguments) -> anyhow::Result<Exit> {
    match arguments.command.unwrap_or(LimitsCommand::List { saturated: false, limit: LISTED_MAX }) {
        LimitsCommand::List { saturated, limit } => context.block_on(list(context, saturated, limit)),
        LimitsCommand::Show(of) => context.block_on(show(context, of.subject())),
        LimitsCommand::Set(arguments) => context.block_on(set(context, *arguments)),
        LimitsCommand::Unset(of) => context.block_on(unset(context, of.subject())),
    }
}

async fn list(context: &Context, saturated: bool, limit: u32) -> anyhow::Result<Exit> {
    let database = Database::open(context, Prepare::Nothing).await?;
    let selection = if saturated { LimitSelection::Saturated } else { LimitSelection::All };
    let limits = database.queue().limits().list(selection, limit as usize).await?;
    let is_empty = limits.is_empty();
    let listed = LimitList { limits };
    context.output.result(&listed, |output| output.table(&table(&listed.limits, context.now())))?;
    if is_empty && context.output.format() == Format::Words {
        context.output.note(what_an_empty_list_means(context, saturated)?);
    }
    Ok(database.exit_when_shown(context))
}

fn what_an_empty_list_means(context: &Context, saturated: bool) -> anyhow::Result<String> {
    let declared = context.config()?.limits();
    let subjects = declared.iter().filter(|(_, rule)| !rule.is_empty()).map(|(subject, _)| subject);
    Ok(match some_of(subjects) {
        _ if saturated => "no limit keeps a job from starting".to_owned(),
        // Of several databases, another one may have them.
        Some(subjects) if !context.is_one_of_several()? => {
            format!("declared but not applied: {subjects}; a worker applies what is declared when it starts")
        }
        _ => {
            "there is no limit; declare one under [jobs.TYPE] or [queues.NAME] in longshore.toml, or set one".to_owned()
        }
    })
}

async fn show(context: &Context, subject: LimitSubject) -> anyhow::Result<Exit> {
    let database = Database::open(context, Prepare::Nothing).await?;
    let limits = of(&database, &subject).await?;
    if limits.is_empty() {
        return Err(CommandError::NoSuchLimit { subject: subject.to_string() }.into());
    }
    let listed = LimitList { limits };
    context.output.result(&listed, |output| output.table(&table(&listed.limits, context.now())))?;
    Ok(Exit::Done)
}

async fn set(context: &Context, arguments: SetArguments) -> anyhow::Result<Exit> {
    let subject = arguments.subject.subject();
    let rule = LimitRule {
        concurrency: arguments.concurrency,
        rate: arguments.rate,
        burst: arguments.burst,
        key: arguments.key,
        key_concurrency: arguments.key_concurrency,
        key_rate: arguments.key_rate,
        weights: weights(arguments.weight)?,
    };
    check(&subject, &rule)?;
    let database = Database::open(context, Prepare::Nothing).await?;
    let deed = Deed::set_limit(&subject, &rule);
    let limits = database.queue().limits();
    let changed = database.audited(deed, limits.set(subject.clone(), rule)).await?;
    let done = format!("the limit of {subject} is set; it holds until `longshore limits unset {}`", flag(&subject));
    tell(context, &database, &subject, changed, &done).await
}

/// A key that was given twice is a typo: nobody could say which weight was meant.
fn weights(given: Vec<(String, u32)>) -> Result<BTreeMap<String, u32>, CommandError> {
    let mut weights = BTreeMap::new();
    for (key, weight) in given {
        if weights.insert(key.clone(), weight).is_some() {
            return Err(CommandError::RepeatedWeight { key });
        }
    }
    Ok(weights)
}

/// What the database would refuse, before it is opened.
fn check(subject: &LimitSubject, rule: &LimitRule) -> Result<(), StoreError> {
    rule.check(subject)?;
    if rule.is_empty() {
        return Err(InvalidLimit::Nothing { subject: subject.clone() }.into());
    }
    Ok(())
}

async fn unset(context: &Context, subject: LimitSubject) -> anyhow::Result<Exit> {
    let database = Database::open(context, Prepare::Nothing).await?;
    let deed = Deed::unset_limit(&subject);
    let limits = database.queue().limits();
    let changed = database.audited(deed, limits.unset(subject.clone())).await?;
    let rest = of(&database, &subject).await?;
    let done = match (changed, rest.iter().any(|row| row.source == Some(LimitSource::Config))) {
        (false, _) => format!("{subject} has no limit"),
        (true, true) => format!("the configured limit of {subject} holds again"),
        (true, false) => format!("{subject} has no limit any more"),
    };
    tell(context, &database, &subject, changed, &done).await
}

async fn tell(
    context: &Context,
    database: &Database,
    subject: &LimitSubject,
    changed: bool,
    done: &str,
) -> anyhow::Result<Exit> {
    let limits = CommandError::after(done, of(database, subject).await)?;
    let answer = ChangedLimit::new(subject, changed, limits);
    CommandError::after(done, context.output.result(&answer, |output| output.line(done)))?;
    Ok(Exit::Done)
}

async fn of(database: &Database, subject: &LimitSubject) -> anyhow::Result<Vec<LimitRow>> {
    let selection = LimitSelection::Of(subject.clone());
    Ok(database.queue().limits().list(selection, LISTED_MAX as usize).await?)
}

fn flag(subject: &LimitSubject) -> String {
    match subject {
        LimitSubject::Queue(name) => format!("--queue {}", argument(name)),
        LimitSubject::Type(name) => format!("--type {}", argument(name)),
    }
}

/// The limit of all and that of each key.
fn both(of_all: Option<String>, of_one_key: Option<String>) -> String {
    let parts: Vec<String> = of_all.into_iter().chain(of_one_key).collect();
    if parts.is_empty() { "-".to_owned() } else { parts.join(", ") }
}

fn table(limits: &[LimitRow], now: Timestamp) -> Table {
    let mut table =
        Table::new(&["SCOPE", "NAME", "KEY", "RUNNING", "LIMIT", "WAITING", "RATE", "OPENS", "WEIGHT", "SOURCE"]);
    let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    for limit in limits {
        let rate = limit.rate.map(|rate| match limit.burst {
            Some(burst) if burst > 1 => format!("{rate}, burst {burst}"),
            _ => Rate::to_string(&rate),
        });
        let of_one_key = |value: Option<String>| value.map(|value| format!("{value} a key"));
        let key = limit.key.clone().or_else(|| limit.key_pointer.as_ref().map(ToString::to_string));
        let concurrency = limit.concurrency.map(|concurrency| concurrency.to_string());
        let key_concurrency = of_one_key(limit.key_concurrency.map(|concurrency| concurrency.to_string()));
        let key_rate = of_one_key(limit.key_rate.map(|rate| rate.to_string()));
        let source = match limit.source {
            Some(LimitSource::Config) => "config",
            Some(LimitSource::Manual) => "by hand",
            None => "slow down",
        };
        table.row(&[
            match limit.scope {
                LimitScope::Queue => "queue",
                LimitScope::Type => "type",
                LimitScope::Key => "key",
            }
            .to_owned(),
            limit.name.clone(),
            or_dash(key),
            limit.running.to_string(),
            both(concurrency, key_concurrency),
            if limit.waiting >= u64::from(LimitRow::WAITING_MAX) {
                format!("{}+", limit.waiting)
            } else {
                limit.waiting.to_string()
            },
            both(rate, key_rate),
            or_dash(limit.opens_at.map(|at| relative(at, now))),
            or_dash(limit.weight.map(|weight| weight.to_string())),
            source.to_owned(),
        ]);
    }
    table.right(&[3, 4, 5]).text(&[1, 2]).optional(&[2, 6, 7, 8])
}
