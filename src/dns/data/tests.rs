//! Every type: text to data, to octets, and both ways back.

use super::*;
use crate::dns::error::Fault;
use crate::dns::text::Token;

/// Splits a line at its spaces, except within quotation marks, which stay inside a word. (Zone
/// files have a lexer of their own.)
fn tokens(line: &str) -> Vec<Token> {
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
    let token = |word: String| match word.strip_prefix('"') {
        Some(rest) => Token {
            text: rest.strip_suffix('"').unwrap().into(),
            quoted: true,
        },
        None => Token {
            text: word,
            quoted: false,
        },
    };
    words.into_iter().map(token).collect()
}

fn parse(kind: RecordType, text: &str) -> Result<Data, TextError> {
    Data::parse(kind, &mut Fields::new(&tokens(text), None))
}

fn octets(hex: &str) -> Vec<u8> {
    let hex: String = hex.split_whitespace().collect();
    let pair = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(pair).collect()
}

fn decode(kind: RecordType, octets: &[u8]) -> Result<Data, DecodeError> {
    decode_in(kind, Class::IN, octets)
}

fn decode_in(kind: RecordType, class: Class, octets: &[u8]) -> Result<Data, DecodeError> {
    Reader::alone(octets).within(octets.len(), |r| Data::decode(kind, class, r))
}

#[test]
fn text_and_octets_of_every_type_lead_to_the_same_data_and_back() {
    for (kind, text, hex) in [
        ("A", "192.0.2.1", "c0000201"),
        ("AAAA", "2001:db8::1", "20010db8000000000000000000000001"),
        ("NS", "ns.example.", "026e73076578616d706c6500"),
        ("CNAME", "a.example.", "0161076578616d706c6500"),
        ("PTR", ".", "00"),
        ("DNAME", "a.", "016100"),
        (
            "MX",
            "10 mail.example.",
            "000a 046d61696c 076578616d706c65 00",
        ),
        ("MX", "0 .", "0000 00"),
        (
            "SOA",
            "a. b. 2147483649 7200 3600 1209600 300",
            "016100 016200 80000001 00001c20 00000e10 00127500 0000012c",
        ),
        (
            "TXT",
            "\"a b\" \"\" \"\\\"\\\\\\255\"",
            "03612062 00 03225cff",
        ),
        ("HINFO", "\"PC\" \"Linux 6\"", "025043 074c696e75782036"),
        ("SRV", "1 2 65535 a.", "0001 0002 ffff 016100"),
        (
            "NAPTR",
            "100 10 \"U\" \"E2U+sip\" \"!^.*$!sip:a@b!\" .",
            "0064 000a 0155 074532552b736970 0e215e2e2a24217369703a61406221 00",
        ),
        (
            "CAA",
            "128 issue \"ca.example\"",
            "80 056973737565 63612e6578616d706c65",
        ),
        ("CAA", "0 iodef \"\"", "00 05696f646566"),
        ("TLSA", "3 1 1 ABCDEF", "03 01 01 abcdef"),
        ("SSHFP", "4 2 0123456789ABCDEF", "04 02 0123456789abcdef"),
        ("DS", "60485 5 1 2BB183", "ec45 05 01 2bb183"),
        ("SVCB", "0 a.", "0000 016100"),
        ("HTTPS", "1 . alpn=\"h2\"", "0001 00 0001 0003 026832"),
        ("TYPE65280", "\\# 3 010203", "010203"),
        ("TYPE65280", "\\# 0", ""),
        ("RP", "\\# 6 016100016200", "016100 016200"),
        // A digest without octets has only the generic text.
        ("DS", "\\# 4 EC450501", "ec450501"),
        ("TLSA", "\\# 3 030101", "030101"),
    ] {
        let kind: RecordType = kind.parse().unwrap();
        let data = parse(kind, text).unwrap();
        assert_eq!(data.kind(), kind);
        assert_eq!(data.to_wire(), octets(hex), "{kind} {text}");
        assert_eq!(
            decode(kind, &octets(hex)),
            Ok(data.clone()),
            "{kind} {text}"
        );
        assert_eq!(data.to_string(), text);
    }
}

