//! The corner cases of the codec, by the number they have in the list of corner cases, and where the
//! test of each stands. [`the_tests_of_the_table_exist`] reads this table.
//!
//! | case | file | test |
//! |---|---|---|
//! | 1 pointer loops | src/dns/reader.rs | a_pointer_that_does_not_lead_backwards_is_refused |
//! | 2 pointer forwards, past the end | tests/dns/hostile.rs | each_broken_rule_is_found_where_it_is_broken |
//! | 3 pointer into the header | tests/dns/hostile.rs | each_broken_rule_is_found_where_it_is_broken |
//! | 4 long chain of pointers | src/dns/reader.rs | a_long_chain_of_pointers_backwards_is_legal |
//! | 5 reserved label types | src/dns/reader.rs | reserved_label_types_are_refused |
//! | 6 label over 63 in text | src/dns/name_text.rs | an_escape_counts_as_one_octet_of_its_label |
//! | 7 name of 255 and 256 | src/dns/reader.rs | legal_pieces_that_expand_beyond_255_octets_are_refused |
//! | 8 cut anywhere | src/dns/message/tests.rs | a_message_that_is_cut_anywhere_is_an_error |
//! | 9 RDLENGTH wrong | src/dns/data/tests.rs | rdata_shorter_or_longer_than_its_type_is_refused |
//! | 10 counts wrong | tests/dns/hostile.rs | counts_of_65535_in_a_short_message_allocate_next_to_nothing |
//! | 11 octets behind the end | src/dns/message/tests.rs | octets_after_the_end_are_counted_and_left_alone |
//! | 12 TXT past RDATA, empty | tests/dns/hostile.rs | each_broken_rule_is_found_where_it_is_broken |
//! | 13 OPT twice, misplaced, named | src/dns/message/tests.rs | opt_stands_once_in_the_additional_section_and_at_the_root |
//! | 14 OPT option past RDATA | src/dns/message/tests.rs | opt_stands_once_in_the_additional_section_and_at_the_root |
//! | 15 OPT payload below 512 | src/dns/message/tests.rs | a_payload_size_below_512_counts_as_512 |
//! | 16 EDNS version 1, BADVERS | tests/dns/codec.rs | another_version_of_edns_is_read_and_badvers_stands_in_both_parts |
//! | 17 unknown option | tests/dns/codec.rs | unknown_options_are_kept_in_order |
//! | 18 TTL with its top bit | src/dns/message/tests.rs | a_ttl_with_its_top_bit_set_means_zero |
//! | 19 unknown type and class | tests/dns/codec.rs | unknown_types_and_classes_keep_their_octets_and_have_the_generic_text |
//! | 20 SRV target compressed | src/dns/data/tests.rs | compressed_names_are_read_in_the_types_that_old_servers_compressed_and_no_others |
//! | 21 any octet in a label | src/dns/name_text.rs | any_octet_survives_the_way_through_text |
//! | 22 case | tests/dns/codec.rs | names_keep_the_case_in_which_they_came |
//! | 23 compressing many names | tests/dns/codec.rs | thousands_of_names_are_compressed_in_one_message |
//! | 23 names chosen to collide | src/dns/writer.rs | names_chosen_to_collide_cost_octets_and_not_time |
//! | 24 longer than the transport | src/dns/message/tests.rs | a_message_too_long_is_cut_between_record_sets_and_says_so |

use std::fs;
use std::path::Path;

use groundwire::dns::{Class, Edns, Message, Name, Question, Rcode, Record, RecordType};

use crate::samples::{DATA, edns, every_type, messages, name, parse, record, reply};

#[test]
fn the_tests_of_the_table_exist() {
    let here = include_str!("codec.rs");
    let rows = here.lines().filter_map(|line| line.strip_prefix("//! | "));
    let mut cases = Vec::new();
    for row in rows.skip(1) {
        let mut cells = row.split(" | ").map(|cell| cell.trim_end_matches(" |"));
        let [case, file, test] = [(); 3].map(|()| cells.next().expect(row));
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = fs::read_to_string(path).expect(file);
        assert!(
            text.contains(&format!("    fn {test}(")) || text.contains(&format!("\nfn {test}(")),
            "{row}"
        );
        cases.extend(case.split(' ').next().and_then(|n| n.parse::<u32>().ok()));
    }
    cases.dedup();
    assert_eq!(cases, (1..=24).collect::<Vec<_>>());
}

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
