//! The chain's state and the EVM on it.
//!
//! Gas is free and no transaction moves value, so every balance is 0 for ever and a change of state is a nonce and
//! storage words. Rules and gas prices are those of Osaka.

use super::{
    Transaction,
    frame::{Change, Receipt},
};
use crate::chain::{
    ChainError,
    contract::{self, Address, Call, ContractError},
};
use crate::proof::VerificationKey;
use arterial_protocol::StateRoot;
use revm::{
    Context, DatabaseRef, ExecuteEvm as _, MainBuilder as _, MainContext as _,
    context::{
        TxEnv,
        result::{ExecutionResult, ResultAndState},
    },
    database::{AccountState, CacheDB, EmptyDB, WrapDatabaseRef},
    primitives::{self, TxKind, U256, hardfork::SpecId},
};

/// More than any transaction here needs, so that no call fails for its limit.
const GAS_LIMIT: u64 = 2_000_000;
/// EIP-7825: the most that a transaction may have.
const DEPLOYMENT_GAS_LIMIT: u64 = 1 << 24;
/// Who creates the contract. It can do nothing to it afterwards.
const DEPLOYER: Address = Address(*b"arterial deployer   ");

/// Where in the chain a transaction runs.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) chain_id: u64,
    pub(super) height: u64,
    pub(super) timestamp_s: u64,
}

/// A transaction that was run, and what running it changed.
#[derive(Clone, Debug)]
pub(super) struct Executed {
    pub(super) receipt: Receipt,
    pub(super) changes: Vec<Change>,
}

/// The state of every account, with the contract deployed.
#[derive(Debug)]
pub(super) struct State {
    accounts: CacheDB<EmptyDB>,
    contract: primitives::Address,
    /// Gas that deploying the contract used.
    pub(super) deployment_gas: u64,
}

impl State {
    /// The state at height 0: nothing but the contract.
    pub(super) fn deploy(
        place: Place,
        key: &[[u8; 32]; VerificationKey::WORDS],
        genesis: StateRoot,
        sequencer: Address,
    ) -> Result<Self, ChainError> {
        let accounts = CacheDB::new(EmptyDB::new());
        let code = contract::deployment(key, genesis, sequencer);
        let run = run(&accounts, place, DEPLOYER, TxKind::Create, code, DEPLOYMENT_GAS_LIMIT)?;
        let deployment_gas = run.result.tx_gas_used();
        let Some(contract) = run.result.created_address() else {
            let error = ContractError::decode(run.result.output().map_or(&[], |output| output));
            return Err(ChainError::Misuse(format!("the contract cannot be deployed: {error}")));
        };
        let mut accounts = accounts;
        revm::DatabaseCommit::commit(&mut accounts, run.state);
        Ok(Self { accounts, contract, deployment_gas })
    }

    /// Takes over what a block changed.
    pub(super) fn apply(&mut self, changes: &[Change]) {
        apply(&mut self.accounts, changes);
    }

    /// Runs a transaction on this state as it is after `pending`, and leaves the state as it is.
    pub(super) fn execute<'a>(
        &self,
        pending: impl Iterator<Item = &'a [Change]>,
        place: Place,
        transaction: &Transaction,
    ) -> Result<Executed, ChainError> {
        let mut accounts = CacheDB::new(&self.accounts);
        pending.for_each(|changes| apply(&mut accounts, changes));
        let (caller, kind) = (transaction.caller, TxKind::Call(self.contract));
        let ResultAndState { result, state } =
            run(&accounts, place, caller, kind, transaction.calldata.clone(), GAS_LIMIT)?;
        let mut changes: Vec<Change> = state
            .into_iter()
            .filter(|(_, account)| account.is_touched() && !account.is_empty())
            .map(|(address, account)| {
                let written = account.storage.iter().filter(|(_, slot)| slot.is_changed());
                let mut words: Vec<_> = written
                    .map(|(key, slot)| (key.to_be_bytes(), slot.present_value().to_be_bytes()))
                    .collect();
                words.sort_unstable();
                Change { account: Address(address.into_array()), nonce: account.info.nonce, words }
            })
            .collect();
        changes.sort_unstable_by_key(|change| change.account);
        Ok(Executed { receipt: receipt(&result), changes })
    }

    /// What the contract answers to a call that changes nothing.
    pub(super) fn ask(&self, place: Place, call: Call) -> Result<Vec<u8>, ChainError> {
        let transaction = Transaction { caller: Address::default(), calldata: call.encode() };
        let receipt = self.execute(core::iter::empty(), place, &transaction)?.receipt;
        receipt.outcome().result.map_err(|error| unreadable(&error))
    }
}

/// The contract's answer is not what this contract answers.
pub(super) fn unreadable(error: &ContractError) -> ChainError {
    ChainError::Misuse(format!("the contract cannot be read: {error}"))
}

fn receipt(result: &ExecutionResult) -> Receipt {
    Receipt {
        success: result.is_success(),
        gas_used: result.tx_gas_used(),
        answer: result.output().map_or(Vec::new(), |output| output.to_vec()),
    }
}

fn apply<DB: DatabaseRef<Error = core::convert::Infallible>>(accounts: &mut CacheDB<DB>, changes: &[Change]) {
    for change in changes {
        let Ok(account) = accounts.load_account(change.account.0.into());
        account.info.nonce = change.nonce;
        if account.account_state == AccountState::NotExisting {
            account.account_state = AccountState::StorageCleared;
        }
        let words = change.words.iter();
        account
            .storage
            .extend(words.map(|(key, value)| (U256::from_be_bytes(*key), U256::from_be_bytes(*value))));
    }
}

fn run<DB: DatabaseRef<Error = core::convert::Infallible>>(
    accounts: &CacheDB<DB>,
    place: Place,
    caller: Address,
    kind: TxKind,
    data: Vec<u8>,
    gas_limit: u64,
) -> Result<ResultAndState, ChainError> {
    let caller = primitives::Address::from(caller.0);
    let Ok(account) = accounts.basic_ref(caller);
    let transaction = TxEnv {
        caller,
        kind,
        data: data.into(),
        gas_limit,
        gas_price: 0,
        nonce: account.map_or(0, |account| account.nonce),
        chain_id: Some(place.chain_id),
        ..TxEnv::default()
    };
    Context::mainnet()
        .with_db(WrapDatabaseRef(accounts))
        .modify_cfg_chained(|cfg| {
            cfg.set_spec_and_mainnet_gas_params(SpecId::OSAKA);
            cfg.chain_id = place.chain_id;
        })
        .modify_block_chained(|block| {
            block.number = U256::from(place.height);
            block.timestamp = U256::from(place.timestamp_s);
        })
        .build_mainnet()
        .transact(transaction)
        .map_err(|error| ChainError::Misuse(format!("no chain would take this transaction: {error}")))
}
