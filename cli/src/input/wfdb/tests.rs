use super::*;

/// Two signals of format 212: (1, -1), (2, -2), (2047, -2048).
const DAT_212: [u8; 9] = [1, 0xF0, 0xFF, 2, 0xF0, 0xFE, 0xFF, 0x87, 0x00];
const HEA_212: &str = "r 2 2 3\nr.dat 212 200 12 0 1 2050 0 I\nr.dat 212 200 12 0 -1 -2051 0 II\n";

fn parse(header: &str, dat: &[u8]) -> Result<Vec<Reading>, ReadError> {
    let mut parsed = read(header.as_bytes(), |_| Ok(dat.to_vec()))?;
    assert!(parsed.faults.into_errors().is_empty());
    Ok(parsed.recordings.remove(0).readings)
}

fn samples(reading: &Reading, channels: usize) -> Vec<i16> {
    let (pairs, _) = reading.payload[20 + channels * 24..].as_chunks::<2>();
    pairs.iter().map(|&pair| i16::from_le_bytes(pair)).collect()
}

fn refusal(header: &str, dat: &[u8]) -> String {
    parse(header, dat).expect_err(header).to_string()
}

#[test]
fn format_212() {
    let readings = parse(HEA_212, &DAT_212).expect("a record");
    assert_eq!(readings.len(), 2);
    assert_eq!(samples(&readings[0], 2), [1, -1, 2, -2]);
    assert_eq!(samples(&readings[1], 2), [2047, -2048]);
    assert_eq!(readings[1].observed_at_ms, 1000);
    assert!(readings.iter().all(|r| r.kind == kind::ECG));
}

#[test]
fn format_212_of_odd_length() {
    for padding in 0..2 {
        let dat = [1, 0xF0, 0xFF, 2, 0x00, 0x00];
        let dat = &dat[..5 + padding];
        let readings = parse("r 1 1 3\nr.dat 212", dat).expect("a record");
        assert_eq!(samples(&readings[2], 1), [2]);
    }
    assert!(parse("r 1 1 3\nr.dat 212", &[1, 0xF0, 0xFF, 2]).is_err());
}

#[test]
fn format_16_in_two_files_with_an_offset() {
    let header = "r 3 1 2 0:0:1.5 2/1/1970\r\na.dat 16+3 10(5)/mmHg 16 7\r\nb.dat 16\r\nb.dat 16 0/V\r\n";
    let mut loaded = Vec::new();
    let parsed = read(header.as_bytes(), |file| {
        loaded.push(file.to_owned());
        Ok(match file {
            "a.dat" => vec![9, 9, 9, 1, 0, 2, 0],
            _ => vec![3, 0, 4, 0, 5, 0, 6, 0x80],
        })
    })
    .expect("a record");
    assert_eq!(loaded, ["a.dat", "b.dat"]);
    let recording = &parsed.recordings[0];
    assert_eq!(recording.device, "wfdb/r");
    let [first, second] = &recording.readings[..] else { panic!("two seconds") };
    assert_eq!((first.observed_at_ms, second.observed_at_ms), (86_401_500, 86_402_500));
    assert_eq!(first.kind, kind::WAVEFORM);
    assert_eq!(samples(first, 3), [1, 3, 4]);
    assert_eq!(samples(second, 3), [2, 5, -32_762]);
    // The first channel: gain 10, baseline 5 of its own rather than the zero, mmHg.
    assert_eq!(first.payload[20..28], 10f64.to_le_bytes());
    assert_eq!(first.payload[28..33], [5, 0, 0, 0, Unit::MillimetreOfMercury as u8]);
}

#[test]
fn length_may_come_from_the_file() {
    let readings = parse("r 2 1\nr.dat 212\nr.dat 212", &DAT_212).expect("a record");
    assert_eq!(readings.len(), 3);
    assert_eq!(parse("r 1\nr.dat 16", &[0; 1000]).expect("250 Hz").len(), 2);
    assert!(parse("r 1\nr.dat 16", &[]).is_err());
}

#[test]
fn fast_records_come_in_pieces() {
    let readings = parse("r 1 100000 100000\nr.dat 16", &[0; 200_000]).expect("a record");
    let times: Vec<u64> = readings.iter().map(|r| r.observed_at_ms).collect();
    assert_eq!(times, [0, 327, 654, 981]);
    assert!(readings.iter().all(|r| r.payload.len() <= payload::PAYLOAD_BYTES_MAX));
}

