//! Open mHealth in JSON: a body with its `effective_time_frame`, or a data point that has it in its `body`.
//!
//! The payload is the file as written. Its time is the frame's `date_time`, else its interval's start, else
//! the interval's end; the file is the device, for a body names none.

use serde_json::Value;

use super::error::ReadError;
use super::{Parsed, Reading, document, kind, time};

/// What makes a JSON file Open mHealth.
pub(super) fn time_frame(value: &Value) -> Option<&Value> {
    value.get("effective_time_frame").or_else(|| value.pointer("/body/effective_time_frame"))
}

pub(super) fn read(name: &str, bytes: &[u8], frame: &Value) -> Result<Parsed, ReadError> {
    const PATHS: [&str; 3] = ["/date_time", "/time_interval/start_date_time", "/time_interval/end_date_time"];
    let text = PATHS.iter().find_map(|path| frame.pointer(path)).and_then(Value::as_str).ok_or(
        ReadError::Malformed {
            what: "effective_time_frame",
            expected: "date_time, or time_interval with start_date_time or end_date_time",
        },
    )?;
    let reading =
        Reading { observed_at_ms: time::instant(text)?, kind: kind::OPEN_MHEALTH, payload: document(bytes)? };
    Ok(Parsed::one(format!("openmhealth/{name}"), reading))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(text: &str) -> Result<u64, ReadError> {
        let value: Value = serde_json::from_str(text).expect("the test's own JSON");
        let frame = time_frame(&value).expect("the test's own frame");
        let parsed = read("body.json", text.as_bytes(), frame)?;
        let recording = &parsed.recordings[0];
        assert_eq!(recording.device, "openmhealth/body.json");
        assert_eq!(recording.readings[0].payload, text.as_bytes());
        Ok(recording.readings[0].observed_at_ms)
    }

    #[test]
    fn times() {
        let good = [
            r#"{"effective_time_frame": {"date_time": "1970-01-01T00:00:01Z"}}"#,
            r#"{"body": {"effective_time_frame": {"date_time": "1970-01-01T00:00:01Z"}}}"#,
            r#"{"effective_time_frame": {"time_interval": {"start_date_time": "1970-01-01T00:00:01Z", "end_date_time": "x"}}}"#,
            r#"{"effective_time_frame": {"time_interval": {"end_date_time": "1970-01-01T01:00:01+01:00"}}}"#,
        ];
        for text in good {
            assert_eq!(observed(text).ok(), Some(1000), "{text}");
        }
        let bad = [
            r#"{"effective_time_frame": {}}"#,
            r#"{"effective_time_frame": 7}"#,
            r#"{"effective_time_frame": {"date_time": 7}}"#,
            r#"{"effective_time_frame": {"date_time": "today"}}"#,
            r#"{"effective_time_frame": {"time_interval": {"duration": {"value": 6, "unit": "d"}}}}"#,
        ];
        for text in bad {
            assert!(observed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn bounded() {
        let long = format!(
            r#"{{"effective_time_frame": {{"date_time": "2020-01-01T00:00:00Z"}}, "x": "{}"}}"#,
            "x".repeat(70_000)
        );
        assert!(matches!(observed(&long), Err(ReadError::PayloadTooLarge { .. })));
    }
}
