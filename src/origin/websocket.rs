//! WebSocket frames, and the messages that they carry (RFC 6455 §5 to §8). Pure: the server's side.
//!
//! ```text
//!  0               1               2               3
//! +-+-+-+-+-------+-+-------------+-------------------------------+
//! |F|R|R|R|opcode |M| length      | 16 bits more when it is 126,  |
//! |I|S|S|S| (4)   |A| (7)         | 64 bits more when it is 127   |
//! |N|V|V|V|       |S|             |                               |
//! | |1|2|3|       |K|             |                               |
//! +-+-+-+-+-------+-+-------------+-------------------------------+
//! | masking key, 4 bytes, only from client to server              |
//! +---------------------------------------------------------------+
//! | payload; from a client each byte XOR the next byte of the key |
//! ```
//!
//! A message is one frame, or a frame without FIN and continuations up to one with FIN. Control
//! frames (close, ping, pong) may come between these. [`Reader::next`] takes one frame at a time
//! from the bytes that have arrived, and returns an [`Event`] when something is complete.
//!
//! Refused are: a frame without a mask (§5.1), reserved bits and opcodes (no extension was
//! negotiated), a length written longer than necessary (§5.2), a fragmented control frame or one of
//! more than 125 bytes (§5.5), a continuation without a message, a new message inside another
//! (§5.4), text that is not UTF-8 (§8.1), a message above the limit. Each [`Fault`] has its close
//! code.

use std::fmt;

/// The most payload of a control frame, in bytes (RFC 6455 §5.5).
const MAX_CONTROL: usize = 125;

/// What a frame carries (RFC 6455 §11.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// More of the message that was begun.
    Continuation,
    /// A message of UTF-8 text.
    Text,
    /// A message of bytes.
    Binary,
    /// The end of the WebSocket.
    Close,
    /// Asks whether the peer is there.
    Ping,
    /// The answer to a ping.
    Pong,
}

impl Opcode {
    fn of(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return None,
        })
    }

    fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xa,
        }
    }

    fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// A client's violation of RFC 6455.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A frame without a mask (§5.1).
    Unmasked,
    /// A reserved bit is set (§5.2).
    ReservedBit,
    /// An opcode that is not assigned (§5.2).
    UnknownOpcode,
    /// A length with more bytes than necessary, or of 2^63 or more (§5.2).
    BadLength,
    /// A fragmented control frame, or one of more than 125 bytes (§5.5).
    BadControl,
    /// A continuation without a message (§5.4).
    NothingToContinue,
    /// A new message before the last one ended (§5.4).
    MessageInMessage,
    /// A close frame with half a code (§5.5.1), or with a code that must not be sent (§7.4).
    BadClose,
    /// Text, or the reason in a close frame, is not UTF-8 (§8.1).
    NotUtf8,
    /// A message is longer than the limit (§10.4).
    TooBig,
}

impl Fault {
    /// The code of the close frame that answers the fault (RFC 6455 §7.4.1).
    pub fn code(self) -> u16 {
        match self {
            Fault::NotUtf8 => 1007,
            Fault::TooBig => 1009,
            _ => 1002,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Unmasked => "a frame without a mask",
            Fault::ReservedBit => "a reserved bit is set",
            Fault::UnknownOpcode => "an unknown opcode",
            Fault::BadLength => "a length that is not in its shortest form",
            Fault::BadControl => "a control frame in pieces or above 125 bytes",
            Fault::NothingToContinue => "a continuation of no message",
            Fault::MessageInMessage => "a message inside another",
            Fault::BadClose => "a close frame with no valid code",
            Fault::NotUtf8 => "text that is not UTF-8",
            Fault::TooBig => "a message above the limit",
        })
    }
}

impl std::error::Error for Fault {}

/// Something complete that a client has sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A message of text; the bytes are UTF-8.
    Text(Vec<u8>),
    /// A message of bytes.
    Binary(Vec<u8>),
    /// Answer it with a pong of the same payload.
    Ping(Vec<u8>),
    /// The answer to a ping, or sent unasked; needs no answer.
    Pong(Vec<u8>),
    /// Answer it with a close frame of this code, if there is one; then end the connection.
    Close(Option<u16>),
}

/// The header of a frame.
struct Header {
    last: bool,
    opcode: Opcode,
    mask: [u8; 4],
    /// The size of the header, and of the payload after it, in bytes.
    size: usize,
    length: usize,
}

