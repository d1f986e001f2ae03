//! Lines as tshark 4.0.17 prints them, trees, and hostile texts.

use std::time::Duration;

use super::{MOST_TREE, Options, Summary, TimeFormat, tree};
use crate::capture::decode::{
    Check, Decoded, Decoder, Extension, Fragment, Icmp, Layer, Layers, Loopback, Malformed,
    Settings, Why,
};
use crate::capture::field::sample::bytes;
use crate::capture::flow::{Direction, Marks, Segment};
use crate::capture::{LinkType, Packet};

/// Packets and tshark's lines for them, without spaces at the end of a line.
const LINES: &str = include_str!("tests.txt");

fn vectors() -> impl Iterator<Item = (Vec<u8>, &'static str)> {
    let mut lines = LINES
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    std::iter::from_fn(move || Some((bytes(lines.next()?), lines.next()?)))
}

fn line(decoded: &Decoded<'_>) -> String {
    line_as(decoded, Options::default())
}

fn line_as(decoded: &Decoded<'_>, options: Options) -> String {
    let mut out = String::new();
    Summary::new(options).line(decoded, &mut out);
    out
}

fn tree_of(decoded: &Decoded<'_>) -> String {
    let mut out = String::new();
    tree(decoded, &mut out);
    out
}

/// A packet of these layers only.
fn of<'a>(layers: &[Layer<'a>]) -> Decoded<'a> {
    let mut list = Layers::new();
    layers.iter().for_each(|layer| assert!(list.push(*layer)));
    Decoded {
        number: 7,
        packet: Packet::whole(Duration::new(1_700_000_000, 42), LinkType::RAW, b"packet"),
        since_first: 1_000_000_042,
        since_previous: -5,
        layers: list,
        segment: None,
        udp_stream: None,
        quoted_stream: None,
        part_of_message: false,
    }
}

/// The bytes of the packet that tshark shows with this line.
fn vector(line: &str) -> Vec<u8> {
    let found = vectors().find(|(_, shown)| shown.contains(line));
    found.unwrap_or_else(|| panic!("no vector has {line:?}")).0
}

