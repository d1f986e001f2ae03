//! Vectors of the specification, refusals with their reasons, and headers mutated by seed.

use super::*;
use crate::net::Seeded;

fn tcp(source: &str, destination: &str) -> Header {
    Header::Tcp {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
    }
}

fn written(version: Version, header: Header) -> Vec<u8> {
    let mut out = Vec::new();
    write(version, header, &mut out);
    out
}

/// A version 2 header: command, family, and the block after the length.
fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let len = u16::try_from(block.len()).unwrap().to_be_bytes();
    [&SIGNATURE, &[command, family][..], &len, block].concat()
}

const V4_BLOCK: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 9, 0xdc, 0x04, 0x01, 0xbb];
const FFFF: &str = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";

#[test]
fn the_lines_of_the_specification_are_read() {
    let most = format!("PROXY UNKNOWN {FFFF} {FFFF} 65535 65535\r\n");
    assert_eq!(most.len(), MAX_V1);
    let v6_most = format!("PROXY TCP6 {FFFF} {FFFF} 65535 65535\r\n");
    let all_ones = format!("[{FFFF}]:65535");
    #[rustfmt::skip]
    let table = [
        ("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", tcp("192.168.0.1:56324", "192.168.0.11:443")),
        ("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", tcp("255.255.255.255:65535", "255.255.255.255:65535")),
        (&v6_most, tcp(&all_ones, &all_ones)),
        ("PROXY UNKNOWN\r\n", Header::Unknown),
        (&most, Header::Unknown),
    ];
    for (line, header) in table {
        let with_more = [line.as_bytes(), b"GET / HTTP/1.1\r\n"].concat();
        assert_eq!(parse(&with_more), Ok(Some((header, line.len()))), "{line}");
    }
}

#[test]
fn binary_headers_are_read_and_their_extra_values_stepped_over() {
    let v6_block = [[0xff; 16], [0xff; 16]].concat();
    let all_ones = format!("[{FFFF}]:65535");
    let tlvs = [&V4_BLOCK[..], &[0x04, 0, 0], &[0x02, 0, 2, b'h', b'i']].concat();
    let client = tcp("192.0.2.1:56324", "198.51.100.9:443");
    #[rustfmt::skip]
    let table = [
        (v2(0x21, TCP4, &V4_BLOCK), client),
        (v2(0x21, TCP4, &tlvs), client),
        (v2(0x21, TCP6, &[&v6_block[..], &[0xff; 4]].concat()), tcp(&all_ones, &all_ones)),
        (v2(0x21, UNIX_STREAM, &[b'a'; 216]), Header::Unknown),
        (v2(0x21, UNSPECIFIED, &[7; 9]), Header::Unknown),
        (v2(0x20, UNSPECIFIED, &[]), Header::Local),
        (v2(0x20, 0xff, &[7; 9]), Header::Local),
        (v2(0x20, 0, &[0; MAX_V2 - FIXED]), Header::Local),
    ];
    for (bytes, header) in table {
        let with_more = [&bytes[..], b"GET"].concat();
        assert_eq!(parse(&with_more), Ok(Some((header, bytes.len()))));
    }
}

#[test]
fn a_header_that_is_not_right_is_refused_with_its_reason() {
    let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(MAX_V1));
    let one_more = format!("PROXY UNKNOWN {FFFF} {FFFF} 65535 655350\r\n");
    #[rustfmt::skip]
    let table: [(&[u8], HeaderError); 29] = [
        (b"GET / HTTP/1.1\r\n", HeaderError::NoHeader),
        (b"PROXY\tTCP4", HeaderError::NoHeader),
        (b"proxy ", HeaderError::NoHeader),
        (b"\r\n\r\nGET", HeaderError::NoHeader),
        (long.as_bytes(), HeaderError::LineEnd),
        (one_more.as_bytes(), HeaderError::LineEnd),
        (b"PROXY UNKNOWN\n", HeaderError::LineEnd),
        (b"PROXY UNKNOWN\rX", HeaderError::LineEnd),
        (b"PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n", HeaderError::Protocol),
        (b"PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n", HeaderError::Protocol),
        (b"PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n", HeaderError::Protocol),
        (b"PROXY \r\n", HeaderError::Protocol),
        (b"PROXY TCP4\r\n", HeaderError::Words),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", HeaderError::Words),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n", HeaderError::Words),
        (b"PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n", HeaderError::Words),
        (b"PROXY TCP4 \xff 1.2.3.4 1 2\r\n", HeaderError::Words),
        (b"PROXY TCP4 1.2.3.04 1.2.3.4 1 2\r\n", HeaderError::Address),
        (b"PROXY TCP4 ::1 ::1 1 2\r\n", HeaderError::Address),
        (b"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n", HeaderError::Address),
        (b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", HeaderError::Address),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n", HeaderError::Port),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", HeaderError::Port),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n", HeaderError::Port),
        (b"\r\n\r\n\0\r\nQUIT\n\x11", HeaderError::Command),
        (b"\r\n\r\n\0\r\nQUIT\n\x22", HeaderError::Command),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x12\0\0", HeaderError::Family),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff", HeaderError::TooLong),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x01x", HeaderError::TooShort),
    ];
    for (bytes, why) in table {
        assert_eq!(parse(bytes), Err(why), "{}", bytes.escape_ascii());
    }
    for tlvs in [&[1][..], &[1, 0], &[1, 0, 1], &[1, 0, 1, 9, 1]] {
        let bytes = v2(0x21, TCP4, &[&V4_BLOCK, tlvs].concat());
        assert_eq!(parse(&bytes), Err(HeaderError::Tlv));
    }
}

