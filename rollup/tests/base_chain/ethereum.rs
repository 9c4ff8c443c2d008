//! The suite on anvil, and what only a chain behind an RPC can do.

use crate::{
    nodes::{self, Anvil},
    proxy::{Proxy, Reply},
    stand_in::{StandIn, root},
    suite::{self, Follower, Host},
};
use alloy_primitives::{B256, U256, keccak256};
use arterial_protocol::{BlockNumber, StateRoot};
use arterial_rollup::{
    ManualClock,
    chain::{
        At, BaseChain, ChainError, PostStatus,
        contract::{self, Address, Call, ContractError},
        ethereum::{Account, Connection, EthereumChain, EthereumSettings, Password},
    },
    proof::VerificationKey,
};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

pub(crate) const SLOT_MS: u64 = 12_000;
const GWEI: u128 = 1_000_000_000;

/// A node with the contract on it, and time that the test owns.
pub(crate) struct Ethereum {
    pub(crate) anvil: Anvil,
    pub(crate) chain: EthereumChain,
    pub(crate) clock: ManualClock,
    /// The height at which the node began anew. anvil loses every account where a reorganisation reaches below it.
    began_at: u64,
    _dir: TempDir,
}

pub(crate) fn account() -> Account {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("password");
    std::fs::write(&file, format!("{}\n", nodes::PASSWORD)).unwrap();
    Account::from_keystore(&nodes::keystore(), &Password::from_file(&file).unwrap()).unwrap()
}

pub(crate) fn settings(urls: &[String]) -> EthereumSettings {
    EthereumSettings {
        poll: Duration::from_millis(1),
        timeout: Duration::from_secs(5),
        ..EthereumSettings::new(urls.iter().map(|url| url.parse().unwrap()).collect())
    }
}

impl Ethereum {
    /// Blocks are made when a test says so; a block is final eight blocks later.
    pub(crate) fn new() -> Option<Self> {
        Self::with(settings, |_| vec![])
    }

    fn with(
        settings: impl FnOnce(&[String]) -> EthereumSettings,
        more: impl FnOnce(&Anvil) -> Vec<String>,
    ) -> Option<Self> {
        let dir = TempDir::new().unwrap();
        let anvil = Anvil::start(dir.path(), &["--no-mining", "--slots-in-an-epoch", "4"])?;
        let clock = ManualClock::default();
        clock.advance_ms(1_700_000_000_000);
        let address = deploy(&anvil, root(0));
        let mut urls = vec![anvil.url()];
        urls.extend(more(&anvil));
        let connection = Connection::new(settings(&urls), Arc::new(clock.clone())).unwrap();
        let chain = connection.open(account(), address, &Follower::key_words(), root(0)).unwrap();
        Some(Self { anvil, chain, clock, began_at: 0, _dir: dir })
    }
}

/// Deploys while the node mines by itself.
fn deploy(anvil: &Anvil, genesis: StateRoot) -> Address {
    anvil.ask("evm_setAutomine", json!([true]));
    let connection = Connection::new(settings(&[anvil.url()]), Arc::new(ManualClock::default())).unwrap();
    let address = connection.deploy(&account(), &Follower::key_words(), genesis).unwrap();
    anvil.ask("evm_setAutomine", json!([false]));
    // Final, so that no reorganisation of a test takes it away.
    anvil.mine(12);
    address
}

impl Host for Ethereum {
    fn chain(&self) -> &dyn BaseChain {
        &self.chain
    }

    fn slot(&self) {
        self.clock.advance_ms(SLOT_MS);
        self.anvil.mine(1);
    }

    fn stall(&self) {
        self.clock.advance_ms(70_000);
    }

    fn reorganise(&self, depth: u64) {
        self.clock.advance_ms(SLOT_MS);
        match depth.min(self.anvil.height() - self.began_at) {
            0 => self.anvil.mine(1),
            depth => _ = self.anvil.ask("anvil_reorg", json!([depth, []])),
        }
    }

    fn drop_pool(&self) {
        self.anvil.ask("anvil_dropAllTransactions", json!([]));
    }

    fn restart(&mut self) {
        self.anvil.end();
        let unreachable = self.chain.tend();
        assert!(
            unreachable.is_ok() || matches!(unreachable, Err(ChainError::Node { .. })),
            "{unreachable:?}"
        );
        self.anvil.begin();
        self.began_at = self.anvil.height();
        self.clock.advance_ms(SLOT_MS);
    }

