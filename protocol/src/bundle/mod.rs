//! Many writes under one signature.
//!
//! A gateway whose Ed25519 key its devices are enrolled with signs once for up to 4,096 writes: for the root of a
//! binary tree over them. A write's proof of authorship is then the signature and a path.
//!
//! ```text
//! blind = BLAKE3( seed[32] ‖ index u64 ‖ "arterial/bundle-blind/v1" )                    one block
//! leaf  = BLAKE3 derive_key( "arterial/bundle-leaf/v1", blind ‖ bytes 32‥ of the canonical record )
//! node  = BLAKE3( left ‖ right )                                                         one block
//! signed: "arterial/bundle/v1" ‖ count u32 ‖ root[32]
//!
//!            root                  A level's odd last node goes up as it is (the shape of RFC 6962, 2.1). The signed
//!          ╱      ╲                count so gives the tree one shape, and each write one path.
//!       node       ╲
//!      ╱    ╲       ╲
//!   node    node     │
//!   ╱  ╲    ╱  ╲     │
//!  0    1  2    3    4   leaves
//! ```
//!
//! No leaf can be taken for a node or the other way round: they are hashed in two modes of BLAKE3, which agree only
//! by a collision. A receipt shows its holder the siblings on its path, other writes' leaves among them. The blind
//! keeps those readings from being guessed, as the salt does for records: it is made from the gateway's secret seed,
//! a new one for each bundle, and a receipt has its own write's alone.

mod leaf;
mod proof;
mod siblings;
mod tree;

#[cfg(test)]
mod tests;

pub use leaf::{blind, blind_message, leaf, leaves};
pub use proof::{BundleProof, path_nodes};
pub use siblings::path_from_siblings;
pub use tree::BundleTree;

/// Prefix of what a gateway signs.
pub const SIGNING_DOMAIN: &[u8; 18] = b"arterial/bundle/v1";

/// Bytes of what a gateway signs.
pub const MESSAGE_BYTES: usize = SIGNING_DOMAIN.len() + 4 + 32;

/// What a gateway signs for a bundle of `count` writes.
#[must_use]
pub fn message(count: u16, root: &[u8; 32]) -> [u8; MESSAGE_BYTES] {
    let mut message = [0; MESSAGE_BYTES];
    let (domain, rest) = message.split_at_mut(SIGNING_DOMAIN.len());
    domain.copy_from_slice(SIGNING_DOMAIN);
    rest[..4].copy_from_slice(&u32::from(count).to_le_bytes());
    rest[4..].copy_from_slice(root);
    message
}
