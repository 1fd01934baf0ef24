use longshore_core::{NewToken, StoreFuture, TokenHash, TokenRecord, Tokens};

use crate::combined_store::CombinedStore;
use crate::members::MAIN;

/// The tokens are in the main database: a token lets its owner into all of them.
impl Tokens for CombinedStore {
    fn add_token(&self, token: NewToken) -> StoreFuture<'_, bool> {
        let members = &self.shared.members;
        Box::pin(members.ask_one(MAIN, move |store| Box::pin(async move { store.add_token(token).await })))
    }

    fn tokens(&self) -> StoreFuture<'_, Vec<TokenRecord>> {
        let members = &self.shared.members;
        Box::pin(members.ask_one(MAIN, |store| Box::pin(async move { store.tokens().await })))
    }

    fn token(&self, hash: TokenHash) -> StoreFuture<'_, Option<TokenRecord>> {
        let members = &self.shared.members;
        Box::pin(members.ask_one(MAIN, move |store| Box::pin(async move { store.token(hash).await })))
    }

    fn revoke_token(&self, name: String) -> StoreFuture<'_, bool> {
        let members = &self.shared.members;
        Box::pin(members.ask_one(MAIN, move |store| Box::pin(async move { store.revoke_token(name).await })))
    }
}
