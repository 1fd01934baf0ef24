use std::sync::Arc;

use longshore_combined::{CombineError, CombinedStore, NamedDatabase, Numbering, Opener, Opening};
use longshore_core::{IdRange, StoreError};

use crate::{DatabaseUrl, InvalidDatabaseUrl, Queue, QueueError};

/// Several databases, each with its queues, for [`Queue::open_several`].
///
/// ```
/// use longshore::Databases;
///
/// let databases = Databases::new("postgres://main/app")
///     .database("mail", "postgres://mail-host/jobs", ["mail", "newsletter"])
///     .database("local", "sqlite:local.db", ["thumbnails"]);
/// ```
#[derive(Clone, Debug)]
pub struct Databases {
    all: Vec<Place>,
}

#[derive(Clone, Debug)]
struct Place {
    name: String,
    url: String,
    queues: Vec<String>,
    range: Option<IdRange>,
}

impl Databases {
    /// The database with every queue that no other one names. Its name is `main`.
    pub fn new(url: impl Into<String>) -> Self {
        let main = Place { name: "main".to_owned(), url: url.into(), queues: Vec::new(), range: None };
        Self { all: vec![main] }
    }

    /// Another database: jobs of these queues are enqueued there.
    #[must_use]
    pub fn database(
        mut self,
        name: impl Into<String>,
        url: impl Into<String>,
        queues: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let queues = queues.into_iter().map(Into::into).collect();
        self.all.push(Place { name: name.into(), url: url.into(), queues, range: None });
        self
    }

    /// The range of ids of the database that was named last, which is otherwise chosen when it is prepared. All programs
    /// must agree on it.
    #[must_use]
    pub fn number(mut self, range: IdRange) -> Self {
        if let Some(last) = self.all.last_mut() {
            last.range = Some(range);
        }
        self
    }

    /// Before anything is opened: otherwise the one database takes the number that is for the other one.
    fn check(&self) -> Result<(), QueueError> {
        let urls = self.all.iter().map(|place| place.url.parse::<DatabaseUrl>());
        let urls = urls.collect::<Result<Vec<_>, InvalidDatabaseUrl>>()?;
        for (place, second) in urls.iter().enumerate() {
            if let Some(first) = urls[..place].iter().position(|first| first.is_same_database(second)) {
                let [first, second] = [first, place].map(|place| Arc::<str>::from(self.all[place].name.as_str()));
                return Err(CombineError::SameDatabase { first, second }.into());
            }
        }
        Ok(())
    }
}

impl Queue {
    /// Opens several databases as one queue, each as [`Queue::open`] does.
    ///
    /// Each job is enqueued in the database of its queue; workers, reads and changes see all of them. A database that
    /// cannot be reached is opened as soon as it can be, and the others go on without it. What no transaction can cover
    /// is refused: a parent in another database, and one call with jobs for several. A unique key holds among the jobs
    /// of one database. In a transaction of the application a job comes into the database of that transaction, whatever
    /// its queue, and is worked there.
    ///
    /// ```
    /// use longshore::{Databases, NewJob, Queue};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let databases = Databases::new("app.db").database("mail", "mail.db", ["mail"]);
    /// let queue = Queue::open_several(databases).await?;
    /// queue.enqueue_job(NewJob::encode("send", "ada@example.org")?.queue("mail")).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn open_several(databases: Databases) -> Result<Self, QueueError> {
        databases.check()?;
        let mut named = Vec::new();
        for Place { name, url, queues, range } in databases.all {
            let opening = match Self::open(url.clone()).await {
                Ok(queue) => Opening::Open(Arc::clone(queue.backend())),
                Err(QueueError::Store(error @ StoreError::Outside(_))) if error.is_passing() => {
                    Opening::Later { error, open: opener(url) }
                }
                Err(error) => return Err(error),
            };
            named.push(NamedDatabase { name, queues, range, opening });
        }
        if named.iter().all(|database| matches!(database.opening, Opening::Later { .. })) {
            let first = named.swap_remove(0);
            if let Opening::Later { error, .. } = first.opening {
                return Err(error.into());
            }
        }
        Ok(Self::from_backend(Arc::new(CombinedStore::open(named, Numbering::Assign).await?)))
    }
}

fn opener(url: String) -> Opener {
    Arc::new(move || match Queue::open_blocking(&url) {
        Ok(queue) => Ok(Arc::clone(queue.backend())),
        Err(QueueError::Store(error)) => Err(error),
        // The URL may hold a password, so the error does not repeat it.
        Err(error) => {
            let (database, source) = ("the database".into(), error.to_string().into());
            Err(StoreError::Backend { database, doing: "opening it", source })
        }
    })
}
