//! Whole messages: both ways, cut, and malformed.

use super::*;
use crate::dns::code::{Class, Opcode};
use crate::dns::data::{Data, Mx, Opaque};
use crate::dns::edns::EdnsOption;
use crate::dns::name::Name;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn address(owner: &str, last: u8) -> Record {
    Record::new(name(owner), 300, Data::A([192, 0, 2, last].into()))
}

fn reply() -> Message {
    let question = Question::new(name("www.example."), RecordType::A);
    let query = Message::query(0xbeef, question.clone());
    let mut message = Message::new(query.header.reply());
    message.header.authoritative = true;
    message.questions.push(question);
    message.answers = vec![address("www.example.", 1), address("www.example.", 2)];
    let mx = Data::Mx(Mx {
        preference: 10,
        exchange: name("mail.example."),
    });
    message.authorities = vec![Record::new(name("example."), 60, mx)];
    message.additionals = vec![address("mail.example.", 3)];
    message.edns = Some(Edns {
        udp_size: 4096,
        dnssec_ok: true,
        options: vec![EdnsOption {
            code: 10,
            data: [1, 2, 3].into(),
        }],
        ..Edns::default()
    });
    message
}

#[test]
fn a_message_survives_the_way_through_its_octets() {
    let message = reply();
    let octets = message.encode().unwrap();
    assert_eq!(Message::decode(&octets), Ok(message.clone()));
    assert_eq!(message.encode_within(65535, Vec::new()), octets);
    let behind = message.encode_within(65535, vec![7, 7]);
    assert_eq!(behind, [&[7, 7], &octets[..]].concat());
}

#[test]
fn octets_after_the_end_are_counted_and_left_alone() {
    let mut octets = reply().encode().unwrap();
    let length = octets.len();
    octets.extend([1, 2, 3]);
    assert_eq!(Message::decode_prefix(&octets), Ok((reply(), length)));
}

#[test]
fn a_message_that_is_cut_anywhere_is_an_error() {
    let octets = reply().encode().unwrap();
    for length in 0..octets.len() {
        assert!(
            Message::decode(&octets[..length]).is_err(),
            "{length} octets"
        );
    }
}

#[test]
fn an_rcode_of_12_bits_is_parted_between_header_and_opt() {
    let mut message = reply();
    message.header.rcode = Rcode::BADVERS;
    let octets = message.encode().unwrap();
    assert_eq!(octets[3] & 15, 0);
    let read = Message::decode(&octets).unwrap();
    assert_eq!(read.header.rcode, Rcode::BADVERS);
    message.header.rcode = Rcode(0xfff);
    let read = Message::decode(&message.encode().unwrap()).unwrap();
    assert_eq!(read.header.rcode, Rcode(0xfff));
}

#[test]
fn a_ttl_with_its_top_bit_set_means_zero() {
    let mut message = Message::new(Header::query(1));
    message.answers = vec![address("a.", 1)];
    let mut octets = message.encode().unwrap();
    let ttl = 12 + 3 + 4;
    octets[ttl] = 0x80;
    assert_eq!(Message::decode(&octets).unwrap().answers[0].ttl, 0);
    octets[ttl] = 0x7f;
    let long = Message::decode(&octets).unwrap().answers[0].ttl;
    assert_eq!(long, 0x7f00_012c);
}

#[test]
fn counts_beyond_the_content_are_errors_without_allocation() {
    let octets = reply().encode().unwrap();
    for count in [4, 6, 8, 10] {
        let mut lying = octets.clone();
        lying[count] = 0xff;
        assert!(Message::decode(&lying).is_err(), "count at {count}");
    }
}

