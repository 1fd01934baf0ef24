//! Who works, and whose death is seen.

mod dead_worker;
mod liveness;
