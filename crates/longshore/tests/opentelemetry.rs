//! The trace of jobs in a program that exports its spans.

#![allow(clippy::unwrap_used, reason = "a test that meets what it does not expect has failed")]

use std::sync::{Arc, Mutex};

use longshore::handler::{CurrentAttempt, HandlerError};
use longshore::testing::ScratchQueue;
use longshore::trace::EnqueueSpan;
use longshore::workflow::Workflow;
use longshore::{JobData, JobId, NewJob, Payload, Queue, Worker};
use opentelemetry::trace::{SpanKind, Status, TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use serde::{Deserialize, Serialize};
use tracing_subscriber::layer::SubscriberExt;

const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[derive(Serialize, Deserialize)]
struct Step {
    is_first: bool,
}

impl Payload for Step {
    const JOB_TYPE: &'static str = "step";
}

/// Exports the spans of this thread.
struct Exported {
    exporter: InMemorySpanExporter,
    _guard: tracing::subscriber::DefaultGuard,
}

impl Exported {
    fn begin() -> Self {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        Self { exporter, _guard: tracing::subscriber::set_default(tracing_subscriber::registry().with(layer)) }
    }

    fn all(&self, name: &str) -> Vec<SpanData> {
        let spans = self.exporter.get_finished_spans().unwrap();
        spans.into_iter().filter(|span| span.name == name).collect()
    }

    fn one(&self, name: &str) -> SpanData {
        let spans = self.all(name);
        let [span] = &spans[..] else { panic!("{name}: {:?}", self.exporter.get_finished_spans()) };
        span.clone()
    }
}

fn place_of(span: &SpanData) -> String {
    format!("00-{}-{}-01", span.span_context.trace_id(), span.span_context.span_id())
}

async fn trace_of(queue: &Queue, id: JobId) -> Option<String> {
    let job = queue.job(id).await.unwrap().unwrap().job;
    job.metadata.as_ref().and_then(longshore_core::traceparent)
}

#[tokio::test]
async fn what_a_handler_enqueues_is_a_child_of_its_attempt() {
    let exported = Exported::begin();
    let queue = ScratchQueue::open().await.unwrap();
    queue.enqueue_job(Step { is_first: true }.to_job().unwrap().queue("first").traced(Some(CALLER))).await.unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    let handler = move |step: Step, attempt: CurrentAttempt| {
        let seen = Arc::clone(&told);
        async move {
            seen.lock().unwrap().push(attempt.traceparent().unwrap());
            if !step.is_first {
                return Err(HandlerError::from("it has failed"));
            }
            let next = Step { is_first: false }.to_job()?.queue("second").max_retries(0);
            attempt.queue().enqueue_job(next).await?;
            Ok(())
        }
    };
    Worker::new(&queue).handle(handler).run_until_drained().await.unwrap();

    let chain = ["enqueue first", "process first", "enqueue second", "process second"].map(|name| exported.one(name));
    assert_eq!(chain[0].parent_span_id.to_string(), "b7ad6b7169203331");
    // The caller's context was in the metadata already, and stays there.
    assert_eq!(chain[1].parent_span_id, chain[0].parent_span_id);
    assert_eq!(chain[2].parent_span_id, chain[1].span_context.span_id());
    assert_eq!(chain[3].parent_span_id, chain[2].span_context.span_id());
    for span in &chain {
        assert_eq!(span.span_context.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
    }
    let kinds = chain.each_ref().map(|span| span.span_kind.clone());
    assert_eq!(kinds, [SpanKind::Producer, SpanKind::Consumer, SpanKind::Producer, SpanKind::Consumer]);
    assert_eq!(*seen.lock().unwrap(), [place_of(&chain[1]), place_of(&chain[3])]);
    assert!(matches!(chain[3].status, Status::Error { .. }) && chain[1].status == Status::Unset, "{chain:?}");
}

#[tokio::test]
async fn every_way_to_enqueue_puts_its_span_into_the_job() {
    let exported = Exported::begin();
    let queue = ScratchQueue::open().await.unwrap();
    let job = |queue: &str| NewJob::new("step", JobData::default()).queue(queue);
    let one = queue.enqueue_job(job("one")).await.unwrap().id;
    let list = queue.enqueue_all(vec![job("list"), job("list")]).await.unwrap();
    queue.enqueue_iter([Ok(job("stream"))]).await.unwrap();
    let streamed = JobId(list[1].id.0 + 1);
    let mut flow = Workflow::new("flow");
    let first = flow.add_job(job("flow"));
    flow.add_job(job("flow")).after(first);
    let flow = queue.enqueue_workflow(flow).await.unwrap();

    let place = |name: &str| Some(place_of(&exported.one(name)));
    assert_eq!(trace_of(&queue, one).await, place("enqueue one"));
    for job in &list {
        assert_eq!(trace_of(&queue, job.id).await, place("enqueue list"));
    }
    assert_eq!(trace_of(&queue, streamed).await, place("enqueue"));
    for id in flow.ids.values() {
        assert_eq!(trace_of(&queue, *id).await, place("enqueue flow"));
    }
}

#[tokio::test]
async fn a_trace_context_of_the_application_stays_and_other_metadata_too() {
    let _exported = Exported::begin();
    let queue = ScratchQueue::open().await.unwrap();
    let with = |metadata: &str| NewJob {
        metadata: Some(JobData::parse(metadata.to_owned()).unwrap()),
        ..NewJob::new("step", JobData::default())
    };
    let own = queue.enqueue_job(with(&format!(r#"{{"traceparent":"{CALLER}"}}"#))).await.unwrap().id;
    let list = queue.enqueue_job(with("[1]")).await.unwrap().id;
    assert_eq!(trace_of(&queue, own).await.as_deref(), Some(CALLER));
    let metadata = queue.job(list).await.unwrap().unwrap().job.metadata.unwrap();
    assert_eq!(metadata.as_str(), "[1]");
}

#[tokio::test]
async fn what_one_job_of_a_list_belongs_to_is_its_own() {
    let job = || NewJob::new("step", JobData::default());
    let traces = async || {
        let queue = ScratchQueue::open().await.unwrap();
        let jobs = queue.enqueue_all(vec![job().traced(Some(CALLER)), job()]).await.unwrap();
        [trace_of(&queue, jobs[0].id).await, trace_of(&queue, jobs[1].id).await]
    };
    assert_eq!(traces().await, [Some(CALLER.to_owned()), None]);
    let exported = Exported::begin();
    let [first, second] = traces().await;
    let span = exported.one("enqueue default");
    assert_eq!(span.parent_span_id.to_string(), "b7ad6b7169203331");
    assert_eq!((first.as_deref(), second), (Some(CALLER), Some(place_of(&span))));
}

#[tokio::test]
async fn what_is_no_trace_context_is_ignored() {
    let exported = Exported::begin();
    for given in ["00-1-2-01", "00-+1-+2-+1", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", ""] {
        let span = EnqueueSpan::of_stream(Some(given));
        assert!(!span.traceparent().unwrap().contains("-000000"), "{given}");
    }
    for span in exported.all("enqueue") {
        assert_eq!(span.parent_span_id.to_string(), "0000000000000000");
    }
}

#[tokio::test]
async fn without_an_exporter_no_job_gets_a_trace_context() {
    let queue = ScratchQueue::open().await.unwrap();
    let id = queue.enqueue_job(NewJob::new("step", JobData::default())).await.unwrap().id;
    assert_eq!(queue.job(id).await.unwrap().unwrap().job.metadata, None);
    assert_eq!(EnqueueSpan::of_stream(Some("00-1-2-01")).traceparent(), None);
}
