//! One request as the access log records it, and the formats of the line.
//!
//! ```text
//! common    192.0.2.7 - - [21/Nov/2026:04:38:29 +0000] "GET /a HTTP/1.1" 200 1024
//! combined  ... "http://example.com/" "curl/8.5.0"
//! extended  ... upstream=10.0.0.7:9000 connect=0.214ms first-byte=1.902ms total=2.481ms retries=0
//! json      {"time":"2026-11-21T04:38:29.123Z","client":"192.0.2.7", ...}
//! ```
//!
//! The first two are what every log reader knows, exactly. *Extended* is combined plus what only a
//! proxy can tell; *json* has all of it. What clients and backends send may be any bytes. The first
//! three formats write control characters, quotes, backslashes and all bytes beyond ASCII as
//! `\xHH`, like nginx. JSON escapes them as RFC 8259 §7 says, and an octet that is not UTF-8
//! becomes U+FFFD. So one request is one line, and no client can forge another.

use std::fmt;
use std::io::Write;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use super::escape::{json, visible};
use crate::telemetry::{CommonLogTime, Rfc3339};

/// The longest text of a line that a client chose, in bytes, before it is escaped; the rest is cut
/// off. So a line is at most about 50 KiB long.
pub const MAX_TEXT: usize = 2048;

/// One request and its answer. Texts are as they were sent, however wrong.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The client's address; `None` for a peer without an IP address.
    pub client: Option<IpAddr>,
    /// When its head was complete.
    pub time: SystemTime,
    /// The method; empty, with target and version, for a request that could not be read.
    pub method: &'a [u8],
    /// The target as it was sent.
    pub target: &'a [u8],
    /// `HTTP/1.1` or `HTTP/1.0`.
    pub version: &'a [u8],
    /// The Host field, or the target's host.
    pub host: Option<&'a [u8]>,
    /// The status that the client got; 0 if it got none.
    pub status: u16,
    /// Bytes of the answer's body that were sent.
    pub sent: u64,
    /// Bytes of the request's body that were read.
    pub received: u64,
    /// The Referer field.
    pub referer: Option<&'a [u8]>,
    /// The User-Agent field.
    pub user_agent: Option<&'a [u8]>,
    /// The backend that answered, or that was tried last.
    pub upstream: Option<&'a str>,
    /// How long the connection to it took; `None` for a kept one.
    pub connect: Option<Duration>,
    /// From the request's end to the first byte of its reply.
    pub first_byte: Option<Duration>,
    /// From the end of the request's head to the last byte of the answer.
    pub total: Duration,
    /// How many more backends were tried.
    pub retries: u32,
    /// Why it was not answered as it should be.
    pub failure: Option<&'a str>,
}

/// The format of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The Common Log Format of NCSA httpd.
    Common,
    /// The same plus Referer and User-Agent, as in Apache and nginx.
    Combined,
    /// The same plus backend, times, retries and the reason of a failure.
    Extended,
    /// One JSON object (RFC 8259) a line, times in milliseconds.
    Json,
}

impl Format {
    const NAMES: [(&str, Format); 4] = [
        ("common", Format::Common),
        ("combined", Format::Combined),
        ("extended", Format::Extended),
        ("json", Format::Json),
    ];

    /// Appends the line of a request, with its line feed. Allocates only if `out` has to grow.
    pub fn write(self, entry: &Entry<'_>, out: &mut Vec<u8>) {
        if self == Format::Json {
            return write_json(entry, out);
        }
        write_common(entry, out);
        if self != Format::Common {
            quoted(b" ", entry.referer.unwrap_or(b"-"), out);
            quoted(b" ", entry.user_agent.unwrap_or(b"-"), out);
        }
        if self == Format::Extended {
            write_extension(entry, out);
        }
        out.push(b'\n');
    }
}

