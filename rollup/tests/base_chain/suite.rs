//! The suite: troubles that a chain makes, and a follower that must get every block final through all of them.

use crate::stand_in::{StandIn, root, statement};
use arterial_protocol::BlockNumber;
use arterial_rollup::{
    ProvenBlock,
    chain::{At, BaseChain, ChainError, PostStatus},
    proof::VerificationKey,
};

/// A chain, and what can befall it.
pub(crate) trait Host {
    fn chain(&self) -> &dyn BaseChain;
    /// The chain makes a block.
    fn slot(&self);
    /// Time passes, and it makes none.
    fn stall(&self);
    /// The newest blocks are replaced by others without transactions.
    fn reorganise(&self, depth: u64);
    /// What waits for inclusion is forgotten.
    fn drop_pool(&self);
    /// The chain's process ends and begins again.
    fn restart(&mut self);
    /// The price of gas goes over what is paid.
    fn raise_fee(&self);
}

/// Slots in which anything must get final.
const SLOTS_MAX: usize = 60;
/// Blocks that a reorganisation takes away in these tests, none of which is final.
pub(crate) const DEPTH_MAX: u64 = 6;

/// What an engine's settler does: look, tend, post what is missing, in order.
pub(crate) struct Follower {
    prover: StandIn,
    key: VerificationKey,
    pub(crate) settled: u64,
    pub(crate) finalized: u64,
    /// Blocks that went back.
    pub(crate) regressed: u64,
}

impl Follower {
    pub(crate) fn new() -> Self {
        let prover = StandIn::new("a deployment");
        let key = VerificationKey::from_words(&prover.key_words()).unwrap();
        Self { prover, key, settled: 0, finalized: 0, regressed: 0 }
    }

    pub(crate) fn key_words() -> [[u8; 32]; VerificationKey::WORDS] {
        StandIn::new("a deployment").key_words()
    }

    /// The block with this number: the same bytes every time.
    pub(crate) fn block(&self, number: u64) -> ProvenBlock {
        let statement = statement(number);
        ProvenBlock::verify(statement, self.prover.prove(&statement), &self.key).unwrap()
    }

    /// One turn.
    pub(crate) fn turn(&mut self, chain: &dyn BaseChain, last: u64) -> Result<(), ChainError> {
        let head = chain.head()?;
        let settled = head.settled.0;
        assert!(settled <= last, "nobody posts block {settled}");
        self.regressed += self.settled.saturating_sub(settled);
        self.settled = settled;
        for number in (1..=settled).map(BlockNumber) {
            let found = chain.state_root(number, At::Latest)?;
            assert!(found.is_none_or(|found| found == root(number.0)), "block {number} has another root");
        }
        while self.finalized < settled
            && let Some(found) = chain.state_root(BlockNumber(self.finalized + 1), At::Finalized)?
        {
            self.finalized += 1;
            assert_eq!(found, root(self.finalized));
        }
        assert!(self.finalized <= settled, "a final block went back");
        chain.tend()?;
        for number in settled + 1..=last {
            match chain.status(BlockNumber(number))? {
                PostStatus::Unknown | PostStatus::Reverted(_) => chain.post(&self.block(number))?,
                PostStatus::Pending | PostStatus::Posted(_) | PostStatus::Final(_) => {}
            }
        }
        Ok(())
    }

    /// Follows until a block is final. What the chain refuses meanwhile is tried again, as an engine does.
    #[track_caller]
    pub(crate) fn settle(&mut self, host: &impl Host, last: u64) {
        let mut fault = None;
        for _ in 0..SLOTS_MAX {
            fault = self.turn(host.chain(), last).err();
            if self.finalized == last {
                return check(host.chain(), last);
            }
            host.slot();
        }
        panic!("block {} of {last} is final after {SLOTS_MAX} slots; {fault:?}", self.finalized);
    }

    /// Follows for some slots.
    pub(crate) fn follow(&mut self, host: &impl Host, last: u64, slots: usize) {
        for _ in 0..slots {
            self.turn(host.chain(), last).unwrap();
            host.slot();
        }
    }
}

/// Every block stands final with its own root, and nothing else does.
#[track_caller]
fn check(chain: &dyn BaseChain, last: u64) {
    for number in 0..=last + 1 {
        let expected = (number <= last).then(|| root(number));
        for at in [At::Latest, At::Finalized] {
            assert_eq!(chain.state_root(BlockNumber(number), at).unwrap(), expected, "{number} {at:?}");
        }
        match chain.status(BlockNumber(number)).unwrap() {
            PostStatus::Final(inclusion) if number > 0 && number <= last => {
                assert!(inclusion.height <= chain.head().unwrap().finalized_height);
                assert!((250_000..280_000).contains(&inclusion.gas_used), "{inclusion:?}");
            }
            PostStatus::Final(_) if number == 0 => {}
            PostStatus::Unknown if number > last => {}
            other => panic!("{number}: {other:?}"),
        }
    }
}

pub(crate) fn posts_in_order(host: impl Host) {
    let mut follower = Follower::new();
    for last in [1, 2, 7, 20] {
        follower.settle(&host, last);
    }
    assert_eq!(follower.regressed, 0);
    // Again, and otherwise.
    host.chain().post(&follower.block(20)).unwrap();
    let far = host.chain().post(&follower.block(25));
    assert!(matches!(far, Err(ChainError::Rejected { number: BlockNumber(25), .. })), "{far:?}");
}

pub(crate) fn goes_back_and_comes_again(host: impl Host) {
    let mut follower = Follower::new();
    let mut last = 0;
    for depth in 1..=DEPTH_MAX {
        for _ in 0..3 {
            last += 1;
            follower.follow(&host, last, 1);
        }
        follower.turn(host.chain(), last).unwrap();
        assert_eq!(follower.settled, last);
        let (before, finalized) = (follower.regressed, follower.finalized);
        host.reorganise(depth);
        follower.turn(host.chain(), last).unwrap();
        assert_eq!(follower.regressed - before, depth.min(3), "a reorganisation of {depth}");
        assert!(follower.finalized >= finalized);
        follower.settle(&host, last);
    }
}

pub(crate) fn outlives_drops_stalls_and_restarts(mut host: impl Host) {
    let mut follower = Follower::new();
    for (round, last) in (0..).zip((2..=18).step_by(4)) {
        follower.turn(host.chain(), last).unwrap();
        match round % 4 {
            0 => host.drop_pool(),
            1 => host.stall(),
            2 => host.restart(),
            _ => host.raise_fee(),
        }
        follower.settle(&host, last);
    }
}

/// Everything, in an order that follows from the seed.
pub(crate) fn outlives_everything(mut host: impl Host, seed: u64) {
    println!("seed {seed}");
    let mut follower = Follower::new();
    let (mut random, mut last) = (seed, 1);
    for _ in 0..60 {
        // Knuth's MMIX; the high bits are the better ones.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let pick = random >> 40;
        last += pick & 1;
        match pick % 11 {
            0 => host.drop_pool(),
            1 => host.stall(),
            2 => host.raise_fee(),
            3 => host.reorganise(1 + (pick >> 8) % DEPTH_MAX),
            4 if pick & 0x300 == 0 => host.restart(),
            _ => host.slot(),
        }
        // What the chain refuses is tried again.
        let _ = follower.turn(host.chain(), last);
    }
    follower.settle(&host, last);
}
