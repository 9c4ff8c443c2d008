//! Decimal numbers as they are written, so that no value passes through a binary float on its way into a
//! payload.

/// `mantissa / 10^places`, with `places` as small as the value allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    mantissa: i64,
    places: u32,
}

/// 10^18 is the largest power that fits a mantissa.
const DIGITS_MAX: usize = 18;

impl Decimal {
    /// `[+-]digits[.digits]` of at most 18 digits; no exponent, no infinities.
    pub(super) fn parse(text: &str) -> Option<Decimal> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let fraction = fraction.trim_end_matches('0');
        // `.5` and `5.` are written by some tools; a lone point is no number.
        let some = digits.bytes().any(|b| b.is_ascii_digit());
        if !some || whole.len() + fraction.len() > DIGITS_MAX {
            return None;
        }
        let mut mantissa = 0i64;
        for byte in whole.bytes().chain(fraction.bytes()) {
            if !byte.is_ascii_digit() {
                return None;
            }
            mantissa = mantissa * 10 + i64::from(byte - b'0');
        }
        Some(Decimal {
            mantissa: if negative { -mantissa } else { mantissa },
            places: u32::try_from(fraction.len()).ok()?,
        })
    }

    pub(super) fn places(self) -> u32 {
        self.places
    }

    /// The value times `10^places`, if that is a whole number.
    pub(super) fn scaled(self, places: u32) -> Option<i64> {
        let factor = 10i64.checked_pow(places.checked_sub(self.places)?)?;
        self.mantissa.checked_mul(factor)
    }

    /// The value times `10^places`, rounded half away from zero.
    pub(super) fn rounded(self, places: u32) -> Option<i64> {
        match self.places.checked_sub(places) {
            None | Some(0) => self.scaled(places),
            Some(excess) => {
                let divisor = 10i64.checked_pow(excess)?;
                let half = divisor / 2 * self.mantissa.signum();
                Some(self.mantissa.checked_add(half)? / divisor)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milli(text: &str) -> Option<i64> {
        Decimal::parse(text)?.scaled(3)
    }

    #[test]
    fn parsed() {
        assert_eq!(milli("530"), Some(530_000));
        assert_eq!(milli("15926.0"), Some(15_926_000));
        assert_eq!(milli("-0.125"), Some(-125));
        assert_eq!(milli("+.5"), Some(500));
        assert_eq!(milli("5."), Some(5_000));
        assert_eq!(milli("0.0005"), None);
        assert_eq!(Decimal::parse("15926.000").map(Decimal::places), Some(0));
        assert_eq!(Decimal::parse("999999999999999999").and_then(|d| d.scaled(1)), None);
    }

    #[test]
    fn refused() {
        for text in
            ["", ".", "-", "+-1", "1e3", "nan", "inf", "1 2", "0x1", "1.2.3", "١", "1234567890123456789"]
        {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn rounded() {
        let rounded = |text| Decimal::parse(text).and_then(|d: Decimal| d.rounded(2));
        assert_eq!(rounded("1.005"), Some(101));
        assert_eq!(rounded("-1.005"), Some(-101));
        assert_eq!(rounded("1.0049"), Some(100));
        assert_eq!(rounded("7"), Some(700));
        assert_eq!(rounded("0.00000000000000001"), Some(0));
    }
}
