//! PPG counts in CSV, as HeartPy and many research wearables write them.
//!
//! Two shapes, line by line (a quote never swallows the lines after it):
//!
//! - one column of counts, no header. The file does not say its rate: 32 Hz is taken where the file's name
//!   has the word `ring` (smart rings of this kind), 100 Hz elsewhere, and each payload says that its rate is
//!   assumed.
//! - `timer,hr`: milliseconds from the start, and counts. Each sample keeps its own time, to the nanosecond,
//!   and a gap is a gap.
//!
//! An empty cell, `""` or `nan` is a sample the file itself marks as missing and is carried as such. A bad
//! row is reported, never repaired: in one column it becomes a missing sample, which keeps the others' times;
//! with a timer, where also a row that does not come after the one before is bad, it is left out. Spikes are
//! the device's and stay.

use super::decimal::Decimal;
use super::error::{Faults, ReadError};
use super::payload::{self, Channel, HERTZ, SampleWidth, Unit, Waveform};
use super::{Parsed, Reading, Recording, kind, time};

const RATE_UHZ_DEFAULT: u64 = 100 * HERTZ;
const RATE_UHZ_RING: u64 = 32 * HERTZ;
const SECOND_NS: u64 = 1_000_000_000;

/// Bounds a frame, whatever the rate; a payload of 4-byte samples and times holds as many.
const FRAME_SAMPLES_MAX: usize = 8_000;

const EXPECTED_COUNT: &str = "a decimal count of at most 9 places that fits 32 bits, or nothing";

pub(super) fn read(name: &str, bytes: &[u8]) -> Result<Parsed, ReadError> {
    if bytes.trim_ascii().is_empty() {
        return Err(ReadError::Malformed { what: "empty file", expected: "rows of counts" });
    }
    let mut lines = (1u64..).zip(bytes.trim_ascii_end().split(|&b| b == b'\n'));
    let first = lines.clone().next().and_then(|(_, line)| text(line));
    let mut faults = Faults::default();
    let readings = match first {
        Some(line) if line.replace(' ', "").eq_ignore_ascii_case("timer,hr") => {
            lines.next();
            read_timed(lines, &mut faults)?
        }
        Some(line) if !line.is_empty() && cell(line).is_some() => {
            read_column(rate_uhz(name), lines, &mut faults)?
        }
        _ => return Err(ReadError::UnknownCsv),
    };
    Ok(Parsed { recordings: vec![Recording { device: format!("ppg/{name}"), readings }], faults })
}

fn rate_uhz(name: &str) -> u64 {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let ring = stem.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word.eq_ignore_ascii_case("ring"));
    if ring { RATE_UHZ_RING } else { RATE_UHZ_DEFAULT }
}

fn read_column<'a>(
    rate_uhz: u64,
    mut lines: impl Iterator<Item = (u64, &'a [u8])> + Clone,
    faults: &mut Faults,
) -> Result<Vec<Reading>, ReadError> {
    let total = lines.clone().count();
    let mut readings = Vec::new();
    for frame in payload::frames(rate_uhz, total, FRAME_SAMPLES_MAX) {
        let observed_at_ms = u64::try_from(payload::sample_ms(rate_uhz, frame.start))
            .map_err(|_| ReadError::Malformed { what: "time", expected: "less than 2^48 ms" })?;
        let rows: Vec<Row> =
            lines.by_ref().take(frame.len()).map(|(l, b)| column_row(l, b, faults)).collect();
        readings.push(encode(observed_at_ms, Some(rate_uhz), &rows, faults)?);
    }
    Ok(readings)
}

