//! The two layouts of binary payloads, little-endian.
//!
//! A waveform is up to a second of one or more channels:
//!
//! ```text
//!  0  version u8 = 1 │ 1 channels u8 │ 2 sample_bytes u8, 2 or 4 │ 3 flags u8
//!  4  samples u32, per channel
//!  8  rate_uhz u64, micro-hertz; zero when timed
//! 16  missing i32, the value that stands for "no sample"
//! 20  per channel, 24 bytes:
//!       0  gain f64, steps per unit; zero if uncalibrated
//!       8  baseline i32, the step of physical zero
//!      12  unit u8
//!      13  label[11], UTF-8, cut or filled with zeros
//!     then, if timed: samples × u32, nanoseconds after the reading's time
//!     then samples × channels × i16 or i32, channel by channel within a sample
//! flags: 1 timed │ 2 the rate is assumed, the file does not say it
//! ```
//!
//! A physical value is `(sample - baseline) / gain`. A scalar reading is one or a few values of one unit:
//!
//! ```text
//!  0  version u8 = 1 │ 1 unit u8 │ 2 range u8 │ 3 count u8
//!  4  count × i32, thousandths of the unit
//! range: 0 the values are measured │ 1 below, 2 above what the sensor can measure, and the value is zero
//! ```

use std::ops::Range;

use super::error::ReadError;

/// A record holds 64 KiB, 72 bytes of them its header.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 64 * 1024 - 72;

const VERSION: u8 = 1;
const HEAD_BYTES: usize = 20;
const CHANNEL_BYTES: usize = 24;
const LABEL_BYTES: usize = 11;
const FLAG_TIMED: u8 = 1;
const FLAG_RATE_ASSUMED: u8 = 2;

const _: () = assert!(HEAD_BYTES + CHANNELS_MAX * (CHANNEL_BYTES + 4) + 4 <= PAYLOAD_BYTES_MAX);

pub(crate) const CHANNELS_MAX: usize = u8::MAX as usize;

/// Micro-hertz in a hertz.
pub(crate) const HERTZ: u64 = 1_000_000;

/// Units by their code in a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Unit {
    /// A count of the converter, without physical meaning.
    Count = 0,
    Millivolt = 1,
    Microvolt = 2,
    MilligramPerDecilitre = 3,
    MillimolePerLitre = 4,
    MillimetreOfMercury = 5,
    Percent = 6,
    /// A unit that has no code here.
    Other = 255,
}

/// Whether a scalar is a value or only a side of the sensor's range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum SensorRange {
    Within = 0,
    Below = 1,
    Above = 2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum SampleWidth {
    Two = 2,
    Four = 4,
}