fn with_decoded<T>(bytes: &[u8], look: impl FnOnce(&mut Decoded<'_>) -> T) -> T {
    let mut decoder = Decoder::new(Settings::default());
    let packet = Packet::whole(Duration::ZERO, LinkType::ETHERNET, bytes);
    look(&mut decoder.decode(&packet))
}

#[test]
fn lines_are_those_of_tshark() {
    let mut count = 0;
    for (packet, expected) in vectors() {
        with_decoded(&packet, |decoded| {
            let shown = line(decoded);
            let (time, rest) = shown.split_at("    1 0.000000000 ".len());
            assert_eq!(time, "    1 0.000000000 ");
            let expected = expected.trim_start();
            assert_eq!(rest.trim(), expected);
            // Addresses are right of 12 characters, so the arrow stands where it should.
            let source = expected.split(" → ").next().unwrap();
            assert_eq!(rest.find(" → "), Some(source.len().max(12)), "{shown}");
        });
        count += 1;
    }
    assert!(count > 100, "{count}");
}

#[test]
fn the_columns_are_padded_as_tshark_pads_them() {
    let packet = vector("[SYN] Seq=0 Win=502 Len=0 MSS=1460");
    with_decoded(&packet, |decoded| {
        let whole = "    1 0.000000000     10.0.0.1 → 10.0.0.2     TCP 58 120 → 2 [SYN] Seq=0 \
                     Win=502 Len=0 MSS=1460";
        assert_eq!(line(decoded), whole);
        decoded.number = 123_456;
        assert!(line(decoded).starts_with("123456 0.0"));
    });
    // The start line of HTTP is followed by a space.
    with_decoded(&vector("HEAD /a HTTP/1.0"), |decoded| {
        assert!(line(decoded).ends_with("HTTP 74 HEAD /a HTTP/1.0 "));
    });
}

#[test]
fn times_are_counted_from_what_is_asked() {
    let packet = of(&[]);
    for (letters, digits, expected) in [
        ("r", 9, "1.000000042"),
        ("r", 6, "  1.000000"),
        ("r", 0, "         1"),
        ("d", 9, "-0.000000005"),
        ("e", 9, "1700000000.000000042"),
        ("a", 9, "22:13:20.000000042"),
        ("ud", 6, "2023-11-14 22:13:20.000000"),
    ] {
        let time = TimeFormat::from_letters(letters).unwrap();
        let shown = line_as(&packet, Options { time, digits });
        assert_eq!(shown.get(6..6 + expected.len()), Some(expected), "{shown}");
    }
    assert_eq!(TimeFormat::from_letters("x"), None);
}

#[test]
fn what_the_analysis_found_stands_before_all_else() {
    let mut marks = Marks::ZERO_WINDOW;
    marks.add(Marks::LOST_BEFORE);
    marks.add(Marks::SPURIOUS_RETRANSMISSION);
    marks.add(Marks::DUPLICATE_ACK);
    let segment = Segment {
        stream: 3,
        direction: Direction::Forward,
        sequence: 1501,
        acknowledgment: 1,
        window: 0,
        window_shift: Some(7),
        marks,
        duplicate_of: Some((58, 2)),
    };
    with_decoded(&vector("[ACK] Seq=1 Ack=1"), |decoded| {
        decoded.segment = Some(segment);
        let found = "TCP 54 [TCP ZeroWindow] [TCP Dup ACK 58#2] [TCP Previous segment not captured] \
                     [TCP Spurious Retransmission] 105 → 2 [ACK] Seq=1501 Ack=1 Win=0 Len=0";
        assert!(line(decoded).ends_with(found), "{}", line(decoded));
        let tree = tree_of(decoded);
        assert!(tree.contains("    [SEQ/ACK analysis]\n        [TCP ZeroWindow] [TCP Dup ACK"));
        decoded.part_of_message = true;
        assert!(line(decoded).ends_with("Len=0 [TCP segment of a reassembled PDU]"));
    });
}

#[test]
fn what_looks_like_a_field_behind_an_empty_line_says_nothing_of_the_body() {
    let section = b"HTTP/1.1 200 OK\r\nContent-Type: text/css\r\n\r\n";
    let broken = b"HTTP/1.1 200 OK\r\n\nContent-Type: text/css\r\n\r\n";
    let media_type = |section: &'static [u8]| super::http::media_type(section, b"body");
    assert_eq!(media_type(section), Some(&b"text/css"[..]));
    assert_eq!(media_type(broken), None);
}

#[test]
fn a_line_of_http_is_shown_with_the_end_that_it_has() {
    let bare = of(&[Layer::Http(b"GET / HTTP/1.1\nA: b\r\nC: d\n\n")]);
    assert!(line(&bare).ends_with(" HTTP 6 GET / HTTP/1.1 "));
    let tree = tree_of(&bare);
    let lines = ["GET / HTTP/1.1\\n", "A: b\\r\\n", "C: d\\n", "\\n"];
    for line in lines.map(|line| format!("\n    {line}\n")) {
        assert!(tree.contains(&line), "{line}{tree}");
    }
    let cut = of(&[Layer::Http(b"GET / HTTP/1.1\nA: b")]);
    assert!(line(&cut).ends_with(" HTTP 6 GET / HTTP/1.1 [Malformed Packet]"));
    assert!(tree_of(&cut).ends_with("\n    A: b\n"));
}

/// An echo request and its reply: the same from the other side, type 0, addresses exchanged.
fn ping() -> (Vec<u8>, Vec<u8>) {
    let request = vector("Echo (ping) request  id=0x0001");
    let mut reply = request.clone();
    reply[34] = 0;
    reply[26..34].rotate_left(4);
    (request, reply)
}

#[test]
fn of_too_many_echo_requests_the_oldest_goes_and_one_that_comes_again_takes_no_room() {
    let mut summary = Summary::new(Options::default());
    let mut decoder = Decoder::new(Settings::default());
    let (request, reply) = ping();
    let mut line = |bytes: &[u8], sequence: u16| {
        let mut bytes = bytes.to_vec();
        bytes[40..42].copy_from_slice(&sequence.to_be_bytes());
        let packet = Packet::whole(Duration::ZERO, LinkType::ETHERNET, &bytes);
        let mut out = String::new();
        summary.line(&decoder.decode(&packet), &mut out);
        out
    };
    for sequence in 0..4096 {
        line(&request, sequence);
    }
    line(&request, 4095);
    assert!(line(&reply, 0).ends_with("(request in 1)"));
    line(&request, 4096);
    line(&request, 4097);
    assert!(line(&reply, 1).ends_with("ttl=64"));
    assert!(line(&reply, 2).ends_with("(request in 3)"));
    assert!(line(&reply, 4095).ends_with("(request in 4097)"));
}

#[test]
fn a_reply_to_an_echo_names_its_request_once() {
    let mut summary = Summary::new(Options::default());
    let mut decoder = Decoder::new(Settings::default());
    let (request, reply) = ping();
    let mut last = String::new();
    for (bytes, expected) in [
        (&request, "ttl=64"),
        (&reply, "(request in 1)"),
        (&reply, "ttl=64"),
    ] {
        last.clear();
        let packet = Packet::whole(Duration::ZERO, LinkType::ETHERNET, bytes);
        summary.line(&decoder.decode(&packet), &mut last);
        assert!(last.ends_with(expected), "{last}");
    }
}

#[test]
fn a_transport_header_that_is_cut_is_marked_and_shows_its_ports() {
    let whole = vector("[SYN] Seq=0 Win=502 Len=0 MSS=1460");
    let cut = whole.get(..40).unwrap();
    let packet = Packet {
        length: 58,
        ..Packet::whole(Duration::ZERO, LinkType::ETHERNET, cut)
    };
    let mut decoder = Decoder::new(Settings::default());
    let decoded = decoder.decode(&packet);
    let shown = line(&decoded);
    let expected = "TCP 58 120 → 2[Packet size limited during capture: TCP truncated]";
    assert!(shown.ends_with(expected), "{shown}");
    let tree = tree_of(&decoded);
    assert!(tree.ends_with("[Packet size limited during capture: TCP truncated]\n"));
}

#[test]
fn messages_of_rpc_and_frames_are_told_in_a_line() {
    let call = [&[1][..], &[7; 8], &[0; 8], b"\x08Math.Add", b"args"].concat();
    let bad = b"\x63".as_slice();
    for (layers, expected) in [
        (
            vec![Layer::Rpc(&call), Layer::Rpc(b"\x05\x09\0\0\0\0\0\0\0")],
            "RPC 6 Call id=506381209866536711 Math.Add Len=4, Ping number=9",
        ),
        (
            vec![Layer::Rpc(bad)],
            "RPC 6 [Malformed Packet: RPC: a frame of the unknown kind 99]",
        ),
        (
            vec![Layer::Frame(b"\x01\x02"), Layer::Frame(b"")],
            "FRAMES 6 Frame Len=2 0102, Frame Len=0",
        ),
    ] {
        let shown = line(&of(&layers));
        assert!(shown.ends_with(expected), "{shown}");
    }
    let tree = tree_of(&of(&[Layer::Rpc(&call)]));
    assert!(tree.contains("    Method: Math.Add\n    Argument: (4 bytes) 61726773\n"));
}

#[test]
fn nothing_hostile_reaches_the_terminal() {
    let text = "\x1b[2J\u{202e}\u{9b}\r\n\0";
    let section = format!("GET /{text} HTTP/1.1\r\nX: {text}\r\n\r\n");
    let method = [&[2, text.len() as u8][..], text.as_bytes()].concat();
    let label = [
        &[0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, text.len() as u8][..],
        text.as_bytes(),
        &[0, 0, 1, 0, 1],
    ];
    let message = label.concat();
    for layer in [
        Layer::Http(section.as_bytes()),
        Layer::Rpc(&method),
        Layer::Dns(&message),
    ] {
        let decoded = of(&[layer]);
        let line = line(&decoded);
        assert!(!line.contains(crate::telemetry::is_invisible), "{line:?}");
        let tree = tree_of(&decoded);
        let steers = |c| c != '\n' && crate::telemetry::is_invisible(c);
        assert!(!tree.contains(steers), "{tree:?}");
    }
}

#[test]
fn every_layer_has_a_line_and_a_tree() {
    let mut seen = std::collections::BTreeSet::new();
    let mut look = |decoded: &Decoded<'_>| {
        let (line, tree) = (line(decoded), tree_of(decoded));
        assert!(!line.contains('\n') && line.len() > 30, "{line}");
        // A block for each layer, at least, and that of the frame.
        let blocks = tree.lines().filter(|line| !line.starts_with(' ')).count();
        assert_eq!(blocks, decoded.layers.as_slice().len() + 1, "{tree}");
        for layer in decoded.layers.as_slice() {
            let name = format!("{layer:?}");
            seen.insert(name.split('(').next().unwrap().to_owned());
        }
    };
    for (packet, _) in vectors() {
        with_decoded(&packet, |decoded| look(decoded));
    }
    for layer in [
        Layer::Loopback(Loopback { family: 2 }),
        Layer::Extension(Extension {
            kind: 0,
            next_header: 59,
            bytes: &[59, 0, 1, 4, 0, 0, 0, 0],
        }),
        Layer::Fragment(Fragment {
            next_header: 17,
            offset: 1448,
            more: true,
            id: 0xbeef,
        }),
        Layer::Rpc(&[99]),
        Layer::Frame(b"x"),
        Layer::Data(b"x"),
        Layer::Malformed(Malformed {
            protocol: "TCP",
            why: Why::Cut,
        }),
        Layer::Cooked(crate::capture::decode::Cooked {
            version: 2,
            packet_type: 4,
            hardware: 1,
            address: [2, 0, 0, 0, 0, 1, 0, 0],
            address_length: 6,
            protocol: 0x1234,
            interface: Some(3),
        }),
    ] {
        look(&of(&[layer]));
    }
    assert_eq!(seen.len(), 20, "{seen:?}");
}

