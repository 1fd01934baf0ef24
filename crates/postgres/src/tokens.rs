//! The access tokens.

use std::sync::Arc;

use longshore_core::{NewToken, StoreFuture, TokenHash, TokenRecord, Tokens};
use postgres_types::Type;
use tokio_postgres::{Error, Row};

use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::sql::sql;
use crate::session::statements::Parameter;
use crate::store::{Parts, PostgresStore};

impl Tokens for PostgresStore {
    fn add_token(&self, token: NewToken) -> StoreFuture<'_, bool> {
        self.run("adding a token", move |parts| add(parts, token))
    }

    fn tokens(&self) -> StoreFuture<'_, Vec<TokenRecord>> {
        self.run("listing tokens", list)
    }

    fn token(&self, hash: TokenHash) -> StoreFuture<'_, Option<TokenRecord>> {
        self.run("looking for a token", move |parts| find(parts, hash))
    }

    fn revoke_token(&self, name: String) -> StoreFuture<'_, bool> {
        self.run("revoking a token", move |parts| revoke(parts, name))
    }
}

async fn add(parts: Arc<Parts>, token: NewToken) -> Result<bool, Fault> {
    let NewToken { name, hash, scopes } = token;
    let (hash, scopes) = (hash.0.as_slice(), scopes.join(" "));
    let parameters: [Parameter<'_>; 3] = [(&name, Type::TEXT), (&hash, Type::BYTEA), (&scopes, Type::TEXT)];
    let session = parts.pool.session().await?;
    Ok(session.execute(sql!("tokens/insert_token"), &parameters).await? == 1)
}

async fn list(parts: Arc<Parts>) -> Result<Vec<TokenRecord>, Fault> {
    let limit = i64::from(TokenRecord::LISTED_MAX);
    let session = parts.pool.session().await?;
    let rows = session.query(sql!("tokens/select_tokens"), &[(&limit, Type::INT8)]).await?;
    Ok(rows.iter().map(record).collect::<Result<_, _>>()?)
}

async fn find(parts: Arc<Parts>, hash: TokenHash) -> Result<Option<TokenRecord>, Fault> {
    let hash = hash.0.as_slice();
    let session = parts.pool.session().await?;
    let row = session.query_opt(sql!("tokens/select_token"), &[(&hash, Type::BYTEA)]).await?;
    Ok(row.as_ref().map(record).transpose()?)
}

async fn revoke(parts: Arc<Parts>, name: String) -> Result<bool, Fault> {
    let session = parts.pool.session().await?;
    Ok(session.execute(sql!("tokens/delete_token"), &[(&name, Type::TEXT)]).await? == 1)
}

fn record(row: &Row) -> Result<TokenRecord, Error> {
    let columns = &mut Columns::of(row);
    let (name, scopes): (String, &str) = (columns.read()?, columns.read()?);
    let scopes = scopes.split_ascii_whitespace().map(str::to_owned).collect();
    Ok(TokenRecord { name, scopes, created_at: columns.instant()? })
}
