//! The access tokens.

use longshore_core::{NewToken, StoreFuture, TokenHash, TokenRecord, Tokens};
use rusqlite::{OptionalExtension, Row, params};

use crate::database::column;
use crate::database::fault::Fault;
use crate::store::SqliteStore;
use crate::writing::session::WriteTx;
use crate::writing::work::Work;

impl Tokens for SqliteStore {
    fn add_token(&self, token: NewToken) -> StoreFuture<'_, bool> {
        Box::pin(self.parts.writer.run(AddToken { token }))
    }

    fn tokens(&self) -> StoreFuture<'_, Vec<TokenRecord>> {
        Box::pin(self.parts.readers.run("listing tokens", |tx| {
            let mut statement = tx.connection.prepare_cached(include_str!("sql/tokens/select_tokens.sql"))?;
            let tokens = statement.query_map([TokenRecord::LISTED_MAX], record)?.collect::<Result<_, _>>()?;
            Ok(tokens)
        }))
    }

    fn token(&self, hash: TokenHash) -> StoreFuture<'_, Option<TokenRecord>> {
        Box::pin(self.parts.readers.run("looking for a token", move |tx| {
            let mut statement = tx.connection.prepare_cached(include_str!("sql/tokens/select_token.sql"))?;
            Ok(statement.query_row([hash.0.as_slice()], record).optional()?)
        }))
    }

    fn revoke_token(&self, name: String) -> StoreFuture<'_, bool> {
        Box::pin(self.parts.writer.run(RevokeToken { name }))
    }
}

fn record(row: &Row<'_>) -> rusqlite::Result<TokenRecord> {
    let scopes = column::text(row, 1)?;
    Ok(TokenRecord {
        name: column::text(row, 0)?,
        scopes: scopes.split_ascii_whitespace().map(str::to_owned).collect(),
        created_at: column::timestamp(row, 2)?,
    })
}

struct AddToken {
    token: NewToken,
}

impl Work for AddToken {
    type Answer = bool;
    const DOING: &'static str = "adding a token";

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<bool, Fault> {
        let NewToken { name, hash, scopes } = &self.token;
        let added = tx.connection.prepare_cached(include_str!("sql/tokens/insert_token.sql"))?.execute(params![
            name,
            hash.0.as_slice(),
            scopes.join(" "),
            tx.now.as_ms()
        ])?;
        Ok(added == 1)
    }
}

struct RevokeToken {
    name: String,
}

impl Work for RevokeToken {
    type Answer = bool;
    const DOING: &'static str = "revoking a token";

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<bool, Fault> {
        let deleted =
            tx.connection.prepare_cached(include_str!("sql/tokens/delete_token.sql"))?.execute([&self.name])?;
        Ok(deleted == 1)
    }
}
