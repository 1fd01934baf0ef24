//! The server over real connections, on both backends.

mod access;
mod api;
mod client;
mod documents;
mod fuzz;
mod limits;
mod site;
mod streams;
