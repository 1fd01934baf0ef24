use longshore_core::LimitRule;
use tokio_postgres::Error;

use crate::limiting::rules::Rules;
use crate::session::columns::Columns;

/// The place of a ready job in its lane, or in its type and queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) rank: i32,
    pub(super) again: bool,
    pub(super) id: i64,
}

/// A ready job that stands in no lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlainJob {
    pub(super) job_type: String,
    pub(super) queue: String,
    pub(super) head: Head,
    /// Whether its type or its queue has a rule.
    pub(super) is_limited: bool,
}

/// A lane that a claim holds, and its first jobs.
#[derive(Clone, Debug)]
pub(super) struct LaneHeads {
    pub(super) lane: i64,
    pub(super) key_id: i64,
    pub(super) job_type: String,
    pub(super) queue: String,
    /// Empty for the jobs without a key.
    pub(super) limit_key: String,
    /// The rank of its first job, or a lower one if that job is gone.
    pub(super) head_rank: i32,
    pub(super) turn: i64,
    /// How far one job moves its turn.
    pub(super) stride: i64,
    pub(super) heads: Vec<Head>,
    /// Whether there may be more of them.
    pub(super) is_cut: bool,
}

/// Where a lane is in the order of its type and queue: the rank of its first job, its turn and its key.
pub(super) type Place<'a> = (i32, i64, &'a str);

impl LaneHeads {
    /// From the columns of a row behind the id. Its jobs are not known yet.
    pub(super) fn read(
        rules: &Rules,
        lane: i64,
        (job_type, queue): (String, String),
        columns: &mut Columns<'_>,
    ) -> Result<Self, Error> {
        let (key_id, head_rank, turn): (i64, i32, i64) = (columns.read()?, columns.read()?, columns.read()?);
        let limit_key: String = columns.read()?;
        let rule = rules.of_type(&job_type).map(|of| &of.rule);
        let named = Some(limit_key.as_str()).filter(|key| !key.is_empty());
        let stride = rule.map_or_else(|| LimitRule::default().stride(named), |rule| rule.stride(named));
        Ok(Self { lane, key_id, job_type, queue, limit_key, head_rank, turn, stride, heads: Vec::new(), is_cut: false })
    }

    /// Its place when it was read.
    pub(super) fn place(&self) -> Place<'_> {
        (self.head_rank, self.turn, &self.limit_key)
    }

    /// Whether the order has it before its first job, because one before that is gone.
    pub(super) fn is_misplaced(&self) -> bool {
        self.heads.first().is_some_and(|head| head.rank != self.head_rank)
    }
}