fn read_timed<'a>(
    lines: impl Iterator<Item = (u64, &'a [u8])>,
    faults: &mut Faults,
) -> Result<Vec<Reading>, ReadError> {
    let mut readings = Vec::new();
    let mut frame: Vec<Row> = Vec::new();
    let mut last_ns = None;
    for (line, bytes) in lines {
        let row = match timed_row(line, bytes) {
            Ok(row) if last_ns.is_none_or(|last| row.time_ns > last) => row,
            Ok(_) => {
                faults.push(ReadError::Line { line, what: "timer", expected: "a time after the row before" });
                continue;
            }
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        last_ns = Some(row.time_ns);
        let other_second =
            frame.first().is_some_and(|first| first.time_ns / SECOND_NS != row.time_ns / SECOND_NS);
        if other_second || frame.len() == FRAME_SAMPLES_MAX {
            readings.push(encode_timed(&frame, faults)?);
            frame.clear();
        }
        frame.push(row);
    }
    if !frame.is_empty() {
        readings.push(encode_timed(&frame, faults)?);
    }
    Ok(readings)
}

struct Row {
    line: u64,
    /// From the start; only with a timer.
    time_ns: u64,
    sample: Option<Decimal>,
}

fn column_row(line: u64, bytes: &[u8], faults: &mut Faults) -> Row {
    let sample = text(bytes).and_then(cell).unwrap_or_else(|| {
        faults.push(bad_count(line));
        None
    });
    Row { line, time_ns: 0, sample }
}

fn timed_row(line: u64, bytes: &[u8]) -> Result<Row, ReadError> {
    let (timer, count) = text(bytes).and_then(|text| text.split_once(',')).ok_or(ReadError::Line {
        line,
        what: "row",
        expected: "timer,hr",
    })?;
    let time_ns = Decimal::parse(unquoted(timer))
        .and_then(|ms| ms.rounded(6))
        .and_then(|ns| u64::try_from(ns).ok())
        .filter(|ns| ns / 1_000_000 < time::OBSERVED_AT_MS_END)
        .ok_or(ReadError::Line {
            line,
            what: "timer",
            expected: "milliseconds from the start, not negative",
        })?;
    let sample = cell(count).ok_or(bad_count(line))?;
    Ok(Row { line, time_ns, sample })
}

fn encode_timed(rows: &[Row], faults: &mut Faults) -> Result<Reading, ReadError> {
    let second = rows.first().map_or(0, |row| row.time_ns / SECOND_NS);
    encode(second * 1000, None, rows, faults)
}

/// One frame, in the coarsest decimal step that holds every count of it exactly.
fn encode(
    observed_at_ms: u64,
    rate_uhz: Option<u64>,
    rows: &[Row],
    faults: &mut Faults,
) -> Result<Reading, ReadError> {
    let counts = rows.iter().filter_map(|row| row.sample);
    let places = counts.map(Decimal::places).max().unwrap_or(0);
    let mut scaled = Vec::with_capacity(rows.len());
    for row in rows {
        let count = row.sample.and_then(|count| {
            let fits = count.scaled(places).and_then(|v| i32::try_from(v).ok());
            let fits = fits.filter(|&v| v != i32::MIN);
            if fits.is_none() {
                faults.push(bad_count(row.line));
            }
            fits
        });
        scaled.push(count);
    }
    let narrow = |v: i32| i16::try_from(v).is_ok_and(|v| v != i16::MIN);
    let (width, missing) = if scaled.iter().flatten().all(|&v| narrow(v)) {
        (SampleWidth::Two, i32::from(i16::MIN))
    } else {
        (SampleWidth::Four, i32::MIN)
    };
    let waveform = Waveform {
        rate_uhz: rate_uhz.unwrap_or(0),
        rate_assumed: rate_uhz.is_some(),
        width,
        missing,
        channels: vec![Channel {
            gain: f64::from(10u32.saturating_pow(places)),
            baseline: 0,
            unit: Unit::Count,
            label: "PPG".to_owned(),
        }],
    };
    let times_ns: Vec<u32> = match rate_uhz {
        Some(_) => Vec::new(),
        None => rows.iter().map(|row| (row.time_ns % SECOND_NS) as u32).collect(),
    };
    let samples: Vec<i32> = scaled.iter().map(|v| v.unwrap_or(missing)).collect();
    Ok(Reading { observed_at_ms, kind: kind::PPG, payload: waveform.encode(&times_ns, &samples)? })
}

fn bad_count(line: u64) -> ReadError {
    ReadError::Line { line, what: "count", expected: EXPECTED_COUNT }
}

fn text(line: &[u8]) -> Option<&str> {
    str::from_utf8(line.trim_ascii()).ok()
}

/// A count, or `Some(None)` for a sample marked as missing.
fn cell(text: &str) -> Option<Option<Decimal>> {
    let content = unquoted(text);
    if content.is_empty() || content.eq_ignore_ascii_case("nan") {
        return Some(None);
    }
    Decimal::parse(content).filter(|count| count.places() <= 9).map(Some)
}

fn unquoted(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(parsed: Parsed) -> (Vec<Reading>, Vec<String>) {
        let readings = parsed.recordings.into_iter().flat_map(|r| r.readings).collect();
        let faults = parsed.faults.into_errors();
        (readings, faults.iter().map(ToString::to_string).collect())
    }

    fn narrow(payload: &[u8]) -> Vec<i16> {
        let (pairs, _) = payload.as_chunks::<2>();
        pairs.iter().map(|&pair| i16::from_le_bytes(pair)).collect()
    }

    #[test]
    fn one_column() {
        let text: String = (0..250).map(|i| format!("{}.0\r\n", 500 + i)).collect();
        let parsed = read("counts.csv", text.as_bytes()).expect("counts");
        assert_eq!(parsed.recordings[0].device, "ppg/counts.csv");
        let (readings, faults) = lines(parsed);
        assert_eq!(faults, [""; 0]);
        let times: Vec<u64> = readings.iter().map(|r| r.observed_at_ms).collect();
        assert_eq!(times, [0, 1000, 2000]);
        let last = &readings[2].payload;
        assert_eq!(last[..8], [1, 1, 2, FLAG_RATE_ASSUMED, 50, 0, 0, 0]);
        assert_eq!(last[8..16], RATE_UHZ_DEFAULT.to_le_bytes());
        assert_eq!(narrow(&last[44..]), (700..750).collect::<Vec<i16>>());
    }

    const FLAG_RATE_ASSUMED: u8 = 2;

    #[test]
    fn missing_and_bad_rows_keep_their_place() {
        let parsed = read("a.csv", b"1\n\"\"\nnan\n\"4\"\nx\n1e5\n\xFF\n-32768\n9\n\n").expect("counts");
        let (readings, faults) = lines(parsed);
        assert_eq!(faults.len(), 3);
        assert!(faults[0].starts_with("line 5: count"), "{}", faults[0]);
        // -32768 would be taken for a missing sample in 16 bits.
        let (values, _) = readings[0].payload[44..].as_chunks::<4>();
        let values: Vec<i32> = values.iter().map(|&v| i32::from_le_bytes(v)).collect();
        let no = i32::MIN;
        assert_eq!(values, [1, no, no, 4, no, no, no, -32_768, 9]);
    }

    #[test]
    fn decimals_are_exact() {
        let (readings, faults) = lines(read("a.csv", b"0.5\n-1.25\n3\n").expect("counts"));
        assert_eq!(faults, [""; 0]);
        assert_eq!(readings[0].payload[20..28], 100f64.to_le_bytes());
        assert_eq!(narrow(&readings[0].payload[44..]), [50, -125, 300]);
        let (_, faults) = lines(read("a.csv", b"0.123456789\n300\n").expect("counts"));
        assert_eq!(faults.len(), 1, "300 at nine places does not fit");
    }

    #[test]
    fn rings_are_slower() {
        assert_eq!(rate_uhz("heartpy_ring_data.csv"), RATE_UHZ_RING);
        assert_eq!(rate_uhz("Ring.csv"), RATE_UHZ_RING);
        assert_eq!(rate_uhz("monitoring.csv"), RATE_UHZ_DEFAULT);
    }

    #[test]
    fn timed() {
        let text =
            b"timer,hr\n0.0,515\n8.54790319355,514\n8.5,1\nx,1\n20,\n30\n40,y\n2999.9999999,7\n3000,8\n";
        let (readings, faults) = lines(read("t.csv", text).expect("timed"));
        assert_eq!(faults.len(), 5);
        assert!(faults[0].starts_with("line 4: timer"), "{}", faults[0]);
        assert!(faults[3].starts_with("line 8: count"), "{}", faults[3]);
        let times: Vec<u64> = readings.iter().map(|r| r.observed_at_ms).collect();
        // 2999.9999999 ms is 3 s to the nanosecond, and 3000 does not come after it.
        assert_eq!(times, [0, 3000]);
        assert_eq!(readings[0].payload[3], 1);
        let (stamps, _) = readings[0].payload[44..56].as_chunks::<4>();
        let stamps: Vec<u32> = stamps.iter().map(|&s| u32::from_le_bytes(s)).collect();
        assert_eq!(stamps, [0, 8_547_903, 20_000_000]);
        assert_eq!(narrow(&readings[0].payload[56..]), [515, 514, i16::MIN]);
    }

    #[test]
    fn refused() {
        for text in [&b""[..], b"\n\n", b"a,b,c\n1,2,3\n", b"time\n1\n", b"\xFF\xFE\n", b"\n1\n"] {
            assert!(read("a.csv", text).is_err(), "{text:?}");
        }
        let (_, faults) = lines(read("a.csv", &b"1\nx\n".repeat(100)).expect("counts"));
        assert_eq!(faults.len(), 17);
        assert_eq!(faults[16], "84 more faults in this file");
    }
}
