//! The supervisor of one program: a small process that ends the program and all its descendants when the attempt must
//! stop, when the program has ended, and when the worker was killed.

#[cfg(unix)]
mod descendants;
#[cfg(unix)]
mod passed_descriptor;
#[cfg(unix)]
pub(crate) mod passed_file;
#[cfg(unix)]
pub(crate) mod protocol;
#[cfg(unix)]
pub(crate) mod supervised;
#[cfg(unix)]
pub(crate) mod supervisor;
pub(crate) mod supervisor_program;
