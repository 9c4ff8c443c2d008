//! The settlement contract under attack: for each check, a call that breaks that one alone.
#![cfg(feature = "embedded-chain")]
#![expect(clippy::unwrap_used, reason = "clippy allows it in test functions, and not in what they share")]

mod stand_in;

use ark_bn254::{Bn254, Fq, Fq2, Fr, G1Affine, G2Affine};
use ark_ff::{BigInteger as _, PrimeField};
use ark_groth16::{Groth16, prepare_verifying_key};
use arterial_protocol::{
    BlockNumber, BlockProof, BlockStatement, Domain, FieldElement, ShardCount, StateRoot,
};
use arterial_rollup::{
    ManualClock,
    chain::{
        At, BaseChain as _, ChainError,
        contract::{self, Address, Call, ContractError},
        embedded::{EmbeddedChain, EmbeddedConfig, Outcome, SEQUENCER, Transaction},
    },
};
use arterial_storage::{FileStorage, Storage};
use proptest::prelude::*;
use stand_in::{StandIn, g1_words, g2_words, proof_of, public_inputs, root, statement};
use std::sync::Arc;
use tempfile::TempDir;

const STRANGER: Address = Address([0x77; 20]);
const HEIR: Address = Address([0x88; 20]);

fn files() -> Arc<dyn Storage> {
    Arc::new(FileStorage)
}

struct Contract {
    chain: EmbeddedChain,
    clock: ManualClock,
    prover: StandIn,
    _dir: TempDir,
}

impl Contract {
    /// A contract that holds blocks 1 to `blocks`.
    fn with_blocks(blocks: u64) -> Self {
        let dir = TempDir::new().unwrap();
        let (clock, prover) = (ManualClock::default(), StandIn::new("a deployment"));
        let chain = EmbeddedChain::create(
            &files(),
            &dir.path().join("chain"),
            EmbeddedConfig::default(),
            root(0),
            &prover.key_words(),
            Arc::new(clock.clone()),
        )
        .unwrap();
        let contract = Self { chain, clock, prover, _dir: dir };
        for number in 1..=blocks {
            contract.transact(SEQUENCER, contract.next(number)).result.unwrap();
        }
        contract
    }

    fn next(&self, number: u64) -> Call {
        Call::post_block(&statement(number), &self.prover.prove(&statement(number)))
    }

    /// Sends a transaction and waits for its block.
    fn send(&self, caller: Address, calldata: Vec<u8>) -> Outcome {
        let id = self.chain.send(Transaction { caller, calldata }).unwrap();
        self.clock.advance_ms(1000);
        self.chain.outcome(id).unwrap().unwrap()
    }

    fn transact(&self, caller: Address, call: Call) -> Outcome {
        self.send(caller, call.encode())
    }

    fn ask(&self, call: Call) -> Vec<u8> {
        let transaction = Transaction { caller: STRANGER, calldata: call.encode() };
        self.chain.simulate(&transaction).unwrap().result.unwrap()
    }

    /// All that the contract holds.
    fn state(&self) -> (BlockNumber, Vec<Option<StateRoot>>, Address, Address) {
        let roots =
            (0..8).map(|number| self.chain.state_root(BlockNumber(number), At::Latest).unwrap()).collect();
        let address = |call| contract::decode_address(&self.ask(call)).unwrap();
        let latest = contract::decode_latest(&self.ask(Call::Latest)).unwrap();
        (latest, roots, address(Call::Sequencer), address(Call::PendingSequencer))
    }

    /// The call is reverted with this error, whether or not the gas it is given suffices for more, and changes nothing.
    #[track_caller]
    fn reverts(&self, caller: Address, call: Call, error: &ContractError) {
        let before = self.state();
        assert_eq!(self.transact(caller, call).result, Err(error.clone()));
        assert_eq!(self.state(), before);
    }

    #[track_caller]
    fn rejects_proof(&self, proof: BlockProof, error: &ContractError) {
        self.reverts(SEQUENCER, Call::post_block(&statement(2), &proof), error);
        // It was the proof alone.
        let simulated = Transaction { caller: SEQUENCER, calldata: self.next(2).encode() };
        assert!(self.chain.simulate(&simulated).unwrap().result.is_ok());
    }
}

/// The number `word + order`, which the precompiles or the field would take for the same element.
fn alias<F: PrimeField>(word: [u8; 32]) -> [u8; 32] {
    let order: [u8; 32] = F::MODULUS.to_bytes_be().try_into().unwrap();
    let mut sum = [0; 32];
    let mut carry = 0u16;
    for at in (0..32).rev() {
        carry += u16::from(word[at]) + u16::from(order[at]);
        [_, sum[at]] = carry.to_be_bytes();
        carry >>= 8;
    }
    assert_eq!(carry, 0);
    sum
}

