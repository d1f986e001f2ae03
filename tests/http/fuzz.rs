//! Mutated messages: each is refused, or it is a message that comes out the same however its bytes are
//! cut, and the same again when it is written anew, to our reader and to the one of plain.rs. No
//! parser holds more memory than its limit of field lines costs.
//!
//! `GROUNDWIRE_FUZZ` is how many messages are tried (20,000 without it; `make fuzz` sets it to ten
//! million). What a run ever finds is printed as a line for requests.txt or responses.txt.

use std::panic::catch_unwind;

use groundwire::http::{ChunkReader, HeadParser, Limits, Piece, write};
use groundwire::sys::counting;

use crate::cases;
use crate::feed::{Feed, Found, Message};
use crate::generate::Seeded;
use crate::plain;

/// The longest case that is mutated, in bytes: longer ones are about limits.
const LONGEST: usize = 2000;
/// What a parser may hold, in bytes: twice a place of 24 for each of a hundred field lines.
const HELD: usize = 2 * 100 * 24;
/// What a mutation puts in: the words and marks that decide where a message ends.
const PARTS: [&[u8]; 24] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b":",
    b" ",
    b"\t",
    b",",
    b";",
    b"\0",
    b"0\r\n\r\n",
    b"0",
    b"ffffffffffffffff",
    b"HTTP/1.0",
    b"HTTP/1.1",
    b"HEAD ",
    b"Host: a\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 0\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"chunked",
    b"Connection: close\r\n",
    b"Connection: upgrade\r\nUpgrade: a\r\n",
    b"http://b",
];

/// Whose bytes: a client's, or a backend's that answers this method.
type Side<'a> = Option<&'a str>;

fn feed(side: Side<'_>) -> Feed {
    side.map_or_else(Feed::requests, Feed::responses)
}

/// Whether it has a message that is taken; panics if that is taken wrongly.
fn check(bytes: &[u8], side: Side<'_>, cuts: &[usize]) -> bool {
    let mut whole = feed(side);
    whole.push(bytes);
    whole.end();
    let (mut parts, mut from) = (feed(side), 0);
    for to in cuts.iter().copied().chain([bytes.len()]) {
        parts.push(&bytes[from..to]);
        from = to;
    }
    parts.end();
    assert_eq!(whole.found, parts.found, "in parts at {cuts:?}");
    assert_eq!(whole.left(), parts.left(), "in parts at {cuts:?}");
    memory(bytes, side);
    let mut taken = false;
    for found in &whole.found {
        if let Found::Message(message) = found {
            again(message, side);
            taken = true;
        }
    }
    taken
}

/// What a head and the chunks behind it cost.
fn memory(bytes: &[u8], side: Side<'_>) {
    let limits = Limits::default();
    let mut parser = match side {
        None => HeadParser::requests(limits),
        Some(_) => HeadParser::responses(limits),
    };
    let (length, held) = counting::peak(|| {
        let is_whole = parser.advance(bytes) == Ok(true);
        let length = match side {
            None => parser.request(bytes).ok().map(|head| head.length),
            Some(method) => parser.response(bytes, method).ok().map(|head| head.length),
        };
        length.filter(|_| is_whole)
    });
    assert!(held <= HELD, "a head of {} costs {held}", bytes.len());
    let mut rest = &bytes[length.unwrap_or(0)..];
    let mut chunks = ChunkReader::new(&limits);
    let ((), held) = counting::peak(|| {
        while let Ok(Piece::Data { to, .. }) = chunks.advance(rest) {
            rest = &rest[to..];
        }
    });
    assert!(held <= HELD, "chunks of {} cost {held}", bytes.len());
}

