use longshore_core::{Deed, NewToken, TokenRecord};
use longshore_web::{Scope, Secret, queue_word};
use serde::Serialize;

use crate::arguments::TokenCommand;
use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::error_report::command_error::CommandError;
use crate::exit::Exit;
use crate::output::quoted::argument;
use crate::output::relative_time::relative;
use crate::output::table::Table;
use crate::suggestion::closest;

/// Runs `longshore token`.
pub(crate) fn run(context: &Context, command: TokenCommand) -> anyhow::Result<Exit> {
    match command {
        TokenCommand::Add { name, scopes, queues } => context.block_on(add(context, name, scopes, queues)),
        TokenCommand::List => context.block_on(list(context)),
        TokenCommand::Revoke { name } => context.block_on(revoke(context, &name)),
    }
}

/// A new token in JSON: the only time that it is shown.
#[derive(Serialize)]
struct AddedToken<'a> {
    name: &'a str,
    scopes: &'a [String],
    token: &'a str,
}

async fn add(context: &Context, name: String, mut scopes: Vec<Scope>, mut queues: Vec<String>) -> anyhow::Result<Exit> {
    scopes.sort_unstable();
    scopes.dedup();
    queues.sort_unstable();
    queues.dedup();
    let secret = Secret::random().map_err(std::io::Error::other)?;
    let of_queues = queues.iter().map(|queue| queue_word(queue));
    let words: Vec<String> = scopes.iter().map(ToString::to_string).chain(of_queues).collect();
    let database = Database::open(context, Prepare::New).await?;
    let token = NewToken { name: name.clone(), hash: secret.hash(), scopes: words.clone() };
    let deed = Deed::new("add_token", format!("token {name}: {}", words.join(", ")));
    if !database.audited(deed, database.add_token(token)).await? {
        return Err(CommandError::TokenExists { name }.into());
    }
    let added = AddedToken { name: &name, scopes: &words, token: secret.as_str() };
    let told = context.output.result(&added, |output| output.line(secret.as_str()));
    CommandError::after(format_args!("token {name} was added; revoke it, because nobody has seen it"), told)?;
    let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    let of = if queues.is_empty() { String::new() } else { format!(" in {}", queues.join(", ")) };
    context.output.note(format!("token {name} may {}{of}; it is not shown again", scopes.join(", ")));
    Ok(Exit::Done)
}

/// The tokens in JSON.
#[derive(Serialize)]
struct TokenList {
    tokens: Vec<TokenRecord>,
}

async fn list(context: &Context) -> anyhow::Result<Exit> {
    let database = Database::open(context, Prepare::Nothing).await?;
    let list = TokenList { tokens: database.tokens().await? };
    context.output.result(&list, |output| {
        let mut table = Table::new(&["NAME", "SCOPES", "CREATED"]);
        for token in &list.tokens {
            table.row(&[token.name.clone(), token.scopes.join(", "), relative(token.created_at, context.now())]);
        }
        output.table(&table.text(&[0, 1]))
    })?;
    if list.tokens.is_empty() {
        context.output.note_empty("there is no token; \"longshore token add\" makes one");
    }
    Ok(Exit::Done)
}

/// The name of a revoked token in JSON.
#[derive(Serialize)]
struct RevokedToken<'a> {
    revoked: &'a str,
}

async fn revoke(context: &Context, name: &str) -> anyhow::Result<Exit> {
    let database = Database::open(context, Prepare::Nothing).await?;
    let deed = Deed::new("revoke_token", format!("token {name}"));
    if !database.audited(deed, database.revoke_token(name.to_owned())).await? {
        let known = database.tokens().await?;
        let similar = closest(name, known.iter().map(|token| token.name.as_str()));
        return Err(CommandError::NoSuchToken { name: name.to_owned(), similar: similar.map(argument) }.into());
    }
    let done = format!("token {name} was revoked");
    CommandError::after(&done, context.output.result(&RevokedToken { revoked: name }, |output| output.line(&done)))?;
    Ok(Exit::Done)
}
