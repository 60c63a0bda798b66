//! `/health` and `/metrics`.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;

use super::HttpHub;

/// The text format of Prometheus, version 0.0.4.
const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The first digits of the statuses that are counted.
const CLASSES: usize = 5;

/// Requests that were answered, by the first digit of their status.
#[derive(Debug, Default)]
pub(super) struct Requests([AtomicU64; CLASSES]);

impl Requests {
    pub(super) fn count(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1).min(CLASSES - 1);
        self.0[class].fetch_add(1, Ordering::Relaxed);
    }
}

/// Writes metrics: each with its help and type, as the format wants it.
struct Page(String);

impl Page {
    fn metric(&mut self, name: &str, kind: &str, help: &str, values: &[(&str, u64)]) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "# HELP pocketsync_{name} {help}\n# TYPE pocketsync_{name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(self.0, "pocketsync_{name}{labels} {value}");
        }
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.metric(name, "counter", help, &[("", value)]);
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.metric(name, "gauge", help, &[("", value)]);
    }
}

impl HttpHub {
    pub(super) fn health(&self) -> Response<Full<Bytes>> {
        let (status, text) = match self.shared.acceptor.is_stopping() {
            false => (StatusCode::OK, r#"{"status":"ok"}"#),
            true => (StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"stopping"}"#),
        };
        let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }

    pub(super) fn metrics(&self) -> Response<Full<Bytes>> {
        let shared = &*self.shared;
        let hub = shared.acceptor.counters();
        let mut page = Page(String::new());
        page.gauge("sessions", "Sessions that are open, over any transport.", hub.sessions);
        page.counter("sessions_total", "Sessions that were opened.", hub.sessions_total);
        page.metric(
            "frames_total",
            "counter",
            "Frames over all sessions.",
            &[("{direction=\"received\"}", hub.frames_received), ("{direction=\"sent\"}", hub.frames_sent)],
        );
        page.metric(
            "frame_bytes_total",
            "counter",
            "Bytes of frames over all sessions.",
            &[("{direction=\"received\"}", hub.bytes_received), ("{direction=\"sent\"}", hub.bytes_sent)],
        );
        page.counter("rows_received_total", "Rows in the changes that were taken in.", hub.rows_received);
        page.gauge("http_links", "HTTP links in memory.", shared.links.len() as u64);
        page.gauge("http_buffered_bytes", "Bytes that wait in HTTP links.", shared.budget.used() as u64);
        let classes: Vec<(String, u64)> = shared
            .requests
            .0
            .iter()
            .zip(1..)
            .map(|(count, class)| (format!("{{status=\"{class}xx\"}}"), count.load(Ordering::Relaxed)))
            .collect();
        let classes: Vec<(&str, u64)> =
            classes.iter().map(|(label, count)| (label.as_str(), *count)).collect();
        page.metric("http_requests_total", "counter", "HTTP requests that were answered.", &classes);
        let mut response = Response::new(Full::new(page.0.into()));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        response
    }
}
