//! The receipt as JSON, for people. One way only: what is verified is the bytes.

use super::{Evidence, Receipt};
use crate::device::Credential;
use alloc::{string::String, vec::Vec};
use serde_json::{Value, json};

impl Receipt {
    /// Everything in the receipt as indented JSON, byte strings in hex, the payload both in hex and, where it
    /// is text, as text.
    #[must_use]
    pub fn to_json(&self) -> String {
        let write = self.record.write();
        let key_type = match self.credential {
            Credential::Ed25519(_) => "ed25519",
            Credential::Mac(_) => "mac",
            Credential::Host => "host",
        };
        let later: Vec<Value> = self
            .later
            .iter()
            .map(|link| {
                json!({
                    "digest": hex::encode(link.digest.to_bytes()),
                    "seq": link.seq,
                    "observed_at_ms": link.observed_at_ms,
                    "kind": link.kind,
                })
            })
            .collect();
        let value = json!({
            "format": "arterial/receipt/v2",
            "stage": alloc::format!("{}", self.stage),
            "block": self.number.0,
            "domain": hex::encode(self.domain.0.to_be_bytes()),
            "device": {
                "id": hex::encode(write.device.0),
                "key_type": key_type,
                "key": hex::encode(self.credential.bytes()),
                "evidence": evidence(&self.evidence),
            },
            "reading": {
                "seq": write.seq,
                "observed_at_ms": write.observed_at_ms,
                "kind": write.kind,
                "payload": hex::encode(write.payload),
                "payload_text": core::str::from_utf8(write.payload).ok(),
                "salt": hex::encode(&self.record.as_bytes()[..32]),
            },
            "chain": {
                "head_before": hex::encode(self.head_before.to_bytes()),
                "digest": hex::encode(self.record.digest().to_bytes()),
                "later": later,
                "head_after": hex::encode(self.head_after.to_bytes()),
                "count": self.count,
            },
            "account": {
                "slot": self.slot,
                "path": self.accounts_path.map(|sibling| hex::encode(sibling.to_bytes())),
                "accounts_root": hex::encode(self.accounts_root.to_bytes()),
            },
            "shard": {
                "total_records": self.total_records,
                "data": hex::encode(self.data.0),
                "path": self.shards_path.iter().map(|sibling| hex::encode(sibling.to_be_bytes())).collect::<Vec<_>>(),
            },
        });
        alloc::format!("{value:#}")
    }
}

fn evidence(evidence: &Evidence) -> Value {
    match evidence {
        Evidence::Signature(signature) => json!({ "signature": hex::encode(signature) }),
        Evidence::Mac => json!("mac"),
        Evidence::Host => json!("host"),
        Evidence::Bundle(proof) => json!({
            "signature": hex::encode(proof.signature),
            "bundle": {
                "count": proof.count,
                "index": proof.index,
                "blind": hex::encode(proof.blind),
                "path": proof.path.iter().map(hex::encode).collect::<Vec<_>>(),
            },
        }),
    }
}
