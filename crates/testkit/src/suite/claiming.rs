//! Who gets a job, once, and who hears of it.

pub mod claim;
pub mod fence;
pub mod offer;
pub mod repeat;
pub mod suspect;
pub mod wakeup;
