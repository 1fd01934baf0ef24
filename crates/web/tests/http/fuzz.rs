//! Requests that are made from the document of the API, and broken ones: none may give a 5xx or a stray body.

use serde_json::{Value, json};

use crate::on_both;
use crate::site::{Engine, Site};

on_both!(no_request_that_the_document_describes_or_distorts_is_answered_with_5xx);

/// A generator with a fixed seed, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % below
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.next(all.len())]
    }
}

const WORDS: [&str; 22] = [
    "a",
    "",
    "0",
    "1",
    "-1",
    "2",
    "9223372036854775807",
    "9223372036854775808",
    "1e309",
    "NaN",
    "null",
    "true",
    "\u{0}",
    "\u{202e}<script>alert(1)</script>",
    "'; DROP TABLE job_queue; --",
    "../../etc/passwd",
    "%",
    "%zz",
    "2099-01-01T00:00:00Z",
    "0000-00-00T99:99:99Z",
    "pending",
    "ünïcode \u{1f600}",
];

/// A worker that is registered, so that requests of workers reach further.
const WORKER: &str = "http-fuzz";

/// A value that fits the schema, or one that does not.
fn value(document: &Value, schema: &Value, random: &mut Random, depth: usize) -> Value {
    if random.next(6) == 0 || depth > 5 {
        let odd =
            [json!(null), json!([]), json!({}), json!(-1), json!(1.5), json!(i64::MAX), json!(*random.pick(&WORDS))];
        return random.pick(&odd).clone();
    }
    if let Some(name) = schema["$ref"].as_str() {
        return value(document, document.pointer(name.trim_start_matches('#')).unwrap(), random, depth + 1);
    }
    for several in ["anyOf", "oneOf"] {
        if let Some(all) = schema[several].as_array() {
            let one = random.pick(all).clone();
            return value(document, &one, random, depth + 1);
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        return random.pick(words).clone();
    }
    if let Some(examples) = schema["examples"].as_array()
        && random.next(2) == 0
    {
        return random.pick(examples).clone();
    }
    match schema["type"].as_str() {
        Some("integer") => json!(*random.pick(&[0_i64, 1, 2, 5, 1000, i64::MAX, i64::MIN])),
        Some("number") => json!(*random.pick(&[0.0, 1.5, 1e18, -3.0])),
        Some("boolean") => json!(random.next(2) == 0),
        Some("string") => json!(*random.pick(&WORDS)),
        Some("array") => {
            let items = (0..random.next(4)).map(|_| value(document, &schema["items"], random, depth + 1));
            Value::Array(items.collect())
        }
        Some("object") => {
            let mut object = serde_json::Map::new();
            let required: Vec<&str> =
                schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            for (name, field) in schema["properties"].as_object().into_iter().flatten() {
                if required.contains(&name.as_str()) || random.next(3) == 0 {
                    object.insert(name.clone(), value(document, field, random, depth + 1));
                }
            }
            if random.next(8) == 0 {
                object.insert("surprise".to_owned(), json!(1));
            }
            Value::Object(object)
        }
        _ => json!({ "any": [*random.pick(&WORDS)] }),
    }
}

fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn target(document: &Value, path: &str, operation: &Value, random: &mut Random) -> String {
    let (mut path, mut query) = (path.to_owned(), Vec::new());
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap();
        if parameter["in"] == "header" {
            continue;
        }
        let drawn = value(document, &parameter["schema"], random, 0);
        if name == "worker" && random.next(4) > 0 {
            path = path.replace("{worker}", WORKER);
        } else if parameter["in"] == "path" {
            // An empty name is another path.
            let drawn = Some(word(&drawn)).filter(|word| !word.is_empty()).unwrap_or_else(|| "1".to_owned());
            path = path.replace(&format!("{{{name}}}"), &escaped(&drawn));
        } else if random.next(2) == 0 {
            query.push(format!("{name}={}", escaped(&word(&drawn))));
        }
    }
    if random.next(10) == 0 {
        query.push((*random.pick(&["surprise=1", "limit=1&limit=2", "%", "a=%00", "=", "&&"])).to_owned());
    }
    if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
}

async fn no_request_that_the_document_describes_or_distorts_is_answered_with_5xx(engine: Engine) {
    let site = Site::open(engine).await;
    site.enqueue("a").await;
    site.dead_letter().await;
    let document = site.get("/api/v1/openapi.json").await.json();
    let worker = json!({ "job_types": ["a"], "worker_id": WORKER });
    let mut random = Random(7);
    let mut asked = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        // A request before may have retired it.
        assert_eq!(site.post("/api/v1/workers", &worker).await.status, 201);
        for (method, operation) in operations.as_object().unwrap() {
            // A stream has no end.
            let is_stream = operation["responses"]["200"]["content"]["text/event-stream"].is_object();
            for _ in 0..12 {
                let target = target(&document, path, operation, &mut random);
                if is_stream && !target.contains("surprise") {
                    continue;
                }
                let described = &operation["requestBody"]["content"]["application/json"]["schema"];
                let body = match described {
                    Value::Null => String::new(),
                    schema if random.next(8) > 0 => value(&document, schema, &mut random, 0).to_string(),
                    _ => (*random.pick(&["{", "[", "\"", "[[[[", "nul", "\u{feff}{}"])).to_owned(),
                };
                let method = method.to_uppercase();
                let headers = [("content-type", "application/json")];
                let answer = site.client().send(&method, &target, &headers, &body).await;
                assert!(answer.status < 500, "{method} {target} {body}: {answer:?}");
                let is_described = operation["responses"][answer.status.to_string()].is_object();
                assert!(is_described, "the document does not say so: {method} {target} {body}: {answer:?}");
                if answer.status >= 400 {
                    assert!(!answer.code().is_empty(), "{method} {target} {body}: {answer:?}");
                }
                asked += 1;
            }
        }
    }
    assert!(asked > 300, "{asked}");
    assert_eq!(site.get("/readyz").await.status, 200);
}