    fn raise_fee(&self) {
        self.anvil.ask("anvil_setNextBlockBaseFeePerGas", json!(["0x1bf08eb000"]));
        self.slot();
    }
}

#[test]
fn posts_in_order() {
    if let Some(host) = Ethereum::new() {
        suite::posts_in_order(host);
    }
}

#[test]
fn goes_back_and_comes_again() {
    if let Some(host) = Ethereum::new() {
        suite::goes_back_and_comes_again(host);
    }
}

#[test]
fn outlives_drops_stalls_and_restarts() {
    if let Some(host) = Ethereum::new() {
        suite::outlives_drops_stalls_and_restarts(host);
    }
}

#[test]
fn outlives_everything() {
    for seed in 0..3 {
        let Some(host) = Ethereum::new() else { return };
        suite::outlives_everything(host, seed);
    }
}

/// A follower's own transactions, as the node has them: nonce and what is paid.
pub(crate) fn pool(anvil: &Anvil) -> Vec<(u64, u128)> {
    let content = anvil.ask("txpool_content", json!([]));
    let mut pool: Vec<_> = content["pending"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|by_nonce| by_nonce.as_object().unwrap().values())
        .map(|one| (nodes::number(&one["nonce"]), u128::from(nodes::number(&one["maxFeePerGas"]))))
        .collect();
    pool.sort_unstable();
    pool
}

#[test]
fn what_is_stuck_is_replaced_up_to_the_limit_and_no_further() {
    let limit = 20 * GWEI;
    let cheap = |urls: &[String]| EthereumSettings { fee_max: limit, ..settings(urls) };
    let Some(host) = Ethereum::with(cheap, |_| vec![]) else { return };
    let mut follower = Follower::new();
    follower.turn(&host.chain, 1).unwrap();
    let mut paid = pool(&host.anvil)[0].1;
    let nonce = pool(&host.anvil)[0].0;
    let mut rises = 0;
    for _ in 0..30 {
        host.stall();
        follower.turn(&host.chain, 1).unwrap();
        let [(same, now)] = pool(&host.anvil)[..] else { panic!("one transaction, replaced") };
        assert_eq!(same, nonce);
        assert!(now == paid || now * 10 >= paid * 11, "{paid} {now}");
        assert!(now <= limit);
        rises += u32::from(now > paid);
        paid = now;
    }
    assert!(rises > 3 && paid > limit * 8 / 10, "{rises} {paid}");
    // Where even that does not do, it is said, and goes on when it does.
    host.anvil.ask("anvil_setNextBlockBaseFeePerGas", json!(["0x6fc23ac00"]));
    host.slot();
    host.stall();
    let too_high = follower.turn(&host.chain, 1);
    assert!(
        matches!(too_high, Err(ChainError::FeeTooHigh { limit: said, .. }) if said == limit),
        "{too_high:?}"
    );
    assert_eq!(host.chain.status(BlockNumber(1)).unwrap(), PostStatus::Pending);
    host.anvil.ask("anvil_setNextBlockBaseFeePerGas", json!(["0x3b9aca00"]));
    follower.settle(&host, 1);
}

#[test]
fn a_second_poster_on_the_same_key_does_no_harm() {
    let Some(host) = Ethereum::new() else { return };
    let twin = Ethereum {
        chain: attach(&host, &host.chain.contract(), root(0)).unwrap(),
        ..Ethereum::new().unwrap()
    };
    let (mut one, mut two) = (Follower::new(), Follower::new());
    for last in 1..=6 {
        one.turn(&host.chain, last).unwrap();
        two.turn(&twin.chain, last).unwrap();
        // Somebody sends something else from the account, and it takes the next nonce.
        if last % 2 == 0 {
            host.anvil.ask("anvil_dropAllTransactions", json!([]));
            let to =
                json!([{ "from": nodes::ACCOUNT, "to": nodes::ACCOUNT, "maxFeePerGas": "0x174876e800" }]);
            host.anvil.ask("eth_sendTransaction", to);
        }
        host.slot();
        host.clock.advance_ms(30_000);
        twin.clock.advance_ms(30_000);
    }
    for _ in 0..12 {
        one.turn(&host.chain, 6).unwrap();
        two.turn(&twin.chain, 6).unwrap();
        host.slot();
        host.clock.advance_ms(30_000);
        twin.clock.advance_ms(30_000);
    }
    one.settle(&host, 6);
    two.turn(&twin.chain, 6).unwrap();
    assert_eq!((one.settled, two.settled), (6, 6));
}

