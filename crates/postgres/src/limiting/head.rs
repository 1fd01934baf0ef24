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
#[derive(Debug)]
pub(super) struct LaneHeads {
    pub(super) lane: i64,
    pub(super) key_id: i64,
    pub(super) job_type: String,
    pub(super) queue: String,
    /// Empty for the jobs without a key.
    pub(super) limit_key: String,
    pub(super) turn: i64,
    /// How far one job moves its turn.
    pub(super) stride: i64,
    pub(super) heads: Vec<Head>,
    /// Whether there may be more of them.
    pub(super) is_cut: bool,
}
