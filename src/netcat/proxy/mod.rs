//! Asking a proxy for a connection: HTTP CONNECT, SOCKS 4 and 4a, SOCKS 5. Pure.
//!
//! A handshake says exactly how many bytes it needs next. After its last byte the stream belongs to
//! the target, whose first bytes may arrive in the same segment, so it must not read too far.
//!
//! ```text
//! loop { match handshake.step() {
//!     Step::Send(bytes)  ──> write them
//!     Step::Read(count)  ──> read exactly as many, handshake.received(bytes)?
//!     Step::Done         ──> the stream leads to the target
//! } }
//! ```
//!
//! Sources: RFC 1928 (SOCKS 5), RFC 9110 §9.3.6 (CONNECT). For SOCKS 4 and 4a there are only memos,
//! by Y.-D. Lee of NEC ("SOCKS: A protocol for TCP proxy across firewalls", and its extension).
//! Authentication is left out, although RFC 1928 §3 demands GSSAPI and recommends user name and
//! password: if a proxy asks for it, the error says so.

mod connect;
mod socks4;
mod socks5;

use std::fmt;

use crate::net::{Host, join_host_port};

/// The longest header section of a proxy's reply, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// The protocol spoken with a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP's CONNECT method.
    Connect,
    /// SOCKS 4; with a name 4a, in which the proxy looks the name up.
    Socks4,
    /// SOCKS 5 without authentication.
    Socks5,
}

impl Protocol {
    /// The port where such proxies usually listen: 1080 (RFC 1928 §3) and, by Squid's custom, 3128.
    pub fn usual_port(self) -> u16 {
        match self {
            Protocol::Connect => 3128,
            Protocol::Socks4 | Protocol::Socks5 => 1080,
        }
    }
}

/// Why there is no connection through the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyError {
    /// The protocol cannot express this target.
    Target(&'static str),
    /// The reply is not of this protocol; its first bytes.
    NotTheProtocol(&'static str, Vec<u8>),
    /// The header sections of the reply and of interim ones are longer than 16 KiB together.
    TooLong,
    /// The proxy wants authentication.
    Authentication,
    /// The proxy refused; its words, or the meaning of its code.
    Refused(String),
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProxyError::Target(why) => f.write_str(why),
            ProxyError::NotTheProtocol(name, bytes) => {
                write!(
                    f,
                    "the proxy does not speak {name}: it sent \"{}\"",
                    bytes.escape_ascii()
                )
            }
            ProxyError::TooLong => write!(f, "the proxy's reply is longer than {MAX_HEAD} bytes"),
            ProxyError::Authentication => {
                f.write_str("the proxy wants authentication, which is not supported")
            }
            ProxyError::Refused(why) => write!(f, "the proxy refused: {why}"),
        }
    }
}

impl std::error::Error for ProxyError {}

/// What a handshake needs next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send these bytes.
    Send(Vec<u8>),
    /// Read exactly this many bytes, and hand them to [`Handshake::received`].
    Read(usize),
    /// The stream now leads to the target.
    Done,
}

/// The state of the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// SOCKS 5 only: offers the methods of authentication.
    Greeting,
    GreetingReply,
    Request,
    Reply,
    /// SOCKS 5 only: the rest of the reply, of this length.
    Rest(usize),
    Done,
}

/// One handshake.
#[derive(Clone, Debug)]
pub struct Handshake {
    protocol: Protocol,
    request: Vec<u8>,
    stage: Stage,
    /// CONNECT only: the header sections so far.
    heads: connect::Heads,
}

impl Handshake {
    /// Prepares to ask for a connection to a host and port. Fails when the protocol cannot express
    /// them: an IPv6 address or 0.0.0.x in SOCKS 4, no host at all.
    pub fn new(protocol: Protocol, host: &Host, port: u16) -> Result<Handshake, ProxyError> {
        let request = match protocol {
            Protocol::Connect => connect::request(host, port)?,
            Protocol::Socks4 => socks4::request(host, port)?,
            Protocol::Socks5 => socks5::request(host, port)?,
        };
        let stage = match protocol {
            Protocol::Socks5 => Stage::Greeting,
            _ => Stage::Request,
        };
        Ok(Handshake {
            protocol,
            request,
            stage,
            heads: connect::Heads::default(),
        })
    }

    /// What to do next. The caller must carry out a `Send`.
    pub fn step(&mut self) -> Step {
        match self.stage {
            Stage::Greeting => {
                self.stage = Stage::GreetingReply;
                Step::Send(socks5::GREETING.to_vec())
            }
            Stage::GreetingReply => Step::Read(socks5::GREETING_REPLY),
            Stage::Request => {
                self.stage = Stage::Reply;
                Step::Send(std::mem::take(&mut self.request))
            }
            Stage::Reply => Step::Read(match self.protocol {
                // Byte by byte: the length of the header section is not known.
                Protocol::Connect => 1,
                Protocol::Socks4 => socks4::REPLY,
                Protocol::Socks5 => socks5::REPLY_START,
            }),
            Stage::Rest(count) => Step::Read(count),
            Stage::Done => Step::Done,
        }
    }

