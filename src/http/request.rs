//! A request's header section and what it means (RFC 9112 §3, RFC 9110 §7 to §10).

use std::borrow::Cow;

use super::error::Rule;
use super::field::{Fields, Name};
use super::framing::{self, Framing, Version};
use super::host::Authority;
use super::octets;
use super::parser::HeadParser;

/// A request target (RFC 9112 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// `/path?query`: what clients send to servers; or the path of an absolute form.
    Path(&'a str),
    /// `?query`: an absolute form without a path, which stands for `/?query` (RFC 9110 §4.2.3).
    Query(&'a str),
    /// `host:port`, with CONNECT only.
    Authority(Authority<'a>),
    /// `*`, with OPTIONS only: the server itself.
    Asterisk,
}

/// A request's header section. It borrows the bytes that it was read from.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// The method, case-sensitive: `GET` and `get` are different (RFC 9110 §9.1).
    pub method: &'a str,
    /// The target.
    pub target: Target<'a>,
    /// The version.
    pub version: Version,
    /// The host that the request is for: from the target if it names one (it overrides Host, RFC
    /// 9112 §3.2.2), else from Host; `None` in HTTP/1.0 without either.
    pub host: Option<Authority<'a>>,
    /// The field lines.
    pub fields: Fields<'a>,
    /// Where the body ends.
    pub framing: Framing,
    /// Whether the client wants to keep the connection after the response (RFC 9112 §9.3).
    pub keep_alive: bool,
    /// Whether the client waits for 100 (Continue) before it sends the body (RFC 9110 §10.1.1).
    pub expects_continue: bool,
    /// Whether the client asks for another protocol on this connection (RFC 9110 §7.8).
    pub upgrade: bool,
    /// The length of the section in bytes.
    pub length: usize,
}

impl HeadParser {
    /// The request whose section [`advance`](Self::advance) found complete in `bytes`.
    pub fn request<'a>(&'a self, bytes: &'a [u8]) -> Result<RequestHead<'a>, Rule> {
        let start = self.start.as_ref().ok_or(Rule::BadRequestLine)?;
        let part = |from: usize, to: usize| {
            let part = bytes.get(from..to).unwrap_or_default();
            std::str::from_utf8(part).map_err(|_| Rule::BadRequestLine)
        };
        let method = part(self.begin, start.method_end)?;
        let raw = part(start.method_end + 1, start.end)?;
        let (fields, version) = (self.fields(bytes), start.version);
        let (target, named) = target(method, raw)?;
        let host = host(version, fields)?;
        let options = framing::connection(fields)?;
        let framing = framing::of_fields(version, fields)?.unwrap_or(Framing::None);
        if method == "CONNECT" && framing != Framing::None {
            return Err(Rule::BodyOfConnect);
        }
        // Upgrade belongs to HTTP/1.1; in 1.0 it is ignored (RFC 9110 §7.8), and so is Expect
        // (§10.1.1). With content it is ignored, too, which is allowed: the other protocol would
        // begin after a body that another part of the program reads.
        let is_new = version == Version::Http11;
        let asks = is_new && upgrade(fields)?;
        let expects = is_new && expectation(fields)?;
        Ok(RequestHead {
            method,
            target,
            version,
            host: named.or(host),
            fields,
            framing,
            keep_alive: options.persists(version),
            expects_continue: expects && framing != Framing::None,
            upgrade: options.upgrade && asks && framing == Framing::None,
            length: self.length(),
        })
    }
}

impl<'a> RequestHead<'a> {
    /// The target as it goes to an origin server: the path, or `*`, or the authority.
    pub fn target_text(&self) -> Cow<'a, str> {
        match self.target {
            Target::Path(path) => path.into(),
            Target::Query(query) => format!("/{query}").into(),
            Target::Authority(authority) => authority.text.into(),
            Target::Asterisk => "*".into(),
        }
    }
}

