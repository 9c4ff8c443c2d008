//! Dates and times of device files, as milliseconds since 1970-01-01T00:00:00Z.
//!
//! The proleptic Gregorian calendar, without leap seconds (a second 60 is the next minute's first). What is
//! finer than a millisecond is cut off; the payload keeps it.

use super::error::ReadError;

/// Records hold 48 bits of time.
pub(super) const OBSERVED_AT_MS_END: u64 = 1 << 48;

const DAY_MS: i64 = 86_400_000;

/// RFC 3339, and FHIR's partial dates `YYYY`, `YYYY-MM`, `YYYY-MM-DD`, which stand for their first
/// millisecond in UTC.
pub(super) fn instant(text: &str) -> Result<u64, ReadError> {
    const EXPECTED: &str = "RFC 3339 with a zone, or YYYY, YYYY-MM, YYYY-MM-DD";
    let ms = match text.split_once(['T', 't']) {
        Some((date, clock)) => full_date(date).zip(zoned_clock(clock)),
        None => partial_date(text).map(|days| (days, 0)),
    };
    let (days, clock_ms) = ms.ok_or(ReadError::Malformed { what: "time", expected: EXPECTED })?;
    since_epoch(days, clock_ms)
}

/// `YYYY-MM-DDThh:mm:ss` (or a space for the T) of a device that knows no zone: taken as if in UTC.
pub(super) fn local(text: &str) -> Result<u64, ReadError> {
    let parsed = text.split_once(['T', ' ']).and_then(|(date, clock)| full_date(date).zip(clock_ms(clock)));
    let (days, clock_ms) =
        parsed.ok_or(ReadError::Malformed { what: "time", expected: "YYYY-MM-DDThh:mm:ss" })?;
    since_epoch(days, clock_ms)
}

/// Days from 1970-01-01 to a date that exists, else `None`.
pub(super) fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(0..=9999).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1..=days_in_month).contains(&day) {
        return None;
    }
    // Years that begin in March put the leap day last, which makes a month's start linear in the month.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(365 * year + leap_days + day_of_year - 719_468)
}

/// A day and a time in it, as milliseconds since the epoch.
pub(super) fn since_epoch(days: i64, clock_ms: i64) -> Result<u64, ReadError> {
    u64::try_from(days * DAY_MS + clock_ms)
        .ok()
        .filter(|&ms| ms < OBSERVED_AT_MS_END)
        .ok_or(ReadError::Malformed { what: "time", expected: "1970 or later" })
}

