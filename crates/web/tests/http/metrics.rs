use std::collections::{BTreeMap, BTreeSet};

use longshore::{FailureType, HandlerError, Job, Payload, Worker};
use longshore_core::{Filter, Selection};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::on_both;
use crate::site::{Engine, Site};

on_both!(
    the_histograms_of_attempts_and_commits_hold_for_hostile_names,
    attempts_of_workers_over_http_are_counted,
    what_ended_before_the_first_scrape_is_counted,
);

/// Names that would end a label, a line or a number if they were not escaped.
const QUEUE: &str = "m\"} 9,=\\ #é";
const TYPE: &str = "le=\"+Inf\"\\n{}";

#[derive(Job, Serialize, Deserialize)]
#[job(name = "le=\"+Inf\"\\n{}", queue = "m\"} 9,=\\ #é", max_retries = 0)]
struct Hostile {
    fails: bool,
}

async fn the_histograms_of_attempts_and_commits_hold_for_hostile_names(engine: Engine) {
    let site = Site::open(engine).await;
    let jobs = [false, false, true].map(|fails| Hostile { fails }.to_job().unwrap());
    site.queue.enqueue_all(jobs.into()).await.unwrap();
    site.enqueue("alone").await;
    let run = |job: Hostile, _| async move {
        if job.fails { Err(HandlerError::failed(FailureType::ConfigError, "no key")) } else { Ok(()) }
    };
    let worker = || Worker::new(&site.queue).handle(run);
    worker().run_until_drained().await.unwrap();

    let before = Metrics::scrape(&site).await;
    let labels = [("queue", QUEUE), ("job_type", TYPE)];
    assert_eq!(before.value("longshore_attempts_started_total", &labels), 3.0);
    assert_eq!(before.value("longshore_attempt_wait_seconds_count", &labels), 3.0);
    assert_eq!(before.value("longshore_attempt_run_seconds_count", &labels), 3.0);
    let with = |name, value| [labels.as_slice(), &[(name, value)]].concat();
    assert_eq!(before.value("longshore_attempts_ended_total", &with("outcome", "completed")), 2.0);
    assert_eq!(before.value("longshore_attempts_ended_total", &with("outcome", "dead_letter")), 1.0);
    assert_eq!(before.value("longshore_attempts_failed_total", &with("failure_type", "config_error")), 1.0);
    assert_eq!(before.value("longshore_schema_understood", &[]), 1.0);
    assert!(before.value("longshore_write_commit_seconds_count", &[]) > 0.0);
    assert!(before.value("longshore_write_requests_sum", &[]) > 0.0);

    // Nothing that was counted goes back, whatever becomes of the jobs.
    site.queue.backend().act(Selection::Matching(Filter::all()), longshore_core::Action::Delete).await.unwrap();
    site.queue.enqueue(&Hostile { fails: false }).await.unwrap();
    worker().run_until_drained().await.unwrap();
    let after = Metrics::scrape(&site).await;
    assert_eq!(after.value("longshore_attempt_run_seconds_count", &labels), 4.0);
    for ((name, labels), value) in &before.samples {
        let is_counted = ["_bucket", "_sum", "_count", "_total"].iter().any(|end| name.ends_with(end));
        let now = after.samples.get(&(name.clone(), labels.clone()));
        assert!(!is_counted || now.is_some_and(|now| now >= value), "{name}{labels:?}: {value}, then {now:?}");
    }
}

async fn attempts_of_workers_over_http_are_counted(engine: Engine) {
    let site = Site::open(engine).await;
    site.enqueue("a").await;
    let worker = site.worker().await;
    let path = format!("/api/v1/workers/{}", worker.id);
    let claim = json!({ "job_types": ["a"], "limit": 1, "wait": "60s", "holds": [] });
    let claimed = site.post(&format!("{path}/claim"), &claim).await.json();
    let job = &claimed["jobs"][0];
    let end = format!("{path}/jobs/{}/complete", job["id"]);
    // Repeated, it gets the same answer and counts nothing.
    for _ in 0..2 {
        let ended = site.post(&end, &json!({ "claim_number": job["claim_number"] })).await;
        assert_eq!(ended.status, 200, "{ended:?}");
    }
    let metrics = Metrics::scrape(&site).await;
    let labels = [("queue", "default"), ("job_type", "a")];
    assert_eq!(metrics.value("longshore_attempts_started_total", &labels), 1.0);
    assert_eq!(metrics.value("longshore_attempt_run_seconds_count", &labels), 1.0);
}

