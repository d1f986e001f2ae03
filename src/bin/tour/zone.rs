//! The stop at the name server: what it says of its own zone, of names that are not there, and of
//! names that belong to other servers.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::thread;

use groundwire::dns::server::{Config, DnsServer, Loaded, Place};
use groundwire::dns::{Message, Name, Question, Rcode, Record, RecordType};
use groundwire::net::{self, Deadline, Network};
use groundwire::server::Stopper;

use super::stops::{PATIENCE, Result, Told, ensure};

pub fn zone() -> Result<Told> {
    let config = Config::default();
    let place = Place::bind("127.0.0.1:0", 2)?;
    let address = place.listener.local_addr().ip().ok_or("no address")?;
    let server = DnsServer::new(config, Loaded::samples()?, vec![place]);
    let stopper = Stopper::new();
    let watched = stopper.clone();
    let serve = move || server.run(&watched).map(|totals| totals.to_string());
    let running = thread::Builder::new().spawn(serve)?;

    let [alias, wild, none, cut] = [
        "ftp.lab.test",
        "whatever.wild.lab.test",
        "none.lab.test",
        "www.sub.lab.test",
    ]
    .map(|name| ask(address, name, RecordType::A));
    let (alias, wild, none, cut) = (alias?, wild?, none?, cut?);
    ensure(none.header.rcode == Rcode::NXDOMAIN, "none.lab.test exists")?;
    ensure(cut.is_referral(), "sub.lab.test was not delegated")?;
    let query = query("lab.test", RecordType::AXFR)?;
    let transfer = ask_tcp(address, &query)?;
    ensure(
        transfer.header.rcode == Rcode::REFUSED,
        "a stranger got the zone",
    )?;
    stopper.stop();
    let totals = running.join().map_err(|_| "the server panicked")??;

    let mut lines = vec!["an alias, and what it stands for, in one reply:".to_string()];
    lines.extend(shown(&alias.answers));
    lines.push("a name that a wildcard speaks for:".into());
    lines.extend(shown(&wild.answers));
    lines.push("none.lab.test: no such name, and how long to remember that:".into());
    lines.extend(shown(&none.authorities));
    lines.push("www.sub.lab.test: not ours; ask these:".into());
    lines.extend(shown(&cut.authorities));
    lines.push("the whole zone, over TCP: refused, nobody is on the list".into());
    lines.push(format!("the server says: {totals}"));
    Ok(Told {
        lines,
        read: "src/dns/answer/mod.rs, src/dns/server/mod.rs; docs/dns-server.md",
    })
}

fn shown(records: &[Record]) -> impl Iterator<Item = String> {
    let lines = records.iter().map(|record| format!("  {record}"));
    lines.map(|line| line.replace('\t', " "))
}

fn query(name: &str, kind: RecordType) -> Result<Message> {
    Ok(Message::query(7, Question::new(Name::parse(name)?, kind)))
}

fn ask(server: SocketAddr, name: &str, kind: RecordType) -> Result<Message> {
    let socket = net::dial_datagrams(Network::Udp, &server.to_string())?;
    socket.set_read_deadline(Deadline::after(PATIENCE));
    socket.send(&query(name, kind)?.encode()?)?;
    let mut buffer = [0; 1232];
    let count = socket.recv(&mut buffer)?;
    Ok(Message::decode(buffer.get(..count).unwrap_or_default())?)
}

/// The same over TCP, where each message follows its length.
fn ask_tcp(server: SocketAddr, query: &Message) -> Result<Message> {
    let mut stream = net::dial(Network::Tcp, &server.to_string())?;
    stream.set_deadline(Deadline::after(PATIENCE));
    let octets = query.encode()?;
    let length = u16::try_from(octets.len())?.to_be_bytes();
    stream.write_all(&[&length[..], &octets].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut octets = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut octets)?;
    Ok(Message::decode(&octets)?)
}
