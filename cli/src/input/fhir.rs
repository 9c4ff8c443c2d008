//! FHIR R4 in JSON: Observations, alone or in a Bundle.
//!
//! The payload is the resource as written; out of a Bundle it is cut without the spaces between its tokens,
//! and no number is rewritten. Of any status: a cancelled Observation is a record too. Its time is the first
//! of `effectiveDateTime`, `effectiveInstant`, `effectivePeriod` (start, else end) and `issued`; an
//! Observation with none is reported, since a made-up time would be committed for good.
//!
//! Device and DeviceMetric are understood and hold no reading. Any other resource as a file is reported; in a
//! Bundle it is ordinary company and passed over.

use serde_json::Value;

use super::error::ReadError;
use super::{Parsed, Reading, document, json, kind, label, time, without_mark};

pub(super) fn read(name: &str, bytes: &[u8], resource: &Value) -> Result<Parsed, ReadError> {
    match resource_type(resource) {
        "Observation" => {
            let (device, reading) = observation(name, document(bytes)?, resource)?;
            Ok(Parsed::one(device, reading))
        }
        "Device" | "DeviceMetric" => Ok(Parsed::default()),
        "Bundle" => Ok(bundle(name, without_mark(bytes))),
        _ => Err(ReadError::Unsupported {
            what: "FHIR resource",
            expected: "Observation, Bundle, Device or DeviceMetric",
        }),
    }
}

fn bundle(name: &str, bytes: &[u8]) -> Parsed {
    let mut parsed = Parsed::default();
    let entries = json::member(bytes, "entry").map(json::items).unwrap_or_default();
    for (index, entry) in entries.into_iter().enumerate() {
        // An entry may be a bare link or request.
        let Some(resource) = json::member(entry, "resource") else {
            continue;
        };
        match bundled(name, resource) {
            Ok(one) => parsed.recordings.extend(one.recordings),
            Err(source) => parsed.faults.push(ReadError::Entry { index, source: Box::new(source) }),
        }
    }
    parsed
}

fn bundled(name: &str, bytes: &[u8]) -> Result<Parsed, ReadError> {
    let resource: Value = serde_json::from_slice(bytes)?;
    match resource_type(&resource) {
        "Observation" => {
            let payload = document(&json::compact(bytes))?;
            let (device, reading) = observation(name, payload, &resource)?;
            Ok(Parsed::one(device, reading))
        }
        "Bundle" => Err(ReadError::Unsupported { what: "Bundle in a Bundle", expected: "resources" }),
        "" => Err(ReadError::Malformed { what: "resourceType", expected: "a name" }),
        _ => Ok(Parsed::default()),
    }
}

fn observation(name: &str, payload: Vec<u8>, resource: &Value) -> Result<(String, Reading), ReadError> {
    let reading =
        Reading { observed_at_ms: observed_at_ms(resource)?, kind: kind::FHIR_OBSERVATION, payload };
    Ok((device(name, resource), reading))
}

/// The device where the Observation names one, else its subject, else the file. A subject's `display` is a
/// person's name and is not used.
fn device(name: &str, resource: &Value) -> String {
    const PATHS: [&str; 5] = [
        "/device/reference",
        "/device/identifier/value",
        "/device/display",
        "/subject/reference",
        "/subject/identifier/value",
    ];
    PATHS
        .iter()
        .filter_map(|path| resource.pointer(path)?.as_str())
        .find_map(|text| label("fhir", text))
        .unwrap_or_else(|| format!("fhir/{name}"))
}

fn observed_at_ms(resource: &Value) -> Result<u64, ReadError> {
    const PATHS: [&str; 5] = [
        "/effectiveDateTime",
        "/effectiveInstant",
        "/effectivePeriod/start",
        "/effectivePeriod/end",
        "/issued",
    ];
    let found = PATHS.iter().find_map(|path| resource.pointer(path));
    // A time that is there and malformed is not passed over for a lesser one.
    let text = found.and_then(Value::as_str).ok_or(ReadError::Malformed {
        what: "Observation without a time",
        expected: "effectiveDateTime, effectiveInstant, effectivePeriod or issued",
    })?;
    time::instant(text)
}