#[test]
fn refused_where_header_and_samples_disagree() {
    let short = refusal(HEA_212, &DAT_212[..8]);
    assert_eq!(short, "signal file r.dat: 8 bytes of samples, expected 9 to 9");
    let mut long = DAT_212.to_vec();
    long.extend([0; 3]);
    assert!(refusal(HEA_212, &long).contains("12 bytes"));

    let mut changed = DAT_212;
    changed[3] = 3;
    assert_eq!(refusal(HEA_212, &changed), "signal 0: checksum 2051, expected 2050 by the header");
    changed = DAT_212;
    changed[0] = 0;
    assert_eq!(refusal(HEA_212, &changed), "signal 0: initial value 0, expected 1 by the header");
    // The same 16 bits, printed unsigned.
    assert!(parse(&HEA_212.replace("-2051", "63485"), &DAT_212).is_ok());
}

#[test]
fn refused_headers() {
    let bad = [
        ("", "empty header"),
        ("# only a comment\n", "empty header"),
        ("r", "line 1: number of signals"),
        ("r 0 360 1", "line 1: number of signals"),
        ("r 256 360 1", "line 1: number of signals"),
        ("r/3 2 360 1", "line 1: multi-segment"),
        ("../r 1 360 1", "line 1: multi-segment"),
        ("r 1 0 1\nr.dat 16", "line 1: sampling frequency"),
        ("r 1 -5 1\nr.dat 16", "line 1: sampling frequency"),
        ("r 1 1e9 1\nr.dat 16", "line 1: sampling frequency"),
        ("r 1 0.0000001 1\nr.dat 16", "line 1: sampling frequency"),
        ("r 1 360 many\nr.dat 16", "line 1: number of samples"),
        ("r 1 360 99999999999999999999999\nr.dat 16", "line 1: number of samples"),
        ("r 1 360 1 25:00:00\nr.dat 16", "line 1: base time"),
        ("r 1 360 1 1:0:0 31/2/2000\nr.dat 16", "line 1: base date"),
        ("r 1 360 1 1:0:0 1/2/1960\nr.dat 16", "line 1: base date"),
        ("r 2 360 1\nr.dat 16", "signal lines"),
        ("r 1 360 1\nr.dat", "line 2: unsupported signal format"),
        ("r 1 360 1\nr.dat 80", "line 2: unsupported signal format"),
        ("r 1 360 1\nr.dat 212x4", "line 2: unsupported samples per frame"),
        ("r 1 360 1\nr.dat 212:5", "line 2: unsupported skew"),
        ("r 1 360 1\nr.dat 16+", "line 2: signal format"),
        ("r 1 360 1\n\n# c\n../r.dat 16", "line 4: signal file"),
        ("r 1 360 1\nr.dat 16 inf", "line 2: gain"),
        ("r 1 360 1\nr.dat 16 200(1", "line 2: baseline"),
        ("r 1 360 1\nr.dat 16 200 11 x", "line 2: zero"),
        ("r 2 360 1\nr.dat 16\nr.dat 212", "signals of one file"),
        ("r 1 360 1000000000000000000\nr.dat 16", "signal file r.dat: 2 bytes of samples"),
        ("r 1 0.000001 100000000\nr.dat 16", "signal file r.dat"),
    ];
    for (header, start) in bad {
        let refusal = refusal(header, &[0; 2]);
        assert!(refusal.starts_with(start), "{header:?}: {refusal}");
    }
    assert!(read(b"r 1 360 1\n\xFF\xFE 16\n", |_| Ok(vec![0; 2])).is_err());
    // A comment may be in Latin-1.
    assert!(read(b"# caf\xE9\nr 1 360 1\nr.dat 16\n", |_| Ok(vec![0; 2])).is_ok());
}

#[test]
fn records_end_before_time_does() {
    // A sample every 11 days from the end of 9999 on.
    let header = "r 1 0.000001 400 0:0:0 1/1/9999\nr.dat 16";
    assert!(parse(header, &[0; 800]).is_ok());
    let header = "r 1 0.000001 40000 0:0:0 1/1/9999\nr.dat 16";
    assert!(refusal(header, &[0; 80_000]).starts_with("recording's length"));
}

#[test]
fn a_missing_signal_file_is_named() {
    let fault = read(HEA_212.as_bytes(), |_| Err(std::io::Error::other("gone").into()));
    let message = fault.err().map(|fault| fault.to_string());
    assert_eq!(message.as_deref(), Some("signal file r.dat: cannot read: gone"));
}
