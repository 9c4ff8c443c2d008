//! A proof-of-stake chain of real clients: a beacon node with eight validators (Lodestar), and the execution node that it
//! drives (EthereumJS), from npm, on loopback, with a genesis of their own each time.
//!
//! `npm ci --ignore-scripts --prefix rollup/tests/devnet` gets them. The beacon node is of 2023: the rules are Shanghai's,
//! without blobs, and it is for tests only.
#![allow(dead_code, reason = "not every test that includes this uses all of it")]
#![allow(clippy::unwrap_used, reason = "clippy allows it in test functions, and not in what they share")]

use crate::nodes::{self, ACCOUNT, CHAIN_ID, free_ports, number};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const STARTING_MAX: Duration = Duration::from_secs(120);
const VALIDATORS: u32 = 8;
/// A slot. The validators give up a proposal that takes longer to make, and are asked to put the same transactions into the
/// next one: a chain whose nodes can't execute a full block in a slot stands still.
pub(crate) const SLOT: Duration = Duration::from_secs(2);
/// Of a block: a deployment, or six of the transactions that post. The execution node is JavaScript, and each of these
/// takes it a tenth of a second and more.
const GAS_LIMIT: u32 = 2_000_000;
/// Lines of a node's log that are shown where a test fails.
const LOG_LINES: usize = 40;

/// Both nodes; they end with the value.
pub(crate) struct Devnet {
    rpc: u16,
    beacon: u16,
    children: Vec<Child>,
    logs: Vec<PathBuf>,
    agent: ureq::Agent,
}

impl Devnet {
    /// Starts it with some of its eight validators online; everything that it writes is in a directory.
    pub(crate) fn start(dir: &Path, online: RangeInclusive<u32>) -> Self {
        fs::create_dir_all(dir).unwrap();
        let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(10))).build();
        let [rpc, engine, peers, beacon, gossip] = free_ports();
        let mut devnet = Self { rpc, beacon, children: Vec::new(), logs: Vec::new(), agent: config.into() };
        fs::write(dir.join("jwt.hex"), hex::encode(secret())).unwrap();
        fs::write(dir.join("genesis.json"), genesis().to_string()).unwrap();
        let execution = execution(rpc, engine, peers);
        devnet.spawn(dir, "execution", &[], &execution);
        let first = devnet.wait("an execution node", |devnet| {
            devnet.try_ask("eth_getBlockByNumber", &json!(["0x0", false]))?["hash"]
                .as_str()
                .map(str::to_owned)
        });
        let validators = format!("{}..{}", online.start(), online.end());
        let beacon_node = beacon_node(&first, &validators, engine, rpc, beacon, gossip);
        devnet.spawn(dir, "beacon", &[("NODE_BACKEND", "js"), ("LODESTAR_PRESET", "minimal")], &beacon_node);
        devnet.wait("a first block", |devnet| (devnet.height()? > 1).then_some(()));
        devnet
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.rpc)
    }

    fn spawn(&mut self, dir: &Path, name: &str, environment: &[(&str, &str)], arguments: &[String]) {
        let path = dir.join(format!("{name}.log"));
        let log = File::create(&path).unwrap();
        self.logs.push(path);
        let child = Command::new("node")
            .args(arguments)
            .envs(environment.iter().copied())
            // Whatever they leave in their working directory is left here.
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.children.push(child);
    }

    fn wait<T>(&mut self, what: &str, ready: impl Fn(&Self) -> Option<T>) -> T {
        let since = Instant::now();
        loop {
            if let Some(value) = ready(self) {
                return value;
            }
            for child in &mut self.children {
                assert!(
                    child.try_wait().unwrap().is_none(),
                    "a node ended before there was {what}: see its log"
                );
            }
            assert!(since.elapsed() < STARTING_MAX, "there is no {what}");
            thread::sleep(Duration::from_millis(200));
        }
    }

    fn try_ask(&self, method: &str, params: &Value) -> Option<Value> {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        let answer = self.agent.post(self.url()).header("content-type", "application/json").send(&request);
        let answer: Value = serde_json::from_slice(&answer.ok()?.body_mut().read_to_vec().ok()?).ok()?;
        answer.get("result").cloned()
    }

    fn height(&self) -> Option<u64> {
        self.try_ask("eth_blockNumber", &json!([])).map(|height| number(&height))
    }

    /// The newest epoch that the validators finalised, as the beacon node says.
    pub(crate) fn finalized_epoch(&self) -> Option<u64> {
        let url = format!("http://127.0.0.1:{}/eth/v1/beacon/states/head/finality_checkpoints", self.beacon);
        let body = self.agent.get(url).call().ok()?.body_mut().read_to_vec().ok()?;
        let answer: Value = serde_json::from_slice(&body).ok()?;
        answer["data"]["finalized"]["epoch"].as_str()?.parse().ok()
    }
}

