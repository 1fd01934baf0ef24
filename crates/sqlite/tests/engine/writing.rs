//! The writer: groups, checkpoints, faults.

mod checkpoint;
mod fault;
mod group;
mod own_thread;
mod panics;
