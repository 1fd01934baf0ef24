use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use longshore_postgres::{PostgresOptions, PostgresStore, PostgresUrl, Prepare, migrations};
use tokio_postgres::{Client, Config, Error};

use crate::database::TestDatabase;
use crate::session;

mod options;
mod private;
mod server;
mod shared;

pub use options::{Options, StopMode};
pub use private::PrivateCluster;
pub(crate) use server::free_port;

/// A running server with the roles `postgres` (superuser) and `app` (none), which need no password on this machine.
#[derive(Debug, Clone)]
pub struct Cluster {
    address: Address,
}

/// How a server is reached.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) port: u16,
    pub(crate) socket_folder: PathBuf,
}

impl Cluster {
    /// The server that all tests of this checkout share, with `fsync` off. The first caller starts it; it stops half a
    /// minute after the last process that used it has ended.
    #[must_use]
    pub fn shared() -> Self {
        Self { address: shared::address() }
    }

    /// A server of this process alone. It stops when the value is dropped or the process ends, in whatever way.
    #[must_use]
    pub fn private(options: &Options) -> PrivateCluster {
        PrivateCluster::start_new(options)
    }

    /// An empty database.
    #[must_use]
    pub fn database(&self) -> TestDatabase {
        TestDatabase::create(&self.address, "template1")
    }

    /// A copy of the template `name`. If there is none, `prepare` gets the URL of an empty database and makes it the
    /// template; it runs once for each server, so the name contains a hash of what it does. It must end its sessions.
    #[must_use]
    pub fn database_from<F>(&self, name: &str, prepare: impl FnOnce(String) -> F + Send) -> TestDatabase
    where
        F: Future<Output = ()>,
    {
        let template = template_name(name);
        session::block_on(async || {
            let admin = session::connect(&self.address.config("postgres", "postgres")).await.expect("a session");
            // Held until the session ends: other processes wait for the template.
            let lock = format!("SELECT pg_advisory_lock(hashtext('{template}'))");
            admin.batch_execute(&lock).await.expect("the lock of a template");
            if !exists(&admin, &template).await {
                self.prepare_template(&admin, &template, prepare).await;
            }
        });
        TestDatabase::create(&self.address, &template)
    }

    /// A database with a queue, which was made once for each server. Faster than opening a queue in an empty database,
    /// which migrates it.
    #[must_use]
    pub fn queue(&self) -> TestDatabase {
        let digest = migrations::longshore("longshore").digest().expect("its migrations are files");
        self.database_from(&format!("queue_{}", &digest[..12]), async |url| {
            let migrate = move || {
                let url: PostgresUrl = url.parse().expect("it is the URL of a server");
                let opened = PostgresStore::open_prepared(PostgresOptions::new(url), Prepare::Latest);
                opened.expect("the database is empty").0.close();
            };
            tokio::task::spawn_blocking(migrate).await.expect("its migrations run");
        })
    }

    /// The TCP port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port
    }

    /// The folder of the Unix socket.
    #[must_use]
    pub fn socket_folder(&self) -> &std::path::Path {
        &self.address.socket_folder
    }

    /// Runs one statement as superuser in the database `postgres`, and gives the rows as texts.
    pub fn sql(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        self.address.administer(sql)
    }

    pub(crate) fn at(address: Address) -> Self {
        Self { address }
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    async fn prepare_template<F>(&self, admin: &Client, template: &str, prepare: impl FnOnce(String) -> F)
    where
        F: Future<Output = ()>,
    {
        let building = format!("{template}_building");
        let run =
            async |sql: String| admin.batch_execute(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        run(format!("DROP DATABASE IF EXISTS {building} WITH (FORCE)")).await;
        run(format!("CREATE DATABASE {building} OWNER app")).await;
        prepare(self.address.url("app", &building)).await;
        until_unused(admin, &building).await;
        run(format!("ALTER DATABASE {building} RENAME TO {template}")).await;
    }
}

impl Address {
    pub(crate) fn url(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/{database}", self.port)
    }

    pub(crate) fn config(&self, role: &str, database: &str) -> Config {
        let mut config = Config::new();
        config.host_path(&self.socket_folder).port(self.port).user(role).dbname(database);
        config.connect_timeout(Duration::from_secs(30)).application_name("longshore tests");
        config
    }

    pub(crate) fn try_administer(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, Error> {
        session::query(&self.config("postgres", "postgres"), sql)
    }

    pub(crate) fn administer(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        self.try_administer(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"))
    }
}

/// A database name: PostgreSQL keeps 63 bytes, some of which are the ending of a template that is being built.
fn template_name(name: &str) -> String {
    let name: String = name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect();
    let name = format!("template_{}", name.to_ascii_lowercase());
    assert!(name.len() <= 54, "the template name {name} is longer than 45 letters");
    name
}

async fn exists(admin: &Client, name: &str) -> bool {
    let row = admin.query_one("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", &[&name]).await;
    row.expect("pg_database is readable").get(0)
}

/// Waits until the last session in a database has ended; a client that was dropped ends a moment later.
async fn until_unused(admin: &Client, database: &str) {
    for _ in 0..500 {
        let row = admin.query_one("SELECT count(*) FROM pg_stat_activity WHERE datname = $1", &[&database]).await;
        if row.expect("pg_stat_activity is readable").get::<_, i64>(0) == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("sessions in the template {database} are still open after 5 s");
}