impl Drop for Devnet {
    fn drop(&mut self) {
        for child in self.children.iter_mut().rev() {
            let _ = (child.kill(), child.wait());
        }
        // They go with their directory.
        for path in self.logs.iter().filter(|_| thread::panicking()) {
            let log = fs::read_to_string(path).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            eprintln!("{}:\n{}", path.display(), lines[lines.len().saturating_sub(LOG_LINES)..].join("\n"));
        }
    }
}

/// Whether tests on it are to be run: they take minutes. Then its packages must be there.
pub(crate) fn is_wanted() -> bool {
    let wanted = std::env::var_os("ARTERIAL_DEVNET").is_some_and(|value| value == "1");
    if !wanted {
        eprintln!("SKIPPED: runs with ARTERIAL_DEVNET=1");
    }
    let installed = packages().join("node_modules").is_dir();
    assert!(!wanted || installed, "run: npm ci --ignore-scripts --prefix rollup/tests/devnet");
    wanted
}

fn packages() -> PathBuf {
    nodes::keystore().with_file_name("../devnet")
}

fn secret() -> [u8; 32] {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).unwrap();
    secret
}

/// Every rule up to Shanghai from the beginning, and one account with coins.
fn genesis() -> Value {
    let mut config = json!({
        "chainId": CHAIN_ID, "terminalTotalDifficulty": 0, "terminalTotalDifficultyPassed": true, "shanghaiTime": 0,
    });
    for fork in [
        "homestead",
        "eip150",
        "eip155",
        "eip158",
        "byzantium",
        "constantinople",
        "petersburg",
        "istanbul",
        "berlin",
        "london",
        "mergeFork",
    ] {
        config[format!("{fork}Block")] = json!(0);
    }
    let zeros = format!("0x{}", "0".repeat(64));
    json!({
        "config": config, "number": "0x0", "nonce": "0x0", "timestamp": "0x0", "extraData": "0x", "difficulty": "0x0",
        "gasLimit": format!("{GAS_LIMIT:#x}"), "gasUsed": "0x0", "baseFeePerGas": "0x3b9aca00", "mixHash": zeros, "parentHash": zeros,
        "coinbase": format!("0x{}", "0".repeat(40)),
        "alloc": { &ACCOUNT[2..]: { "balance": "0x56bc75e2d63100000" } },
    })
}

fn execution(rpc: u16, engine: u16, peers: u16) -> Vec<String> {
    let packages = packages();
    let mut arguments =
        vec![packages.join("node_modules/@ethereumjs/client/dist/esm/bin/cli.js").display().to_string()];
    let options = "--gethGenesis genesis.json --dataDir execution --rpc --rpcAddr 127.0.0.1 --rpcEngine \
        --rpcEngineAddr 127.0.0.1 --jwtSecret jwt.hex --isSingleNode --saveReceipts --discV4=false --discDns=false \
        --extIP 127.0.0.1 --logLevel warn";
    arguments.extend(options.split_whitespace().map(str::to_owned));
    for (option, port) in [("--rpcPort", rpc), ("--rpcEnginePort", engine), ("--port", peers)] {
        arguments.extend([option.to_owned(), port.to_string()]);
    }
    arguments
}

fn beacon_node(genesis: &str, online: &str, engine: u16, rpc: u16, beacon: u16, gossip: u16) -> Vec<String> {
    let packages = packages();
    let file = |path: &str| packages.join(path).display().to_string();
    let url = |port: u16| format!("http://127.0.0.1:{port}");
    let mut arguments = vec![
        "-r".into(),
        file("polyfill.cjs"),
        file("node_modules/@chainsafe/lodestar/lib/index.js"),
        "dev".into(),
    ];
    let options = "--dataDir beacon --reset --terminal-total-difficulty-override 0 --params.ALTAIR_FORK_EPOCH 0 \
        --params.BELLATRIX_FORK_EPOCH 0 --params.CAPELLA_FORK_EPOCH 0 --jwt-secret jwt.hex --eth1 true \
        --rest.address 127.0.0.1 --listenAddress 127.0.0.1 --discv5 false";
    arguments.extend(options.split_whitespace().map(str::to_owned));
    for (option, value) in [
        ("--genesisValidators", VALIDATORS.to_string()),
        ("--startValidators", online.to_owned()),
        ("--genesisEth1Hash", genesis.to_owned()),
        ("--params.SECONDS_PER_SLOT", SLOT.as_secs().to_string()),
        ("--execution.urls", url(engine)),
        ("--eth1.providerUrls", url(rpc)),
        ("--rest.port", beacon.to_string()),
        ("--beaconNodes", url(beacon)),
        ("--port", gossip.to_string()),
        ("--suggestedFeeRecipient", ACCOUNT.to_owned()),
    ] {
        arguments.extend([option.to_owned(), value]);
    }
    arguments
}
