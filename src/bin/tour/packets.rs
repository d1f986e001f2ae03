//! The stops below TCP and UDP: interfaces, and echo requests.

use std::net::SocketAddr;
use std::time::Instant;

use groundwire::net::icmp::message::Echo;
use groundwire::net::icmp::socket::Incoming;
use groundwire::net::icmp::tally::Tally;
use groundwire::net::{self, Deadline, Error, IcmpSocket, Network};
use groundwire::sys::icmp::Kind;

use super::stops::{PATIENCE, Result, Told, ensure};

pub fn interfaces() -> Result<Told> {
    let all = net::interfaces()?;
    ensure(
        all.iter().any(|one| one.flags.is_loopback()),
        "there is no loopback interface",
    )?;
    let mut lines = Vec::new();
    for one in &all {
        let flags = one.flags;
        lines.push(format!(
            "{} {}: {flags}, packets up to {} bytes",
            one.index, one.name, one.mtu
        ));
        for address in &one.addresses {
            let (class, network) = (net::classify(address.ip), address.prefix());
            lines.push(format!("  {address}: {class}, in {network}"));
        }
    }
    Ok(Told {
        lines,
        read: "src/net/netlink.rs, interface.rs; docs/addresses.md",
    })
}

pub fn ping() -> Result<Told> {
    let read = "src/net/icmp/; docs/icmp.md";
    let socket = match IcmpSocket::open(Network::Ip4Icmp) {
        Err(error @ Error::Forbidden { .. }) => {
            let lines = vec![
                "this user may not send echo requests here:".into(),
                error.to_string(),
            ];
            return Ok(Told { lines, read });
        }
        opened => opened?,
    };
    let to: SocketAddr = "127.0.0.1:0".parse()?;
    let begun = Instant::now();
    let mut tally = Tally::new(socket.id(), 0x6772_6f75_6e64, 56);
    let (sequence, payload) = tally.request(begun.elapsed());
    let request = Echo {
        id: socket.id(),
        sequence,
        payload: &payload,
    };
    socket.set_read_deadline(Deadline::after(PATIENCE));
    socket.send_to(&request, &to)?;
    let mut buffer = [0; 1500];
    let incoming = socket.recv_from(&mut buffer)?;
    let now = begun.elapsed();
    let Incoming::Reply {
        from,
        ttl,
        waited,
        echo,
    } = incoming
    else {
        return Err("127.0.0.1 could not be reached".into());
    };
    let arrival = tally.reply(&echo, now.saturating_sub(waited));
    let arrival = arrival.ok_or("the echo differs from what was sent")?;
    let ttl = ttl.map_or("unknown".into(), |hops| hops.to_string());
    let kind = match socket.kind() {
        Kind::Datagram => "datagram",
        Kind::Raw => "raw",
    };
    let lines = vec![
        format!(
            "us, by a {kind} socket -> {}  echo request: id {}, sequence {sequence}, {} bytes",
            to.ip(),
            socket.id(),
            payload.len()
        ),
        format!(
            "{} -> us  the same id, sequence and bytes, TTL {ttl}",
            from.ip()
        ),
        format!("there and back in {} us", arrival.round_trip.as_micros()),
    ];
    Ok(Told { lines, read })
}
