//! A job whose worker died runs alone in its process.

pub(crate) mod gate;
pub(crate) mod isolation;
