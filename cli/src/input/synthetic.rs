//! Plausible vitals of monitors that do not exist, the same for the same seed.
//!
//! Each device is a bedside monitor: an ECG lead at 250 Hz and a PPG at 64 Hz in step with one heart, SpO2
//! every second, glucose every 300 s and blood pressure every 900 s, all from 2025-01-01T00:00:00Z on.
//!
//! Only IEEE arithmetic is used, no library functions such as `exp` or `sin`, whose last bit differs between
//! platforms.

use std::collections::VecDeque;

use super::payload::{self, Channel, HERTZ, SampleWidth, SensorRange, Unit, Waveform};
use super::{Reading, Recording, kind};

const START_MS: u64 = 1_735_689_600_000;
const ECG_HZ: u64 = 250;
const PPG_HZ: u64 = 64;
const GLUCOSE_EVERY_S: usize = 300;
const PRESSURE_EVERY_S: usize = 900;

/// `seconds` of readings from each of `devices` monitors, each monitor's in the order of time.
pub(crate) fn recordings(seed: u64, devices: usize, seconds: usize) -> Vec<Recording> {
    (0..devices)
        .map(|device| {
            let mut monitor = Monitor::new(seed, device as u64);
            Recording {
                device: format!("synthetic/{seed}-{device}"),
                readings: (0..seconds).flat_map(|second| monitor.second(second)).collect(),
            }
        })
        .collect()
}

struct Monitor {
    random: SplitMix64,
    heart: Heart,
    ecg: Waveform,
    ppg: Waveform,
    oxygen: f64,
    glucose: f64,
    /// Time of day in seconds, and the rise in mg/dL.
    meals: [(f64, f64); 3],
    systolic: f64,
    diastolic: f64,
}

impl Monitor {
    fn new(seed: u64, device: u64) -> Monitor {
        let mut random = SplitMix64(seed);
        random = SplitMix64(random.next() ^ SplitMix64(device).next());
        let meals = [7.5, 12.5, 19.0].map(|hour| {
            let start = hour * 3600.0 + random.within(-2700.0, 2700.0);
            (start, random.within(25.0, 70.0))
        });
        let systolic = random.within(102.0, 138.0);
        Monitor {
            heart: Heart::new(&mut random),
            ecg: waveform(ECG_HZ, 1000.0, Unit::Millivolt, "II"),
            ppg: waveform(PPG_HZ, 1.0, Unit::Count, "PPG"),
            oxygen: random.within(95.5, 98.5),
            glucose: random.within(82.0, 108.0),
            meals,
            systolic,
            diastolic: systolic * random.within(0.58, 0.68),
            random,
        }
    }

    fn second(&mut self, second: usize) -> Vec<Reading> {
        let start = second as f64;
        self.heart.beat_until(start + 3.0, &mut self.random);
        let mut readings = vec![self.frame(kind::ECG, start), self.frame(kind::PPG, start), self.oxygen()];
        if second.is_multiple_of(GLUCOSE_EVERY_S) {
            readings.push(self.glucose(start));
        }
        if second.is_multiple_of(PRESSURE_EVERY_S) {
            readings.push(self.pressure(start));
        }
        self.heart.forget_before(start - 2.0);
        for reading in &mut readings {
            reading.observed_at_ms = START_MS + second as u64 * 1000;
        }
        readings
    }

    fn frame(&mut self, kind: u16, start: f64) -> Reading {
        let (waveform, rate) = match kind {
            kind::ECG => (&self.ecg, ECG_HZ),
            _ => (&self.ppg, PPG_HZ),
        };
        let samples: Vec<i32> = (0..rate)
            .map(|sample| {
                let at = start + sample as f64 / rate as f64;
                let noise = self.random.normal();
                let value = match kind {
                    kind::ECG => 1000.0 * (self.heart.millivolts(at) + 0.012 * noise),
                    _ => 15_000.0 + 900.0 * self.heart.pulse(at) + 4.0 * noise,
                };
                integer(value)
            })
            .collect();
        reading(kind, waveform.encode(&[], &samples).expect("a second of 250 small samples fits"))
    }

    /// A slow walk held near its level, in whole percents as oximeters show them.
    fn oxygen(&mut self) -> Reading {
        self.oxygen += 0.05 * self.random.normal() + 0.01 * (97.0 - self.oxygen);
        let percent = integer(self.oxygen.clamp(85.0, 100.0).round());
        scalar(kind::SPO2, Unit::Percent, &[percent * 1000])
    }

