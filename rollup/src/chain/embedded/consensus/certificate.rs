//! The word of two thirds of the stake that a block is decided: whoever has the chain's header can check it.

use super::{
    ballot::{Ballot, BlockId, ChainDigest, Kind, Signed},
    stake::{Stakes, VALIDATORS_MAX},
};
use crate::chain::embedded::frame::{Reader, length};

/// Precommits for one block in one round.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::chain::embedded) struct Certificate {
    pub(super) height: u64,
    pub(super) round: u32,
    pub(super) block: BlockId,
    /// Ascending by validator.
    pub(super) signatures: Vec<(u32, [u8; 64])>,
}

/// Why a certificate decides nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum CertificateError {
    #[error("the certificate is of height {got}, expected {expected}")]
    Height { expected: u64, got: u64 },
    #[error("validator {0} is in the certificate twice, or out of order")]
    Order(u32),
    #[error("{0}")]
    Signature(String),
    #[error("the certificate has {got} of {total} stake, more than two thirds is needed")]
    Power { got: u64, total: u64 },
}

impl Certificate {
    /// The stake behind it, which suffices.
    pub(super) fn check(
        &self,
        chain: ChainDigest,
        stakes: &Stakes,
        expected: u64,
    ) -> Result<u64, CertificateError> {
        if self.height != expected {
            return Err(CertificateError::Height { expected, got: self.height });
        }
        let mut power = 0;
        for (at, &(validator, signature)) in self.signatures.iter().enumerate() {
            if at > 0 && self.signatures[at - 1].0 >= validator {
                return Err(CertificateError::Order(validator));
            }
            let vote = Signed { ballot: self.vote(validator), signature };
            vote.check(chain, stakes).map_err(CertificateError::Signature)?;
            power += stakes.stake(validator);
        }
        match stakes.decides(power) {
            true => Ok(power),
            false => Err(CertificateError::Power { got: power, total: stakes.total() }),
        }
    }

    /// The vote that a validator's signature in it is of.
    const fn vote(&self, validator: u32) -> Ballot {
        let Self { height, round, block, .. } = *self;
        Ballot { validator, height, round, kind: Kind::Precommit, block: Some(block), valid_round: None }
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.height.to_le_bytes());
        bytes.extend_from_slice(&self.round.to_le_bytes());
        bytes.extend_from_slice(&self.block.0);
        bytes.extend_from_slice(&length(self.signatures.len()));
        for (validator, signature) in &self.signatures {
            bytes.extend_from_slice(&validator.to_le_bytes());
            bytes.extend_from_slice(signature);
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let (height, round, block) = (reader.u64()?, reader.u32()?, BlockId(reader.array()?));
        let count = usize::try_from(reader.u32()?).ok().filter(|count| *count <= VALIDATORS_MAX)?;
        let signatures = (0..count).map(|_| Some((reader.u32()?, reader.array()?))).collect::<Option<_>>()?;
        Some(Self { height, round, block, signatures })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::stake::signing_key, *};
    use crate::chain::embedded::EmbeddedConfig;

    const CHAIN: ChainDigest = ChainDigest([1; 32]);

    fn config() -> EmbeddedConfig {
        EmbeddedConfig { validators: vec![40, 30, 20, 10], ..EmbeddedConfig::default() }
    }

    fn sign(certificate: &Certificate, chain: ChainDigest, validator: u32) -> (u32, [u8; 64]) {
        let signed = certificate.vote(validator).sign(chain, &signing_key(&config(), validator));
        (validator, signed.signature)
    }

    fn certificate(validators: &[u32]) -> Certificate {
        let empty = Certificate { height: 7, round: 2, block: BlockId([3; 32]), signatures: Vec::new() };
        let signatures = validators.iter().map(|validator| sign(&empty, CHAIN, *validator)).collect();
        Certificate { signatures, ..empty }
    }

    fn refused(certificate: &Certificate) -> CertificateError {
        certificate.check(CHAIN, &Stakes::genesis(&config()), 7).unwrap_err()
    }

    #[test]
    fn more_than_two_thirds_suffice_and_less_does_not() {
        let stakes = Stakes::genesis(&config());
        assert_eq!(certificate(&[0, 1]).check(CHAIN, &stakes, 7), Ok(70));
        assert_eq!(certificate(&[0, 1, 2, 3]).check(CHAIN, &stakes, 7), Ok(100));
        assert_eq!(refused(&certificate(&[0, 2])), CertificateError::Power { got: 60, total: 100 });
        assert_eq!(refused(&certificate(&[])), CertificateError::Power { got: 0, total: 100 });
    }

    #[test]
    fn who_signs_twice_counts_once() {
        assert_eq!(refused(&certificate(&[0, 0])), CertificateError::Order(0));
        assert_eq!(refused(&certificate(&[1, 0])), CertificateError::Order(0));
    }

    #[test]
    fn strangers_and_slashed_validators_do_not_count() {
        let says = |error| matches!(error, CertificateError::Signature(what) if what.contains("no stake"));
        assert!(says(refused(&certificate(&[0, 1, 4]))));
        let mut stakes = Stakes::genesis(&config());
        stakes.next_height([1]);
        assert!(says(certificate(&[0, 1]).check(CHAIN, &stakes, 7).unwrap_err()));
    }

    #[test]
    fn it_holds_for_its_height_round_block_and_chain_alone() {
        let good = certificate(&[0, 1, 2]);
        let stakes = Stakes::genesis(&config());
        let height = CertificateError::Height { expected: 8, got: 7 };
        assert_eq!(good.check(CHAIN, &stakes, 8), Err(height));
        let mut moved = vec![
            Certificate { round: 3, ..good.clone() },
            Certificate { block: BlockId([4; 32]), ..good.clone() },
        ];
        for at in 0..64 {
            let mut bent = good.clone();
            bent.signatures[1].1[at] ^= 1;
            moved.push(bent);
        }
        let mut anothers = good.clone();
        anothers.signatures[1].1 = anothers.signatures[0].1;
        moved.push(anothers);
        let mut elsewhere = good.clone();
        elsewhere.signatures[2] = sign(&good, ChainDigest([2; 32]), 2);
        moved.push(elsewhere);
        for certificate in moved {
            assert!(matches!(refused(&certificate), CertificateError::Signature(_)));
        }
        let raised = Certificate { height: 8, ..good };
        let error = raised.check(CHAIN, &stakes, 8).unwrap_err();
        assert!(matches!(error, CertificateError::Signature(_)));
    }

    #[test]
    fn a_prevote_is_no_precommit() {
        let mut bent = certificate(&[0, 1, 2]);
        let prevote = Ballot { kind: Kind::Prevote, ..bent.vote(2) };
        bent.signatures[2].1 = prevote.sign(CHAIN, &signing_key(&config(), 2)).signature;
        assert!(matches!(refused(&bent), CertificateError::Signature(_)));
    }
}
