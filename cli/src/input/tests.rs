use std::collections::BTreeMap;

use super::*;

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/samples");

/// Real files, kept beside the workspace where there are any.
const REAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");

fn real() -> Option<PathBuf> {
    let path = PathBuf::from(REAL);
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("skipped: no real data at {REAL}");
    None
}

fn counts(input: &Input) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for reading in input.recordings.iter().flat_map(|r| &r.readings) {
        *counts.entry(kind::name(reading.kind)).or_default() += 1;
    }
    counts
}

fn assert_bounds(recordings: &[Recording]) {
    for recording in recordings {
        assert!(!recording.device.contains(SAMPLES) && !recording.device.contains(REAL));
        for reading in &recording.readings {
            assert!(reading.payload.len() <= payload::PAYLOAD_BYTES_MAX);
            assert!(reading.observed_at_ms < time::OBSERVED_AT_MS_END);
            assert_ne!(kind::name(reading.kind), "unknown");
        }
    }
}

/// A directory of this test alone.
fn scratch(name: &str, files: &[(&str, &[u8])]) -> PathBuf {
    let path = std::env::temp_dir().join(format!("arterial-input-{}-{name}", std::process::id()));
    fs::create_dir_all(&path).expect("a temporary directory");
    for (file, bytes) in files {
        fs::write(path.join(file), bytes).expect("a temporary file");
    }
    path
}

fn reasons(input: &Input) -> Vec<(String, String)> {
    let skipped = input.skipped.iter();
    skipped
        .map(|skipped| {
            let name = skipped.path.file_name().unwrap_or_default().to_string_lossy();
            (name.into_owned(), skipped.reason.clone())
        })
        .collect()
}

#[test]
fn samples_are_read_whole() {
    let input = read(&[PathBuf::from(SAMPLES)]);
    assert_eq!(input.skipped, []);
    let expected = [
        ("ecg", 3),
        ("fhir-observation", 3),
        ("glucose", 4),
        ("open-mhealth", 2),
        ("ppg", 6),
        ("waveform", 3),
    ];
    assert_eq!(counts(&input), BTreeMap::from(expected));
    let devices: Vec<&str> = input.recordings.iter().map(|r| &r.device[..]).collect();
    assert_eq!(
        devices,
        [
            "cgm/clarity.csv",
            "fhir/Device/d1",
            "fhir/Device/d1",
            "fhir/Device/d1",
            "openmhealth/heart-rate.json",
            "openmhealth/step-count.json",
            "ppg/counts.csv",
            "ppg/ring.csv",
            "ppg/timer.csv",
            "wfdb/dated",
            "wfdb/sine",
        ]
    );
    assert_bounds(&input.recordings);
}

#[test]
fn real_data_is_read_whole() {
    let Some(path) = real() else { return };
    let input = read(&[path]);
    assert_eq!(input.skipped, []);
    let counts = counts(&input);
    eprintln!("{counts:?}");
    assert_eq!(counts["ecg"], 1806);
    assert_eq!(counts["glucose"], 2148);
    assert_eq!(counts["open-mhealth"], 24);
    assert_eq!(counts["fhir-observation"], 14);
    // 2,483 at 100 Hz, 91,987 at 32 Hz, and 128.21 s by the timer.
    assert_eq!(counts["ppg"], 25 + 2875 + 129);
    assert_bounds(&input.recordings);
}

#[test]
fn real_ecg_frames() {
    let Some(path) = real() else { return };
    let input = read(&[path.join("wfdb/100.hea")]);
    let [recording] = &input.recordings[..] else { panic!("one record") };
    assert_eq!(recording.device, "wfdb/100");
    let first = &recording.readings[0];
    assert_eq!(first.payload.len(), 20 + 2 * 24 + 360 * 2 * 2);
    assert_eq!(first.payload[68..72], [0xE3, 3, 0xF3, 3], "995 and 1011");
    let last = recording.readings.last().expect("frames");
    assert_eq!(last.observed_at_ms, 1_805_000);
    assert_eq!(last.payload[4..8], 200u32.to_le_bytes());
}

