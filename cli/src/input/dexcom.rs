//! Dexcom Clarity exports: CSV with a header row and one event per row.
//!
//! `EGV` rows become glucose readings. `Low` and `High` are real results, the sensor's statement that glucose
//! is outside what it measures; they are carried as such, without a number. Rows about the patient, the
//! device, alerts, insulin, carbohydrates and the like are understood and are no glucose. Times are the
//! device's wall clock without a zone, taken as if in UTC. Rows keep their order, also where the clock was
//! set back.

use csv::{ByteRecord, ReaderBuilder};

use super::decimal::Decimal;
use super::error::ReadError;
use super::payload::{self, SensorRange, Unit};
use super::{Parsed, Reading, Recording, kind, label, time};

const EVENTS_WITHOUT_GLUCOSE: [&str; 14] = [
    "FirstName",
    "LastName",
    "PatientIdentifier",
    "DateOfBirth",
    "Device",
    "Alert",
    "Calibration",
    "Insulin",
    "Carbs",
    "Exercise",
    "Activity",
    "Health",
    "Note",
    "Notes",
];

/// Whether the first line has the columns of an export.
pub(super) fn recognises(bytes: &[u8]) -> bool {
    let first = bytes.split(|&b| b == b'\n').next().unwrap_or_default();
    let first = String::from_utf8_lossy(first);
    first.contains("Event Type") && first.contains("Glucose Value")
}

pub(super) fn read(name: &str, bytes: &[u8]) -> Result<Parsed, ReadError> {
    let mut rows = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let mut row = ByteRecord::new();
    rows.read_byte_record(&mut row).map_err(|_| ReadError::UnknownCsv)?;
    let columns = Columns::find(&row)?;
    let mut parsed = Parsed::default();
    loop {
        match rows.read_byte_record(&mut row) {
            Ok(true) => {}
            Ok(false) => break,
            // Bytes in memory do not fail, and rows of any width are taken.
            Err(_) => return Err(ReadError::UnknownCsv),
        }
        let line = row.position().map_or(0, csv::Position::line);
        match columns.glucose(&row) {
            Ok(Some(glucose)) => push(&mut parsed, columns.device(name, &row), glucose),
            Ok(None) => {}
            Err((what, expected)) => parsed.faults.push(ReadError::Line { line, what, expected }),
        }
    }
    Ok(parsed)
}

/// A new transmitter in the middle of an export begins a new recording.
fn push(parsed: &mut Parsed, device: String, reading: Reading) {
    match parsed.recordings.last_mut() {
        Some(last) if last.device == device => last.readings.push(reading),
        _ => parsed.recordings.push(Recording { device, readings: vec![reading] }),
    }
}

struct Columns {
    count: usize,
    timestamp: usize,
    event: usize,
    glucose: usize,
    /// Some exports have it.
    transmitter: Option<usize>,
    unit: Unit,
}

impl Columns {
    fn find(header: &ByteRecord) -> Result<Columns, ReadError> {
        let find = |prefix: &str| header.iter().position(|cell| cell.starts_with(prefix.as_bytes()));
        let missing = |expected| ReadError::Line { line: 1, what: "column missing", expected };
        let glucose = find("Glucose Value").ok_or(missing("Glucose Value"))?;
        let unit = match header.get(glucose) {
            Some(b"Glucose Value (mg/dL)") => Unit::MilligramPerDecilitre,
            Some(b"Glucose Value (mmol/L)") => Unit::MillimolePerLitre,
            _ => {
                return Err(ReadError::Line {
                    line: 1,
                    what: "unit of glucose",
                    expected: "(mg/dL) or (mmol/L)",
                });
            }
        };
        Ok(Columns {
            count: header.len(),
            timestamp: find("Timestamp").ok_or(missing("Timestamp"))?,
            event: find("Event Type").ok_or(missing("Event Type"))?,
            glucose,
            transmitter: find("Transmitter ID"),
            unit,
        })
    }

