//! Service names: from `https` to port 443, with the text of `/etc/services`.
//!
//! The file has one line per service (services(5)):
//!
//! ```text
//! # a comment runs to the end of its line
//! http       80/tcp    www          # name, port/transport, aliases
//! domain     53/tcp
//! domain     53/udp
//! ```
//!
//! Parsing is pure: the caller reads the file, and passes `""` if there is none. Names that are not
//! in the text are looked up in a small built-in table, so `http` works in a container that has no
//! `/etc/services`.
//!
//! A line that cannot be read is skipped, not an error: the file belongs to the system,
//! and one odd line in it must not take port 80 away from every program.

use std::collections::BTreeMap;

use super::network::Transport;

/// The services of a machine without `/etc/services`: those that users of these programs type (IANA
/// Service Name and Transport Protocol Port Number Registry).
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
    /// By name or alias, in lower case.
    ports: BTreeMap<(Transport, String), u16>,
    names: BTreeMap<(Transport, u16), String>,
}

impl Services {
    /// Only the built-in table.
    pub fn builtin() -> Services {
        Services::parse("")
    }

    /// Reads the text of `/etc/services`; services that it does not name come from the built-in
    /// table. Never fails. Takes memory in proportion to the text, so the caller limits how much of
    /// a file it reads.
    pub fn parse(text: &str) -> Services {
        let mut services = Services {
            ports: BTreeMap::new(),
            names: BTreeMap::new(),
        };
        for line in text.lines().chain(BUILTIN.lines()) {
            services.add_line(line);
        }
        services
    }

    /// The port of a service, by its name or an alias, ignoring ASCII case
    /// (RFC 6335 §5.1).
    pub fn port(&self, name: &str, transport: Transport) -> Option<u16> {
        let key = (transport, name.to_ascii_lowercase());
        self.ports.get(&key).copied()
    }

    /// The name of the service at a port: that of the first line with this port, as in
    /// getservbyport(3).
    pub fn name(&self, port: u16, transport: Transport) -> Option<&str> {
        self.names.get(&(transport, port)).map(String::as_str)
    }

    /// Adds the service of a line. A line without a name and a port adds nothing, and neither does
    /// a transport other than `tcp` and `udp` (`sctp` and `dccp` are common; we open no such
    /// sockets).
    fn add_line(&mut self, line: &str) {
        let before_comment = line.split('#').next().unwrap_or_default();
        let mut words = before_comment.split_whitespace();
        let (Some(name), Some(second)) = (words.next(), words.next()) else {
            return;
        };
        let Some((port, transport)) = port_and_transport(second) else {
            return;
        };
        let first = self.names.entry((transport, port));
        first.or_insert_with(|| name.to_string());
        self.add(name, port, transport);
        for alias in words {
            self.add(alias, port, transport);
        }
    }

    /// The first line that gives a name wins, as in getservbyname(3). The built-in table comes
    /// last, so the machine's own file takes precedence.
    fn add(&mut self, name: &str, port: u16, transport: Transport) {
        let key = (transport, name.to_ascii_lowercase());
        self.ports.entry(key).or_insert(port);
    }
}

fn port_and_transport(word: &str) -> Option<(u16, Transport)> {
    let (port, transport) = word.split_once('/')?;
    let transport = match transport {
        "tcp" => Transport::Tcp,
        "udp" => Transport::Udp,
        _ => return None,
    };
    // `parse` alone would accept a `+`.
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    let number = port.parse().ok().filter(|_| digits)?;
    Some((number, transport))
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
    }

    #[test]
    fn a_bad_line_gives_nothing_and_the_next_still_counts() {
        for line in [
            "x",
            "x # 80/tcp",
            "x 80",
            "x http/tcp",
            "x /tcp",
            "x +80/tcp",
            "x 65536/tcp",
            "x 80/sctp",
            "x 80/tcp/udp",
        ] {
            let services = Services::parse(&format!("{line}\nnext 4242/tcp\n"));
            assert_eq!(services.port("x", Tcp), None, "{line}");
            assert_eq!(services.name(80, Tcp), Some("http"), "{line}");
            assert_eq!(services.port("next", Tcp), Some(4242), "{line}");
        }
    }

    #[test]
    fn the_builtin_table_has_no_bad_line() {
        let services = Services::builtin();
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
