use axum::extract::State;
use longshore_core::WorkerRecord;
use maud::{Markup, html};

use super::layout;
use crate::error::ApiError;
use crate::state::WebState;

/// The workers: a handler reads, a pure function draws.
pub(super) async fn show(State(state): State<WebState>) -> Result<Markup, ApiError> {
    let workers = state.backend().workers().await?;
    Ok(layout::page(&state, "Workers", &draw(&workers)))
}

fn draw(workers: &[WorkerRecord]) -> Markup {
    html! {
        table {
            thead { tr { th { "Worker" } th { "Host" } th { "Running" } } }
            tbody {
                @for worker in workers {
                    tr { td { (worker.worker_id) } td { (worker.host) } td { (worker.running.len()) } }
                }
            }
        }
    }
}
