//! Parts of a JSON text as they are written.
//!
//! A parsed and rewritten number may differ from the file's (FHIR gives `1.50` and `1.5` different
//! precision), so a part is cut out of the text. The text is known to parse: anything else ends in `None` or
//! an empty list.

use serde::de::IgnoredAny;

/// The last member of an object by that name, as a parser would take it.
pub(super) fn member<'a>(object: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut cursor = Cursor { rest: object };
    let mut found = None;
    cursor.byte(b'{')?;
    while let Some(key) = cursor.value() {
        cursor.byte(b':')?;
        let value = cursor.value()?;
        if serde_json::from_slice::<String>(key).is_ok_and(|key| key == name) {
            found = Some(value);
        }
        if cursor.byte(b',').is_none() {
            break;
        }
    }
    found
}

/// The items of an array.
pub(super) fn items(array: &[u8]) -> Vec<&[u8]> {
    let mut cursor = Cursor { rest: array };
    let mut items = Vec::new();
    if cursor.byte(b'[').is_some() {
        while let Some(item) = cursor.value() {
            items.push(item);
            if cursor.byte(b',').is_none() {
                break;
            }
        }
    }
    items
}

/// The text without the spaces between its tokens.
pub(super) fn compact(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let (mut quoted, mut escaped) = (false, false);
    for &byte in text {
        if quoted || !is_space(byte) {
            out.push(byte);
        }
        if escaped {
            escaped = false;
        } else if byte == b'"' {
            quoted = !quoted;
        } else if quoted && byte == b'\\' {
            escaped = true;
        }
    }
    out
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn value(&mut self) -> Option<&'a [u8]> {
        self.space();
        let mut stream = serde_json::Deserializer::from_slice(self.rest).into_iter::<IgnoredAny>();
        stream.next()?.ok()?;
        let (value, rest) = self.rest.split_at_checked(stream.byte_offset())?;
        self.rest = rest;
        Some(value)
    }

    fn byte(&mut self, byte: u8) -> Option<()> {
        self.space();
        self.rest = self.rest.strip_prefix(&[byte])?;
        Some(())
    }

    fn space(&mut self) {
        while let Some((&first, rest)) = self.rest.split_first()
            && is_space(first)
        {
            self.rest = rest;
        }
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_as_written() {
        let text = br#" { "a" : 1.50 , "b\u0063" : [ {"x": "] , }"}, 2e1 ,null, [] ] , "a": "\" \\" }"#;
        assert_eq!(member(text, "a"), Some(&br#""\" \\""#[..]));
        let array = member(text, "bc").expect("present");
        let parts = items(array);
        assert_eq!(parts, [&br#"{"x": "] , }"}"#[..], b"2e1", b"null", b"[]"]);
        assert_eq!(member(text, "c"), None);
        assert_eq!(member(b"{}", "c"), None);
        assert_eq!(items(b"[]").len(), 0);
        assert_eq!(items(b"{").len(), 0);
    }

    #[test]
    fn compacted() {
        let text = b"{ \"a b\" :\t[ 1.50 ,\r\n\"\\\" \\\\\" , \" \" ] }";
        assert_eq!(compact(text), b"{\"a b\":[1.50,\"\\\" \\\\\",\" \"]}");
    }
}