#[test]
fn the_generic_form_is_read_for_every_type() {
    for (kind, text, generic) in [
        (RecordType::A, "192.0.2.1", "\\# 4 C0000201"),
        (RecordType::MX, "10 a.", "\\# 5 000A 01 6100"),
        (RecordType::TXT, "\"a\"", "\\# 2 0161"),
    ] {
        assert_eq!(parse(kind, generic), parse(kind, text), "{generic}");
    }
    // Generic RDATA is not part of a message: the mailbox must not point to the primary.
    let primary = "0161 0161 0161 0161 0161 0161 0162 00";
    let soa = format!("\\# 37 {primary} C00C {}", "00".repeat(20));
    assert!(parse(RecordType::SOA, &soa).is_err());
    let octets = &octets(&soa[6..]);
    let mut r = Reader::new(octets);
    assert!(Data::decode(RecordType::SOA, Class::IN, &mut r).is_ok());
    for bad in [
        "\\#",
        "\\# 4",
        "\\# 4 C00002",
        "\\# 3 C00002", // not an address
        "\\# 4 C00002011",
        "\\# 4 C000020G",
        "\\# 65536 00",
        "\\# 0 00",
    ] {
        assert!(parse(RecordType::A, bad).is_err(), "{bad}");
    }
}

#[test]
fn rdata_shorter_or_longer_than_its_type_is_refused() {
    for (kind, hex, fault) in [
        (RecordType::A, "c00002", Fault::Short),
        (RecordType::A, "c000020100", Fault::DataTooLong(1)),
        (RecordType::AAAA, "20010db8", Fault::Short),
        (RecordType::NS, "026e73", Fault::Short),
        (RecordType::CNAME, "00ff", Fault::DataTooLong(1)),
        (RecordType::MX, "00", Fault::Short),
        (RecordType::SOA, "00 00 00000001", Fault::Short),
        (RecordType::TXT, "", Fault::NoString),
        (RecordType::TXT, "0461", Fault::Short),
        (RecordType::HINFO, "0161", Fault::Short),
        (RecordType::SRV, "000100020003", Fault::Short),
        (
            RecordType::NAPTR,
            "0001000200000000ff",
            Fault::DataTooLong(1),
        ),
        (RecordType::CAA, "00", Fault::Short),
        (RecordType::CAA, "0000", Fault::Tag),
        (RecordType::CAA, "00022d61", Fault::Tag),
        (RecordType::TLSA, "0101", Fault::Short),
        (
            RecordType::SVCB,
            "000100 0003 0001 00",
            Fault::ServiceParameter(3),
        ),
        (RecordType::SVCB, "000100 0003 0002 00", Fault::Short),
        (RecordType::RP, "00 00 00", Fault::DataTooLong(1)),
    ] {
        let error = decode(kind, &octets(hex)).unwrap_err();
        assert_eq!(error.fault, fault, "{kind} {hex}");
    }
}

#[test]
fn bad_text_says_which_field_is_wrong_and_why() {
    for (kind, text, error) in [
        (
            "A",
            "192.0.2",
            "IPv4 address \"192.0.2\": invalid IPv4 address syntax",
        ),
        ("A", "", "IPv4 address is missing"),
        ("A", "192.0.2.1 x", "\"x\" stands after the end of the data"),
        (
            "MX",
            "mail",
            "preference \"mail\": not a number of 0 to 65535",
        ),
        (
            "MX",
            "10 mail",
            "mail exchanger \"mail\": relative name without an origin",
        ),
        (
            "SRV",
            "0 0 99999 a.",
            "port \"99999\": not a number of 0 to 65535",
        ),
        (
            "SSHFP",
            "1 1 abc",
            "fingerprint \"abc\": odd number of hexadecimal digits",
        ),
        (
            "CAA",
            "0 is-sue x",
            "tag \"is-sue\": not 1 to 255 letters and digits",
        ),
        ("TXT", "", "string is missing"),
        (
            "LOC",
            "51 30 N",
            "data \"51\": LOC is written \\# LENGTH HEX here",
        ),
    ] {
        let kind = kind.parse().unwrap();
        assert_eq!(parse(kind, text).unwrap_err().to_string(), error);
    }
    let long = "x".repeat(256);
    assert!(parse(RecordType::TXT, &long).is_err());
    assert!(parse(RecordType::TXT, &long[1..]).is_ok());
}

