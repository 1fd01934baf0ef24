//! SQL text: its tokens, and its canonical form.

pub(super) mod canonical;
pub(super) mod cursor;
pub(super) mod keyword;
pub(super) mod literal;
mod operator;
mod piece;
pub(super) mod token;
