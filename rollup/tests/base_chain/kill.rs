//! A process that posts, killed at each of its exchanges with the node: before the node has the question, and before the
//! process has the answer. Its signer is asked over the same connection, so choosing a nonce, signing, sending, being
//! answered and being included are all among them.

use crate::{
    ethereum::{Ethereum, settings},
    nodes,
    proxy::{Proxy, Reply},
    stand_in::root,
    suite::Follower,
};
use arterial_protocol::BlockNumber;
use arterial_rollup::{
    SystemClock,
    chain::{
        At, BaseChain as _, PostStatus,
        ethereum::{Account, Connection, EthereumSettings},
    },
};
use serde_json::{Value, json};
use std::{
    env,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

const URL: &str = "ARTERIAL_POSTER_URL";
const CONTRACT: &str = "ARTERIAL_POSTER_CONTRACT";
const LAST: &str = "ARTERIAL_POSTER_LAST";
const LOOK: Duration = Duration::from_millis(20);
/// In which a process must have its block posted.
const POSTING_MAX: Duration = Duration::from_secs(60);

/// The process: posts blocks up to one, and ends when it stands.
#[test]
fn poster() {
    let Ok(url) = env::var(URL) else { return };
    let (contract, last): (_, u64) = (env::var(CONTRACT).unwrap(), env::var(LAST).unwrap().parse().unwrap());
    let account = Account::remote(url.parse().unwrap(), nodes::ACCOUNT.parse().unwrap(), POSTING_MAX);
    let patient = EthereumSettings { poll: 2 * LOOK, timeout: POSTING_MAX, ..settings(&[url]) };
    let connection = Connection::new(patient, Arc::new(SystemClock)).unwrap();
    let chain = connection.open(account, contract.parse().unwrap(), &Follower::key_words(), root(0)).unwrap();
    // Fewer questions than a follower of every block has: each of them is one to be killed at.
    let block = Follower::new().block(last);
    while chain.head().unwrap().settled.0 < last {
        // What the chain refuses, as it stands already, is tried again.
        let _ = chain.tend();
        if matches!(chain.status(BlockNumber(last)), Ok(PostStatus::Unknown)) {
            let _ = chain.post(&block);
        }
        thread::sleep(LOOK);
    }
}

/// What it asks on its way to a post.
const METHODS: [&str; 4] =
    ["eth_getTransactionCount", "eth_call", "eth_signTransaction", "eth_sendRawTransaction"];

/// When the process is killed: at which of its exchanges, and whether the node has the question by then.
#[derive(Clone, Copy, Debug)]
struct Moment {
    exchange: Exchange,
    asked: bool,
}

#[derive(Clone, Copy, Debug)]
enum Exchange {
    Nth(usize),
    FirstOf(&'static str),
}

#[derive(Default)]
struct Watch {
    kill_at: Option<Moment>,
    exchanges: usize,
    child: Option<Child>,
    /// What was asked in the exchange that it was killed at.
    killed_at: Option<String>,
    /// Every transaction that was sent.
    sent: Vec<String>,
}

impl Watch {
    fn kill(&mut self, request: &str) {
        self.child.as_mut().unwrap().kill().unwrap();
        let request: Value = serde_json::from_str(request).unwrap();
        self.killed_at = Some(request["method"].as_str().unwrap().to_owned());
    }
}

#[test]
fn a_process_killed_at_any_step_of_posting_posts_its_block_once() {
    let Some(host) = Ethereum::new() else { return };
    let watch = Arc::<Mutex<Watch>>::default();
    let watching = Arc::clone(&watch);
    let proxy = Proxy::start(&host.anvil.url(), move |request, forward| {
        let moment = {
            let mut watch = watching.lock().unwrap();
            if request.contains("eth_sendRawTransaction") {
                watch.sent.push(request.to_owned());
            }
            let this = watch.exchanges;
            watch.exchanges += 1;
            let moment = watch.kill_at.filter(|moment| match moment.exchange {
                Exchange::Nth(n) => n == this,
                Exchange::FirstOf(method) => watch.killed_at.is_none() && request.contains(method),
            });
            if moment.is_some_and(|moment| !moment.asked) {
                watch.kill(request);
                return Reply::Nothing;
            }
            moment
        };
        let answer = forward();
        if moment.is_some() {
            watching.lock().unwrap().kill(request);
            return Reply::Nothing;
        }
        answer.map_or(Reply::Nothing, Reply::Answer)
    });
    let began = nonce(&host);
    let mut steps = Vec::new();
    let mut step = |exchange, asked| {
        let number = steps.len() as u64 + 1;
        let killed_at = post(&host, &proxy, &watch, number, Some(Moment { exchange, asked }));
        if killed_at.is_some() {
            assert_eq!(post(&host, &proxy, &watch, number, None), None);
        }
        check(&host, &watch, number, began);
        steps.push(killed_at.clone());
        killed_at
    };
    for asked in [false, true] {
        let _ = (0..).map(Exchange::Nth).find(|exchange| step(*exchange, asked).is_none());
        // How often it looks differs from run to run, so that a number may miss these.
        for method in METHODS {
            assert_eq!(step(Exchange::FirstOf(method), asked).as_deref(), Some(method));
        }
    }
    let killed_at = |method: &str| steps.iter().flatten().filter(|step| *step == method).count();
    println!("killed at {} exchanges", steps.iter().flatten().count());
    for method in METHODS {
        assert!(killed_at(method) >= 2, "{method}: {steps:?}");
    }
}

/// Lets a process post a block, and mines once it has sent something; what it was asking when it was killed, if it was.
fn post(
    host: &Ethereum,
    proxy: &Proxy,
    watch: &Mutex<Watch>,
    number: u64,
    kill_at: Option<Moment>,
) -> Option<String> {
    {
        let mut watch = watch.lock().unwrap();
        (watch.kill_at, watch.exchanges, watch.killed_at) = (kill_at, 0, None);
        let child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "kill::poster", "--nocapture"])
            .envs([
                (URL, proxy.url()),
                (CONTRACT, host.chain.contract().to_string()),
                (LAST, number.to_string()),
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn();
        watch.child = Some(child.unwrap());
    }
    let begun = Instant::now();
    loop {
        let ended = watch.lock().unwrap().child.as_mut().unwrap().try_wait().unwrap();
        if let Some(status) = ended {
            let killed_at = watch.lock().unwrap().killed_at.clone();
            assert_eq!(status.success(), killed_at.is_none(), "{status} {killed_at:?}");
            return killed_at;
        }
        assert!(begun.elapsed() < POSTING_MAX, "block {number} is not posted, {kill_at:?}");
        thread::sleep(LOOK);
        if !watch.lock().unwrap().sent.is_empty() {
            host.anvil.mine(1);
        }
    }
}

/// The block stands, one transaction was spent on it, and whatever was sent for it was the same call.
#[track_caller]
fn check(host: &Ethereum, watch: &Mutex<Watch>, number: u64, began: u64) {
    host.clock.advance_ms(1000);
    let stands = host.chain.state_root(BlockNumber(number), At::Latest).unwrap();
    assert_eq!(stands, Some(root(number)));
    assert_eq!(nonce(host), began + number, "a transaction was included in vain");
    let calldata = hex::encode(
        arterial_rollup::chain::contract::Call::post_block(
            Follower::new().block(number).statement(),
            Follower::new().block(number).proof(),
        )
        .encode(),
    );
    let sent = std::mem::take(&mut watch.lock().unwrap().sent);
    assert!(!sent.is_empty() && sent.iter().all(|sent| sent.contains(&calldata)), "block {number}: {sent:?}");
}

fn nonce(host: &Ethereum) -> u64 {
    nodes::number(&host.anvil.ask("eth_getTransactionCount", json!([nodes::ACCOUNT, "latest"])))
}