/// The form of the target, and the authority that an absolute form names.
fn target<'a>(method: &str, raw: &'a str) -> Result<(Target<'a>, Option<Authority<'a>>), Rule> {
    if method == "CONNECT" {
        let authority = Authority::parse(raw.as_bytes()).map_err(|_| Rule::BadTarget)?;
        if authority.port.is_none_or(|port| port == 0) {
            return Err(Rule::BadTarget); // the port is not optional here (RFC 9110 §9.3.6)
        }
        return Ok((Target::Authority(authority), Some(authority)));
    }
    match raw {
        "*" if method == "OPTIONS" => return Ok((Target::Asterisk, None)),
        path if path.starts_with('/') => return Ok((Target::Path(path), None)),
        _ => {}
    }
    let (scheme, rest) = raw.split_once("://").ok_or(Rule::BadTarget)?;
    if scheme.eq_ignore_ascii_case("https") {
        return Err(Rule::WrongScheme);
    }
    if !scheme.eq_ignore_ascii_case("http") {
        return Err(Rule::BadTarget);
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).ok_or(Rule::BadTarget)?;
    let authority = Authority::parse(authority.as_bytes()).map_err(|_| Rule::BadTarget)?;
    let target = match path {
        // An empty path is `/`, except with OPTIONS, where it means the server (RFC 9112 §3.2.4).
        "" if method == "OPTIONS" => Target::Asterisk,
        "" => Target::Path("/"),
        query if query.starts_with('?') => Target::Query(query),
        path => Target::Path(path),
    };
    Ok((target, Some(authority)))
}

fn host<'a>(version: Version, fields: Fields<'a>) -> Result<Option<Authority<'a>>, Rule> {
    let mut lines = fields.all(Name::Host);
    match (lines.next(), lines.next()) {
        (Some(_), Some(_)) => Err(Rule::TwoHosts),
        (Some(value), None) => Authority::parse(value).map(Some),
        (None, _) if version == Version::Http11 => Err(Rule::NoHost),
        (None, _) => Ok(None),
    }
}

/// Whether the one defined expectation is present.
fn expectation(fields: Fields<'_>) -> Result<bool, Rule> {
    let mut expected = false;
    for element in fields.elements(Name::Expect) {
        if !element.eq_ignore_ascii_case(b"100-continue") {
            return Err(Rule::BadExpectation);
        }
        expected = true;
    }
    Ok(expected)
}

