//! Tables of conversations and followed streams, compared with the output of tshark 4.0.17 for the
//! same packets (`conversations.txt`). `GROUNDWIRE_PACKETS=FOLDER` writes the packets there, for
//! tshark.

use std::net::Ipv6Addr;

use super::*;

const EXPECTED: &str = include_str!("conversations.txt");

/// What tshark printed with these options.
fn tshark(options: &str) -> String {
    let head = format!("$ tshark -q -z {options}\n");
    let mut parts = EXPECTED.split_inclusive("\n\n$$\n");
    let part = parts.find_map(|part| part.strip_prefix(&head));
    let part = part.expect("options that are in conversations.txt");
    part.trim_end_matches("\n\n$$\n").to_owned() + "\n"
}

fn end(last: u8, port: u16) -> (IpAddr, u16) {
    (IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), port)
}

fn udp_header(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).expect("a short datagram");
    let mut udp = [from, to, length, 0].map(u16::to_be_bytes).concat();
    udp.extend(payload);
    udp
}

fn udp(source: (IpAddr, u16), destination: (IpAddr, u16), payload: &[u8]) -> Vec<u8> {
    let header = udp_header(source.1, destination.1, payload);
    let ends = Ends {
        source,
        destination,
    };
    ipv4(ends, 17, &header)
}

fn udp6(from: (u16, u16), to: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let udp = udp_header(from.1, to.1, payload);
    let length = u16::try_from(udp.len()).expect("a short datagram");
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([17, 64]);
    for last in [from.0, to.0] {
        packet.extend(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last).octets());
    }
    packet.extend(udp);
    packet
}

/// Two connections on the same ports, datagrams over IPv4 and IPv6, an empty one first.
fn packets() -> Vec<(u64, Vec<u8>)> {
    let text: &[u8] = b"a line\nand\ta\x00\xffdifferent one";
    let long = vec![b'x'; 12_345];
    let script: [(Script, &[u8]); 14] = [
        (c(0, 499, 0, S, 0), b""),
        (s(1, 999, 500, S | A, 0), b""),
        (c(2, 500, 1000, A, 0), b""),
        (c(3, 500, 1000, A | P, 0), text),
        (s(4, 1000, 530, A | P, 0), b"one"),
        (s(5, 1006, 530, A | P, 0), b"three"),
        (s(6, 1003, 530, A | P, 0), b"two"),
        (c(7, 530, 1011, A, 0), b""),
        (s(8, 1021, 530, A | P, 0), b"behind a gap"),
        (c(9, 530, 1033, F | A, 0), b""),
        (s(10, 1033, 531, F | A, 0), &long),
        (c(3000, 7000, 0, S, 0), b""),
        (s(3001, 2000, 7001, S | A, 0), b""),
        (c(3002, 7001, 2001, A | P, 0), b"another"),
    ];
    let mut packets: Vec<_> = script
        .iter()
        .map(|(step, payload)| (step.at, step.packet(payload)))
        .collect();
    let (client, server) = (end(9, 5000), end(2, 6000));
    packets.push((4000, udp(client, server, b"")));
    packets.push((4001, udp(server, client, &long[..200])));
    packets.push((4002, udp(client, server, b"\tanswer\n")));
    for at in 0..3 {
        packets.push((5000 + 12_345 * at, udp6((9, 1234), (1, 53_000), b"six")));
        packets.push((5001 + 12_345 * at, udp6((1, 53_000), (9, 1234), b"sixty")));
    }
    packets
}

#[test]
fn tables_are_those_of_tshark() {
    save("conversations.pcap", &packets());
    for kind in ["tcp", "udp", "ip", "ipv6", "eth"] {
        let mut table = Conversations::new(Kind::parse(kind).expect("a kind"));
        decode(&packets(), |decoded| table.packet(decoded));
        let mut out = String::new();
        table.table(&mut out);
        assert_eq!(out, tshark(&format!("conv,{kind}")), "{kind}");
    }
}

#[test]
fn followed_streams_are_those_of_tshark() {
    for target in [
        "tcp,ascii,0",
        "tcp,hex,1",
        "tcp,raw,1",
        "udp,ascii,1",
        "udp,hex,1",
        "udp,raw,1",
        "udp,ascii,0",
        "tcp,ascii,7",
    ] {
        let mut words = target.split(',');
        let (protocol, form, stream) = (words.next(), words.next(), words.next());
        let ours = [protocol, stream, form].map(|word| word.expect("three words"));
        let mut follow = Follow::new(Target::parse(&ours.join(",")).expect("a target"));
        let mut out = String::new();
        decode(&packets(), |decoded| follow.packet(decoded, &mut out));
        follow.end(&mut out);
        assert_eq!(out, tshark(&format!("follow,{target}")), "{target}");
    }
}

#[test]
fn sizes_and_times_are_rounded_as_tshark_does() {
    let mut table = Conversations::new(Kind::Ipv4);
    let payload = vec![0; 9979];
    let packet = |at| (at, udp(end(1, 1), end(2, 2), &payload));
    decode(&[packet(0), packet(12_345), packet(99_999)], |decoded| {
        table.packet(decoded);
    });
    let mut out = String::new();
    table.table(&mut out);
    assert!(out.contains("       3 30 kB  "), "{out}");
    assert!(out.contains("     0.000000000        99.9990\n"), "{out}");
}
