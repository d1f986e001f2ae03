//! What goes over the wire on a usual day.

use groundwire::dns::data::{Mx, Strings};
use groundwire::dns::{Data, Edns, Message, Name, Question, Record, RecordType};

pub fn all() -> [(&'static str, Message); 6] {
    [
        ("query", Message::query(1, Question::new(name("www.example.com"), RecordType::A))),
        ("2 addresses", addresses()),
        ("referral with glue", referral()),
        ("20 records: MX, NS, AAAA", mail()),
        ("TXT", text()),
        ("100 addresses", many()),
    ]
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn record(owner: &str, data: Data) -> Record {
    Record::new(name(owner), 300, data)
}

fn reply(owner: &str, kind: RecordType) -> Message {
    let query = Message::query(1, Question::new(name(owner), kind));
    let mut message = Message::new(query.header.reply());
    message.questions = query.questions;
    message.edns = Some(Edns::default());
    message
}

fn addresses() -> Message {
    let mut message = reply("www.example.com", RecordType::A);
    let addresses = [1, 2].map(|last| Data::A([192, 0, 2, last].into()));
    message.answers = addresses.map(|data| record("www.example.com", data)).into();
    message
}

fn referral() -> Message {
    let mut message = reply("www.example.com", RecordType::A);
    for letter in 'a'..='m' {
        let host = format!("{letter}.gtld-servers.net");
        message.authorities.push(record("com", Data::Ns(name(&host))));
        let address = Data::A([192, 0, 2, letter as u8].into());
        message.additionals.push(record(&host, address));
    }
    message
}

fn mail() -> Message {
    let mut message = reply("example.com", RecordType::MX);
    for n in 0..7_u16 {
        let exchange = name(&format!("mail{n}.example.com"));
        let address = [0x2001, 0xdb8, 0, 0, 0, 0, 0, n];
        let mx = Data::Mx(Mx { preference: n, exchange: exchange.clone() });
        message.answers.push(record("example.com", mx));
        message.additionals.push(Record::new(exchange, 300, Data::Aaaa(address.into())));
        if n < 6 {
            let ns = Data::Ns(name(&format!("ns{n}.example.net")));
            message.authorities.push(record("example.com", ns));
        }
    }
    message
}

fn text() -> Message {
    let mut message = reply("example.com", RecordType::TXT);
    for n in 0..8 {
        let strings = (0..n % 3 + 1).map(|s| format!("v=key{n}; {}", "p".repeat(60 + 40 * s)));
        let strings = Strings::new(strings).unwrap();
        message.answers.push(record("example.com", Data::Txt(strings)));
    }
    message
}

fn many() -> Message {
    let mut message = reply("cluster.example.com", RecordType::A);
    for last in 0..100 {
        let address = Data::A([192, 0, 2, last].into());
        message.answers.push(record("cluster.example.com", address));
    }
    message
}
