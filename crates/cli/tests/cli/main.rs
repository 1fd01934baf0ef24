//! The program as its users meet it: the real binary in a directory of its own.

mod completions;
mod configuration;
mod database;
mod doctor;
mod enqueue;
mod errors;
mod help;
mod jobs;
mod migrate;
mod queues;
mod sandbox;
mod work;