#[test]
fn opt_stands_once_in_the_additional_section_and_at_the_root() {
    let opt = [0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 0];
    let with = |counts: [u8; 4], records: &[&[u8]]| {
        let mut octets = vec![0, 1, 0, 0];
        octets.extend(counts.iter().flat_map(|count| [0, *count]));
        octets.extend(records.concat());
        Message::decode(&octets)
    };
    assert!(with([0, 0, 0, 1], &[&opt]).is_ok());
    let fault = |result: Result<Message, DecodeError>| result.unwrap_err().fault;
    assert_eq!(fault(with([0, 0, 0, 2], &[&opt, &opt])), Fault::TwoOpts);
    assert_eq!(fault(with([0, 1, 0, 0], &[&opt])), Fault::MisplacedOpt);
    assert_eq!(fault(with([0, 0, 1, 0], &[&opt])), Fault::MisplacedOpt);
    let named = [&[1, b'a'], &opt[..]].concat();
    assert_eq!(fault(with([0, 0, 0, 1], &[&named])), Fault::NamedOpt);
    // An option whose length goes beyond the RDATA.
    let option = [&opt[..10], &[4, 0, 3, 0, 1]].concat();
    assert_eq!(fault(with([0, 0, 0, 1], &[&option])), Fault::Short);
}

#[test]
fn a_message_too_long_is_cut_between_record_sets_and_says_so() {
    let mut message = reply();
    message.answers = (0..20).map(|n| address("www.example.", n)).collect();
    message.authorities = (0..20).map(|n| address("ns.example.", n)).collect();
    let whole = message.encode().unwrap().len();
    let octets = message.encode_within(512, Vec::new());
    assert!(octets.len() <= 512 && octets.len() < whole);
    let cut = Message::decode(&octets).unwrap();
    assert!(cut.header.truncated);
    assert_eq!((cut.answers.len(), cut.authorities.len()), (20, 0));
    assert_eq!((cut.additionals.len(), cut.edns), (0, message.edns.clone()));

    message.answers = (0..60).map(|n| address("www.example.", n)).collect();
    let cut = Message::decode(&message.encode_within(512, Vec::new())).unwrap();
    assert!(cut.header.truncated && cut.answers.is_empty());
    assert_eq!(cut.questions, message.questions);
}

#[test]
fn additional_records_that_do_not_fit_are_missed_by_a_referral_only() {
    let mut message = reply();
    message.additionals = (0..40)
        .map(|n| address(&format!("n{n}.example."), n))
        .collect();
    let cut = Message::decode(&message.encode_within(512, Vec::new())).unwrap();
    assert!(!cut.header.truncated && cut.additionals.len() < 40);

    message.answers.clear();
    message.header.authoritative = false;
    let ns = Data::Ns(name("n1.example."));
    message.authorities = vec![Record::new(name("example."), 60, ns)];
    let cut = Message::decode(&message.encode_within(512, Vec::new())).unwrap();
    assert!(cut.header.truncated && !cut.authorities.is_empty());
}

#[test]
fn every_limit_cuts_to_a_message_that_can_be_read() {
    let mut message = reply();
    message.answers = (0..90)
        .map(|n| address(&format!("n{}.example.", n / 3), n))
        .collect();
    let whole = message.encode().unwrap().len();
    for limit in 512..=whole {
        let octets = message.encode_within(limit, Vec::new());
        assert!(octets.len() <= limit);
        let (cut, length) = Message::decode_prefix(&octets).unwrap();
        assert_eq!(length, octets.len());
        assert_eq!(cut.answers.len() % 3, 0, "whole sets at {limit}");
        assert_eq!(
            cut.header.truncated,
            cut.answers.len() < 90 || cut.authorities.is_empty()
        );
    }
}

#[test]
fn what_fits_into_no_message_is_refused_or_cut_to_a_header() {
    let mut message = reply();
    message.answers = (0..5000)
        .map(|n| address("www.example.", n as u8))
        .collect();
    assert_eq!(message.encode(), Err(EncodeError::TooLong));
    message.edns = Some(Edns {
        options: vec![EdnsOption {
            code: 1,
            data: vec![0; 600].into(),
        }],
        ..Edns::default()
    });
    let cut = Message::decode(&message.encode_within(512, Vec::new())).unwrap();
    assert!(cut.header.truncated && cut.questions.is_empty());
}

