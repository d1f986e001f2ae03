//! Chunked bodies: bytes in, pieces of data and the trailer section out (RFC 9112 §7.1).
//!
//! ```text
//!  1a;name=value\r\n  <26 bytes>  \r\n    0\r\n  Digest: x\r\n  \r\n
//!  size extension     data                last   trailer section
//! ```
//!
//! The reader holds no bytes. It is given what has arrived and says what the first part of it is;
//! then it is given what follows:
//!
//! ```
//! use groundwire::http::{ChunkReader, Limits, Piece};
//!
//! let mut reader = ChunkReader::new(&Limits::default());
//! let (mut input, mut body) = (&b"3\r\nabc\r\n0\r\n\r\n"[..], Vec::new());
//! loop {
//!     match reader.advance(input).unwrap() {
//!         Piece::More(0) => panic!("the body is cut"),
//!         Piece::More(taken) => input = &input[taken..],
//!         Piece::Data { from, to } => {
//!             body.extend_from_slice(&input[from..to]);
//!             input = &input[to..];
//!         }
//!         Piece::End(_) => break,
//!     }
//! }
//! assert_eq!(body, b"abc");
//! ```

use super::error::Rule;
use super::field::{self, Fields, Line, Span};
use super::limits::Limits;
use super::octets::{self, VALUE};

/// How many bytes of chunk lines are accepted without data. Of each chunk line, [`FREE`] bytes do
/// not count, and one more for each byte of its data. Otherwise a body of one-byte chunks with long
/// extensions would make the reader read hundreds of bytes for each byte of data.
const OVERHEAD: u64 = 16 * 1024;
/// How many bytes of each chunk line do not count.
const FREE: u64 = 16;
/// The most digits of a size, so that it is below 2^60 and sums do not overflow.
const DIGITS: usize = 15;

/// What the bytes begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// This many bytes are done with. What the rest is, only more bytes will tell. (0: all bytes
    /// are still needed.)
    More(usize),
    /// Data, at these offsets. All bytes up to `to` are done with.
    Data {
        /// Where the data begins; before that was a chunk line.
        from: usize,
        /// Where the data ends.
        to: usize,
    },
    /// The end of the body; this many bytes are done with. [`ChunkReader::trailers`] has the
    /// trailer section.
    End(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before a chunk line.
    Line,
    /// In data, with this many bytes to come.
    Data(u64),
    /// After data, before its CRLF.
    DataEnd,
    /// In the trailer section.
    Trailers,
    Ended,
}

/// Reads one chunked body after another.
#[derive(Debug)]
pub struct ChunkReader {
    state: State,
    overhead: u64,
    chunk_line: usize,
    trailer_bytes: usize,
    fields: usize,
    spans: Vec<Span>,
}

impl ChunkReader {
    /// A reader at the beginning of a body.
    pub fn new(limits: &Limits) -> Self {
        Self {
            state: State::Line,
            overhead: 0,
            chunk_line: limits.chunk_line,
            trailer_bytes: limits.trailers,
            fields: limits.fields,
            spans: Vec::new(),
        }
    }

    /// Starts with the next body.
    pub fn reset(&mut self) {
        (self.state, self.overhead) = (State::Line, 0);
        self.spans.clear();
    }

