//! HTML and SVG as text. Names of elements and attributes are written in this program; everything else is escaped.

use std::fmt::{self, Display, Write};

/// Attributes by name.
pub(crate) type Attributes<'a> = &'a [(&'static str, &'a dyn Display)];

/// Markup, element by element.
#[derive(Default)]
pub(crate) struct Markup(String);

impl Markup {
    pub(crate) fn open(&mut self, name: &'static str, attributes: Attributes<'_>) {
        self.begin(name, attributes);
        self.0.push('>');
    }

    pub(crate) fn close(&mut self, name: &'static str) {
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
    }

    /// An element without content; SVG's end like this, and HTML's may.
    pub(crate) fn empty(&mut self, name: &'static str, attributes: Attributes<'_>) {
        self.begin(name, attributes);
        self.0.push_str("/>");
    }

    /// An element with text.
    pub(crate) fn element(&mut self, name: &'static str, attributes: Attributes<'_>, text: impl Display) {
        self.open(name, attributes);
        self.text(text);
        self.close(name);
    }

    pub(crate) fn text(&mut self, text: impl Display) {
        // Writing to a string does not fail.
        let _ = write!(Escaped(&mut self.0), "{text}");
    }

    /// What is part of this program and no element.
    pub(crate) fn constant(&mut self, markup: &'static str) {
        self.0.push_str(markup);
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }

    fn begin(&mut self, name: &'static str, attributes: Attributes<'_>) {
        self.0.push('<');
        self.0.push_str(name);
        for (attribute, value) in attributes {
            self.0.push(' ');
            self.0.push_str(attribute);
            self.0.push_str("=\"");
            self.text(value);
            self.0.push('"');
        }
    }
}

/// Writes text so that it is text in an element and in a quoted attribute.
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // No page may have them, in whatever form.
                '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}' => self.0.push('\u{fffd}'),
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}

/// A length in a drawing, to a tenth.
#[derive(Clone, Copy)]
pub(crate) struct At(pub(crate) f64);

impl Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_text_or_attributes() {
        let mut markup = Markup::default();
        let attack = "\"'><script>alert(1)</script>&\u{0}";
        markup.element("p", &[("title", &attack)], attack);
        let escaped = "&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;\u{fffd}";
        assert_eq!(markup.into_string(), format!("<p title=\"{escaped}\">{escaped}</p>"));
    }
}
