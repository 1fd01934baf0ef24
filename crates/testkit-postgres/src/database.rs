use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::{Client, Config};

use crate::cluster::Address;
use crate::session;

/// A database of one test. It is dropped with the value, and the sessions in it are ended.
#[derive(Debug)]
pub struct TestDatabase {
    address: Address,
    name: String,
}

impl TestDatabase {
    pub(crate) fn create(address: &Address, template: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        address.administer(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        address.administer(&format!("CREATE DATABASE {name} OWNER app TEMPLATE {template}"));
        Self { address: address.clone(), name }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its URL over TCP, for the role `app`: the owner of the database, no superuser, without a password.
    #[must_use]
    pub fn url(&self) -> String {
        self.address.url("app", &self.name)
    }

    /// The same for the superuser `postgres`.
    #[must_use]
    pub fn admin_url(&self) -> String {
        self.address.url("postgres", &self.name)
    }

    /// Its URL through another port of this machine: a proxy, a pool, or a replica of its server.
    #[must_use]
    pub fn url_through(&self, port: u16) -> String {
        Address { port, ..self.address.clone() }.url("app", &self.name)
    }

    /// What tokio-postgres connects to, over the Unix socket, for the role `app`.
    #[must_use]
    pub fn config(&self) -> Config {
        self.address.config("app", &self.name)
    }

    /// The same for the superuser `postgres`.
    #[must_use]
    pub fn admin_config(&self) -> Config {
        self.address.config("postgres", &self.name)
    }

    /// A session of the role `app`; its connection runs in a task of the current runtime.
    pub async fn connect(&self) -> Client {
        session::connect(&self.config()).await.expect("the test database accepts a connection")
    }

    /// Runs SQL as the role `app` in a session of its own, and gives the rows as texts.
    pub fn sql(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        session::query(&self.config(), sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"))
    }

    /// The same for SQL that may be refused, with the message of the server.
    pub fn try_sql(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, String> {
        session::query(&self.config(), sql)
            .map_err(|error| error.as_db_error().map_or_else(|| error.to_string(), |said| said.message().to_owned()))
    }

    /// Runs SQL as the superuser `postgres` in a session of its own.
    pub fn admin_sql(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        session::query(&self.admin_config(), sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"))
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // A private server may be stopped by now; its folder is removed with all its databases.
        drop(self.address.try_administer(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)));
    }
}

/// Drops the databases of test processes that were killed.
pub(crate) fn drop_abandoned(address: &Address) {
    let names = address.administer("SELECT datname FROM pg_database WHERE datname LIKE 'test\\_%'");
    for name in names.into_iter().filter_map(|row| row.into_iter().next().flatten()) {
        let owner = name.split('_').nth(1).unwrap_or_default();
        if Path::new("/proc/self").exists() && !Path::new("/proc").join(owner).exists() {
            // Another process may drop it at the same time.
            drop(address.try_administer(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")));
        }
    }
}