/// Writes a message anew, as a proxy does, and reads it.
fn again(message: &Message, side: Side<'_>) {
    // One line more may be one too many; and nobody but a tunnel reads what CONNECT is answered.
    if message.fields.len() >= Limits::default().fields || side == Some("CONNECT") {
        return;
    }
    let bytes = rewritten(message, side);
    let shown = || String::from_utf8_lossy(&bytes).into_owned();
    let mut feed = feed(side);
    feed.push(&bytes);
    let Some(Found::Message(read)) = feed.found.first() else {
        panic!("{:?} of {}", feed.found, shown());
    };
    let parts = |m: &Message| {
        (
            m.start.clone(),
            m.status,
            m.body.clone(),
            m.trailers.clone(),
        )
    };
    assert_eq!(parts(read), parts(message), "{}", shown());
    assert_eq!(end_to_end(read), end_to_end(message), "{}", shown());
    let (plain, length) = plain::message(&bytes, side, true).unwrap();
    assert_eq!(length, bytes.len(), "{}", shown());
    assert_eq!(plain.body, message.body, "{}", shown());
    assert_eq!(plain.trailers, message.trailers, "{}", shown());
}

/// The lines that do not say where the message goes and where it ends. Upgrade and Expect, ignored
/// in HTTP/1.0, could make the message one that is refused, since it is written as HTTP/1.1.
fn end_to_end(message: &Message) -> Vec<(String, Vec<u8>)> {
    let is_ours = |name: &str| {
        let ours = [
            "Host",
            "Content-Length",
            "Transfer-Encoding",
            "Upgrade",
            "Expect",
        ];
        ours.iter().any(|known| name.eq_ignore_ascii_case(known))
    };
    let lines = message.fields.iter().filter(|(name, _)| !is_ours(name));
    lines.cloned().collect()
}

fn has(message: &Message, name: &str) -> bool {
    let mut names = message.fields.iter().map(|(name, _)| name);
    names.any(|field| field.eq_ignore_ascii_case(name))
}

fn rewritten(message: &Message, side: Side<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    match side {
        None => write::request_line(&mut out, &message.start.0, &message.start.1),
        Some(_) => write::status_line(
            &mut out,
            groundwire::http::Version::Http11,
            message.status,
            b"",
        ),
    }
    if side.is_none() {
        let host = message
            .fields
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("Host"));
        write::field(&mut out, "Host", host.map_or(b"a", |(_, value)| value));
    }
    for (name, value) in end_to_end(message) {
        write::field(&mut out, name.as_bytes(), &value);
    }
    let has_none = side == Some("HEAD") || matches!(message.status, 100..=199 | 204 | 304);
    if has_none {
        write::end(&mut out);
    } else if has(message, "Transfer-Encoding") {
        write::field(&mut out, "Transfer-Encoding", b"chunked");
        write::end(&mut out);
        if !message.body.is_empty() {
            write::chunk_line(&mut out, message.body.len());
            out.extend_from_slice(&message.body);
            write::end(&mut out);
        }
        write::chunk_line(&mut out, 0);
        for (name, value) in &message.trailers {
            write::field(&mut out, name.as_bytes(), value);
        }
        write::end(&mut out);
    } else {
        if side.is_some() || !message.body.is_empty() {
            write::number_field(&mut out, "Content-Length", message.body.len() as u64);
        }
        write::end(&mut out);
        out.extend_from_slice(&message.body);
    }
    out
}

fn try_message(bytes: &[u8], side: Side<'_>, cuts: &[usize]) -> bool {
    catch_unwind(|| check(bytes, side, cuts)).unwrap_or_else(|_| {
        let (file, asked) = match side {
            None => ("requests", ""),
            Some(method) => ("responses", method),
        };
        panic!(
            "for tests/http/{file}.txt: {asked}\n  > {}",
            bytes.escape_ascii()
        )
    })
}

/// Changes a message in one to four places.
fn mutate(seeded: &mut Seeded, bytes: &mut Vec<u8>, other: &[u8]) {
    if seeded.below(3) == 0 {
        seeded.mutate(bytes, other);
    }
    for _ in 0..seeded.below(4) {
        let at = seeded.below(bytes.len() + 1);
        let length = [0, 0, 1, 2][seeded.below(4)];
        let part = PARTS[seeded.below(PARTS.len())];
        let end = (at + length).min(bytes.len());
        bytes.splice(at..end, part.iter().copied());
    }
}

