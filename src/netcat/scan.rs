//! Whether a port is open.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::net::{self, Deadline, Dialer, Network, Transport};

/// How long to wait for a closed UDP port to say so, if the user gives no time.
const UDP_PATIENCE: Duration = Duration::from_secs(1);

/// The addresses of one host, looked up once for all its ports.
#[derive(Debug)]
pub struct Target {
    network: Network,
    addresses: Vec<SocketAddr>,
    /// The host as given, if it names a link: its socket address has a number instead.
    on_link: Option<String>,
}

impl Target {
    /// Looks a host up; blocks as long as the system's resolver does.
    pub fn find(network: Network, host: &str) -> Result<Target, net::Error> {
        let mut addresses = net::host_addresses(host)?;
        addresses.retain(|address| network.allows(address.ip()));
        if addresses.is_empty() {
            let why = format!("it has no address that {network} can use");
            return Err(net::Error::Resolve {
                address: host.to_string(),
                source: io::Error::new(io::ErrorKind::AddrNotAvailable, why),
            });
        }
        Ok(Target {
            network,
            addresses,
            on_link: host.contains('%').then(|| host.to_string()),
        })
    }

    /// The error, with the host as the user wrote it.
    fn as_given(&self, port: u16, error: net::Error) -> net::Error {
        match (&self.on_link, error) {
            (
                Some(host),
                net::Error::Failed {
                    verb,
                    network,
                    source,
                    ..
                },
            ) => net::Error::Failed {
                verb,
                network,
                address: net::join_host_port(host, port),
                source,
            },
            (_, error) => error,
        }
    }
}

/// Tries a port at each address of the host until one is open; fails with the last reason.
///
/// TCP: makes a connection and closes it at once. UDP: sends a byte; the port counts as open unless
/// an ICMP message says otherwise in time, so a firewall that drops everything looks open. Blocks
/// for at most the dialer's time-out at each address.
pub fn is_open(target: &Target, port: u16, dialer: &Dialer) -> Result<(), net::Error> {
    let mut last = Ok(());
    for address in &target.addresses {
        let peer = SocketAddr::new(address.ip(), port);
        let peer = match (address, peer) {
            (SocketAddr::V6(link), SocketAddr::V6(mut peer)) => {
                peer.set_scope_id(link.scope_id());
                peer.into()
            }
            (_, peer) => peer,
        };
        let tried = match target.network.transport() {
            Some(Transport::Udp) => udp(target.network, peer, dialer),
            _ => dialer.dial_ip(target.network, peer).map(drop),
        };
        last = tried.map_err(|error| target.as_given(port, error));
        if last.is_ok() {
            break;
        }
    }
    last
}

fn udp(network: Network, peer: SocketAddr, dialer: &Dialer) -> Result<(), net::Error> {
    let socket = dialer.dial_datagrams(network, &peer.to_string())?;
    let patience = dialer.timeout.unwrap_or(UDP_PATIENCE);
    socket.set_read_deadline(Deadline::after(patience));
    let heard = socket.send(b"X").and_then(|_| socket.recv(&mut [0; 1]));
    match heard {
        Err(source) if source.kind() != io::ErrorKind::TimedOut => Err(net::Error::Failed {
            verb: "connect",
            network,
            address: peer.to_string(),
            source,
        }),
        _ => Ok(()),
    }
}
