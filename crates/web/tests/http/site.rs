use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use longshore::{FailureType, HandlerError, Payload, Queue};
use longshore_core::{JobId, NewJob};
use longshore_testkit_postgres::{Cluster, TestDatabase};
use longshore_web::{Scope, Secret, ServeOptions, Web};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::client::{Answer, Client};

/// What holds the database until the test ends.
enum Place {
    Folder(#[allow(dead_code, reason = "it removes the folder")] TempDir),
    Server(TestDatabase),
}

/// A server on a database of its own.
pub(crate) struct Site {
    pub(crate) queue: Queue,
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<std::io::Result<()>>,
    url: String,
    place: Place,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// Makes a test of each backend.
#[macro_export]
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name($crate::site::Engine::Sqlite).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name($crate::site::Engine::Postgres).await;
            })*
        }
    };
}

impl Site {
    /// A server that is open to its machine.
    pub(crate) async fn open(engine: Engine) -> Self {
        Self::with(engine, Web::open_to_everyone).await
    }

    pub(crate) async fn with(engine: Engine, configure: impl FnOnce(Web) -> Web) -> Self {
        Self::with_options(engine, ServeOptions::default(), configure).await
    }

    pub(crate) async fn with_options(
        engine: Engine,
        options: ServeOptions,
        configure: impl FnOnce(Web) -> Web,
    ) -> Self {
        let (place, url) = match engine {
            Engine::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let url = folder.path().join("queue.db").display().to_string();
                (Place::Folder(folder), url)
            }
            Engine::Postgres => {
                let database = tokio::task::spawn_blocking(|| Cluster::shared().queue()).await.unwrap();
                let url = database.url();
                (Place::Server(database), url)
            }
        };
        let queue = Queue::open(url.clone()).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let web = configure(Web::new(&queue));
        let serving = tokio::spawn(async move {
            web.serve(listener, options, async {
                let _ = stopped.await;
            })
            .await
        });
        Self { queue, address, stop: Some(stop), serving, url, place }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.client().send("GET", path, &[], "").await
    }

    /// Checks every page that a link of another page leads to, beginning with the overview; of those that differ only in
    /// numbers and in values of the query, a few. Returns their paths.
    pub(crate) async fn crawl(&self, headers: &[(&str, &str)], check: impl Fn(&str, &Answer)) -> BTreeSet<String> {
        let (mut found, mut kinds, mut new) = (BTreeSet::new(), BTreeMap::new(), vec!["/".to_owned()]);
        while let Some(path) = new.pop() {
            if found.contains(&path) || count(&mut kinds, &path) > ALIKE_MAX {
                continue;
            }
            let page = self.client().send("GET", &path, headers, "").await;
            check(&path, &page);
            for link in page.body.split(" href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
                let link = link.split('#').next().unwrap_or_default().replace("&amp;", "&");
                if link.starts_with('/') && !link.starts_with("/assets") && !link.starts_with("/api/") {
                    new.push(link);
                }
            }
            found.insert(path);
        }
        found
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.client().send("POST", path, &[("content-type", "application/json")], &body.to_string()).await
    }

    pub(crate) async fn enqueue(&self, job_type: &str) -> JobId {
        let job = NewJob::encode(job_type, &serde_json::json!({ "n": 1 })).unwrap();
        self.queue.enqueue_job(job).await.unwrap().id
    }

    /// Writes that so many jobs were completed in a minute of the past.
    pub(crate) async fn complete(&self, minutes_ago: u32, queue: &str, jobs: u32) {
        match &self.place {
            Place::Folder(_) => {
                let insert = format!(
                    "INSERT INTO job_minutes (minute, queue, completed)
                     VALUES (unixepoch() / 60 - {minutes_ago}, '{queue}', {jobs})"
                );
                longshore::rusqlite::Connection::open(&self.url).unwrap().execute(&insert, []).unwrap();
            }
            Place::Server(database) => {
                let insert = format!(
                    "INSERT INTO longshore.minute (minute, queue, completed)
                     VALUES (date_trunc('minute', now()) - interval '{minutes_ago} minutes', '{queue}', {jobs})"
                );
                tokio::task::block_in_place(|| database.sql(&insert));
            }
        }
    }

    /// A job that became a dead letter.
    pub(crate) async fn dead_letter(&self) -> JobId {
        let id = self.queue.enqueue_job(Fails {}.to_job().unwrap()).await.unwrap().id;
        let failure = || HandlerError::failed(FailureType::ValidationError, "no route");
        let fails = move |_: Fails, _| async move { Err::<(), HandlerError>(failure()) };
        longshore::Worker::new(&self.queue).handle(fails).run_until_drained().await.unwrap();
        id
    }

    /// A newer version of the program migrates the database.
    pub(crate) fn migrate_to_newer(&self) {
        match &self.place {
            Place::Folder(_) => {
                let newer = "INSERT INTO longshore_migrations (source, migration_number, migration_name)
                             VALUES ('longshore', 99, 'newer');
                             CREATE TABLE of_newer (id INTEGER PRIMARY KEY)";
                longshore::rusqlite::Connection::open(&self.url).unwrap().execute_batch(newer).unwrap();
            }
            Place::Server(_) => self.sql(
                "INSERT INTO longshore.longshore_migrations (source, migration_number, migration_name, applied_at)
                 VALUES ('longshore', 99, 'newer', clock_timestamp())",
            ),
        }
    }

    /// And takes that back.
    pub(crate) fn migrate_back(&self) {
        match &self.place {
            Place::Folder(_) => {
                let back = "DELETE FROM longshore_migrations WHERE migration_number = 99; DROP TABLE of_newer";
                longshore::rusqlite::Connection::open(&self.url).unwrap().execute_batch(back).unwrap();
            }
            Place::Server(_) => self.sql("DELETE FROM longshore.longshore_migrations WHERE migration_number = 99"),
        }
    }

    /// Runs SQL on a PostgreSQL server.
    pub(crate) fn sql(&self, statement: &str) {
        let Place::Server(database) = &self.place else { panic!("there is no server") };
        tokio::task::block_in_place(|| database.sql(statement));
    }

    pub(crate) async fn token(&self, name: &str, scopes: &[Scope]) -> String {
        let secret = Secret::random().unwrap();
        let scopes = scopes.iter().map(ToString::to_string).collect();
        let token = longshore_core::NewToken { name: name.to_owned(), hash: secret.hash(), scopes };
        assert!(self.queue.backend().add_token(token).await.unwrap());
        secret.as_str().to_owned()
    }

    /// Another server takes the place of this one, on the same database and at another address.
    pub(crate) async fn restart(&mut self) {
        drop(self.stop.take());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        self.queue = Queue::open(self.url.clone()).await.unwrap();
        let web = Web::new(&self.queue).open_to_everyone();
        let serving = tokio::spawn(async move {
            web.serve(listener, ServeOptions::default(), async {
                let _ = stopped.await;
            })
            .await
        });
        self.stop = Some(stop);
        std::mem::replace(&mut self.serving, serving).await.unwrap().unwrap();
    }

    /// Ends the server as a signal does.
    pub(crate) async fn stop(mut self) -> std::io::Result<()> {
        drop(self.stop.take());
        self.serving.await.unwrap()
    }
}

/// How many pages that are alike a crawl looks at: more than a test has jobs.
const ALIKE_MAX: usize = 12;

/// Counts a path among those that are alike.
fn count(kinds: &mut BTreeMap<String, usize>, path: &str) -> usize {
    let (place, query) = path.split_once('?').unwrap_or((path, ""));
    let place = place.split('/').map(|part| if part.parse::<u64>().is_ok() { "#" } else { part });
    let names = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    let kind = place.collect::<Vec<_>>().join("/") + "?" + &names.collect::<Vec<_>>().join("&");
    let count = kinds.entry(kind).or_default();
    *count += 1;
    *count
}

#[derive(longshore::Job, Serialize, Deserialize)]
#[job(name = "fails", max_retries = 0)]
pub(crate) struct Fails {}
