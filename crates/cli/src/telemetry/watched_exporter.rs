use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as Export};

/// An exporter that says once that spans are lost, and once that they arrive again.
#[derive(Debug)]
pub(super) struct WatchedExporter {
    exporter: SpanExporter,
    is_failing: AtomicBool,
}

impl WatchedExporter {
    pub(super) const fn new(exporter: SpanExporter) -> Self {
        Self { exporter, is_failing: AtomicBool::new(false) }
    }
}

impl Export for WatchedExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let exported = self.exporter.export(batch).await;
        let was_failing = self.is_failing.swap(exported.is_err(), Ordering::Relaxed);
        match &exported {
            Err(error) if !was_failing => {
                tracing::warn!(%error, "spans are lost until the collector takes them; jobs are not affected");
            }
            Ok(()) if was_failing => tracing::warn!("the collector takes spans again"),
            _ => {}
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
