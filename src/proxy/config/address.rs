//! Where the balancer listens and where its backends are, as written on a line.
//!
//! ```text
//! listen  127.0.0.1:8080              backend http://10.0.0.7:9000 weight=3 max=100
//! listen  unix:/run/lb.sock           backend http://app.internal:9000
//! listen  :80 proxy-protocol          backend unix:/run/app.sock backup
//!                                     backend srv:_http._tcp.app.internal
//! ```
//!
//! A backend's host name stands for all its addresses, a service for all hosts and ports of its SRV
//! records (RFC 2782). This file does not look them up.

use std::fmt;
use std::str::FromStr;

use super::lines::quote;
use super::settings::Item;
use crate::dns::Name;
use crate::net::network::{Network, Transport};
use crate::net::services::Services;
use crate::net::{Host, HostPort};

/// The largest weight of a backend: enough for every useful ratio, and so small that sums of
/// weights never overflow.
pub const MAX_WEIGHT: u32 = 1000;

/// The longest path of a Unix socket, in bytes: `sun_path` of `unix(7)` without its NUL.
const MAX_UNIX_PATH: usize = 107;

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The address.
    pub address: ListenAddress,
    /// Whether a connection from a trusted peer ([`trust`](super::Forwarding::trust)) must begin
    /// with a PROXY protocol header, and one from any other peer is refused.
    pub proxy_protocol: bool,
}

/// An address to listen on, of either kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// TCP; port 0 chooses any free one.
    Tcp(HostPort),
    /// The path of a Unix socket.
    Unix(String),
}

/// One `backend` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// The address.
    pub address: BackendAddress,
    /// Its share of the requests against that of others, 1 to [`MAX_WEIGHT`]. Default 1.
    pub weight: u32,
    /// Its limit of connections at a time; without it, the pool's
    /// ([`connections`](super::PoolConfig::backend_connections)).
    pub max: Option<usize>,
    /// Whether it is used only when no other backend is in service.
    pub backup: bool,
}

/// Where a backend is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendAddress {
    /// TCP, by address or by name.
    Tcp(HostPort),
    /// The path of a Unix socket.
    Unix(String),
    /// A name with SRV records.
    Service(Name),
}

impl Item for Listen {
    /// Reads the values of a `listen` line.
    fn read(values: &[String]) -> Result<Listen, String> {
        let (address, options) = first_of(values)?;
        let mut listen = Listen {
            address: address.parse()?,
            proxy_protocol: false,
        };
        for option in options {
            match option.as_str() {
                "proxy-protocol" => listen.proxy_protocol = true,
                other => return Err(format!("{other}: must be proxy-protocol or nothing")),
            }
        }
        Ok(listen)
    }
}

impl Item for Backend {
    /// Reads the values of a `backend` line.
    fn read(values: &[String]) -> Result<Backend, String> {
        let (address, options) = first_of(values)?;
        let mut backend = Backend {
            address: backend_address(address)?,
            weight: 1,
            max: None,
            backup: false,
        };
        for option in options {
            backend.read_option(option)?;
        }
        Ok(backend)
    }
}

impl Backend {
    fn read_option(&mut self, option: &str) -> Result<(), String> {
        let fail = |why: &str| Err(format!("{option}: {why}"));
        match option.split_once('=') {
            Some(("weight", number)) => match number.parse() {
                Ok(weight @ 1..=MAX_WEIGHT) => self.weight = weight,
                _ => return fail(&format!("a weight is a number from 1 to {MAX_WEIGHT}")),
            },
            Some(("max", number)) => match number.parse() {
                Ok(max @ 1..) => self.max = Some(max),
                _ => return fail("must be a number of connections, 1 or more"),
            },
            None if option == "backup" => self.backup = true,
            _ => return fail("must be weight=N, max=N or backup"),
        }
        Ok(())
    }
}

/// The address that begins a line, and the options after it.
fn first_of(values: &[String]) -> Result<(&str, &[String]), String> {
    match values.split_first() {
        Some((first, rest)) => Ok((first, rest)),
        None => Err("needs a value, ADDRESS".into()),
    }
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<ListenAddress, String> {
        match text.strip_prefix("unix:") {
            Some(path) => unix_path(path).map(ListenAddress::Unix),
            None => host_port(text).map(ListenAddress::Tcp),
        }
    }
}

impl ListenAddress {
    /// In the form that [`listen`](crate::net::listen) takes.
    pub fn parts(&self) -> (Network, String) {
        match self {
            ListenAddress::Tcp(address) => (Network::Tcp, address.to_string()),
            ListenAddress::Unix(path) => (Network::Unix, path.clone()),
        }
    }
}

fn backend_address(text: &str) -> Result<BackendAddress, String> {
    if let Some(path) = text.strip_prefix("unix:") {
        return unix_path(path).map(BackendAddress::Unix);
    }
    if let Some(name) = text.strip_prefix("srv:") {
        let name = Name::parse(name).map_err(|error| error.to_string())?;
        return Ok(BackendAddress::Service(name));
    }
    let Some(authority) = text.strip_prefix("http://") else {
        return Err(match text.starts_with("https://") {
            true => "TLS is not spoken here, only http://".into(),
            false => "must be http://HOST:PORT, unix:PATH or srv:NAME".into(),
        });
    };
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    if authority.contains(['/', '?', '#', '@']) {
        return Err("a host and a port only: requests keep their own path".into());
    }
    tcp_backend(authority).map(BackendAddress::Tcp)
}

