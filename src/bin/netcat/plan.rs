//! What is asked for on the command line.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use groundwire::cli::{Args, Seconds, UsageError};
use groundwire::net::{
    Dialer, Host, HostPort, Network, Transport, host_port::parse_port, join_host_port,
    system_services,
};
use groundwire::netcat::{Settings, ports::parse_ports, proxy::Protocol};

/// Bytes of the input in one datagram or record: as OpenBSD's nc has it.
const DATAGRAM_PIECE: usize = 16 * 1024;
/// Bytes of the input that are read and sent at once.
const STREAM_PIECE: usize = 64 * 1024;

/// What to do.
pub struct Plan {
    pub role: Role,
    pub network: Network,
    pub dialer: Dialer,
    pub keep_open: bool,
    pub verbose: bool,
    pub proxy: Option<Proxy>,
    pub settings: Settings,
}

/// What to do with connections, and at which address.
pub enum Role {
    Connect(Target),
    Listen(OsString),
    Scan {
        host: String,
        ports: Vec<RangeInclusive<u16>>,
    },
}

/// Where to connect to.
pub enum Target {
    Ip { host: String, port: u16 },
    Unix(OsString),
}

/// A proxy, and how to speak with it.
pub struct Proxy {
    pub address: String,
    pub protocol: Protocol,
}

impl Plan {
    pub fn from_args(args: &Args) -> Result<Plan, UsageError> {
        refuse_contradictions(args)?;
        let network = network(args);
        let timeout = seconds(args, "timeout")?;
        if timeout.is_some_and(|time| time.is_zero()) {
            // No connection is made in zero time, and "no limit" is to leave it out.
            let text = args.value("timeout").unwrap_or_default();
            return Err(UsageError::bad_value("--timeout", text, "must be above 0"));
        }
        let plan = Plan {
            role: role(args, network)?,
            network,
            dialer: Dialer {
                timeout,
                local: local(args, network)?,
                ..Dialer::default()
            },
            keep_open: args.flag("keep-open"),
            verbose: args.flag("verbose"),
            proxy: proxy(args)?,
            settings: Settings {
                detached: args.flag("no-input"),
                crlf: args.flag("crlf"),
                telnet: args.flag("telnet"),
                interval: seconds(args, "interval")?,
                idle: timeout,
                quit_after: quit_after(args)?,
                hexdump: args.flag("hexdump"),
                piece: match network.is_stream() && network != Network::Unixpacket {
                    true => STREAM_PIECE,
                    false => DATAGRAM_PIECE,
                },
            },
        };
        Ok(plan)
    }
}

/// Refuses options that exclude each other, in the order of the help page.
fn refuse_contradictions(args: &Args) -> Result<(), UsageError> {
    args.exclusive(&[
        ("ipv4", "ipv6"),
        ("unix", "ipv4"),
        ("unix", "ipv6"),
        ("unix", "port"),
        ("unix", "source"),
        ("unix", "scan"),
        ("unix", "proxy"),
        ("udp", "proxy"),
        ("udp", "seqpacket"),
        ("udp", "telnet"),
        ("listen", "proxy"),
        ("listen", "scan"),
        ("scan", "proxy"),
        ("source", "proxy"),
    ])?;
    for (one, needed) in [
        ("keep-open", "listen"),
        ("seqpacket", "unix"),
        ("proxy-protocol", "proxy"),
    ] {
        if args.given(one) && !args.given(needed) {
            return Err(UsageError::rule(format!("--{one} needs --{needed}")));
        }
    }
    Ok(())
}

fn network(args: &Args) -> Network {
    let (v4, v6) = (args.flag("ipv4"), args.flag("ipv6"));
    match (args.flag("unix"), args.flag("udp")) {
        (true, true) => Network::Unixgram,
        (true, false) if args.flag("seqpacket") => Network::Unixpacket,
        (true, false) => Network::Unix,
        (false, true) if v4 => Network::Udp4,
        (false, true) if v6 => Network::Udp6,
        (false, true) => Network::Udp,
        (false, false) if v4 => Network::Tcp4,
        (false, false) if v6 => Network::Tcp6,
        (false, false) => Network::Tcp,
    }
}

fn role(args: &Args, network: Network) -> Result<Role, UsageError> {
    if network.is_unix() {
        args.exactly(1)?;
        let path = args.path(0, "PATH")?.as_os_str().to_os_string();
        return Ok(match args.flag("listen") {
            true => Role::Listen(path),
            false => Role::Connect(Target::Unix(path)),
        });
    }
    if args.flag("listen") {
        return listen_address(args, network).map(|address| Role::Listen(address.into()));
    }
    args.at_least(2)?;
    let host = host(args, args.operand(0, "HOST")?)?;
    if args.flag("scan") {
        let ports = args.texts(1, "PORT").map(|text| {
            let text = text?;
            parse_ports(text, transport(network), system_services())
                .map_err(|why| UsageError::bad_value("PORT", text, why))
        });
        let ports = ports.collect::<Result<_, _>>()?;
        return Ok(Role::Scan { host, ports });
    }
    args.exactly(2)?;
    let port = port(network, "PORT", args.operand(1, "PORT")?)?;
    Ok(Role::Connect(Target::Ip { host, port }))
}

