//! The move of a running queue from one database to another: [`Mover`] fences the old one, copies, compares, and switches.
//!
//! What a database must do for it is the contract [`Moving`](longshore_core::Moving). Each step is a change of the state
//! that both databases keep, so a move that was interrupted anywhere is carried on, or undone, by the state that it left.
//! It knows no database and no command line. Start with [`Mover::run`], then `standing`.

mod error;
mod mover;
mod report;
mod standing;

pub use error::MoveError;
pub use mover::{MoveOptions, Mover, NewPlace, Place};
pub use report::{MoveListener, MovePlan, MoveReport, MoveStep, UndoReport};
