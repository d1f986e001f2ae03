//! Fields of HTTP/1 header sections: `http.*`. Pure.
//!
//! A capture shows what was sent, however wrong. So lines are split here without the rules that
//! [`crate::http`] enforces on its peers. A field that is repeated has several values.

use super::{Field, Get, Kind, Out, Value, number};

const fn http(name: &'static str, kind: Kind, get: fn(&[u8], Out<'_>)) -> Field {
    Field::new(name, kind, Get::Http(get))
}

/// The values of the field lines with this name.
const fn line(name: &'static str, of: &'static str) -> Field {
    Field::new(name, Kind::Text, Get::HttpLine(of))
}

pub(super) const FIELDS: &[Field] = &[
    http("http", Kind::Protocol, |head, out| {
        out(Value::Protocol("http", head));
    }),
    http("http.request", Kind::Boolean, |head, out| {
        if Start::of(head).is_request() && !ends_in_name(head) {
            out(Value::Boolean(true));
        }
    }),
    http("http.response", Kind::Boolean, |head, out| {
        if !Start::of(head).is_request() && !ends_in_name(head) {
            out(Value::Boolean(true));
        }
    }),
    http("http.request.method", Kind::Text, |head, out| {
        request(head, |start| start.0, out);
    }),
    http("http.request.uri", Kind::Text, |head, out| {
        request(head, |start| start.1, out);
    }),
    http("http.request.version", Kind::Text, |head, out| {
        request(head, |start| start.2, out);
    }),
    http("http.response.version", Kind::Text, |head, out| {
        response(head, |start| start.0, out);
    }),
    http("http.response.code", Kind::Unsigned(2), |head, out| {
        let start = Start::of(head);
        // None at all if the line was cut.
        let whole = start.1.len() == 3 && !start.is_request();
        if let Some(code) = decimal(start.1).filter(|_| whole) {
            number(out, code);
        }
    }),
    http("http.response.phrase", Kind::Text, |head, out| {
        response(head, |start| start.2, out);
    }),
    line("http.host", "Host"),
    line("http.connection", "Connection"),
    line("http.user_agent", "User-Agent"),
    line("http.accept", "Accept"),
    line("http.accept_encoding", "Accept-Encoding"),
    line("http.authorization", "Authorization"),
    line("http.cookie", "Cookie"),
    line("http.referer", "Referer"),
    line("http.upgrade", "Upgrade"),
    line("http.server", "Server"),
    line("http.date", "Date"),
    line("http.location", "Location"),
    line("http.set_cookie", "Set-Cookie"),
    line("http.cache_control", "Cache-Control"),
    line("http.last_modified", "Last-Modified"),
    line("http.content_type", "Content-Type"),
    line("http.content_encoding", "Content-Encoding"),
    line("http.transfer_encoding", "Transfer-Encoding"),
    line("http.content_length_header", "Content-Length"),
    http("http.content_length", Kind::Unsigned(8), |head, out| {
        let lengths = values(head, "Content-Length").filter_map(decimal);
        lengths.for_each(|length| number(out, length));
    }),
];

/// The three words of a start line; the third may contain spaces, or be missing.
struct Start<'a>(&'a [u8], &'a [u8], &'a [u8]);

impl<'a> Start<'a> {
    fn of(head: &'a [u8]) -> Self {
        let mut words = start_line(head).splitn(3, |byte| *byte == b' ');
        let mut word = || words.next().unwrap_or_default();
        Self(word(), word(), word())
    }

    fn is_request(&self) -> bool {
        !self.0.starts_with(b"HTTP/")
    }
}

/// Whether the snap length cut the section within a field's name: Wireshark stops reading there,
/// before it says what the message is.
fn ends_in_name(head: &[u8]) -> bool {
    let behind_start = head.iter().rposition(|byte| *byte == b'\n');
    let last = behind_start.and_then(|end| head.get(end + 1..));
    last.is_some_and(|last| !last.is_empty() && !last.contains(&b':'))
}

fn request(head: &[u8], word: for<'a> fn(&Start<'a>) -> &'a [u8], out: Out<'_>) {
    let start = Start::of(head);
    if start.is_request() {
        text(word(&start), out);
    }
}

fn response(head: &[u8], word: for<'a> fn(&Start<'a>) -> &'a [u8], out: Out<'_>) {
    let start = Start::of(head);
    if !start.is_request() {
        text(word(&start), out);
    }
}

/// The lines of a header section, without their ends and without a check.
fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// The start line. A request may have an empty line before it (RFC 9112 §2.2).
pub(in crate::capture) fn start_line(head: &[u8]) -> &[u8] {
    lines(head)
        .find(|line| !line.is_empty())
        .unwrap_or_default()
}

/// The value of each field line of this name.
pub(in crate::capture) fn values<'a>(head: &'a [u8], name: &str) -> impl Iterator<Item = &'a [u8]> {
    let behind_start = lines(head).skip_while(|line| line.is_empty()).skip(1);
    let fields = behind_start.take_while(|line| !line.is_empty());
    fields.filter_map(move |line| {
        let (found, value) = line.split_at_checked(name.len())?;
        let value = value.strip_prefix(b":")?.trim_ascii();
        found.eq_ignore_ascii_case(name.as_bytes()).then_some(value)
    })
}

/// Passes on the value of each field line with this name.
pub(super) fn field(head: &[u8], name: &str, out: Out<'_>) {
    values(head, name).for_each(|value| text(value, out));
}

/// Text, which is ASCII in HTTP: any other byte is shown as an unknown character.
fn text(bytes: &[u8], out: Out<'_>) {
    match std::str::from_utf8(bytes) {
        Ok("") => {}
        Ok(text) if text.is_ascii() => out(Value::Text(text)),
        _ => {
            let char = |byte: &u8| match byte.is_ascii() {
                true => char::from(*byte),
                false => char::REPLACEMENT_CHARACTER,
            };
            let text: String = bytes.iter().map(char).collect();
            out(Value::Text(&text));
        }
    }
}

fn decimal(bytes: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(bytes).ok()?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}
