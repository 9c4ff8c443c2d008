//! A node's endpoint with something in between: lies, errors, delays, silence.
#![allow(dead_code, reason = "not every test that includes this uses all of it")]
#![allow(clippy::unwrap_used, reason = "clippy allows it in test functions, and not in what they share")]

use std::{
    error::Error,
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

const REQUEST_BYTES_MAX: usize = 1 << 20;

/// What the client gets for a request.
pub(crate) enum Reply {
    Answer(String),
    /// An HTTP status, and no answer.
    Status(u16),
    /// The beginning of an answer, and then the connection ends.
    Torn(String),
    /// The connection ends.
    Nothing,
}

/// Passes a request on; the node's answer, if there is one.
pub(crate) type Forward<'a> = &'a dyn Fn() -> Option<String>;

/// Stands before an endpoint; ends with its value. Each request has a connection and a thread of its own.
pub(crate) struct Proxy {
    port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    pub(crate) fn start(
        to: &str,
        handle: impl Fn(&str, Forward<'_>) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, to) = (Arc::clone(&stop), Arc::<str>::from(to));
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(10)))
            .max_idle_connections(0)
            .build();
        let agent: ureq::Agent = config.into();
        let handle = Arc::new(handle);
        let thread = thread::spawn(move || {
            for stream in listener.incoming().take_while(|_| !stopped.load(Ordering::SeqCst)).flatten() {
                let (to, agent, handle) = (Arc::clone(&to), agent.clone(), Arc::clone(&handle));
                // A client that went away is the client's affair.
                thread::spawn(move || drop(serve(stream, &to, &agent, &*handle)));
            }
        });
        Self { port, stop, thread: Some(thread) }
    }

    /// One that changes what the node answers.
    pub(crate) fn changing(to: &str, change: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self::start(to, move |_, forward| {
            forward().map_or(Reply::Nothing, |answer| Reply::Answer(change(&answer)))
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(
    mut stream: TcpStream,
    to: &str,
    agent: &ureq::Agent,
    handle: &impl Fn(&str, Forward<'_>) -> Reply,
) -> Result<(), Box<dyn Error>> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let request = String::from_utf8(read_request(&mut stream)?)?;
    let forward = || {
        let answer = agent.post(to).header("content-type", "application/json").send(&request);
        answer.ok()?.body_mut().read_to_string().ok()
    };
    let (status, body, sent) = match handle(&request, &forward) {
        Reply::Answer(answer) => (200, answer, 1),
        Reply::Torn(answer) => (200, answer, 2),
        Reply::Status(status) => (status, String::new(), 1),
        Reply::Nothing => return Ok(stream.shutdown(Shutdown::Both)?),
    };
    let head = format!(
        "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body.as_bytes()[..body.len() / sent])?;
    Ok(stream.shutdown(Shutdown::Both)?)
}

fn read_request(stream: &mut TcpStream) -> Result<Vec<u8>, Box<dyn Error>> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
            let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.ok_or("no length")?.trim().parse()?;
            if bytes.len() >= head + 4 + length {
                return Ok(bytes[head + 4..head + 4 + length].to_vec());
            }
        }
        let read = stream.read(&mut chunk)?;
        if read == 0 || bytes.len() > REQUEST_BYTES_MAX {
            return Err("the request ended early".into());
        }
        bytes.extend_from_slice(&chunk[..read]);
    }
}
