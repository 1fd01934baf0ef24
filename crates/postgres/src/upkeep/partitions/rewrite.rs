use longshore_core::{Status, Timestamp};
use postgres_types::Type;

use crate::instant::Instant;
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::sql::{in_schema, sql};
use crate::session::statements::{Parameter, Session};
use crate::store::Parts;
use crate::upkeep::counts::Counts;
use crate::upkeep::duties::Term;
use crate::upkeep::partitions::copy::Copy;
use crate::upkeep::partitions::layout::{Layout, Leaf, TABLES};
use crate::upkeep::partitions::locking::{is_busy, lock_rows, lock_tables};
use crate::upkeep::partitions::retire::range;

/// How many jobs of a partition may be left for it to be rewritten.
const LEFT_MAX: usize = 20_000;
/// How many jobs a rewritten partition may have for another one to be added to it.
const KEPT_MAX: i64 = 50_000;
/// How long a look at all jobs of a partition may take: while nobody waits for it, and while their rows are locked.
const LOOK_TIMEOUT: &str = "20s";
const LOCKED_TIMEOUT: &str = "2s";

/// Replaces a partition by a new one with the jobs of it that are not over, which is joined to the one before it if that
/// came about in the same way. All of it is one transaction.
///
/// First nobody may change rows of the old partitions any more, so what is left in them does not change while it is
/// copied. Then all four tables are locked for a moment, without waiting for anybody for long, and the partitions are
/// exchanged. Whoever waits for that moment sees the new ones. The rows are copied as if they had always been there
/// (FREEZE), so that even a snapshot from before the exchange sees them.
pub(super) struct Rewrite<'a> {
    pub(super) layout: &'a Layout,
    pub(super) leaf: &'a Leaf,
    pub(super) cutoff: Timestamp,
}

/// What became of it.
#[derive(Debug)]
pub(super) enum Rewritten {
    Done {
        /// How many ended jobs are gone.
        removed: u64,
    },
    /// So much is left that deleting the rest costs less, or there are rows that nobody understands.
    TooMany,
    /// Others were in the way.
    Busy,
}

