//! What is asked for on the command line, and the host to ping.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use groundwire::cli::{Args, Failure, Seconds, UsageError};
use groundwire::net::icmp::message::MAX_PAYLOAD;
use groundwire::net::{self, Network};

/// What to do.
pub struct Plan {
    pub family: Option<Network>,
    pub count: Option<u64>,
    pub interval: Duration,
    pub timeout: Duration,
    pub deadline: Option<Duration>,
    pub size: usize,
    pub ttl: Option<u8>,
    pub quiet: bool,
    pub numeric: bool,
}

/// A shorter interval would be a flood.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(2);

impl Plan {
    pub fn from_args(args: &Args) -> Result<Plan, UsageError> {
        let family = match (args.flag("ipv4"), args.flag("ipv6")) {
            (true, true) => return Err(UsageError::rule("--ipv4 and --ipv6 exclude each other")),
            (true, false) => Some(Network::Ip4Icmp),
            (false, true) => Some(Network::Ip6Icmp),
            (false, false) => None,
        };
        let interval = args.parse::<Seconds>("interval")?.get();
        if interval < SHORTEST_INTERVAL {
            let given = args.value("interval").unwrap_or_default();
            return Err(UsageError::bad_value(
                "--interval",
                given,
                "must be 2ms or more",
            ));
        }
        Ok(Plan {
            family,
            count: within(args, "count", 1, u64::MAX)?,
            interval,
            timeout: args.parse::<Seconds>("timeout")?.get(),
            // Zero is no deadline, as in iputils.
            deadline: args
                .parse_opt::<Seconds>("deadline")?
                .map(Seconds::get)
                .filter(|time| !time.is_zero()),
            size: within(args, "size", 0, MAX_PAYLOAD as u64)?.map_or(56, |size| size as usize),
            ttl: within(args, "ttl", 1, 255)?.map(|ttl| ttl as u8),
            quiet: args.flag("quiet"),
            numeric: args.flag("numeric"),
        })
    }
}

/// A whole number from `least` to `most`, if it was given or has a default.
fn within(args: &Args, name: &str, least: u64, most: u64) -> Result<Option<u64>, UsageError> {
    let number = args.parse_opt::<u64>(name)?;
    match number.filter(|number| !(least..=most).contains(number)) {
        None => Ok(number),
        Some(wrong) => {
            let why = match most {
                u64::MAX => format!("must be {least} or more"),
                _ => format!("must be {least} to {most}"),
            };
            Err(UsageError::bad_value(&format!("--{name}"), wrong, why))
        }
    }
}

/// The host to ping.
pub struct Target {
    /// As the user wrote it.
    pub name: String,
    pub address: SocketAddr,
}

impl Target {
    /// The first address of the host in the wanted family.
    pub fn find(host: &str, family: Option<Network>) -> Result<Target, Failure> {
        let found = net::host_addresses(host).map_err(super::failed)?;
        let wanted = |address: &&SocketAddr| family.is_none_or(|net| net.allows(address.ip()));
        let Some(address) = found.iter().find(wanted) else {
            let family = family.map_or("", |network| match network {
                Network::Ip4Icmp => "IPv4",
                _ => "IPv6",
            });
            return Err(format!("{host}: it has no {family} address").into());
        };
        let mut address = *address;
        // A v4-mapped address is IPv4 on the wire.
        if let std::net::IpAddr::V4(v4) = address.ip().to_canonical() {
            address.set_ip(v4.into());
        }
        Ok(Target {
            name: host.to_string(),
            address,
        })
    }

    /// The network that leads to it.
    pub fn network(&self) -> Network {
        match self.address.is_ipv4() {
            true => Network::Ip4Icmp,
            false => Network::Ip6Icmp,
        }
    }

    /// Whether the user has written the address itself.
    pub fn is_literal(&self) -> bool {
        self.name.parse::<net::ZonedIp>().is_ok()
    }
}

/// An address with its zone, as interfaces are named here: `fe80::1%eth0`.
pub struct Shown(pub SocketAddr);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.ip())?;
        match self.0 {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => {
                let name = groundwire::sys::process::interface_name(v6.scope_id());
                write!(f, "%{}", name.unwrap_or_else(|_| v6.scope_id().to_string()))
            }
            _ => Ok(()),
        }
    }
}
