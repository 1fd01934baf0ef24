use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use longshore_postgres::tokio_postgres::{Client, Config, Error, NoTls, SimpleQueryMessage};
use tokio::runtime::{Builder, Runtime};

use crate::PATIENCE;

/// The database in which the queue is.
pub(crate) const DATABASE: &str = "jobs";
/// How long one question may take.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Rows as texts; NULL is empty.
pub(crate) type Rows = Vec<Vec<String>>;

/// A superuser who looks at the primary directly, past every proxy.
pub(crate) struct Observer {
    port: AtomicU16,
    runtime: Runtime,
    client: Mutex<Option<Client>>,
}

impl Observer {
    pub(crate) fn of(port: u16) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        Self { port: AtomicU16::new(port), runtime, client: Mutex::default() }
    }

    /// Another server is the primary now.
    pub(crate) fn turn_to(&self, port: u16) {
        self.port.store(port, Ordering::SeqCst);
        *self.client.lock().unwrap() = None;
    }

    /// None while the server does not answer.
    pub(crate) fn try_rows(&self, sql: &str) -> Option<Rows> {
        let mut client = self.client.lock().unwrap();
        let kept = client.take().filter(|client| !client.is_closed());
        let asked = async {
            let asking = match kept {
                Some(client) => client,
                None => self.connect().await?,
            };
            let messages = asking.simple_query(sql).await?;
            Ok::<_, Error>((asking, messages))
        };
        let answer = self.runtime.block_on(async { tokio::time::timeout(ANSWER_MAX, asked).await });
        let (kept, messages) = answer.ok()?.ok()?;
        *client = Some(kept);
        Some(messages.iter().filter_map(texts).collect())
    }

    /// Asks until the server answers.
    pub(crate) fn rows(&self, sql: &str) -> Rows {
        let begun = Instant::now();
        loop {
            if let Some(rows) = self.try_rows(sql) {
                return rows;
            }
            assert!(begun.elapsed() < PATIENCE, "no answer to {sql}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The number that a statement gives.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.rows(sql)[0][0].parse().unwrap()
    }

    /// A connection for a transaction of its own, with the runtime that drives it.
    pub(crate) fn apart(&self) -> Option<(Runtime, Client)> {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let client = runtime.block_on(self.connect()).ok()?;
        Some((runtime, client))
    }

    async fn connect(&self) -> Result<Client, Error> {
        let mut config = Config::new();
        config.host("127.0.0.1").port(self.port.load(Ordering::SeqCst)).user("postgres").dbname(DATABASE);
        let (client, connection) = config.connect_timeout(ANSWER_MAX).connect(NoTls).await?;
        // The next call of the client returns the same error.
        tokio::spawn(async move { drop(connection.await) });
        Ok(client)
    }
}

fn texts(message: &SimpleQueryMessage) -> Option<Vec<String>> {
    let SimpleQueryMessage::Row(row) = message else { return None };
    Some((0..row.len()).map(|column| row.get(column).unwrap_or_default().to_owned()).collect())
}
