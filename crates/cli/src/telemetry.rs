//! Spans for a collector of OpenTelemetry, over OTLP. Telemetry never affects a job: a mistake in the environment, or a
//! collector that does not answer, is a warning.

mod collector;
mod environment;
mod watched_exporter;

use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry::{InstrumentationScope, Key, KeyValue};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::registry::LookupSpan;

use self::collector::Collector;
use self::environment::Mistake;
use self::watched_exporter::WatchedExporter;
use crate::output::log_format::SPANS;

/// How long the program waits at its end for the last spans to arrive.
const FLUSH_MAX: Duration = Duration::from_secs(2);
const SERVICE: &str = "longshore";
const SERVICE_NAME: Key = Key::from_static_str("service.name");
/// The beginning of the name that the SDK gives to a service without one.
const UNKNOWN: &str = "unknown_service";

/// Exports the spans of enqueues and attempts until the program ends.
#[derive(Debug)]
pub(crate) struct Telemetry(Option<SdkTracerProvider>);

/// Why no span is exported although the environment asks for it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotExported {
    #[error(transparent)]
    Mistake(#[from] Mistake),
    #[error("cannot read the certificates of this machine: {0}")]
    Certificates(std::io::Error),
    #[error("cannot use TLS: {0}")]
    Tls(rustls::Error),
    #[error("cannot start the runtime of the exporter: {0}")]
    Runtime(std::io::Error),
    #[error("cannot build the exporter: {0}")]
    Exporter(ExporterBuildError),
}

impl Telemetry {
    /// Reads the environment. Nothing is exported unless it names a collector.
    pub(crate) fn start() -> Result<Self, NotExported> {
        let Some(scheme) = environment::read()? else { return Ok(Self(None)) };
        let exporter = SpanExporter::builder().with_http().with_http_client(Collector::new(scheme)?).build();
        let exporter = WatchedExporter::new(exporter.map_err(NotExported::Exporter)?);
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource());
        Ok(Self(Some(provider.build())))
    }

    /// No telemetry, for a command without spans.
    pub(crate) const fn off() -> Self {
        Self(None)
    }

    /// The layer that takes the spans.
    pub(crate) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> Option<impl Layer<S> + use<S>> {
        let spans = Targets::new().with_target(SPANS, LevelFilter::INFO);
        let layer = tracing_opentelemetry::layer().with_tracer(self.0.as_ref().map(tracer)?);
        let layer = layer.with_location(false).with_threads(false).with_tracked_inactivity(false).with_target(false);
        Some(layer.with_filter(spans))
    }

    /// Sends the spans that wait, and ends.
    pub(crate) fn stop(&self) {
        let Some(provider) = &self.0 else { return };
        // A failed export has been told. This is one that has not ended.
        if provider.shutdown_with_timeout(FLUSH_MAX).is_err() {
            tracing::warn!("the last spans were not sent in time; jobs are not affected");
        }
    }
}

fn tracer(provider: &SdkTracerProvider) -> SdkTracer {
    let scope = InstrumentationScope::builder(SERVICE).with_version(env!("CARGO_PKG_VERSION"));
    provider.tracer_with_scope(scope.build())
}

/// The service is called as the environment says, and otherwise as this program.
fn resource() -> Resource {
    let found = Resource::builder().build();
    match found.get_ref(&SERVICE_NAME) {
        Some(name) if !name.as_str().starts_with(UNKNOWN) => found,
        _ => Resource::builder().with_attribute(KeyValue::new(SERVICE_NAME, SERVICE)).build(),
    }
}
