//! Measures Longshore on a server through its public API.

use std::sync::Arc;

use anyhow::Result;
use longshore::Queue;
use longshore_postgres::tokio_postgres::Client;
use longshore_postgres::{PostgresOptions, PostgresStore, PostgresUrl, Prepare};
use serde::Serialize;

use super::super::batch::{drain_batch, enqueue_batch};
use super::super::blocked::Blocked;
use super::super::own;
use super::super::report::BenchRequest;
use super::super::{PAYLOAD, Rate};
use super::by_hand::ByHand;

/// Rates of Longshore, in jobs a second.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct ServerOwnRates {
    /// One producer that waits for each enqueue.
    pub(super) enqueue_1: Rate,
    /// Sixty-four producers, each of which waits for each enqueue.
    pub(super) enqueue_64: Rate,
    /// One stream in one transaction.
    pub(super) bulk: Rate,
    /// Waiting jobs that are claimed and recorded without a worker.
    pub(super) drain_store: Rate,
    /// Waiting jobs that a worker runs.
    pub(super) drain: Rate,
    /// The same, with the backlog waiting behind them: two million jobs by default.
    pub(super) drain_waiting_2m: Rate,
    /// The same, with as many ended jobs in the tables.
    pub(super) drain_ended_2m: Rate,
    /// Jobs of two thousand keys, of each of which two may run at once.
    pub(super) drain_limited: Rate,
    /// Jobs without a limit, while half the backlog waits behind limits: a million jobs by default.
    pub(super) drain_blocked_1m: Rate,
    /// Jobs of one batch, until the callback of the batch has run.
    pub(super) drain_batch: Rate,
}

impl ServerOwnRates {
    /// The median of each rate over the rounds.
    pub(super) fn median(rounds: &[Self]) -> Self {
        let middle = |rate: fn(&Self) -> Rate| Rate::median(rounds.iter().map(rate).collect());
        Self {
            enqueue_1: middle(|round| round.enqueue_1),
            enqueue_64: middle(|round| round.enqueue_64),
            bulk: middle(|round| round.bulk),
            drain_store: middle(|round| round.drain_store),
            drain: middle(|round| round.drain),
            drain_waiting_2m: middle(|round| round.drain_waiting_2m),
            drain_ended_2m: middle(|round| round.drain_ended_2m),
            drain_limited: middle(|round| round.drain_limited),
            drain_blocked_1m: middle(|round| round.drain_blocked_1m),
            drain_batch: middle(|round| round.drain_batch),
        }
    }
}

/// The queues of the benchmark on one server: each in a schema of its own.
pub(super) struct ServerQueues {
    pub(super) url: PostgresUrl,
    /// The text of the URL.
    pub(super) text: String,
    /// What the names of all schemas begin with.
    pub(super) name: String,
}

impl ServerQueues {
    pub(super) fn by_hand(&self) -> ByHand {
        ByHand { url: self.url.clone(), schema: self.schema("raw") }
    }

    pub(super) fn schema(&self, part: &str) -> String {
        format!("{}_{part}", self.name)
    }

    /// Creates a queue, or opens it by connections of its own.
    pub(super) fn open(&self, part: &str) -> Result<Queue> {
        let options = PostgresOptions::new(self.url.clone().in_schema(&self.schema(part))?);
        let (store, _) = PostgresStore::open_prepared(options, Prepare::Beside)?;
        Ok(Queue::from_backend(Arc::new(store)))
    }

    /// The URL of a queue, for another process.
    pub(super) fn url_of(&self, part: &str) -> String {
        let separator = match self.text.contains("://") {
            true if self.text.contains('?') => '&',
            true => '?',
            false => ' ',
        };
        format!("{}{separator}longshore_schema={}", self.text, self.schema(part))
    }

