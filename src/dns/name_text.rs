//! Names as text: the presentation form of RFC 1035 §5.1, both ways.
//!
//! Labels are joined by dots. `\.` is a dot inside a label, `\DDD` the octet with that decimal
//! number, `\X` any other character X. The output can be pasted into a zone file and reads back as
//! the same octets; nothing in it can move a terminal's cursor.

use std::fmt::{self, Write};

use super::error::NameError;
use super::name::{Builder, MAX_LABEL, Name};

impl Name {
    /// Reads a name; it is absolute whether or not it ends with a dot. The root is `.`.
    pub fn parse(text: &str) -> Result<Name, NameError> {
        Name::parse_under(text, Some(&Name::root()))
    }

    /// Reads a name as in a zone file: a name without a dot at its end is relative to `origin`, and
    /// `@` alone is the origin.
    pub fn parse_under(text: &str, origin: Option<&Name>) -> Result<Name, NameError> {
        match text {
            "" => return Err(NameError::Empty),
            "." => return Ok(Name::root()),
            "@" => return origin.cloned().ok_or(NameError::Relative),
            _ => {}
        }
        let mut builder = Builder::default();
        let mut label = Label::default();
        let mut octets = text.bytes();
        let mut absolute = false;
        while let Some(octet) = octets.next() {
            absolute = octet == b'.';
            match octet {
                b'.' => builder.label(&label.take()?)?,
                b'\\' => label.push(unescape(&mut octets)?),
                other => label.push(other),
            }
        }
        if !absolute {
            builder.label(&label.take()?)?;
            builder.append(origin.ok_or(NameError::Relative)?)?;
        }
        Ok(builder.finish())
    }
}

/// Octets of one label. Those past the limit are counted but not kept, for the error message.
#[derive(Default)]
struct Label {
    octets: Vec<u8>,
    count: usize,
}

impl Label {
    fn push(&mut self, octet: u8) {
        if self.octets.len() < MAX_LABEL {
            self.octets.push(octet);
        }
        self.count += 1;
    }

    fn take(&mut self) -> Result<Vec<u8>, NameError> {
        if self.count > MAX_LABEL {
            return Err(NameError::LabelTooLong(self.count));
        }
        self.count = 0;
        Ok(std::mem::take(&mut self.octets))
    }
}

/// Reads what follows a backslash: three decimal digits, or one octet that is not a digit.
pub(super) fn unescape(octets: &mut impl Iterator<Item = u8>) -> Result<u8, NameError> {
    let first = octets.next().ok_or(NameError::Escape)?;
    if !first.is_ascii_digit() {
        return Ok(first);
    }
    let mut value = u32::from(first - b'0');
    for _ in 0..2 {
        match octets.next() {
            Some(digit @ b'0'..=b'9') => value = value * 10 + u32::from(digit - b'0'),
            _ => return Err(NameError::Escape),
        }
    }
    u8::try_from(value).map_err(|_| NameError::Escape)
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_char('.');
        }
        for label in self.labels() {
            for octet in label {
                match octet {
                    // Characters that have a meaning of their own in a zone file.
                    b'.' | b'\\' | b'"' | b';' | b'(' | b')' | b'@' | b'$' => {
                        write!(f, "\\{}", char::from(*octet))?;
                    }
                    0x21..=0x7e => f.write_char(char::from(*octet))?,
                    other => write!(f, "\\{other:03}")?,
                }
            }
            f.write_char('.')?;
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Name::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_octet_survives_the_way_through_text() {
        for octet in 0..=255 {
            let name = Name::from_labels([&[b'a', octet, b'z'][..], b"example"]).unwrap();
            let text = name.to_string();
            assert!(text.bytes().all(|b| b.is_ascii_graphic()), "{text}");
            assert_eq!(Name::parse(&text).unwrap().wire(), name.wire(), "{text}");
        }
    }

    #[test]
    fn escapes_are_written_as_other_tools_write_them() {
        for (labels, text) in [
            (&[&b"a\0b"[..]][..], "a\\000b."),
            (&[b"dot.in", b"x"], "dot\\.in.x."),
            (&[b"space label"], "space\\032label."),
            (&[b"\xff"], "\\255."),
            (&[], "."),
        ] {
            let name = Name::from_labels(labels.iter()).unwrap();
            assert_eq!(name.to_string(), text);
        }
    }

    #[test]
    fn bad_text_is_refused_with_the_rule_it_breaks() {
        let long = "a".repeat(64);
        for (text, error) in [
            ("", NameError::Empty),
            ("..", NameError::EmptyLabel),
            (".a", NameError::EmptyLabel),
            ("a..b", NameError::EmptyLabel),
            (&long, NameError::LabelTooLong(64)),
            ("a\\", NameError::Escape),
            ("a\\25", NameError::Escape),
            ("a\\256", NameError::Escape),
            ("a\\2x5", NameError::Escape),
            (&"a.".repeat(128), NameError::TooLong),
        ] {
            assert_eq!(Name::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn an_escape_counts_as_one_octet_of_its_label() {
        let full = "\\065".repeat(63);
        assert_eq!(Name::parse(&full).unwrap().wire().len(), 65);
        let over = "\\065".repeat(64);
        assert_eq!(Name::parse(&over), Err(NameError::LabelTooLong(64)));
    }

    #[test]
    fn a_relative_name_is_completed_by_the_origin_and_needs_one() {
        let origin = Name::parse("example.org.").unwrap();
        for (text, whole) in [
            ("www", "www.example.org."),
            ("www.", "www."),
            ("@", "example.org."),
            ("a\\.", "a\\..example.org."),
        ] {
            let name = Name::parse_under(text, Some(&origin)).unwrap();
            assert_eq!(name.to_string(), whole);
        }
        assert_eq!(Name::parse_under("www", None), Err(NameError::Relative));
        assert_eq!(Name::parse("\\@").unwrap().to_string(), "\\@.");
    }
}