#[test]
fn of_a_message_that_is_cut_there_is_what_stands_before() {
    let mut message = reply();
    message.questions = vec![message.questions[0].clone(); 2];
    let octets = message.encode().unwrap();
    let lengths = |cut: usize| {
        let partial = Message::decode_partial(&octets[..cut]).unwrap();
        (partial.questions.len(), partial.answers.len())
    };
    // Each question but the first points to the first one's name: 2 octets, and 4 more.
    let first = 12 + "0www0example00".len() + 3;
    assert_eq!(lengths(first - 1), (0, 0));
    assert_eq!(lengths(first), (1, 0));
    assert_eq!(lengths(first + 5), (1, 0));
    assert_eq!(lengths(first + 6), (2, 0));
    assert_eq!(lengths(octets.len()), (2, message.answers.len()));
}

#[test]
fn the_head_of_a_malformed_message_can_be_read() {
    let mut octets = reply().encode().unwrap();
    octets.truncate(40);
    assert!(Message::decode(&octets).is_err());
    let (header, questions) = Message::decode_head(&octets).unwrap();
    assert_eq!((header.id, header.opcode), (0xbeef, Opcode::QUERY));
    assert_eq!(questions, reply().questions);
    assert_eq!(questions[0].class, Class::IN);
}

#[test]
fn what_would_be_read_as_something_else_is_not_written() {
    let with = |change: &dyn Fn(&mut Message)| {
        let mut message = reply();
        change(&mut message);
        message.encode()
    };
    let record = |class, data| {
        with(&|message| {
            message.answers[0].class = class;
            message.answers[0].data = Data::clone(&data);
        })
    };
    let out_of_range = |field| Err(EncodeError::OutOfRange(field));
    assert_eq!(
        with(&|m| m.header.opcode = Opcode(16)),
        out_of_range("opcode")
    );
    assert_eq!(
        with(&|m| m.header.rcode = Rcode(0x1000)),
        out_of_range("rcode")
    );
    let no_room = with(&|m| (m.header.rcode, m.edns) = (Rcode::BADVERS, None));
    assert_eq!(no_room, out_of_range("rcode"));
    assert_eq!(with(&|m| m.answers[0].ttl = 1 << 31), out_of_range("TTL"));
    let reserved = with(&|m| m.edns.as_mut().unwrap().reserved = 0x8000);
    assert_eq!(reserved, out_of_range("reserved flags of EDNS"));

    let opaque = |kind, octets: &[u8]| Data::Opaque(Opaque::new(kind, octets).unwrap());
    let address = Data::A([192, 0, 2, 1].into());
    for (class, data) in [
        (Class::CH, address.clone()),
        (Class::ANY, Data::Ns(name("a."))),
        (Class::IN, opaque(RecordType::A, &[192, 0, 2, 1])),
        (Class::IN, opaque(RecordType::A, &[1])),
        (Class::IN, opaque(RecordType::OPT, &[])),
        (Class::NONE, opaque(RecordType::OPT, &[])),
        (Class::IN, opaque(RecordType::RP, &[0])),
        (Class::IN, opaque(RecordType::MINFO, b"\x01a\x00\xc0\x0c")),
    ] {
        let refused = EncodeError::NotOfClass(data.kind(), class);
        assert_eq!(record(class, data.clone()), Err(refused), "{class} {data}");
    }
    for (class, data) in [
        (Class::IN, address),
        (Class::CH, opaque(RecordType::A, &[1])),
        (Class::NONE, opaque(RecordType::A, &[1])),
        (Class::ANY, opaque(RecordType::MX, &[])),
        (Class::IN, opaque(RecordType::RP, b"\x01a\x00\x00")),
        (Class::IN, opaque(RecordType(65280), b"\xc0\x0c")),
    ] {
        let octets = record(class, data.clone()).unwrap();
        let answers = Message::decode(&octets).unwrap().answers;
        assert_eq!((answers[0].class, &answers[0].data), (class, &data));
    }
}

#[test]
fn a_record_that_cannot_be_written_is_cut_as_one_that_does_not_fit() {
    let mut message = reply();
    message.authorities[0].ttl = u32::MAX;
    let cut = Message::decode(&message.encode_within(512, Vec::new())).unwrap();
    assert!(cut.header.truncated);
    assert_eq!((cut.answers.len(), cut.authorities.len()), (2, 0));
}
