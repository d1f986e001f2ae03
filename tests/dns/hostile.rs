//! Messages that break one rule each, whole: which fault is found, and where.

use groundwire::dns::{DecodeError, Fault, Header, Message, Opcode};
use groundwire::sys::counting;

/// A message of these counts; its sections follow the header.
fn message(counts: [u16; 4], sections: &[&[u8]]) -> Vec<u8> {
    let counts = counts.map(u16::to_be_bytes).concat();
    [&[0xbe, 0xef, 0x80, 0], &counts[..], &sections.concat()].concat()
}

/// The question `a. IN A`, at offset 12; what follows stands at 19.
const QUESTION: &[u8] = b"\x01a\x00\x00\x01\x00\x01";
/// Type A, class IN, TTL 1 and the length of an address.
const A: &[u8] = b"\x00\x01\x00\x01\x00\x00\x00\x01\x00\x04";
const ADDRESS: &[u8] = &[192, 0, 2, 1];

/// The question and one answer.
fn answer(owner: &[u8], rest: &[&[u8]]) -> Vec<u8> {
    message([1, 1, 0, 0], &[QUESTION, owner, &rest.concat()])
}

/// The question and one answer of another type than A.
fn rdata(kind: u8, length: u8, octets: &[u8]) -> Vec<u8> {
    let head = [0, kind, 0, 1, 0, 0, 0, 1, 0, length];
    answer(b"\xc0\x0c", &[&head, octets])
}

#[test]
fn each_broken_rule_is_found_where_it_is_broken() {
    let opt = b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00";
    let long = [&[63][..], &[b'x'; 63]].concat().repeat(4);
    for (what, octets, offset, fault) in [
        ("no header", vec![0; 11], 10, Fault::Short),
        (
            "pointer to itself",
            answer(b"\xc0\x13", &[A, ADDRESS]),
            19,
            Fault::Pointer(19),
        ),
        (
            "pointer forwards",
            answer(b"\xc0\x20", &[A, ADDRESS]),
            19,
            Fault::Pointer(32),
        ),
        (
            "pointer past the end",
            answer(b"\xff\xff", &[A, ADDRESS]),
            19,
            Fault::Pointer(0x3fff),
        ),
        (
            "pointer into the header",
            answer(b"\xc0\x04", &[A, ADDRESS]),
            19,
            Fault::Pointer(4),
        ),
        (
            "label type 01",
            answer(b"\x41a\x00", &[A, ADDRESS]),
            19,
            Fault::LabelType(0x41),
        ),
        (
            "label type 10",
            answer(b"\x81a\x00", &[A, ADDRESS]),
            19,
            Fault::LabelType(0x81),
        ),
        (
            "name of 257 octets",
            answer(&long, &[b"\x00", A, ADDRESS]),
            211,
            Fault::NameTooLong,
        ),
        ("owner without end", answer(b"\x02a", &[]), 20, Fault::Short),
        ("no record at all", answer(b"", &[]), 19, Fault::Short),
        (
            "record cut in its head",
            answer(b"\xc0\x0c", &[&A[..7]]),
            25,
            Fault::Short,
        ),
        (
            "RDLENGTH past the end",
            answer(b"\xc0\x0c", &[A, &ADDRESS[..3]]),
            31,
            Fault::Short,
        ),
        (
            "address of 3 octets",
            rdata(1, 3, ADDRESS),
            31,
            Fault::Short,
        ),
        (
            "address of 5 octets",
            rdata(1, 5, &[0; 5]),
            35,
            Fault::DataTooLong(1),
        ),
        (
            "name cut by RDLENGTH",
            rdata(5, 1, b"\x01b\x00"),
            32,
            Fault::Short,
        ),
        (
            "octets behind a name",
            rdata(5, 4, b"\x01b\x00\x00"),
            34,
            Fault::DataTooLong(1),
        ),
        (
            "string past RDLENGTH",
            rdata(16, 2, b"\x02ab"),
            32,
            Fault::Short,
        ),
        (
            "TXT without a string",
            rdata(16, 0, b""),
            31,
            Fault::NoString,
        ),
        (
            "DNAME compressed",
            rdata(39, 2, b"\xc0\x0c"),
            31,
            Fault::Compressed,
        ),
        (
            "OPT as an answer",
            message([0, 1, 0, 0], &[opt]),
            12,
            Fault::MisplacedOpt,
        ),
        (
            "two OPTs",
            message([0, 0, 0, 2], &[opt, opt]),
            23,
            Fault::TwoOpts,
        ),
        (
            "answer of 9",
            message([1, 9, 0, 0], &[QUESTION]),
            19,
            Fault::Short,
        ),
        (
            "65,535 questions",
            message([0xffff, 0, 0, 0], &[QUESTION]),
            19,
            Fault::Short,
        ),
    ] {
        let found = Message::decode(&octets);
        assert_eq!(found, Err(DecodeError { offset, fault }), "{what}");
        let found = found.unwrap_err().to_string();
        assert!(found.starts_with(&format!("offset {offset}: ")), "{found}");
    }
}

#[test]
fn counts_of_65535_in_a_short_message_allocate_next_to_nothing() {
    for counts in [
        [0xffff, 0, 0, 0],
        [0, 0xffff, 0xffff, 0xffff],
        [1, 0xffff, 0, 0],
    ] {
        let octets = message(counts, &[QUESTION]);
        let (read, held) = counting::peak(|| Message::decode(&octets));
        assert!(read.is_err() && held < 1024, "{held} bytes for {counts:?}");
    }
}

#[test]
fn a_message_of_pointers_costs_no_more_memory_than_55_times_its_octets() {
    // The dearest there is: names of 255 octets, for two octets each.
    let long = [&[63][..], &[b'x'; 63]].concat().repeat(3);
    let long = [&long[..], &[61], &[b'y'; 61], &[0]].concat();
    let question = [&long[..], &[0, 1, 0, 1]].concat();
    let more = b"\xc0\x0c\x00\x01\x00\x01".repeat(10_000);
    let octets = message([10_001, 0, 0, 0], &[&question, &more]);
    let (read, held) = counting::peak(|| Message::decode(&octets));
    assert_eq!(read.unwrap().questions.len(), 10_001);
    assert!(
        held < 55 * octets.len(),
        "{held} bytes for {}",
        octets.len()
    );
}

#[test]
fn a_server_can_answer_whatever_has_a_header() {
    let octets = rdata(1, 5, ADDRESS);
    let header = Header::decode(&octets).unwrap();
    assert_eq!((header.id, header.opcode), (0xbeef, Opcode::QUERY));
    assert!(header.response);
}
