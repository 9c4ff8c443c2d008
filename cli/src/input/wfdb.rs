//! WFDB records (PhysioNet): a text header and its signal files.
//!
//! Of header(5) and signal(5) this reads single-segment records in formats 16 and 212, with any number of
//! signals per file and several files, byte offsets included. Not read: multi-segment records, more than one
//! sample per frame, skew. A recording that disagrees with its header, in length, initial value or checksum,
//! is refused whole.
//!
//! ```text
//! format 212: two 12-bit samples in three bytes
//!   byte 0: a7…a0 │ byte 1: b11…b8 a11…a8 │ byte 2: b7…b0
//! ```
//!
//! The reading's time is the header's base time and date, taken as UTC (the format has no zone); with a base
//! time alone it counts from midnight, with neither from the first sample.

use std::ops::RangeInclusive;

use super::decimal::Decimal;
use super::error::{Faults, ReadError};
use super::payload::{self, CHANNELS_MAX, Channel, SampleWidth, Unit, Waveform};
use super::{Parsed, Reading, Recording, kind, time};
use header::{Format, Header, Signal};

mod header;

/// Reads a record; `load` gives the signal file of a plain file name beside the header.
pub(super) fn read(
    header: &[u8],
    mut load: impl FnMut(&str) -> Result<Vec<u8>, ReadError>,
) -> Result<Parsed, ReadError> {
    let header = Header::parse(header)?;
    let mut files = Vec::new();
    for group in header.signals.chunk_by(|a, b| a.file == b.file) {
        if let Some(first) = group.first() {
            let bytes = load(&first.file).map_err(|source| in_file(first, source))?;
            files.push((first, group.len(), bytes));
        }
    }

    let mut samples = header.samples;
    let mut tracks = Vec::new();
    for (first, channels, bytes) in &files {
        let bytes = bytes.get(first.byte_offset..).unwrap_or_default();
        let track =
            Track::new(bytes, first.format, *channels, samples).map_err(|source| in_file(first, source))?;
        samples = Some(track.samples);
        tracks.push(track);
    }
    check(&header.signals, &tracks)?;

    let readings = frames(&header, &tracks, samples.unwrap_or(0))?;
    Ok(Parsed {
        recordings: vec![Recording { device: format!("wfdb/{}", header.name), readings }],
        faults: Faults::default(),
    })
}

fn in_file(signal: &Signal, source: ReadError) -> ReadError {
    ReadError::SignalFile { file: signal.file.clone(), source: Box::new(source) }
}

/// One signal file, decoded on the way.
struct Track<'a> {
    bytes: &'a [u8],
    format: Format,
    channels: usize,
    samples: usize,
}

impl<'a> Track<'a> {
    /// Without a count in the header the file's length says it. Sizes are compared in 128 bits: the header
    /// may claim anything.
    fn new(
        bytes: &'a [u8],
        format: Format,
        channels: usize,
        samples: Option<usize>,
    ) -> Result<Track<'a>, ReadError> {
        let samples = samples.unwrap_or(format.samples_in(bytes.len()) / channels.max(1));
        // A header without samples is no recording, and an empty file no sample.
        let expected = format.bytes_of(samples.max(1) as u128 * channels as u128);
        if !expected.contains(&(bytes.len() as u128)) {
            return Err(ReadError::SampleBytes {
                min: *expected.start(),
                max: *expected.end(),
                got: bytes.len(),
            });
        }
        Ok(Track { bytes, format, channels, samples })
    }

    fn value(&self, sample: usize, channel: usize) -> i32 {
        // The constructor counted the bytes.
        self.format.value(self.bytes, sample * self.channels + channel).unwrap_or(self.format.missing())
    }
}

impl Format {
    fn samples_in(self, bytes: usize) -> usize {
        match self {
            Format::Sixteen => bytes / 2,
            Format::TwoTwelve => bytes / 3 * 2 + usize::from(bytes % 3 == 2),
        }
    }

    /// An odd last sample of format 212 takes two bytes, or three with padding.
    fn bytes_of(self, values: u128) -> RangeInclusive<u128> {
        match self {
            Format::Sixteen => values * 2..=values * 2,
            Format::TwoTwelve => values / 2 * 3 + values % 2 * 2..=values.div_ceil(2) * 3,
        }
    }

