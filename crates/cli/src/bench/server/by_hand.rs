//! The upper bound on PostgreSQL: hand-written statements with the same shape of tables and the same durability.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use anyhow::{Result, ensure};
use longshore_postgres::tokio_postgres::binary_copy::BinaryCopyInWriter;
use longshore_postgres::tokio_postgres::types::Type;
use longshore_postgres::tokio_postgres::{Client, Statement};
use longshore_postgres::{PostgresUrl, connect};
use serde::Serialize;
use tokio::task::JoinSet;

use super::super::latency::Percentiles;
use super::super::producer::PAUSE;
use super::super::{PAYLOAD, Rate};

const SQL: &str = include_str!("by_hand.sql");

/// Rates of hand-written PostgreSQL, in jobs a second.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct ServerRawRates {
    /// One row in each transaction, from one connection.
    pub insert_1: Rate,
    /// The same from eight connections at once.
    pub insert_8: Rate,
    /// Binary COPY into one table with a primary key and an index for claims.
    pub copy: Rate,
    /// Claimed and finished by one claimer in batches of 500.
    pub finish_500: Rate,
    /// The same by four claimers.
    pub finish_500_by_4: Rate,
    /// Claimed and finished by one claimer in batches of 1000.
    pub finish_1000: Rate,
    /// The same by four claimers.
    pub finish_1000_by_4: Rate,
}

impl ServerRawRates {
    /// The median of each rate over the rounds.
    pub(super) fn median(rounds: &[Self]) -> Self {
        let middle = |rate: fn(&Self) -> Rate| Rate::median(rounds.iter().map(rate).collect());
        Self {
            insert_1: middle(|round| round.insert_1),
            insert_8: middle(|round| round.insert_8),
            copy: middle(|round| round.copy),
            finish_500: middle(|round| round.finish_500),
            finish_500_by_4: middle(|round| round.finish_500_by_4),
            finish_1000: middle(|round| round.finish_1000),
            finish_1000_by_4: middle(|round| round.finish_1000_by_4),
        }
    }
}

/// The database and the schema in which everything by hand is.
#[derive(Clone)]
pub(super) struct ByHand {
    pub(super) url: PostgresUrl,
    pub(super) schema: String,
}

impl ByHand {
    /// A session in which names without a schema are those of this one.
    pub(super) async fn session(&self) -> Result<Client> {
        let (client, task) = connect(&self.url).await?;
        tokio::spawn(task);
        client.batch_execute(&format!("SET search_path = {}; SET enable_seqscan = off", self.schema)).await?;
        Ok(client)
    }

    /// Measures one round in a new schema, which it drops.
    pub(super) async fn measure(&self, jobs: u64) -> Result<ServerRawRates> {
        let client = self.create().await?;
        let singles = (jobs / 40).clamp(200, 5_000);
        let insert_1 = self.insert_from(1, singles).await?;
        let insert_8 = self.insert_from(8, singles * 4).await?;
        let copy = copy(&client, jobs).await?;
        let filled = client.prepare(part(1)).await?;
        let rows = i64::try_from(jobs * 4)?;
        client.execute(&filled, &[&PAYLOAD, &rows]).await?;
        client.batch_execute("VACUUM (ANALYZE) ready, job").await?;
        let rates = ServerRawRates {
            insert_1,
            insert_8,
            copy,
            finish_500: self.finish_by(1, 500, jobs).await?,
            finish_500_by_4: self.finish_by(4, 500, jobs).await?,
            finish_1000: self.finish_by(1, 1000, jobs).await?,
            finish_1000_by_4: self.finish_by(4, 1000, jobs).await?,
        };
        self.drop_schema().await?;
        Ok(rates)
    }

    /// The time of single-row commits, with the pause between the samples of a latency before each.
    pub(super) async fn commits(&self, samples: u64) -> Result<Percentiles> {
        let client = self.create().await?;
        let insert = client.prepare(part(1)).await?;
        let mut times = Vec::new();
        for _ in 0..samples {
            tokio::time::sleep(PAUSE).await;
            let begin = Instant::now();
            client.execute(&insert, &[&PAYLOAD, &1_i64]).await?;
            times.push(begin.elapsed().as_secs_f64() * 1000.0);
        }
        self.drop_schema().await?;
        Ok(Percentiles::of(times))
    }

