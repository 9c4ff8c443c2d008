//! The account that posts, and how it signs.

use super::{
    blobs::Sidecar,
    endpoint::Endpoint,
    rpc::{Rpc, RpcError},
};
use crate::chain::{ChainError, contract};
use alloy_consensus::{
    SignableTransaction as _, Signed, TxEip1559, TxEip4844, transaction::RlpEcdsaDecodableTx as _,
};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U64, U128};
use eth_keystore::{EthKeystore, KdfparamsType};
use k256::ecdsa::SigningKey;
use serde::Deserialize;
use serde_json::json;
use std::{env, fmt, fs, path::Path, time::Duration};
use zeroize::Zeroizing;

/// A keystore is some 500 bytes.
const KEYSTORE_BYTES_MAX: u64 = 64 << 10;
/// Of a key derivation: the defaults of well-known wallets are 2^18 × 8 × 1 for scrypt, 2^18 for PBKDF2.
const SCRYPT_WORK_MAX: u64 = 1 << 25;
const PBKDF2_ROUNDS_MAX: u32 = 10_000_000;

/// A password. It is never shown, and wiped from memory when it is dropped.
pub struct Password(Zeroizing<String>);

impl Password {
    /// The first line of a file.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn from_file(path: &Path) -> Result<Self, ChainError> {
        let read = fs::read_to_string(path).map(Zeroizing::new);
        let text = read.map_err(|source| io("reading the password in", path, source))?;
        Ok(Self(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned())))
    }

    /// The value of an environment variable.
    ///
    /// # Errors
    /// It is not set, or is no text.
    pub fn from_env(name: &str) -> Result<Self, ChainError> {
        let value = env::var(name);
        value.map(|value| Self(Zeroizing::new(value))).map_err(|_| {
            ChainError::Misuse(format!("the environment variable {name} holds no password for the keystore"))
        })
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// The account that sends transactions. What is secret in it is never shown.
pub struct Account {
    address: Address,
    signer: Signer,
}

enum Signer {
    Local(SigningKey),
    Remote(Rpc),
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how: &dyn fmt::Debug = match &self.signer {
            Signer::Local(_) => &"keystore",
            Signer::Remote(rpc) => &rpc.endpoint,
        };
        f.debug_struct("Account").field("address", &self.address()).field("signer", how).finish()
    }
}

impl Account {
    /// The account in an encrypted keystore file (Web3 Secret Storage, version 3).
    ///
    /// # Errors
    /// The file can't be read, is no such keystore, or the password is not its.
    pub fn from_keystore(path: &Path, password: &Password) -> Result<Self, ChainError> {
        let refused = |what: &str| ChainError::Misuse(format!("the keystore {}: {what}", path.display()));
        let length = fs::metadata(path).map_err(|source| io("reading the keystore", path, source))?.len();
        if length > KEYSTORE_BYTES_MAX {
            return Err(refused("it is longer than a keystore is"));
        }
        let text = fs::read(path).map_err(|source| io("reading the keystore", path, source))?;
        let keystore = serde_json::from_slice::<EthKeystore>(&text)
            .map_err(|_| refused("it is no keystore of version 3"))?;
        check(&keystore).map_err(refused)?;
        let secret = eth_keystore::decrypt_key(path, password.0.as_bytes())
            .map(Zeroizing::new)
            .map_err(|_| refused("it can't be opened with this password"))?;
        let key = SigningKey::from_slice(&secret).map_err(|_| refused("it holds no key of this curve"))?;
        Ok(Self { address: Address::from_private_key(&key), signer: Signer::Local(key) })
    }