/// Whether Upgrade names protocols: `token` or `token/token` (RFC 9110 §7.8). A list with h2c is
/// ignored: it is deprecated (RFC 9113 §3.1), and a tunnel of HTTP/2 would take requests past a
/// proxy that must check each of them.
fn upgrade(fields: Fields<'_>) -> Result<bool, Rule> {
    let (mut any, mut any_h2c) = (false, false);
    for protocol in fields.elements(Name::Upgrade) {
        let mut parts = protocol.splitn(2, |&byte| byte == b'/');
        let name = protocol.get(..3).unwrap_or_default();
        any_h2c |= name.eq_ignore_ascii_case(b"h2c");
        if !parts.all(octets::is_token) {
            return Err(Rule::BadConnection);
        }
        any = true;
    }
    Ok(any && !any_h2c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Limits;

    /// What the head says, in one line, when it arrives byte by byte.
    fn read(text: &str) -> Result<String, Rule> {
        let mut parser = HeadParser::requests(Limits::default());
        let bytes = text.as_bytes();
        for end in 0..=bytes.len() {
            if parser.advance(&bytes[..end])? {
                let head = parser.request(bytes)?;
                assert_eq!(head.length, end);
                let host = head.host.map_or("-", |host| host.text);
                let flags = [head.keep_alive, head.expects_continue, head.upgrade];
                let flags: String = flags
                    .iter()
                    .zip("keu".chars())
                    .filter(|(set, _)| **set)
                    .map(|(_, c)| c)
                    .collect();
                return Ok(format!(
                    "{} {} {host} {:?} {flags}",
                    head.method,
                    head.target_text(),
                    head.framing
                ));
            }
        }
        Ok("more".into())
    }

    #[test]
    fn heads_mean_what_the_rfc_says() {
        for (text, meaning) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / a None k"),
            ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / a None k"),
            ("GET / HTTP/1.0\r\n\r\n", "GET / - None "),
            (
                "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
                "GET / - None k",
            ),
            (
                "GET / HTTP/1.9\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n",
                "GET / a None ",
            ),
            (
                "GET http://b:1/c?d HTTP/1.1\r\nHost: a\r\n\r\n",
                "GET /c?d b:1 None k",
            ),
            (
                "OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n",
                "OPTIONS * b None k",
            ),
            (
                "OPTIONS http://b?c HTTP/1.1\r\nHost: a\r\n\r\n",
                "OPTIONS /?c b None k",
            ),
            (
                "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
                "OPTIONS * a None k",
            ),
            (
                "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
                "CONNECT a:443 a:443 None k",
            ),
            (
                "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n",
                "PUT / a Length(3) ke",
            ),
            (
                "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n",
                "PUT / a Chunked k",
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
                "GET / a None ku",
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
                "GET / a None k",
            ),
            ("GET / HTTP/1.1\r\nHost: a\r\n", "more"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(meaning), "{text:?}");
        }
    }

    #[test]
    fn start_lines_and_fields_that_break_a_rule_are_refused() {
        for (line, rule) in [
            ("GET /", Rule::BadRequestLine),
            ("GET  / HTTP/1.1", Rule::BadRequestLine),
            ("GET /  HTTP/1.1", Rule::BadVersion),
            ("GET\t/ HTTP/1.1", Rule::BadMethod),
            ("\u{16}\u{3}\u{1}", Rule::BadMethod),
            (" GET / HTTP/1.1", Rule::BadMethod),
            ("GET / http/1.1", Rule::BadVersion),
            ("GET / HTTP/1.10", Rule::BadRequestLine),
            ("GET / HTTP/2.0", Rule::UnknownVersion),
            ("PRI * HTTP/2.0", Rule::UnknownVersion),
            ("GET /#a HTTP/1.1", Rule::Fragment),
            ("GET /\u{e9} HTTP/1.1", Rule::BadRequestLine),
            ("GET a HTTP/1.1", Rule::BadTarget),
            ("GET * HTTP/1.1", Rule::BadTarget),
            ("GET a:80 HTTP/1.1", Rule::BadTarget),
            ("CONNECT /a HTTP/1.1", Rule::BadTarget),
            ("CONNECT a HTTP/1.1", Rule::BadTarget),
            ("GET https://a/ HTTP/1.1", Rule::WrongScheme),
            ("GET http:///a HTTP/1.1", Rule::BadTarget),
            ("GET http://u@a/ HTTP/1.1", Rule::BadTarget),
        ] {
            let text = format!("{line}\r\nHost: a\r\n\r\n");
            assert_eq!(read(&text), Err(rule), "{line:?}");
        }
        for (fields, rule) in [
            ("", Rule::NoHost),
            ("Host: a\r\nHost: a", Rule::TwoHosts),
            ("Host: ", Rule::BadHost),
            ("Host: a\r\nConnection: a b", Rule::BadConnection),
            ("Host: a\r\nExpect: x", Rule::BadExpectation),
            (
                "Host: a\r\nContent-Length: 1\r\nContent-Length: 1",
                Rule::TwoLengths,
            ),
            ("Host: a\r\nContent-Length: 1, 1", Rule::BadLength),
            (
                "Host: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
                Rule::LengthAndCoding,
            ),
            ("Host: a\r\nTransfer-Encoding: gzip", Rule::BadCoding),
            (
                "Host: a\r\nTransfer-Encoding: gzip, chunked",
                Rule::UnknownCoding,
            ),
            (
                "Host: a\r\nTransfer-Encoding: chunked, gzip",
                Rule::BadCoding,
            ),
            (
                "Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                Rule::BadCoding,
            ),
            ("Host: a\r\nTransfer-Encoding: chunked;q=1", Rule::BadCoding),
            ("Host: a\r\nTransfer-Encoding: ,chunked", Rule::BadCoding),
            ("Host: a\r\nTransfer-Encoding:", Rule::BadCoding),
            ("Host: a\r\nTransfer-Encoding: \"chunked\"", Rule::BadCoding),
        ] {
            let fields = if fields.is_empty() {
                String::new()
            } else {
                format!("{fields}\r\n")
            };
            let text = format!("GET / HTTP/1.1\r\n{fields}\r\n");
            assert_eq!(read(&text), Err(rule), "{fields:?}");
        }
        assert_eq!(
            read("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
            Err(Rule::CodingInOldVersion)
        );
        assert_eq!(
            read("CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"),
            Err(Rule::BodyOfConnect)
        );
    }
}
