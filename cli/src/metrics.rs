//! `--metrics`: what the engine reports, in Prometheus' text format over HTTP.
//!
//! One thread answers one request after another: a scrape comes every few seconds, from the same machine as a rule.

use crate::error::CliError;
use arterial::telemetry::{self, Kind};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How often it is looked for a request.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// What was recorded is summed up so often, scraped or not, so that it takes no more memory.
const SUM_UP_EVERY: Duration = Duration::from_secs(5);
/// A client that takes longer is let go.
const CLIENT_PATIENCE: Duration = Duration::from_secs(2);
const REQUEST_BYTES_MAX: usize = 8 << 10;

/// Serves the metrics of this process until it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Records from here on, and listens. Engines that were opened before are not recorded.
    pub(crate) fn start(address: SocketAddr) -> Result<Self, CliError> {
        let failed = |source| CliError::Metrics { address, source };
        let listener = TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let handle = record().map_err(failed)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let serve = move || serve(&listener, &handle, &stopped);
        let thread = thread::Builder::new().name("arterial-metrics".into()).spawn(serve).map_err(failed)?;
        Ok(Self { address, stop, thread: Some(thread) })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Makes every metric of this process go to a recorder that has the histograms' buckets.
fn record() -> io::Result<PrometheusHandle> {
    let mut builder = PrometheusBuilder::new();
    for metric in telemetry::ALL {
        if let Kind::Histogram(buckets) = metric.kind {
            let matcher = Matcher::Full(metric.name.into());
            builder = builder.set_buckets_for_metric(matcher, buckets).map_err(io::Error::other)?;
        }
    }
    builder.install_recorder().map_err(io::Error::other)
}

fn serve(listener: &TcpListener, handle: &PrometheusHandle, stop: &AtomicBool) {
    let mut summed_up = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        match listener.accept() {
            // Whoever went away meanwhile gets no answer.
            Ok((client, _)) => _ = answer(client, handle),
            Err(_) => thread::sleep(LOOK_EVERY),
        }
        if summed_up.elapsed() >= SUM_UP_EVERY {
            handle.run_upkeep();
            summed_up = Instant::now();
        }
    }
}

fn answer(mut client: TcpStream, handle: &PrometheusHandle) -> io::Result<()> {
    client.set_nonblocking(false)?;
    client.set_write_timeout(Some(CLIENT_PATIENCE))?;
    let request = request_line(&mut client)?;
    let mut words = request.split(' ');
    let (status, body) = match (words.next(), words.next().and_then(|path| path.split('?').next())) {
        (Some("GET"), Some("/metrics")) => ("200 OK", handle.render()),
        (Some("GET"), Some(_)) => ("404 Not Found", "what is measured is at /metrics\n".to_owned()),
        _ => ("405 Method Not Allowed", "GET /metrics\n".to_owned()),
    };
    write!(
        client,
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}

/// The first line of a request, once its head was read: a client whose words were left unread would not get the answer.
fn request_line(client: &mut TcpStream) -> io::Result<String> {
    let until = Instant::now() + CLIENT_PATIENCE;
    let mut head = Vec::new();
    let mut some = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || head.len() > REQUEST_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        client.set_read_timeout(Some(left))?;
        match client.read(&mut some)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => head.extend_from_slice(&some[..read]),
        }
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    Ok(String::from_utf8_lossy(line).into_owned())
}
