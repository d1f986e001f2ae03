//! Packets that contradict themselves, and fragments.

use super::*;

#[test]
fn headers_that_contradict_themselves_are_marked_where_tshark_marks_them() {
    let plain = ipv4(6, 1, 0, &tcp(&[], b"hello"));
    let with = |at: usize, byte: u8| {
        let mut bytes = plain.clone();
        bytes[at] = byte;
        bytes
    };
    let datagram = ipv4(17, 1, 0, &udp(b"hello"));
    let announcing = |length: u8| {
        let mut bytes = datagram.clone();
        bytes[25] = length;
        bytes
    };
    let cases = [
        (with(0, 0x44), "! IPv4 Length(16)"),
        (with(0, 0x4f), "! IPv4 Length(45)"),
        (with(0, 0x55), "! IP Version(5)"),
        (with(3, 10), "! IPv4 Length(10)"),
        (with(3, 0), "ip, tcp 5 Unverified, data 5"),
        (with(3, 200), "ip, tcp 5 Unverified, data 5"),
        (with(32, 0x40), "ip, tcp 9 Unverified, ! TCP Length(16)"),
        (
            with(32, 0xf0),
            "ip, tcp 0 Unverified, ! TCP Short { have: 25, need: 60 }",
        ),
        (announcing(5), "ip, udp 5 Unverified, ! UDP Length(5)"),
        (announcing(0), "ip, udp 0 Unverified, ! UDP Length(0)"),
        (announcing(50), "ip, udp 50 Unverified, ! UDP Length(50)"),
        (announcing(10), "ip, udp 10 Unverified, data 2"),
        (ipv4(6, 1, 0, b""), "ip"),
        (
            ipv6(6, b"")[..39].to_vec(),
            "! IPv6 Short { have: 39, need: 40 }",
        ),
        (
            ipv6(60, &[6, 255, 0, 0, 0, 0, 0, 0]),
            "ip6, ! IPv6 destination options Short { have: 8, need: 2048 }",
        ),
    ];
    for (bytes, want) in cases {
        let mut decoder = Decoder::new(Settings::default());
        let layers = decoder.decode(&packet(LinkType::RAW, &bytes)).layers;
        assert_eq!(names(layers.as_slice()), want);
    }
}

#[test]
fn more_headers_than_there_is_room_for_end_the_packet() {
    let tags = [0x81, 0, 0, 1].repeat(40);
    let mut frame = ethernet(0x8100, &[]);
    frame.extend(&tags[2..]);
    let mut decoder = Decoder::new(Settings::default());
    let layers = decoder.decode(&packet(LinkType::ETHERNET, &frame)).layers;
    assert_eq!(layers.as_slice().len(), Layers::MOST);
    let why = Why::Deep;
    let protocol = "VLAN";
    assert_eq!(
        layers.last(),
        Some(&Layer::Malformed(Malformed { protocol, why }))
    );
}

/// The datagram in pieces of 24 bytes.
fn pieces(id: u16, content: &[u8]) -> Vec<Vec<u8>> {
    let datagram = udp(content);
    let count = datagram.len().div_ceil(24);
    let piece = |(at, bytes): (usize, &[u8])| {
        let more = if at + 1 < count { 0x2000 } else { 0 };
        ipv4(17, id, more | (at * 3) as u16, bytes)
    };
    datagram.chunks(24).enumerate().map(piece).collect()
}

fn play(decoder: &mut Decoder, packets: &[&[u8]]) -> Vec<String> {
    let mut words = Vec::new();
    for bytes in packets {
        let decoded = decoder.decode(&packet(LinkType::RAW, bytes));
        words.push(names(decoded.layers.as_slice()));
    }
    words
}

#[test]
fn the_missing_fragment_brings_the_whole_datagram_in_any_order() {
    let [a, b, c] = &pieces(7, &[b'x'; 60])[..] else {
        panic!("three pieces");
    };
    let whole = "ip, udp 68 Good, data 60";
    let part = "ip, data 24";
    for (order, want) in [
        ([a, b, c], [part, part, whole]),
        ([c, b, a], ["ip, data 20", part, whole]),
        ([b, c, a], [part, "ip, data 20", whole]),
    ] {
        assert_eq!(play(&mut checking(), &order.map(|piece| &piece[..])), want);
    }
    // Repeated fragments change nothing; two datagrams do not mix.
    let other = pieces(8, &[b'y'; 60]);
    let mixed = [&a[..], a, &other[0], b, &other[1], c, &other[2]];
    let want = [part, part, part, part, part, whole, whole];
    assert_eq!(play(&mut checking(), &mixed), want);
}