#[test]
fn the_tree_of_a_handshake_has_each_field() {
    with_decoded(&vector("[SYN] Seq=0 Win=502 Len=0 MSS=1460"), |decoded| {
        let tree = tree_of(decoded);
        for expected in [
            "Frame 1: 58 bytes on wire (464 bits), 58 bytes captured (464 bits)\n",
            "Ethernet II, Src: 02:00:00:00:00:01, Dst: 02:00:00:00:00:02\n",
            "        .... ..1. .... .... .... .... = LG bit: Locally administered address",
            "    0100 .... = Version: 4\n    .... 0101 = Header Length: 20 bytes (5)\n",
            "    010. .... = Flags: 0x2, Don't fragment\n",
            "    ...0 0000 0000 0000 = Fragment Offset: 0\n",
            "Transmission Control Protocol, Src Port: 120, Dst Port: 2, Seq: 0, Len: 0\n",
            "    [Stream index: 0]\n",
            "    Sequence Number: 0    (relative sequence number)\n",
            "    Sequence Number (raw): 1000\n",
            "    [Next Sequence Number: 1    (relative sequence number)]\n",
            "    0110 .... = Header Length: 24 bytes (6)\n    Flags: 0x002 (SYN)\n",
            "        000. .... .... = Reserved: Not set\n",
            "        .... .... ..1. = Syn: Set\n        .... .... ...0 = Fin: Not set\n",
            "    Options: (4 bytes)\n        TCP Option - Maximum segment size: 1460 bytes\n",
        ] {
            assert!(tree.contains(expected), "{expected}\n{tree}");
        }
    });
}

