use longshore_core::{MovedToken, TokenHash};
use postgres_types::Type;
use tokio_postgres::Error;

use crate::instant::Instant;
use crate::session::columns::Columns;
use crate::session::sql::sql;
use crate::session::statements::{Parameter, Session};

/// The access tokens, by name.
pub(super) async fn all_tokens(session: &Session) -> Result<Vec<MovedToken>, Error> {
    let mut tokens = Vec::new();
    for row in session.query(sql!("moving/select_all_tokens"), &[]).await? {
        let columns = &mut Columns::of(&row);
        let (name, hash, scopes): (String, &[u8], &str) = (columns.read()?, columns.read()?, columns.read()?);
        let scopes = scopes.split_ascii_whitespace().map(str::to_owned).collect();
        let created_at = columns.instant()?;
        // A CHECK of the table allows no other length.
        let Ok(hash) = <[u8; 32]>::try_from(hash) else { continue };
        tokens.push(MovedToken { name, hash: TokenHash(hash), scopes, created_at });
    }
    Ok(tokens)
}

/// Writes tokens that have arrived.
pub(super) async fn keep_tokens(session: &Session, tokens: &[MovedToken]) -> Result<(), Error> {
    let names: Vec<&str> = tokens.iter().map(|token| token.name.as_str()).collect();
    let hashes: Vec<&[u8]> = tokens.iter().map(|token| token.hash.0.as_slice()).collect();
    let scopes: Vec<String> = tokens.iter().map(|token| token.scopes.join(" ")).collect();
    let created_at: Vec<Instant> = tokens.iter().map(|token| Instant(token.created_at)).collect();
    let parameters: [Parameter<'_>; 4] = [
        (&names, Type::TEXT_ARRAY),
        (&hashes, Type::BYTEA_ARRAY),
        (&scopes, Type::TEXT_ARRAY),
        (&created_at, Type::TIMESTAMPTZ_ARRAY),
    ];
    session.execute(sql!("moving/insert_moved_tokens"), &parameters).await?;
    Ok(())
}
