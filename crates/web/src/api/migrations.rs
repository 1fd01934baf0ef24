use axum::http::StatusCode;
use axum::response::Response;
use longshore_migrate::report::StatusReport;
use longshore_migrate::{MigrateError, Migrator};

use crate::access::Scope;
use crate::endpoint::Endpoint;
use crate::error::ApiError;
use crate::input::Query;
use crate::json::json;
use crate::state::{State, WebState};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/api/v1/migrations", Scope::Read, status)
            .says("Shows the ledger beside what is available and what the schema shows")
            .answers(200, "MigrationStatus")
            .fails(&["404"]),
        Endpoint::get("/api/v1/migrations/verify", Scope::Read, verify)
            .says("Compares the real schema with the ledger")
            .answers(200, "MigrationVerification")
            .fails(&["404"]),
        Endpoint::get("/api/v1/migrations/history", Scope::Read, history)
            .says("Lists every event of the ledger")
            .answers(200, "MigrationHistory")
            .fails(&["404"]),
    ]
}

async fn status(State(state): State, query: Query) -> Result<Response, ApiError> {
    query.end()?;
    read(&state, |migrator| migrator.status().map(|report| json(&report))).await
}

async fn verify(State(state): State, query: Query) -> Result<Response, ApiError> {
    query.end()?;
    read(&state, |migrator| migrator.verify().map(|report| json(&report))).await
}

async fn history(State(state): State, query: Query) -> Result<Response, ApiError> {
    query.end()?;
    read(&state, |migrator| migrator.history(None).map(|report| json(&report))).await
}

/// What the migrations page shows as well.
pub(crate) async fn read<T: Send + 'static>(
    state: &WebState,
    look: impl FnOnce(&mut Migrator<'static>) -> Result<T, MigrateError> + Send + 'static,
) -> Result<T, ApiError> {
    let Some(open) = state.settings().migrations.clone() else {
        return Err(ApiError::new(StatusCode::NOT_FOUND, "no_migrations", "this server does not show migrations")
            .hint("an application that mounts the router names them with Web::migrations"));
    };
    let alone = state.migrating().await;
    let chains = alone.clone();
    let looked = tokio::task::spawn_blocking(move || {
        let mut migrator = open().map_err(|error| unreadable(&error.to_string()))?.chains(chains);
        look(&mut migrator).map_err(|error| unreadable(&error.to_string()))
    });
    looked.await.unwrap_or_else(|_| Err(unreadable("reading the migrations panicked")))
}

/// In how many places the ledger, the files and the schema do not agree.
pub(crate) const fn differences(status: &StatusReport) -> usize {
    status.findings.len() + status.differences.len()
}

fn unreadable(message: &str) -> ApiError {
    tracing::warn!(error = message, "the migrations could not be read");
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "migrations_unreadable", message)
        .hint("run longshore migrate status on the machine of the server")
}
