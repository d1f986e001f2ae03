//! Other implementations read what we write and write what we read: dnspython, tshark, dig. Each is
//! left out, and that is said, where it is not installed.

use std::fs;
use std::io::Write;
use std::net::UdpSocket;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use groundwire::dns::{Data, Edns, Message, Name, Question, Record, RecordType};

use crate::samples::{DATA, every_type, messages, name, record};

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn octets(hex: &str) -> Vec<u8> {
    let pair = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(pair).collect()
}

fn sections(message: &Message) -> [&[Record]; 3] {
    [&message.answers, &message.authorities, &message.additionals]
}

/// What `codec_peer.py` says of a message, said by us.
fn lines(message: &Message) -> Vec<String> {
    let header = &message.header;
    let mut lines = vec![match &message.edns {
        Some(edns) => format!(
            "{} {} {} {}",
            header.id, header.rcode.0, edns.version, edns.udp_size
        ),
        None => format!("{} {} -1 0", header.id, header.rcode.0),
    }];
    let options = message.edns.iter().flat_map(|edns| &edns.options);
    lines.extend(options.map(|option| format!("{} {}", option.code, hex(&option.data))));
    for Question { name, kind, class } in &message.questions {
        lines.push(format!("{} {} {}", hex(name.wire()), class.0, kind.0));
    }
    for section in sections(message) {
        for record in section {
            let (owner, data) = (hex(record.name.wire()), hex(&record.data.to_wire()));
            let (class, kind) = (record.class.0, record.data.kind().0);
            lines.push(format!("{owner} {} {class} {kind} {data}", record.ttl));
        }
        lines.push("-".into());
    }
    lines
}

/// Runs `codec_peer.py` with the first Python that has dnspython.
fn dnspython(input: &str) -> Option<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dns/codec_peer.py");
    for python in ["python3", "/usr/bin/python3"] {
        let mut command = Command::new(python);
        command.arg(script).stdin(Stdio::piped());
        let Ok(mut child) = command.stdout(Stdio::piped()).spawn() else {
            continue;
        };
        // It ends at once without dnspython, and the pipe is closed then.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        if output.status.code() != Some(77) {
            assert!(output.status.success());
            return Some(String::from_utf8(output.stdout).unwrap());
        }
    }
    println!("skipped: no Python with dnspython");
    None
}

#[test]
fn dnspython_reads_our_messages_as_the_same_values_and_we_read_its() {
    let messages = messages();
    let input = messages.iter().map(|m| hex(&m.encode().unwrap()) + "\n");
    let Some(said) = dnspython(&input.collect::<String>()) else {
        return;
    };
    assert_eq!(said.lines().count(), messages.len());
    for (message, said) in messages.iter().zip(said.lines()) {
        let (values, theirs) = said.split_once("], \"octets\": \"").unwrap();
        let values = values.strip_prefix("{\"lines\": [").unwrap();
        let ours = lines(message)
            .iter()
            .map(|line| format!("{line:?}"))
            .collect::<Vec<_>>();
        assert_eq!(values, ours.join(", "));
        let theirs = octets(theirs.strip_suffix("\"}").unwrap());
        let read = Message::decode(&theirs).unwrap();
        assert_eq!(lines(&read), lines(message));
        assert_eq!(Message::decode(&read.encode().unwrap()), Ok(read));
    }
}

