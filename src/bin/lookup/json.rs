//! Answers as objects, one a line.

use std::net::IpAddr;

use groundwire::dns::{Answer, Ending, LookupError, Name, Record};

pub fn answer(answer: &Answer) -> String {
    let status = match answer.ending {
        Ending::Records(_) => "NOERROR",
        Ending::NoSuchName { .. } => "NXDOMAIN",
        Ending::NoSuchRecord { .. } => "NODATA",
    };
    let server = match answer.server {
        Some(server) => text(&server.to_string()),
        None => "null".into(),
    };
    format!(
        "{{\"name\":{},\"type\":{},\"status\":{},\"canonical\":{},\"server\":{server},\
         \"aliases\":{},\"records\":{}}}",
        text(&answer.question.name.to_string()),
        text(&answer.question.kind.to_string()),
        text(status),
        text(&answer.name.to_string()),
        list(&answer.aliases),
        list(answer.records()),
    )
}

pub fn failure(name: &str, error: &LookupError) -> String {
    let (name, error) = (text(name), text(&error.to_string()));
    format!("{{\"name\":{name},\"status\":\"NOANSWER\",\"error\":{error}}}")
}

/// What `--system` finds: it tells addresses and nothing else.
pub fn address(name: &Name, address: IpAddr) -> String {
    let (name, address) = (text(&name.to_string()), text(&address.to_string()));
    format!("{{\"name\":{name},\"status\":\"NOERROR\",\"address\":{address}}}")
}

fn list(records: &[Record]) -> String {
    let objects: Vec<String> = records.iter().map(record).collect();
    format!("[{}]", objects.join(","))
}

fn record(record: &Record) -> String {
    format!(
        "{{\"name\":{},\"type\":{},\"ttl\":{},\"data\":{}}}",
        text(&record.name.to_string()),
        text(&record.data.kind().to_string()),
        record.ttl,
        text(&record.data.to_string()),
    )
}

/// A string of RFC 8259 §7.
fn text(value: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in value.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            control if control.is_control() => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(control)));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[test]
fn a_string_cannot_end_its_quotes_or_its_line() {
    assert_eq!(text("a\"b\\c\n\x1b"), r#""a\"b\\c\u000a\u001b""#);
}
