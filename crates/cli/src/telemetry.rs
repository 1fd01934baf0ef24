//! Spans for a collector of OpenTelemetry, over OTLP as the environment says
//! (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>).
//!
//! Nothing of it affects a job: a mistake in the environment, or a collector that does not answer, is one warning.

mod collector;
mod watched_exporter;

use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry::{InstrumentationScope, Key, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::registry::LookupSpan;

use self::collector::Collector;
use self::watched_exporter::WatchedExporter;
use crate::output::log_format::SPANS;
use crate::settings::environment::process_variable;

/// How long the program waits at its end for the last spans to arrive.
const FLUSH_MAX: Duration = Duration::from_secs(2);
const SERVICE: &str = "longshore";
const SERVICE_NAME: Key = Key::from_static_str("service.name");
/// Beginning of the name that the SDK gives a service without one.
const UNKNOWN: &str = "unknown_service";

/// Exports the spans of enqueues and attempts until the program ends.
#[derive(Debug)]
pub(crate) struct Telemetry(Option<SdkTracerProvider>);

/// Why no span is exported although the environment asks for it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotExported {
    #[error("{variable} is no http:// or https:// address")]
    Endpoint { variable: &'static str },
    #[error("{variable} is not UTF-8")]
    NotUtf8 { variable: &'static str },
    #[error("OTEL_TRACES_EXPORTER names something else than otlp or none")]
    Exporter,
    #[error("the protocol is {protocol}, and only http/protobuf is known")]
    Protocol { protocol: String },
    #[error("the certificates of this machine cannot be read: {0}")]
    Certificates(std::io::Error),
    #[error("there can be no runtime for its requests: {0}")]
    Runtime(std::io::Error),
    #[error("the exporter cannot be made: {0}")]
    Exporting(opentelemetry_otlp::ExporterBuildError),
}

impl Telemetry {
    /// Reads the environment. Nothing is exported unless it names a collector.
    pub(crate) fn start() -> Result<Self, NotExported> {
        let Some(endpoint) = endpoint()? else { return Ok(Self(None)) };
        let collector = Collector::new(endpoint.is_encrypted)?;
        let exporter = SpanExporter::builder().with_http().with_http_client(collector).build();
        let exporter = WatchedExporter::new(exporter.map_err(NotExported::Exporting)?);
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource()).build();
        Ok(Self(Some(provider)))
    }

    /// None of it, for a command that has no spans.
    pub(crate) const fn off() -> Self {
        Self(None)
    }

    /// The layer that takes the spans.
    pub(crate) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> Option<impl Layer<S> + use<S>> {
        let spans = Targets::new().with_target(SPANS, LevelFilter::INFO);
        let tracer = self.0.as_ref().map(tracer)?;
        let layer = tracing_opentelemetry::layer().with_tracer(tracer);
        Some(
            layer
                .with_location(false)
                .with_threads(false)
                .with_tracked_inactivity(false)
                .with_target(false)
                .with_filter(spans),
        )
    }

    /// Sends the spans that wait, and ends.
    pub(crate) fn stop(&self) {
        if let Some(provider) = &self.0 {
            // The exporter has told what went wrong.
            let _ = provider.shutdown_with_timeout(FLUSH_MAX);
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

struct Endpoint {
    is_encrypted: bool,
}

const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];

fn endpoint() -> Result<Option<Endpoint>, NotExported> {
    let Some((variable, address)) = first_of(&ENDPOINTS)? else { return Ok(None) };
    if text("OTEL_SDK_DISABLED")?.is_some_and(|word| word.eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    match text("OTEL_TRACES_EXPORTER")?.as_deref() {
        None | Some("otlp") => {}
        Some("none") => return Ok(None),
        Some(_) => return Err(NotExported::Exporter),
    }
    if let Some((_, protocol)) = first_of(&PROTOCOLS)?
        && protocol != "http/protobuf"
    {
        return Err(NotExported::Protocol { protocol });
    }
    let scheme = address.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("http") => Ok(Some(Endpoint { is_encrypted: false })),
        Some("https") => Ok(Some(Endpoint { is_encrypted: true })),
        _ => Err(NotExported::Endpoint { variable }),
    }
}

fn first_of(variables: &[&'static str]) -> Result<Option<(&'static str, String)>, NotExported> {
    for variable in variables {
        if let Some(value) = text(variable)? {
            return Ok(Some((variable, value)));
        }
    }
    Ok(None)
}

fn text(variable: &'static str) -> Result<Option<String>, NotExported> {
    let value =
        process_variable(variable).map(|value| value.into_string().map_err(|_| NotExported::NotUtf8 { variable }));
    value.transpose()
}