#[test]
fn a_proof_is_taken_here_where_arkworks_takes_it() {
    let prover = StandIn::new("a deployment");
    let key = prepare_verifying_key(&prover.key());
    let (a, b, c) = prover.prove_points(&statement(1));
    let proof = ark_groth16::Proof { a, b, c };
    assert!(Groth16::<Bn254>::verify_proof(&key, &proof, &public_inputs(&statement(1))).unwrap());
    assert!(!Groth16::<Bn254>::verify_proof(&key, &proof, &public_inputs(&statement(2))).unwrap());
    assert_eq!(Contract::with_blocks(1).state().0, BlockNumber(1));
}

#[test]
fn blocks_follow_one_another() {
    let contract = Contract::with_blocks(3);
    let mut roots: Vec<_> = (0..4).map(|number| Some(root(number))).collect();
    roots.extend([None; 4]);
    assert_eq!(contract.state(), (BlockNumber(3), roots, SEQUENCER, Address::default()));
}

#[test]
fn only_the_sequencer_posts() {
    let contract = Contract::with_blocks(1);
    contract.reverts(STRANGER, contract.next(2), &ContractError::NotSequencer { caller: STRANGER });
}

#[test]
fn blocks_come_in_order_each_once() {
    let contract = Contract::with_blocks(2);
    for number in [1, 2, 4, 1 << 40, u64::MAX] {
        let expected = BlockNumber(3);
        let error = ContractError::WrongBlockNumber { expected, got: BlockNumber(number) };
        contract.reverts(SEQUENCER, contract.next(number), &error);
    }
    let mut call = contract.next(3);
    if let Call::PostBlock { number, .. } = &mut call {
        *number = BlockNumber::GENESIS;
    }
    let error = ContractError::WrongBlockNumber { expected: BlockNumber(3), got: BlockNumber::GENESIS };
    contract.reverts(SEQUENCER, call, &error);
}

#[test]
fn a_proof_is_not_taken_for_another_block() {
    let contract = Contract::with_blocks(1);
    let Call::PostBlock { proof: replayed, .. } = contract.next(1) else { unreachable!() };
    contract.rejects_proof(replayed, &ContractError::InvalidProof);
    let right = statement(2);
    for wrong in [
        BlockStatement { old_state_root: root(7), ..right },
        BlockStatement { new_state_root: root(7), ..right },
        BlockStatement { number: BlockNumber(3), ..right },
        BlockStatement { record_count: right.record_count + 1, ..right },
        BlockStatement { number: BlockNumber(1), record_count: right.record_count, ..right },
    ] {
        contract.rejects_proof(contract.prover.prove(&wrong), &ContractError::InvalidProof);
    }
    contract.rejects_proof(StandIn::new("another deployment").prove(&right), &ContractError::InvalidProof);
}

/// The same keys on another chain, or in another deployment: all that differs is what the roots commit to.
#[test]
fn a_proof_is_not_taken_by_a_contract_with_another_genesis() {
    let here = Contract::with_blocks(0);
    let there = Domain::derive(2, &[7; 32]);
    let genesis = StateRoot::genesis(there, ShardCount::new(1).unwrap());
    let foreign = BlockStatement { old_state_root: genesis, ..statement(1) };
    let call = Call::post_block(&foreign, &here.prover.prove(&foreign));
    here.reverts(SEQUENCER, call, &ContractError::InvalidProof);
    here.transact(SEQUENCER, here.next(1)).result.unwrap();
}

/// Whoever sees a block's transaction in the pool and sends a copy first gains nothing and spoils nothing.
#[test]
fn a_copy_that_runs_ahead_changes_nothing() {
    let contract = Contract::with_blocks(1);
    let calldata = contract.next(2).encode();
    let send = |caller, calldata: &[u8]| {
        contract.chain.send(Transaction { caller, calldata: calldata.to_vec() }).unwrap()
    };
    // All in one block of the chain, the copies first; the last is the sequencer's own twin.
    let copies = [STRANGER, HEIR].map(|caller| send(caller, &calldata));
    let (own, twin) = (send(SEQUENCER, &calldata), send(SEQUENCER, &calldata));
    contract.clock.advance_ms(1000);
    let result = |id| contract.chain.outcome(id).unwrap().unwrap().result;
    for (copy, caller) in copies.into_iter().zip([STRANGER, HEIR]) {
        assert_eq!(result(copy), Err(ContractError::NotSequencer { caller }));
    }
    assert_eq!(result(own), Ok(vec![]));
    let late = ContractError::WrongBlockNumber { expected: BlockNumber(3), got: BlockNumber(2) };
    assert_eq!(result(twin), Err(late));
    assert_eq!(contract.state().0, BlockNumber(2));
}

