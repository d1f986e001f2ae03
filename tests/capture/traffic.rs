//! Made-up packets for the judge: every link type and header that is decoded, and TCP as it goes
//! when things go wrong, by a seeded generator.

use std::time::Duration;

use groundwire::capture::LinkType;

use crate::seeded::Seeded;

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const PSH: u8 = 8;
const ACK: u8 = 16;

const CLIENT: [u8; 4] = [10, 0, 0, 1];
const SERVER: [u8; 4] = [10, 0, 0, 2];
const CLIENT6: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const SERVER6: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

/// A packet: when, over what, its bytes, and how long it was on the wire.
pub type Frame = (Duration, LinkType, Vec<u8>, u32);

/// Packets so far, and the clock.
pub struct Traffic {
    pub frames: Vec<Frame>,
    now: Duration,
}

/// The words of the Internet checksum (RFC 1071) of a header and what is behind it.
fn sum(parts: &[&[u8]]) -> u16 {
    let bytes = parts.concat();
    let words = bytes.chunks(2).map(|word| match *word {
        [high, low] => u32::from(u16::from_be_bytes([high, low])),
        [high] => u32::from(high) << 8,
        _ => 0,
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !(sum as u16)
}

fn ip(
    protocol: u8,
    id: u16,
    fragment: u16,
    (from, to): ([u8; 4], [u8; 4]),
    body: &[u8],
) -> Vec<u8> {
    let mut header = vec![0x45, 0];
    header.extend((20 + body.len() as u16).to_be_bytes());
    header.extend(id.to_be_bytes());
    header.extend(fragment.to_be_bytes());
    header.extend([64, protocol, 0, 0]);
    header.extend([from, to].concat());
    let check = sum(&[&header]).to_be_bytes();
    header[10..12].copy_from_slice(&check);
    [&header, body].concat()
}

fn ip6(next: u8, (from, to): ([u8; 16], [u8; 16]), body: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0x0a, 0xbc, 0xde];
    packet.extend((body.len() as u16).to_be_bytes());
    packet.extend([next, 64]);
    packet.extend([from, to].concat());
    packet.extend(body);
    packet
}

fn udp(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let length = 8 + payload.len() as u16;
    let head = [from, to, length, 0].map(u16::to_be_bytes).concat();
    [&head, payload].concat()
}

fn icmp(kind: u8, code: u8, body: &[u8]) -> Vec<u8> {
    let check = sum(&[&[kind, code, 0, 0], body]).to_be_bytes();
    [&[kind, code, check[0], check[1]], body].concat()
}

fn icmp6(ends: ([u8; 16], [u8; 16]), kind: u8, code: u8, body: &[u8]) -> Vec<u8> {
    let length = (4 + body.len() as u32).to_be_bytes();
    let pseudo = [&ends.0[..], &ends.1, &length, &[0, 0, 0, 58]].concat();
    let check = sum(&[&pseudo, &[kind, code, 0, 0], body]).to_be_bytes();
    [&[kind, code, check[0], check[1]], body].concat()
}

/// A segment's numbers; all else is the same in each.
#[derive(Clone, Copy)]
struct Numbers {
    ports: (u16, u16),
    seq: u32,
    ack: u32,
    flags: u8,
    window: u16,
}

fn tcp(numbers: Numbers, options: &[u8], payload: &[u8]) -> Vec<u8> {
    assert_eq!(options.len() % 4, 0);
    let mut bytes = [numbers.ports.0, numbers.ports.1]
        .map(u16::to_be_bytes)
        .concat();
    bytes.extend(numbers.seq.to_be_bytes());
    bytes.extend(numbers.ack.to_be_bytes());
    bytes.extend([((5 + options.len() / 4) as u8) << 4, numbers.flags]);
    bytes.extend(numbers.window.to_be_bytes());
    bytes.extend([0xab, 0xcd, 0, 0]);
    bytes.extend(options);
    bytes.extend(payload);
    bytes
}

/// A name as a DNS message has it.
fn name(text: &str) -> Vec<u8> {
    let labels = text.split('.').flat_map(|label| {
        let length = [label.len() as u8];
        [&length, label.as_bytes()].concat()
    });
    labels.chain([0]).collect()
}

fn query(id: u16, text: &str, kind: u16) -> Vec<u8> {
    let head = [id, 0x0100, 1, 0, 0, 0].map(u16::to_be_bytes).concat();
    let tail = [kind, 1].map(u16::to_be_bytes).concat();
    [head, name(text), tail].concat()
}

/// The answer to a query, with records of type and RDATA.
fn answer(query: &[u8], records: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut message = query.to_vec();
    message[2..4].copy_from_slice(&[0x85, 0x80]);
    message[7] = records.len() as u8;
    for (kind, data) in records {
        let fields = [0xc00c, *kind, 1, 0, 300, data.len() as u16];
        message.extend(fields.map(u16::to_be_bytes).concat());
        message.extend(data);
    }
    message
}

impl Traffic {
    pub fn new() -> Self {
        Self {
            frames: Vec::new(),
            now: Duration::new(1_700_000_000, 123_456_789),
        }
    }

    fn push(&mut self, link: LinkType, bytes: Vec<u8>) {
        self.now += Duration::from_micros(137);
        let length = bytes.len() as u32;
        self.frames.push((self.now, link, bytes, length));
    }

    fn ethernet(&mut self, kind: u16, payload: &[u8]) {
        let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
        frame.extend(kind.to_be_bytes());
        frame.extend(payload);
        // As a driver pads it.
        frame.resize(frame.len().max(60), 0);
        self.push(LinkType::ETHERNET, frame);
    }

    /// A datagram over each kind of link.
    pub fn links(&mut self) {
        let v4 = ip(17, 7, 0, (CLIENT, SERVER), &udp(40_000, 40_001, b"link"));
        let v6 = ip6(17, (CLIENT6, SERVER6), &udp(40_000, 40_001, b"link"));
        self.ethernet(0x8100, &[&[0x60, 5, 8, 0], &v4[..]].concat());
        self.ethernet(
            0x88a8,
            &[&[0, 9, 0x81, 0, 0, 5, 0x86, 0xdd], &v6[..]].concat(),
        );
        self.push(LinkType::RAW, v4.clone());
        self.push(LinkType::RAW, v6.clone());
        self.push(LinkType::NULL, [&2u32.to_le_bytes(), &v4[..]].concat());
        self.push(LinkType::NULL, [&30u32.to_le_bytes(), &v6[..]].concat());
        self.push(LinkType::LOOP, [&2u32.to_be_bytes(), &v4[..]].concat());
        let address = [2, 0, 0, 0, 0, 1, 0, 0];
        for (kind, packet) in [([8, 0], &v4), ([0x86, 0xdd], &v6)] {
            let head = [&[0, 4, 0, 1, 0, 6], &address[..], &kind].concat();
            self.push(LinkType::LINUX_SLL, [&head, &packet[..]].concat());
            let head = [&kind[..], &[0, 0, 0, 0, 0, 3, 0, 1, 4, 6], &address].concat();
            self.push(LinkType::LINUX_SLL2, [&head, &packet[..]].concat());
        }
    }

    pub fn arp(&mut self) {
        for (op, from, to) in [
            (1, CLIENT, SERVER),
            (2, SERVER, CLIENT),
            (1, CLIENT, CLIENT),
        ] {
            let mut body = vec![0, 1, 8, 0, 6, 4, 0, op, 2, 0, 0, 0, 0, from[3]];
            body.extend(from);
            body.extend([0; 6]);
            body.extend(to);
            self.ethernet(0x0806, &body);
        }
    }

    /// Echo, and errors that quote a datagram and a segment's first bytes.
    pub fn icmp(&mut self) {
        let datagram = ip(17, 8, 0, (CLIENT, SERVER), &udp(40_002, 9, b"nobody"));
        let quoted = [&[0; 4], &datagram[..]].concat();
        for (kind, code, body) in [
            (8, 0, b"\x12\x34\x00\x01echo".to_vec()),
            (0, 0, b"\x12\x34\x00\x01echo".to_vec()),
            (3, 3, quoted.clone()),
            (3, 4, [&[0, 0, 5, 0xdc], &datagram[..]].concat()),
            (5, 1, [&[10, 0, 0, 9], &datagram[..]].concat()),
            (11, 0, quoted),
        ] {
            let ends = if kind == 0 {
                (CLIENT, SERVER)
            } else {
                (SERVER, CLIENT)
            };
            let packet = ip(1, 9, 0, ends, &icmp(kind, code, &body));
            self.ethernet(0x0800, &packet);
        }
        let ends = (CLIENT6, SERVER6);
        let datagram = ip6(17, ends, &udp(40_002, 9, b"nobody"));
        let asked = [&[0; 4], &SERVER6[..]].concat();
        for (kind, code, body) in [
            (128, 0, b"\x12\x34\x00\x01echo".to_vec()),
            (129, 0, b"\x12\x34\x00\x01echo".to_vec()),
            (1, 4, [&[0; 4], &datagram[..]].concat()),
            (2, 0, [&[0, 0, 5, 0], &datagram[..]].concat()),
            (135, 0, [&asked[..], &[1, 1, 2, 0, 0, 0, 0, 1]].concat()),
            (
                136,
                0,
                [&[0x60, 0, 0, 0], &SERVER6[..], &[2, 1, 2, 0, 0, 0, 0, 2]].concat(),
            ),
        ] {
            let ends = if kind == 129 { (ends.1, ends.0) } else { ends };
            let message = icmp6(ends, kind, code, &body);
            self.ethernet(0x86dd, &ip6(58, ends, &message));
        }
    }

    /// Datagrams in fragments, of both versions; extension headers.
    pub fn fragments(&mut self) {
        let datagram = udp(40_003, 40_004, &[b'f'; 3000]);
        for (offset, part) in (0..).step_by(1480).zip(datagram.chunks(1480)) {
            let more = u16::from(part.len() == 1480) << 13;
            self.ethernet(
                0x0800,
                &ip(17, 77, more | (offset / 8), (CLIENT, SERVER), part),
            );
            let head = [17, 0, 0, 0, 0, 0, 0, 78];
            let mut part6 = [&head, part].concat();
            part6[2..4].copy_from_slice(&(offset | more >> 13).to_be_bytes());
            self.ethernet(0x86dd, &ip6(44, (CLIENT6, SERVER6), &part6));
        }
        // Hop-by-hop (PadN) before destination options before UDP.
        let pad = |next| [next, 0, 1, 4, 0, 0, 0, 0];
        let body = [
            &pad(60),
            &pad(17)[..],
            &udp(40_005, 40_006, b"behind options"),
        ]
        .concat();
        self.ethernet(0x86dd, &ip6(0, (CLIENT6, SERVER6), &body));
    }

    pub fn dns(&mut self) {
        let address6 = SERVER6.to_vec();
        let text = b"\x05hello\x05world".to_vec();
        let mail = [&[0, 10], &name("mail.example.org")[..]].concat();
        let service = [&[0, 1, 0, 2, 0x1f, 0x90], &name("www.example.org")[..]].concat();
        let soa = [
            name("ns.example.org"),
            name("root.example.org"),
            vec![0; 20],
        ]
        .concat();
        type Answers = Vec<(u16, Vec<u8>)>;
        let cases: [(u16, Answers); 8] = [
            (1, vec![(1, vec![192, 0, 2, 1]), (1, vec![192, 0, 2, 2])]),
            (28, vec![(5, name("other.example.org")), (28, address6)]),
            (2, vec![(2, name("ns.example.org"))]),
            (12, vec![(12, name("host.example.org"))]),
            (15, vec![(15, mail)]),
            (16, vec![(16, text)]),
            (33, vec![(33, service)]),
            (6, vec![(6, soa)]),
        ];
        for (number, (kind, records)) in cases.into_iter().enumerate() {
            let asked = query(0x100 + number as u16, "www.example.org", kind);
            let said = answer(&asked, &records);
            let ports = 41_000 + number as u16;
            self.ethernet(
                0x0800,
                &ip(17, 1, 0, (CLIENT, SERVER), &udp(ports, 53, &asked)),
            );
            self.ethernet(
                0x0800,
                &ip(17, 2, 0, (SERVER, CLIENT), &udp(53, ports, &said)),
            );
            // Over TCP: the query whole, the response in three segments.
            let framed = |message: &[u8]| [&(message.len() as u16).to_be_bytes(), message].concat();
            let (asked, said) = (framed(&asked), framed(&said));
            let third = said.len() / 3;
            let parts = [&said[..1], &said[1..third], &said[third..]];
            self.talk((42_000 + number as u16, 53), &[&asked], &parts);
        }
    }

    /// Heads in one segment, in several, and two in one.
    pub fn http(&mut self) {
        let get = b"GET /a?b=c HTTP/1.1\r\nHost: example.org\r\nUser-Agent: judge\r\n\r\n";
        let post = b"POST /form HTTP/1.1\r\nHost: example.org\r\nContent-Type: text/plain\r\n\
            Content-Length: 5\r\n\r\nhello";
        let ok = b"HTTP/1.1 200 OK\r\nServer: judge\r\nContent-Type: application/octet-stream\r\n\
            Content-Length: 5\r\n\r\nhello";
        let none = b"HTTP/1.1 204 No Content\r\nDate: Thu, 02 Jan 2014 08:37:57 GMT\r\n\r\n";
        self.talk((43_000, 80), &[get], &[ok]);
        self.talk(
            (43_001, 8080),
            &[&get[..9], &get[9..30], &get[30..]],
            &[&ok[..20], &ok[20..]],
        );
        self.talk(
            (43_002, 80),
            &[&[&get[..], get].concat()],
            &[&[&none[..], none].concat()],
        );
        self.talk((43_003, 80), &[post], &[none]);
    }

    /// A connection from handshake to close: each side sends its parts, and all are acknowledged.
    fn talk(&mut self, ports: (u16, u16), asked: &[&[u8]], said: &[&[u8]]) {
        let mut seq = [1000, 0xffff_fff0_u32];
        let back = (ports.1, ports.0);
        let mut send = |this: &mut Self, from: usize, flags: u8, options: &[u8], data: &[u8]| {
            let (ports, ends) = [(ports, (CLIENT, SERVER)), (back, (SERVER, CLIENT))][from];
            let ack = if flags & ACK == 0 { 0 } else { seq[1 - from] };
            let numbers = Numbers {
                ports,
                seq: seq[from],
                ack,
                flags,
                window: 502,
            };
            let taken = data.len() as u32 + u32::from(flags & (SYN | FIN) != 0);
            seq[from] = seq[from].wrapping_add(taken);
            this.ethernet(
                0x0800,
                &ip(6, 3, 0x4000, ends, &tcp(numbers, options, data)),
            );
        };
        let options = [2, 4, 5, 0xb4, 4, 2, 1, 3, 3, 7, 1, 1];
        send(self, 0, SYN, &options, b"");
        send(self, 1, SYN | ACK, &options, b"");
        send(self, 0, ACK, b"", b"");
        for (from, parts) in [(0, asked), (1, said)] {
            for part in parts {
                send(self, from, PSH | ACK, b"", part);
                send(self, 1 - from, ACK, b"", b"");
            }
        }
        send(self, 0, FIN | ACK, b"", b"");
        send(self, 1, FIN | ACK, b"", b"");
        send(self, 0, ACK, b"", b"");
    }
}

/// One side of a connection in trouble.
#[derive(Clone, Copy)]
struct Side {
    /// The number of its next byte.
    next: u32,
    /// The last window it told.
    window: u16,
}

impl Traffic {
    /// A connection in which anything may happen: losses, repeats, probes, closed windows, late and
    /// early segments, the same ports again; numbers pass 2^32.
    pub fn trouble(&mut self, random: &mut Seeded, ports: (u16, u16), steps: usize) {
        let start = |random: &mut Seeded| 0xffff_f000 | random.next() as u32;
        let mut sides = [start(random), start(random)].map(|next| Side { next, window: 500 });
        let scaled = random.below(3) > 0;
        if random.below(4) > 0 {
            for (from, flags) in [(0, SYN), (1, SYN | ACK), (0, ACK)] {
                self.step(&mut sides, from, ports, (0, flags, 0), scaled);
            }
        }
        for _ in 0..steps {
            self.now += Duration::from_micros([20, 900, 4_000, 30_000][random.below(4)]);
            let from = random.below(2);
            let length = [1, 100, 1448][random.below(3)];
            let behind = [1, 100, 1448, 2896][random.below(4)];
            match random.below(16) {
                0..=5 => self.step(&mut sides, from, ports, (0, PSH | ACK, length), scaled),
                6..=8 => self.step(&mut sides, from, ports, (0, ACK, 0), scaled),
                9 | 10 => self.step(&mut sides, from, ports, (-behind, ACK, length), scaled),
                11 => self.step(&mut sides, from, ports, (behind, ACK, length), scaled),
                12 => self.step(&mut sides, from, ports, (-1, ACK, random.below(2)), scaled),
                13 => {
                    sides[from].window = [0, 100, 500][random.below(3)];
                    self.step(&mut sides, from, ports, (0, ACK, 0), scaled);
                }
                14 => {
                    for _ in 0..3 {
                        self.step(&mut sides, from, ports, (0, ACK, 0), scaled);
                    }
                }
                _ => match random.below(6) {
                    0 => self.step(&mut sides, from, ports, (0, FIN | ACK, length), scaled),
                    1 => self.step(&mut sides, from, ports, (0, RST, 0), scaled),
                    2 => {
                        sides[0].next = start(random);
                        self.step(&mut sides, 0, ports, (0, SYN, 0), scaled);
                    }
                    _ => self.step(&mut sides, from, ports, (0, ACK, length), scaled),
                },
            }
        }
    }

    /// Sends a segment `offset` bytes from where the side stands; one ahead leaves a gap.
    fn step(
        &mut self,
        sides: &mut [Side; 2],
        from: usize,
        ports: (u16, u16),
        (offset, flags, length): (i32, u8, usize),
        scaled: bool,
    ) {
        let seq = sides[from].next.wrapping_add_signed(offset);
        let end = seq.wrapping_add(length as u32 + u32::from(flags & (SYN | FIN) != 0));
        if end.wrapping_sub(sides[from].next) < 1 << 31 {
            sides[from].next = end;
        }
        let back = (ports.1, ports.0);
        let (ports, ends) = [(ports, (CLIENT, SERVER)), (back, (SERVER, CLIENT))][from];
        let ack = if flags & ACK == 0 {
            0
        } else {
            sides[1 - from].next
        };
        let numbers = Numbers {
            ports,
            seq,
            ack,
            flags,
            window: sides[from].window,
        };
        let options: &[u8] = match flags & SYN {
            0 => &[],
            _ if scaled => &[2, 4, 5, 0xb4, 1, 3, 3, 7],
            _ => &[2, 4, 5, 0xb4],
        };
        let segment = tcp(numbers, options, &vec![b'.'; length]);
        self.ethernet(0x0800, &ip(6, 4, 0x4000, ends, &segment));
    }
}
