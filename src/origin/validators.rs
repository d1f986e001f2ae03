//! Whether a client's copy of a file is still current, and whether a request is for this version of
//! the file (RFC 9110 §8.8 and §13). Pure.

use crate::http::{FieldList, date, field};

/// What distinguishes one version of a file from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validators {
    /// The entity tag, with its quotes. It is made of size and time, so it changes with the file.
    pub etag: String,
    /// When the file was changed, in seconds after the beginning of 1970.
    pub modified: u64,
}

/// The result of a request's conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The request is for another version: 412.
    Another,
    /// The client has this version already: 304.
    Known,
    /// Send the file.
    Wanted,
}

impl Validators {
    /// The validators of a file of `size` bytes, changed at `nanoseconds` after the beginning of
    /// 1970.
    pub fn new(size: u64, nanoseconds: u128) -> Self {
        Self {
            etag: format!("\"{nanoseconds:x}-{size:x}\""),
            modified: u64::try_from(nanoseconds / 1_000_000_000).unwrap_or(u64::MAX),
        }
    }

    /// Evaluates the conditions of a request for this version, in the order of §13.2.2. `now` is in
    /// seconds after the beginning of 1970.
    pub fn judge(&self, fields: &FieldList, now: u64) -> Verdict {
        if !self.are_meant(fields, now) {
            Verdict::Another
        } else if self.are_known(fields, now) {
            Verdict::Known
        } else {
            Verdict::Wanted
        }
    }

    /// If-Match decides; only without it does If-Unmodified-Since (§13.1.4).
    fn are_meant(&self, fields: &FieldList, now: u64) -> bool {
        // Strong comparison: a weak tag never matches (§13.1.1).
        let same = |tag: &[u8]| tag == self.etag.as_bytes();
        if let Some(meant) = any_tag(fields, "If-Match", same) {
            return meant;
        }
        let since = date_of(fields, "If-Unmodified-Since", now);
        since.is_none_or(|since| self.modified <= since)
    }

    /// Whether the client has this version already. If-None-Match decides; only without it does
    /// If-Modified-Since (§13.1.3).
    fn are_known(&self, fields: &FieldList, now: u64) -> bool {
        let same = |tag: &[u8]| {
            let tag = tag.strip_prefix(b"W/").unwrap_or(tag); // weak comparison (§13.1.2)
            tag == self.etag.as_bytes()
        };
        if let Some(known) = any_tag(fields, "If-None-Match", same) {
            return known;
        }
        let since = date_of(fields, "If-Modified-Since", now);
        since.is_some_and(|since| self.modified <= since)
    }

    /// The requested range, if it is for this version: with If-Range, a range of another version
    /// must be ignored (§13.1.5).
    pub fn range<'a>(&self, fields: &'a FieldList) -> Option<&'a [u8]> {
        let meant = match fields.get("If-Range") {
            None => true,
            Some(tag) if tag.starts_with(b"\"") => tag == self.etag.as_bytes(),
            // Two versions of a file may have the same second, so no date is a strong validator
            // here.
            Some(_) => false,
        };
        fields.get("Range").filter(|_| meant)
    }
}

/// Whether a list of entity tags has a tag that fits; `None` if there is no list. A single star is
/// any tag. Tags may contain commas and stars. The parts of `"a,*,b"`, split at its commas, match
/// no tag, because the quotes are compared, too; but one part is a star, so a star must be the
/// whole value.
fn any_tag(fields: &FieldList, name: &str, is_it: impl Fn(&[u8]) -> bool) -> Option<bool> {
    fields.get(name)?;
    let is_any = fields.all(name).any(|value| value == b"*");
    Some(is_any || fields.all(name).flat_map(field::elements).any(is_it))
}

