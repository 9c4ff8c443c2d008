//! What decodes as a record is its canonical bytes, and so is the write inside.
#![no_main]

use arterial_fuzz::{raw_or_patched, record};
use arterial_protocol::{Record, Write};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let bytes = raw_or_patched(data, record(0).as_bytes());
    if let Ok(record) = Record::decode(&bytes) {
        assert_eq!(record.as_bytes(), bytes);
        let mut body = Vec::new();
        record.write().encode_body(&mut body);
        assert_eq!(bytes[32..32 + body.len()], body);
        assert_eq!(Write::decode_body(&body), Some(record.write()));
    }
});
