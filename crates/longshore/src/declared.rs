//! Job types that a configuration file declares, with what does their work: a program, a program that stays, an HTTP
//! target, or workers over HTTP.

mod byte_size;
mod declaration;
mod declared_job;
mod retry_setting;

pub use declaration::InvalidDeclaration;
pub use declared_job::{DeclaredJob, DeclaredKind};