    /// Says what `bytes` begin with. They follow the bytes that are done with.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Piece, Rule> {
        let mut at = 0;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            match self.state {
                State::Line => match chunk_line(rest, self.chunk_line)? {
                    None => return Ok(Piece::More(at)),
                    Some((size, length)) => {
                        self.count_overhead(length as u64, size)?;
                        at += length;
                        self.state = match size {
                            0 => State::Trailers,
                            size => State::Data(size),
                        };
                    }
                },
                State::Data(_) if rest.is_empty() => return Ok(Piece::More(at)),
                State::Data(left) => {
                    let taken = left.min(rest.len() as u64);
                    self.state = match left - taken {
                        0 => State::DataEnd,
                        left => State::Data(left),
                    };
                    let to = at + taken as usize;
                    return Ok(Piece::Data { from: at, to });
                }
                State::DataEnd => match rest {
                    [] | [b'\r'] => return Ok(Piece::More(at)),
                    [b'\r', b'\n', ..] => (self.state, at) = (State::Line, at + 2),
                    _ => return Err(Rule::BadChunkEnd),
                },
                State::Trailers => return self.trailer_section(bytes, at),
                State::Ended => return Ok(Piece::End(0)),
            }
        }
    }

    /// How many bytes of the present chunk have not been reported yet.
    pub fn left_of_chunk(&self) -> u64 {
        match self.state {
            State::Data(left) => left,
            _ => 0,
        }
    }

    /// Takes back the last `count` bytes of data that were reported: they are not done with, and
    /// will be given again.
    pub fn give_back(&mut self, count: u64) {
        self.state = match self.state {
            State::DataEnd if count > 0 => State::Data(count),
            State::Data(left) => State::Data(left.saturating_add(count)),
            other => other,
        };
    }

    /// The trailer section. `bytes` are those of the call that returned [`Piece::End`].
    pub fn trailers<'a>(&'a self, bytes: &'a [u8]) -> Fields<'a> {
        Fields::new(bytes, &self.spans)
    }

    fn count_overhead(&mut self, line: u64, size: u64) -> Result<(), Rule> {
        self.overhead = (self.overhead + line).saturating_sub(FREE.saturating_add(size));
        match self.overhead > OVERHEAD {
            true => Err(Rule::ChunkOverhead),
            false => Ok(()),
        }
    }

    /// The trailer section is parsed as a whole: it is short, and a part of a field means nothing.
    fn trailer_section(&mut self, bytes: &[u8], begin: usize) -> Result<Piece, Rule> {
        self.spans.clear();
        let mut at = begin;
        loop {
            let line = field::line(bytes, at, self.trailer_bytes).map_err(|rule| match rule {
                Rule::FieldTooLong => Rule::TrailersTooLong,
                other => other,
            })?;
            let next = match line {
                Line::More if bytes.len() - begin > self.trailer_bytes => {
                    return Err(Rule::TrailersTooLong);
                }
                Line::More => return Ok(Piece::More(begin)),
                Line::End(next) | Line::Field(_, next) => next,
            };
            if next - begin > self.trailer_bytes {
                return Err(Rule::TrailersTooLong);
            }
            match line {
                Line::Field(span, _) if self.spans.len() < self.fields => self.spans.push(span),
                Line::Field(..) => return Err(Rule::TooManyFields),
                _ => {
                    self.state = State::Ended;
                    return Ok(Piece::End(next));
                }
            }
            at = next;
        }
    }
}

/// `1*HEXDIG [ ";" extension ] CRLF`: the size, and the length of the line with its CRLF. White
/// space before the semicolon is refused, though RFC 9110 §5.6.3 wants it removed (BWS): recipients
/// differ there.
fn chunk_line(bytes: &[u8], limit: usize) -> Result<Option<(u64, usize)>, Rule> {
    let digits = bytes
        .iter()
        .position(|byte| !byte.is_ascii_hexdigit())
        .unwrap_or(bytes.len());
    let size = hexadecimal(bytes.get(..digits).unwrap_or_default(), limit)?;
    let rest = bytes.get(digits..).unwrap_or_default();
    let extension = match rest.first() {
        None if digits > limit => return Err(Rule::ChunkLineTooLong),
        None => return Ok(None),
        Some(_) if digits == 0 => return Err(Rule::BadChunkSize),
        Some(b';') => octets::span(rest, VALUE),
        Some(_) => 0,
    };
    let length = digits + extension;
    if length > limit {
        return Err(Rule::ChunkLineTooLong);
    }
    match rest.get(extension..).unwrap_or_default() {
        [] | [b'\r'] => Ok(None),
        [b'\r', b'\n', ..] => Ok(Some((size, length + 2))),
        [b'\r', ..] => Err(Rule::BareCarriageReturn),
        [b'\n', ..] => Err(Rule::BareLineFeed),
        _ if extension > 0 => Err(Rule::BadExtension),
        _ => Err(Rule::BadChunkSize),
    }
}