fn resource_type(resource: &Value) -> &str {
    resource.get("resourceType").and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::Recording;
    use super::*;

    fn parse(text: &str) -> Result<Parsed, ReadError> {
        let resource = serde_json::from_str(text).expect("the test's own JSON");
        read("file.json", text.as_bytes(), &resource)
    }

    fn single(text: &str) -> Recording {
        let parsed = parse(text).expect("an Observation");
        assert!(parsed.faults.into_errors().is_empty());
        parsed.recordings.into_iter().next().expect("one recording")
    }

    fn observation_with(members: &str) -> String {
        format!("{{ \"resourceType\": \"Observation\", {members} }}\n")
    }

    #[test]
    fn alone_it_is_the_file() {
        let text = observation_with(r#""effectiveDateTime": "1970-01-02", "valueQuantity": {"value": 1.50}"#);
        let recording = single(&text);
        assert_eq!(recording.device, "fhir/file.json");
        assert_eq!(recording.readings[0].observed_at_ms, 86_400_000);
        assert_eq!(recording.readings[0].payload, text.as_bytes());
    }

    #[test]
    fn times_in_their_order() {
        let good = [
            r#""effectiveDateTime": "1970-01-01T00:00:01Z", "issued": "1980""#,
            r#""effectiveInstant": "1970-01-01T00:00:01Z""#,
            r#""effectivePeriod": {"start": "1970-01-01T00:00:01Z", "end": "1980"}"#,
            r#""effectivePeriod": {"end": "1970-01-01T00:00:01Z"}, "issued": "1980""#,
            r#""status": "final", "issued": "1970-01-01T00:00:01Z""#,
        ];
        for members in good {
            let recording = single(&observation_with(members));
            assert_eq!(recording.readings[0].observed_at_ms, 1000, "{members}");
        }
        let bad = [
            r#""status": "final""#,
            r#""effectiveDateTime": "yesterday", "issued": "1980""#,
            r#""effectiveDateTime": 1980"#,
            r#""effectiveDateTime": "1969""#,
        ];
        for members in bad {
            assert!(parse(&observation_with(members)).is_err(), "{members}");
        }
    }

    #[test]
    fn devices_by_what_is_named() {
        let known = [
            (r#""device": {"reference": "Device/7", "display": "x"}"#, "fhir/Device/7"),
            (r#""device": {"display": "12 lead"}, "subject": {"reference": "Patient/1"}"#, "fhir/12 lead"),
            (r#""subject": {"reference": "Patient/1"}"#, "fhir/Patient/1"),
            (r#""subject": {"display": "A. Person"}"#, "fhir/file.json"),
            (r#""device": {"reference": "a\nb"}"#, "fhir/file.json"),
        ];
        for (members, device) in known {
            let text = observation_with(&format!(r#""issued": "1980", {members}"#));
            assert_eq!(single(&text).device, device);
        }
    }

    #[test]
    fn bundles_keep_numbers_as_written() {
        let parsed = parse(
            r#"{"resourceType": "Bundle", "entry": [
                {"resource": {"resourceType": "Observation", "issued": "1980", "z": 1.50, "a": "b c"}},
                {"resource": {"resourceType": "Patient"}},
                {"fullUrl": "urn:x"},
                {"resource": {"resourceType": "Observation"}},
                {"resource": {"resourceType": "Bundle"}},
                {"resource": [1]}
            ]}"#,
        )
        .expect("a Bundle");
        assert_eq!(parsed.recordings.len(), 1);
        assert_eq!(
            parsed.recordings[0].readings[0].payload,
            br#"{"resourceType":"Observation","issued":"1980","z":1.50,"a":"b c"}"#
        );
        let faults: Vec<String> = parsed.faults.into_errors().iter().map(ToString::to_string).collect();
        assert_eq!(faults.len(), 3);
        assert!(faults[0].starts_with("entry 3: Observation without a time"), "{}", faults[0]);
    }

    #[test]
    fn other_resources() {
        for quiet in ["Device", "DeviceMetric", "Bundle"] {
            let parsed = parse(&format!(r#"{{"resourceType": "{quiet}"}}"#)).expect("understood");
            assert!(parsed.recordings.is_empty());
        }
        assert!(parse(r#"{"resourceType": "Patient"}"#).is_err());
        assert!(parse(r#"{"resourceType": 7}"#).is_err());
        let long = observation_with(&format!(r#""issued": "1980", "x": "{}""#, "x".repeat(70_000)));
        assert!(matches!(parse(&long), Err(ReadError::PayloadTooLarge { .. })));
    }
}
