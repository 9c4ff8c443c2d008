//! The RPC as the worker sees it, and what it sent by it.

use crate::proxy::{Forward, Proxy, Reply};
use arterial::rollup::chain::contract::Call;
use rand::{RngExt as _, SeedableRng as _, rngs::Xoshiro256PlusPlus};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

/// Of a thousand requests, how many something happens to.
pub(crate) const FAIR: u32 = 5;
pub(crate) const FOUL: u32 = 400;
const DELAY_MS_MAX: u64 = 4_000;

/// What was done to requests, and what was in them.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) requests: u64,
    pub(crate) statuses: u64,
    pub(crate) delays: u64,
    /// Connections that ended before the node had the request, and after it.
    pub(crate) lost: u64,
    pub(crate) unanswered: u64,
    pub(crate) torn: u64,
    /// Every calldata that was ever sent for a block, and how often a transaction with it was.
    pub(crate) posts: BTreeMap<u64, (BTreeSet<Vec<u8>>, u64)>,
}

/// A proxy before the node, in fair weather or in foul.
pub(crate) struct Weather {
    proxy: Proxy,
    faults_per_mille: Arc<AtomicU32>,
    seen: Arc<Mutex<Seen>>,
}

impl Weather {
    pub(crate) fn start(node: &str, seed: u64) -> Self {
        let (faults_per_mille, seen) = (Arc::new(AtomicU32::new(FAIR)), Arc::<Mutex<Seen>>::default());
        let random = Mutex::new(Xoshiro256PlusPlus::seed_from_u64(seed));
        let (per_mille, noted) = (Arc::clone(&faults_per_mille), Arc::clone(&seen));
        let proxy = Proxy::start(node, move |request, forward| {
            let seen = || noted.lock().unwrap_or_else(PoisonError::into_inner);
            seen().requests += 1;
            note_post(request, &mut seen());
            let (fault, delay_ms) = {
                let mut random = random.lock().unwrap_or_else(PoisonError::into_inner);
                let happens = random.random_range(0..1000) < per_mille.load(Ordering::Relaxed);
                (happens.then(|| random.random_range(0..6)), random.random_range(0..DELAY_MS_MAX))
            };
            reply(fault, delay_ms, forward, seen)
        });
        Self { proxy, faults_per_mille, seen }
    }

    pub(crate) fn url(&self) -> String {
        self.proxy.url()
    }

    pub(crate) fn set(&self, faults_per_mille: u32) {
        self.faults_per_mille.store(faults_per_mille, Ordering::Relaxed);
    }

    pub(crate) fn seen<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn reply<'a>(
    fault: Option<u32>,
    delay_ms: u64,
    forward: Forward<'_>,
    seen: impl Fn() -> std::sync::MutexGuard<'a, Seen>,
) -> Reply {
    let answer = || forward().map_or(Reply::Nothing, Reply::Answer);
    match fault {
        None => answer(),
        Some(0) => {
            seen().statuses += 1;
            Reply::Status(500)
        }
        Some(1) => {
            seen().statuses += 1;
            Reply::Status(429)
        }
        Some(2) => {
            seen().lost += 1;
            Reply::Nothing
        }
        Some(3) => {
            seen().unanswered += 1;
            drop(forward());
            Reply::Nothing
        }
        Some(4) => {
            seen().torn += 1;
            forward().map_or(Reply::Nothing, Reply::Torn)
        }
        Some(_) => {
            seen().delays += 1;
            thread::sleep(Duration::from_millis(delay_ms));
            answer()
        }
    }
}

/// The calldata in a raw transaction: it stands there as it is.
fn note_post(request: &str, seen: &mut Seen) {
    let Some((_, rest)) = request.split_once("eth_sendRawTransaction") else { return };
    let Some(hex_digits) = rest.split('"').find_map(|word| word.strip_prefix("0x")) else { return };
    let Ok(raw) = hex::decode(hex_digits) else { return };
    let found = raw.windows(CALLDATA_BYTES).find_map(|window| match Call::decode(window) {
        Some(Call::PostBlock { number, .. }) => Some((number.0, window.to_vec())),
        _ => None,
    });
    if let Some((number, calldata)) = found {
        let (contents, sent) = seen.posts.entry(number).or_default();
        contents.insert(calldata);
        *sent += 1;
    }
}

/// `postBlock(uint64,uint64,uint256,uint256[8])`.
const CALLDATA_BYTES: usize = 4 + 11 * 32;