#[test]
fn a_root_is_canonical() {
    let contract = Contract::with_blocks(1);
    let Call::PostBlock { number, record_count, new_state_root, proof } = contract.next(2) else {
        unreachable!()
    };
    for value in [alias::<Fr>([0; 32]), alias::<Fr>(new_state_root), [0xff; 32]] {
        let call = Call::PostBlock { number, record_count, new_state_root: value, proof };
        contract.reverts(SEQUENCER, call, &ContractError::NotCanonical { value });
    }
}

#[test]
fn every_coordinate_is_canonical() {
    let contract = Contract::with_blocks(1);
    let right = contract.prover.prove(&statement(2)).words();
    for at in 0..8 {
        for value in [alias::<Fq>(right[at]), alias::<Fq>([0; 32]), [0xff; 32]] {
            let mut words = right.clone();
            words[at] = value;
            contract.rejects_proof(proof_of(words), &ContractError::NotCanonical { value });
        }
    }
}

#[test]
fn points_are_on_their_curves_and_in_their_groups() {
    let contract = Contract::with_blocks(1);
    let right = contract.prover.prove(&statement(2)).words();
    for at in 0..8 {
        let mut words = right.clone();
        words[at][31] ^= 1;
        contract.rejects_proof(proof_of(words), &ContractError::InvalidProof);
    }
    // The twist has points outside the group of order r; EIP-197 demands that they be refused.
    let outside = (0u64..)
        .filter_map(|x| G2Affine::get_point_from_x_unchecked(Fq2::new(Fq::from(x), Fq::from(1u64)), false))
        .find(|point| !point.is_in_correct_subgroup_assuming_on_curve())
        .unwrap();
    let mut words = right;
    words[2..6].copy_from_slice(&g2_words(outside));
    contract.rejects_proof(proof_of(words), &ContractError::InvalidProof);
}

#[test]
fn points_at_infinity_prove_nothing() {
    let contract = Contract::with_blocks(1);
    let right = contract.prover.prove(&statement(2)).words();
    for infinite in [0..2, 2..6, 6..8, 0..6, 2..8, 0..8] {
        let mut words = right.clone();
        words[infinite].fill([0; 32]);
        contract.rejects_proof(proof_of(words), &ContractError::InvalidProof);
    }
}

#[test]
fn negated_points_prove_only_in_pairs() {
    let contract = Contract::with_blocks(1);
    let (a, b, c) = contract.prover.prove_points(&statement(2));
    let proof = |a: G1Affine, b: G2Affine, c: G1Affine| {
        proof_of([g1_words(a).as_slice(), &g2_words(b), &g1_words(c)].concat())
    };
    for wrong in [proof(-a, b, c), proof(a, -b, c), proof(a, b, -c), proof(-a, -b, -c)] {
        contract.rejects_proof(wrong, &ContractError::InvalidProof);
    }
    // A proof is malleable; that is harmless, because what it proves is not.
    let call = Call::post_block(&statement(2), &proof(-a, -b, c));
    assert_eq!(contract.transact(SEQUENCER, call).result, Ok(vec![]));
    let error = ContractError::WrongBlockNumber { expected: BlockNumber(3), got: BlockNumber(2) };
    contract.reverts(SEQUENCER, contract.next(2), &error);
}

#[test]
fn the_role_of_sequencer_goes_over_in_two_steps() {
    let contract = Contract::with_blocks(1);
    let stranger = ContractError::NotSequencer { caller: STRANGER };
    let not_proposed = |caller| ContractError::NotPendingSequencer { caller };
    contract.reverts(STRANGER, Call::TransferSequencer(STRANGER), &stranger);
    contract.reverts(STRANGER, Call::AcceptSequencer, &not_proposed(STRANGER));
    contract.reverts(SEQUENCER, Call::AcceptSequencer, &not_proposed(SEQUENCER));

    // Proposed, withdrawn, proposed to one and then to another.
    for next in [HEIR, Address::default(), STRANGER, HEIR] {
        contract.transact(SEQUENCER, Call::TransferSequencer(next)).result.unwrap();
        let (_, _, sequencer, pending) = contract.state();
        assert_eq!((sequencer, pending), (SEQUENCER, next));
        for caller in [STRANGER, HEIR].into_iter().filter(|caller| *caller != next) {
            contract.reverts(caller, Call::AcceptSequencer, &not_proposed(caller));
        }
    }
    let heir = ContractError::NotSequencer { caller: HEIR };
    contract.reverts(HEIR, contract.next(2), &heir);
    contract.reverts(HEIR, Call::TransferSequencer(HEIR), &heir);
    contract.transact(SEQUENCER, contract.next(2)).result.unwrap();

    contract.transact(HEIR, Call::AcceptSequencer).result.unwrap();
    assert_eq!(contract.state().0, BlockNumber(2));
    let (_, _, sequencer, pending) = contract.state();
    assert_eq!((sequencer, pending), (HEIR, Address::default()));
    let former = ContractError::NotSequencer { caller: SEQUENCER };
    contract.reverts(SEQUENCER, contract.next(3), &former);
    contract.reverts(SEQUENCER, Call::TransferSequencer(SEQUENCER), &former);
    contract.reverts(HEIR, Call::AcceptSequencer, &not_proposed(HEIR));
    contract.transact(HEIR, contract.next(3)).result.unwrap();
}

