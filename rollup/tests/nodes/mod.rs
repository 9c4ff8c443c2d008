//! Ethereum nodes for tests: `npm ci --ignore-scripts` here gets anvil. Every node is on loopback, on a port of its own, and
//! ends with its value.
#![allow(dead_code, reason = "not every test that includes this uses all of it")]
#![allow(clippy::unwrap_used, reason = "clippy allows it in test functions, and not in what they share")]

use serde_json::{Value, json};
use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The account that anvil gives coins to, in a keystore beside this file, and its password.
pub(crate) const ACCOUNT: &str = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";
pub(crate) const PASSWORD: &str = "correct horse";
pub(crate) const CHAIN_ID: u64 = 1337;
const STARTING_MAX: Duration = Duration::from_secs(20);

/// The keystore's path, from any crate of the workspace.
pub(crate) fn keystore() -> PathBuf {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let here = crate_dir.ancestors().map(|dir| dir.join("rollup/tests/nodes/keystore.json"));
    here.into_iter().find(|path| path.exists()).expect("it is in the repository")
}

/// A development node.
pub(crate) struct Anvil {
    binary: PathBuf,
    port: u16,
    state: PathBuf,
    arguments: Vec<String>,
    child: Option<Child>,
    agent: ureq::Agent,
}

impl Anvil {
    /// Starts one that keeps its chain in a directory, or says why there is none: then the test is skipped.
    pub(crate) fn start(dir: &Path, arguments: &[&str]) -> Option<Self> {
        let binary =
            keystore().with_file_name(format!("node_modules/@foundry-rs/anvil-{}/bin/anvil", platform()));
        if !binary.exists() {
            eprintln!(
                "SKIPPED: no {}; run: npm ci --ignore-scripts --prefix rollup/tests/nodes",
                binary.display()
            );
            return None;
        }
        let [port] = free_ports();
        let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(10))).build();
        let mut anvil = Self {
            binary,
            port,
            state: dir.join("anvil.json"),
            arguments: arguments.iter().map(ToString::to_string).collect(),
            child: None,
            agent: config.into(),
        };
        anvil.begin();
        Some(anvil)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Starts the process, on the chain that an earlier one left.
    pub(crate) fn begin(&mut self) {
        let mut command = Command::new(&self.binary);
        command.args([
            "--host",
            "127.0.0.1",
            "--silent",
            "--hardfork",
            "osaka",
            "--preserve-historical-states",
            // Only at its end: it answers nothing while it writes, which takes long where many blocks were made.
            "--state-interval",
            "86400",
        ]);
        command.args(["--port", &self.port.to_string()]);
        if !self.arguments.iter().any(|argument| argument == "--chain-id") {
            command.args(["--chain-id", &CHAIN_ID.to_string()]);
        }
        command.arg("--state").arg(&self.state).args(&self.arguments);
        self.child = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let since = Instant::now();
        while self.try_ask("eth_chainId", &json!([])).is_none() {
            assert!(since.elapsed() < STARTING_MAX, "anvil does not answer on port {}", self.port);
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends the process, which writes down its chain, but not its pool.
    pub(crate) fn end(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let asked = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        let since = Instant::now();
        while asked.is_ok() && since.elapsed() < STARTING_MAX {
            if let Ok(Some(_)) = child.try_wait() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = (child.kill(), child.wait());
    }

    /// Asks the node; it must answer.
    #[track_caller]
    pub(crate) fn ask(&self, method: &str, params: Value) -> Value {
        let answer = self.try_ask(method, &params).unwrap_or_else(|| panic!("no answer to {method}"));
        assert!(answer.get("error").is_none(), "{method} {params}: {answer}");
        answer["result"].clone()
    }

    fn try_ask(&self, method: &str, params: &Value) -> Option<Value> {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        let answer = self.agent.post(self.url()).header("content-type", "application/json").send(&request);
        serde_json::from_slice(&answer.ok()?.body_mut().read_to_vec().ok()?).ok()
    }

    pub(crate) fn mine(&self, blocks: u64) {
        self.ask("anvil_mine", json!([blocks]));
    }

    pub(crate) fn height(&self) -> u64 {
        number(&self.ask("eth_blockNumber", json!([])))
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = (child.kill(), child.wait());
        }
    }
}

/// Ports that no test beside this one takes meanwhile: each test is a process, and has ports by its number. They are below
/// those that the system gives to connections.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let first = process::id() % 1_500 * 8;
    let ports = (0..12_000).map(|n| 20_000 + (first + n) % 12_000);
    let ports = ports.filter_map(|port| u16::try_from(port).ok());
    let free: Vec<u16> =
        ports.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).take(N).collect();
    free.try_into().expect("ports are free")
}

/// A quantity as nodes write it.
pub(crate) fn number(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

fn platform() -> &'static str {
    match (cfg!(target_os = "macos"), cfg!(target_arch = "aarch64")) {
        (false, false) => "linux-amd64",
        (false, true) => "linux-arm64",
        (true, false) => "darwin-amd64",
        (true, true) => "darwin-arm64",
    }
}