/// Milliseconds since the epoch as RFC 3339.
pub(crate) fn format(ms: u64) -> String {
    let (days, clock) = (ms / 86_400_000, ms % 86_400_000);
    // The inverse of `days_from_civil`, likewise over years that begin in March.
    let since_year_0 = days + 719_468;
    let (era, day) = (since_year_0 / 146_097, since_year_0 % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (year, month) =
        if month < 10 { (era * 400 + year, month + 3) } else { (era * 400 + year + 1, month - 9) };
    let (hour, minute, second, ms) =
        (clock / 3_600_000, clock / 60_000 % 60, clock / 1000 % 60, clock % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

fn partial_date(text: &str) -> Option<i64> {
    match text.len() {
        4 => days_from_civil(number(text, 4)?, 1, 1),
        7 => {
            let (year, month) = text.split_once('-')?;
            days_from_civil(number(year, 4)?, number(month, 2)?, 1)
        }
        _ => full_date(text),
    }
}

fn full_date(text: &str) -> Option<i64> {
    let (year, rest) = text.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    days_from_civil(number(year, 4)?, number(month, 2)?, number(day, 2)?)
}

fn zoned_clock(text: &str) -> Option<i64> {
    if let Some(clock) = text.strip_suffix(['Z', 'z']) {
        return clock_ms(clock);
    }
    let (clock, offset) = text.split_at_checked(text.rfind(['+', '-'])?)?;
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let hours = number(hours, 2).filter(|&h| h < 24)?;
    let minutes = number(minutes, 2).filter(|&m| m < 60)?;
    Some(clock_ms(clock)? - sign * (hours * 60 + minutes) * 60_000)
}

/// `hh:mm:ss[.fraction]` in milliseconds.
fn clock_ms(text: &str) -> Option<i64> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let (hours, rest) = whole.split_once(':')?;
    let (minutes, seconds) = rest.split_once(':')?;
    let hours = number(hours, 2).filter(|&h| h < 24)?;
    let minutes = number(minutes, 2).filter(|&m| m < 60)?;
    let seconds = number(seconds, 2).filter(|&s| s <= 60)?;
    let ms = match fraction {
        Some(digits) => fraction_ms(digits)?,
        None => 0,
    };
    Some(((hours * 60 + minutes) * 60 + seconds) * 1000 + ms)
}

/// The first three digits of a decimal fraction, as milliseconds.
pub(super) fn fraction_ms(digits: &str) -> Option<i64> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let padded = digits.bytes().chain([b'0'; 3]).take(3);
    Some(padded.fold(0, |ms, digit| ms * 10 + i64::from(digit - b'0')))
}

fn number(text: &str, digits: usize) -> Option<i64> {
    let all = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
    all.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_instants() {
        // `date -u -d TEXT +%s%3N` of GNU coreutils.
        let known = [
            ("1970-01-01T00:00:00Z", 0),
            ("1970", 0),
            ("1999-07", 930_787_200_000),
            ("1999-07-02", 930_873_600_000),
            ("2000-02-29T23:59:59.999Z", 951_868_799_999),
            ("2014-12-05T09:30:10+01:00", 1_417_768_210_000),
            ("2020-02-05T07:25:00-08:00", 1_580_916_300_000),
            ("2025-01-01T00:00:00.123456789Z", 1_735_689_600_123),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000),
            ("1970-01-01t01:00:00+01:00", 0),
        ];
        for (text, ms) in known {
            assert_eq!(instant(text).ok(), Some(ms), "{text}");
        }
        for (text, ms) in known {
            let formatted = format(ms);
            assert_eq!(instant(&formatted).ok(), Some(ms), "{text} came back as {formatted}");
        }
        assert_eq!(format(951_868_799_999), "2000-02-29T23:59:59.999Z");
        // By Python's datetime: the last year with four digits.
        assert_eq!(format(253_402_300_799_999), "9999-12-31T23:59:59.999Z");
        assert_eq!(local("2016-10-24T11:24:17").ok(), Some(1_477_308_257_000));
        assert_eq!(local("2016-10-24 11:24:17").ok(), Some(1_477_308_257_000));
    }

    #[test]
    fn refused() {
        let bad = [
            "",
            "T",
            "199",
            "+999",
            "1999-7-2",
            "1999-02-29",
            "1900-02-29",
            "2000-13-01",
            "2000-00-01",
            "2000-01-00",
            "2000-01-32",
            "2000-01-01T00:00:00",
            "2000-01-01T24:00:00Z",
            "2000-01-01T00:60:00Z",
            "2000-01-01T00:00:61Z",
            "2000-01-01T00:00:00.Z",
            "2000-01-01T00:00Z",
            "2000-01-01T00:00:00+24:00",
            "2000-01-01T00:00:00+01",
            "2000-01-01T00:00:00Zé",
            "é000-01-01",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+00:01",
            "0000",
        ];
        for text in bad {
            assert!(instant(text).is_err(), "{text}");
        }
        assert!(local("2016-10-24T11:24:17Z").is_err());
    }

    #[test]
    fn days_are_consecutive() {
        let mut next = days_from_civil(1600, 1, 1);
        assert_eq!(next, Some(-135_140));
        for year in 1600..2401 {
            for month in 1..13 {
                for day in 1..32 {
                    if let Some(days) = days_from_civil(year, month, day) {
                        assert_eq!(Some(days), next);
                        next = Some(days + 1);
                    }
                }
            }
        }
    }
}
