//! That the documentation of the crate has what a newcomer looks for. Whether its examples compile, the doc tests say.

#![expect(clippy::unwrap_used, reason = "the lint knows tests, but not the functions that they share")]

use std::path::Path;

use longshore::{Job, Payload};
use serde::{Deserialize, Serialize};

/// The files with the public methods of `Queue`, `Worker` and `CurrentAttempt`.
const METHODS: [&str; 9] = [
    "queue.rs",
    "queue/actions.rs",
    "queue/enqueueing.rs",
    "queue/reading.rs",
    "sqlite.rs",
    "worker.rs",
    "worker/handlers.rs",
    "worker/run.rs",
    "worker/settings.rs",
];

fn source(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file)).unwrap()
}

/// The public methods of a file, each with whether its documentation has an example.
fn methods(file: &str) -> Vec<(String, bool)> {
    let source = source(file);
    let lines: Vec<&str> = source.lines().collect();
    let is_public =
        |line: &str| ["pub fn ", "pub async fn ", "pub const fn "].iter().any(|word| line.starts_with(word));
    let methods = lines.iter().enumerate().filter(|(_, line)| is_public(line.trim_start()) && line.starts_with("    "));
    let described = methods.map(|(index, line)| {
        let above = lines[..index].iter().rev().map(|line| line.trim_start());
        let has_example =
            above.take_while(|line| line.starts_with("///") || line.starts_with("#[")).any(|line| line == "/// ```");
        (format!("{file}: {}", line.trim()), has_example)
    });
    described.collect()
}

#[test]
fn every_public_method_of_a_queue_a_worker_and_an_attempt_has_an_example() {
    let methods: Vec<_> = METHODS.into_iter().chain(["handler/current_attempt.rs"]).flat_map(methods).collect();
    let without: Vec<_> = methods.iter().filter(|(_, has_example)| !has_example).map(|(method, _)| method).collect();
    assert!(without.is_empty(), "{without:#?}");
    assert!(methods.len() > 60, "only {} methods were found", methods.len());
}

#[test]
fn the_front_page_shows_thirteen_types() {
    let source = source("lib.rs");
    let mut shown: Vec<&str> = Vec::new();
    let mut above = "";
    for line in source.lines() {
        let is_shown = !above.contains("hidden") && !above.contains("cfg");
        if let Some(names) = line.strip_prefix("pub use ").filter(|_| is_shown) {
            let names = names.trim_end_matches(';').rsplit("::").next().unwrap_or_default();
            shown.extend(names.trim_matches(['{', '}']).split(", "));
        }
        above = line;
    }
    shown.sort_unstable();
    let expected = [
        "CurrentAttempt",
        "Done",
        "FailureType",
        "HandlerError",
        "NewJob",
        "Payload",
        "Priority",
        "Queue",
        "RetryPolicy",
        "Schedule",
        "State",
        "Status",
        "Worker",
    ];
    assert_eq!(shown, expected);
}

macro_rules! timed {
    ($name:ident, $word:literal) => {
        #[derive(Job, Serialize, Deserialize)]
        #[job(timeout = $word)]
        struct $name;
        assert_eq!($name.to_job().unwrap().timeout, Some(longshore::job::parse_duration($word).unwrap()), $word);
    };
}

/// The macro has a parser of its own, because a macro cannot use the crates of its user.
#[test]
#[allow(clippy::items_after_statements, reason = "each duration needs a type of its own")]
fn a_duration_in_the_settings_of_a_type_is_the_one_of_the_configuration() {
    timed!(Milliseconds, "500ms");
    timed!(Seconds, "90s");
    timed!(Sec, "90sec");
    timed!(Minutes, "10m");
    timed!(Min, "10min");
    timed!(Hours, "2h");
    timed!(Hour, "2hour");
    timed!(Days, "7d");
    timed!(Weeks, "3w");
    timed!(Several, "1h 30m 5s");
    timed!(Together, "1h30m");
}

/// The macro also reads limits by itself: they must be those of the configuration.
#[test]
#[allow(clippy::items_after_statements, reason = "the limit needs a type")]
fn a_limit_in_the_settings_of_a_type_is_the_one_of_the_configuration() {
    #[derive(Job, Serialize, Deserialize)]
    #[job(concurrency = 50, rate = "1000/1m", burst = 20, retry = "quick")]
    #[job(key = "/customer/tenant~1id", key_concurrency = 2, key_rate = "100/1h 30m")]
    #[job(weights = { acme = 3, "other one" = 2 })]
    struct Sync;
    let declared = r#"
        run = ["true"]
        concurrency = 50
        rate = "1000/1m"
        burst = 20
        key = "/customer/tenant~1id"
        key_concurrency = 2
        key_rate = "100/1h 30m"
        weights = { acme = 3, "other one" = 2 }
    "#;
    let declared: longshore::declared::DeclaredJob = toml::from_str(declared).unwrap();
    let policy = Sync::policy(longshore::handler::HandlerPolicy::default());
    assert_eq!(policy.limit.as_ref(), Some(declared.limit()));

    #[derive(Job, Serialize, Deserialize)]
    struct Plain;
    assert_eq!(Plain::policy(longshore::handler::HandlerPolicy::default()).limit, None);
}
