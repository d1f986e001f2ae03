//! Answers as objects, one a line.

use std::net::IpAddr;

use groundwire::cli::json::{Object, array};
use groundwire::dns::exchange::Try;
use groundwire::dns::{Answer, Ending, Failure, LookupError, Name, Record};

pub fn answer(answer: &Answer) -> String {
    let status = match answer.ending {
        Ending::Records(_) => "NOERROR",
        Ending::NoSuchName { .. } => "NXDOMAIN",
        Ending::NoSuchRecord { .. } => "NODATA",
    };
    Object::new()
        .text("name", &answer.question.name)
        .text("type", answer.question.kind)
        .text("status", status)
        .text("canonical", &answer.name)
        .text_opt("server", answer.server)
        .value("aliases", list(&answer.aliases))
        .value("records", list(answer.records()))
        .end()
}

pub fn failure(name: &Name, error: &LookupError) -> String {
    let (kind, tries) = match error {
        LookupError::Failed(Failure::NoAnswer {
            question, tries, ..
        }) => (Some(question.kind), tries.as_slice()),
        _ => (None, &[][..]),
    };
    Object::new()
        .text("name", name)
        .text_opt("type", kind)
        .text("status", "NOANSWER")
        .text("error", error)
        .value("tries", array(tries.iter().map(failed)))
        .end()
}

fn failed(one: &Try) -> String {
    let reply = one.reply.as_ref();
    Object::new()
        .text("server", one.server)
        .text("transport", one.transport)
        .text_opt("rcode", reply.map(|reply| reply.message.header.rcode))
        .text("trouble", &one.trouble)
        .end()
}

/// What `--system` finds: addresses and nothing else.
pub fn address(name: &Name, address: IpAddr) -> String {
    Object::new()
        .text("name", name)
        .text("status", "NOERROR")
        .text("address", address)
        .end()
}

fn list(records: &[Record]) -> String {
    array(records.iter().map(record))
}

fn record(record: &Record) -> String {
    Object::new()
        .text("name", &record.name)
        .text("type", record.data.kind())
        .number("ttl", record.ttl)
        .text("data", &record.data)
        .end()
}