impl FromStr for Format {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Format, &'static str> {
        let row = Self::NAMES.iter().find(|(name, _)| *name == text);
        row.map(|(_, format)| *format)
            .ok_or("must be common, combined, extended or json")
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = Self::NAMES.iter().find(|(_, format)| format == self);
        f.write_str(row.map_or("", |(name, _)| name))
    }
}

/// Appends the value's `Display`; writing to a `Vec` cannot fail.
fn show(out: &mut Vec<u8>, value: fmt::Arguments<'_>) {
    let _ = out.write_fmt(value);
}

/// `host ident user [time] "request line" status bytes`: ident and user are never known.
fn write_common(entry: &Entry<'_>, out: &mut Vec<u8>) {
    match entry.client {
        Some(client) => show(out, format_args!("{client}")),
        None => out.push(b'-'),
    }
    show(out, format_args!(" - - [{}] \"", CommonLogTime(entry.time)));
    let request_line = [entry.method, entry.target, entry.version];
    if request_line.iter().all(|part| part.is_empty()) {
        out.push(b'-');
    }
    let parts = request_line.into_iter().filter(|part| !part.is_empty());
    for (index, part) in parts.enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        visible(part, out);
    }
    show(out, format_args!("\" {:03} ", entry.status));
    match entry.sent {
        0 => out.push(b'-'),
        sent => show(out, format_args!("{sent}")),
    }
}

fn quoted(before: &[u8], text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(before);
    out.push(b'"');
    visible(text, out);
    out.push(b'"');
}

fn write_extension(entry: &Entry<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b" upstream=");
    visible(entry.upstream.unwrap_or("-").as_bytes(), out);
    let times = [
        ("connect", entry.connect),
        ("first-byte", entry.first_byte),
        ("total", Some(entry.total)),
    ];
    for (name, time) in times {
        match time {
            Some(time) => show(out, format_args!(" {name}={}ms", Millis(time))),
            None => show(out, format_args!(" {name}=-")),
        }
    }
    show(out, format_args!(" retries={}", entry.retries));
    if let Some(failure) = entry.failure {
        quoted(b" failure=", failure.as_bytes(), out);
    }
}

fn write_json(entry: &Entry<'_>, out: &mut Vec<u8>) {
    show(out, format_args!("{{\"time\":\"{}\"", Rfc3339(entry.time)));
    if let Some(client) = entry.client {
        show(out, format_args!(",\"client\":\"{client}\""));
    }
    let upstream = entry.upstream.map(str::as_bytes);
    let texts = [
        ("method", Some(entry.method)),
        ("target", Some(entry.target)),
        ("version", Some(entry.version)),
        ("host", entry.host),
        ("referer", entry.referer),
        ("user_agent", entry.user_agent),
        ("upstream", upstream),
        ("failure", entry.failure.map(str::as_bytes)),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            show(out, format_args!(",\"{name}\":\""));
            json(text, out);
            out.push(b'"');
        }
    }
    let numbers = [
        ("status", u64::from(entry.status)),
        ("sent", entry.sent),
        ("received", entry.received),
        ("retries", u64::from(entry.retries)),
    ];
    for (name, number) in numbers {
        show(out, format_args!(",\"{name}\":{number}"));
    }
    let times = [
        ("connect_ms", entry.connect),
        ("first_byte_ms", entry.first_byte),
        ("total_ms", Some(entry.total)),
    ];
    for (name, time) in times {
        if let Some(time) = time {
            show(out, format_args!(",\"{name}\":{}", Millis(time)));
        }
    }
    out.extend_from_slice(b"}\n");
}