    /// Meals lift glucose to a peak after 45 minutes and let it go over hours.
    fn glucose(&mut self, at: f64) -> Reading {
        let time_of_day = at % 86_400.0;
        let excursion: f64 = self
            .meals
            .iter()
            .map(|&(start, rise)| {
                let x = ((time_of_day - start) / 2700.0).max(0.0);
                let bend = 1.0 + x * x;
                rise * 4.0 * x * x / (bend * bend)
            })
            .sum();
        let value = self.glucose + excursion + 2.0 * self.random.normal();
        let whole = integer(value.clamp(40.0, 400.0).round());
        scalar(kind::GLUCOSE, Unit::MilligramPerDecilitre, &[whole * 1000])
    }

    fn pressure(&mut self, at: f64) -> Reading {
        // Lower at night.
        let dip = 4.0 * sine(at / 86_400.0 - 0.35);
        let mut cuff = |level: f64| integer((level + dip + 3.0 * self.random.normal()).round()) * 1000;
        let values = [cuff(self.systolic), cuff(self.diastolic)];
        scalar(kind::BLOOD_PRESSURE, Unit::MillimetreOfMercury, &values)
    }
}

/// A heart as its beats: when each R peak is, and how long until the next.
struct Heart {
    interval_s: f64,
    breaths_hz: f64,
    beats: VecDeque<(f64, f64)>,
    next: f64,
}

impl Heart {
    fn new(random: &mut SplitMix64) -> Heart {
        Heart {
            interval_s: 60.0 / random.within(54.0, 96.0),
            breaths_hz: random.within(0.2, 0.3),
            beats: VecDeque::new(),
            next: -2.0 + random.within(0.0, 1.0),
        }
    }

    /// Breathing, and a little chance, vary the interval by a few percent.
    fn beat_until(&mut self, end: f64, random: &mut SplitMix64) {
        while self.next < end {
            let breath = 0.04 * sine(self.next * self.breaths_hz);
            let interval = self.interval_s * (1.0 + breath + 0.015 * random.normal());
            self.beats.push_back((self.next, interval));
            self.next += interval;
        }
    }

    fn forget_before(&mut self, start: f64) {
        while self.beats.front().is_some_and(|&(peak, _)| peak < start) {
            self.beats.pop_front();
        }
    }

    /// P, Q, R, S and T as bumps around each R peak, after McSharry et al. 2003, on a baseline that breathes.
    fn millivolts(&self, at: f64) -> f64 {
        let beats = self.beats.iter().map(|&(peak, interval)| {
            let since = at - peak;
            0.12 * bump(since + 0.17, 0.025) - 0.12 * bump(since + 0.028, 0.010) + 1.10 * bump(since, 0.011)
                - 0.25 * bump(since - 0.028, 0.011)
                + 0.30 * bump(since - 0.28 * interval.sqrt(), 0.045)
        });
        beats.sum::<f64>() + 0.05 * sine(at * self.breaths_hz)
    }

    /// The pulse at the finger, a fifth of a second after the heart: the systolic wave and the dicrotic one.
    fn pulse(&self, at: f64) -> f64 {
        let beats = self.beats.iter().map(|&(peak, _)| {
            let since = at - peak - 0.2;
            bump(since - 0.12, 0.07) + 0.4 * bump(since - 0.38, 0.09)
        });
        beats.sum()
    }
}

fn waveform(hertz: u64, gain: f64, unit: Unit, label: &str) -> Waveform {
    Waveform {
        rate_uhz: hertz * HERTZ,
        rate_assumed: false,
        width: SampleWidth::Two,
        missing: i32::from(i16::MIN),
        channels: vec![Channel { gain, baseline: 0, unit, label: label.to_owned() }],
    }
}

fn scalar(kind: u16, unit: Unit, values: &[i32]) -> Reading {
    reading(kind, payload::scalar(unit, SensorRange::Within, values))
}

fn reading(kind: u16, payload: Vec<u8>) -> Reading {
    Reading { observed_at_ms: START_MS, kind, payload }
}

/// A Gaussian of height 1: exp(-x²/2) as the 32nd power of (1 - x²/64), zero beyond eight widths.
fn bump(distance: f64, width: f64) -> f64 {
    let x = distance / width;
    let mut power = (1.0 - x * x / 64.0).max(0.0);
    for _ in 0..5 {
        power *= power;
    }
    power
}