/// A capture file of these messages as UDP datagrams from port 53 (LINKTYPE_RAW, IPv4).
fn pcap(messages: &[Message]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0002_0004, 0, 0, 65_535, 101] {
        file.extend(word.to_be_bytes());
    }
    for message in messages {
        let dns = message.encode().unwrap();
        let (udp, ip) = (8 + dns.len() as u16, 28 + dns.len() as u16);
        let mut packet = vec![0x45, 0];
        packet.extend(ip.to_be_bytes());
        packet.extend([0, 0, 0x40, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        let words = packet
            .chunks(2)
            .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
        let sum: u32 = words.sum();
        let checksum = !((sum & 0xffff) + (sum >> 16)) as u16;
        packet[10..12].copy_from_slice(&checksum.to_be_bytes());
        packet.extend([0, 53, 0xc0, 0]);
        packet.extend(udp.to_be_bytes());
        packet.extend([0, 0]); // no checksum
        packet.extend(dns);
        for word in [0, 0, packet.len() as u32, packet.len() as u32] {
            file.extend(word.to_be_bytes());
        }
        file.extend(packet);
    }
    file
}

#[test]
fn tshark_finds_nothing_malformed_in_our_messages_and_the_same_records() {
    let messages = messages();
    let path = format!("groundwire-dns-{}.pcap", std::process::id());
    let path = std::env::temp_dir().join(path);
    fs::write(&path, pcap(&messages)).unwrap();
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(&path).args([
        "-T",
        "fields",
        "-E",
        "separator=|",
        "-o",
        "ip.check_checksum:TRUE",
    ]);
    let fields = [
        "_ws.malformed",
        "ip.checksum.status",
        "dns.flags.rcode",
        "dns.qry.type",
        "dns.resp.type",
        "dns.resp.ttl",
        "dns.resp.name",
        "dns.a",
        "dns.aaaa",
        "dns.ns",
        "dns.mx.mail_exchange",
        "dns.srv.target",
    ];
    tshark.args(fields.iter().flat_map(|field| ["-e", field]));
    let output = tshark.output();
    fs::remove_file(&path).unwrap();
    let output = match output {
        Ok(output) => output,
        Err(error) => return println!("skipped: tshark: {error}"),
    };
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        said.lines().count(),
        messages.len(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for (message, said) in messages.iter().zip(said.lines()) {
        assert_eq!(said, seen(message).join("|"));
    }
}

/// The fields that tshark is asked for, of a message.
fn seen(message: &Message) -> Vec<String> {
    let records = || sections(message).into_iter().flatten();
    let of = |value: &dyn Fn(&Data) -> Option<String>| {
        records()
            .filter_map(|r| value(&r.data))
            .collect::<Vec<_>>()
            .join(",")
    };
    let opt = message.edns.is_some();
    let joined = |values: Vec<String>, of_opt: Option<&str>| {
        let of_opt = of_opt.filter(|_| opt).map(String::from);
        values
            .into_iter()
            .chain(of_opt)
            .collect::<Vec<_>>()
            .join(",")
    };
    let all = |value: &dyn Fn(&Record) -> String, of_opt: Option<&str>| {
        joined(records().map(value).collect(), of_opt)
    };
    // The owner of SRV is shown in parts, as service, protocol and name.
    let owners = records().filter(|r| r.data.kind() != RecordType::SRV);
    let plain = |name: &Name| match name.is_root() {
        true => "<Root>".into(),
        false => name.to_string().trim_end_matches('.').to_string(),
    };
    // Of a reply only.
    let rcode = message
        .header
        .response
        .then(|| (message.header.rcode.0 & 15).to_string());
    let kinds = message.questions.iter().map(|q| q.kind.0.to_string());
    vec![
        String::new(),
        "1".into(),
        rcode.unwrap_or_default(),
        kinds.collect(),
        all(
            &|r| match r.data.kind() {
                // The types of a bitmap are shown in the same field.
                RecordType::NXT => "30,1,30".into(),
                RecordType::NSEC => "47,1".into(),
                kind => kind.0.to_string(),
            },
            Some("41"),
        ),
        all(&|r| r.ttl.to_string(), None),
        joined(owners.map(|r| plain(&r.name)).collect(), Some("<Root>")),
        of(&|data| matches!(data, Data::A(_)).then(|| data.to_string())),
        of(&|data| matches!(data, Data::Aaaa(_)).then(|| data.to_string())),
        of(&|data| match data {
            Data::Ns(host) => Some(plain(host)),
            _ => None,
        }),
        of(&|data| match data {
            Data::Mx(mx) => Some(plain(&mx.exchange)),
            _ => None,
        }),
        of(&|data| match data {
            Data::Srv(srv) => Some(plain(&srv.target)),
            _ => None,
        }),
    ]
}

/// Runs dig against a server that answers its one query by `answer`.
fn dig(arguments: &[&str], answer: impl FnOnce(Message) -> Message) -> Option<Output> {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let port = server.local_addr().unwrap().port().to_string();
    let mut command = Command::new("dig");
    command.args([
        "-r",
        "@127.0.0.1",
        "+nocookie",
        "-p",
        &port,
        "+tries=1",
        "+time=20",
        "+noall",
        "+answer",
    ]);
    let child = match command.args(arguments).stdout(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => {
            println!("skipped: dig: {error}");
            return None;
        }
    };
    let mut query = [0; 4096];
    let (length, from) = server.recv_from(&mut query).unwrap();
    let read = Message::decode_prefix(&query[..length]);
    let (query, _) = read.clone().unwrap();
    assert_eq!(read, Ok((query.clone(), length)));
    assert_eq!(
        Message::decode(&query.encode().unwrap()).as_ref(),
        Ok(&query)
    );
    server
        .send_to(&answer(query).encode_within(4096, Vec::new()), from)
        .unwrap();
    Some(child.wait_with_output().unwrap())
}

/// The answer of a reply to this query with these records.
fn answering(query: Message, answers: Vec<Record>) -> Message {
    let mut message = Message::new(query.header.reply());
    message.questions = query.questions;
    message.answers = answers;
    message.edns = query.edns.map(|_| Edns::default());
    message
}

#[test]
fn dig_asks_what_it_is_told_to_ask() {
    for (arguments, question, edns, dnssec) in [
        (
            &["www.example", "A"][..],
            ("www.example", RecordType::A),
            true,
            false,
        ),
        (
            &["a\\000b.Dot\\.in.example", "MX"],
            ("a\\000b.dot\\.in.example", RecordType::MX),
            true,
            false,
        ),
        (
            &["example", "TYPE65280", "+noedns"],
            ("example", RecordType(65280)),
            false,
            false,
        ),
        (
            &["-x", "2001:db8::1", "+dnssec"],
            (
                &*Name::reverse("2001:db8::1".parse().unwrap()).to_string(),
                RecordType::PTR,
            ),
            true,
            true,
        ),
    ] {
        let asked = dig(arguments, |query| {
            let expected = Question::new(name(question.0), question.1);
            assert_eq!(query.questions, [expected]);
            assert_eq!(query.edns.is_some(), edns);
            assert_eq!(
                query.edns.as_ref().is_some_and(|edns| edns.dnssec_ok),
                dnssec
            );
            assert!(query.header.recursion_desired && !query.header.response);
            answering(query, Vec::new())
        });
        let Some(output) = asked else { return };
        assert!(output.status.success(), "{arguments:?}");
    }
}

#[test]
fn dig_prints_our_records_as_we_print_them() {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    // What has a form of its own here; dig knows more forms.
    let rows = DATA.iter().filter(|(_, text)| !text.starts_with("\\#"));
    for (kind, text) in rows {
        let ours = record("owner.example", kind, text);
        let printed = dig(&["owner.example", kind], |query| {
            answering(query, vec![ours.clone()])
        });
        let Some(output) = printed else { return };
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(words(&said), words(&ours.to_string()));
    }
    let kind = "TYPE65280";
    let unknown = record("owner.example", kind, "\\# 3 010203");
    let printed = dig(&["owner.example", kind], |query| {
        answering(query, vec![unknown.clone()])
    });
    let said = String::from_utf8(printed.unwrap().stdout).unwrap();
    assert_eq!(words(&said), words(&unknown.to_string()));
}

#[test]
fn dig_reads_a_message_that_was_cut() {
    let cut = dig(&["every.example", "ANY", "+notcp", "+ignore"], |query| {
        let mut message = answering(query, every_type().answers);
        let address = record("one.example", "A", "192.0.2.1");
        message.answers.extend(vec![address; 300]);
        let octets = message.encode_within(512, Vec::new());
        let cut = Message::decode(&octets).unwrap();
        assert!(cut.header.truncated && !cut.answers.is_empty());
        cut
    });
    let Some(output) = cut else { return };
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    assert!(
        said.lines().any(|line| line.starts_with("n0.example.")),
        "{said}"
    );
}
