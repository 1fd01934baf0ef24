mod schemas;

use axum::response::Response;
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use crate::access::Scope;
use crate::endpoint::Endpoint;
use crate::endpoint::document::{Parameter, Words};
use crate::error::ApiError;
use crate::input::Query;
use crate::json::json as document_answer;
use crate::pages::with_code;
use crate::state::{State, WebState};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/api/v1/openapi.json", Scope::Read, show)
            .without_scope()
            .says("This document")
            .answers(200, "OpenApi"),
    ]
}

async fn show(State(state): State, query: Query) -> Result<Response, ApiError> {
    query.end()?;
    Ok(document_answer(&document(&state.settings().base_path)))
}

/// The document of the API, from the same table as the router.
fn document(base_path: &str) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in super::endpoints() {
        let path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        path[endpoint.method] = operation(&endpoint);
    }
    paths.extend(health());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Longshore",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Durable background jobs. Every path needs a token with the scope that it names, except on a \
                            server that is open to its own machine.",
        },
        "servers": [{ "url": if base_path.is_empty() { "/" } else { base_path } }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas::all(),
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

/// The paths that need no token, which are not in the table.
fn health() -> [(String, Value); 2] {
    let answer = |about: &str| {
        let content = json!({ "application/json": { "schema": reference("Health") } });
        json!({ "description": about, "content": content })
    };
    let path = |summary: &str, responses: Value| {
        let about = "Needs no token.";
        json!({ "get": { "summary": summary, "description": about, "security": [], "responses": responses } })
    };
    let alive = json!({ "200": answer("It does.") });
    let ready = json!({ "200": answer("It is."), "503": answer("It is not; `code` says why.") });
    [
        ("/healthz".to_owned(), path("Whether the process answers", alive)),
        ("/readyz".to_owned(), path("Whether the database answers and its schema is understood", ready)),
    ]
}

fn operation(endpoint: &Endpoint) -> Value {
    let Words { summary, query, headers, body, status, answer, otherwise_200, errors: _ } = &endpoint.words;
    let in_path = names_in(endpoint.path).map(|name| {
        let schema = match name {
            "id" => json!({ "type": "integer", "format": "int64", "minimum": 1 }),
            "worker" => json!({ "type": "string", "pattern": "^http-[A-Za-z0-9_-]{1,59}$" }),
            "step" => json!({ "type": "string", "minLength": 1, "maxLength": 200 }),
            _ => json!({ "type": "string", "minLength": 1, "maxLength": 1000 }),
        };
        json!({ "name": name, "in": "path", "required": true, "schema": schema })
    });
    let in_query = query.iter().map(|parameter| given(parameter, "query"));
    let in_headers = headers.iter().map(|parameter| given(parameter, "header"));
    let parameters: Vec<Value> = in_path.chain(in_query).chain(in_headers).collect();
    let content = match (*answer, endpoint.path) {
        ("", "/metrics") => json!({ "text/plain": { "schema": { "type": "string" } } }),
        ("", _) => json!({ "text/event-stream": { "schema": { "type": "string" } } }),
        (name, _) => json!({ "application/json": { "schema": reference(name) } }),
    };
    let status = if *status == 0 { 200 } else { *status };
    let mut responses = json!({ status.to_string(): { "description": "Done.", "content": content } });
    if let Some(about) = otherwise_200 {
        responses["200"] = json!({ "description": about, "content": content });
    }
    let error = json!({ "application/json": { "schema": reference("Error") } });
    for (status, about) in ERRORS.into_iter().filter(|(status, _)| may_fail(endpoint, status)) {
        responses[status] = json!({ "description": about, "content": error });
    }
    let mut operation = json!({
        "summary": summary,
        "description": needs(endpoint),
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(body) = body {
        let schema = match body.schemas {
            [one] => reference(one),
            several => json!({ "oneOf": several.iter().map(|name| reference(name)).collect::<Vec<_>>() }),
        };
        operation["requestBody"] =
            json!({ "required": body.is_required, "content": { "application/json": { "schema": schema } } });
        if body.schemas.contains(&"JobRequests") {
            operation["requestBody"]["content"]["application/x-ndjson"] = json!({ "schema": { "type": "string" } });
        }
    }
    operation
}

fn needs(endpoint: &Endpoint) -> String {
    let any = || "Needs a token with any scope.".to_owned();
    endpoint.scope.map_or_else(any, |scope| format!("Needs the scope `{scope}`."))
}

fn given(parameter: &Parameter, place: &str) -> Value {
    let Parameter { name, about, is_required, schema } = parameter;
    json!({ "name": name, "in": place, "required": is_required, "description": about, "schema": schema })
}

/// Whether an operation can answer with this error, as far as its method and its path tell.
fn may_fail(endpoint: &Endpoint, status: &str) -> bool {
    let by_rule = match status {
        "404" => endpoint.path.contains('{'),
        // A body that is sent without need is read as well, so that no field is ignored.
        "409" | "413" | "415" | "422" => endpoint.method != "get",
        "410" => endpoint.path.contains("{worker}"),
        _ => true,
    };
    by_rule || endpoint.words.errors.contains(&status)
}

const ERRORS: [(&str, &str); 12] = [
    ("400", "A parameter is not as it must be, or does not exist."),
    ("401", "The request names no known token or user."),
    ("403", "The token does not have the scope, or a page of another site has asked."),
    ("404", "There is no such thing."),
    ("408", "The request took too long."),
    ("409", "The state does not permit it, the lease was lost, or the Idempotency-Key belongs to another request."),
    ("410", "The worker is not registered any more."),
    ("413", "The body is too large."),
    ("415", "The header Content-Type does not say that the body is JSON."),
    ("421", "The host name is not one of this server."),
    ("422", "The body is not as it must be."),
    ("503", "The database does not answer, or its schema is not understood."),
];

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// The names in braces.
fn names_in(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// The same for people: every path with its right and its sentence.
pub(crate) fn readable(state: &WebState) -> Markup {
    html! {
        p { a href=(state.path("/api/v1/openapi.json")) { "The document as OpenAPI 3.1" } }
        table {
            thead { tr { th { "Method" } th { "Path" } th { "Scope" } th { "What it does" } } }
            tbody {
                @for endpoint in super::endpoints() {
                    tr {
                        td { (endpoint.method.to_uppercase()) }
                        td { code { (endpoint.path) } }
                        td { (endpoint.scope.map_or("any", Scope::as_str)) }
                        td {
                            (with_code(endpoint.words.summary))
                            @if !endpoint.words.query.is_empty() || !endpoint.words.headers.is_empty() {
                                ul {
                                    @for parameter in endpoint.words.query.iter().chain(&endpoint.words.headers) {
                                        li { code { (parameter.name) } ": " (with_code(parameter.about)) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(name)) = fields.get("$ref") {
                    found.insert(name.trim_start_matches("#/components/schemas/").to_owned());
                }
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_schema_that_is_named_exists_and_every_one_is_named() {
        let document = document("");
        let mut named = BTreeSet::new();
        references(&document, &mut named);
        let known: BTreeSet<String> = document["components"]["schemas"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(named, known);
    }

    #[test]
    fn an_operation_lists_the_errors_that_it_can_answer() {
        let document = document("");
        let lists =
            |path: &str, method: &str, status: &str| document["paths"][path][method]["responses"][status].is_object();
        let jobs = "/api/v1/jobs";
        assert!(["200", "201", "409", "415", "421"].into_iter().all(|status| lists(jobs, "post", status)));
        assert!(["404", "409", "410", "413", "415", "422"].into_iter().all(|status| !lists(jobs, "get", status)));
        assert!(lists("/api/v1/dead/{id}", "get", "409") && lists("/api/v1/dead/{id}", "get", "404"));
        assert!(lists("/api/v1/workers/{worker}/claim", "post", "410"));
        assert!(lists("/readyz", "get", "503") && !lists("/healthz", "get", "401"));
    }

    #[test]
    fn what_a_request_must_bring_is_required() {
        let document = document("");
        let of = |path: &str, method: &str, name: &str| {
            let parameters = document["paths"][path][method]["parameters"].as_array().unwrap().clone();
            parameters.into_iter().find(|parameter| parameter["name"] == name).unwrap()
        };
        let step = "/api/v1/workers/{worker}/jobs/{id}/steps/{step}";
        assert_eq!(of(step, "get", "claim_number")["required"], true);
        assert_eq!(of("/api/v1/jobs", "get", "limit")["required"], false);
        for name in ["Idempotency-Key", "Prefer", "traceparent"] {
            assert_eq!(of("/api/v1/jobs", "post", name)["in"], "header", "{name}");
        }
    }

    #[test]
    fn every_route_says_what_it_does() {
        for endpoint in super::super::endpoints() {
            assert!(!endpoint.words.summary.is_empty(), "{}", endpoint.path);
            let may_change = endpoint.scope.is_some_and(|scope| scope != Scope::Read);
            assert!(may_change || endpoint.method == "get", "{}", endpoint.path);
        }
    }
}