#[test]
fn the_tree_of_an_error_ends_with_the_extensions_behind_what_it_quotes() {
    let mut body = vec![0, 32, 0, 0, 0x45];
    body.resize(4 + 128, 0);
    body.extend([0x20, 0, 0xdf, 0xff]);
    let shown = tree_of(&of(&[Layer::Icmp(Icmp {
        v6: false,
        kind: 11,
        code: 0,
        checksum: 0,
        check: Check::Unverified,
        body: &body,
    })]));
    assert!(shown.ends_with("    Extensions: 2000dfff\n"), "{shown}");
    assert!(!shown.contains("Unused"), "{shown}");
}

/// As in tshark: the first of two questions, if the second is cut.
#[test]
fn of_a_message_of_dns_that_is_cut_what_stands_before_is_shown() {
    let head = [0, 7, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0];
    let message = [&head[..], b"\x03one\0\0\x01\0\x01", b"\x03tw"].concat();
    let decoded = of(&[Layer::Dns(&message)]);
    let line = line(&decoded);
    assert!(
        line.ends_with("Standard query 0x0007 A one[Malformed Packet]"),
        "{line}"
    );
    let tree = tree_of(&decoded);
    assert!(tree.contains("        one: type A, class IN\n"), "{tree}");
}

#[test]
fn a_message_of_many_records_makes_a_line_and_a_tree_of_bounded_length() {
    // 5000 records of a name of 255 octets, each by a pointer.
    let mut message = vec![0, 7, 0x81, 0x80, 0, 1, 0x13, 0x88, 0, 0, 0, 0];
    for _ in 0..3 {
        message.push(63);
        message.extend([1; 63]);
    }
    message.push(61);
    message.extend([1; 61]);
    message.extend([0, 0, 5, 0, 1]);
    for _ in 0..4600 {
        message.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 0, 0, 2, 0xc0, 12]);
    }
    message[6..8].copy_from_slice(&4600u16.to_be_bytes());
    let decoded = of(&[Layer::Dns(&message)]);
    let line = line(&decoded);
    assert!((4_000..12_000).contains(&line.len()), "{}", line.len());
    assert!(line.ends_with('…'));
    let tree = tree_of(&decoded);
    assert!((MOST_TREE..MOST_TREE + 10_000).contains(&tree.len()));
    assert!(tree.ends_with("[more is not shown]\n"));
}

