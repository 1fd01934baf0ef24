//! A migrated schema, and changes of it.

use longshore_migrate::{
    Source,
    execution::replay::Chain,
    files::script::Dialect,
    schema::{Difference, Schema, differences},
    target::Session,
};
use longshore_migrate_postgres::{Access, PostgresTarget, PostgresTargetOptions};
use longshore_testkit_postgres::{Cluster, TestDatabase};

pub(crate) const SQL: &str = include_str!("fixture.sql");

/// A database in which the fixture was made by hand.
pub(crate) fn migrated() -> TestDatabase {
    let prepare = |url: String| async move {
        let config: tokio_postgres::Config = url.parse().unwrap();
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        let driver = tokio::spawn(connection);
        client.batch_execute(SQL).await.unwrap();
        drop(client);
        driver.await.unwrap().unwrap();
    };
    let hash = longshore_migrate::files::checksum::sha256_hex(SQL.as_bytes());
    Cluster::shared().database_from(&format!("migrate_{}", &hash[..12]), prepare)
}

pub(crate) fn look(database: &TestDatabase) -> PostgresTarget {
    PostgresTarget::open(PostgresTargetOptions::new(database.config()).access(Access::Inspect)).unwrap()
}

/// What is there, in the schema that the fixture makes too, of which a replay tells.
pub(crate) fn observed(database: &TestDatabase) -> Schema {
    let mut target = look(database);
    drop(made_by(&target, "CREATE SCHEMA billing"));
    target.observe().unwrap()
}

/// What a migration of that text makes.
pub(crate) fn made_by(target: &PostgresTarget, text: &str) -> Schema {
    let source = Source::embedded_in(Dialect::Postgres, "app", &[("001_all.up.sql", text)]);
    assert_eq!(source.findings(), []);
    let chain = Chain::replay(target, &source.migrations().iter().collect::<Vec<_>>()).unwrap();
    assert_eq!(chain.broken(), None);
    chain.last()
}

/// How what is there differs from what the text makes.
pub(crate) fn compared(database: &TestDatabase, text: &str) -> Vec<Difference> {
    let mut target = look(database);
    let expected = made_by(&target, text);
    differences(&expected, &target.observe().unwrap()).differences
}