fn tcp_backend(authority: &str) -> Result<HostPort, String> {
    // Without a port it is 80 (RFC 9110 §4.2.1). The last colon of an IPv6 address begins no port.
    let has_port = match authority.rsplit_once(']') {
        Some((_, behind)) => behind.starts_with(':'),
        None => authority.contains(':'),
    };
    let address = match has_port {
        true => host_port(authority)?,
        false => host_port(&format!("{authority}:80"))?,
    };
    match (&address.host, address.port) {
        (Host::Any, _) => Err("a backend needs a host".into()),
        (_, 0) => Err("a backend needs a port, 0 is none".into()),
        _ => Ok(address),
    }
}

/// Reads `HOST:PORT`.
pub(super) fn host_port(text: &str) -> Result<HostPort, String> {
    HostPort::parse(text, Transport::Tcp, &Services::builtin()).map_err(|error| error.to_string())
}

fn unix_path(path: &str) -> Result<String, String> {
    match path.len() {
        0 => Err("a path is needed behind unix:".into()),
        1..=MAX_UNIX_PATH => Ok(path.to_string()),
        _ => Err(format!("the path is longer than {MAX_UNIX_PATH} bytes")),
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenAddress::Tcp(address) => write!(f, "{address}"),
            ListenAddress::Unix(path) => write!(f, "unix:{path}"),
        }
    }
}

impl fmt::Display for BackendAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BackendAddress::Tcp(address) => write!(f, "http://{address}"),
            BackendAddress::Unix(path) => write!(f, "unix:{path}"),
            BackendAddress::Service(name) => write!(f, "srv:{name}"),
        }
    }
}

impl fmt::Display for Listen {
    /// In the form of a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quote(&self.address.to_string()))?;
        f.write_str(if self.proxy_protocol {
            " proxy-protocol"
        } else {
            ""
        })
    }
}

impl fmt::Display for Backend {
    /// In the form of a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quote(&self.address.to_string()))?;
        if self.weight != 1 {
            write!(f, " weight={}", self.weight)?;
        }
        if let Some(max) = self.max {
            write!(f, " max={max}")?;
        }
        f.write_str(if self.backup { " backup" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::split;
    use super::*;

    #[test]
    fn a_backend_is_shown_as_it_is_read() {
        let table = [
            ("http://10.0.0.7:9000", "http://10.0.0.7:9000"),
            ("http://10.0.0.7", "http://10.0.0.7:80"),
            ("http://[2001:DB8::1]", "http://[2001:db8::1]:80"),
            ("http://[::1]:81/", "http://[::1]:81"),
            (
                "http://app.internal:9000 backup max=7 weight=3",
                "http://app.internal:9000 weight=3 max=7 backup",
            ),
            ("unix:/run/app.sock", "unix:/run/app.sock"),
            ("\"unix:/run/my app\" backup", "\"unix:/run/my app\" backup"),
            ("srv:_http._tcp.example.", "srv:_http._tcp.example."),
        ];
        for (line, shown) in table {
            let backend = Backend::read(&split(line).unwrap()).unwrap();
            assert_eq!(backend.to_string(), shown);
            assert_eq!(Backend::read(&split(shown).unwrap()), Ok(backend));
        }
    }

    #[test]
    fn a_backend_that_cannot_be_reached_is_refused() {
        let table = [
            ("", "needs a value, ADDRESS"),
            (
                "10.0.0.7:9000",
                "must be http://HOST:PORT, unix:PATH or srv:NAME",
            ),
            ("https://a:443", "TLS is not spoken here, only http://"),
            (
                "http://a:80/api",
                "a host and a port only: requests keep their own path",
            ),
            (
                "http://u@a:80",
                "a host and a port only: requests keep their own path",
            ),
            ("http://:80", "a backend needs a host"),
            ("http://a:0", "a backend needs a port, 0 is none"),
            (
                "http://127.1:80",
                "address 127.1:80: an IPv4 address has four octets, this has 2",
            ),
            ("unix:", "a path is needed behind unix:"),
            ("srv:", "name is empty (the root is \".\")"),
            (
                "http://a:80 weight=0",
                "weight=0: a weight is a number from 1 to 1000",
            ),
            (
                "http://a:80 max=0",
                "max=0: must be a number of connections, 1 or more",
            ),
            (
                "http://a:80 spare",
                "spare: must be weight=N, max=N or backup",
            ),
        ];
        for (line, why) in table {
            let found = Backend::read(&split(line).unwrap());
            assert_eq!(found.map_err(|why| why.to_string()), Err(why.to_string()));
        }
        let long = format!("unix:/{}", "x".repeat(MAX_UNIX_PATH));
        assert!(Backend::read(&[long]).is_err());
    }

    #[test]
    fn a_listener_is_shown_as_it_is_read() {
        for line in ["127.0.0.1:0", ":8080 proxy-protocol", "unix:/run/lb.sock"] {
            assert_eq!(
                Listen::read(&split(line).unwrap()).unwrap().to_string(),
                line
            );
        }
        let refused = Listen::read(&split("127.0.0.1:80 proxy").unwrap());
        assert_eq!(
            refused,
            Err("proxy: must be proxy-protocol or nothing".into())
        );
    }
}