/// Extracts messages from the bytes of a connection.
#[derive(Debug)]
pub struct Reader {
    max_message: usize,
    /// The kind of an unfinished message, and its bytes so far.
    begun: Option<(Opcode, Vec<u8>)>,
}

impl Reader {
    /// A reader for messages of at most `max_message` bytes, over all their frames. The limit is
    /// compared with the length in a header, before the payload arrives.
    pub fn new(max_message: usize) -> Self {
        Self {
            max_message,
            begun: None,
        }
    }

    /// Takes one frame. Returns its size in bytes, 0 if it is not complete yet, and what it
    /// completes. After a fault nothing more can be read.
    pub fn next(&mut self, bytes: &[u8]) -> Result<(usize, Option<Event>), Fault> {
        let Some(header) = header(bytes)? else {
            return Ok((0, None));
        };
        self.allow(&header)?;
        let end = header.size + header.length;
        let Some(payload) = bytes.get(header.size..end) else {
            return Ok((0, None));
        };
        let key = header.mask.iter().cycle();
        let unmasked = payload.iter().zip(key).map(|(byte, key)| byte ^ key);
        let event = if header.opcode.is_control() {
            Some(control(header.opcode, unmasked.collect())?)
        } else {
            self.take(&header, unmasked)?
        };
        Ok((end, event))
    }

    /// Whether a frame with this header is allowed now.
    fn allow(&self, header: &Header) -> Result<(), Fault> {
        let begun = match (&self.begun, header.opcode) {
            (_, opcode) if opcode.is_control() => return Ok(()),
            (None, Opcode::Continuation) => return Err(Fault::NothingToContinue),
            (None, _) => 0,
            (Some((_, bytes)), Opcode::Continuation) => bytes.len(),
            (Some(_), _) => return Err(Fault::MessageInMessage),
        };
        if header.length > self.max_message.saturating_sub(begun) {
            return Err(Fault::TooBig);
        }
        Ok(())
    }

    /// Adds a frame to its message.
    fn take(
        &mut self,
        header: &Header,
        payload: impl Iterator<Item = u8>,
    ) -> Result<Option<Event>, Fault> {
        let (kind, mut bytes) = self.begun.take().unwrap_or((header.opcode, Vec::new()));
        bytes.extend(payload);
        if !header.last {
            self.begun = Some((kind, bytes));
            return Ok(None);
        }
        if kind != Opcode::Text {
            return Ok(Some(Event::Binary(bytes)));
        }
        match std::str::from_utf8(&bytes) {
            Ok(_) => Ok(Some(Event::Text(bytes))),
            Err(_) => Err(Fault::NotUtf8),
        }
    }
}

/// The header at the beginning of `bytes`, if it is complete.
fn header(bytes: &[u8]) -> Result<Option<Header>, Fault> {
    let [first, second, rest @ ..] = bytes else {
        return Ok(None);
    };
    if first & 0x70 != 0 {
        return Err(Fault::ReservedBit);
    }
    let opcode = Opcode::of(first & 0x0f).ok_or(Fault::UnknownOpcode)?;
    let (last, short) = (first & 0x80 != 0, second & 0x7f);
    if opcode.is_control() && (!last || usize::from(short) > MAX_CONTROL) {
        return Err(Fault::BadControl);
    }
    if second & 0x80 == 0 {
        return Err(Fault::Unmasked);
    }
    let (width, least) = match short {
        126 => (2, 126),
        127 => (8, 1 << 16),
        _ => (0, 0),
    };
    let Some((long, rest)) = rest.split_at_checked(width) else {
        return Ok(None);
    };
    let long = long.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    let length = if width == 0 { u64::from(short) } else { long };
    if length < least || length > u64::MAX / 2 {
        return Err(Fault::BadLength);
    }
    let Some(&mask) = rest.first_chunk() else {
        return Ok(None);
    };
    Ok(Some(Header {
        last,
        opcode,
        mask,
        size: 2 + width + mask.len(),
        // A length too large for `usize` is too large for any limit.
        length: usize::try_from(length).map_err(|_| Fault::TooBig)?,
    }))
}

fn control(opcode: Opcode, payload: Vec<u8>) -> Result<Event, Fault> {
    match opcode {
        Opcode::Ping => Ok(Event::Ping(payload)),
        Opcode::Pong => Ok(Event::Pong(payload)),
        _ => closing(&payload).map(Event::Close),
    }
}

