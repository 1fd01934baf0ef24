//! How many jobs of a queue, a type or a key run at once, and how often they start.

pub(crate) mod backlog;
pub(crate) mod change;
pub(crate) mod claim_bounds;
pub(crate) mod ended;
pub(crate) mod limit_cache;
pub(crate) mod limit_set;
pub(crate) mod limited;
mod limiting;
pub(crate) mod moved;
pub(crate) mod rows;
pub(crate) mod sorting;
pub(crate) mod turns;
pub(crate) mod upkeep;
