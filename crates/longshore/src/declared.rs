//! Job types that a configuration file declares, with what does their work: a program, a program that stays, or an HTTP
//! target.

mod byte_size;
mod declared_job;
mod retry_setting;

pub use declared_job::{DeclaredJob, DeclaredKind, InvalidDeclaration};
