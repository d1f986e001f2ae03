//! The codec: corner cases that take a whole message. The table of all is in `corner_cases.rs`.

use groundwire::dns::{Class, Edns, Message, Name, Question, Rcode, Record, RecordType};

use crate::samples::{DATA, edns, every_type, messages, name, parse, record, reply};

#[test]
fn every_message_survives_the_way_through_its_octets() {
    for message in messages() {
        let octets = message.encode().unwrap();
        assert_eq!(Message::decode_prefix(&octets), Ok((message, octets.len())));
    }
}

#[test]
fn data_of_every_type_survives_the_way_through_text() {
    for (kind, text) in DATA {
        let kind: RecordType = kind.parse().unwrap();
        let data = parse(kind, text).unwrap();
        assert_eq!(data.kind(), kind);
        assert_eq!(data.to_string(), text, "{kind}");
        assert_eq!(parse(kind, &data.to_string()), Ok(data));
    }
}

#[test]
fn another_version_of_edns_is_read_and_badvers_stands_in_both_parts() {
    let mut query = Message::query(1, Question::new(name("a"), RecordType::A));
    query.edns = Some(Edns {
        version: 1,
        ..Edns::default()
    });
    let read = Message::decode(&query.encode().unwrap()).unwrap();
    assert_eq!(read.edns.unwrap().version, 1);

    let mut answer = Message::new(read.header.reply());
    answer.header.rcode = Rcode::BADVERS;
    answer.edns = Some(Edns::default());
    let octets = answer.encode().unwrap();
    assert_eq!(octets[3] & 15, 0, "the header's part");
    assert_eq!(octets[12 + 5], 1, "the OPT record's part");
}

#[test]
fn unknown_options_are_kept_in_order() {
    let mut query = Message::query(1, Question::new(name("a"), RecordType::A));
    query.edns = Some(edns());
    let read = Message::decode(&query.encode().unwrap()).unwrap();
    let codes = read.edns.unwrap().options.into_iter().map(|o| o.code);
    assert_eq!(codes.collect::<Vec<_>>(), [10, 65001]);
}

#[test]
fn unknown_types_and_classes_keep_their_octets_and_have_the_generic_text() {
    let mut message = reply("a", RecordType(65280));
    // What looks like a pointer is none in data that nobody knows.
    let mut unknown = record("a", "TYPE65280", "\\# 5 010203C00C");
    unknown.class = Class(32);
    message.answers.push(unknown);
    let read = Message::decode(&message.encode().unwrap()).unwrap();
    assert_eq!(read, message);
    let text = read.answers[0].to_string();
    assert_eq!(text, "a.\t300\tCLASS32\tTYPE65280\t\\# 5 010203C00C");
}

#[test]
fn names_keep_the_case_in_which_they_came() {
    let message = reply("wWw.ExAmPlE", RecordType::A);
    let read = Message::decode(&message.encode().unwrap()).unwrap();
    assert_eq!(read.questions[0].name.to_string(), "wWw.ExAmPlE.");
    assert_eq!(read.questions[0].name, name("www.example"));
}

#[test]
fn thousands_of_names_are_compressed_in_one_message() {
    let mut message = reply("example", RecordType::NS);
    let ns = |n: u32| record("example", "NS", &format!("{n:x}.ns.example."));
    message.answers = (0..3_500).map(ns).collect();
    let octets = message.encode().unwrap();
    assert_eq!(Message::decode(&octets), Ok(message));
    // Owner 2, fixed fields 10, a label of at most 4 octets, a pointer.
    assert!(octets.len() < 40 + 3_500 * 18, "{} octets", octets.len());
}

#[test]
fn a_name_is_not_compressed_against_itself() {
    // Its labels repeat: only what was written before it may be pointed to.
    let repeating = Name::from_labels([b"a"; 100]).unwrap();
    let message = Message::query(1, Question::new(repeating.clone(), RecordType::A));
    let octets = message.encode().unwrap();
    assert_eq!(octets[12..][..201], *repeating.wire());
    assert_eq!(Message::decode(&octets), Ok(message));
}

#[test]
fn a_whole_message_can_be_cut_to_any_limit_and_is_read() {
    let message = every_type();
    let whole = message.encode().unwrap().len();
    for limit in 512..=whole {
        let octets = message.encode_within(limit, Vec::new());
        assert!(octets.len() <= limit);
        let cut = Message::decode(&octets).unwrap();
        let is_start = |cut: &[Record], of: &[Record]| of.starts_with(cut);
        assert!(is_start(&cut.answers, &message.answers));
        assert!(is_start(&cut.authorities, &message.authorities));
        assert!(is_start(&cut.additionals, &message.additionals));
        assert_eq!(
            (&cut.questions, &cut.edns),
            (&message.questions, &message.edns)
        );
    }
}
