//! The header of a WFDB record, after header(5).

use super::super::error::ReadError;
use super::super::payload::{HERTZ, Unit};
use super::super::time;
use super::micro_hertz;

pub(super) const SIGNALS_MAX: usize = 255;

/// header(5)'s frequency for a record that names none.
const RATE_UHZ_DEFAULT: u64 = 250 * HERTZ;

#[derive(Debug)]
pub(super) struct Header {
    pub name: String,
    pub rate_uhz: u64,
    pub rate_assumed: bool,
    /// Per signal.
    pub samples: Option<usize>,
    pub start_ms: u64,
    /// At least one.
    pub signals: Vec<Signal>,
}

#[derive(Debug)]
pub(super) struct Signal {
    /// A plain file name.
    pub file: String,
    pub format: Format,
    pub byte_offset: usize,
    /// Steps per unit; zero if uncalibrated.
    pub gain: f64,
    pub baseline: i32,
    pub unit: Unit,
    pub initial: Option<i32>,
    pub checksum: Option<i16>,
    pub label: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Sixteen,
    TwoTwelve,
}

impl Header {
    pub(super) fn parse(bytes: &[u8]) -> Result<Header, ReadError> {
        // Comments may be in any encoding, so they go before the text is looked at.
        let mut lines = (1u64..)
            .zip(bytes.split(|&b| b == b'\n'))
            .map(|(number, line)| (number, line.trim_ascii()))
            .filter(|(_, line)| !line.is_empty() && !line.starts_with(b"#"))
            .map(|(number, line)| (number, str::from_utf8(line)));
        let (number, record) =
            lines.next().ok_or(ReadError::Malformed { what: "empty header", expected: "a record line" })?;
        let record = record.map_err(|_| at(number, TEXT))?;
        let (mut header, count) = parse_record(record).map_err(|fault| at(number, fault))?;
        for (number, line) in lines.by_ref().take(count) {
            let line = line.map_err(|_| at(number, TEXT))?;
            let signal = parse_signal(line).map_err(|fault| at(number, fault))?;
            header.signals.push(signal);
        }
        if header.signals.len() != count {
            return Err(ReadError::Malformed {
                what: "signal lines",
                expected: "as many as the record line says",
            });
        }
        for (a, b) in header.signals.iter().zip(header.signals.iter().skip(1)) {
            if a.file == b.file && (a.format, a.byte_offset) != (b.format, b.byte_offset) {
                return Err(ReadError::Malformed {
                    what: "signals of one file",
                    expected: "one format and byte offset",
                });
            }
        }
        Ok(header)
    }
}

/// What is wrong, and what was expected.
type Fault = (&'static str, &'static str);

const TEXT: Fault = ("bad text", "UTF-8");

fn at(line: u64, (what, expected): Fault) -> ReadError {
    ReadError::Line { line, what, expected }
}

/// `name[/segments] signals [frequency[/…] [samples [time [date]]]]`
fn parse_record(line: &str) -> Result<(Header, usize), Fault> {
    let mut fields = line.split_ascii_whitespace();
    let name = fields.next().unwrap_or_default();
    if name.contains('/') {
        return Err(("multi-segment record", "a record of one segment"));
    }
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
        return Err(("record name", "letters, digits, _ and -"));
    }
    let signals = fields
        .next()
        .and_then(|field| field.parse().ok())
        .filter(|count| (1..=SIGNALS_MAX).contains(count))
        .ok_or(("number of signals", "1 to 255"))?;
    let frequency = fields.next();
    let rate_uhz = match frequency {
        // The counter's frequency, after a slash, is of no use without a tape.
        Some(field) => micro_hertz(field.split(['/', '(']).next().unwrap_or_default())
            .ok_or(("sampling frequency", "a decimal number of hertz above zero"))?,
        None => RATE_UHZ_DEFAULT,
    };
    let samples = match fields.next() {
        Some(field) => field
            .parse()
            .map(|count: usize| Some(count).filter(|&count| count > 0))
            .map_err(|_| ("number of samples", "a whole number"))?,
        None => None,
    };
    let clock_ms = match fields.next() {
        Some(field) => base_time(field).ok_or(("base time", "HH:MM:SS"))?,
        None => 0,
    };
    let days = match fields.next() {
        Some(field) => base_date(field).ok_or(("base date", "DD/MM/YYYY"))?,
        None => 0,
    };
    let start_ms = time::since_epoch(days, clock_ms).map_err(|_| ("base date", "1970 or later"))?;
    let header = Header {
        name: name.to_owned(),
        rate_uhz,
        rate_assumed: frequency.is_none(),
        samples,
        start_ms,
        signals: Vec::new(),
    };
    Ok((header, signals))
}

