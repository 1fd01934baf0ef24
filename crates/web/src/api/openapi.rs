mod schemas;

use axum::response::Response;
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use crate::access::Scope;
use crate::endpoint::Endpoint;
use crate::endpoint::document::Words;
use crate::error::ApiError;
use crate::input::Query;
use crate::json::json as document_answer;
use crate::state::{State, WebState};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint::get("/api/v1/openapi.json", Scope::Read, show).says("This document").answers(200, "OpenApi")]
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

fn operation(endpoint: &Endpoint) -> Value {
    let Words { summary, query, body, status, answer } = &endpoint.words;
    let in_path = names_in(endpoint.path).map(|name| {
        let schema = match name {
            "id" => json!({ "type": "integer", "format": "int64", "minimum": 1 }),
            "worker" => json!({ "type": "string", "pattern": "^http-[A-Za-z0-9_-]{1,59}$" }),
            "step" => json!({ "type": "string", "minLength": 1, "maxLength": 200 }),
            _ => json!({ "type": "string", "minLength": 1, "maxLength": 1000 }),
        };
        json!({ "name": name, "in": "path", "required": true, "schema": schema })
    });
    let in_query = query.iter().map(|parameter| {
        json!({
            "name": parameter.name, "in": "query", "required": false, "description": parameter.about,
            "schema": parameter.schema,
        })
    });
    let parameters: Vec<Value> = in_path.chain(in_query).collect();
    let content = match (*answer, endpoint.path) {
        ("", "/metrics") => json!({ "text/plain": { "schema": { "type": "string" } } }),
        ("", _) => json!({ "text/event-stream": { "schema": { "type": "string" } } }),
        (name, _) => json!({ "application/json": { "schema": reference(name) } }),
    };
    let status = if *status == 0 { 200 } else { *status };
    let mut responses = json!({ status.to_string(): { "description": "Done.", "content": content } });
    let error = json!({ "application/json": { "schema": reference("Error") } });
    for (status, about) in ERRORS {
        responses[status] = json!({ "description": about, "content": error });
    }
    let mut operation = json!({
        "summary": summary,
        "description": format!("Needs the scope `{}`.", endpoint.scope),
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

const ERRORS: [(&str, &str); 11] = [
    ("400", "A parameter is not as it must be."),
    ("401", "The request names no known token or user."),
    ("403", "The token does not have the scope, or a page of another site has asked."),
    ("404", "There is no such thing."),
    ("409", "The state does not permit it, or the lease was lost."),
    ("410", "The worker is not registered any more."),
    ("413", "The body is too large."),
    ("415", "The body is not JSON."),
    ("422", "The body is not as it must be."),
    ("429", "Too many attempts."),
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
                        td { (endpoint.scope) }
                        td {
                            (endpoint.words.summary)
                            @if !endpoint.words.query.is_empty() {
                                ul {
                                    @for parameter in &endpoint.words.query {
                                        li { code { (parameter.name) } ": " (parameter.about) }
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
    fn every_route_says_what_it_does() {
        for endpoint in super::super::endpoints() {
            assert!(!endpoint.words.summary.is_empty(), "{}", endpoint.path);
            assert!(endpoint.scope != Scope::Read || endpoint.method == "get", "{}", endpoint.path);
        }
    }
}
