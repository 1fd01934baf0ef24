//! What every request passes before its handler, from the outside in.

pub(crate) mod headers;
pub(crate) mod host;
pub(crate) mod identity;
pub(crate) mod origin;
pub(crate) mod time_limit;
