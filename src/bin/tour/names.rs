//! The stop about names: a question, its octets, and the aliases on the way to the answer.

use std::thread;

use groundwire::dns::{
    CLASSIC_UDP, Data, Message, Name, Question, Rcode, Record, RecordType, Resolver, ResolverConfig,
};
use groundwire::net::{self, DatagramSocket, Deadline, Network};

use super::stops::{PATIENCE, Result, Told, ensure};
use super::wire;

pub fn lookup() -> Result<Told> {
    let socket = net::listen_datagrams(Network::Udp, "127.0.0.1:0")?;
    let address = socket.local_addr()?;
    let answer = move || serve(&socket, 3).map_err(|error| error.to_string());
    let server = thread::Builder::new().spawn(answer)?;
    let tap = wire::tap_datagrams(&address.to_string())?;
    let resolver = Resolver::new(ResolverConfig {
        servers: vec![tap.address.parse()?],
        timeout: PATIENCE,
        ..ResolverConfig::default()
    });

    let alias = Question::new(Name::parse("alias.example")?, RecordType::A);
    let answer = resolver.lookup(&alias)?;
    let gone = match resolver.lookup_txt("gone.example") {
        Err(error) => error.to_string(),
        Ok(_) => return Err("a name that is not there has a text".into()),
    };
    let again = resolver.lookup(&alias)?;
    let refused = match resolver.lookup_host("127.1") {
        Err(error) => error.to_string(),
        Ok(_) => return Err("127.1 was taken for an address".into()),
    };
    let octets = resolver.query(&alias)?.size;
    server.join().map_err(|_| "the server panicked")??;
    tap.stop()?;
    ensure(answer.records().len() == 1, "the alias leads nowhere")?;
    ensure(again.records() == answer.records(), "the cache differs")?;

    let query = Message::query(0x1234, alias).encode()?;
    let question: Vec<String> = query
        .iter()
        .skip(12)
        .take(19)
        .map(|b| format!("{b:02x}"))
        .collect();
    let mut lines = vec![
        format!(
            "a query of {} octets; its question: {}",
            query.len(),
            question.join(" ")
        ),
        format!("{address} replies with {octets} octets, in which each name stands once:"),
    ];
    let records = answer.aliases.iter().chain(answer.records());
    lines.extend(records.map(|record| format!("  {}", record.to_string().replace('\t', " "))));
    lines.push("asked again: the cache has it, no datagram was sent".into());
    lines.push(gone);
    lines.push(refused);
    Ok(Told {
        lines,
        read: "src/dns/exchange.rs, chain.rs, cache.rs, resolver.rs; docs/names.md",
    })
}

/// Answers some queries: `alias.example` is `www.example`, and there is nothing else.
fn serve(socket: &DatagramSocket, queries: usize) -> Result<()> {
    let mut buffer = [0; CLASSIC_UDP as usize];
    for _ in 0..queries {
        socket.set_read_deadline(Deadline::after(PATIENCE));
        let (count, peer) = socket.recv_from(&mut buffer)?;
        let query = Message::decode(buffer.get(..count).unwrap_or_default())?;
        let mut reply = Message::new(query.header.reply());
        reply.header.authoritative = true;
        let (alias, target) = (Name::parse("alias.example")?, Name::parse("www.example")?);
        if query
            .questions
            .iter()
            .any(|question| question.name == alias)
        {
            let address = Data::A("192.0.2.1".parse()?);
            reply
                .answers
                .push(Record::new(alias, 60, Data::Cname(target.clone())));
            reply.answers.push(Record::new(target, 60, address));
        } else {
            reply.header.rcode = Rcode::NXDOMAIN;
        }
        reply.questions = query.questions;
        socket.send_to(&reply.encode()?, &peer)?;
    }
    Ok(())
}