    /// Takes the bytes that [`Step::Read`] asked for.
    pub fn received(&mut self, bytes: &[u8]) -> Result<(), ProxyError> {
        self.stage = match (self.stage, self.protocol) {
            (Stage::GreetingReply, _) => socks5::check_greeting(bytes).map(|()| Stage::Request)?,
            (Stage::Reply, Protocol::Socks4) => socks4::check(bytes).map(|()| Stage::Done)?,
            (Stage::Reply, Protocol::Socks5) => Stage::Rest(socks5::check(bytes)?),
            (Stage::Reply, Protocol::Connect) => match bytes {
                [byte] if self.heads.take(*byte)? == connect::Reply::Connected => Stage::Done,
                _ => Stage::Reply,
            },
            (Stage::Rest(_), _) => Stage::Done,
            (stage, _) => stage,
        };
        Ok(())
    }
}

/// The host as text, for protocols that take one; `None` without a host.
fn host_text(host: &Host) -> Option<String> {
    match host {
        Host::Any => None,
        Host::Ip(ip) => Some(ip.ip().to_string()),
        Host::Name(name) => Some(name.clone()),
    }
}

/// `host:port`, with brackets if needed.
fn authority(host: &Host, port: u16) -> Option<String> {
    host_text(host).map(|host| join_host_port(&host, port))
}

