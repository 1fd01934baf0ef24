use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use longshore::{
    BoxFuture, CurrentAttempt, FailureType, HandlerError, JobData, Middleware, NewJob, Payload, StoreError,
};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::{Layer, Registry};

use crate::bench::{Bench, Step};

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A span that has ended, with all of its fields.
#[derive(Clone, Debug, Default)]
struct Told {
    name: &'static str,
    fields: BTreeMap<&'static str, String>,
    is_closed: bool,
}

impl Told {
    fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    fn assert_fields(&self, expected: &[(&str, &str)]) {
        for (name, value) in expected {
            assert_eq!(self.field(name), *value, "{name} of {self:?}");
        }
    }
}

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }
}

/// A layer as a tracing system has one: it keeps the spans of this thread, and everything that events say.
#[derive(Clone, Default)]
struct Spans {
    spans: Arc<Mutex<BTreeMap<u64, Told>>>,
    said: Arc<Mutex<String>>,
}

impl Spans {
    fn listen() -> (Self, DefaultGuard) {
        let spans = Self::default();
        let guard = tracing::subscriber::set_default(Registry::default().with(spans.clone()));
        (spans, guard)
    }

    fn of(&self, name: &str) -> Vec<Told> {
        self.spans.lock().unwrap().values().filter(|told| told.name == name).cloned().collect()
    }

    fn one(&self, name: &str) -> Told {
        let spans = self.of(name);
        assert_eq!(spans.len(), 1, "{spans:?}");
        spans.into_iter().next().unwrap()
    }
}

