//! A whole reply, section by section, as dig(1) lays it out.

use std::fmt::Write;

use groundwire::dns::exchange::Try;
use groundwire::dns::{Edns, Header, Message, Question, Record, Reply};

/// A try that failed: its reply, or a line that says why there is none.
pub fn failed(failed: &Try) -> String {
    let shown = failed.reply.as_ref().map(reply);
    shown.unwrap_or_else(|| format!(";; {failed}\n"))
}

/// All of a reply, without the last line feed.
pub fn reply(reply: &Reply) -> String {
    let message = &reply.message;
    let mut text = header(message);
    text.push_str(&edns(message.edns.as_ref()));
    text.push_str("\n;; QUESTION SECTION:\n");
    message
        .questions
        .iter()
        .for_each(|q| text.push_str(&question(q)));
    for (title, records) in [
        ("ANSWER", &message.answers),
        ("AUTHORITY", &message.authorities),
        ("ADDITIONAL", &message.additionals),
    ] {
        text.push_str(&section(title, records));
    }
    let transport = reply.transport.to_string().to_uppercase();
    let millis = reply.took.as_secs_f64() * 1e3;
    let (server, size) = (reply.server, reply.size);
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "\n;; Query time: {millis:.1} msec\n;; SERVER: {server} ({transport})\n;; MSG SIZE  rcvd: {size}\n"
    );
    text
}

fn header(message: &Message) -> String {
    let header = &message.header;
    let additionals = message.additionals.len() + usize::from(message.edns.is_some());
    format!(
        ";; ->>HEADER<<- opcode: {}, status: {}, id: {}\n\
         ;; flags:{}; QUERY: {}, ANSWER: {}, AUTHORITY: {}, ADDITIONAL: {additionals}\n",
        header.opcode,
        header.rcode,
        header.id,
        flags(header),
        message.questions.len(),
        message.answers.len(),
        message.authorities.len(),
    )
}

fn flags(header: &Header) -> String {
    let flags = [
        ("qr", header.response),
        ("aa", header.authoritative),
        ("tc", header.truncated),
        ("rd", header.recursion_desired),
        ("ra", header.recursion_available),
        ("z", header.reserved),
        ("ad", header.authentic_data),
        ("cd", header.checking_disabled),
    ];
    let set = flags.iter().filter(|(_, set)| *set);
    set.map(|(name, _)| format!(" {name}")).collect()
}

fn edns(edns: Option<&Edns>) -> String {
    let Some(edns) = edns else {
        return String::new();
    };
    let flags = if edns.dnssec_ok { " do" } else { "" };
    let (version, size) = (edns.version, edns.udp_size);
    let mut text = format!(
        "\n;; OPT PSEUDOSECTION:\n; EDNS: version: {version}, flags:{flags}; udp: {size}\n"
    );
    for option in &edns.options {
        let octets = option.data.iter().map(|octet| format!(" {octet:02x}"));
        let octets: String = octets.collect();
        let _ = writeln!(text, "; OPT={}:{octets}", option.code);
    }
    text
}

fn question(question: &Question) -> String {
    let Question { name, kind, class } = question;
    format!(";{name}\t\t{class}\t{kind}\n")
}

fn section(title: &str, records: &[Record]) -> String {
    if records.is_empty() {
        return String::new();
    }
    let mut text = format!("\n;; {title} SECTION:\n");
    records.iter().for_each(|record| {
        let _ = writeln!(text, "{record}");
    });
    text
}
