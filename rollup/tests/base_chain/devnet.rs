//! The suite on a proof-of-stake devnet of real clients, where finality is what its validators agreed on.
//! `ARTERIAL_DEVNET=1` runs it.

use crate::{
    devnet_nodes::{self, Devnet, SLOT},
    ethereum::{account, settings},
    gas::{Embedded, gas},
    stand_in::root,
    suite::{self, Follower, Host},
};
use arterial_protocol::BlockNumber;
use arterial_rollup::{
    SystemClock,
    chain::{
        At, BaseChain, PostStatus,
        ethereum::{Connection, EthereumChain, EthereumSettings},
    },
};
use std::{
    ops::RangeInclusive,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

struct Staked {
    nodes: Devnet,
    chain: EthereumChain,
    began: Instant,
    _dir: TempDir,
}

impl Staked {
    fn new(online: RangeInclusive<u32>) -> Option<Self> {
        if !devnet_nodes::is_wanted() {
            return None;
        }
        let (dir, began) = (TempDir::new().unwrap(), Instant::now());
        let nodes = Devnet::start(dir.path(), online);
        let settings = || EthereumSettings { poll: Duration::from_millis(200), ..settings(&[nodes.url()]) };
        let connection = || Connection::new(settings(), Arc::new(SystemClock)).unwrap();
        let key = Follower::key_words();
        let address = connection().deploy(&account(), &key, root(0)).unwrap();
        let chain = connection().open(account(), address, &key, root(0)).unwrap();
        let staked = Self { nodes, chain, began, _dir: dir };
        staked.say("deployed");
        Some(staked)
    }

    fn say(&self, what: &str) {
        println!("{:6.1} s: {what}", self.began.elapsed().as_secs_f64());
    }
}

impl Host for Staked {
    fn chain(&self) -> &dyn BaseChain {
        &self.chain
    }

    fn slot(&self) {
        thread::sleep(SLOT);
    }

    fn stall(&self) {
        unreachable!("validators of a devnet do what they will");
    }

    fn reorganise(&self, _: u64) {
        unreachable!("validators of a devnet do what they will");
    }

    fn drop_pool(&self) {
        unreachable!("validators of a devnet do what they will");
    }

    fn restart(&mut self) {
        unreachable!("validators of a devnet do what they will");
    }

    fn raise_fee(&self) {
        unreachable!("validators of a devnet do what they will");
    }
}

#[test]
fn blocks_become_final_by_the_word_of_eight_of_eight_validators_and_cost_what_they_cost_elsewhere() {
    let Some(host) = Staked::new(0..=7) else { return };
    let embedded = Embedded::new(&Follower::key_words(), root(0));
    let mut follower = Follower::new();
    follower.settle(&host, 3);
    host.say("block 3 is final");
    for number in 1..=3 {
        let there = gas(&host.chain, BlockNumber(number));
        println!("block {number}: {there} gas");
        assert_eq!(embedded.gas_of(&follower.block(number)), there, "block {number}");
    }
    assert!(host.nodes.finalized_epoch().unwrap() > 0);
    drop(host);
    let Some(host) = Staked::new(0..=7) else { return };
    suite::posts_in_order(host);
}

/// Five of eight are less than two thirds. What would be final long since with all of them stays posted.
#[test]
fn blocks_stay_posted_with_five_of_eight_validators() {
    let Some(host) = Staked::new(0..=4) else { return };
    let mut follower = Follower::new();
    while follower.settled < 3 {
        follower.turn(&host.chain, 3).unwrap();
        host.slot();
    }
    host.say("block 3 is posted");
    while host.began.elapsed() < Duration::from_secs(180) {
        follower.turn(&host.chain, 3).unwrap();
        host.slot();
        assert_eq!((follower.settled, follower.finalized), (3, 0));
    }
    host.say("nothing is final");
    for number in (1..=3).map(BlockNumber) {
        assert!(matches!(host.chain.status(number).unwrap(), PostStatus::Posted(_)));
        assert_eq!(host.chain.state_root(number, At::Latest).unwrap(), Some(root(number.0)));
        assert_eq!(host.chain.state_root(number, At::Finalized).unwrap(), None);
    }
    let standing = host.chain.standing().unwrap();
    assert_eq!((standing.settled, standing.settled_final), (BlockNumber(3), None));
    assert_eq!(host.nodes.finalized_epoch(), Some(0));
}
