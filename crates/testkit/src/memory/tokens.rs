use std::collections::BTreeMap;

use longshore_core::{MovedToken, NewToken, StoreFuture, TokenHash, TokenRecord, Tokens};

use crate::memory::MemoryStore;
use crate::memory::state::State;

/// The tokens by name, each with its hash.
pub(super) type TokenTable = BTreeMap<String, (TokenHash, TokenRecord)>;

impl State {
    pub(super) fn moved_tokens(&self) -> Vec<MovedToken> {
        let whole = |(hash, record): &(TokenHash, TokenRecord)| {
            let TokenRecord { name, scopes, created_at } = record.clone();
            MovedToken { name, hash: *hash, scopes, created_at }
        };
        self.tokens.values().map(whole).collect()
    }

    pub(super) fn replace_tokens(&mut self, tokens: Vec<MovedToken>) {
        let row = |MovedToken { name, hash, scopes, created_at }| {
            (name.clone(), (hash, TokenRecord { name, scopes, created_at }))
        };
        self.tokens = tokens.into_iter().map(row).collect();
    }
}

impl Tokens for MemoryStore {
    fn add_token(&self, token: NewToken) -> StoreFuture<'_, bool> {
        self.quietly(move |state, moment| {
            let NewToken { name, hash, scopes } = token;
            if state.tokens.contains_key(&name) {
                return Ok(false);
            }
            let record = TokenRecord { name: name.clone(), scopes, created_at: moment.now };
            state.tokens.insert(name, (hash, record));
            Ok(true)
        })
    }

    fn tokens(&self) -> StoreFuture<'_, Vec<TokenRecord>> {
        self.quietly(|state, _| {
            let records = state.tokens.values().map(|(_, record)| record.clone());
            Ok(records.take(TokenRecord::LISTED_MAX as usize).collect())
        })
    }

    fn token(&self, hash: TokenHash) -> StoreFuture<'_, Option<TokenRecord>> {
        self.quietly(move |state, _| {
            let found = state.tokens.values().find(|(known, _)| *known == hash);
            Ok(found.map(|(_, record)| record.clone()))
        })
    }

    fn revoke_token(&self, name: String) -> StoreFuture<'_, bool> {
        self.quietly(move |state, _| Ok(state.tokens.remove(&name).is_some()))
    }
}
