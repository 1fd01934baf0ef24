//! What a schema means, and where two do not mean the same.

mod equivalents;
mod fixture;
mod mutations;
