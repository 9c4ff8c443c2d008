//! Prometheus' text format, as far as our own metrics use it: samples with labels, one a line.

/// One line of a scrape.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) value: f64,
}

impl Sample {
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| label == name).map(|(_, value)| &**value)
    }
}

/// Every sample of a scrape; the line that is none, if there is one.
pub(crate) fn samples(text: &str) -> Result<Vec<Sample>, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| sample(line).ok_or_else(|| line.chars().take(80).collect())).collect()
}

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            labels.push((label.to_owned(), value));
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = &rest[1..];
    }
    // Behind the value there may be a time.
    let value = match rest.split_whitespace().next()? {
        "+Inf" => f64::INFINITY,
        value => value.parse().ok()?,
    };
    Some(Sample { name: name.to_owned(), labels, value })
}

/// What stands before the closing quote, without its escapes, and what follows that.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_with_their_labels() {
        let text = "# HELP a what it says\n# TYPE a gauge\na 1\n\nb{shard=\"3\",lane=\"bulk\"} 2.5e3 1700000000\n\
                    c_bucket{le=\"+Inf\"} 7\nd{x=\"a \\\"b\\\", {c}\\n\\\\\"} NaN\n";
        let samples = samples(text).unwrap();
        let shown: Vec<_> = samples.iter().map(|sample| (&*sample.name, sample.value)).collect();
        assert_eq!(shown[..3], [("a", 1.0), ("b", 2500.0), ("c_bucket", 7.0)]);
        assert_eq!((samples[1].label("lane"), samples[1].label("le")), (Some("bulk"), None));
        assert_eq!(samples[3].label("x"), Some("a \"b\", {c}\n\\"));
        assert!(samples[3].value.is_nan());
    }

    #[test]
    fn what_is_no_sample_is_named() {
        for line in ["<html>", "a", "a{b=\"c} 1", "a{b=\"c\" 1", "a{b} 1", "a x", "a{", "{", ""] {
            let named = samples(line).err();
            assert_eq!(named.as_deref(), (!line.is_empty()).then_some(line));
        }
    }
}
