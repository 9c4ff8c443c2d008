//! What is paid for gas (EIP-1559).

use super::settings::EthereumSettings;
use crate::chain::ChainError;

/// What a transaction pays, in wei a gas.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Fees {
    /// The most in sum.
    pub(super) max: u128,
    /// Of it, to the validator.
    pub(super) priority: u128,
    /// The most for blobs, in wei a gas of theirs; 0 without any.
    pub(super) blob: u128,
}

impl Fees {
    /// What suffices now, and until the base fee has doubled: it rises by an eighth a block at most.
    pub(super) fn quote(
        base_fee: u128,
        blob_fee: Option<u128>,
        settings: &EthereumSettings,
    ) -> Result<Self, ChainError> {
        let needed = base_fee.saturating_add(settings.priority_fee);
        if needed > settings.fee_max {
            return Err(ChainError::FeeTooHigh { of: "gas", needed, limit: settings.fee_max });
        }
        let max = needed.saturating_add(base_fee).min(settings.fee_max);
        let (needed, limit) = (blob_fee.unwrap_or(0), settings.blob_fee_max);
        if needed > limit {
            return Err(ChainError::FeeTooHigh { of: "gas for blobs", needed, limit });
        }
        let blob = needed.saturating_mul(2).min(limit);
        Ok(Self { max, priority: settings.priority_fee.min(max), blob })
    }

    /// What replaces a transaction with these fees: nodes want a tenth more of both, and twice of everything where it has
    /// blobs. An error where that would be over a limit.
    pub(super) fn bumped(self, now: Self, settings: &EthereumSettings) -> Result<Self, ChainError> {
        let has_blobs = self.blob > 0;
        let step = |fee: u128, part: u128| fee.saturating_add(if has_blobs { fee } else { fee / part });
        let least = |fee: u128| step(fee, 8).saturating_add(1);
        let more = |fee: u128| step(fee, 4).saturating_add(1);
        let max = more(self.max).max(now.max).min(settings.fee_max);
        let priority = more(self.priority).max(now.priority).min(max);
        let blob =
            if has_blobs { more(self.blob).max(now.blob).min(settings.blob_fee_max) } else { now.blob };
        let needed = least(self.max).max(least(self.priority));
        if max < least(self.max) || priority < least(self.priority) {
            return Err(ChainError::FeeTooHigh { of: "gas", needed, limit: settings.fee_max });
        }
        let (needed, limit) = (least(self.blob), settings.blob_fee_max);
        if has_blobs && blob < needed {
            return Err(ChainError::FeeTooHigh { of: "gas for blobs", needed, limit });
        }
        Ok(Self { max, priority, blob })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> EthereumSettings {
        EthereumSettings { priority_fee: 10, fee_max: 1000, ..EthereumSettings::new(vec![]) }
    }

    #[test]
    fn a_quote_bears_a_doubled_base_fee_below_the_limit() {
        let quote = |base| Fees::quote(base, None, &settings());
        assert_eq!(quote(0).unwrap(), Fees { max: 10, priority: 10, blob: 0 });
        assert_eq!(quote(100).unwrap(), Fees { max: 210, priority: 10, blob: 0 });
        assert_eq!(quote(990).unwrap(), Fees { max: 1000, priority: 10, blob: 0 });
        assert!(matches!(quote(991), Err(ChainError::FeeTooHigh { of: "gas", needed: 1001, limit: 1000 })));
        assert!(quote(u128::MAX).is_err());
    }

    #[test]
    fn a_bump_is_enough_for_nodes_and_ends_at_the_limit() {
        let now = Fees { max: 210, priority: 10, blob: 0 };
        let (mut fees, mut bumps) = (now, 0);
        while let Ok(more) = fees.bumped(now, &settings()) {
            assert!(
                more.max * 10 >= fees.max * 11 && more.priority * 10 >= fees.priority * 11,
                "{fees:?} {more:?}"
            );
            assert!(more.max <= 1000 && more.priority <= more.max);
            (fees, bumps) = (more, bumps + 1);
        }
        assert!((5..10).contains(&bumps) && fees.max > 880, "{bumps} {fees:?}");
        let risen = Fees { max: 900, priority: 10, blob: 0 };
        assert_eq!(now.bumped(risen, &settings()).unwrap(), Fees { max: 900, priority: 13, blob: 0 });
        assert!(matches!(fees.bumped(now, &settings()), Err(ChainError::FeeTooHigh { needed: 1001.., .. })));
    }

    /// go-ethereum and others replace a transaction with blobs only by one that pays twice as much of all three.
    #[test]
    fn with_blobs_everything_is_doubled_within_both_limits() {
        let settings = EthereumSettings { blob_fee_max: 100, ..settings() };
        let now = Fees::quote(100, Some(20), &settings).unwrap();
        assert_eq!(now, Fees { max: 210, priority: 10, blob: 40 });
        let twice = now.bumped(now, &settings).unwrap();
        assert_eq!(twice, Fees { max: 421, priority: 21, blob: 81 });
        let dear = twice.bumped(now, &settings);
        assert!(matches!(dear, Err(ChainError::FeeTooHigh { of: "gas for blobs", needed: 163, limit: 100 })));
        assert_eq!(Fees::quote(100, Some(100), &settings).unwrap().blob, 100);
        let dear = Fees::quote(100, Some(101), &settings);
        assert!(matches!(dear, Err(ChainError::FeeTooHigh { of: "gas for blobs", needed: 101, limit: 100 })));
    }
}
