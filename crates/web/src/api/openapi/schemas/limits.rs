use serde_json::{Value, json};

use super::{Named, closed, flag, instant, list, named, object, or_null, text, whole, words};

fn count() -> Value {
    json!({ "type": "integer", "minimum": 1, "maximum": 1_000_000 })
}

fn rate() -> Value {
    json!({ "type": "string", "examples": ["1000/1m", "5/1s"] })
}

fn weights() -> Value {
    json!({ "type": "object", "additionalProperties": { "type": "integer", "minimum": 1, "maximum": 1000 } })
}

/// Limits and what they hold.
pub(super) fn schemas() -> Vec<Named> {
    let of_type = [
        ("concurrency", count()),
        ("rate", rate()),
        ("burst", count()),
        ("key", json!({ "type": "string", "examples": ["/tenant_id"] })),
        ("key_concurrency", count()),
        ("key_rate", rate()),
        ("weights", weights()),
    ];
    let scope = || words(["queue", "type", "key"]);
    let limit = [
        ("scope", scope()),
        ("name", text()),
        ("key", or_null(text())),
        ("concurrency", or_null(count())),
        ("running", whole()),
        ("waiting", whole()),
        ("rate", or_null(rate())),
        ("burst", or_null(count())),
        ("opens_at", or_null(instant())),
        ("weight", or_null(whole())),
        ("key_pointer", or_null(text())),
        ("key_concurrency", or_null(count())),
        ("key_rate", or_null(rate())),
        ("weights", weights()),
        ("source", or_null(words(["config", "manual"]))),
    ];
    let limits = ("limits", list(named("Limit")));
    vec![
        ("QueueLimit", closed(&[("concurrency", count())], &["concurrency"])),
        ("TypeLimit", closed(&of_type, &[])),
        ("Limit", object(&limit, &limit.each_ref().map(|(name, _)| *name))),
        ("LimitList", object(std::slice::from_ref(&limits), &["limits"])),
        ("LimitListPage", object(&[limits.clone(), ("next", or_null(text()))], &["limits", "next"])),
        (
            "ChangedLimit",
            object(
                &[("scope", scope()), ("name", text()), ("changed", flag()), limits],
                &["scope", "name", "changed", "limits"],
            ),
        ),
    ]
}