    /// An account whose key another process holds, which signs by `eth_signTransaction`, as web3signer does.
    #[must_use]
    pub fn remote(endpoint: Endpoint, account: contract::Address, timeout: Duration) -> Self {
        Self { address: account.0.into(), signer: Signer::Remote(Rpc::new(endpoint, timeout)) }
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> contract::Address {
        contract::Address(self.address.into_array())
    }

    pub(super) const fn sender(&self) -> Address {
        self.address
    }

    /// Signs; the transaction as nodes take it, and its hash.
    pub(super) fn sign(&self, transaction: TxEip1559) -> Result<(Vec<u8>, B256), ChainError> {
        let signed = match &self.signer {
            Signer::Local(key) => {
                let signature = prehash_signature(key, transaction.signature_hash())?;
                transaction.into_signed(signature)
            }
            Signer::Remote(rpc) => self.ask(rpc, &transaction)?,
        };
        Ok((signed.encoded_2718(), *signed.hash()))
    }

    /// Signs a transaction that takes blobs with it. Only with a key that is here: remote signers differ in what they take.
    pub(super) fn sign_with_blobs(
        &self,
        plain: TxEip1559,
        to: Address,
        blob_fee: u128,
        sidecar: &Sidecar,
    ) -> Result<(Vec<u8>, B256), ChainError> {
        let Signer::Local(key) = &self.signer else {
            let what = "a remote signer is not asked for transactions with blobs: use a keystore".to_owned();
            return Err(ChainError::Signer { what });
        };
        let transaction = TxEip4844 {
            chain_id: plain.chain_id,
            nonce: plain.nonce,
            gas_limit: plain.gas_limit,
            max_fee_per_gas: plain.max_fee_per_gas,
            max_priority_fee_per_gas: plain.max_priority_fee_per_gas,
            to,
            value: plain.value,
            access_list: plain.access_list,
            blob_versioned_hashes: sidecar.hashes.clone(),
            max_fee_per_blob_gas: blob_fee,
            input: plain.input,
        };
        let signature = prehash_signature(key, transaction.signature_hash())?;
        let signed = transaction.with_sidecar(sidecar.parts.clone()).into_signed(signature);
        Ok((signed.encoded_2718(), *signed.hash()))
    }

    /// Has it signed elsewhere, and looks whether it is that transaction, signed by that account.
    fn ask(&self, rpc: &Rpc, transaction: &TxEip1559) -> Result<Signed<TxEip1559>, ChainError> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Answer {
            Raw(Bytes),
            Object { raw: Bytes },
        }
        let failed = |what: String| ChainError::Signer { what: format!("{}: {what}", rpc.endpoint) };
        let to = match transaction.to {
            TxKind::Call(to) => json!(to),
            TxKind::Create => json!(null),
        };
        let mut request = json!({
            "from": self.address, "to": to, "gas": U64::from(transaction.gas_limit), "type": "0x2",
            "maxFeePerGas": U128::from(transaction.max_fee_per_gas),
            "maxPriorityFeePerGas": U128::from(transaction.max_priority_fee_per_gas),
            "nonce": U64::from(transaction.nonce), "value": "0x0", "data": transaction.input,
            "chainId": U64::from(transaction.chain_id), "accessList": [],
        });
        if let (TxKind::Create, Some(fields)) = (transaction.to, request.as_object_mut()) {
            fields.remove("to");
        }
        let raw = match rpc.call("eth_signTransaction", &json!([request])) {
            Ok(Answer::Raw(raw) | Answer::Object { raw }) => raw,
            Err(RpcError::Unreachable(what) | RpcError::Refused { message: what, .. }) => {
                return Err(failed(what));
            }
        };
        let mut bytes = raw.as_ref();
        let signed = TxEip1559::eip2718_decode(&mut bytes)
            .map_err(|_| failed("what it answers is no signed transaction of EIP-1559".into()))?;
        let by = signed.recover_signer().map_err(|_| failed("its signature is none".into()))?;
        if signed.tx() != transaction || by != self.address || !bytes.is_empty() {
            return Err(failed(
                "it signed another transaction, or for another account, than it was asked".into(),
            ));
        }
        Ok(signed)
    }
}

fn prehash_signature(key: &SigningKey, hash: B256) -> Result<Signature, ChainError> {
    let signature = key.sign_prehash_recoverable(hash.as_slice()).map(Signature::from);
    signature.map_err(|error| ChainError::Signer { what: error.to_string() })
}

/// What the decryption would take without a look, or panic at.
fn check(keystore: &EthKeystore) -> Result<(), &'static str> {
    let (derived_bytes, work_is_bounded) = match &keystore.crypto.kdfparams {
        KdfparamsType::Pbkdf2 { dklen, c, .. } => (*dklen, *c <= PBKDF2_ROUNDS_MAX),
        KdfparamsType::Scrypt { dklen, n, p, r, .. } => {
            let work = u64::from(*n).saturating_mul((*r).into()).saturating_mul((*p).into());
            (*dklen, n.is_power_of_two() && work <= SCRYPT_WORK_MAX)
        }
    };
    let crypto = &keystore.crypto;
    if derived_bytes != 32 || crypto.cipherparams.iv.len() != 16 || crypto.ciphertext.len() != 32 {
        return Err("its lengths are not those of a keystore");
    }
    if crypto.cipher != "aes-128-ctr" {
        return Err("its cipher is not aes-128-ctr");
    }
    if !work_is_bounded {
        return Err("opening it would take too long");
    }
    Ok(())
}

fn io(what: &str, path: &Path, source: std::io::Error) -> ChainError {
    ChainError::Io { what: format!("{what} {}", path.display()), source }
}
