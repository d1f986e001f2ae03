//! Whether a client's copy of a file is still good (RFC 9110 §8.8 and §13). Pure.

use crate::http::{FieldList, date, field};

/// What tells one version of a file from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validators {
    /// The entity tag, with its quotes: made of size and time, so that it changes with the file.
    pub etag: String,
    /// When the file was changed, in seconds after the begin of 1970.
    pub modified: u64,
}

impl Validators {
    /// Those of a file of `size` bytes that was changed at `nanoseconds` after the begin of 1970.
    pub fn new(size: u64, nanoseconds: u128) -> Self {
        Self {
            etag: format!("\"{nanoseconds:x}-{size:x}\""),
            modified: u64::try_from(nanoseconds / 1_000_000_000).unwrap_or(u64::MAX),
        }
    }

    /// Whether the client has this version already: 304. If-None-Match decides, and only without
    /// it If-Modified-Since does (§13.1.3).
    pub fn are_known(&self, fields: &FieldList) -> bool {
        if let Some(tags) = fields.get("If-None-Match") {
            let same = |tag: &[u8]| {
                let tag = tag.strip_prefix(b"W/").unwrap_or(tag); // compared weakly (§13.1.2)
                tag == b"*" || tag == self.etag.as_bytes()
            };
            return field::elements(tags).any(same);
        }
        let since = fields.get("If-Modified-Since").and_then(seconds);
        since.is_some_and(|since| self.modified <= since)
    }

    /// The range that is asked for, if it is meant for this version: with If-Range, a range of
    /// another version is to be ignored (§13.1.5).
    pub fn range<'a>(&self, fields: &'a FieldList) -> Option<&'a [u8]> {
        let meant = match fields.get("If-Range") {
            None => true,
            Some(tag) if tag.starts_with(b"\"") => tag == self.etag.as_bytes(),
            // A second may see two versions of a file, so no date is a strong validator here.
            Some(_) => false,
        };
        fields.get("Range").filter(|_| meant)
    }
}

fn seconds(value: &[u8]) -> Option<u64> {
    date::parse_imf_fixdate(std::str::from_utf8(value).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Limits, ServerExchange};
    use std::io::Cursor;

    /// These lines as the server reads them.
    fn read(fields: &str) -> FieldList {
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
        let stream = Cursor::new(text.into_bytes());
        let mut exchange = ServerExchange::new(stream, Limits::default());
        exchange.next_request().unwrap().unwrap().fields
    }

    /// Changed at Sun, 06 Nov 1994 08:49:37 GMT.
    fn validators() -> Validators {
        let validators = Validators::new(16, 784_111_777_000_000_255);
        assert_eq!(validators.etag, "\"ae1b981bc490aff-10\"");
        validators
    }

    #[test]
    fn a_tag_decides_and_without_one_the_date() {
        let tag = "\"ae1b981bc490aff-10\"";
        for (fields, known) in [
            (String::from("X: y"), false),
            (format!("If-None-Match: {tag}"), true),
            (format!("If-None-Match: \"a\", W/{tag}"), true),
            ("If-None-Match: *".into(), true),
            ("If-None-Match: \"a\"".into(), false),
            (
                "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT".into(),
                true,
            ),
            (
                "If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT".into(),
                false,
            ),
            ("If-Modified-Since: yesterday".into(), false),
            (
                "If-None-Match: \"a\"\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT".into(),
                false,
            ),
        ] {
            assert_eq!(validators().are_known(&read(&fields)), known, "{fields}");
        }
    }

    #[test]
    fn a_range_of_another_version_is_ignored() {
        for (condition, meant) in [
            ("X: y", true),
            ("If-Range: \"ae1b981bc490aff-10\"", true),
            ("If-Range: \"a\"", false),
            ("If-Range: W/\"ae1b981bc490aff-10\"", false),
            ("If-Range: Sun, 06 Nov 1994 08:49:37 GMT", false),
        ] {
            let fields = format!("Range: bytes=1-2\r\n{condition}");
            let fields = read(&fields);
            let asked = validators().range(&fields);
            assert_eq!(asked.is_some(), meant, "{condition}");
        }
    }
}
