//! Mutated messages and texts: each is refused, or it is a value that is written so that it is read
//! as the same; and none takes more memory than its length allows.
//!
//! `GROUNDWIRE_FUZZ` is how many messages are tried (200,000 without it; `make fuzz` sets it to
//! ten million), and as many names, and a tenth as many texts of data. What a run ever finds goes
//! into `corpus.txt`, one line a message, which is tried first.

use std::panic::catch_unwind;

use groundwire::dns::{Class, EncodeError, Header, MAX_MESSAGE, Message, Name, Record, RecordType};
use groundwire::sys::counting;

use crate::generate::Seeded;
use crate::samples::{DATA, messages, parse};

/// How many bytes a message may cost for each of its octets: a name of 255 octets behind a pointer of
/// two, in a question of six, is the dearest (55); and for the first records, which are few.
const FACTOR: usize = 64;
const SLACK: usize = 8 << 10;

fn wanted() -> u64 {
    let wanted = std::env::var("GROUNDWIRE_FUZZ").ok();
    wanted.map_or(200_000, |text| {
        text.parse().expect("GROUNDWIRE_FUZZ: a number")
    })
}

/// Whether a message was taken; panics if it was taken wrongly.
fn check(octets: &[u8]) -> bool {
    let (read, held) = counting::peak(|| Message::decode_prefix(octets));
    let allowed = octets.len() * FACTOR + SLACK;
    assert!(held <= allowed, "{held} bytes held, {allowed} allowed");
    let head = Message::decode_head(octets);
    let Ok((message, length)) = read else {
        return false;
    };
    let (header, questions) = head.unwrap();
    assert_eq!(Header::decode(octets), Ok(header));
    assert_eq!(questions, message.questions);
    assert!(length <= octets.len());
    match message.encode() {
        Ok(again) => assert_eq!(
            Message::decode_prefix(&again),
            Ok((message.clone(), again.len()))
        ),
        // Names that must not be compressed, or are beyond the reach of pointers, grow.
        Err(error) => assert!(error == EncodeError::TooLong && octets.len() > MAX_MESSAGE / 127),
    }
    let cut = message.encode_within(512, Vec::new());
    assert!(cut.len() <= 512);
    let cut = Message::decode(&cut).unwrap();
    assert!(message.answers.starts_with(&cut.answers));
    let sections = [&message.answers, &message.authorities, &message.additionals];
    sections.into_iter().flatten().for_each(check_text);
    true
}