#[test]
fn a_key_that_is_not_canonical_is_not_deployed() {
    let dir = TempDir::new().unwrap();
    let mut key = StandIn::new("a deployment").key_words();
    key[21] = alias::<Fq>(key[21]);
    let clock = Arc::new(ManualClock::default());
    let chain = EmbeddedChain::create(&files(), dir.path(), EmbeddedConfig::default(), root(0), &key, clock);
    assert!(matches!(chain.err(), Some(ChainError::Misuse(what)) if what.contains("canonical")));
}

#[test]
fn arguments_out_of_range_and_short_calldata_are_reverted() {
    let contract = Contract::with_blocks(1);
    let right = contract.next(2).encode();
    let before = contract.state();
    let mut number = right.clone();
    number[4] = 1;
    let mut count = right.clone();
    count[36] = 1;
    for calldata in
        [number, count, right[..right.len() - 1].to_vec(), right[..4].to_vec(), vec![], vec![0; 4]]
    {
        assert_eq!(contract.send(SEQUENCER, calldata).result, Err(ContractError::Other(vec![])));
    }
    assert_eq!(contract.state(), before);
}

#[test]
fn random_and_mutated_calldata_changes_nothing() {
    let contract = Contract::with_blocks(1);
    let before = contract.state();
    let right = contract.next(2).encode();
    let config = ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() };
    let change = (any::<prop::sample::Index>(), 1..=255u8);
    let strategy = prop_oneof![
        change.prop_map(|(at, bits)| {
            let mut calldata = right.clone();
            *at.get_mut(&mut calldata) ^= bits;
            calldata
        }),
        (0..right.len()).prop_map(|length| right[..length].to_vec()),
        prop::collection::vec(any::<u8>(), 0..400),
        prop::collection::vec(any::<u8>(), 352).prop_map(|words| [&right[..4], &words].concat()),
    ];
    let strategy = (strategy, prop::sample::select(vec![SEQUENCER, STRANGER]));
    proptest!(config, |((calldata, caller) in strategy)| {
        prop_assert!(contract.send(caller, calldata).result.is_err());
    });
    assert_eq!(contract.state(), before);
    contract.transact(SEQUENCER, contract.next(2)).result.unwrap();
}

/// What a block costs after the first. Gas is exact, so this is a test and not a benchmark.
#[test]
fn a_block_costs_at_most_260_000_gas() {
    let contract = Contract::with_blocks(1);
    for number in 2..5 {
        let calldata = contract.next(number).encode();
        let bytes: u64 = calldata.iter().map(|&byte| if byte == 0 { 4 } else { 16 }).sum();
        let total = contract.send(SEQUENCER, calldata).gas_used;
        let parts = [
            ("transaction", 21_000),
            ("calldata (EIP-2028)", bytes),
            ("pairings (EIP-1108)", 45_000 + 4 * 34_000),
            ("3 ecMul, 3 ecAdd (EIP-1108)", 3 * (6_000 + 150)),
            ("7 calls of precompiles (EIP-2929)", 7 * 100),
            ("new root's slot (EIP-2929)", 2_100 + 20_000),
            ("sequencer and latest number: read, written", 2_100 + 2_900),
            ("old root: read", 2_100),
            ("event: 2 topics, 64 bytes", 375 + 2 * 375 + 8 * 64),
        ];
        println!("block {number}: {total} gas");
        for (what, gas) in parts {
            println!("{gas:>9}  {what}");
        }
        println!("{:>9}  everything else", total - parts.iter().map(|(_, gas)| gas).sum::<u64>());
        assert!(total <= 260_000, "{total}");
    }
}

#[test]
fn a_zero_root_answers_as_no_block() {
    assert_eq!(contract::decode_state_root(&[0; 32]), Ok(None));
    assert_ne!(root(1).0, FieldElement::ZERO);
}