/// The code in a close frame: none, or one that may be sent, with a reason in UTF-8 after it.
fn closing(payload: &[u8]) -> Result<Option<u16>, Fault> {
    let (code, reason) = match payload {
        [] => return Ok(None),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
        [_] => return Err(Fault::BadClose),
    };
    // 1004 means nothing yet; 1005, 1006 and 1015 are for use inside a program only (§7.4.1). IANA
    // has registered 1012 to 1014 since.
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Fault::BadClose);
    }
    match std::str::from_utf8(reason) {
        Ok(_) => Ok(Some(code)),
        Err(_) => Err(Fault::NotUtf8),
    }
}

/// Whether the WebSocket goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It does.
    GoOn,
    /// Both sides have closed.
    End,
}

/// The echo service: appends the answer to an event.
pub fn echo(event: &Event, out: &mut Vec<u8>) -> Next {
    match event {
        Event::Text(text) => write_frame(out, Opcode::Text, text),
        Event::Binary(bytes) => write_frame(out, Opcode::Binary, bytes),
        Event::Ping(payload) => write_frame(out, Opcode::Pong, payload),
        Event::Pong(_) => {}
        Event::Close(code) => {
            write_close(out, *code);
            return Next::End;
        }
    }
    Next::GoOn
}

/// Appends a close frame.
pub fn write_close(out: &mut Vec<u8>, code: Option<u16>) {
    let payload = code.map(u16::to_be_bytes);
    write_frame(
        out,
        Opcode::Close,
        payload.as_ref().map_or(&[], |code| code),
    );
}

