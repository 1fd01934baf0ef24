//! What a person does to jobs: retry, cancel, delete, reprioritise, edit; and which jobs a selection means.

pub(crate) mod action;
pub(crate) mod edit;
pub(crate) mod keepers;
pub(crate) mod page;
pub(crate) mod selection;
