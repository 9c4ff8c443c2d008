//! The accounts of one shard: the tree as it stands, and every version of it back to genesis.
//!
//! ```text
//! accounts/0003.nodes, append-only:
//!   header[64]:  0 "ARTNODES" │ 8 version u16 │ 10 zero u16 │ 12 shard u32 │ 16 domain[32] │ 48 zeros │ 60 CRC-32C u32
//!   account[72]: identity[32] │ head[32] │ next_seq u32 │ count u32
//!   node[80]:    left digest[32] │ right digest[32] │ where left stands u64 │ where right stands u64
//! ```
//! A block appends the accounts it moved and the nodes above them; a node that did not change is pointed to
//! where it already stands (0 stands for a subtree of unused slots). So a block's root opens any account as of
//! that block, and what is read is checked by the digest above it: no node needs a checksum of its own.

mod before;
mod file;
mod tree;

pub use before::Before;
pub use file::{AccountsError, AccountsFile, Opening, TreeRoot};
pub use tree::AccountsTree;

#[cfg(test)]
mod tests;
