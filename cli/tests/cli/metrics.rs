//! `arterial run --metrics`, the dashboard on what it serves, and `arterial top` beside it.

use crate::{
    common::{Ending, QUICK, arterial, run, stderr, stdout},
    scrape::{self, Sample},
};
use arterial::telemetry::{self, Kind};
use promql_parser::{
    parser::{self, Expr, LabelModifier, VectorSelector},
    util::{ExprVisitor, walk_expr},
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(120);
const DASHBOARD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../dashboards/arterial.json");

/// A run that is busy for some time, and what it serves. A block takes 1,024 records of a device at most.
struct Running {
    child: Ending,
    url: String,
}

impl Running {
    fn start(dir: &Path, seconds: u32) -> Self {
        let mut command = arterial();
        command.arg("run").arg("--out").arg(dir).args(QUICK).args(["--metrics", "127.0.0.1:0"]);
        command.args(["--devices", "4", "--seconds", &seconds.to_string()]);
        let mut child = Ending::spawn(command.stdout(Stdio::null()).stderr(Stdio::piped()));
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("metrics: ").unwrap_or_else(|| panic!("{line}")).to_owned();
        thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Self { child, url }
    }

    fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap().strip_suffix("/metrics").unwrap()
    }

    fn scrape(&self) -> Vec<Sample> {
        let answer = request(self.address(), "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("text/plain; version=0.0.4"), "{head}");
        scrape::samples(body).unwrap()
    }

    /// Scrapes until the first block is final.
    fn scrape_when_final(&self) -> Vec<Sample> {
        let begin = Instant::now();
        loop {
            let samples = self.scrape();
            let is_final = |sample: &Sample| {
                sample.name == telemetry::BLOCK_NUMBER.name
                    && sample.label("stage") == Some("final")
                    && sample.value > 0.0
            };
            if samples.iter().any(is_final) {
                return samples;
            }
            assert!(begin.elapsed() < PATIENCE, "no block is final: {samples:?}");
            thread::sleep(Duration::from_millis(100));
        }
    }
}

fn request(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn value(samples: &[Sample], name: &str) -> f64 {
    samples.iter().filter(|sample| sample.name == name).map(|sample| sample.value).sum()
}

/// Every query of a dashboard, by its panel.
fn queries(value: &Value) -> Vec<(String, String)> {
    let panels = value["panels"].as_array().unwrap();
    let of_panel = |panel: &Value| -> Vec<(String, String)> {
        let targets = panel["targets"].as_array().into_iter().flatten();
        let title = panel["title"].as_str().unwrap().to_owned();
        targets.map(|target| (title.clone(), target["expr"].as_str().unwrap().to_owned())).collect()
    };
    panels.iter().flat_map(of_panel).collect()
}

/// What an expression selects, and the labels that it groups selected series by.
#[derive(Default)]
struct Selected {
    selectors: Vec<VectorSelector>,
    grouped: Vec<(Vec<VectorSelector>, Vec<String>)>,
}

impl ExprVisitor for Selected {
    type Error = String;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, String> {
        match expr {
            Expr::VectorSelector(selector) => self.selectors.push(selector.clone()),
            Expr::MatrixSelector(matrix) => self.selectors.push(matrix.vs.clone()),
            Expr::Aggregate(aggregate) => {
                if let Some(LabelModifier::Include(labels)) = &aggregate.modifier {
                    let mut inner = Self::default();
                    walk_expr(&mut inner, &aggregate.expr)?;
                    self.grouped.push((inner.selectors, labels.labels.clone()));
                }
            }
            _ => {}
        }
        Ok(true)
    }
}

/// The samples that a selector finds.
fn found<'a>(selector: &VectorSelector, samples: &'a [Sample]) -> Vec<&'a Sample> {
    let name = selector.name.as_deref().unwrap_or_default();
    let fits = |sample: &&Sample| {
        let matchers = &selector.matchers.matchers;
        sample.name == name
            && matchers
                .iter()
                .all(|matcher| matcher.is_match(sample.label(&matcher.name).unwrap_or_default()))
    };
    samples.iter().filter(fits).collect()
}

/// Why a query would show nothing on these samples.
fn fault(query: &str, samples: &[Sample]) -> Option<String> {
    let mut selected = Selected::default();
    if let Err(error) = parser::parse(query).and_then(|expr| walk_expr(&mut selected, &expr)) {
        return Some(error);
    }
    if selected.selectors.is_empty() {
        return Some("it selects nothing".into());
    }
    if let Some(selector) = selected.selectors.iter().find(|selector| found(selector, samples).is_empty()) {
        return Some(format!("no sample of {selector}"));
    }
    for (selectors, labels) in &selected.grouped {
        for (selector, label) in
            selectors.iter().flat_map(|selector| labels.iter().map(move |label| (selector, label)))
        {
            if found(selector, samples).iter().any(|sample| sample.label(label).is_none()) {
                return Some(format!("{selector} has no label {label}"));
            }
        }
    }
    None
}