    pub(super) async fn remove(&self, part: &str) -> Result<()> {
        let sql = format!("DROP SCHEMA IF EXISTS {} CASCADE", self.schema(part));
        Ok(self.by_hand().session().await?.batch_execute(&sql).await?)
    }

    /// Does what the server would do by itself within a minute, so that it does not begin in the middle of a
    /// measurement.
    pub(super) async fn vacuum(&self, part: &str) -> Result<()> {
        let client = self.by_hand().session().await?;
        for table in ["job", "ready", "laned", "lane", "ended"] {
            client.batch_execute(&format!("VACUUM (ANALYZE) {}.{table}", self.schema(part))).await?;
        }
        Ok(())
    }
}

/// Three large queues: with waiting jobs, with ended jobs, and with jobs that wait behind limits.
pub(super) struct ServerCrowds {
    waiting: Queue,
    ended: Queue,
    blocked: Blocked,
}

impl ServerCrowds {
    /// Creates them, with enough jobs for all rounds.
    pub(super) async fn gather(queues: &ServerQueues, request: &BenchRequest) -> Result<Self> {
        let waiting = queues.open("waiting")?;
        own::enqueue_bulk(&waiting, request.backlog + request.jobs * request.rounds).await?;
        queues.vacuum("waiting").await?;
        let ended = queues.open("ended")?;
        add_ended(&queues.by_hand().session().await?, &queues.schema("ended"), request.backlog).await?;
        queues.vacuum("ended").await?;
        let blocked = Blocked::gather(queues.open("blocked")?, request.backlog / 2).await?;
        queues.vacuum("blocked").await?;
        Ok(Self { waiting, ended, blocked })
    }
}

/// Measures one round in new schemas, and on the large queues.
pub(super) async fn measure(queues: &ServerQueues, crowds: &ServerCrowds, jobs: u64) -> Result<ServerOwnRates> {
    let queue = queues.open("own")?;
    let enqueue_1 = own::enqueue_one_by_one(&queue, (jobs / 40).clamp(200, 5_000)).await?;
    let enqueue_64 = own::enqueue_from_many(&queue, (jobs / 2).max(64)).await?;
    let bulk = own::enqueue_bulk(&queue, jobs).await?;

    let light = queues.open("light")?;
    own::enqueue_bulk(&light, jobs).await?;
    own::enqueue_bulk(&crowds.ended, jobs).await?;
    for part in ["own", "light"] {
        queues.vacuum(part).await?;
    }
    let drain_store = own::drain_store(&queue, jobs).await?;
    let drain = own::drain_from(&light, jobs).await?;
    let drain_waiting_2m = own::drain_from(&crowds.waiting, jobs).await?;
    let drain_ended_2m = own::drain_from(&crowds.ended, jobs).await?;
    let limited = queues.open("limited")?;
    own::enqueue_limited(&limited, jobs).await?;
    queues.vacuum("limited").await?;
    let drain_limited = own::drain_from(&limited, jobs).await?;
    let drain_blocked_1m = crowds.blocked.drain(jobs).await?;
    let batch = queues.open("batch")?;
    enqueue_batch(&batch, jobs).await?;
    queues.vacuum("batch").await?;
    let drain_batch = drain_batch(&batch, jobs).await?;
    drop((queue, light, limited, batch));
    for part in ["own", "light", "limited", "batch"] {
        queues.remove(part).await?;
    }
    Ok(ServerOwnRates {
        enqueue_1,
        enqueue_64,
        bulk,
        drain_store,
        drain,
        drain_waiting_2m,
        drain_ended_2m,
        drain_limited,
        drain_blocked_1m,
        drain_batch,
    })
}

/// Inserts ended jobs by hand. Only their number matters.
async fn add_ended(client: &Client, schema: &str, jobs: u64) -> Result<()> {
    let sql = include_str!("add_ended.sql").replace("longshore.", &format!("{schema}."));
    client.execute(&sql, &[&i64::try_from(jobs)?, &PAYLOAD]).await?;
    Ok(())
}