    /// The row's glucose, if it has any.
    fn glucose(&self, row: &ByteRecord) -> Result<Option<Reading>, (&'static str, &'static str)> {
        if row.len() != self.count {
            return Err(("row", "as many columns as the header"));
        }
        let event = cell(row, self.event).ok_or(("event", "UTF-8"))?;
        if EVENTS_WITHOUT_GLUCOSE.contains(&event) {
            return Ok(None);
        }
        if event != "EGV" {
            return Err(("unknown event", "EGV or another of an export's events"));
        }
        let observed_at_ms = cell(row, self.timestamp)
            .and_then(|text| time::local(text).ok())
            .ok_or(("timestamp", "YYYY-MM-DDThh:mm:ss, 1970 or later"))?;
        let (range, milli) = match cell(row, self.glucose).unwrap_or_default() {
            "Low" => (SensorRange::Below, 0),
            "High" => (SensorRange::Above, 0),
            text => {
                let milli = Decimal::parse(text)
                    .and_then(|value| value.scaled(3))
                    .and_then(|milli| i32::try_from(milli).ok())
                    .filter(|&milli| milli >= 0)
                    .ok_or(("glucose", "a number of at most 3 places, Low or High"))?;
                (SensorRange::Within, milli)
            }
        };
        Ok(Some(Reading {
            observed_at_ms,
            kind: kind::GLUCOSE,
            payload: payload::scalar(self.unit, range, &[milli]),
        }))
    }

    fn device(&self, name: &str, row: &ByteRecord) -> String {
        self.transmitter
            .and_then(|column| cell(row, column))
            .and_then(|serial| label("cgm", serial))
            .unwrap_or_else(|| format!("cgm/{name}"))
    }
}

fn cell(row: &ByteRecord, column: usize) -> Option<&str> {
    row.get(column).and_then(|cell| str::from_utf8(cell).ok()).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        "Index,Timestamp (YYYY-MM-DDThh:mm:ss),Event Type,Event Subtype,Glucose Value (mg/dL),Transmitter ID";

    fn parse(rows: &str) -> Parsed {
        read("clarity.csv", format!("{HEADER}\n{rows}").as_bytes()).expect("an export")
    }

    #[test]
    fn glucose_rows() {
        let parsed = parse(
            "1,,FirstName,,,\r\n2,,Alert,High,200,\r\n3,2016-10-24T11:24:17,EGV,,103,\r\n\
             4,2016-10-24 11:29:17,EGV,,Low,\r\n5,2016-10-24T11:20:00,EGV,,High,\r\n",
        );
        assert!(parsed.faults.into_errors().is_empty());
        assert_eq!(parsed.recordings.len(), 1);
        let recording = &parsed.recordings[0];
        assert_eq!(recording.device, "cgm/clarity.csv");
        let payloads: Vec<&[u8]> = recording.readings.iter().map(|r| &r.payload[..]).collect();
        assert_eq!(payloads[0], [1, 3, 0, 1, 0x58, 0x92, 1, 0]);
        assert_eq!(payloads[1], [1, 3, 1, 1, 0, 0, 0, 0]);
        assert_eq!(payloads[2], [1, 3, 2, 1, 0, 0, 0, 0]);
        assert_eq!(recording.readings[0].observed_at_ms, 1_477_308_257_000);
    }

    #[test]
    fn transmitters_are_devices() {
        let parsed = parse(
            "1,2016-10-24T11:24:17,EGV,,103,8A\n2,2016-10-24T11:29:17,EGV,,104,8A\n\
             3,2016-10-24T11:34:17,EGV,,105,8B\n",
        );
        let devices: Vec<(&str, usize)> =
            parsed.recordings.iter().map(|r| (&r.device[..], r.readings.len())).collect();
        assert_eq!(devices, [("cgm/8A", 2), ("cgm/8B", 1)]);
    }

    #[test]
    fn bad_rows_are_reported_by_line() {
        let parsed = parse(
            "1,2016-10-24T11:24:17,EGV,,,\n2,,EGV,,99,\n3,2016-10-24T11:24:17,EVG,,99,\n\
             4,2016-10-24T11:24:17,EGV,,-1,\n5,2016\n\
             6,2016-10-24T11:24:17,EGV,,5.5555,\n7,2016-10-24T11:24:17,EGV,,99,\n",
        );
        let faults = parsed.faults.into_errors();
        let lines: Vec<u64> = faults
            .iter()
            .map(|fault| match fault {
                ReadError::Line { line, .. } => *line,
                other => panic!("{other}"),
            })
            .collect();
        assert_eq!(lines, [2, 3, 4, 5, 6, 7]);
        assert_eq!(parsed.recordings[0].readings.len(), 1);
    }

    #[test]
    fn units() {
        let read_unit = |unit: &str| {
            let text = format!("Timestamp,Event Type,Glucose Value ({unit})\n2016-10-24T11:24:17,EGV,5.7\n");
            read("a.csv", text.as_bytes())
        };
        let mmol = read_unit("mmol/L").expect("an export");
        assert_eq!(mmol.recordings[0].readings[0].payload, [1, 4, 0, 1, 0x44, 0x16, 0, 0]);
        assert!(read_unit("g/L").is_err());
        assert!(read("a.csv", b"Event Type,Glucose Value (mg/dL)\n").is_err());
    }
}
