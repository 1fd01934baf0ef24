//! What a person asks, changes and sees, and what housekeeping does.

pub mod audit;
pub mod edit;
pub mod explain;
pub mod health;
pub mod id_range;
pub mod maintain;
pub mod move_by_hand;
pub mod moved_limits;
pub mod moved_schedules;
pub mod moved_workflows;
pub mod moving;
pub mod page;
pub mod queue;
pub mod stats;
pub mod tokens;
