pub(crate) mod search_rounds;
pub(crate) mod told_claims;
pub(crate) mod worker_watches;
