//! Packets made by hand, by the figures of the RFCs: what they decode to, whole and cut.

mod fuzz;
mod wrong;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::*;
use crate::capture::packet::{LinkType, Packet};

const SOURCE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const DESTINATION: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

/// RFC 1071 §4.1 in its plainest form.
fn sum(pieces: &[&[u8]]) -> u16 {
    let all: Vec<u8> = pieces.concat();
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low));
    let mut sum: u32 = all.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn put(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    frame.extend(ether_type.to_be_bytes());
    frame.extend(payload);
    frame
}

/// `fragment` is the field of flags and offset.
fn ipv4(protocol: u8, id: u16, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0];
    packet.extend(SOURCE.octets());
    packet.extend(DESTINATION.octets());
    put(&mut packet, 2, 20 + payload.len() as u16);
    put(&mut packet, 4, id);
    put(&mut packet, 6, fragment);
    let checksum = sum(&[&packet]);
    put(&mut packet, 10, checksum);
    packet.extend(payload);
    packet
}

fn ipv6(next_header: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, 0, next_header, 64];
    packet.extend(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).octets());
    packet.extend(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2).octets());
    put(&mut packet, 4, payload.len() as u16);
    packet.extend(payload);
    packet
}

/// The message with its checksum at this offset.
fn with_checksum(mut message: Vec<u8>, protocol: u8, at: usize) -> Vec<u8> {
    let length = (message.len() as u16).to_be_bytes();
    let ends = [SOURCE.octets(), DESTINATION.octets()].concat();
    let pseudo = [&ends[..], &[0, protocol], &length].concat();
    let checksum = sum(&[&pseudo, &message]);
    put(&mut message, at, checksum);
    message
}

fn udp(payload: &[u8]) -> Vec<u8> {
    let mut message = vec![0x9c, 0x40, 0x9c, 0x41, 0, 0, 0, 0];
    put(&mut message, 4, 8 + payload.len() as u16);
    message.extend(payload);
    with_checksum(message, 17, 6)
}

fn tcp(options: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut segment = vec![0x9c, 0x40, 0x01, 0xbb, 0, 0, 3, 232, 0, 0, 7, 208];
    segment.extend([
        ((20 + options.len()) as u8 / 4) << 4,
        0x18,
        1,
        246,
        0,
        0,
        0,
        0,
    ]);
    segment.extend(options);
    segment.extend(payload);
    with_checksum(segment, 6, 16)
}

fn packet(link: LinkType, bytes: &[u8]) -> Packet<'_> {
    Packet::whole(Duration::from_secs(1), link, bytes)
}

fn checking() -> Decoder {
    Decoder::new(Settings {
        checksums: true,
        ..Settings::default()
    })
}

