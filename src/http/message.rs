//! Messages as owned values, for programs where speed does not matter: pages, health checks,
//! lessons. (The proxy works on the borrowed heads and copies nothing.)

use super::framing::{Framing, Version};
use super::octets;
use super::request::RequestHead;
use super::response::ResponseHead;
use super::write;

/// Field lines as names and values, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldList(Vec<(String, Vec<u8>)>);

impl FieldList {
    /// The value of the first line with this name, in any case.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// The values of all lines with this name. Any line of a list-based field may have elements
    /// (RFC 9110 §5.3).
    pub fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The same as text; `None` also when it is not UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)
            .and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Adds a line. White space around the value is removed, and so are control characters, which
    /// would begin another line, and bytes that no name has (RFC 9110 §5.1). A line whose name is
    /// empty then is not added.
    pub fn add(&mut self, name: &str, value: impl AsRef<[u8]>) {
        let name: String = name.chars().filter(|&c| is_of_name(c)).collect();
        if name.is_empty() {
            return;
        }
        let value = value.as_ref().iter().copied();
        let clean: Vec<u8> = value.filter(|&byte| write::is_value(&[byte])).collect();
        self.0.push((name, octets::trim(&clean).to_vec()));
    }

    /// The lines.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    pub(super) fn of(fields: super::Fields<'_>) -> Self {
        let lines = fields.iter().map(|field| {
            let name = String::from_utf8_lossy(field.name).into_owned();
            (name, field.value.to_vec())
        });
        Self(lines.collect())
    }
}

fn is_of_name(c: char) -> bool {
    u8::try_from(c).is_ok_and(|byte| octets::is(byte, octets::TOKEN))
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path and query, `*`, or `host:port`.
    pub target: String,
    /// The version. A request that is sent always has 1.1.
    pub version: Version,
    /// The host and port that it is for, if known.
    pub host: Option<String>,
    /// The field lines, as they arrived. When a request is sent, Host, Content-Length and
    /// Transfer-Encoding are not taken from here but from the other fields.
    pub fields: FieldList,
    /// Where the body of a received request ends.
    pub framing: Framing,
    /// Whether the peer wants to keep the connection.
    pub keep_alive: bool,
    /// Whether the client waits for 100 (Continue).
    pub expects_continue: bool,
    /// Whether the client asks for another protocol.
    pub upgrade: bool,
    /// The body of a request to be sent. That of a received one is read by
    /// [`ServerExchange`](super::ServerExchange).
    pub body: Vec<u8>,
}

impl Request {
    /// A request to be sent, without a body.
    pub fn new(method: &str, target: &str, host: &str) -> Self {
        Self {
            method: method.into(),
            target: target.into(),
            version: Version::Http11,
            host: Some(host.into()),
            fields: FieldList::default(),
            framing: Framing::None,
            keep_alive: true,
            expects_continue: false,
            upgrade: false,
            body: Vec::new(),
        }
    }

    pub(super) fn of(head: &RequestHead<'_>) -> Self {
        Self {
            method: head.method.into(),
            target: head.target_text().into(),
            version: head.version,
            host: head.host.map(|host| host.text.into()),
            fields: FieldList::of(head.fields),
            framing: head.framing,
            keep_alive: head.keep_alive,
            expects_continue: head.expects_continue,
            upgrade: head.upgrade,
            body: Vec::new(),
        }
    }

    /// The path, without its query.
    pub fn path(&self) -> &str {
        self.target
            .split_once('?')
            .map_or(&self.target, |(path, _)| path)
    }

    /// The query, without its question mark.
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }
}

/// A response with its whole body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code, 100 to 599.
    pub status: u16,
    /// The field lines. When a response is sent, Date is added; Content-Length and
    /// Transfer-Encoding are not taken from here but from its body.
    pub fields: FieldList,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// A response without a body.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            fields: FieldList::default(),
            body: Vec::new(),
        }
    }

    /// A response with plain text.
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        Self::new(status).with_body("text/plain; charset=utf-8", text.into())
    }

    /// A response whose body is its own status code and reason.
    pub fn status(status: u16) -> Self {
        Self::text(status, format!("{status} {}\n", write::reason(status)))
    }

    /// The same with another field line.
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.fields.add(name, value);
        self
    }

    /// The same with this body.
    pub fn with_body(self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self { body, ..self }.with("Content-Type", content_type)
    }

    pub(super) fn of(head: &ResponseHead<'_>) -> Self {
        Self {
            status: head.status,
            fields: FieldList::of(head.fields),
            body: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_begins_no_other_line() {
        let mut fields = FieldList::default();
        fields.add("A", "b\r\nSet-Cookie: c\0\x7f");
        let lines: Vec<_> = fields.iter().collect();
        assert_eq!(lines, [("A", &b"bSet-Cookie: c"[..])]);
    }

    #[test]
    fn a_name_begins_no_other_line_and_ends_at_its_colon() {
        let mut fields = FieldList::default();
        fields.add("A: b\r\nSet-Cookie", " c\t");
        fields.add(" \r\n", "no name");
        let lines: Vec<_> = fields.iter().collect();
        assert_eq!(lines, [("AbSet-Cookie", &b"c"[..])]);
    }
}