/// The sine of a number of turns, by Bhaskara's formula: within 0.002.
fn sine(turns: f64) -> f64 {
    let turn = turns - turns.floor();
    let (sign, half) = if turn < 0.5 { (1.0, turn * 2.0) } else { (-1.0, turn * 2.0 - 1.0) };
    let arch = half * (1.0 - half);
    sign * 16.0 * arch / (5.0 - 4.0 * arch)
}

#[expect(clippy::cast_possible_truncation, reason = "vitals are far within 32 bits; a fraction is cut off")]
fn integer(value: f64) -> i32 {
    value as i32
}

/// Steele, Lea and Flood 2014.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// In [0, 1), all 53 bits of it.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn within(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Nearly normal, of variance 1: the sum of twelve uniforms.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

#[cfg(test)]
mod tests {
    use std::ops::RangeInclusive;

    use super::*;

    fn samples(reading: &Reading) -> Vec<f64> {
        let (pairs, _) = reading.payload[44..].as_chunks::<2>();
        pairs.iter().map(|&pair| i16::from_le_bytes(pair).into()).collect()
    }

    fn of(recording: &Recording, kind: u16) -> Vec<&Reading> {
        recording.readings.iter().filter(|r| r.kind == kind).collect()
    }

    #[test]
    fn splitmix_vectors() {
        // The reference implementation's first outputs for the seed 1234567 (prng.di.unimi.it/splitmix64.c).
        let mut random = SplitMix64(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn deterministic() {
        let first = recordings(7, 3, 20);
        assert_eq!(first, recordings(7, 3, 20));
        assert_ne!(first, recordings(8, 3, 20));
        assert_ne!(first[0].readings, first[1].readings);
        assert_eq!(first[2], recordings(7, 5, 20)[2]);
        assert_eq!(first[1].device, "synthetic/7-1");
    }

    #[test]
    fn cadence() {
        let all = recordings(1, 1, 901);
        let count = |kind| of(&all[0], kind).len();
        assert_eq!(count(kind::ECG), 901);
        assert_eq!(count(kind::PPG), 901);
        assert_eq!(count(kind::SPO2), 901);
        assert_eq!(count(kind::GLUCOSE), 4);
        assert_eq!(count(kind::BLOOD_PRESSURE), 2);
        let times: Vec<u64> = all[0].readings.iter().map(|r| r.observed_at_ms).collect();
        assert!(times.is_sorted());
        assert_eq!(times[0], START_MS);
    }

    fn within(values: &[f64], range: RangeInclusive<f64>) -> bool {
        values.iter().all(|v| range.contains(v))
    }

    #[test]
    fn plausible() {
        for recording in recordings(3, 8, 60) {
            let ecg: Vec<f64> = of(&recording, kind::ECG).into_iter().flat_map(samples).collect();
            assert_eq!(ecg.len(), 60 * 250);
            assert!(within(&ecg, -600.0..=1500.0));
            // Upward crossings of 0.7 mV, with a dead time, are beats.
            let mut beats = 0;
            let mut last = 0;
            for (at, pair) in ecg.windows(2).enumerate() {
                if pair[0] < 700.0 && pair[1] >= 700.0 && (beats == 0 || at - last > 60) {
                    beats += 1;
                    last = at;
                }
            }
            assert!((50..=100).contains(&beats), "{beats} beats a minute");
            let ppg: Vec<f64> = of(&recording, kind::PPG).into_iter().flat_map(samples).collect();
            assert!(within(&ppg, 14_900.0..=16_100.0));
            for spo2 in of(&recording, kind::SPO2) {
                assert!((90_000..=100_000).contains(&value(spo2, 0)));
            }
            let pressure = of(&recording, kind::BLOOD_PRESSURE)[0];
            assert!((85_000..=155_000).contains(&value(pressure, 0)));
            assert!(value(pressure, 1) < value(pressure, 0));
        }
    }

    #[test]
    fn meals_show() {
        let mut monitor = Monitor::new(5, 0);
        let day: Vec<i32> = (0..288).map(|i| value(&monitor.glucose(i as f64 * 300.0), 0)).collect();
        let (low, high) = (day.iter().min().unwrap_or(&0), day.iter().max().unwrap_or(&0));
        assert!(high - low > 20_000, "{low} to {high}");
    }

    fn value(reading: &Reading, index: usize) -> i32 {
        let (values, _) = reading.payload[4..].as_chunks::<4>();
        i32::from_le_bytes(values[index])
    }
}