const NO_HOST: ProxyError = ProxyError::Target("a proxy needs to be told a host");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{HostPort, Services, Transport};

    fn target(text: &str) -> HostPort {
        HostPort::parse(text, Transport::Tcp, &Services::builtin()).unwrap()
    }

    /// Runs a handshake with a proxy's bytes: returns what was sent, and the bytes that are left.
    fn run(
        protocol: Protocol,
        text: &str,
        mut proxy: &[u8],
    ) -> Result<(Vec<Vec<u8>>, Vec<u8>), ProxyError> {
        let target = target(text);
        let mut handshake = Handshake::new(protocol, &target.host, target.port)?;
        let mut sent = Vec::new();
        loop {
            match handshake.step() {
                Step::Send(bytes) => sent.push(bytes),
                Step::Read(count) => {
                    let (part, rest) = proxy.split_at_checked(count).expect("enough bytes");
                    proxy = rest;
                    handshake.received(part)?;
                }
                Step::Done => return Ok((sent, proxy.to_vec())),
            }
        }
    }

    #[test]
    fn socks5_sends_a_name_for_the_proxy_to_look_up_and_leaves_the_targets_bytes() {
        let proxy = b"\x05\x00\x05\x00\x00\x01\x7f\0\0\x01\x1f\x90SSH-2.0";
        let (sent, rest) = run(Protocol::Socks5, "lab.test:22", proxy).unwrap();
        assert_eq!(sent[0], b"\x05\x01\x00");
        assert_eq!(sent[1], b"\x05\x01\x00\x03\x08lab.test\x00\x16");
        assert_eq!(rest, b"SSH-2.0");
    }

    #[test]
    fn socks5_takes_replies_with_each_kind_of_address() {
        for tail in [
            [&b"\x05\x00\x00\x04"[..], &[0; 18]].concat(),
            b"\x05\x00\x00\x03\x05proxy\0\x01".to_vec(),
        ] {
            let proxy = [&b"\x05\x00"[..], &tail, b"!"].concat();
            let (sent, rest) = run(Protocol::Socks5, "[::1]:80", &proxy).unwrap();
            assert_eq!(sent[1][..4], *b"\x05\x01\x00\x04");
            assert_eq!(rest, b"!");
        }
    }

    #[test]
    fn socks5_refusals_say_why() {
        let refused = run(
            Protocol::Socks5,
            "127.0.0.1:80",
            b"\x05\x00\x05\x05\0\x01\0\0\0\0\0\0",
        );
        assert_eq!(
            refused,
            Err(ProxyError::Refused("connection refused".into()))
        );
        let wants = run(Protocol::Socks5, "127.0.0.1:80", b"\x05\xff");
        assert_eq!(wants, Err(ProxyError::Authentication));
        let other = run(Protocol::Socks5, "127.0.0.1:80", b"HTTP/1.1");
        assert_eq!(
            other,
            Err(ProxyError::NotTheProtocol("SOCKS 5", b"HT".to_vec()))
        );
    }

    #[test]
    fn socks4_sends_addresses_itself_and_names_as_4a() {
        let proxy = b"\0\x5a\0\0\0\0\0\0x";
        let (sent, rest) = run(Protocol::Socks4, "10.0.0.1:80", proxy).unwrap();
        assert_eq!(sent, [b"\x04\x01\x00\x50\x0a\0\0\x01\0".to_vec()]);
        assert_eq!(rest, b"x");
        let (sent, _) = run(Protocol::Socks4, "lab.test:80", proxy).unwrap();
        assert_eq!(sent, [b"\x04\x01\x00\x50\0\0\0\x01\0lab.test\0".to_vec()]);
        let refused = run(Protocol::Socks4, "10.0.0.1:80", b"\0\x5b\0\0\0\0\0\0");
        assert!(matches!(refused, Err(ProxyError::Refused(_))));
        assert!(matches!(
            run(Protocol::Socks4, "[::1]:80", b""),
            Err(ProxyError::Target(_))
        ));
        // That address would say that a name follows, and the proxy would wait for it.
        assert!(matches!(
            run(Protocol::Socks4, "0.0.0.7:80", proxy),
            Err(ProxyError::Target(_))
        ));
        assert!(run(Protocol::Socks4, "0.0.0.0:80", proxy).is_ok());
    }

    #[test]
    fn connect_reads_the_header_section_and_not_a_byte_more() {
        let proxy = b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\nSSH";
        let (sent, rest) = run(Protocol::Connect, "[::1]:22", proxy).unwrap();
        assert_eq!(
            sent,
            [b"CONNECT [::1]:22 HTTP/1.1\r\nHost: [::1]:22\r\n\r\n".to_vec()]
        );
        assert_eq!(rest, b"SSH");
        let (_, rest) = run(Protocol::Connect, "a.test:22", b"HTTP/1.0 200 OK\n\nSSH").unwrap();
        assert_eq!(rest, b"SSH");
        let mixed = b"HTTP/1.0 200 OK\n\r\nSSH-2.0-a\r\n";
        let (_, rest) = run(Protocol::Connect, "a.test:22", mixed).unwrap();
        assert_eq!(rest, b"SSH-2.0-a\r\n");
    }

    #[test]
    fn connect_tells_the_proxys_words_and_gives_up_on_what_is_no_http_or_too_long() {
        let run = |bytes: &[u8]| run(Protocol::Connect, "a.test:22", bytes);
        let refused = run(b"HTTP/1.1 403 Forbidden\r\n\r\n");
        assert_eq!(refused, Err(ProxyError::Refused("403 Forbidden".into())));
        let wants = run(b"HTTP/1.1 407 Who?\r\n\r\n");
        assert_eq!(wants, Err(ProxyError::Authentication));
        assert!(matches!(
            run(b"SSH-2.0-x\r\n"),
            Err(ProxyError::NotTheProtocol("HTTP", _))
        ));
        let long = [b"HTTP/1.1 200 OK\r\nx: ".to_vec(), vec![b'y'; MAX_HEAD]].concat();
        assert_eq!(run(&long), Err(ProxyError::TooLong));
        let talkative = [
            b"HTTP/1.1 403 ".to_vec(),
            vec![b'y'; 9000],
            b"\n\n".to_vec(),
        ]
        .concat();
        assert!(matches!(run(&talkative), Err(ProxyError::Refused(why)) if why.len() <= 200));
    }

    #[test]
    fn connect_reads_interim_replies_over_but_not_without_end() {
        let run = |bytes: &[u8]| run(Protocol::Connect, "a.test:22", bytes);
        let (_, rest) = run(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n\
              HTTP/1.1 200 OK\r\n\r\nSSH",
        )
        .unwrap();
        assert_eq!(rest, b"SSH");
        let refused = run(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 502 Bad Gateway\r\n\r\n");
        assert_eq!(refused, Err(ProxyError::Refused("502 Bad Gateway".into())));
        let switched = run(b"HTTP/1.1 101 Switching Protocols\r\n\r\n");
        assert!(matches!(switched, Err(ProxyError::Refused(_))));
        let endless = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(MAX_HEAD / 20);
        assert_eq!(run(&endless), Err(ProxyError::TooLong));
    }

    #[test]
    fn connect_takes_three_digits_as_a_status_and_nothing_else() {
        let run = |line: &str| {
            let head = format!("{line}\r\n\r\n");
            run(Protocol::Connect, "a.test:22", head.as_bytes())
        };
        assert!(run("HTTP/1.1 204").is_ok() && run("HTTP/1.0 200 ").is_ok());
        for line in [
            "HTTP/1.1 2zz OK",
            "HTTP/1.1 2000 OK",
            "HTTP/1.1 20",
            "HTTP/1.1  200 OK",
            "HTTP/1.zz 200 OK",
            "HTTP/1.1",
        ] {
            let no = ProxyError::NotTheProtocol("HTTP", line.as_bytes().to_vec());
            assert_eq!(run(line).map(drop), Err(no), "{line}");
        }
    }
}
