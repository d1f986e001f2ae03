//! The struct that is sent, and its text form.
//!
//! A record holds one value of each kind: a number, a text, a map, bytes, and perhaps another
//! record, so that it is recursive. Its bytes are those of [`wire`](mod@crate::wire); its text form
//! escapes every character that could control a terminal.

use std::collections::BTreeMap;
use std::fmt;

crate::wire! {
    /// What `STRUCT` carries.
    ///
    /// It prints one line per field, an inner record indented below its outer one. Texts are quoted
    /// and escaped; of long bytes the first 64 are shown.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Record {
        /// A number.
        pub n: i64,
        /// A text.
        pub s: String,
        /// Numbers by name.
        pub m: BTreeMap<String, i64>,
        /// Bytes.
        pub p: Vec<u8>,
        /// A record inside.
        pub c: Option<Box<Record>>,
    }
}

/// How many bytes of a field are printed.
const SHOWN: usize = 64;

impl Record {
    /// The record that `message-client` sends by default; it has an inner one.
    pub fn example() -> Self {
        let m = [("one", 1), ("two", 2), ("three", 3)];
        Self {
            n: 23,
            s: "string data".into(),
            m: m.map(|(key, value)| (key.to_string(), value)).into(),
            p: b"abc".to_vec(),
            c: Some(Box::new(Self {
                n: 256,
                s: "inner".into(),
                ..Self::default()
            })),
        }
    }

    /// The fields of this record, except the inner one.
    fn fields(&self, indent: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{indent}n: {}", self.n)?;
        // `Debug` quotes texts and escapes unprintable characters.
        writeln!(f, "{indent}s: {:?}", self.s)?;
        writeln!(f, "{indent}m: {:?}", self.m)?;
        write!(f, "{indent}p: {} bytes", self.p.len())?;
        if !self.p.is_empty() {
            f.write_str(" ")?;
        }
        for byte in self.p.iter().take(SHOWN) {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(if self.p.len() > SHOWN { "...\n" } else { "\n" })
    }

    fn lines(&self, mut indent: String, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A loop, not a recursion: a peer decides how deeply records nest, and the stack is
        // limited.
        let mut record = self;
        loop {
            record.fields(&indent, f)?;
            match &record.c {
                None => return write!(f, "{indent}c: none"),
                Some(inner) => {
                    writeln!(f, "{indent}c:")?;
                    indent.push_str("  ");
                    record = inner;
                }
            }
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines(String::new(), f)
    }
}

/// What a built-in command received. Prints as the command and its payload.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Message<'a> {
    /// By `STRING`.
    Text(&'a str),
    /// By `STRUCT`.
    Record(&'a Record),
}

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Text(text) => write!(f, "STRING {text:?}"),
            Message::Record(record) => {
                f.write_str("STRUCT\n")?;
                record.lines("  ".into(), f)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{decode, encode};

    #[test]
    fn the_example_prints_outer_and_inner() {
        let printed = "STRUCT\n  n: 23\n  s: \"string data\"\n  \
                       m: {\"one\": 1, \"three\": 3, \"two\": 2}\n  p: 3 bytes 616263\n  c:\n    \
                       n: 256\n    s: \"inner\"\n    m: {}\n    p: 0 bytes\n    c: none";
        assert_eq!(Message::Record(&Record::example()).to_string(), printed);
    }

    #[test]
    fn the_example_is_the_vector_of_the_wire_format() {
        let bytes = encode(&Record::example()).unwrap();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let page = include_str!("../../docs/wire-format.md");
        let vector = page.lines().find(|line| line.starts_with("record ; [23"));
        let vector = vector.unwrap().rsplit(';').next().unwrap();
        assert_eq!(hex, vector.replace(' ', ""));
        assert_eq!(decode::<Record>(&bytes).unwrap(), Record::example());
    }

    #[test]
    fn what_is_printed_cannot_drive_a_terminal() {
        let record = Record {
            s: "\u{1b}[31m\n\u{9b}\u{202e}\"".into(),
            m: [("a\nb".to_string(), 1)].into(),
            ..Record::default()
        };
        let printed = record.to_string();
        assert!(
            printed.contains(r#"s: "\u{1b}[31m\n\u{9b}\u{202e}\"""#),
            "{printed}"
        );
        assert!(printed.contains(r#"m: {"a\nb": 1}"#), "{printed}");
        assert_eq!(Message::Text("a\tb\0").to_string(), r#"STRING "a\tb\0""#);
    }

    #[test]
    fn of_long_bytes_the_first_are_printed_and_the_number() {
        let p = vec![0xab; 1000];
        let record = Record {
            p,
            ..Record::default()
        };
        let hex = "ab".repeat(SHOWN);
        assert!(
            record
                .to_string()
                .contains(&format!("p: 1000 bytes {hex}...\n"))
        );
    }
}