/// The layers in words: names and the fields that distinguish them.
fn names(layers: &[Layer<'_>]) -> String {
    let name = |layer: &Layer<'_>| match layer {
        Layer::Ethernet(_) => "eth".to_string(),
        Layer::Vlan(vlan) => format!("vlan {}", vlan.id),
        Layer::Cooked(cooked) => format!("sll{}", cooked.version),
        Layer::Loopback(loopback) => format!("null {}", loopback.family),
        Layer::Arp(arp) => format!("arp {} {}", arp.sender, arp.target),
        Layer::Ipv4(_) => "ip".to_string(),
        Layer::Ipv6(_) => "ip6".to_string(),
        Layer::Extension(extension) => format!("extension {}", extension.kind),
        Layer::Fragment(fragment) => format!("fragment {}", fragment.offset),
        Layer::Icmp(icmp) => format!("icmp {} {:?}", icmp.kind, icmp.check),
        Layer::Tcp(tcp) => format!("tcp {} {:?}", tcp.length, tcp.check),
        Layer::Udp(udp) => format!("udp {} {:?}", udp.length, udp.check),
        Layer::Data(bytes) => format!("data {}", bytes.len()),
        Layer::Malformed(malformed) => format!("! {} {:?}", malformed.protocol, malformed.why),
        Layer::Dns(_) | Layer::Mdns(_) | Layer::Llmnr(_) => "message".to_string(),
        Layer::Http(_) | Layer::Rpc(_) | Layer::Frame(_) => "message".to_string(),
    };
    layers.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn decoded(link: LinkType, bytes: &[u8]) -> String {
    names(checking().decode(&packet(link, bytes)).layers.as_slice())
}

/// One packet of each kind, and its layers.
fn samples() -> Vec<(LinkType, Vec<u8>, &'static str)> {
    let plain = ipv4(6, 1, 0, &tcp(&[], b"hello"));
    let tagged = [&[0x60, 0x64, 0x81, 0, 0, 0x65, 8, 0], &plain[..]].concat();
    let padded = [&ipv4(6, 1, 0, &tcp(&[], b""))[..], &[0; 6]].concat();
    let cooked = [
        &[0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0],
        &plain[..],
    ]
    .concat();
    let cooked2 = [
        &[8, 0, 0, 0, 0, 0, 0, 3, 0, 1, 4, 6, 2, 0, 0, 0, 0, 1, 0, 0],
        &plain[..],
    ]
    .concat();
    // An echo request (RFC 792), and a request of ARP (RFC 826) with Ethernet padding after it.
    let mut echo = [8, 0, 0, 0, 0x11, 0x01, 0, 1, b'h', b'i'];
    let checksum = sum(&[&echo]);
    put(&mut echo, 2, checksum);
    let mut arp = vec![0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1];
    arp.extend([0, 0, 0, 0, 0, 0, 10, 0, 0, 2]);
    arp.extend([0; 18]);
    // RFC 8200 §4: hop-by-hop, destination options, an atomic fragment, then nothing (59).
    let chain = [
        60, 0, 5, 2, 0, 0, 1, 0, 44, 0, 1, 4, 0, 0, 0, 0, 59, 0, 0, 0, 0, 0, 0, 9,
    ];
    let mut quoting = [&[3, 1, 0, 0, 0, 0, 0, 0], &plain[..28]].concat();
    let checksum = sum(&[&quoting]);
    put(&mut quoting, 2, checksum);
    let swapped = [&[2, 0, 0, 0], &plain[..]].concat();
    let network = [&[0, 0, 0, 2], &plain[..]].concat();
    let plain6 = [&[0, 0, 0, 24], &ipv6(59, b"")[..]].concat();
    let good = "ip, tcp 5 Good, data 5";
    vec![
        (LinkType::RAW, plain.clone(), good),
        (LinkType::IPV4, plain.clone(), good),
        (
            LinkType::ETHERNET,
            ethernet(0x0800, &plain),
            "eth, ip, tcp 5 Good, data 5",
        ),
        (
            LinkType::ETHERNET,
            ethernet(0x88a8, &tagged),
            "eth, vlan 100, vlan 101, ip, tcp 5 Good, data 5",
        ),
        (
            LinkType::ETHERNET,
            ethernet(0x0800, &padded),
            "eth, ip, tcp 0 Good",
        ),
        (LinkType::LINUX_SLL, cooked, "sll1, ip, tcp 5 Good, data 5"),
        (
            LinkType::LINUX_SLL2,
            cooked2,
            "sll2, ip, tcp 5 Good, data 5",
        ),
        (LinkType::NULL, swapped, "null 2, ip, tcp 5 Good, data 5"),
        (
            LinkType::NULL,
            network.clone(),
            "null 2, ip, tcp 5 Good, data 5",
        ),
        (LinkType::LOOP, network, "null 2, ip, tcp 5 Good, data 5"),
        (LinkType::LOOP, plain6, "null 24, ip6"),
        (
            LinkType::RAW,
            ipv4(17, 1, 0, &udp(b"hi")),
            "ip, udp 10 Good, data 2",
        ),
        (LinkType::RAW, ipv4(1, 1, 0, &echo), "ip, icmp 8 Good"),
        (LinkType::RAW, ipv4(1, 1, 0, &quoting), "ip, icmp 3 Good"),
        (
            LinkType::RAW,
            ipv4(4, 1, 0, &plain),
            "ip, ip, tcp 5 Good, data 5",
        ),
        (
            LinkType::RAW,
            ipv4(41, 1, 0, &ipv6(59, b"x")),
            "ip, ip6, data 1",
        ),
        (
            LinkType::RAW,
            ipv6(0, &chain),
            "ip6, extension 0, extension 60, fragment 0",
        ),
        (
            LinkType::ETHERNET,
            ethernet(0x0806, &arp),
            "eth, arp 10.0.0.1 10.0.0.2",
        ),
        // LLC, and padding after it.
        (
            LinkType::ETHERNET,
            ethernet(3, &[&[0x42, 0x42, 3], &[0; 43][..]].concat()),
            "eth, data 3",
        ),
        (LinkType::ETHERNET, ethernet(0x88b5, b"abc"), "eth, data 3"),
        (LinkType(147), b"anything".to_vec(), "data 8"),
    ]
}

#[test]
fn packets_of_every_kind_have_their_layers() {
    for (link, bytes, want) in samples() {
        assert_eq!(decoded(link, &bytes), want, "{link}");
    }
}

#[test]
fn the_first_bytes_of_a_packet_never_decode_to_more_than_the_whole() {
    for (link, bytes, _) in samples() {
        let mut decoder = checking();
        let whole = decoder.decode(&packet(link, &bytes)).layers;
        for end in 0..bytes.len() {
            let part = &bytes[..end];
            let length = bytes.len() as u32;
            let cut = Packet {
                length,
                ..packet(link, part)
            };
            let mut decoder = checking();
            let layers = decoder.decode(&cut).layers;
            assert!(layers.as_slice().len() <= whole.as_slice().len() + 1);
            for layer in layers.as_slice() {
                if let Layer::Malformed(malformed) = layer {
                    assert_eq!(malformed.why, Why::Cut, "{link} {end}: {malformed}");
                }
            }
            let mut decoder = checking();
            let layers = decoder.decode(&packet(link, part)).layers;
            let wrong = |layer: &Layer<'_>| matches!(layer, Layer::Malformed(_));
            let kept = layers
                .as_slice()
                .iter()
                .filter(|layer| !wrong(layer))
                .count();
            assert!(kept <= whole.as_slice().len(), "{link} {end}");
        }
    }
}

#[test]
fn extensions_behind_the_packet_that_an_error_quotes_are_no_part_of_it() {
    let whole = ipv4(17, 1, 0, &udp(&[7; 200]));
    // Time exceeded; its sixth byte says that the quotation has 32 words (RFC 4884 §4.2). Then
    // labels of MPLS (RFC 4950).
    let error = [
        &[11, 0, 0, 0, 0, 32, 0, 0],
        &whole[..128],
        &[0x20, 0, 0xdf, 0xff, 0, 8, 1, 1, 0, 1, 1, 0xff],
    ]
    .concat();
    let bytes = ipv4(1, 1, 0, &error);
    let mut decoder = Decoder::new(Settings::default());
    let layers = decoder.decode(&packet(LinkType::RAW, &bytes)).layers;
    let [Layer::Ipv4(_), Layer::Icmp(icmp)] = layers.as_slice() else {
        panic!("{layers:?}");
    };
    let quoted = quotation(icmp).unwrap();
    let Some(Layer::Udp(udp)) = quoted.as_slice().get(1) else {
        panic!("{quoted:?}");
    };
    assert_eq!(udp.payload, [7; 100]);
}

#[test]
fn all_fields_of_a_tcp_header_are_read() {
    let mut bytes = ipv4(6, 1, 0, &tcp(&[2, 4, 5, 0xb4], b"hello"));
    bytes[20 + 12] |= 1;
    put(&mut bytes, 20 + 18, 77);
    let mut decoder = Decoder::new(Settings::default());
    let decoded = decoder.decode(&packet(LinkType::RAW, &bytes));
    let [Layer::Ipv4(ip), Layer::Tcp(tcp), Layer::Data(b"hello")] = decoded.layers.as_slice()
    else {
        panic!("{:?}", decoded.layers);
    };
    assert_eq!((ip.source, ip.destination), (SOURCE, DESTINATION));
    assert_eq!((ip.total_length, ip.ttl, ip.header_length), (49, 64, 20));
    assert_eq!((tcp.source, tcp.destination), (40000, 443));
    assert_eq!((tcp.sequence, tcp.acknowledgment), (1000, 2000));
    assert_eq!((tcp.header_length, tcp.flags), (24, TcpFlags(0x118)));
    assert_eq!((tcp.window, tcp.urgent, tcp.length), (502, 77, 5));
    assert_eq!(
        (tcp.check, tcp.options),
        (Check::Unverified, &[2, 4, 5, 0xb4][..])
    );
    let segment = decoded.segment.unwrap();
    assert_eq!((segment.stream, segment.sequence), (0, 1));
}

#[test]
fn a_wrong_checksum_is_told_with_the_right_one() {
    let segment = tcp(&[], b"hello");
    let right = u16::from_be_bytes([segment[16], segment[17]]);
    let mut bytes = ipv4(6, 1, 0, &segment);
    put(&mut bytes, 36, right ^ 0x0101);
    let ttl = bytes[8];
    bytes[8] = ttl - 1;
    let mut decoder = checking();
    let layers = decoder.decode(&packet(LinkType::RAW, &bytes)).layers;
    let [Layer::Ipv4(ip), Layer::Tcp(tcp), ..] = layers.as_slice() else {
        panic!("{layers:?}");
    };
    assert_eq!(ip.check, Check::Bad(ip.checksum + 0x100));
    assert_eq!(tcp.check, Check::Bad(right));
}

#[test]
fn the_sum_of_rfc_1071_and_the_pseudo_header_come_out() {
    // §3: the four words sum to ddf2; with its complement as the checksum, to all ones.
    let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
    let summed = checksum::Sum::default().with(&bytes);
    assert_eq!(summed.with(&[0x22, 0x0d]).check(0x220d), Check::Good);
    assert_eq!(summed.with(&[0, 0]).check(0), Check::Bad(0x220d));
    let ends: (IpAddr, IpAddr) = (SOURCE.into(), DESTINATION.into());
    let message = udp(b"odd");
    let summed = checksum::Sum::default().with_pseudo_header(ends, 17, message.len());
    assert_eq!(summed.with(&message).check(0), Check::Good);
}

#[test]
fn what_an_error_quotes_is_read_as_far_as_it_goes_and_nothing_is_marked() {
    let quoted_tcp = ipv4(6, 1, 0, &tcp(&[], b"hello"));
    assert_eq!(
        names(quoted(&quoted_tcp[..28]).as_slice()),
        "ip, tcp 0 Unverified"
    );
    let long = ipv4(17, 1, 0, &udp(&[7; 1000]));
    let layers = quoted(&long[..28]);
    assert_eq!(names(layers.as_slice()), "ip, udp 1008 Unverified");
    for end in 0..quoted_tcp.len() {
        let layers = quoted(&quoted_tcp[..end]);
        assert!(!names(layers.as_slice()).contains('!'), "{end}");
    }
}

#[test]
fn options_are_told_apart_and_the_malformed_are_marked() {
    use TcpOption::*;
    let bytes = [
        2, 4, 5, 0xb4, 1, 3, 3, 7, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 30, 3, 9, 0, 99,
    ];
    let sack = [5, 10, 0, 0, 0, 1, 0, 0, 0, 9];
    let broken: [&[u8]; 4] = [&[2, 0], &[2, 1], &[2, 9, 5], &[2]];
    let want = [
        MaximumSegmentSize(1460),
        NoOperation,
        WindowScale(7),
        SackPermitted,
        Timestamps { value: 1, echo: 2 },
        Other {
            kind: 30,
            value: &[9],
        },
        End,
    ];
    assert_eq!(TcpOptions::of(&bytes).collect::<Vec<_>>(), want);
    let Some(Sack(mut blocks)) = TcpOptions::of(&sack).next() else {
        panic!("no SACK");
    };
    assert_eq!((blocks.next(), blocks.next()), (Some((1, 9)), None));
    for bytes in broken {
        let read: Vec<_> = TcpOptions::of(bytes).collect();
        let length = bytes.get(1).copied();
        assert_eq!(read, [Malformed { kind: 2, length }], "{bytes:?}");
    }
    // A wrong length within the list spoils only one option.
    let read: Vec<_> = TcpOptions::of(&[3, 4, 1, 1, 1]).collect();
    let wrong = Malformed {
        kind: 3,
        length: Some(4),
    };
    assert_eq!(read, [wrong, NoOperation]);
    let alert: Vec<_> = Ipv4Options::of(&[148, 4, 0, 0]).collect();
    assert_eq!(alert, [Ipv4Option::RouterAlert(0)]);
}