#[test]
fn every_panel_of_the_dashboard_shows_what_a_run_serves_and_every_metric_is_on_it() {
    let temp = tempfile::tempdir().unwrap();
    let mut running = Running::start(&temp.path().join("run"), 5000);
    let samples = running.scrape_when_final();
    let dashboard: Value = serde_json::from_slice(&fs::read(DASHBOARD).unwrap()).unwrap();
    let queries = queries(&dashboard);
    let mut shown = BTreeSet::new();
    for (panel, query) in &queries {
        assert_eq!(fault(query, &samples), None, "{panel}: {query}");
        let mut selected = Selected::default();
        walk_expr(&mut selected, &parser::parse(query).unwrap()).unwrap();
        shown.extend(selected.selectors.into_iter().filter_map(|selector| selector.name));
    }
    for metric in telemetry::ALL {
        let names = match metric.kind {
            Kind::Histogram(_) => {
                ["_bucket", "_sum", "_count"].map(|end| format!("{}{end}", metric.name)).to_vec()
            }
            Kind::Counter | Kind::Gauge => vec![metric.name.to_owned()],
        };
        assert!(
            names.iter().all(|name| samples.iter().any(|sample| sample.name == *name)),
            "{}",
            metric.name
        );
        assert!(names.iter().any(|name| shown.contains(name)), "{} is on no panel", metric.name);
    }
    // What is served is what happened.
    for positive in
        ["arterial_writes_durable_total", "arterial_records_proven_total", "process_resident_memory_bytes"]
    {
        assert!(value(&samples, positive) > 0.0, "{positive}");
    }
    assert_eq!(value(&samples, "arterial_devices"), 4.0);
    let gas = value(&samples, "arterial_gas_total") / value(&samples, "arterial_gas_blocks_total");
    assert!((250_000.0..290_000.0).contains(&gas), "{gas}");

    let top = run(["top", &running.url, "--once"]);
    assert_eq!(top.status.code(), Some(0), "{}", stderr(&top));
    for part in ["Writes", "Durable after", "p99", "Waiting", "Settling", "a block", "final"] {
        assert!(stdout(&top).contains(part), "{part}: {}", stdout(&top));
    }
    assert!(running.child.wait().unwrap().success());
    assert!(TcpStream::connect(running.address()).is_err(), "it ends with the run");

    let dir = temp.path().join("run");
    let top = run(["top", dir.to_str().unwrap(), "--once"]);
    assert_eq!(top.status.code(), Some(0), "{}", stderr(&top));
    assert!(stdout(&top).contains(" final "), "{}", stdout(&top));
}

/// The test above can fail: at a name, a label's value, a label that is grouped by, and what is no query.
#[test]
fn a_query_that_shows_nothing_is_found() {
    let samples = scrape::samples("a_total{lane=\"bulk\"} 1\nb 2\n").unwrap();
    assert_eq!(fault("sum by (lane) (rate(a_total{lane=~\"b.*\"}[1m])) / scalar(b)", &samples), None);
    for (query, says) in [
        ("rate(c_total[1m])", "no sample of c_total"),
        ("a_total{lane=\"alarm\"}", "no sample of a_total"),
        ("sum by (shard) (a_total)", "no label shard"),
        ("sum by (lane) (rate(a_total[1m])", "unclosed left parenthesis"),
        ("1 + 1", "selects nothing"),
    ] {
        let fault = fault(query, &samples).unwrap();
        assert!(fault.contains(says), "{query}: {fault}");
    }
}

#[test]
fn other_requests_are_told_what_there_is() {
    let temp = tempfile::tempdir().unwrap();
    let running = Running::start(&temp.path().join("run"), 5000);
    for (asked, answer) in [
        ("GET / HTTP/1.1\r\n\r\n", "404"),
        ("GET /metrics?x=1 HTTP/1.0\r\nHost: x\r\n\r\n", "200"),
        ("POST /metrics HTTP/1.1\r\n\r\n", "405"),
        ("\r\n\r\n", "405"),
    ] {
        let got = request(running.address(), asked);
        assert!(got.starts_with(&format!("HTTP/1.1 {answer} ")), "{asked:?}: {got}");
    }
    // Who says too much, or nothing, is let go and keeps nobody out for long.
    let silent = TcpStream::connect(running.address()).unwrap();
    let mut endless = TcpStream::connect(running.address()).unwrap();
    let _ = endless.write_all(&vec![b'x'; 100 << 10]);
    running.scrape();
    drop((silent, endless));
}

