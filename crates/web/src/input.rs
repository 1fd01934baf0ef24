//! What a request says: parameters of the query, names in the path, JSON bodies. Everything is bounded and named in its
//! error, and what is not expected is an error too.

pub(crate) mod json_body;
pub(crate) mod pairs;
pub(crate) mod path_names;
pub(crate) mod query;

pub(crate) use json_body::{JsonBody, OptionalBody};
pub(crate) use path_names::{PathId, PathName};
pub(crate) use query::Query;
