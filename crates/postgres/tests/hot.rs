//! What a busy queue relies on: plans that stay bounded, claims that stay flat, late transactions that are found, and
//! connections that may end at any time.

#[path = "support/template.rs"]
mod template;

#[path = "hot/by_id.rs"]
mod by_id;
#[path = "hot/limits.rs"]
mod limits;
#[path = "hot/notes.rs"]
mod notes;
#[path = "hot/plans.rs"]
mod plans;
#[path = "hot/reading.rs"]
mod reading;
#[path = "hot/scene.rs"]
mod scene;
#[path = "hot/sessions.rs"]
mod sessions;
#[path = "hot/stragglers.rs"]
mod stragglers;