impl Rewrite<'_> {
    pub(super) async fn run(&self, parts: &Parts, term: &Term) -> Result<Rewritten, Fault> {
        match self.attempt(parts, term).await {
            Err(fault) if is_busy(&fault) => {
                tracing::debug!(reason = %fault.reason(), "others were in the way of dropping a partition");
                Ok(Rewritten::Busy)
            }
            done => done,
        }
    }

    async fn attempt(&self, parts: &Parts, term: &Term) -> Result<Rewritten, Fault> {
        let transaction = parts.pool.begin().await?;
        let session: &Session = &transaction;
        if !term.is_current(session).await? {
            return Ok(Rewritten::Busy);
        }
        scan_within(session, LOOK_TIMEOUT).await?;
        if !self.is_worth_it(session).await? {
            return Ok(Rewritten::TooMany);
        }
        let below = self.below(session).await?;
        let sources: Vec<&Leaf> = below.into_iter().chain([self.leaf]).collect();
        if !lock_rows(session, sources.iter().copied()).await? {
            return Ok(Rewritten::Busy);
        }
        scan_within(session, LOCKED_TIMEOUT).await?;
        let mut ids = self.left(session).await?;
        if ids.len() > LEFT_MAX {
            return Ok(Rewritten::TooMany);
        }
        let (counts, removed) = self.over(session).await?;
        if let Some(below) = below {
            ids.extend(all_ids(session, below).await?);
        }
        let target = Leaf::new(sources[0].low, self.leaf.high, true);
        session.client.batch_execute("SET LOCAL statement_timeout = '20s'; SET LOCAL enable_seqscan = off").await?;
        for table in TABLES {
            Copy::prepare(session, table, self.leaf, &target).await?.run(session, &sources, &ids).await?;
        }
        counts.flush(session).await?;
        if !lock_tables(session).await? {
            return Ok(Rewritten::Busy);
        }
        exchange(session, &sources, &target).await?;
        transaction.commit().await?;
        Ok(Rewritten::Done { removed })
    }

    /// Whether few jobs are left, and every row of the partition belongs to a job whose state is known.
    async fn is_worth_it(&self, session: &Session) -> Result<bool, Fault> {
        let parameters: [Parameter<'_>; 2] = [(&self.leaf.low, Type::INT8), (&self.leaf.high, Type::INT8)];
        let row = session.query_opt(sql!("partitions/count_rows"), &parameters).await?;
        let row = row.expect("counts are one row");
        let (jobs, known): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        if jobs != known {
            tracing::warn!(from = self.leaf.low, jobs, known, "a partition has jobs without a state, or the reverse");
            return Ok(false);
        }
        Ok(self.left(session).await?.len() <= LEFT_MAX)
    }

    /// The jobs that are not over.
    async fn left(&self, session: &Session) -> Result<Vec<i64>, Fault> {
        let cutoff = Instant(self.cutoff);
        let limit = i64::try_from(LEFT_MAX + 1).unwrap_or(i64::MAX);
        let [low, high, at] = range(self.leaf, &cutoff);
        let rows = session.query(sql!("partitions/select_survivors"), &[low, high, at, (&limit, Type::INT8)]).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// What is taken from the counts of the queues, and how many jobs that are.
    async fn over(&self, session: &Session) -> Result<(Counts, u64), Fault> {
        let cutoff = Instant(self.cutoff);
        let (mut counts, mut removed) = (Counts::default(), 0);
        for row in session.query(sql!("partitions/count_over"), &range(self.leaf, &cutoff)).await? {
            let columns = &mut Columns::of(&row);
            let (queue, status): (String, Status) = (columns.read()?, columns.status()?);
            let jobs: i64 = columns.read()?;
            counts.add(&queue, status, -jobs);
            removed += jobs.unsigned_abs();
        }
        Ok((counts, removed))
    }

    /// The partition before this one, if it was rewritten before and is not large.
    async fn below(&self, session: &Session) -> Result<Option<&Leaf>, Fault> {
        let Some(below) = self.layout.below(self.leaf).filter(|below| below.is_kept()) else { return Ok(None) };
        let name = below.name("job");
        let count = format!("SELECT count(*) FROM (SELECT FROM longshore.{name} LIMIT {}) AS few", KEPT_MAX + 1);
        let rows = session.client.query_typed(&in_schema(&count, session.schema()), &[]).await?;
        let jobs: i64 = rows[0].try_get(0)?;
        Ok((jobs <= KEPT_MAX).then_some(below))
    }
}

/// Reading a whole table is the fastest way to look at all rows of it.
async fn scan_within(session: &Session, timeout: &str) -> Result<(), Fault> {
    let settings = format!("SET LOCAL statement_timeout = '{timeout}'; SET LOCAL enable_seqscan = on");
    Ok(session.client.batch_execute(&settings).await?)
}

async fn all_ids(session: &Session, leaf: &Leaf) -> Result<Vec<i64>, Fault> {
    let select = format!("SELECT id FROM longshore.{} ORDER BY id", leaf.name("job"));
    let rows = session.client.query_typed(&in_schema(&select, session.schema()), &[]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// While the tables are locked.
async fn exchange(session: &Session, sources: &[&Leaf], target: &Leaf) -> Result<(), Fault> {
    let mut ddl = String::new();
    for table in TABLES {
        for source in sources {
            ddl += &format!("DROP TABLE longshore.{};", source.name(table));
        }
        let name = format!("longshore.{}", target.name(table));
        ddl += &format!(
            "ALTER TABLE longshore.{table} ATTACH PARTITION {name} {}; ALTER TABLE {name} DROP CONSTRAINT bounds;",
            target.values()
        );
    }
    Ok(session.client.batch_execute(&in_schema(&ddl, session.schema())).await?)
}