/// The date in a field, if it is one date: two lines are a list, which must be ignored (§13.1.3,
/// §13.1.4).
fn date_of(fields: &FieldList, name: &str, now: u64) -> Option<u64> {
    let mut lines = fields.all(name);
    let (value, None) = (lines.next()?, lines.next()) else {
        return None;
    };
    date::parse(std::str::from_utf8(value).ok()?, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Limits, ServerExchange};
    use std::io::Cursor;

    /// Reads these field lines as the server does.
    fn read(fields: &str) -> FieldList {
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
        let stream = Cursor::new(text.into_bytes());
        let mut exchange = ServerExchange::new(stream, Limits::default());
        exchange.next_request().unwrap().unwrap().fields
    }

    const NOW: u64 = 1_800_000_000;

    /// Changed at Sun, 06 Nov 1994 08:49:37 GMT.
    fn validators() -> Validators {
        let validators = Validators::new(16, 784_111_777_000_000_255);
        assert_eq!(validators.etag, "\"ae1b981bc490aff-10\"");
        validators
    }

    #[test]
    fn a_tag_decides_and_without_one_the_date() {
        use Verdict::{Another, Known, Wanted};
        let tag = "\"ae1b981bc490aff-10\"";
        let changed = "Sun, 06 Nov 1994 08:49:37 GMT";
        let before = "Sun, 06 Nov 1994 08:49:36 GMT";
        for (fields, verdict) in [
            (String::from("X: y"), Wanted),
            (format!("If-None-Match: {tag}"), Known),
            (format!("If-None-Match: \"a\", W/{tag}"), Known),
            (
                format!("If-None-Match: \"a\"\r\nIf-None-Match: {tag}"),
                Known,
            ),
            ("If-None-Match: *".into(), Known),
            ("If-None-Match: \"a\"".into(), Wanted),
            ("If-None-Match: \"a,*,b\"".into(), Wanted),
            (format!("If-None-Match: \"a,*,b\", {tag}"), Known),
            (format!("If-Modified-Since: {changed}"), Known),
            (format!("If-Modified-Since: {before}"), Wanted),
            ("If-Modified-Since: yesterday".into(), Wanted),
            (
                format!("If-Modified-Since: {changed}\r\nIf-Modified-Since: {changed}"),
                Wanted,
            ),
            (
                format!("If-None-Match: \"a\"\r\nIf-Modified-Since: {changed}"),
                Wanted,
            ),
            // The obsolete formats of the same date.
            (
                "If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT".into(),
                Known,
            ),
            ("If-Modified-Since: Sun Nov  6 08:49:36 1994".into(), Wanted),
            (
                "If-Unmodified-Since: Sunday, 06-Nov-94 08:49:36 GMT".into(),
                Another,
            ),
            (
                "If-Unmodified-Since: Sun Nov  6 08:49:36 1994".into(),
                Another,
            ),
            (format!("If-Match: {tag}"), Wanted),
            (format!("If-Match: \"a\", {tag}"), Wanted),
            (format!("If-Match: \"a\"\r\nIf-Match: {tag}"), Wanted),
            ("If-Match: *".into(), Wanted),
            (format!("If-Match: W/{tag}"), Another),
            ("If-Match: \"a\"".into(), Another),
            ("If-Match: \"a,*,b\"".into(), Another),
            (format!("If-Unmodified-Since: {changed}"), Wanted),
            (format!("If-Unmodified-Since: {before}"), Another),
            ("If-Unmodified-Since: yesterday".into(), Wanted),
            (
                format!("If-Unmodified-Since: {before}\r\nIf-Unmodified-Since: {before}"),
                Wanted,
            ),
            (
                format!("If-Match: {tag}\r\nIf-Unmodified-Since: {before}"),
                Wanted,
            ),
            (format!("If-Match: \"a\"\r\nIf-None-Match: {tag}"), Another),
            (format!("If-Match: {tag}\r\nIf-None-Match: {tag}"), Known),
        ] {
            assert_eq!(validators().judge(&read(&fields), NOW), verdict, "{fields}");
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