#[test]
fn what_is_written_is_read_as_it_was() {
    let client = tcp("192.0.2.1:56324", "198.51.100.9:443");
    let line = b"PROXY TCP4 192.0.2.1 198.51.100.9 56324 443\r\n";
    assert_eq!(written(Version::V1, client), line);
    assert_eq!(written(Version::V2, client), v2(0x21, TCP4, &V4_BLOCK));
    let v6 = tcp("[2001:db8::1]:1", "[2001:db8::2]:2");
    for version in [Version::V1, Version::V2] {
        for header in [client, v6, Header::Unknown] {
            let bytes = written(version, header);
            assert_eq!(parse(&bytes), Ok(Some((header, bytes.len()))));
        }
        assert_eq!(version.to_string().parse(), Ok(version));
    }
    assert_eq!(
        parse(&written(Version::V2, Header::Local)),
        Ok(Some((Header::Local, 16)))
    );
}

#[test]
fn both_addresses_are_written_in_one_family() {
    let table = [
        (
            tcp("[::ffff:192.0.2.1]:1", "198.51.100.9:2"),
            tcp("192.0.2.1:1", "198.51.100.9:2"),
        ),
        (
            tcp("192.0.2.1:1", "[2001:db8::2]:2"),
            tcp("[::ffff:192.0.2.1]:1", "[2001:db8::2]:2"),
        ),
    ];
    for version in [Version::V1, Version::V2] {
        for (header, read) in table {
            let bytes = written(version, header);
            assert_eq!(parse(&bytes), Ok(Some((read, bytes.len()))));
        }
    }
}

/// However the bytes arrive: a prefix asks for more or is refused like the whole, and never asks
/// for more than the limit.
#[test]
fn changed_headers_cut_anywhere_are_read_as_the_whole_is() {
    let mut random = Seeded::new(5_07);
    let tlvs = [&V4_BLOCK[..], &[0x02, 0, 2, b'h', b'i']].concat();
    let samples = [
        b"PROXY TCP4 192.0.2.1 198.51.100.9 56324 443\r\nGET".to_vec(),
        b"PROXY TCP6 2001:db8::1 ::1 1 65535\r\n".to_vec(),
        b"PROXY UNKNOWN what ever\r\n\r\n".to_vec(),
        v2(0x21, TCP4, &tlvs),
        v2(0x21, TCP6, &[9; 36]),
        v2(0x20, 0, &[]),
    ];
    for round in 0..20_000 {
        let mut bytes = samples[round % samples.len()].clone();
        for _ in 0..random.below(3) {
            let at = random.below(bytes.len());
            bytes[at] = match random.below(3) {
                0 => b" \r\n0:.\xff"[random.below(7)],
                _ => random.next() as u8,
            };
        }
        let whole = parse(&bytes);
        if let Ok(Some((_, len))) = whole {
            assert!(len <= bytes.len());
        }
        for end in 0..bytes.len() {
            match parse(&bytes[..end]) {
                Ok(None) => {}
                early => assert_eq!(early, whole, "{}", bytes.escape_ascii()),
            }
        }
    }
    assert_ne!(
        parse(&[b"PROXY UNKNOWN ", &[b'x'; MAX_V1][..]].concat()),
        Ok(None)
    );
}
