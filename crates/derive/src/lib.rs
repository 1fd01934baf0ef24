//! `#[derive(Job)]` of Longshore: a payload type says everything about its jobs in one place.
//!
//! This crate knows only tokens. Use the macro as `longshore::Job`, where it is documented. Start reading at
//! `expand.rs`.

mod duration;
mod expand;
mod fields;
mod limit;
mod setting;
mod settings;

use proc_macro::TokenStream;

/// Implements `longshore::Payload`.
#[proc_macro_derive(Job, attributes(job))]
pub fn derive_job(input: TokenStream) -> TokenStream {
    expand::expand(input.into()).unwrap_or_else(|error| error.to_compile_error()).into()
}
