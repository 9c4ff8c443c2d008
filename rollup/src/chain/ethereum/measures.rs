//! What posting reports.

use super::fees::Fees;
use arterial_telemetry::{self as telemetry, Counter, Gauge};

/// What was sent, and for how much.
pub(super) struct Measures {
    pub(super) first: Counter,
    pub(super) replacement: Counter,
    pub(super) repeat: Counter,
    pub(super) reverted: Counter,
    fee_max: Gauge,
}

impl Measures {
    pub(super) fn new() -> Self {
        let [first, replacement, repeat] =
            telemetry::TRANSACTION_KINDS.map(|kind| telemetry::TRANSACTIONS.counter(&[kind]));
        let reverted = telemetry::TRANSACTIONS_REVERTED.counter(&[]);
        Self { first, replacement, repeat, reverted, fee_max: telemetry::FEE_MAX_WEI.gauge(&[]) }
    }

    pub(super) fn pays(&self, fees: Fees) {
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        self.fee_max.set(fees.max as f64);
    }
}
