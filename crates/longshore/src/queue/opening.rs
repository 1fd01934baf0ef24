use std::thread;

use tokio::sync::oneshot;

use crate::{DatabaseUrl, Queue, QueueError};

impl Queue {
    /// Opens `sqlite:PATH`, a bare path or `postgres://…`, see [`DatabaseUrl`]. Creates a file that does not exist. If
    /// the database never held jobs, adds the queue's tables beside its own. If the process is killed meanwhile, the
    /// next call continues.
    ///
    /// If the tables are older, newer or other than this version expects, returns an error with the command to run and
    /// changes nothing. It runs on its own thread, so any executor may await it. If the future is dropped, the database
    /// is still opened, and closed again.
    ///
    /// ```
    /// # use longshore::Queue;
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let queue = Queue::open("app.db").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn open(url: impl Into<String>) -> Result<Self, QueueError> {
        let url = url.into();
        let (reply, answer) = oneshot::channel();
        let opening = move || {
            // The caller may have dropped the future.
            let _ = reply.send(Self::open_blocking(&url));
        };
        thread::Builder::new()
            .name("longshore-open".to_owned())
            .spawn(opening)
            .map_err(|source| QueueError::Thread { source })?;
        answer.await.expect("opening a database does not panic")
    }

    /// [`Queue::open`] for code that is not async.
    ///
    /// ```
    /// # use longshore::Queue;
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let queue = Queue::open_blocking("sqlite:app.db")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn open_blocking(url: &str) -> Result<Self, QueueError> {
        match url.parse()? {
            #[cfg(feature = "sqlite")]
            DatabaseUrl::Sqlite(path) => Ok(Self::open_with(crate::sqlite::SqliteOptions::new(path))?),
            #[cfg(not(feature = "sqlite"))]
            DatabaseUrl::Sqlite(_) => Err(crate::InvalidDatabaseUrl::WithoutSqlite.into()),
            #[cfg(feature = "postgres")]
            DatabaseUrl::Postgres(url) => Ok(Self::open_postgres_with(crate::postgres::PostgresOptions::new(*url))?),
        }
    }
}
