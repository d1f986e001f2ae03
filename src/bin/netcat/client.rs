//! The end that connects.

use std::path::Path;
use std::sync::Arc;

use groundwire::cli::{Failure, UsageError, What};
use groundwire::net::{Conn, Deadline, Host, Network, join_host_port, system_services};
use groundwire::netcat::{Feed, Output, ask_proxy, exchange, proxy::Handshake, relay};
use groundwire::server::{Signals, Stopper, flags};

use crate::plan::{Plan, Proxy, Target, transport};
use crate::{failed, tell};

/// Connects, and copies until both sides have ended.
pub fn connect(plan: &Plan, target: &Target) -> Result<(), Failure> {
    let mut output = Output::standard().what("standard output")?;
    match plan.network {
        Network::Udp | Network::Udp4 | Network::Udp6 | Network::Unixgram => {
            datagrams(plan, target, &mut output)
        }
        _ => {
            let conn = dial(plan, target)?;
            succeeded(plan, target);
            let feed = Feed::start(plan.settings.clone()).map_err(failed)?;
            relay(&conn, &feed, &mut output).map_err(failed)
        }
    }
}

fn dial(plan: &Plan, target: &Target) -> Result<Conn, Failure> {
    match (target, &plan.proxy) {
        (Target::Unix(path), _) => plan.dialer.dial(plan.network, path),
        (Target::Ip { host, port }, Some(proxy)) => return dial_through(plan, proxy, host, *port),
        (Target::Ip { host, port }, None) => {
            let address = join_host_port(host, port);
            plan.dialer.dial(plan.network, &address)
        }
    }
    .map_err(flags::failure)
}

fn dial_through(plan: &Plan, proxy: &Proxy, host: &str, port: u16) -> Result<Conn, Failure> {
    let target = join_host_port(host, port);
    let deadline = Deadline::after_option(plan.dialer.timeout);
    let parsed = host.parse::<Host>();
    let parsed = parsed.map_err(|why| UsageError::bad_value("HOST", host, why))?;
    let handshake = Handshake::new(proxy.protocol, &parsed, port).what(&target)?;
    let conn = plan.dialer.dial(plan.network, &proxy.address);
    let conn = conn.map_err(flags::failure)?;
    let asked = ask_proxy(&conn, handshake, deadline);
    asked.what(format_args!("connect {target} through {}", proxy.address))?;
    Ok(conn)
}

/// What is sent before the peer listens is lost, as with any datagram.
fn datagrams(plan: &Plan, target: &Target, output: &mut Output) -> Result<(), Failure> {
    // A Unix datagram socket has a file of its own, to be removed at the end.
    let signals = match plan.network {
        Network::Unixgram => Some(Signals::block().what("blocking signals")?),
        _ => None,
    };
    let socket = match target {
        Target::Unix(path) => plan.dialer.dial_datagrams(plan.network, path),
        Target::Ip { host, port } => {
            let address = join_host_port(host, port);
            plan.dialer.dial_datagrams(plan.network, &address)
        }
    };
    let socket = socket.map_err(flags::failure)?;
    succeeded(plan, target);
    let feed = Feed::start(plan.settings.clone()).map_err(failed)?;
    if let Some(signals) = signals {
        let feed = Arc::clone(&feed);
        let stop = signals.stop_and_tell(Stopper::new(), move |_| feed.quit());
        stop.what("starting a thread")?;
    }
    exchange(&socket, &feed, output).map_err(failed)
}

/// OpenBSD's wording, on which scripts rely.
fn succeeded(plan: &Plan, target: &Target) {
    match target {
        Target::Unix(path) => tell(
            plan,
            format_args!("Connection to {} succeeded!", Path::new(path).display()),
        ),
        Target::Ip { host, port } => tell_open(plan, host, *port),
    }
}

/// The same for a scanned port.
pub fn tell_open(plan: &Plan, host: &str, port: u16) {
    let transport = transport(plan.network);
    let name = system_services().name(port, transport).unwrap_or("*");
    tell(
        plan,
        format_args!("Connection to {host} {port} port [{transport}/{name}] succeeded!"),
    );
}
