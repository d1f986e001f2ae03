//! Service names: from `https` to port 443, by the text of `/etc/services`.
//!
//! The file has a line a service (services(5)):
//!
//! ```text
//! # a comment runs to the end of its line
//! http       80/tcp    www          # name, port/transport, aliases
//! domain     53/tcp
//! domain     53/udp
//! ```
//!
//! Parsing is pure: the caller reads the file, and hands in `""` if there is none. Names
//! that the text does not have are looked up in a small table of our own, so `http`
//! works in a container that has no `/etc/services` at all.
//!
//! A line that cannot be read is skipped, not an error: the file belongs to the system,
//! and one odd line in it must not take port 80 away from every program. The lines left
//! out are in [`Services::skipped`], for a person who wonders why a name is unknown.

use std::collections::BTreeMap;
use std::fmt;

use super::address_error::Excerpt;
use super::network::Transport;

/// The services of a machine without `/etc/services`: those that the programs here and
/// their readers type (IANA Service Name and Transport Protocol Port Number Registry).
const BUILTIN: &str = "
echo        7/tcp
echo        7/udp
discard     9/tcp       sink null
discard     9/udp       sink null
daytime     13/tcp
daytime     13/udp
ftp         21/tcp
ssh         22/tcp
telnet      23/tcp
smtp        25/tcp      mail
time        37/tcp
time        37/udp
domain      53/tcp
domain      53/udp
bootps      67/udp
bootpc      68/udp
tftp        69/udp
http        80/tcp      www
pop3        110/tcp
ntp         123/udp
imap2       143/tcp     imap
snmp        161/udp
ldap        389/tcp
https       443/tcp
https       443/udp
syslog      514/udp
submission  587/tcp
ldaps       636/tcp
domain-s    853/tcp
imaps       993/tcp
pop3s       995/tcp
mdns        5353/udp
";

/// A line of the text that gives no service, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedLine {
    /// The line's number, from 1.
    pub number: usize,
    /// Why nothing was taken from it.
    pub reason: SkipReason,
}

/// Why a line of the services text was skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SkipReason {
    /// There is a name, but no `port/transport` after it.
    NoPort,
    /// The second word has no `/`.
    NoTransport(Excerpt),
    /// The port is not a number from 0 to 65535.
    BadPort(Excerpt),
    /// The transport is neither `tcp` nor `udp` (`sctp` and `dccp` are usual; we open no
    /// such sockets).
    OtherTransport(Excerpt),
}

impl fmt::Display for SkippedLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.number, self.reason)
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SkipReason::NoPort => write!(f, "no port after the name"),
            SkipReason::NoTransport(word) => write!(f, "{word} is not port/transport"),
            SkipReason::BadPort(port) => write!(f, "port {port} is not 0 to 65535"),
            SkipReason::OtherTransport(name) => write!(f, "transport {name} is not tcp or udp"),
        }
    }
}

/// The services a machine knows by name.
///
/// ```
/// use groundwire::net::network::Transport;
/// use groundwire::net::services::Services;
///
/// let services = Services::parse("radio 8000/tcp stream  # the office radio");
/// assert_eq!(services.port("stream", Transport::Tcp), Some(8000));
/// assert_eq!(services.port("radio", Transport::Udp), None);
/// assert_eq!(services.name(8000, Transport::Tcp), Some("radio"));
/// assert_eq!(services.port("https", Transport::Tcp), Some(443)); // built in
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Services {
    tcp: BTreeMap<String, u16>,
    udp: BTreeMap<String, u16>,
    tcp_names: BTreeMap<u16, String>,
    udp_names: BTreeMap<u16, String>,
    skipped: Vec<SkippedLine>,
}

impl Services {
    /// Only the small table of our own.
    pub fn builtin() -> Services {
        Services::parse("")
    }

    /// Reads the text of `/etc/services`; what it does not name comes from the built-in
    /// table. Never fails. Takes memory in proportion to the text, so the caller limits
    /// how much of a file it reads.
    pub fn parse(text: &str) -> Services {
        let mut services = Services {
            tcp: BTreeMap::new(),
            udp: BTreeMap::new(),
            tcp_names: BTreeMap::new(),
            udp_names: BTreeMap::new(),
            skipped: Vec::new(),
        };
        services.add_lines(text);
        services.add_lines(BUILTIN);
        services
    }

    /// The port of a service, by its name or an alias, ignoring ASCII case
    /// (RFC 6335 §5.1).
    pub fn port(&self, name: &str, transport: Transport) -> Option<u16> {
        let ports = match transport {
            Transport::Tcp => &self.tcp,
            Transport::Udp => &self.udp,
        };
        ports.get(&name.to_ascii_lowercase()).copied()
    }

    /// The name of the service at a port: that of the first line with this port, as
    /// getservbyport(3) has it.
    pub fn name(&self, port: u16, transport: Transport) -> Option<&str> {
        let names = match transport {
            Transport::Tcp => &self.tcp_names,
            Transport::Udp => &self.udp_names,
        };
        names.get(&port).map(String::as_str)
    }

    /// The lines from which nothing was taken, in order.
    pub fn skipped(&self) -> &[SkippedLine] {
        &self.skipped
    }

    fn add_lines(&mut self, text: &str) {
        for (index, line) in text.lines().enumerate() {
            if let Err(reason) = self.add_line(line) {
                let number = index + 1;
                self.skipped.push(SkippedLine { number, reason });
            }
        }
    }