fn attach(host: &Ethereum, address: &Address, genesis: StateRoot) -> Result<EthereumChain, ChainError> {
    let connection = Connection::new(settings(&[host.anvil.url()]), Arc::new(host.clock.clone()))?;
    connection.open(account(), *address, &Follower::key_words(), genesis)
}

#[test]
fn another_contract_is_refused() {
    let Some(host) = Ethereum::new() else { return };
    let why = |result: Result<EthereumChain, ChainError>| match result {
        Err(ChainError::WrongContract { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    let right = host.chain.contract();
    assert!(why(attach(&host, &Address([1; 20]), root(0))).contains("no contract"));
    assert!(why(attach(&host, &right, root(9))).contains("another state"));
    let connection = || Connection::new(settings(&[host.anvil.url()]), Arc::new(host.clock.clone())).unwrap();
    let other_key = StandIn::new("another deployment").key_words();
    assert!(
        why(connection().open(account(), right, &other_key, root(0))).contains("another verification key")
    );
    // One byte of the code.
    let code = host.anvil.ask("eth_getCode", json!([right.to_string(), "latest"]));
    let changed = code.as_str().unwrap().replacen("60", "61", 1);
    host.anvil.ask("anvil_setCode", json!([right.to_string(), changed]));
    assert!(why(attach(&host, &right, root(0))).contains("not the settlement contract's"));
    assert!(why(connection().read(right)).contains("not the settlement contract's"));
}

#[test]
fn a_chain_whose_node_is_away_is_opened_and_looked_at_when_it_is_back() {
    let Some(mut host) = Ethereum::new() else { return };
    let address = host.chain.contract();
    let open = |host: &Ethereum, chain_id, address, genesis| {
        let settings = settings(&[host.anvil.url()]);
        let connection = Connection::known(settings, Arc::new(host.clock.clone()), chain_id);
        connection.open(account(), address, &Follower::key_words(), genesis)
    };
    // Where it answers, it is looked at there and then.
    assert!(matches!(open(&host, 1, address, root(0)), Err(ChainError::WrongContract { .. })));
    host.anvil.end();
    let opened = |chain_id, address, genesis| open(&host, chain_id, address, genesis).unwrap();
    let chain = opened(nodes::CHAIN_ID, address, root(0));
    let others = [
        opened(1, address, root(0)),
        opened(nodes::CHAIN_ID, Address([1; 20]), root(0)),
        opened(nodes::CHAIN_ID, address, root(9)),
    ];
    let mut follower = Follower::new();
    assert!(matches!(follower.turn(&chain, 1), Err(ChainError::Node { .. })));
    host.anvil.begin();
    for other in others {
        let told = Follower::new().turn(&other, 1);
        assert!(matches!(told, Err(ChainError::WrongContract { .. })), "{told:?}");
        assert!(matches!(other.standing(), Err(ChainError::WrongContract { .. })));
    }
    assert!(pool(&host.anvil).is_empty());
    host.chain = chain;
    follower.settle(&host, 2);
}

#[test]
fn a_block_that_the_contract_refuses_stops_posting_before_anything_is_spent() {
    let Some(host) = Ethereum::new() else { return };
    let mut follower = Follower::new();
    follower.settle(&host, 2);
    // The role goes to somebody else, behind the poster's back.
    let heir = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8";
    let send = |from: &str, call: Call| {
        let data = format!("0x{}", hex::encode(call.encode()));
        let to = host.chain.contract().to_string();
        host.anvil.ask("eth_sendTransaction", json!([{ "from": from, "to": to, "data": data }]));
        host.slot();
    };
    send(nodes::ACCOUNT, Call::TransferSequencer(heir.parse().unwrap()));
    send(heir, Call::AcceptSequencer);
    let balance = || host.anvil.ask("eth_getBalance", json!([nodes::ACCOUNT, "latest"]));
    let before = balance();
    for _ in 0..3 {
        let refused = follower.turn(&host.chain, 4);
        let Err(ChainError::Rejected { number, error }) = refused else { panic!("{refused:?}") };
        assert_eq!(
            (number.0, error),
            (3, ContractError::NotSequencer { caller: nodes::ACCOUNT.parse().unwrap() })
        );
        assert_eq!(host.chain.status(BlockNumber(3)).unwrap(), PostStatus::Unknown);
        host.slot();
    }
    assert_eq!((balance(), pool(&host.anvil)), (before, vec![]));
    // An operator gives it back, and posting goes on.
    send(heir, Call::TransferSequencer(nodes::ACCOUNT.parse().unwrap()));
    send(nodes::ACCOUNT, Call::AcceptSequencer);
    follower.settle(&host, 4);
}

#[test]
fn a_block_that_came_in_since_one_looked_is_not_taken_for_refused() {
    let Some(host) = Ethereum::new() else { return };
    let follower = Follower::new();
    let twin = attach(&host, &host.chain.contract(), root(0)).unwrap();
    // Time stands still, so this one looks no more.
    let before = twin.head().unwrap();
    host.chain.post(&follower.block(1)).unwrap();
    host.anvil.mine(1);
    assert_eq!(twin.head().unwrap(), before);
    twin.post(&follower.block(1)).unwrap();
    assert_eq!(twin.would_take(&follower.block(1), before.height).unwrap(), Ok(()));
    host.slot();
    let after = twin.head().unwrap();
    assert_eq!(after.settled, BlockNumber(1));
    let wrong = ContractError::WrongBlockNumber { expected: BlockNumber(2), got: BlockNumber(1) };
    assert_eq!(twin.would_take(&follower.block(1), after.height).unwrap(), Err(wrong));
}

#[test]
fn a_transaction_that_reverts_is_decoded_and_tried_again() {
    let Some(host) = Ethereum::new() else { return };
    let mut follower = Follower::new();
    follower.settle(&host, 1);
    follower.turn(&host.chain, 2).unwrap();
    // It waits in the pool while the role goes to somebody else, and reverts.
    let slot_of_sequencer =
        host.anvil.ask("eth_getStorageAt", json!([host.chain.contract().to_string(), "0x0", "latest"]));
    let stolen = slot_of_sequencer.as_str().unwrap().replace(&nodes::ACCOUNT[2..], &"77".repeat(20));
    assert_ne!(slot_of_sequencer, stolen.as_str());
    let set = |word: &str| {
        host.anvil.ask("anvil_setStorageAt", json!([host.chain.contract().to_string(), "0x0", word]));
    };
    set(&stolen);
    host.slot();
    let refused = follower.turn(&host.chain, 2);
    let caller = nodes::ACCOUNT.parse().unwrap();
    assert!(
        matches!(&refused, Err(ChainError::Rejected { number: BlockNumber(2), error: ContractError::NotSequencer { caller: c } }) if *c == caller),
        "{refused:?}"
    );
    set(slot_of_sequencer.as_str().unwrap());
    follower.settle(&host, 2);
}

/// The contract looks at who posts, and at the number, before it looks at the proof: what a revert costs the blocks behind
/// it is an eighth of a block each. And the first of them is tried on the node before anything more is sent.
#[test]
fn a_revert_costs_the_blocks_behind_it_little() {
    let Some(host) = Ethereum::new() else { return };
    let mut follower = Follower::new();
    follower.settle(&host, 1);
    follower.turn(&host.chain, 9).unwrap();
    // What the first of them builds on is another root when it is included: the mapping is in slot 2.
    let root_of_1 = keccak256([B256::from(U256::from(1)).0, B256::from(U256::from(2)).0].as_flattened());
    let contract = host.chain.contract().to_string();
    let word = host.anvil.ask("eth_getStorageAt", json!([contract, root_of_1, "latest"]));
    assert_ne!(word, json!(B256::ZERO));
    let set = |word: &Value| host.anvil.ask("anvil_setStorageAt", json!([contract, root_of_1, word]));
    set(&json!(B256::repeat_byte(1)));
    host.slot();
    set(&word);
    let receipts = host.anvil.ask("eth_getBlockReceipts", json!(["latest"]));
    let gas: Vec<u64> =
        receipts.as_array().unwrap().iter().map(|receipt| nodes::number(&receipt["gasUsed"])).collect();
    println!("{gas:?}");
    assert_eq!(gas.len(), 8);
    assert!(gas[0] > 200_000 && gas[1..].iter().all(|gas| *gas < 35_000), "{gas:?}");
    follower.settle(&host, 9);
}

#[test]
fn an_account_without_coins_is_told() {
    let Some(host) = Ethereum::new() else { return };
    host.anvil.ask("anvil_setBalance", json!([nodes::ACCOUNT, "0x10"]));
    let mut follower = Follower::new();
    let poor = follower.turn(&host.chain, 1);
    assert!(matches!(poor, Err(ChainError::Funds { got: 16, needed, .. }) if needed > 16), "{poor:?}");
    host.anvil.ask("anvil_setBalance", json!([nodes::ACCOUNT, "0xde0b6b3a7640000"]));
    follower.settle(&host, 1);
}

/// The word that a node answers a call with, another one.
fn lie(body: &str) -> String {
    body.replace(&hex::encode(root(1).0.to_be_bytes()), &hex::encode(root(7).0.to_be_bytes()))
}

#[test]
fn a_node_that_lies_about_a_root_is_reported_and_not_believed() {
    let mut liar = None;
    let with_liar = |anvil: &Anvil| {
        let proxy = Proxy::changing(&anvil.url(), lie);
        let url = proxy.url();
        liar = Some(proxy);
        vec![url]
    };
    let Some(host) = Ethereum::with(settings, with_liar) else { return };
    let mut follower = Follower::new();
    follower.turn(&host.chain, 1).unwrap();
    for _ in 0..12 {
        host.slot();
    }
    for at in [At::Latest, At::Finalized] {
        match host.chain.state_root(BlockNumber(1), at) {
            Err(ChainError::Disagreement { number: BlockNumber(1), claims }) => {
                assert_eq!([claims[0].1, claims[1].1], [root(1), root(7)]);
                assert_eq!(claims[1].0, liar.as_ref().unwrap().url());
            }
            other => panic!("{other:?}"),
        }
    }
    // A node that is behind is none that lies.
    assert_eq!(host.chain.state_root(BlockNumber(0), At::Finalized).unwrap(), Some(root(0)));
}

#[test]
fn a_node_that_fails_is_passed_over_and_half_of_them_make_nothing_final() {
    let broken = "http://127.0.0.1:9".to_owned();
    let Some(host) = Ethereum::with(settings, |_| vec![broken]) else { return };
    let mut follower = Follower::new();
    follower.turn(&host.chain, 1).unwrap();
    for _ in 0..12 {
        host.slot();
    }
    assert_eq!(host.chain.state_root(BlockNumber(1), At::Latest).unwrap(), Some(root(1)));
    let half = host.chain.state_root(BlockNumber(1), At::Finalized);
    assert!(
        matches!(&half, Err(ChainError::Node { endpoint, .. }) if endpoint == "http://127.0.0.1:9"),
        "{half:?}"
    );
}

/// The first of two nodes is the one behind a proxy.
fn with_proxy(proxy: impl FnOnce(&str) -> Proxy) -> Option<(Ethereum, Proxy)> {
    let mut made = None;
    let reversed = |urls: &[String]| settings(&[urls[1].clone(), urls[0].clone()]);
    let host = Ethereum::with(reversed, |anvil| {
        let proxy = proxy(&anvil.url());
        let url = proxy.url();
        made = Some(proxy);
        vec![url]
    })?;
    Some((host, made.unwrap()))
}

#[test]
fn a_node_that_has_fallen_behind_is_left_for_another() {
    let newest: Arc<Mutex<Option<String>>> = Arc::default();
    let shown = Arc::clone(&newest);
    let stands_still = Arc::new(AtomicBool::new(false));
    let stood_still = Arc::clone(&stands_still);
    let behind = |url: &str| {
        Proxy::start(url, move |request, forward| {
            let answer = match (
                request.contains("eth_getBlockByNumber") && request.contains("latest"),
                stood_still.load(Ordering::SeqCst),
            ) {
                (true, true) => shown.lock().unwrap().clone(),
                (true, false) => forward().inspect(|answer| *shown.lock().unwrap() = Some(answer.clone())),
                (false, _) => forward(),
            };
            answer.map_or(Reply::Nothing, Reply::Answer)
        })
    };
    let Some((host, _proxy)) = with_proxy(behind) else { return };
    let mut follower = Follower::new();
    follower.settle(&host, 1);
    host.slot();
    let head = host.chain.head().unwrap();
    stands_still.store(true, Ordering::SeqCst);
    host.anvil.mine(5);
    host.clock.advance_ms(30_000);
    assert_eq!(host.chain.head().unwrap().height, head.height + 5);
    follower.settle(&host, 3);
}

#[test]
fn a_node_that_does_not_want_to_answer_is_passed_over() {
    let refuses = Arc::new(AtomicBool::new(false));
    let refused = Arc::clone(&refuses);
    let limited = |url: &str| {
        Proxy::start(url, move |_, forward| match refused.load(Ordering::SeqCst) {
            true => Reply::Answer(
                r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32005,"message":"limit exceeded"}}"#.into(),
            ),
            false => forward().map_or(Reply::Nothing, Reply::Answer),
        })
    };
    let Some((host, proxy)) = with_proxy(limited) else { return };
    let mut follower = Follower::new();
    follower.settle(&host, 1);
    refuses.store(true, Ordering::SeqCst);
    follower.follow(&host, 2, 3);
    (0..12).for_each(|_| host.slot());
    assert_eq!(host.chain.head().unwrap().settled, BlockNumber(2));
    // What only half of the nodes have is not final, and why is said.
    let half = host.chain.state_root(BlockNumber(2), At::Finalized);
    assert!(matches!(&half, Err(ChainError::Node { endpoint, .. }) if *endpoint == proxy.url()), "{half:?}");
    refuses.store(false, Ordering::SeqCst);
    follower.settle(&host, 2);
    // Where the others can't be reached, a refusal does not pass for "nothing is final".
    let broken = "http://127.0.0.1:9".to_owned();
    let both = settings(&[proxy.url(), broken.clone()]);
    let connection = Connection::new(both, Arc::new(host.clock.clone())).unwrap();
    let reader = connection.read(host.chain.contract()).unwrap();
    assert_eq!(reader.head().unwrap().settled, BlockNumber(2));
    refuses.store(true, Ordering::SeqCst);
    let neither = reader.state_root(BlockNumber(1), At::Finalized);
    assert!(matches!(&neither, Err(ChainError::Node { endpoint, .. }) if *endpoint == broken), "{neither:?}");
}

/// Whoever asks how blocks stand does not wait until the poster has its answer.
#[test]
fn readers_are_answered_while_the_poster_waits_for_a_node() {
    const LONG: Duration = Duration::from_secs(20);
    let Some(host) = Ethereum::new() else { return };
    let ((asked, sending), (answer, answered)) = (mpsc::channel(), mpsc::channel());
    let answered = Mutex::new(answered);
    let proxy = Proxy::start(&host.anvil.url(), move |request, forward| {
        if request.contains("eth_sendRawTransaction") {
            asked.send(()).unwrap();
            if answered.lock().unwrap().recv_timeout(LONG).is_err() {
                return Reply::Nothing;
            }
        }
        forward().map_or(Reply::Nothing, Reply::Answer)
    });
    let patient = EthereumSettings { timeout: 2 * LONG, ..settings(&[proxy.url()]) };
    let connection = Connection::new(patient, Arc::new(host.clock.clone())).unwrap();
    let chain = connection.open(account(), host.chain.contract(), &Follower::key_words(), root(0)).unwrap();
    let follower = Follower::new();
    thread::scope(|scope| {
        let poster = scope.spawn(|| chain.post(&follower.block(1)));
        sending.recv_timeout(LONG).unwrap();
        host.clock.advance_ms(SLOT_MS);
        assert_eq!(chain.head().unwrap().settled, BlockNumber(0));
        assert_eq!(chain.status(BlockNumber(1)).unwrap(), PostStatus::Unknown);
        assert_eq!(chain.state_root(BlockNumber(0), At::Latest).unwrap(), Some(root(0)));
        answer.send(()).unwrap();
        // It had to wait for this thread, and not this thread for it.
        poster.join().unwrap().unwrap();
    });
    assert_eq!(chain.status(BlockNumber(1)).unwrap(), PostStatus::Pending);
}

#[test]
fn a_deployment_waits_for_a_receipt_that_comes_after_the_nonce() {
    let Some(host) = Ethereum::new() else { return };
    host.anvil.ask("evm_setAutomine", json!([true]));
    let first_asked = Mutex::new(None);
    let proxy = Proxy::start(&host.anvil.url(), move |request, forward| {
        if request.contains("eth_getTransactionReceipt") {
            let asked = *first_asked.lock().unwrap().get_or_insert_with(Instant::now);
            if asked.elapsed() < Duration::from_millis(400) {
                return Reply::Answer(json!({ "jsonrpc": "2.0", "id": 1, "result": null }).to_string());
            }
        }
        forward().map_or(Reply::Nothing, Reply::Answer)
    });
    let connection = Connection::new(settings(&[proxy.url()]), Arc::new(host.clock.clone())).unwrap();
    let address = connection.deploy(&account(), &Follower::key_words(), root(0)).unwrap();
    assert_ne!(address, host.chain.contract());
}

#[test]
fn a_deployment_whose_nonce_another_transaction_took_is_given_up() {
    let Some(host) = Ethereum::new() else { return };
    let began = host.anvil.ask("eth_getTransactionCount", json!([nodes::ACCOUNT, "latest"]));
    // What is sent is held back until somebody else's transaction is in a block.
    let anvil = Arc::new(host.anvil.url());
    let proxy = Proxy::start(&anvil.clone(), move |request, forward| {
        if !request.contains("eth_sendRawTransaction") {
            return forward().map_or(Reply::Nothing, Reply::Answer);
        }
        for (method, params) in [
            ("eth_sendTransaction", json!([{ "from": nodes::ACCOUNT, "to": nodes::ACCOUNT }])),
            ("anvil_mine", json!([1])),
        ] {
            let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
            ureq::post(&*anvil).header("content-type", "application/json").send(request.to_string()).unwrap();
        }
        let hash = format!("0x{}", "11".repeat(32));
        Reply::Answer(json!({ "jsonrpc": "2.0", "id": 1, "result": hash }).to_string())
    });
    let connection = Connection::new(settings(&[proxy.url()]), Arc::new(host.clock.clone())).unwrap();
    let given_up = connection.deploy(&account(), &Follower::key_words(), root(0));
    let Err(ChainError::Misuse(why)) = given_up else { panic!("{given_up:?}") };
    assert!(why.contains("another transaction of the account came in its place"), "{why}");
    let now = host.anvil.ask("eth_getTransactionCount", json!([nodes::ACCOUNT, "latest"]));
    assert_eq!(nodes::number(&now), nodes::number(&began) + 1);
    // Again, with nobody in its way, and with the next nonce.
    let again = deploy(&host.anvil, root(0));
    assert_ne!(again, host.chain.contract());
}

#[test]
fn nodes_of_different_chains_are_refused() {
    let Some(host) = Ethereum::new() else { return };
    let dir = TempDir::new().unwrap();
    let other = Anvil::start(dir.path(), &["--chain-id", "1338"]);
    let Some(other) = other else { return };
    let both = Connection::new(settings(&[host.anvil.url(), other.url()]), Arc::new(host.clock.clone()));
    assert!(
        matches!(both, Err(ChainError::Node { what, .. }) if what.contains("1338") && what.contains("1337"))
    );
}

#[test]
fn a_reader_posts_nothing() {
    let Some(host) = Ethereum::new() else { return };
    let mut follower = Follower::new();
    follower.settle(&host, 1);
    let connection = Connection::new(settings(&[host.anvil.url()]), Arc::new(host.clock.clone())).unwrap();
    let reader = connection.read(host.chain.contract()).unwrap();
    assert_eq!(reader.state_root(BlockNumber(1), At::Finalized).unwrap(), Some(root(1)));
    assert!(matches!(reader.post(&follower.block(2)), Err(ChainError::Misuse(_))));
    let height = reader.head().unwrap().height;
    assert_eq!(reader.would_take(&follower.block(2), height).unwrap(), Ok(()));
    let wrong = ContractError::WrongBlockNumber { expected: BlockNumber(2), got: BlockNumber(3) };
    assert_eq!(reader.would_take(&follower.block(3), height).unwrap(), Err(wrong));
    let standing = reader.standing().unwrap();
    assert_eq!((standing.settled, standing.settled_final), (BlockNumber(1), Some(BlockNumber(1))));
    assert_eq!(standing.sequencer.to_string(), nodes::ACCOUNT);
    assert_eq!(reader.key().unwrap(), Follower::key_words());
    assert!(VerificationKey::from_words(&reader.key().unwrap()).is_ok());
    assert_eq!(contract::BYTECODE.len(), 3836);
}
