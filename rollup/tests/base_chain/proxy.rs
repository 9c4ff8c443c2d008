//! A node's endpoint with something in between: lies, errors, silence.

use std::{
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

/// Passes requests on and answers with what a function makes of the answers; ends with its value.
pub(crate) struct Proxy {
    port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// An empty answer of the function's is one that never comes.
    pub(crate) fn start(to: &str, change: impl Fn(&str) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, to) = (Arc::clone(&stop), to.to_owned());
        let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(10))).build();
        let agent: ureq::Agent = config.into();
        let thread = thread::spawn(move || {
            for stream in listener.incoming().take_while(|_| !stopped.load(Ordering::SeqCst)).flatten() {
                // One request a connection, one connection at a time: enough for a client that asks in turn.
                let _ = serve(stream, &to, &agent, &change);
            }
        });
        Self { port, stop, thread: Some(thread) }
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
    change: &impl Fn(&str) -> String,
) -> Result<(), Box<dyn std::error::Error>> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let body = read_request(&mut stream)?;
    let answer =
        agent.post(to).header("content-type", "application/json").send(&body)?.body_mut().read_to_string()?;
    let answer = change(&answer);
    if !answer.is_empty() {
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{answer}",
            answer.len()
        )?;
    }
    Ok(stream.shutdown(Shutdown::Both)?)
}

fn read_request(stream: &mut TcpStream) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
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