impl<S: Subscriber> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        let mut told = Told { name: attributes.metadata().name(), ..Told::default() };
        attributes.record(&mut told);
        // An id is used again after the end of its span.
        let mut spans = self.spans.lock().unwrap();
        let number = spans.len() as u64;
        if let Some(ended) = spans.remove(&id.into_u64()) {
            spans.insert(u64::MAX - number, ended);
        }
        spans.insert(id.into_u64(), told);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        if let Some(told) = self.spans.lock().unwrap().get_mut(&id.into_u64()) {
            values.record(told);
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut told = Told::default();
        event.record(&mut told);
        self.said.lock().unwrap().push_str(&format!("{told:?}"));
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        if let Some(told) = self.spans.lock().unwrap().get_mut(&id.into_u64()) {
            told.is_closed = true;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_a_consumer_span_and_an_enqueue_a_producer_span() {
    let (spans, _guard) = Spans::listen();
    let bench = Bench::new();
    let id = bench.enqueue_with(|job| job.queue("media")).await.to_string();
    bench.worker().handle(|_: Step, _| async { Ok(()) }).run_until_drained().await.unwrap();

    let produced = spans.one("enqueue");
    produced.assert_fields(&[
        ("otel.name", "enqueue media"),
        ("otel.kind", "producer"),
        ("messaging.system", "longshore"),
        ("messaging.operation.type", "send"),
        ("messaging.operation.name", "enqueue"),
        ("messaging.destination.name", "media"),
        ("messaging.message.id", &id),
        ("messaging.batch.message_count", ""),
        ("otel.status_code", ""),
        ("error.type", ""),
    ]);
    let consumed = spans.one("attempt");
    consumed.assert_fields(&[
        ("otel.name", "process media"),
        ("otel.kind", "consumer"),
        ("messaging.system", "longshore"),
        ("messaging.operation.type", "process"),
        ("messaging.operation.name", "process"),
        ("messaging.destination.name", "media"),
        ("messaging.message.id", &id),
        ("job_id", &id),
        ("queue", "media"),
        ("job_type", "step"),
        ("attempt", "1"),
        ("traceparent", ""),
        ("otel.status_code", ""),
        ("error.type", ""),
    ]);
    assert!(produced.is_closed && consumed.is_closed);
}

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_has_an_error_status_and_the_type_of_its_failure() {
    let (spans, _guard) = Spans::listen();
    let bench = Bench::new();
    bench.enqueue_with(|job| job.max_retries(1)).await;
    let worker = bench
        .worker()
        .handle(|_: Step, _| async { Err::<(), _>(HandlerError::failed(FailureType::NetworkError, "no answer")) });
    worker.run_until_drained().await.unwrap();

    // One that is not retried because it expires meanwhile.
    bench.enqueue_with(|job| job.expires_in(std::time::Duration::from_millis(1))).await;
    let worker = bench
        .worker()
        .handle(|_: Step, _| async { Err::<(), _>(HandlerError::failed(FailureType::NetworkError, "no answer")) });
    worker.run_until_drained().await.unwrap();

    let attempts = spans.of("attempt");
    assert_eq!(attempts.len(), 3);
    for attempt in attempts {
        attempt.assert_fields(&[("otel.status_code", "ERROR"), ("error.type", "network_error")]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_enqueue_has_an_error_status_and_the_code_of_its_error() {
    let (spans, _guard) = Spans::listen();
    let bench = Bench::new();
    let job = Step { number: 0 }.to_job().unwrap().parent(longshore::JobId(4711));

    let refused = bench.queue.enqueue_job(job).await.unwrap_err();

    assert!(matches!(refused, StoreError::UnknownParent { .. }));
    spans.one("enqueue").assert_fields(&[
        ("otel.status_code", "ERROR"),
        ("error.type", refused.code()),
        ("messaging.message.id", ""),
    ]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_one_span_that_counts_its_jobs_and_names_the_queue_that_all_have() {
    let (spans, _guard) = Spans::listen();
    let bench = Bench::new();
    let job = |queue: &str| Step { number: 0 }.to_job().unwrap().queue(queue);
    bench.queue.enqueue_all(vec![job("media"), job("media")]).await.unwrap();
    bench.queue.enqueue_all(vec![job("media"), job("mail"), job("mail")]).await.unwrap();
    bench.queue.enqueue_iter((0..4).map(move |_| Ok(job("media")))).await.unwrap();

    let mut told: Vec<_> = spans.of("enqueue");
    told.sort_by_key(|span| span.field("messaging.batch.message_count").to_owned());
    let names: Vec<_> =
        told.iter().map(|span| (span.field("messaging.batch.message_count"), span.field("otel.name"))).collect();
    assert_eq!(names, [("2", "enqueue media"), ("3", ""), ("4", "")]);
}

/// Keeps what the span has as its link when the handler is about to run.
struct Linker(Arc<Mutex<Vec<Option<String>>>>);

impl Middleware for Linker {
    fn before<'a>(&'a self, attempt: &'a CurrentAttempt) -> BoxFuture<'a, Result<(), HandlerError>> {
        let current = tracing::Span::current();
        assert_eq!(current.metadata().map(Metadata::name), Some("attempt"));
        self.0.lock().unwrap().push(attempt.traceparent());
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test(start_paused = true)]
async fn a_trace_context_goes_from_the_metadata_to_the_span_and_to_middlewares_and_nothing_else_does() {
    let (spans, _guard) = Spans::listen();
    let bench = Bench::new();
    let with = |metadata: String| {
        let metadata = JobData::parse(metadata).unwrap();
        bench.enqueue_with(|job| NewJob { metadata: Some(metadata), ..job })
    };
    let traced = with(format!(r#"{{"traceparent":"{TRACEPARENT}","note":"secret"}}"#)).await;
    let untraced = with(r#"{"traceparent":"secret"}"#.to_owned()).await;
    let links = Arc::new(Mutex::new(Vec::new()));
    let worker = bench.worker().middleware(Linker(links.clone())).handle(|_: Step, _| async { Ok(()) });
    worker.run_until_drained().await.unwrap();

    let of = |id: longshore::JobId| {
        let id = id.to_string();
        spans.of("attempt").into_iter().find(|span| span.field("job_id") == id).unwrap()
    };
    of(traced).assert_fields(&[("traceparent", TRACEPARENT)]);
    of(untraced).assert_fields(&[("traceparent", "")]);
    assert_eq!(*links.lock().unwrap(), [Some(TRACEPARENT.to_owned()), None]);
    assert!(!format!("{:?}", spans.spans.lock().unwrap()).contains("secret"));
}

#[tokio::test(start_paused = true)]
async fn no_span_and_no_event_holds_a_payload_a_result_or_the_text_of_an_error() {
    let (spans, _guard) = Spans::listen();
    let bench = Bench::new();
    let secret = || NewJob::new("step", JobData::parse(r#"{"number":"hunter2"}"#).unwrap());
    bench.queue.enqueue_job(secret()).await.unwrap();
    bench.queue.enqueue_all(vec![secret(), secret()]).await.unwrap();
    bench.enqueue(1).await;
    let worker = bench.worker().middleware(Linker(Arc::default())).handle(|step: Step, attempt| async move {
        attempt.log("hunter2 in the log\n");
        if attempt.attempt() == 1 && step.number == 1 {
            return Err(HandlerError::failed(FailureType::NetworkError, "hunter2 is no password"));
        }
        Ok(JobData::parse(r#""hunter2""#)?)
    });
    worker.run_until_drained().await.unwrap();

    let told = format!("{:?} {}", spans.spans.lock().unwrap(), spans.said.lock().unwrap());
    assert!(told.contains("validation_error") && told.contains("network_error"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}
