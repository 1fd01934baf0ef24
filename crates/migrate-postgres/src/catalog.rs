//! Reads the meaning of schemas from the catalog.
//!
//! PostgreSQL keeps expressions as trees and writes them out in one form, so only little is left to be made canonical.
//! Everything is read with an empty search_path, so that every name outside of pg_catalog has its schema. Names of
//! constraints and the order of columns are not part of the meaning. Begin reading at [`CatalogReader`].

mod canonical;
mod column;
mod constraint;
mod index_text;
mod names;
mod owner;
mod part;
mod reach;
mod reader;
mod routine;
mod sequence;
mod table;

pub(crate) use names::{Names, quoted};
pub(crate) use owner::names_any;
pub(crate) use reach::Reach;
pub(crate) use reader::{CatalogReader, queries};
