//! Records of every type and messages made of them, for the tests that need many.

use groundwire::dns::edns::EdnsOption;
use groundwire::dns::text::{Fields, Token};
use groundwire::dns::{
    Data, Edns, Header, Message, Name, Question, Rcode, Record, RecordType, TextError,
};

/// Type and text of data of every type, at its borders, too.
pub const DATA: [(&str, &str); 38] = [
    ("A", "192.0.2.1"),
    ("AAAA", "2001:db8::1"),
    ("NS", "ns.example."),
    ("CNAME", "a\\000b.dot\\.in.space\\032label.\\255.example."),
    ("PTR", "."),
    ("DNAME", "new.example."),
    ("MX", "10 mail.example."),
    ("MX", "0 ."),
    (
        "SOA",
        "ns.example. host\\.master.example. 4294967295 7200 3600 1209600 300",
    ),
    ("TXT", "\"v=spf1 -all\" \"\" \"\\\"\\\\\\000\\255\""),
    ("HINFO", "\"RFC8482\" \"\""),
    ("SRV", "1 2 65535 host.example."),
    (
        "NAPTR",
        "100 10 \"U\" \"E2U+sip\" \"!^.*$!sip:a@b!\" next.example.",
    ),
    ("CAA", "128 issue \"ca.example; a=b\""),
    ("CAA", "0 iodef \"\""),
    ("TLSA", "3 1 1 ABCDEF"),
    ("TLSA", "\\# 3 030101"),
    ("SSHFP", "4 1 0123456789ABCDEF0123456789ABCDEF01234567"),
    ("DS", "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118"),
    ("SVCB", "0 alias.example."),
    (
        "SVCB",
        "16 a.example. mandatory=alpn,port alpn=\"h2,h3\" no-default-alpn port=53 key667=\"x\\210\"",
    ),
    (
        "HTTPS",
        "1 . alpn=\"f\\\\\\\\oo\\\\,bar,h2\" ipv4hint=192.0.2.1,192.0.2.2 ech=AEj+DQ== ipv6hint=2001:db8::1",
    ),
    ("TYPE65280", "\\# 3 010203"),
    ("TYPE65280", "\\# 0"),
    ("NULL", "\\# 2 C00C"),
    ("RP", "\\# 6 016100016200"),
    ("AFSDB", "\\# 5 0001016100"),
    ("RT", "\\# 5 0001016100"),
    ("PX", "\\# 8 0001016100016200"),
    ("MINFO", "\\# 6 016100016200"),
    ("MB", "\\# 3 016100"),
    (
        "SIG",
        "\\# 23 000105030000012C0000000100000000ABCD016100FFFE",
    ),
    ("NXT", "\\# 7 01620040000002"),
    ("DNSKEY", "\\# 8 0101030801020304"),
    (
        "RRSIG",
        "\\# 23 00010D0200000E106600000065000000ABCD016100FFFE",
    ),
    ("NSEC", "\\# 6 016100000140"),
    ("LOC", "\\# 16 00121613891730C070BE15F000988D20"),
    ("WKS", "\\# 5 C000020106"),
];

/// Cuts a line at its spaces outside of quotation marks, which stay in the middle of a word.
pub fn tokens(line: &str) -> Vec<Token> {
    let mut words = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for letter in line.chars() {
        quoted ^= letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        match letter {
            ' ' if !quoted => words.push(String::new()),
            _ => words.last_mut().unwrap().push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    let token = |word: String| match word.strip_prefix('"').and_then(|w| w.strip_suffix('"')) {
        Some(inner) => Token {
            text: inner.into(),
            quoted: true,
        },
        None => Token {
            text: word,
            quoted: false,
        },
    };
    words.into_iter().map(token).collect()
}

pub fn parse(kind: RecordType, text: &str) -> Result<Data, TextError> {
    Data::parse(kind, &mut Fields::new(&tokens(text), None))
}

pub fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

pub fn record(owner: &str, kind: &str, text: &str) -> Record {
    let kind = kind.parse().unwrap();
    Record::new(name(owner), 300, parse(kind, text).unwrap())
}

/// A reply to the question for `owner`'s records, with nothing in it yet.
pub fn reply(owner: &str, kind: RecordType) -> Message {
    let query = Message::query(0xbeef, Question::new(name(owner), kind));
    let mut reply = Message::new(query.header.reply());
    reply.questions = query.questions;
    reply.header.authoritative = true;
    reply
}

pub fn edns() -> Edns {
    let option = |code, octets: &[u8]| EdnsOption {
        code,
        data: octets.into(),
    };
    Edns {
        dnssec_ok: true,
        options: vec![option(10, &[1, 2, 3, 4, 5, 6, 7, 8]), option(65001, &[])],
        ..Edns::default()
    }
}

/// One record of each row of [`DATA`], each under a name of its own.
pub fn every_type() -> Message {
    let mut message = reply("Every.example", RecordType::ANY);
    for (number, (kind, text)) in DATA.iter().enumerate() {
        let record = record(&format!("n{number}.example"), kind, text);
        match number % 3 {
            0 => message.answers.push(record),
            1 => message.authorities.push(record),
            _ => message.additionals.push(record),
        }
    }
    message.edns = Some(edns());
    message
}

/// What goes over the wire on a usual day, and a row of each type by itself.
pub fn messages() -> Vec<Message> {
    let mut addresses = reply("www.example", RecordType::A);
    addresses.answers = ["192.0.2.1", "192.0.2.2"]
        .map(|address| record("www.example", "A", address))
        .into();
    let mut referral = reply("www.child.example", RecordType::A);
    referral.header.authoritative = false;
    for n in 0..4 {
        let host = format!("ns{n}.child.example.");
        let address = format!("192.0.2.{n}");
        referral
            .authorities
            .push(record("child.example", "NS", &host));
        referral.additionals.push(record(&host, "A", &address));
    }
    referral.edns = Some(edns());
    let mut missing = reply("missing.example", RecordType::AAAA);
    missing.header.rcode = Rcode::NXDOMAIN;
    missing.authorities = vec![record("example", DATA[8].0, DATA[8].1)];
    let mut version = Message::new(Header::query(7).reply());
    version.header.rcode = Rcode::BADVERS;
    version.edns = Some(edns());
    let query = Message::query(
        1,
        Question::new(name("_dns.\\.a\\@b.example"), RecordType::SRV),
    );

    let mut messages = vec![addresses, referral, missing, version, query, every_type()];
    messages.extend(DATA.iter().map(|(kind, text)| {
        let mut message = reply("one.example", kind.parse().unwrap());
        message.answers = vec![record("one.example", kind, text)];
        message
    }));
    messages
}
