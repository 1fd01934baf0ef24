use longshore_core::{NewToken, StoreFuture, TokenHash, TokenRecord, Tokens};

use super::{FaultStore, Operation};

impl<S: Tokens> Tokens for FaultStore<S> {
    fn add_token(&self, token: NewToken) -> StoreFuture<'_, bool> {
        self.meet(Operation::Act, move |inner| inner.add_token(token))
    }

    fn tokens(&self) -> StoreFuture<'_, Vec<TokenRecord>> {
        self.meet(Operation::Read, Tokens::tokens)
    }

    fn token(&self, hash: TokenHash) -> StoreFuture<'_, Option<TokenRecord>> {
        self.meet(Operation::Read, move |inner| inner.token(hash))
    }

    fn revoke_token(&self, name: String) -> StoreFuture<'_, bool> {
        self.meet(Operation::Act, move |inner| inner.revoke_token(name))
    }
}