/// The number; leading zeros do not count as digits. If it is both too large and too long for the
/// line, the error is the one that shows first, so it does not depend on how the bytes arrive.
fn hexadecimal(digits: &[u8], limit: usize) -> Result<u64, Rule> {
    let zeros = digits.iter().take_while(|&&byte| byte == b'0').count();
    if digits.len() - zeros > DIGITS {
        return Err(match zeros + DIGITS < limit {
            true => Rule::BadChunkSize,
            false => Rule::ChunkLineTooLong,
        });
    }
    let digit = |byte: &u8| char::from(*byte).to_digit(16).unwrap_or(0);
    Ok(digits
        .iter()
        .fold(0, |number, byte| number << 4 | u64::from(digit(byte))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data, the trailers, and their length in bytes.
    type Body = (Vec<u8>, Vec<String>, usize);

    /// Reads the input in parts of this size.
    fn read(input: &[u8], part: usize) -> Result<Option<Body>, Rule> {
        let mut reader = ChunkReader::new(&Limits::default());
        let (mut done, mut shown, mut data) = (0, 0, Vec::new());
        loop {
            let seen = &input[done..shown];
            match reader.advance(seen)? {
                Piece::More(taken) => {
                    done += taken;
                    if shown == input.len() {
                        return Ok(None);
                    }
                    shown = (shown + part).min(input.len());
                }
                Piece::Data { from, to } => {
                    data.extend_from_slice(&seen[from..to]);
                    done += to;
                }
                Piece::End(taken) => {
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    let trailers = reader.trailers(seen).iter();
                    let trailers = trailers.map(|f| format!("{}={}", text(f.name), text(f.value)));
                    return Ok(Some((data, trailers.collect(), done + taken)));
                }
            }
        }
    }

    #[test]
    fn bodies_are_the_same_in_whatever_parts_they_come() {
        for (input, data, trailers) in [
            ("0\r\n\r\n", "", vec![]),
            ("3\r\nabc\r\n0\r\n\r\n", "abc", vec![]),
            (
                "003;a=\"b c\"\r\nabc\r\nA\r\n0123456789\r\n00\r\n\r\n",
                "abc0123456789",
                vec![],
            ),
            (
                "1\r\na\r\n0;x\r\nA: 1\r\nB:2\r\n\r\n",
                "a",
                vec!["A=1", "B=2"],
            ),
        ] {
            let wanted = (
                data.into(),
                trailers.iter().map(|t| t.to_string()).collect(),
            );
            for part in 1..=input.len() {
                let with_more = format!("{input}next");
                let (data, trailers, length) = read(with_more.as_bytes(), part).unwrap().unwrap();
                assert_eq!(
                    ((data, trailers), length),
                    (wanted.clone(), input.len()),
                    "{part}"
                );
            }
            for cut in 0..input.len() {
                assert_eq!(
                    read(&input.as_bytes()[..cut], 1),
                    Ok(None),
                    "{input:?} {cut}"
                );
            }
        }
    }

    #[test]
    fn what_another_recipient_could_read_differently_is_refused() {
        for (input, rule) in [
            ("\r\n", Rule::BadChunkSize),
            ("x\r\n", Rule::BadChunkSize),
            ("+3\r\nabc", Rule::BadChunkSize),
            ("-3\r\nabc", Rule::BadChunkSize),
            (" 3\r\nabc", Rule::BadChunkSize),
            ("3 \r\nabc", Rule::BadChunkSize),
            ("3 ;a\r\nabc", Rule::BadChunkSize),
            ("0x3\r\nabc", Rule::BadChunkSize),
            ("3,3\r\nabc", Rule::BadChunkSize),
            ("fffffffffffffffff\r\n", Rule::BadChunkSize),
            ("1000000000000000\r\n", Rule::BadChunkSize),
            ("3\nabc", Rule::BareLineFeed),
            ("3;a\nabc", Rule::BareLineFeed),
            ("3\rabc", Rule::BareCarriageReturn),
            ("3;a\0\r\nabc", Rule::BadExtension),
            ("3\r\nabcd", Rule::BadChunkEnd),
            ("3\r\nabc\n", Rule::BadChunkEnd),
            ("0\r\n A: 1\r\n\r\n", Rule::FoldedLine),
            ("0\r\nA\r\n\r\n", Rule::BadName),
            ("0\r\n\n", Rule::BareLineFeed),
        ] {
            for part in [1, 2, 100] {
                assert_eq!(read(input.as_bytes(), part), Err(rule), "{input:?} {part}");
            }
        }
    }

    #[test]
    fn limits_hold_at_the_byte() {
        let line = |length: usize| format!("1;{}\r\na\r\n0\r\n\r\n", "e".repeat(length - 2));
        assert!(read(line(256).as_bytes(), 1).unwrap().is_some());
        assert_eq!(read(line(257).as_bytes(), 1), Err(Rule::ChunkLineTooLong));
        assert_eq!(read(&[b'0'; 300], 1), Err(Rule::ChunkLineTooLong));
        let trailer = |length: usize| format!("0\r\nA:{}\r\n\r\n", "b".repeat(length - 6));
        assert!(read(trailer(8192).as_bytes(), 100).unwrap().is_some());
        for part in [1, 100, 10_000] {
            assert_eq!(
                read(trailer(8193).as_bytes(), part),
                Err(Rule::TrailersTooLong)
            );
        }
        let many = format!("0\r\n{}\r\n", "A:\r\n".repeat(101));
        assert_eq!(read(many.as_bytes(), 100), Err(Rule::TooManyFields));
    }

    #[test]
    fn more_than_there_was_can_be_given_back_without_harm() {
        let mut reader = ChunkReader::new(&Limits::default());
        assert!(reader.advance(b"2\r\n").is_ok());
        reader.give_back(u64::MAX);
        assert_eq!(reader.left_of_chunk(), u64::MAX);
    }

    #[test]
    fn tiny_chunks_pass_and_tiny_chunks_with_long_extensions_do_not() {
        let body = |chunk: &str| format!("{}0\r\n\r\n", chunk.repeat(1000));
        assert!(read(body("1\r\na\r\n").as_bytes(), 999).unwrap().is_some());
        let long = format!("1;{}\r\na\r\n", "e".repeat(200));
        assert_eq!(read(body(&long).as_bytes(), 999), Err(Rule::ChunkOverhead));
    }
}