/// What is printed reads back; in the classes in which a type has data of its own.
fn check_text(record: &Record) {
    let text = record.to_string();
    assert!(
        text.bytes()
            .all(|octet| (b' '..=b'~').contains(&octet) || octet == b'\t'),
        "{text:?}"
    );
    if record.class == Class::IN {
        let data = record.data.to_string();
        let again = parse(record.data.kind(), &data);
        assert_eq!(again.as_ref(), Ok(&record.data), "{data}");
        assert_eq!(again.unwrap().to_wire(), record.data.to_wire(), "{data}");
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn try_message(octets: &[u8]) -> bool {
    catch_unwind(|| check(octets))
        .unwrap_or_else(|_| panic!("a line for tests/dns/corpus.txt:\n{}", hex(octets)))
}

/// Numbers of two octets, the most significant first, are what lengths, counts and pointers are.
fn point(seeded: &mut Seeded, message: &mut [u8]) {
    let (at, length) = (seeded.below(message.len()), message.len());
    let target = seeded.below(length) as u16;
    let value = match seeded.below(4) {
        0 => target & 0xff,
        1 => seeded.next() as u16,
        _ => 0xc000 | target,
    };
    if let Some(place) = message.get_mut(at..at + 2) {
        place.copy_from_slice(&value.to_be_bytes());
    }
}

#[test]
fn what_was_found_once_stays_mended() {
    let corpus = include_str!("corpus.txt");
    for line in corpus.lines().filter(|line| !line.starts_with('#')) {
        let pair = |at: usize| u8::from_str_radix(&line[at..at + 2], 16).expect(line);
        let octets: Vec<u8> = (0..line.len()).step_by(2).map(pair).collect();
        try_message(&octets);
    }
}

#[test]
fn every_prefix_and_every_flipped_bit_is_refused_or_another_value() {
    for octets in messages().iter().map(|message| message.encode().unwrap()) {
        for length in 0..octets.len() {
            assert!(
                !try_message(&octets[..length]),
                "{length} of {}",
                hex(&octets)
            );
        }
        for bit in 0..octets.len() * 8 {
            let mut flipped = octets.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            try_message(&flipped);
        }
    }
}

#[test]
fn mutated_messages_are_refused_or_values_and_never_cost_more_than_they_may() {
    let (mut seeded, wanted) = (Seeded::new(11), wanted());
    let all: Vec<Vec<u8>> = messages().iter().map(|m| m.encode().unwrap()).collect();
    let mut taken = 0;
    for _ in 0..wanted {
        let mut octets = all[seeded.below(all.len())].clone();
        let other = seeded.below(all.len());
        if seeded.below(3) > 0 {
            seeded.mutate(&mut octets, &all[other]);
        }
        for _ in 0..seeded.below(4) {
            point(&mut seeded, &mut octets);
        }
        taken += u64::from(try_message(&octets));
    }
    println!("{wanted} messages tried, {taken} of them were values");
    // A mutator whose messages are all refused at the first octet would find nothing.
    assert!(
        taken > wanted / 20 && taken < wanted,
        "{taken} of {wanted} taken"
    );
}

#[test]
fn mutated_texts_are_no_names_or_names_that_print_as_they_are_read() {
    let (mut seeded, wanted) = (Seeded::new(12), wanted());
    let long = "x".repeat(63);
    let names = [
        "www.example.com.",
        "a\\000b.dot\\.in.\\255\\@.example",
        ".",
        "@",
        &format!("{long}.{long}.{long}.{}", &long[2..]),
        "1.2.0.192.in-addr.arpa",
    ];
    let mut taken = 0;
    for _ in 0..wanted {
        let mut text = names[seeded.below(names.len())].as_bytes().to_vec();
        let other = names[seeded.below(names.len())];
        seeded.mutate(&mut text, other.as_bytes());
        let text = String::from_utf8_lossy(&text);
        let Ok(name) = Name::parse(&text) else {
            continue;
        };
        taken += 1;
        assert!(name.wire().len() <= 255, "{text:?}");
        let printed = name.to_string();
        assert_eq!(
            Name::parse(&printed).unwrap().wire(),
            name.wire(),
            "{text:?}"
        );
        let labels = Name::from_labels(name.labels()).unwrap();
        assert_eq!(labels.wire(), name.wire(), "{text:?}");
        if let Some(address) = name.reverse_address() {
            assert_eq!(Name::reverse(address), name);
        }
    }
    println!("{wanted} texts tried, {taken} of them were names");
    assert!(taken > wanted / 20 && taken < wanted);
}

#[test]
fn mutated_texts_are_no_data_or_data_that_prints_as_it_is_read() {
    let mut seeded = Seeded::new(13);
    let wanted = wanted() / 10;
    let mut taken = 0;
    for _ in 0..wanted {
        let (kind, text) = DATA[seeded.below(DATA.len())];
        let (_, other) = DATA[seeded.below(DATA.len())];
        let mut text = text.as_bytes().to_vec();
        seeded.mutate(&mut text, other.as_bytes());
        let text = String::from_utf8_lossy(&text).into_owned();
        let kind: RecordType = kind.parse().unwrap();
        let Ok(data) = parse(kind, &text) else {
            continue;
        };
        taken += 1;
        let record = Record::new(Name::root(), 0, data);
        check_text(&record);
        let mut message = Message::new(Header::query(0));
        message.answers.push(record);
        let octets = message.encode().unwrap();
        assert_eq!(Message::decode(&octets), Ok(message), "{kind} {text}");
    }
    println!("{wanted} texts tried, {taken} of them were data");
    assert!(taken > wanted / 20 && taken < wanted);
}
