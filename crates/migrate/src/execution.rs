//! Runs migrations: on a scratch database to learn what they make, and on the real one, where losses are counted.

pub mod apply;
pub(crate) mod aside;
pub(crate) mod loss;
pub(crate) mod rehearsal;
pub mod replay;