/// `file format [gain [resolution [zero [initial [checksum [block [description]]]]]]]`
fn parse_signal(line: &str) -> Result<Signal, Fault> {
    let mut fields = line.split_ascii_whitespace();
    let file = fields.next().unwrap_or_default();
    // A header must not reach out of its directory.
    if file.contains(['/', '\\', '\0']) || matches!(file, "" | "-" | "~" | "." | "..") {
        return Err(("signal file", "the name of a file beside the header"));
    }
    let (format, byte_offset) = parse_format(fields.next().unwrap_or_default())?;
    let (gain, baseline, unit) = parse_gain(fields.next().unwrap_or_default())?;
    let mut whole = |what| match fields.next() {
        Some(field) => field.parse::<i32>().map(Some).map_err(|_| (what, "a whole number of 32 bits")),
        None => Ok(None),
    };
    whole("resolution")?;
    let zero = whole("zero")?.unwrap_or(0);
    let initial = whole("initial value")?;
    let checksum = whole("checksum")?;
    whole("block size")?;
    let label = fields.collect::<Vec<_>>().join(" ");
    Ok(Signal {
        file: file.to_owned(),
        format,
        byte_offset,
        gain,
        baseline: baseline.unwrap_or(zero),
        unit,
        initial,
        // Some writers print the 16 bits unsigned.
        checksum: checksum.map(low_16_bits),
        label,
    })
}

/// `format[xsamples][:skew][+offset]`
#[expect(clippy::cast_possible_truncation, reason = "checksums are sums modulo 2^16")]
pub(super) fn low_16_bits(value: i32) -> i16 {
    value as i16
}

fn parse_format(field: &str) -> Result<(Format, usize), Fault> {
    let end = field.find(['x', ':', '+']).unwrap_or(field.len());
    let (code, mut rest) = field.split_at(end);
    let format = match code {
        "16" => Format::Sixteen,
        "212" => Format::TwoTwelve,
        _ => return Err(("unsupported signal format", "16 or 212")),
    };
    let mut byte_offset = 0;
    while let Some(mark) = rest.chars().next() {
        let body = rest.strip_prefix(mark).unwrap_or_default();
        let end = body.find(['x', ':', '+']).unwrap_or(body.len());
        let (digits, after) = body.split_at(end);
        let number: usize =
            digits.parse().map_err(|_| ("signal format", "format, xsamples, :skew, +offset"))?;
        match (mark, number) {
            ('x', 1) | (':', 0) => {}
            ('x', _) => return Err(("unsupported samples per frame", "1")),
            (':', _) => return Err(("unsupported skew", "none")),
            _ => byte_offset = number,
        }
        rest = after;
    }
    Ok((format, byte_offset))
}

/// `gain[(baseline)][/units]`; absent or zero is an uncalibrated signal, which header(5) reads as 200 per mV
/// and this leaves at zero.
fn parse_gain(field: &str) -> Result<(f64, Option<i32>, Unit), Fault> {
    if field.is_empty() {
        return Ok((0.0, None, Unit::Millivolt));
    }
    let (number, units) = field.split_once('/').unwrap_or((field, "mV"));
    let (number, baseline) = match number.split_once('(') {
        Some((number, rest)) => {
            let digits = rest.strip_suffix(')').unwrap_or_default();
            let baseline = digits.parse().map_err(|_| ("baseline", "a whole number"))?;
            (number, Some(baseline))
        }
        None => (number, None),
    };
    let gain =
        number.parse().ok().filter(|gain: &f64| gain.is_finite()).ok_or(("gain", "a decimal number"))?;
    let unit = match units {
        "mV" => Unit::Millivolt,
        "uV" => Unit::Microvolt,
        "mmHg" => Unit::MillimetreOfMercury,
        "%" => Unit::Percent,
        "NU" | "nu" => Unit::Count,
        _ => Unit::Other,
    };
    Ok((gain, baseline, unit))
}

/// `H:M:S[.fraction]` in milliseconds.
fn base_time(field: &str) -> Option<i64> {
    let (whole, fraction_ms) = match field.split_once('.') {
        Some((whole, fraction)) => (whole, time::fraction_ms(fraction)?),
        None => (field, 0),
    };
    let [hours, minutes, seconds] = three(whole, ':')?;
    let clock = hours < 24 && minutes < 60 && seconds < 60;
    clock.then_some(((hours * 60 + minutes) * 60 + seconds) * 1000 + fraction_ms)
}

fn base_date(field: &str) -> Option<i64> {
    let [day, month, year] = three(field, '/')?;
    time::days_from_civil(year, month, day)
}

fn three(field: &str, separator: char) -> Option<[i64; 3]> {
    let mut parts = field.split(separator).map(|part| {
        let digits = part.len() <= 4 && part.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| part.parse().ok())?
    });
    let three = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(three)
}
