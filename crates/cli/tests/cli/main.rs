//! The program as its users meet it: the real binary in a directory of its own.

mod completions;
mod configuration;
mod errors;
mod help;
mod migrate;
mod sandbox;
