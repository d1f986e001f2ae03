//! Answers as objects, one a line.

use std::net::IpAddr;

use groundwire::cli::json::{Object, array};
use groundwire::dns::{Answer, Ending, LookupError, Name, Record};

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
    Object::new()
        .text("name", name)
        .text("status", "NOANSWER")
        .text("error", error)
        .end()
}

/// What `--system` finds: it tells addresses and nothing else.
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
