//! Accounts of the base chain.

use core::{fmt, str::FromStr};

/// An account of the base chain.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Address(pub [u8; 20]);

/// Why a text is not an [`Address`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an address is 0x and 40 hexadecimal digits, got {got:?}")]
pub struct AddressError {
    /// The text.
    pub got: String,
}

impl FromStr for Address {
    type Err = AddressError;

    /// Takes either case; EIP-55's checksum in it is not looked at.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let mut bytes = [0; 20];
        let digits = text.strip_prefix("0x").ok_or_else(|| AddressError { got: text.into() })?;
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| AddressError { got: text.into() })?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