    fn value(self, bytes: &[u8], index: usize) -> Option<i32> {
        match self {
            Format::Sixteen => {
                let pair = bytes.get(index * 2..index * 2 + 2)?;
                Some(i16::from_le_bytes(pair.try_into().ok()?).into())
            }
            Format::TwoTwelve => {
                let triple = index / 2 * 3;
                let high = u16::from(*bytes.get(triple + 1)?);
                let (low, high) = if index.is_multiple_of(2) {
                    (*bytes.get(triple)?, high & 0x0F)
                } else {
                    (*bytes.get(triple + 2)?, high >> 4)
                };
                let twelve = high << 8 | u16::from(low);
                Some(((twelve << 4) as i16 >> 4).into())
            }
        }
    }

    /// The value by which the format says "no sample".
    fn missing(self) -> i32 {
        match self {
            Format::Sixteen => -32_768,
            Format::TwoTwelve => -2_048,
        }
    }
}

/// Holds each signal against its header: the first sample, and the sum of all in 16 bits.
fn check(signals: &[Signal], tracks: &[Track<'_>]) -> Result<(), ReadError> {
    let columns = tracks.iter().flat_map(|track| (0..track.channels).map(move |channel| (track, channel)));
    for (index, (signal, (track, channel))) in signals.iter().zip(columns).enumerate() {
        if track.samples == 0 {
            continue;
        }
        let got = track.value(0, channel);
        if let Some(expected) = signal.initial
            && expected != got
        {
            return Err(ReadError::InitialValue { signal: index, expected, got });
        }
        if let Some(expected) = signal.checksum {
            let got = (0..track.samples).fold(0i16, |sum, sample| {
                sum.wrapping_add(header::low_16_bits(track.value(sample, channel)))
            });
            if got != expected {
                return Err(ReadError::Checksum { signal: index, expected, got });
            }
        }
    }
    Ok(())
}

fn frames(header: &Header, tracks: &[Track<'_>], samples: usize) -> Result<Vec<Reading>, ReadError> {
    let voltages = header.signals.iter().all(|s| s.unit == Unit::Millivolt);
    let waveform = Waveform {
        rate_uhz: header.rate_uhz,
        rate_assumed: header.rate_assumed,
        width: SampleWidth::Two,
        missing: tracks.first().map_or(0, |track| track.format.missing()),
        channels: header.signals.iter().map(channel).collect(),
    };
    let mut values = Vec::new();
    let mut readings = Vec::new();
    for frame in payload::frames(header.rate_uhz, samples, waveform.samples_max(false)) {
        let after_start = payload::sample_ms(header.rate_uhz, frame.start);
        let observed_at_ms = u64::try_from(u128::from(header.start_ms) + after_start)
            .ok()
            .filter(|&ms| ms < time::OBSERVED_AT_MS_END)
            .ok_or(ReadError::Malformed {
                what: "recording's length",
                expected: "an end before the year 10,000",
            })?;
        values.clear();
        for sample in frame {
            for track in tracks {
                values.extend((0..track.channels).map(|channel| track.value(sample, channel)));
            }
        }
        readings.push(Reading {
            observed_at_ms,
            kind: if voltages { kind::ECG } else { kind::WAVEFORM },
            payload: waveform.encode(&[], &values)?,
        });
    }
    Ok(readings)
}

fn channel(signal: &Signal) -> Channel {
    Channel { gain: signal.gain, baseline: signal.baseline, unit: signal.unit, label: signal.label.clone() }
}

/// The header promises at most what a payload can hold.
const _: () = assert!(header::SIGNALS_MAX == CHANNELS_MAX);

/// A frequency in micro-hertz, rounded to one: it is a part in 10^8 at 100 Hz.
fn micro_hertz(text: &str) -> Option<u64> {
    let rate = Decimal::parse(text)?.rounded(6)?;
    u64::try_from(rate).ok().filter(|&rate| rate > 0)
}

#[cfg(test)]
mod tests;
