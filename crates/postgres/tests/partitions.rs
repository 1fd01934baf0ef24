//! What becomes of old jobs with their partitions: who stays, who never waits for it, and what prevents it.

#[path = "support/template.rs"]
mod template;

#[path = "partitions/beside.rs"]
mod beside;
#[path = "partitions/cuts.rs"]
mod cuts;
#[path = "partitions/left.rs"]
mod left;
#[path = "partitions/made.rs"]
mod made;
#[path = "partitions/rights.rs"]
mod rights;
#[path = "partitions/scene.rs"]
mod scene;