/// Appends a complete message as one frame, without a mask, as a server must (§5.1).
pub fn write_frame(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    out.push(0x80 | opcode.bits());
    match payload.len() {
        short @ 0..=125 => out.push(short as u8),
        medium @ 126..=0xffff => {
            out.push(126);
            out.extend((medium as u16).to_be_bytes());
        }
        long => {
            out.push(127);
            out.extend((long as u64).to_be_bytes());
        }
    }
    out.extend(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

    /// A client's frame, masked: the first byte and the payload.
    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        write_frame(&mut frame, Opcode::Text, payload);
        let size = frame.len() - payload.len();
        frame.truncate(size);
        frame[0] = first;
        frame[1] |= 0x80;
        frame.extend(KEY);
        frame.extend(payload.iter().zip(KEY.iter().cycle()).map(|(a, b)| a ^ b));
        frame
    }

    /// All events of these bytes, which arrive in pieces of `piece` bytes.
    fn read(bytes: &[u8], piece: usize) -> Result<Vec<Event>, Fault> {
        let (mut reader, mut events) = (Reader::new(70_000), Vec::new());
        let mut waiting = Vec::new();
        for part in bytes.chunks(piece) {
            waiting.extend(part);
            loop {
                let (taken, event) = reader.next(&waiting)?;
                waiting.drain(..taken);
                events.extend(event);
                if taken == 0 {
                    break;
                }
            }
        }
        assert!(waiting.is_empty(), "a frame was left: {waiting:x?}");
        Ok(events)
    }

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        // RFC 6455 §5.7.
        let hello = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        assert_eq!(read(hello, 99), Ok(vec![Event::Text(b"Hello".to_vec())]));
        let pong = b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        assert_eq!(read(pong, 99), Ok(vec![Event::Pong(b"Hello".to_vec())]));
        assert_eq!(read(b"\x81\x05Hello", 99), Err(Fault::Unmasked));
    }

    #[test]
    fn the_examples_of_the_rfc_are_written() {
        // RFC 6455 §5.7: all but the message in fragments, which are never written here.
        for (opcode, payload, header) in [
            (Opcode::Text, &b"Hello"[..], &b"\x81\x05"[..]),
            (Opcode::Ping, b"Hello", b"\x89\x05"),
            (Opcode::Binary, &[0; 256], b"\x82\x7e\x01\x00"),
            (Opcode::Binary, &[0; 65_536], b"\x82\x7f\0\0\0\0\0\x01\0\0"),
        ] {
            let mut out = Vec::new();
            write_frame(&mut out, opcode, payload);
            assert_eq!(out, [header, payload].concat());
        }
    }

    #[test]
    fn lengths_on_both_sides_of_each_form_come_whole_and_byte_by_byte() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let frame = masked(0x82, &payload);
            for piece in [1, 7, usize::MAX] {
                let events = read(&frame, piece);
                assert_eq!(events, Ok(vec![Event::Binary(payload.clone())]), "{length}");
            }
            let mut out = Vec::new();
            write_frame(&mut out, Opcode::Binary, &payload);
            let header = if length > 65_535 {
                10
            } else {
                2 + 2 * usize::from(length > 125)
            };
            assert_eq!(out.len(), header + length);
        }
    }

    #[test]
    fn a_message_in_pieces_is_one_message_and_controls_may_stand_between() {
        let parts = [
            masked(0x01, "caf\u{e9}".as_bytes().split_at(4).0),
            masked(0x89, b"?"),
            masked(0x00, b""),
            masked(0x80, "caf\u{e9}".as_bytes().split_at(4).1),
            masked(0x82, b"next"),
        ]
        .concat();
        let wanted = vec![
            Event::Ping(b"?".to_vec()),
            Event::Text("caf\u{e9}".into()),
            Event::Binary(b"next".to_vec()),
        ];
        for piece in [1, 3, usize::MAX] {
            assert_eq!(read(&parts, piece).as_ref(), Ok(&wanted));
        }
    }

    #[test]
    fn every_fault_has_its_close_code() {
        let long = |length: u64, code: u8| {
            let bytes = length.to_be_bytes();
            let skip = if code == 126 { 6 } else { 0 };
            [&[0x82, 0x80 | code], &bytes[skip..], &KEY].concat()
        };
        for (bytes, fault, code) in [
            (b"\x82\x00".to_vec(), Fault::Unmasked, 1002),
            (masked(0xc1, b""), Fault::ReservedBit, 1002),
            (masked(0x91, b""), Fault::ReservedBit, 1002),
            (masked(0x83, b""), Fault::UnknownOpcode, 1002),
            (masked(0x8b, b""), Fault::UnknownOpcode, 1002),
            (long(125, 126), Fault::BadLength, 1002),
            (long(65_535, 127), Fault::BadLength, 1002),
            (long(1 << 63, 127), Fault::BadLength, 1002),
            (masked(0x09, b""), Fault::BadControl, 1002),
            (masked(0x89, &[0; 126]), Fault::BadControl, 1002),
            (masked(0x80, b""), Fault::NothingToContinue, 1002),
            (
                [masked(0x01, b""), masked(0x81, b"")].concat(),
                Fault::MessageInMessage,
                1002,
            ),
            (masked(0x88, b"\x03"), Fault::BadClose, 1002),
            (masked(0x88, &1005_u16.to_be_bytes()), Fault::BadClose, 1002),
            (masked(0x88, &999_u16.to_be_bytes()), Fault::BadClose, 1002),
            (masked(0x88, &5000_u16.to_be_bytes()), Fault::BadClose, 1002),
            (masked(0x88, b"\x03\xe8\xff"), Fault::NotUtf8, 1007),
            (masked(0x81, b"\xff"), Fault::NotUtf8, 1007),
            (long(70_001, 127), Fault::TooBig, 1009),
            (long(u64::MAX / 2, 127), Fault::TooBig, 1009),
            (
                [masked(0x02, &[0; 40_000]), masked(0x80, &[0; 30_001])].concat(),
                Fault::TooBig,
                1009,
            ),
        ] {
            assert_eq!(read(&bytes, usize::MAX), Err(fault), "{bytes:x?}");
            assert_eq!(fault.code(), code, "{fault}");
        }
    }

    #[test]
    fn the_echo_says_the_same_answers_pings_and_closes_with_the_code_that_came() {
        for (event, said, next) in [
            (Event::Text(b"a".to_vec()), &b"\x81\x01a"[..], Next::GoOn),
            (Event::Binary(b"b".to_vec()), b"\x82\x01b", Next::GoOn),
            (Event::Ping(b"c".to_vec()), b"\x8a\x01c", Next::GoOn),
            (Event::Pong(b"d".to_vec()), b"", Next::GoOn),
            (Event::Close(None), b"\x88\x00", Next::End),
            (Event::Close(Some(1000)), b"\x88\x02\x03\xe8", Next::End),
        ] {
            let mut out = Vec::new();
            assert_eq!(
                (echo(&event, &mut out), &out[..]),
                (next, said),
                "{event:?}"
            );
        }
    }
}
