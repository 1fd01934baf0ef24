/// Lanes of which a claim need not read the start, as the columns of its statement.
#[derive(Debug, Default)]
pub(super) struct KnownLanes {
    pub(super) job_types: Vec<String>,
    pub(super) queues: Vec<String>,
    pub(super) ranks: Vec<i32>,
    pub(super) lows: Vec<i64>,
}