#[test]
fn a_path_met_twice_is_read_once() {
    let samples = PathBuf::from(SAMPLES);
    let twice = read(&[samples.join("cgm"), samples.join("cgm/clarity.csv")]);
    assert_eq!(twice.recordings.len(), 1);
}

#[test]
fn what_cannot_be_read_is_reported() {
    let directory = scratch(
        "reported",
        &[
            ("LICENSE", b"text"),
            ("alone.atr", b"\0\0"),
            ("alone.dat", b"\0\0"),
            ("bad.csv", b"a;b\n1;2\n"),
            ("bad.hea", b"bad 1 360 1\nbad.dat 80\n"),
            ("bad.dat", b"\0\0"),
            ("bad.json", b"{"),
            ("empty.csv", b""),
            ("empty.hea", b""),
            ("empty.json", b""),
            ("gone.hea", b"gone 1 360 1\ngone.dat 16\n"),
            ("notes.md", b"text"),
            ("other.json", b"{\"name\": \"other\"}"),
            ("partly.csv", b"1\nx\n3\n"),
            ("patient.json", b"{\"resourceType\": \"Patient\"}"),
        ],
    );
    let input = read(&[directory.clone(), directory.join("nowhere")]);
    let reasons = reasons(&input);
    let names: Vec<&str> = reasons.iter().map(|(name, _)| &name[..]).collect();
    assert_eq!(
        names,
        [
            "nowhere",
            "bad.csv",
            "bad.hea",
            "bad.json",
            "empty.csv",
            "empty.hea",
            "empty.json",
            "gone.hea",
            "partly.csv",
            "patient.json",
            "alone.atr",
            "alone.dat",
        ]
    );
    assert!(reasons[2].1.starts_with("line 2: unsupported signal format"));
    assert!(reasons[8].1.starts_with("line 2: count"));
    assert_eq!(input.recordings.len(), 1);
    fs::remove_dir_all(directory).expect("the directory made above");
}

#[test]
fn larger_files_are_refused_unread() {
    let directory = scratch("large", &[]);
    let path = directory.join("large.csv");
    let file = File::create(&path).expect("a temporary file");
    // Sparse: it has a length and no blocks.
    file.set_len(FILE_BYTES_MAX + 1).expect("a sparse file");
    let input = read(&[path]);
    assert_eq!(reasons(&input)[0].1, "file of more than 268435456 bytes");
    fs::remove_dir_all(directory).expect("the directory made above");
}

/// Every byte of every sample changed in turn, and every sample cut at every length: whatever comes, it comes
/// within bounds and without a panic.
#[test]
fn mutated_samples_never_panic() {
    for entry in WalkDir::new(SAMPLES) {
        let path = entry.expect("the samples").into_path();
        let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let attempt = |bytes: &[u8]| {
            let parsed = match &extension[..] {
                "hea" => wfdb::read(bytes, |_| load(&path.with_extension("dat"))),
                "dat" => {
                    let header = load(&path.with_extension("hea"))?;
                    wfdb::read(&header, |_| Ok(bytes.to_vec()))
                }
                "csv" => read_csv(&name, bytes),
                "json" => read_json(&name, bytes),
                _ => return Ok(()),
            };
            parsed.map(|parsed| assert_bounds(&parsed.recordings))
        };
        if !path.is_file() {
            continue;
        }
        let sample = load(&path).expect("a sample");
        assert!(attempt(&sample).is_ok(), "{name}");
        for at in 0..sample.len() {
            // What these give is any error or none.
            let _ = attempt(&sample[..at]);
            let mut changed = sample.clone();
            for change in [0xFF, 0x01, b'"' ^ sample[at], b'9' ^ sample[at]] {
                changed[at] = sample[at] ^ change;
                let _ = attempt(&changed);
            }
        }
    }
}