    async fn create(&self) -> Result<Client> {
        let client = self.session().await?;
        client.batch_execute(&format!("CREATE SCHEMA {}; {}", self.schema, part(0))).await?;
        Ok(client)
    }

    async fn drop_schema(&self) -> Result<()> {
        Ok(self.session().await?.batch_execute(&format!("DROP SCHEMA {} CASCADE", self.schema)).await?)
    }

    async fn insert_from(&self, connections: u64, jobs: u64) -> Result<Rate> {
        let mut sessions = Vec::new();
        for _ in 0..connections {
            let client = self.session().await?;
            let insert = client.prepare(part(1)).await?;
            sessions.push((client, insert));
        }
        let (each, begin) = (jobs / connections, Instant::now());
        let mut producers = JoinSet::new();
        for (client, insert) in sessions {
            producers.spawn(async move {
                for _ in 0..each {
                    client.execute(&insert, &[&PAYLOAD, &1_i64]).await?;
                }
                Ok::<(), anyhow::Error>(())
            });
        }
        while let Some(producer) = producers.join_next().await {
            producer??;
        }
        Ok(Rate::since(each * connections, begin))
    }

    async fn finish_by(&self, claimers: i32, batch: i64, jobs: u64) -> Result<Rate> {
        let left = Arc::new(AtomicI64::new(i64::try_from(jobs)?));
        let mut sessions = Vec::new();
        for worker in 0..claimers {
            let client = self.session().await?;
            let (claim, finish) = (client.prepare(part(2)).await?, client.prepare(part(3)).await?);
            sessions.push(Claimer { client, claim, finish, worker, batch });
        }
        let (begin, mut running) = (Instant::now(), JoinSet::new());
        for claimer in sessions {
            running.spawn(claimer.run(Arc::clone(&left)));
        }
        while let Some(claimer) = running.join_next().await {
            claimer??;
        }
        let done = i64::try_from(jobs)? - left.load(Ordering::Relaxed);
        Ok(Rate::since(u64::try_from(done)?, begin))
    }
}

struct Claimer {
    client: Client,
    claim: Statement,
    finish: Statement,
    worker: i32,
    batch: i64,
}

impl Claimer {
    async fn run(self, left: Arc<AtomicI64>) -> Result<()> {
        // All below the first id of the last claim is taken: the scan need not pass it again.
        let mut from = 0_i64;
        while left.load(Ordering::Relaxed) > 0 {
            let rows = self.client.query(&self.claim, &[&from, &self.batch, &self.worker]).await?;
            let Some(first) = rows.first() else { return Ok(()) };
            let claim_number: i64 = first.try_get("claim_number")?;
            let ids: Vec<i64> = rows.iter().map(|row| row.try_get("id")).collect::<Result<_, _>>()?;
            let finished = self.client.execute(&self.finish, &[&claim_number, &self.worker, &ids]).await?;
            ensure!(finished == ids.len() as u64, "{finished} of {} jobs by hand were finished", ids.len());
            left.fetch_sub(i64::try_from(ids.len())?, Ordering::Relaxed);
            from = ids.iter().copied().min().unwrap_or(1) - 1;
        }
        Ok(())
    }
}

async fn copy(client: &Client, jobs: u64) -> Result<Rate> {
    let columns = "COPY copied (id, queue, priority, job_type, job_data, created_at) FROM STDIN BINARY";
    let types = [Type::INT8, Type::TEXT, Type::INT4, Type::TEXT, Type::TEXT, Type::TIMESTAMPTZ];
    let (begin, now) = (Instant::now(), std::time::SystemTime::now());
    let writer = BinaryCopyInWriter::new(client.copy_in(columns).await?, &types);
    let mut writer = pin!(writer);
    for id in 1..=i64::try_from(jobs)? {
        writer.as_mut().write(&[&id, &"default", &5_i32, &"raw", &PAYLOAD, &now]).await?;
    }
    writer.finish().await?;
    Ok(Rate::since(jobs, begin))
}

/// 0: tables, 1: insert, 2: claim, 3: finish.
fn part(number: usize) -> &'static str {
    let marks = ["\n-- insert\n", "\n-- claim\n", "\n-- finish\n"];
    let rest = number.checked_sub(1).and_then(|before| SQL.split_once(marks[before])).map_or(SQL, |(_, rest)| rest);
    marks.get(number).and_then(|mark| rest.split_once(*mark)).map_or(rest, |(part, _)| part)
}
