//! The HTTP API, the dashboard and the metrics of a queue, as an axum router that an application can mount, and as a
//! server of its own.
//!
//! It knows no database and no command line: it uses a queue only through [`longshore::Queue`]. Every route is a row of
//! a table ([`endpoint`]) with the right that it needs, so none can be without one. Start reading at [`Web`], then at
//! `api.rs` and `pages.rs`.

mod access;
mod api;
mod assets;
mod audit;
mod diagnosis;
mod endpoint;
mod error;
mod guard;
mod history;
mod input;
mod json;
mod metrics;
mod pages;
mod redaction;
mod search;
mod server;
mod shown;
mod snapshot;
mod state;
mod web;

pub use access::{Access, Identified, Identify, Scope, Scopes, Secret, UnknownScope, queue_of, queue_word};
pub use error::ApiError;
pub use redaction::{InvalidRedaction, Redaction};
pub use server::ServeOptions;
pub use web::Web;