#[test]
fn addresses_are_typed_in_class_in_only_and_nothing_is_in_none_and_any() {
    let in_chaos = decode_in(RecordType::A, Class::CH, &[0, 1, 2]);
    assert!(matches!(in_chaos, Ok(Data::Opaque(_))));
    for class in [Class::NONE, Class::ANY] {
        let empty = decode_in(RecordType::MX, class, &[]);
        assert!(matches!(empty, Ok(Data::Opaque(_))));
    }
}

#[test]
fn names_are_compressed_in_the_types_of_rfc_1035_and_no_others() {
    let write = |data: &Data| {
        let mut w = Writer::new(vec![0; 0], 512);
        w.bytes(&[0; 12]).unwrap();
        w.name(&Name::parse("example.").unwrap()).unwrap();
        let before = w.len();
        data.encode(&mut w).unwrap();
        w.finish()[before..].to_vec()
    };
    for (kind, text, compressed) in [
        ("NS", "example.", true),
        ("CNAME", "example.", true),
        ("PTR", "example.", true),
        ("MX", "1 example.", true),
        ("SOA", "example. example. 1 1 1 1 1", true),
        ("DNAME", "example.", false),
        ("SRV", "1 1 1 example.", false),
        ("NAPTR", "1 1 a b c example.", false),
        ("SVCB", "1 example.", false),
        ("HTTPS", "1 example.", false),
    ] {
        let data = parse(kind.parse().unwrap(), text).unwrap();
        let has_pointer = write(&data).windows(2).any(|pair| pair == [0xc0, 0x0c]);
        assert_eq!(has_pointer, compressed, "{kind}");
    }
}

#[test]
fn compressed_names_are_read_in_the_types_that_old_servers_compressed_and_no_others() {
    let mut message = vec![0; 12];
    message.extend(b"\x01a\x00");
    for (kind, before, text) in [
        (RecordType::SRV, &[0, 1, 0, 2, 0, 3][..], Some("1 2 3 a.")),
        (RecordType::AFSDB, &[0, 1], Some("\\# 5 0001016100")),
        (RecordType::RP, &[1, b'b', 0], Some("\\# 6 016200016100")),
        (RecordType(65280), &[], Some("\\# 2 C00C")),
        (RecordType::DNAME, &[], None),
        (RecordType::SVCB, &[0, 0], None),
    ] {
        let rdata = [before, &[0xc0, 0x0c]].concat();
        let whole = [&message[..], &rdata].concat();
        let mut reader = Reader::new(&whole);
        reader.bytes(15).unwrap();
        let data = reader.within(rdata.len(), |r| Data::decode(kind, Class::IN, r));
        match text {
            Some(text) => assert_eq!(data.unwrap().to_string(), text),
            None => assert_eq!(data.unwrap_err().fault, Fault::Compressed),
        }
    }
}

#[test]
fn data_of_more_than_65535_octets_is_refused_as_text() {
    let hex = |octets: usize| format!("1 1 1 {}", "00".repeat(octets));
    assert!(parse(RecordType::TLSA, &hex(65_532)).is_ok());
    assert!(parse(RecordType::TLSA, &hex(65_533)).is_err());
    let value = |octets: usize| format!("0 a {}", "x".repeat(octets));
    assert!(parse(RecordType::CAA, &value(65_532)).is_ok());
    assert!(parse(RecordType::CAA, &value(65_533)).is_err());
    let service = |octets: usize| format!("1 . key9={0} key10={0}", "x".repeat(octets));
    assert!(parse(RecordType::SVCB, &service(32_762)).is_ok());
    assert!(parse(RecordType::SVCB, &service(32_763)).is_err());
    assert!(parse(RecordType::SVCB, &service(65_536)).is_err());
}
