//! Counters, gauges and histograms of one server, rendered as Prometheus text. No global recorder: two servers in one
//! process keep their own figures.

use std::sync::Arc;
use std::time::Instant;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, Unit};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

const METADATA: Metadata<'static> = Metadata::new("pizzapi", Level::INFO, Some(module_path!()));

/// Upper bounds of latency histograms. Units: seconds.
const SECONDS: [f64; 12] = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 15.0];

/// Registry of one server; cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

struct Inner {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    started: Instant,
}

impl Default for Metrics {
    fn default() -> Self {
        let builder = PrometheusBuilder::new();
        let builder = builder
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        let this = Self { inner: Arc::new(Inner { recorder, handle, started: Instant::now() }) };
        this.describe();
        this
    }
}

impl Metrics {
    /// A counter by name and labels; keep the handle where the path is hot.
    pub fn counter(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Counter {
        self.inner.recorder.register_counter(&key(name, labels), &METADATA)
    }

    pub fn gauge(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Gauge {
        self.inner.recorder.register_gauge(&key(name, labels), &METADATA)
    }

    /// A histogram; names ending in `_seconds` get latency buckets.
    pub fn histogram(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Histogram {
        self.inner.recorder.register_histogram(&key(name, labels), &METADATA)
    }

    /// Count one occurrence; for paths that are not hot.
    pub fn count(&self, name: &'static str, labels: &[(&'static str, &str)]) {
        self.counter(name, labels).increment(1);
    }

    /// Seconds since the server was built.
    pub fn uptime_seconds(&self) -> u64 {
        self.inner.started.elapsed().as_secs()
    }

    /// Everything, in Prometheus' text format.
    pub fn render(&self) -> String {
        self.gauge("pizzapi_uptime_seconds", &[]).set(self.inner.started.elapsed().as_secs_f64());
        self.inner.handle.run_upkeep();
        self.inner.handle.render()
    }

    fn describe(&self) {
        let recorder = &self.inner.recorder;
        let counters = [
            ("pizzapi_http_requests_total", "HTTP requests by route, method and status"),
            ("pizzapi_rate_limited_total", "requests refused by a limit"),
            ("pizzapi_sign_ins_total", "sign-in attempts by result"),
            ("pizzapi_revocations_total", "credentials taken back, by kind"),
        ];
        for (name, text) in counters {
            recorder.describe_counter(KeyName::from_const_str(name), None, text.into());
        }
        recorder.describe_histogram(
            KeyName::from_const_str("pizzapi_http_request_duration_seconds"),
            Some(Unit::Seconds),
            "time to answer an HTTP request".into(),
        );
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").field("uptime_seconds", &self.uptime_seconds()).finish()
    }
}

fn key(name: &'static str, labels: &[(&'static str, &str)]) -> Key {
    Key::from_parts(name, labels.iter().map(|(name, value)| Label::new(*name, (*value).to_owned())).collect::<Vec<_>>())
}
