//! A request target: its path in segments, its query in pairs. Pure.
//!
//! A path is decoded once, after it was split at its slashes: an encoded slash (`%2F`) is a byte of
//! a segment and splits nothing (RFC 3986 §2.2). Then `.` and `..` are removed (§5.2.4). A path
//! that climbs above its root is refused, not silently kept there. In the name of a file, each
//! segment must also be UTF-8 without a slash, a backslash or a control character.

use std::fmt;

use crate::http::percent;

/// Why a target is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadTarget {
    /// `%` is not followed by two hexadecimal digits.
    Percent,
    /// More `..` than segments before them.
    AboveRoot,
    /// A segment has a slash, a backslash or a control character, or is not UTF-8.
    Segment,
}

impl fmt::Display for BadTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadTarget::Percent => "% is not followed by two hexadecimal digits",
            BadTarget::AboveRoot => "the path leads out of its root",
            BadTarget::Segment => "a segment of the path that names no file",
        })
    }
}

impl std::error::Error for BadTarget {}

/// A path below a root: its segments, and whether it ends in a slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// Names of folders and a file; none of them empty, `.` or `..`.
    pub segments: Vec<String>,
    /// The path names a folder.
    pub is_folder: bool,
}

impl Path {
    /// The path as text, with each byte encoded that is not unreserved (RFC 3986 §2.3). It begins
    /// with a single slash, so that it cannot name another host.
    pub fn encoded(&self) -> String {
        let mut text = String::new();
        for segment in &self.segments {
            text.push('/');
            text.push_str(&percent::encode(segment));
        }
        if self.is_folder || text.is_empty() {
            text.push('/');
        }
        text
    }

    /// Parses the path of a target.
    pub fn parse(path: &str) -> Result<Self, BadTarget> {
        let (mut segments, mut is_folder) = (Vec::new(), true);
        for raw in path.split('/') {
            let bytes = percent::decode(raw).ok_or(BadTarget::Percent)?;
            let segment = String::from_utf8(bytes).map_err(|_| BadTarget::Segment)?;
            is_folder = matches!(segment.as_str(), "" | "." | "..");
            match segment.as_str() {
                "" | "." => {}
                ".." => {
                    segments.pop().ok_or(BadTarget::AboveRoot)?;
                }
                name if name.contains(|c: char| matches!(c, '/' | '\\') || c.is_control()) => {
                    return Err(BadTarget::Segment);
                }
                _ => segments.push(segment),
            }
        }
        Ok(Self {
            segments,
            is_folder,
        })
    }
}

/// The value of a name in a query (`a=1&b=2`), not decoded yet; the first one counts.
pub fn query_value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_cut_first_and_decoded_then() {
        for (path, segments, is_folder) in [
            ("/", &[][..], true),
            ("", &[], true),
            ("/a/b.txt", &["a", "b.txt"], false),
            ("/a/", &["a"], true),
            ("//a///b", &["a", "b"], false),
            ("/a/./b/../c", &["a", "c"], false),
            ("/a/..", &[], true),
            ("/a/.", &["a"], true),
            ("/%61%20b", &["a b"], false),
            ("/caf%C3%A9", &["caf\u{e9}"], false),
            ("/a/%2e%2E/b", &["b"], false),
            ("/%252e%252e/b", &["%2e%2e", "b"], false),
            ("/...", &["..."], false),
            ("/..a", &["..a"], false),
        ] {
            let parsed = Path::parse(path).unwrap();
            assert_eq!(
                (&parsed.segments[..], parsed.is_folder),
                (
                    &segments.iter().map(|s| s.to_string()).collect::<Vec<_>>()[..],
                    is_folder
                ),
                "{path}"
            );
        }
    }

    #[test]
    fn an_encoded_path_is_read_as_the_same_one_and_names_no_other_host() {
        for (path, encoded) in [
            ("", "/"),
            ("//host/%7ea", "/host/~a"),
            ("/a%20b/?/", "/a%20b/%3F/"),
            ("/caf%c3%a9", "/caf%C3%A9"),
        ] {
            let parsed = Path::parse(path).unwrap();
            assert_eq!(parsed.encoded(), encoded, "{path}");
            assert_eq!(Path::parse(encoded).unwrap(), parsed);
        }
    }

    #[test]
    fn what_leads_out_or_names_no_file_is_refused() {
        for (path, why) in [
            ("/..", BadTarget::AboveRoot),
            ("/a/../../etc/passwd", BadTarget::AboveRoot),
            ("/%2e%2e/etc/passwd", BadTarget::AboveRoot),
            ("/.%2E/x", BadTarget::AboveRoot),
            ("/a%2Fb", BadTarget::Segment),
            ("/..%2f..%2fetc", BadTarget::Segment),
            ("/..%5c..%5cetc", BadTarget::Segment),
            ("/a%00.html", BadTarget::Segment),
            ("/a%0d%0a", BadTarget::Segment),
            ("/%ff", BadTarget::Segment),
            ("/%c0%ae%c0%ae/x", BadTarget::Segment),
            ("/%", BadTarget::Percent),
            ("/%4", BadTarget::Percent),
            ("/%zz", BadTarget::Percent),
            ("/%+1", BadTarget::Percent),
        ] {
            assert_eq!(Path::parse(path), Err(why), "{path}");
        }
    }

    #[test]
    fn the_first_value_of_a_name_counts() {
        let query = "ms=5&n&ms=6&=7";
        assert_eq!(query_value(query, "ms"), Some("5"));
        assert_eq!(query_value(query, "n"), Some(""));
        assert_eq!(query_value(query, "s"), None);
    }
}
