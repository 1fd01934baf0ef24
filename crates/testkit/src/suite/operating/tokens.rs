use longshore_core::{NewToken, TokenHash, TokenRecord, Tokens};

use crate::suite::{Harness, World};

fn token(name: &str, secret: u8) -> NewToken {
    let scopes = vec!["read".to_owned(), "operate".to_owned()];
    NewToken { name: name.to_owned(), hash: TokenHash([secret; 32]), scopes }
}

async fn add<H: Harness>(world: &World<H>, token: NewToken) -> bool {
    world.store.add_token(token).await.expect("tokens can be added")
}

async fn find<H: Harness>(world: &World<H>, secret: u8) -> Option<TokenRecord> {
    world.store.token(TokenHash([secret; 32])).await.expect("tokens can be read")
}

pub async fn a_token_is_found_by_its_hash_alone<H: Harness>() {
    let world = World::<H>::new();
    assert!(add(&world, token("deploy", 1)).await);
    let found = find(&world, 1).await.expect("it was added");
    assert_eq!((found.name.as_str(), found.scopes), ("deploy", vec!["read".to_owned(), "operate".to_owned()]));
    assert_eq!(found.created_at, world.store.tokens().await.expect("tokens can be read")[0].created_at);
    assert_eq!(find(&world, 2).await, None);
}

pub async fn a_name_belongs_to_one_token<H: Harness>() {
    let world = World::<H>::new();
    assert!(add(&world, token("deploy", 1)).await);
    assert!(!add(&world, token("deploy", 2)).await);
    assert!(find(&world, 1).await.is_some(), "the first one stays");
    assert_eq!(find(&world, 2).await, None);
}

pub async fn a_revoked_token_is_unknown_and_its_name_is_free<H: Harness>() {
    let world = World::<H>::new();
    add(&world, token("deploy", 1)).await;
    add(&world, token("backup", 2)).await;
    let revoke = async |name: &str| world.store.revoke_token(name.to_owned()).await.expect("tokens can be revoked");
    assert!(revoke("deploy").await);
    assert!(!revoke("deploy").await);
    assert_eq!(find(&world, 1).await, None);
    assert!(add(&world, token("deploy", 3)).await);
    let listed = world.store.tokens().await.expect("tokens can be read");
    assert_eq!(listed.iter().map(|token| token.name.as_str()).collect::<Vec<_>>(), ["backup", "deploy"]);
}

pub async fn another_process_knows_a_token_at_once<H: Harness>() {
    let world = World::<H>::new();
    let other = world.open();
    add(&world, token("deploy", 1)).await;
    let hash = TokenHash([1; 32]);
    assert!(other.token(hash).await.expect("tokens can be read").is_some());
    assert!(other.revoke_token("deploy".to_owned()).await.expect("tokens can be revoked"));
    assert_eq!(find(&world, 1).await, None);
}
