pub(crate) mod search_rounds;
pub(crate) mod worker_watches;
