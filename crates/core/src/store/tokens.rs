use std::fmt;

use serde::Serialize;

use crate::{StoreFuture, Timestamp};

/// The access tokens of a server that shows the queue. Only their hashes are kept.
pub trait Tokens: Send + Sync + fmt::Debug + 'static {
    /// Adds a token. Returns false if there is one of this name; nothing has changed then.
    fn add_token(&self, token: NewToken) -> StoreFuture<'_, bool>;

    /// The tokens by name, at most [`TokenRecord::LISTED_MAX`]. Only reads.
    fn tokens(&self) -> StoreFuture<'_, Vec<TokenRecord>>;

    /// The token with this hash. Only reads.
    fn token(&self, hash: TokenHash) -> StoreFuture<'_, Option<TokenRecord>>;

    /// Removes a token: the next request with it is refused. Returns false if there is none of this name.
    fn revoke_token(&self, name: String) -> StoreFuture<'_, bool>;
}

/// The SHA-256 of a token. A token has 256 random bits, so nobody can search for it by its hash, and a slow hash would
/// only make every request slow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenHash(pub [u8; 32]);

/// Whoever reads the log learns nothing of it.
impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// A token to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// Its name: 1 to 100 bytes.
    pub name: String,
    /// Its hash.
    pub hash: TokenHash,
    /// Its rights, as words without spaces.
    pub scopes: Vec<String>,
}

/// A token without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenRecord {
    /// Its name.
    pub name: String,
    /// Its rights. A newer version may have written words that this one does not know.
    pub scopes: Vec<String>,
    /// When it was added.
    pub created_at: Timestamp,
}

impl TokenRecord {
    /// How many tokens a list has at most.
    pub const LISTED_MAX: u32 = 1000;
}
