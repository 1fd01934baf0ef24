//! The pieces that pages are made of. Pure: a value becomes markup.

pub(super) mod chart;
pub(super) mod instant;
pub(super) mod json;
pub(super) mod series;
pub(super) mod table;
pub(super) mod text;