/// Mutated packets: no panic, no endless text. `GROUNDWIRE_FUZZ` is how many are tried,
/// `GROUNDWIRE_SEED` which ones.
mod fuzz {
    use super::*;
    use crate::net::Seeded;

    fn wanted() -> u64 {
        let wanted = std::env::var("GROUNDWIRE_FUZZ").ok();
        wanted.map_or(20_000, |text| {
            text.parse().expect("GROUNDWIRE_FUZZ: a number")
        })
    }

    /// A packet of the vectors with some bytes changed, and perhaps its end cut off.
    fn mutated(packets: &[Vec<u8>], random: &mut Seeded) -> (Vec<u8>, u32) {
        let mut packet = packets[random.below(packets.len())].clone();
        for _ in 0..random.below(4) {
            let at = random.below(packet.len());
            packet[at] = random.below(256) as u8;
        }
        let length = packet.len() as u32;
        packet.truncate(packet.len() - random.below(packet.len().min(16)));
        (packet, length)
    }

    #[test]
    fn mutated_packets_make_lines_and_trees_of_bounded_length() {
        let mut random = Seeded::new(42);
        let packets: Vec<_> = vectors().map(|(packet, _)| packet).collect();
        let mut decoder = Decoder::new(Settings::default());
        let mut summary = Summary::new(Options::default());
        let mut out = String::new();
        for round in 0..wanted() {
            let (bytes, length) = mutated(&packets, &mut random);
            let time = Duration::from_micros(round);
            let packet = Packet {
                length,
                ..Packet::whole(time, LinkType::ETHERNET, &bytes)
            };
            // Most of these packets repeat bytes of a connection, which are no messages.
            if round % 4 == 0 {
                decoder = Decoder::new(Settings::default());
            }
            let decoded = decoder.decode(&packet);
            out.clear();
            summary.line(&decoded, &mut out);
            assert!(!out.contains('\n') && out.len() < 20_000, "round {round}");
            // A tree takes as long as many lines.
            if round % 16 == 0 {
                out.clear();
                tree(&decoded, &mut out);
                assert!(out.len() < MOST_TREE, "round {round}");
            }
        }
    }
}
