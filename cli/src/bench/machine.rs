//! What this machine's processors can do at best.

use ed25519_zebra::{SigningKey, VerificationKey, batch};
use p3_field::PrimeCharacteristicRing;
use p3_koala_bear::{KoalaBear, default_koalabear_poseidon1_16, default_koalabear_poseidon1_24};
use p3_symmetric::Permutation;
use std::{
    thread,
    time::{Duration, Instant},
};

/// How long each is measured, on all cores at once.
const MEASURE_FOR: Duration = Duration::from_secs(2);

/// How many a second all cores do together of what a round does `per_round` of.
fn per_second<R: FnMut()>(per_round: usize, prepare: impl Fn() -> R + Sync) -> f64 {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let measure = || {
        let mut round = prepare();
        let (begun, mut rounds) = (Instant::now(), 0u32);
        while begun.elapsed() < MEASURE_FOR {
            round();
            rounds += 1;
        }
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let done = f64::from(rounds) * per_round as f64;
        done / begun.elapsed().as_secs_f64()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(measure)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(0.0)).sum()
    })
}

/// Messages of `bytes` that are hashed in a second with BLAKE3, one by one.
pub(crate) fn hashes_per_second(bytes: usize) -> f64 {
    const ROUND: usize = 1000;
    per_second(ROUND, || {
        let mut message = vec![7; bytes];
        move || {
            for _ in 0..ROUND {
                let hash = blake3::hash(&message);
                message[..32].copy_from_slice(hash.as_bytes());
            }
        }
    })
}

/// Ed25519 signatures that ed25519-zebra's own batches verify in a second, so many of different keys at once.
pub(crate) fn zebra_verifications_per_second(at_once: usize) -> f64 {
    let message = [7; 64];
    per_second(at_once, || {
        let signed = |n: usize| {
            let mut seed = [3; 32];
            seed[..8].copy_from_slice(&n.to_le_bytes());
            let key = SigningKey::from_bytes(&seed);
            (VerificationKey::from(&key).into(), key.sign(&message))
        };
        let signed: Vec<_> = (0..at_once).map(signed).collect();
        move || {
            let mut batch = batch::Verifier::new();
            for &(key, signature) in &signed {
                batch.queue((key, signature, &message));
            }
            batch.verify(rand::rng()).expect("what was signed is verified");
        }
    })
}

/// Permutations a second of Poseidon over KoalaBear, as many in lanes as the processor has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Permutations {
    pub(crate) p24: f64,
    pub(crate) p16: f64,
}

pub(crate) fn permutations_per_second() -> Permutations {
    Permutations {
        p24: permuted_per_second::<24>(&default_koalabear_poseidon1_24()),
        p16: permuted_per_second::<16>(&default_koalabear_poseidon1_16()),
    }
}

fn permuted_per_second<const WIDTH: usize>(permutation: &impl Permutation<[Lanes; WIDTH]>) -> f64 {
    const ROUND: usize = 256;
    per_second(ROUND * LANES, || {
        let mut state = [Lanes::ONE; WIDTH];
        move || {
            for _ in 0..ROUND {
                permutation.permute_mut(&mut state);
            }
            std::hint::black_box(&state);
        }
    })
}

type Lanes = <KoalaBear as p3_field::Field>::Packing;
const LANES: usize = <Lanes as p3_field::PackedValue>::WIDTH;