impl SampleWidth {
    fn bytes(self) -> usize {
        self as usize
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Channel {
    /// Steps per unit; zero if uncalibrated.
    pub gain: f64,
    pub baseline: i32,
    pub unit: Unit,
    pub label: String,
}

/// What every frame of a waveform has in common.
#[derive(Clone, Debug)]
pub(crate) struct Waveform {
    pub rate_uhz: u64,
    pub rate_assumed: bool,
    pub width: SampleWidth,
    pub missing: i32,
    pub channels: Vec<Channel>,
}

impl Waveform {
    /// Samples per channel that fit one payload: at least one, by the bound on channels.
    pub(crate) fn samples_max(&self, timed: bool) -> usize {
        let head = HEAD_BYTES + self.channels.len() * CHANNEL_BYTES;
        let sample = self.channels.len() * self.width.bytes() + if timed { 4 } else { 0 };
        PAYLOAD_BYTES_MAX.saturating_sub(head) / sample.max(1)
    }

    /// One payload of `samples`, channel by channel within a sample; `times_ns` has one entry per sample or,
    /// where the rate says it all, none.
    pub(crate) fn encode(&self, times_ns: &[u32], samples: &[i32]) -> Result<Vec<u8>, ReadError> {
        let timed = !times_ns.is_empty();
        let channels = u8::try_from(self.channels.len())
            .map_err(|_| ReadError::Malformed { what: "channels", expected: "at most 255" })?;
        let count = samples.len() / self.channels.len().max(1);
        assert!(count * self.channels.len() == samples.len(), "whole samples of every channel");
        assert!(!timed || times_ns.len() == count, "a time for each sample");
        if count > self.samples_max(timed) {
            return Err(ReadError::PayloadTooLarge {
                max: PAYLOAD_BYTES_MAX,
                got: samples.len().saturating_mul(self.width.bytes()),
            });
        }

        let mut flags = 0;
        if timed {
            flags |= FLAG_TIMED;
        }
        if self.rate_assumed {
            flags |= FLAG_RATE_ASSUMED;
        }
        let mut out = vec![VERSION, channels, self.width as u8, flags];
        #[expect(clippy::cast_possible_truncation, reason = "samples_max is below 64 Ki")]
        out.extend((count as u32).to_le_bytes());
        out.extend(if timed { 0 } else { self.rate_uhz }.to_le_bytes());
        out.extend(self.missing.to_le_bytes());
        for channel in &self.channels {
            out.extend(channel.gain.to_le_bytes());
            out.extend(channel.baseline.to_le_bytes());
            out.push(channel.unit as u8);
            out.extend(label_bytes(&channel.label));
        }
        for time_ns in times_ns {
            out.extend(time_ns.to_le_bytes());
        }
        for &sample in samples {
            match self.width {
                SampleWidth::Four => out.extend(sample.to_le_bytes()),
                SampleWidth::Two => {
                    let narrow = i16::try_from(sample)
                        .map_err(|_| ReadError::Malformed { what: "sample", expected: "16 bits" })?;
                    out.extend(narrow.to_le_bytes());
                }
            }
        }
        Ok(out)
    }
}

/// A scalar reading; `values` in thousandths of the unit, at most 255 of them.
pub(crate) fn scalar(unit: Unit, range: SensorRange, values: &[i32]) -> Vec<u8> {
    let count = u8::try_from(values.len()).expect("a scalar reading is a few values");
    let mut out = vec![VERSION, unit as u8, range as u8, count];
    for value in values {
        out.extend(value.to_le_bytes());
    }
    out
}

/// The samples of each one-second frame of `total` samples. A frame begins at a whole second of the
/// recording, the last may be shorter, and one of more than `samples_max` samples comes in pieces.
pub(crate) fn frames(rate_uhz: u64, total: usize, samples_max: usize) -> impl Iterator<Item = Range<usize>> {
    assert!(rate_uhz > 0 && samples_max > 0, "frames that move");
    let rate = u128::from(rate_uhz);
    let mut start = 0usize;
    std::iter::from_fn(move || {
        if start >= total {
            return None;
        }
        // By the sample, not by the second: below one hertz most seconds are empty.
        let second = start as u128 * u128::from(HERTZ) / rate;
        let next = ((second + 1) * rate).div_ceil(u128::from(HERTZ));
        let next = usize::try_from(next).unwrap_or(usize::MAX);
        let end = next.max(start + 1).min(total).min(start.saturating_add(samples_max));
        let frame = start..end;
        start = end;
        Some(frame)
    })
}

/// When a sample was taken, in milliseconds after the recording's first.
pub(crate) fn sample_ms(rate_uhz: u64, sample: usize) -> u128 {
    sample as u128 * u128::from(HERTZ) * 1000 / u128::from(rate_uhz.max(1))
}

fn label_bytes(label: &str) -> [u8; LABEL_BYTES] {
    let mut out = [0; LABEL_BYTES];
    let cut = label.floor_char_boundary(LABEL_BYTES);
    for (to, from) in out.iter_mut().zip(label.bytes().take(cut)) {
        *to = from;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waveform() -> Waveform {
        let channel =
            |label: &str| Channel { gain: 200.0, baseline: 1024, unit: Unit::Millivolt, label: label.into() };
        Waveform {
            rate_uhz: 360 * HERTZ,
            rate_assumed: false,
            width: SampleWidth::Two,
            missing: -2048,
            channels: vec![channel("MLII"), channel("a lead's né")],
        }
    }

    #[test]
    fn waveform_layout() {
        let bytes = waveform().encode(&[], &[995, 1011, -1, 7]).expect("fits");
        assert_eq!(bytes.len(), 20 + 2 * 24 + 8);
        assert_eq!(bytes[..8], [1, 2, 2, 0, 2, 0, 0, 0]);
        assert_eq!(bytes[8..16], 360_000_000u64.to_le_bytes());
        assert_eq!(bytes[16..20], (-2048i32).to_le_bytes());
        assert_eq!(bytes[20..28], 200f64.to_le_bytes());
        assert_eq!(bytes[28..32], 1024i32.to_le_bytes());
        assert_eq!(bytes[32], 1);
        assert_eq!(&bytes[33..44], b"MLII\0\0\0\0\0\0\0");
        assert_eq!(&bytes[57..68], "a lead's n\0".as_bytes());
        assert_eq!(bytes[68..], [0xE3, 3, 0xF3, 3, 0xFF, 0xFF, 7, 0]);
    }

    #[test]
    fn timed_layout() {
        let mut timed = waveform();
        timed.channels.truncate(1);
        timed.width = SampleWidth::Four;
        timed.rate_assumed = true;
        let bytes = timed.encode(&[5, 6], &[-1, i32::MAX]).expect("fits");
        assert_eq!(bytes[..8], [1, 1, 4, 3, 2, 0, 0, 0]);
        assert_eq!(bytes[8..16], [0; 8]);
        assert_eq!(bytes[44..52], [5, 0, 0, 0, 6, 0, 0, 0]);
        assert_eq!(bytes[52..], [255, 255, 255, 255, 255, 255, 255, 127]);
    }

    #[test]
    fn payloads_are_bounded() {
        let waveform = waveform();
        let max = waveform.samples_max(false);
        let full = waveform.encode(&[], &vec![0; max * 2]).expect("fits");
        assert!(full.len() <= PAYLOAD_BYTES_MAX && full.len() + 4 > PAYLOAD_BYTES_MAX);
        assert!(waveform.encode(&[], &vec![0; max * 2 + 2]).is_err());
        assert!(waveform.encode(&[], &[40_000, 0]).is_err());
    }

    #[test]
    fn scalar_layout() {
        let bytes = scalar(Unit::MillimetreOfMercury, SensorRange::Within, &[120_000, 80_000]);
        assert_eq!(bytes, [1, 5, 0, 2, 0xC0, 0xD4, 1, 0, 0x80, 0x38, 1, 0]);
    }

    #[test]
    fn frames_tile_the_recording() {
        let cut = |rate, total, max| frames(rate, total, max).collect::<Vec<_>>();
        assert_eq!(cut(10 * HERTZ, 25, 100), [0..10, 10..20, 20..25]);
        assert_eq!(cut(10 * HERTZ, 12, 7), [0..7, 7..10, 10..12]);
        assert_eq!(cut(2_500_000, 6, 100), [0..3, 3..5, 5..6]);
        assert_eq!(cut(1, 3, 100), [0..1, 1..2, 2..3]);
        assert_eq!(cut(u64::MAX, 3, 2), [0..2, 2..3]);
        assert!(cut(HERTZ, 0, 2).is_empty());
        assert_eq!(sample_ms(2_500_000, 3), 1200);
    }
}