#[test]
fn fragments_that_contradict_each_other_spoil_their_datagram() {
    let good = pieces(7, &[b'x'; 60]);
    let bad = pieces(7, &[b'y'; 60]);
    let words = play(&mut checking(), &[&good[0], &bad[1], &good[1], &good[2]]);
    assert!(
        words.iter().all(|word| word.starts_with("ip, data")),
        "{words:?}"
    );
    // Two different ends, and a piece beyond the end.
    let short_end = ipv4(17, 7, 6, &[0; 8]);
    let words = play(&mut checking(), &[&short_end, &good[0], &good[2], &good[1]]);
    assert!(
        words.iter().all(|word| word.starts_with("ip, data")),
        "{words:?}"
    );
    // Longer than a packet may be.
    let far = ipv4(17, 7, 0x1fff, &[0; 800]);
    assert_eq!(play(&mut checking(), &[&far]), ["ip, data 800"]);
}

#[test]
fn ipv6_fragments_are_put_together_too() {
    let datagram = udp(&[b'z'; 40]);
    let piece = |place: u8, bytes: &[u8]| {
        let head = [17, 0, 0, place, 0, 0, 0, 9];
        ipv6(44, &[&head, bytes].concat())
    };
    let (first, last) = (piece(1, &datagram[..24]), piece(24, &datagram[24..]));
    let mut decoder = Decoder::new(Settings::default());
    assert_eq!(
        play(&mut decoder, &[&first, &last]),
        [
            "ip6, fragment 0, data 24",
            "ip6, fragment 24, udp 48 Unverified, data 40"
        ]
    );
}

#[test]
fn fragments_wait_a_minute_and_no_longer() {
    let good = pieces(7, &[b'x'; 30]);
    for (wait, want) in [(60, "ip, udp 38 Unverified, data 30"), (61, "ip, data 14")] {
        let mut decoder = Decoder::new(Settings::default());
        decoder.decode(&packet(LinkType::RAW, &good[0]));
        let mut late = packet(LinkType::RAW, &good[1]);
        late.time += Duration::from_secs(wait);
        assert_eq!(names(decoder.decode(&late).layers.as_slice()), want);
    }
}

#[test]
fn a_first_fragment_that_the_snap_length_cut_is_looked_into() {
    let good = pieces(7, &[b'x'; 60]);
    let mut decoder = checking();
    let mut cut = packet(LinkType::RAW, &good[0]);
    cut.bytes = &good[0][..good[0].len() - 4];
    let first = decoder.decode(&cut);
    let words = "ip, udp 68 Unverified, data 12";
    assert_eq!(names(first.layers.as_slice()), words);
    let rest = play(&mut decoder, &[&good[1], &good[2]]);
    assert_eq!(rest, ["ip, data 24", "ip, data 20"]);
}

#[test]
fn waiting_fragments_take_no_more_memory_than_they_may() {
    let mut decoder = Decoder::new(Settings::default());
    for id in 0..20_000_u16 {
        let piece = ipv4(17, id, 0x2000, &vec![1; 8 * (id as usize % 180 + 1)]);
        decoder.decode(&packet(LinkType::RAW, &piece));
        decoder.fragments.check();
    }
    // The oldest are gone; the newest can still be put together.
    let last = ipv4(17, 19_999, (19_999 % 180 + 1) as u16, b"end");
    let decoded = decoder.decode(&packet(LinkType::RAW, &last));
    assert!(matches!(decoded.layers.as_slice(), [_, Layer::Udp(_), ..]));
}

#[test]
fn an_ipv4_packet_holds_the_same_in_one_piece_and_in_fragments() {
    // IPv6 extension headers are not protocols of IPv4.
    let payload = [&[17, 0, 1, 4, 0, 0, 0, 0], &udp(b"in IPv6 only")[..]].concat();
    for protocol in [0, 43, 44, 60, 17] {
        let whole = decoded(LinkType::RAW, &ipv4(protocol, 0, 0, &payload));
        let mut decoder = checking();
        let pieces = [
            ipv4(protocol, 1, 0x2000, &payload[..16]),
            ipv4(protocol, 1, 2, &payload[16..]),
        ];
        let last = pieces.map(|piece| {
            let decoded = decoder.decode(&packet(LinkType::RAW, &piece));
            names(decoded.layers.as_slice())
        });
        assert_eq!(last[1], whole, "{protocol}");
    }
}
