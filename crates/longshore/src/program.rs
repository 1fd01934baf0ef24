//! Jobs of programs that stay.

mod program_spec;

pub use program_spec::{InvalidProgram, ProgramSpec};