/// `-l PORT`, `-l HOST PORT`, or both by `-s` and `-p`.
fn listen_address(args: &Args, network: Network) -> Result<String, UsageError> {
    args.at_most(2)?;
    let first = args.operand_opt(0, "HOST")?;
    let second = args.operand_opt(1, "PORT")?;
    let (place, number) = match (first, second, args.value("port")) {
        (host, None, Some(port)) => (host, port),
        (Some(port), None, None) => (None, port),
        (host, Some(port), None) => (host, port),
        (_, Some(_), Some(_)) => return Err(UsageError::rule("the port is given twice")),
        (None, None, None) => return Err(UsageError::rule("the port to listen on is missing")),
    };
    if place.is_some() && args.given("source") {
        return Err(UsageError::rule("the address to listen on is given twice"));
    }
    let place = match place.or(args.value("source")) {
        Some(text) => host(args, text)?,
        None => String::new(),
    };
    let port = port(network, "PORT", number)?;
    Ok(join_host_port(&place, port))
}

/// Checks a host's form, so that a mistake is reported before anything is looked up.
fn host(args: &Args, text: &str) -> Result<String, UsageError> {
    let parsed = text.parse::<Host>();
    let host = parsed.map_err(|why| UsageError::bad_value("HOST", text, why))?;
    match host {
        Host::Name(_) if args.flag("numeric") => {
            let why = "a name, and --numeric looks none up";
            Err(UsageError::bad_value("HOST", text, why))
        }
        _ => Ok(text.to_string()),
    }
}

fn port(network: Network, what: &str, text: &str) -> Result<u16, UsageError> {
    parse_port(text, transport(network), system_services())
        .map_err(|why| UsageError::bad_value(what, text, why))
}

/// The transport whose service names apply.
pub fn transport(network: Network) -> Transport {
    network.transport().unwrap_or(Transport::Tcp)
}

/// The address to connect from, if `-s` or `-p` gives a part of it.
fn local(args: &Args, network: Network) -> Result<Option<SocketAddr>, UsageError> {
    if args.flag("listen") || !(args.given("port") || args.given("source")) {
        return Ok(None);
    }
    // Stands for either family (see `Dialer::local`), as only the port may be given.
    let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let ip = args.parse_opt::<IpAddr>("source")?.unwrap_or(any);
    let port = match args.value("port") {
        Some(text) => port(network, "--port", text)?,
        None => 0,
    };
    Ok(Some(SocketAddr::new(ip, port)))
}

fn proxy(args: &Args) -> Result<Option<Proxy>, UsageError> {
    let protocol = match args.value("proxy-protocol") {
        None | Some("5") => Protocol::Socks5,
        Some("4") => Protocol::Socks4,
        Some("connect") => Protocol::Connect,
        Some(other) => {
            let why = "must be connect, 4 or 5";
            return Err(UsageError::bad_value("--proxy-protocol", other, why));
        }
    };
    let Some(text) = args.value("proxy") else {
        return Ok(None);
    };
    // Without a port, the usual one; an IPv6 address needs brackets before a port.
    let whole = match text.parse::<Host>() {
        Ok(_) => join_host_port(text, protocol.usual_port()),
        Err(_) => match text.ends_with(']') {
            true => format!("{text}:{}", protocol.usual_port()),
            false => text.to_string(),
        },
    };
    let parsed = HostPort::parse(&whole, Transport::Tcp, system_services());
    parsed.map_err(|why| UsageError::bad_value("--proxy", text, why))?;
    Ok(Some(Proxy {
        address: whole,
        protocol,
    }))
}

fn seconds(args: &Args, name: &str) -> Result<Option<Duration>, UsageError> {
    Ok(args.parse_opt::<Seconds>(name)?.map(Seconds::get))
}

/// A negative number means never, as in `nc`.
fn quit_after(args: &Args) -> Result<Option<Duration>, UsageError> {
    let text = args.value("quit-after").unwrap_or_default();
    match text.strip_prefix('-').map(str::parse::<Seconds>) {
        Some(Ok(_)) => Ok(None),
        Some(Err(why)) => Err(UsageError::bad_value("--quit-after", text, why)),
        None => seconds(args, "quit-after"),
    }
}
