//! From the text of an address to socket addresses, by the system's resolver.
//!
//! Literals never reach the resolver: it would take `127.1` for 127.0.0.1 and ask the DNS for
//! `288.8.8.8`. A name does reach it, and `getaddrinfo` takes no deadline. So it runs on another
//! thread when the caller has a deadline, and the caller may leave that thread behind.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs};
use std::path::Path;
use std::sync::{OnceLock, mpsc};
use std::thread;

use super::deadline::{Deadline, timed_out};
use super::error::Error;
use super::{AddressError, Host, HostPort, Network, Rule, Services, Transport, ZonedIp};
use crate::sys::process::interface_index;

/// Splits `host:port`; a service name is looked up in `/etc/services`.
pub(crate) fn parse(network: Network, address: &str) -> Result<HostPort, Error> {
    let transport = network.transport().unwrap_or(Transport::Tcp);
    Ok(HostPort::parse(address, transport, services())?)
}

/// An address as a path, and as text for everything else. In the text, bytes that are not UTF-8 are
/// replaced by a letter that no IP address or host name has; a path keeps its bytes.
pub(crate) fn both<T: AsRef<OsStr> + ?Sized>(address: &T) -> (&Path, Cow<'_, str>) {
    let address = address.as_ref();
    (Path::new(address), address.to_string_lossy())
}

/// The longest `/etc/services` that is read, in bytes; Debian's has 13 KB.
const SERVICES_LIMIT: u64 = 1024 * 1024;

/// The machine's services (`/etc/services`), read once; the built-in table if the file cannot be
/// read.
pub fn services() -> &'static Services {
    static SERVICES: OnceLock<Services> = OnceLock::new();
    SERVICES.get_or_init(|| {
        let file = File::open("/etc/services");
        file.and_then(read_services)
            .unwrap_or_else(|_| Services::builtin())
    })
}

/// A byte that is not UTF-8 is replaced, so it spoils its own word and not the file.
fn read_services(file: impl Read) -> io::Result<Services> {
    let mut bytes = Vec::new();
    file.take(SERVICES_LIMIT).read_to_end(&mut bytes)?;
    Ok(Services::parse(&String::from_utf8_lossy(&bytes)))
}

/// The socket addresses of a target on this network, at least one. No host (`:80`) means this
/// machine's loopback addresses, as in Go's `Dial`.
pub(crate) fn addresses(
    network: Network,
    address: &str,
    target: &HostPort,
) -> Result<Vec<SocketAddr>, Error> {
    let resolve_error = |source| Error::Resolve {
        address: address.to_string(),
        source,
    };
    let found = match &target.host {
        Host::Any => [Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]
            .map(|ip| SocketAddr::new(ip, target.port))
            .to_vec(),
        Host::Ip(ip) => vec![with_zone(ip, target.port).map_err(resolve_error)?],
        Host::Name(name) => {
            let found = (name.as_str(), target.port).to_socket_addrs();
            found
                .map_err(|e| resolve_error(without_prefix(e)))?
                .collect::<Vec<_>>()
        }
    };
    let mut kept: Vec<SocketAddr> = Vec::new();
    for address in found {
        if network.allows(address.ip()) && !kept.contains(&address) {
            kept.push(address);
        }
    }
    if kept.is_empty() {
        let why = format!("it has no address that {network} can use");
        return Err(resolve_error(io::Error::new(
            io::ErrorKind::AddrNotAvailable,
            why,
        )));
    }
    Ok(kept)
}

/// The addresses of a host, at least one: a literal itself, or what the system's resolver returns
/// for a name, in its order. A link-local literal keeps its zone. Blocks for as long as the
/// resolver does.
///
/// ```
/// let found = groundwire::net::host_addresses("127.0.0.1").unwrap();
/// assert_eq!(found, ["127.0.0.1:0".parse().unwrap()]);
/// assert!(groundwire::net::host_addresses("127.1").is_err());
/// ```
pub fn host_addresses(host: &str) -> Result<Vec<SocketAddr>, Error> {
    if host.is_empty() {
        return Err(AddressError::address(host, Rule::Empty).into());
    }
    let target = HostPort {
        host: host.parse()?,
        port: 0,
    };
    // Any network that uses both families will do.
    addresses(Network::Udp, host, &target)
}

/// [`addresses`], given up when the deadline passes.
pub(crate) fn addresses_by(
    deadline: Deadline,
    network: Network,
    address: &str,
    target: HostPort,
) -> Result<Vec<SocketAddr>, Error> {
    let (Host::Name(_), Some(left)) = (&target.host, deadline.remaining()) else {
        return addresses(network, address, &target);
    };
    let (tell, told) = mpsc::channel();
    let text = address.to_string();
    let failed = |source| Error::Resolve {
        address: address.to_string(),
        source,
    };
    thread::Builder::new()
        .name("resolver".into())
        .spawn(move || tell.send(addresses(network, &text, &target)))
        .map_err(failed)?;
    told.recv_timeout(left)
        .unwrap_or_else(|_| Err(failed(timed_out())))
}

fn with_zone(address: &ZonedIp, port: u16) -> io::Result<SocketAddr> {
    match (address.ip(), address.zone()) {
        (IpAddr::V6(ip), Some(zone)) => {
            let scope = match zone.index() {
                Some(number) => number,
                None => interface_index(zone.as_str()).map_err(|e| {
                    io::Error::new(e.kind(), format!("there is no interface named {zone}"))
                })?,
            };
            Ok(SocketAddr::V6(SocketAddrV6::new(ip, port, 0, scope)))
        }
        (ip, _) => Ok(SocketAddr::new(ip, port)),
    }
}

/// Explains the kernel's "invalid argument" when an address without a zone needs one.
pub(super) fn without_zone(error: io::Error, address: &SocketAddr) -> io::Error {
    match (error.raw_os_error(), address) {
        (Some(EINVAL), SocketAddr::V6(v6)) if v6.scope_id() == 0 && needs_zone(*v6.ip()) => {
            let why = "invalid argument: this address is on every link and needs a zone, as in \
                       fe80::1%eth0";
            io::Error::new(error.kind(), why)
        }
        _ => error,
    }
}

/// Whether its scope is one link, or, as only a group's can be, one interface (RFC 4007 §5).
fn needs_zone(ip: Ipv6Addr) -> bool {
    let [first, second, ..] = ip.octets();
    // A group's scope is in the lower half of the second byte (RFC 4291 §2.7).
    ip.is_unicast_link_local() || (first == 0xff && matches!(second & 0x0f, 1 | 2))
}

/// `errno(3)`.
const EINVAL: i32 = 22;

/// std puts "failed to lookup address information: " before the resolver's own message.
fn without_prefix(error: io::Error) -> io::Error {
    let text = error.to_string();
    match text.strip_prefix("failed to lookup address information: ") {
        Some(rest) => io::Error::new(error.kind(), rest.to_string()),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_services_that_is_no_utf8_costs_no_other_line() {
        let text = b"caf\xe9 4000/tcp\nradio 8000/tcp  # caf\xe9\nlate 8001/tcp\xc3";
        let services = read_services(&text[..]).unwrap();
        assert_eq!(services.port("radio", Transport::Tcp), Some(8000));
        assert_eq!(services.port("http", Transport::Tcp), Some(80));
    }
}