async fn what_ended_before_the_first_scrape_is_counted(engine: Engine) {
    let site = Site::open(engine).await;
    // It answers, so it has begun to count.
    assert_eq!(site.get("/healthz").await.status, 200);
    site.complete(0, "mail", 5).await;
    let metrics = Metrics::scrape(&site).await;
    assert_eq!(metrics.value("longshore_ended_total", &[("queue", "mail"), ("outcome", "completed")]), 5.0);
    assert_eq!(metrics.value("longshore_attempts_total", &[("queue", "mail")]), 5.0);
}

type Labels = BTreeMap<String, String>;

/// A text in the format of Prometheus, read by its rules.
#[derive(Default)]
struct Metrics {
    samples: BTreeMap<(String, Labels), f64>,
}

impl Metrics {
    async fn scrape(site: &Site) -> Self {
        let answer = site.get("/metrics").await;
        assert_eq!(answer.status, 200);
        Self::parse(&answer.body)
    }

    fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        *self.samples.get(&(name.to_owned(), labels)).unwrap_or_else(|| panic!("{name} {:?}", self.samples))
    }

    /// Every block has its help, then its type, then at least one sample; no block and no sample is there twice.
    fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'));
        let (mut metrics, mut begun) = (Self::default(), BTreeSet::new());
        let (mut helped, mut kind) = (String::new(), (String::new(), String::new()));
        let mut histograms = BTreeSet::new();
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, words) = help.split_once(' ').unwrap();
                assert!(!words.is_empty() && begun.insert(name.to_owned()), "{line}");
                helped = name.to_owned();
            } else if let Some(of) = line.strip_prefix("# TYPE ") {
                let (name, word) = of.split_once(' ').unwrap();
                assert_eq!(name, helped, "{line}");
                assert!(["counter", "gauge", "histogram"].contains(&word), "{line}");
                kind = (name.to_owned(), word.to_owned());
                if word == "histogram" {
                    histograms.insert(name.to_owned());
                }
            } else {
                let (name, labels, value) = sample(line);
                let base = match kind.1.as_str() {
                    "histogram" => {
                        let ends = ["_bucket", "_sum", "_count"];
                        ends.iter().find_map(|end| name.strip_suffix(end)).unwrap_or_default()
                    }
                    _ => name.as_str(),
                };
                assert_eq!(base, kind.0, "{line}");
                assert!(value >= 0.0 && value.is_finite(), "{line}");
                assert!(metrics.samples.insert((name, labels), value).is_none(), "twice: {line}");
            }
        }
        histograms.iter().for_each(|name| metrics.check_histogram(name));
        metrics
    }

    /// Buckets ascend and are cumulative, and the one without a bound is the count.
    fn check_histogram(&self, name: &str) {
        let mut buckets: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
        for ((of, labels), value) in &self.samples {
            if *of == format!("{name}_bucket") {
                let mut labels = labels.clone();
                let bound = labels.remove("le").unwrap();
                let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().unwrap() };
                buckets.entry(labels).or_default().push((bound, *value));
            }
        }
        assert!(!buckets.is_empty(), "{name}");
        for (labels, mut buckets) in buckets {
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{name}{labels:?}: {buckets:?}");
            let last = buckets.last().unwrap();
            assert_eq!(last.0, f64::INFINITY, "{name}");
            assert_eq!(self.samples.get(&(format!("{name}_count"), labels.clone())), Some(&last.1), "{name}");
            assert!(self.samples.contains_key(&(format!("{name}_sum"), labels)), "{name}");
        }
    }
}

/// Name, labels and value of a line.
fn sample(line: &str) -> (String, Labels, f64) {
    let end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(end);
    let is_name = |name: &str| {
        let mut letters = name.bytes();
        letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == b'_')
    };
    assert!(is_name(name), "{line}");
    let mut labels = Labels::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"").unwrap();
            assert!(is_name(label), "{line}");
            let (value, after) = quoted(after);
            assert!(labels.insert(label.to_owned(), value).is_none(), "{line}");
            match after.strip_prefix(',') {
                Some(next) => rest = next,
                None => break rest = after.strip_prefix('}').unwrap(),
            }
        }
    }
    (name.to_owned(), labels, rest.strip_prefix(' ').unwrap().parse().unwrap())
}

/// The value of a label up to its closing quote, and what follows it.
fn quoted(text: &str) -> (String, &str) {
    let (mut value, mut letters) = (String::new(), text.char_indices());
    while let Some((place, letter)) = letters.next() {
        match letter {
            '"' => return (value, &text[place + 1..]),
            '\\' => value.push(match letters.next().unwrap().1 {
                'n' => '\n',
                escaped @ ('\\' | '"') => escaped,
                other => panic!("\\{other} is no escape"),
            }),
            plain => value.push(plain),
        }
    }
    panic!("a label does not end: {text}");
}