#[test]
fn an_address_that_is_taken_exposed_or_none_is_refused_before_anything_is_made() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("run");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (address, code, says) in [
        (&*taken, 1, "port 0 takes one that is free"),
        ("0.0.0.0:0", 1, "--metrics-exposed"),
        ("9100", 2, "127.0.0.1:9100"),
    ] {
        let output = run(["run", "--out", dir.to_str().unwrap(), "--metrics", address]);
        assert_eq!(output.status.code(), Some(code), "{address}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{address}: {}", stderr(&output));
        assert!(!dir.exists());
    }
}

#[test]
fn top_says_what_it_cannot_look_at() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().to_str().unwrap();
    let foreign = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = foreign.local_addr().unwrap().to_string();
    let served = thread::spawn(move || {
        let (mut client, _) = foreign.accept().unwrap();
        let _ = client.read(&mut [0; 4096]);
        let _ = client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\ngo_goroutines 17\n");
    });
    let foreign = format!("http://{address}");
    for (source, says) in [
        (&*foreign, "these are not the metrics of `arterial run`"),
        ("http://127.0.0.1:1", "http://127.0.0.1:1/metrics: "),
        ("127.0.0.1:9100", "write http://127.0.0.1:9100"),
        ("/nowhere/at/all", "no directory"),
        (dir, "holds no deployment"),
        ("ftp://x", "expected a URL"),
    ] {
        let output = run(["top", source, "--once"]);
        assert_eq!(output.status.code(), Some(1), "{source}");
        assert!(stderr(&output).contains(says), "{source}: {}", stderr(&output));
    }
    served.join().unwrap();
    let piped = run(["top", dir]);
    assert!(stderr(&piped).contains("--once"), "{}", stderr(&piped));
}

/// A Prometheus of its own that scrapes one address.
struct Prometheus {
    _process: Ending,
    url: String,
}

impl Prometheus {
    fn start(dir: &Path, scraped: &str) -> Self {
        let config = dir.join("prometheus.yml");
        let job =
            format!("scrape_configs: [{{job_name: arterial, static_configs: [{{targets: ['{scraped}']}}]}}]");
        fs::write(&config, format!("global: {{scrape_interval: 1s}}\n{job}\n")).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let program = std::env::var("ARTERIAL_PROMETHEUS").unwrap_or("prometheus".into());
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", dir.join("tsdb").display()))
            .arg(format!("--web.listen-address={free}"))
            .stderr(Stdio::null());
        let process = Ending::spawn(&mut command);
        Self { _process: process, url: format!("http://{free}/api/v1/query") }
    }

    /// The series that a query finds now, or why there are none.
    fn query(&self, query: &str) -> Result<Vec<Value>, String> {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        let mut answer =
            agent.get(&self.url).query("query", query).call().map_err(|error| error.to_string())?;
        let body = answer.body_mut().read_to_string().map_err(|error| error.to_string())?;
        let answer: Value = serde_json::from_str(&body).map_err(|error| error.to_string())?;
        let result = answer["data"]["result"].as_array().filter(|_| answer["status"] == "success");
        result.cloned().ok_or_else(|| answer["error"].to_string())
    }
}

#[test]
#[ignore = "needs Prometheus: on the PATH, or where ARTERIAL_PROMETHEUS says"]
fn prometheus_itself_answers_every_query_of_the_dashboard() {
    let temp = tempfile::tempdir().unwrap();
    let running = Running::start(&temp.path().join("run"), 30_000);
    let prometheus = Prometheus::start(temp.path(), running.address());
    running.scrape_when_final();
    let begin = Instant::now();
    // Two scrapes that show a final block, for the rates.
    while !prometheus
        .query("count_over_time((arterial_block_number{stage=\"final\"} > 0)[1m:1s]) >= 4")
        .is_ok_and(|series| !series.is_empty())
    {
        assert!(begin.elapsed() < PATIENCE, "Prometheus has no two scrapes");
        thread::sleep(Duration::from_millis(500));
    }
    let dashboard: Value = serde_json::from_slice(&fs::read(DASHBOARD).unwrap()).unwrap();
    let queries = queries(&dashboard);
    for (panel, query) in &queries {
        let series = prometheus.query(query).unwrap_or_else(|error| panic!("{panel}: {query}: {error}"));
        assert!(!series.is_empty(), "{panel}: {query} shows nothing");
        eprintln!("{panel}: {query}: {} series, the first {}", series.len(), series[0]["value"][1]);
    }
    assert!(queries.len() > 30, "{}", queries.len());
}