fn cuts(seeded: &mut Seeded, length: usize) -> Vec<usize> {
    let count = seeded.below(6);
    let mut cuts: Vec<usize> = (0..count).map(|_| seeded.below(length + 1)).collect();
    cuts.sort_unstable();
    cuts
}

fn wanted() -> u64 {
    let wanted = std::env::var("GROUNDWIRE_FUZZ").ok();
    wanted.map_or(20_000, |text| {
        text.parse().expect("GROUNDWIRE_FUZZ: a number")
    })
}

#[test]
fn mutated_messages_are_refused_or_read_the_same_in_parts_and_written_anew() {
    let (mut seeded, wanted) = (Seeded::new(21), wanted());
    let of_request = |case: cases::Case| (case.bytes, None);
    let of_response = |case: cases::Case| (case.bytes, Some(case.asked));
    let mut all: Vec<(Vec<u8>, Option<String>)> = Vec::new();
    all.extend(cases::requests().into_iter().map(of_request));
    all.extend(cases::responses().into_iter().map(of_response));
    all.retain(|(bytes, _)| bytes.len() <= LONGEST);
    let is_good = |case: &&(Vec<u8>, Option<String>)| try_message(&case.0, case.1.as_deref(), &[]);
    let good: Vec<_> = all.iter().filter(is_good).collect();
    let mut taken = 0;
    for _ in 0..wanted {
        let (bytes, side) = match seeded.below(3) {
            0 => &all[seeded.below(all.len())],
            _ => good[seeded.below(good.len())],
        };
        let (other, _) = &all[seeded.below(all.len())];
        let mut bytes = bytes.clone();
        mutate(&mut seeded, &mut bytes, other);
        let cuts = cuts(&mut seeded, bytes.len());
        taken += u64::from(try_message(&bytes, side.as_deref(), &cuts));
    }
    println!("{wanted} inputs tried, {taken} of them with a message");
    // A mutator whose messages are all refused at the first byte would find nothing.
    assert!(
        taken > wanted / 20 && taken < wanted,
        "{taken} of {wanted} taken"
    );
}

/// A body in chunks of any size, with extensions and trailers, and what it holds.
fn chunked(seeded: &mut Seeded) -> (Vec<u8>, Vec<u8>) {
    let (mut wire, mut data) = (Vec::new(), Vec::new());
    for _ in 0..seeded.below(6) {
        let most = [1, 16, 17, 300][seeded.below(4)];
        let size = 1 + seeded.below(most);
        let zeros = "0".repeat(seeded.below(3));
        let extension = ["", ";", ";a=b", ";a=\"b\";c"][seeded.below(4)];
        wire.extend(format!("{zeros}{size:X}{extension}\r\n").bytes());
        for _ in 0..size {
            data.push(b"\r\n0a"[seeded.below(4)]);
        }
        wire.extend_from_slice(&data[data.len() - size..]);
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice([&b"0\r\n\r\n"[..], b"00;x\r\nA: b\r\n\r\n"][seeded.below(2)]);
    (wire, data)
}

#[test]
fn chunked_bodies_hold_the_same_data_in_all_parts() {
    let (mut seeded, wanted) = (Seeded::new(22), wanted() / 2);
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for _ in 0..wanted {
        let (wire, data) = chunked(&mut seeded);
        let mut bytes = [head, &wire[..]].concat();
        let mut feed = Feed::requests();
        feed.push(&bytes);
        let [Found::Message(message)] = &feed.found[..] else {
            panic!("{:?} of {}", feed.found, bytes.escape_ascii());
        };
        assert_eq!((&message.body, feed.left()), (&data, 0));
        if seeded.below(2) == 0 {
            mutate(&mut seeded, &mut bytes, &wire);
        }
        let cuts = cuts(&mut seeded, bytes.len());
        try_message(&bytes, None, &cuts);
    }
    println!("{wanted} chunked bodies tried");
}