/// A duration as milliseconds with three decimals.
struct Millis(Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        write!(f, "{}.{:03}", micros / 1000, micros % 1000)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    /// A request that was answered well.
    pub fn entry() -> Entry<'static> {
        Entry {
            client: Some(IpAddr::from([192, 0, 2, 7])),
            time: UNIX_EPOCH + Duration::from_millis(1_795_235_909_123),
            method: b"GET",
            target: b"/a?b=\"c\"",
            version: b"HTTP/1.1",
            host: Some(b"example.com"),
            status: 200,
            sent: 1024,
            received: 5,
            referer: Some(b"http://example.com/"),
            user_agent: Some(b"curl/8.5.0"),
            upstream: Some("10.0.0.7:9000"),
            connect: Some(Duration::from_micros(214)),
            first_byte: Some(Duration::from_micros(1902)),
            total: Duration::from_micros(12_481),
            retries: 1,
            failure: None,
        }
    }

    fn line(format: Format, entry: &Entry<'_>) -> String {
        let mut out = Vec::new();
        format.write(entry, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_format_looks_as_it_is_known() {
        let common =
            r#"192.0.2.7 - - [21/Nov/2026:04:38:29 +0000] "GET /a?b=\x22c\x22 HTTP/1.1" 200 1024"#;
        let combined = format!(r#"{common} "http://example.com/" "curl/8.5.0""#);
        let extended = format!(
            "{combined} upstream=10.0.0.7:9000 connect=0.214ms first-byte=1.902ms total=12.481ms retries=1"
        );
        let json = concat!(
            r#"{"time":"2026-11-21T04:38:29.123Z","client":"192.0.2.7","method":"GET","#,
            r#""target":"/a?b=\"c\"","version":"HTTP/1.1","host":"example.com","#,
            r#""referer":"http://example.com/","user_agent":"curl/8.5.0","#,
            r#""upstream":"10.0.0.7:9000","status":200,"sent":1024,"received":5,"retries":1,"#,
            r#""connect_ms":0.214,"first_byte_ms":1.902,"total_ms":12.481}"#
        );
        let table = [
            (Format::Common, common),
            (Format::Combined, &combined),
            (Format::Extended, &extended),
            (Format::Json, json),
        ];
        for (format, expected) in table {
            assert_eq!(line(format, &entry()), format!("{expected}\n"));
            assert_eq!(format.to_string().parse(), Ok(format));
        }
    }

    #[test]
    fn what_is_not_known_is_a_hyphen_or_left_out() {
        let refused = Entry {
            client: None,
            method: b"",
            target: b"",
            version: b"",
            host: None,
            status: 400,
            sent: 0,
            referer: None,
            user_agent: None,
            upstream: None,
            connect: None,
            first_byte: None,
            failure: Some("bare \"LF\""),
            ..entry()
        };
        let extended = r#"- - - [21/Nov/2026:04:38:29 +0000] "-" 400 - "-" "-" upstream=- connect=- first-byte=- total=12.481ms retries=1 failure="bare \x22LF\x22""#;
        assert_eq!(line(Format::Extended, &refused), format!("{extended}\n"));
        let json = line(Format::Json, &refused);
        assert!(
            json.contains(r#""failure":"bare \"LF\"","status":400"#),
            "{json}"
        );
        assert!(
            !json.contains("upstream") && !json.contains("connect_ms"),
            "{json}"
        );
    }

    #[test]
    fn no_client_forges_a_line_in_any_format() {
        let hostile = Entry {
            target: b"/\r\n192.0.2.9 - - forged \x1b[2J\xff\xc2\x9b",
            user_agent: Some("\u{2028}\u{202e}\n\"\\".as_bytes()),
            ..entry()
        };
        for (_, format) in Format::NAMES {
            let line = line(format, &hostile);
            let text = line.strip_suffix('\n').unwrap();
            assert!(text.chars().all(|letter| !letter.is_control()), "{text:?}");
            assert!(!text.contains('\u{202e}'), "{text:?}");
        }
    }

    #[test]
    fn a_line_has_an_end_however_long_the_request() {
        let long = vec![b'\n'; 10 * MAX_TEXT];
        let entry = Entry {
            target: &long,
            user_agent: Some(&long),
            ..entry()
        };
        for (_, format) in Format::NAMES {
            assert!(line(format, &entry).len() < 13 * MAX_TEXT);
        }
    }
}