    fn add_line(&mut self, line: &str) -> Result<(), SkipReason> {
        let before_comment = line.split('#').next().unwrap_or_default();
        let mut words = before_comment.split_whitespace();
        let Some(name) = words.next() else {
            return Ok(()); // blank, or nothing but a comment
        };
        let (port, transport) = port_and_transport(words.next().ok_or(SkipReason::NoPort)?)?;
        let names = match transport {
            Transport::Tcp => &mut self.tcp_names,
            Transport::Udp => &mut self.udp_names,
        };
        names.entry(port).or_insert_with(|| name.to_string());
        self.add(name, port, transport);
        for alias in words {
            self.add(alias, port, transport);
        }
        Ok(())
    }

    /// The first line that gives a name wins, as in getservbyname(3). The built-in table
    /// comes last, so the machine's own file always has its way.
    fn add(&mut self, name: &str, port: u16, transport: Transport) {
        let ports = match transport {
            Transport::Tcp => &mut self.tcp,
            Transport::Udp => &mut self.udp,
        };
        ports.entry(name.to_ascii_lowercase()).or_insert(port);
    }
}

fn port_and_transport(word: &str) -> Result<(u16, Transport), SkipReason> {
    let Some((port, transport)) = word.split_once('/') else {
        return Err(SkipReason::NoTransport(Excerpt::new(word)));
    };
    let transport = match transport {
        "tcp" => Transport::Tcp,
        "udp" => Transport::Udp,
        other => return Err(SkipReason::OtherTransport(Excerpt::new(other))),
    };
    // `parse` alone would take a `+`.
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    match port.parse() {
        Ok(number) if digits => Ok((number, transport)),
        _ => Err(SkipReason::BadPort(Excerpt::new(port))),
    }
}

#[cfg(test)]
mod tests {
    use super::Transport::{Tcp, Udp};
    use super::*;

    const TEXT: &str = "\
# Network services, Internet style
tcpmux\t\t1/tcp\t\t\t\t# TCP port service multiplexer
http   80/tcp  www www-http#WorldWideWeb

  indented 1234/udp
dual 7000/tcp
dual 7001/udp
dual 7002/tcp   # a second time
ssh 2222/tcp    # this machine moved it
Upper 99/tcp
";

    #[test]
    fn names_and_aliases_have_the_port_of_their_transport() {
        let services = Services::parse(TEXT);
        let cases = [
            ("tcpmux", Tcp, Some(1), "tabs and a comment"),
            ("tcpmux", Udp, None, "the other transport"),
            ("http", Tcp, Some(80), "a name"),
            ("www", Tcp, Some(80), "an alias"),
            (
                "www-http",
                Tcp,
                Some(80),
                "an alias that touches the comment",
            ),
            ("WorldWideWeb", Tcp, None, "a word of the comment"),
            ("indented", Udp, Some(1234), "space before the name"),
            ("dual", Tcp, Some(7000), "the first line wins"),
            ("dual", Udp, Some(7001), "a port a transport"),
            (
                "ssh",
                Tcp,
                Some(2222),
                "the text overrides the built-in table",
            ),
            ("upper", Tcp, Some(99), "case does not matter"),
            ("HTTP", Tcp, Some(80), "case does not matter"),
            ("https", Tcp, Some(443), "built in, not in the text"),
            ("nonsuch", Tcp, None, "nowhere"),
            ("", Tcp, None, "no name"),
        ];
        for (name, transport, expected, why) in cases {
            assert_eq!(
                services.port(name, transport),
                expected,
                "{name}/{transport}: {why}"
            );
        }
        assert_eq!(services.skipped(), []);
    }

    #[test]
    fn a_bad_line_is_skipped_with_its_reason_and_the_next_still_counts() {
        let cases = [
            ("lonely", "line 1: no port after the name"),
            ("lonely # 80/tcp", "line 1: no port after the name"),
            ("x 80", "line 1: 80 is not port/transport"),
            ("x http/tcp", "line 1: port http is not 0 to 65535"),
            ("x /tcp", "line 1: port \"\" is not 0 to 65535"),
            ("x +80/tcp", "line 1: port +80 is not 0 to 65535"),
            ("x 65536/tcp", "line 1: port 65536 is not 0 to 65535"),
            ("x 80/sctp", "line 1: transport sctp is not tcp or udp"),
            (
                "x 80/tcp/udp",
                "line 1: transport tcp/udp is not tcp or udp",
            ),
        ];
        for (line, expected) in cases {
            let services = Services::parse(&format!("{line}\nnext 4242/tcp\n"));
            let skipped: Vec<String> = services.skipped().iter().map(|s| s.to_string()).collect();
            assert_eq!(skipped, [expected], "{line}");
            assert_eq!(services.port("x", Tcp), None, "{line}");
            assert_eq!(services.port("next", Tcp), Some(4242), "{line}");
        }
    }

    #[test]
    fn the_builtin_table_has_no_bad_line() {
        let services = Services::builtin();
        assert_eq!(services.skipped(), []);
        let cases = [
            ("echo", Udp, 7),
            ("ssh", Tcp, 22),
            ("domain", Udp, 53),
            ("http", Tcp, 80),
            ("https", Tcp, 443),
        ];
        for (name, transport, port) in cases {
            assert_eq!(services.port(name, transport), Some(port), "{name}");
        }
    }
}
