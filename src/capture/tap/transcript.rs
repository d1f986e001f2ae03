//! What passes, for people: text, lines or bytes, with time, connection and an arrow. Pure.
//!
//! ```text
//! 0.000000 #0 opened 127.0.0.1:40000 -> 127.0.0.1:7000
//! 0.000103 #0 -> hello
//! 0.000187 #0 <- hello
//! 0.000912 #0 -> end
//! ```
//!
//! The arrow to the right is the direction to the target. A line of the peer's never begins one of
//! ours: characters that control a terminal are escaped, and texts of several lines are indented.

use std::fmt::{Display, Write as _};
use std::str::FromStr;
use std::time::Duration;

use super::conversation::other;
use super::fault::BadFault;
use crate::capture::flow::Direction;
use crate::cli::hexdump;
use crate::net::without_line_end;
use crate::telemetry::push_visible;

/// A line longer than this, in bytes, is shown in parts.
const LONGEST_LINE: usize = 4096;

/// The form in which traffic is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Show {
    /// One of our lines for each of theirs, once it is complete or the other side sends.
    #[default]
    Lines,
    /// Each chunk as it passes: its length and its text.
    Text,
    /// Each chunk in hexadecimal, with its offset in the stream.
    Hex,
    /// The packets that a capture would have, decoded.
    Packets,
    /// Nothing.
    None,
}

impl FromStr for Show {
    type Err = BadFault;

    fn from_str(text: &str) -> Result<Self, BadFault> {
        match text {
            "lines" => Ok(Show::Lines),
            "text" => Ok(Show::Text),
            "hex" => Ok(Show::Hex),
            "packets" => Ok(Show::Packets),
            "none" => Ok(Show::None),
            _ => Err(BadFault("must be text, hex, lines, packets or none")),
        }
    }
}

/// One connection's transcript. Times count from the start of the program.
#[derive(Clone, Debug)]
pub struct Transcript {
    show: Show,
    number: u64,
    forward: Way,
    back: Way,
}

/// One direction.
#[derive(Clone, Debug, Default)]
struct Way {
    /// Bytes so far.
    passed: u64,
    /// The beginning of a line that is not complete.
    line: Vec<u8>,
}

impl Transcript {
    /// The transcript of connection `number`.
    pub fn new(show: Show, number: u64) -> Self {
        Self {
            show,
            number,
            forward: Way::default(),
            back: Way::default(),
        }
    }

    /// A connection, or the first datagram of a client.
    pub fn opened(&self, time: Duration, client: &str, target: &str, out: &mut String) {
        self.note(time, format_args!("opened {client} -> {target}"), out);
    }

    /// Bytes of a stream, or a datagram.
    pub fn passed(&mut self, time: Duration, way: Direction, bytes: &[u8], out: &mut String) {
        match self.show {
            Show::None | Show::Packets => {}
            Show::Lines => self.lines(time, way, bytes, out),
            Show::Text => {
                self.count(time, way, bytes, out);
                push_text(out, bytes);
            }
            Show::Hex => {
                self.count(time, way, bytes, out);
                hexdump(out, "  ", self.way(way).passed, bytes);
            }
        }
        self.way(way).passed += bytes.len() as u64;
    }

    /// A datagram: it ends its last line, and it has no offset in a stream.
    pub fn datagram(&mut self, time: Duration, way: Direction, bytes: &[u8], out: &mut String) {
        self.way(way).passed = 0;
        self.passed(time, way, bytes, out);
        self.finish_line(time, way, out);
    }

    /// The end of a direction.
    pub fn ended(&mut self, time: Duration, way: Direction, out: &mut String) {
        self.finish_line(time, way, out);
        self.note(time, format_args!("{} end", arrow(way)), out);
    }

    /// The sender of this direction reset the connection.
    pub fn reset(&mut self, time: Duration, way: Direction, out: &mut String) {
        self.over(time, way, "reset", out);
    }

    /// The relay closed both sides, because of this direction.
    pub fn cut(&mut self, time: Duration, way: Direction, out: &mut String) {
        self.over(time, way, "cut", out);
    }

    fn over(&mut self, time: Duration, way: Direction, how: &str, out: &mut String) {
        self.finish_line(time, other(way), out);
        self.finish_line(time, way, out);
        self.note(time, format_args!("{} {how}", arrow(way)), out);
    }

    /// Anything else about the connection.
    pub fn note(&self, time: Duration, what: impl Display, out: &mut String) {
        if matches!(self.show, Show::None | Show::Packets) {
            return;
        }
        let (seconds, micros) = (time.as_secs(), time.subsec_micros());
        // Writing to a String cannot fail.
        let _ = write!(out, "{seconds}.{micros:06} #{} ", self.number);
        push_visible(out, &what.to_string());
        out.push('\n');
    }

    fn count(&self, time: Duration, way: Direction, bytes: &[u8], out: &mut String) {
        let (arrow, count) = (arrow(way), bytes.len());
        let plural = if count == 1 { "" } else { "s" };
        self.note(time, format_args!("{arrow} {count} byte{plural}"), out);
    }

    fn lines(&mut self, time: Duration, way: Direction, bytes: &[u8], out: &mut String) {
        self.finish_line(time, other(way), out);
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            for part in part.chunks(LONGEST_LINE) {
                let line = &mut self.way(way).line;
                line.extend_from_slice(part);
                if part.ends_with(b"\n") || line.len() >= LONGEST_LINE {
                    self.finish_line(time, way, out);
                }
            }
        }
    }

    /// Shows an incomplete line as far as it goes.
    fn finish_line(&mut self, time: Duration, way: Direction, out: &mut String) {
        let mut line = std::mem::take(&mut self.way(way).line);
        if line.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(without_line_end(&line));
        self.note(time, format_args!("{} {text}", arrow(way)), out);
        line.clear();
        self.way(way).line = line; // to reuse its memory
    }

    fn way(&mut self, way: Direction) -> &mut Way {
        match way {
            Direction::Forward => &mut self.forward,
            Direction::Back => &mut self.back,
        }
    }
}

fn arrow(way: Direction) -> &'static str {
    match way {
        Direction::Forward => "->",
        Direction::Back => "<-",
    }
}

/// Adds the lines of a text, indented.
fn push_text(out: &mut String, bytes: &[u8]) {
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        out.push_str("  ");
        push_visible(out, &String::from_utf8_lossy(without_line_end(line)));
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{Back, Forward};

    const NOW: Duration = Duration::from_micros(1_000_103);

    fn shown(show: Show, tell: impl FnOnce(&mut Transcript, &mut String)) -> String {
        let (mut transcript, mut out) = (Transcript::new(show, 7), String::new());
        tell(&mut transcript, &mut out);
        out
    }

    #[test]
    fn a_line_is_shown_when_it_is_whole_or_the_other_side_speaks_or_it_ends() {
        let out = shown(Show::Lines, |transcript, out| {
            transcript.passed(NOW, Forward, b"one\r\ntw", out);
            transcript.passed(NOW, Forward, b"o\nlogin: ", out);
            transcript.passed(NOW, Back, b"me", out);
            transcript.ended(NOW, Back, out);
        });
        let expected = "1.000103 #7 -> one\n1.000103 #7 -> two\n1.000103 #7 -> login: \n\
                        1.000103 #7 <- me\n1.000103 #7 <- end\n";
        assert_eq!(out, expected);
    }

    #[test]
    fn a_line_without_an_end_is_shown_in_parts() {
        let out = shown(Show::Lines, |transcript, out| {
            for _ in 0..3 {
                transcript.passed(NOW, Forward, &[b'x'; 3000], out);
            }
        });
        assert_eq!(out.lines().count(), 1, "one part of 6000 bytes, 3000 wait");
        assert!(out.len() < 2 * LONGEST_LINE);
    }

    #[test]
    fn text_is_indented_and_cannot_steer_a_terminal_or_forge_a_line_of_ours() {
        let bytes = b"a\r\n0.0 #7 <- forged\r\n\x1b[31m\xff";
        let out = shown(Show::Text, |transcript, out| {
            transcript.passed(NOW, Back, bytes, out);
        });
        let expected = "1.000103 #7 <- 27 bytes\n  a\n  0.0 #7 <- forged\n  \\u{1b}[31m\u{fffd}\n";
        assert_eq!(out, expected);
    }

    #[test]
    fn hexadecimal_counts_from_the_beginning_of_the_stream_and_of_a_datagram() {
        let out = shown(Show::Hex, |transcript, out| {
            transcript.passed(NOW, Forward, b"abc", out);
            transcript.passed(NOW, Forward, b"d", out);
            transcript.datagram(NOW, Forward, b"e", out);
        });
        let offsets: Vec<&str> = out
            .lines()
            .filter_map(|line| line.strip_prefix("  "))
            .collect();
        assert!(offsets[0].starts_with("0000  61 62 63 "), "{out}");
        assert!(offsets[1].starts_with("0003  64 "), "{out}");
        assert!(offsets[2].starts_with("0000  65 "), "{out}");
        assert!(out.starts_with("1.000103 #7 -> 3 bytes\n"), "{out}");
        assert!(out.contains(" -> 1 byte\n"), "{out}");
    }

    #[test]
    fn nothing_is_shown_of_a_silent_one() {
        for show in [Show::None, Show::Packets] {
            let out = shown(show, |transcript, out| {
                transcript.opened(NOW, "a", "b", out);
                transcript.passed(NOW, Forward, b"x\n", out);
                transcript.reset(NOW, Back, out);
            });
            assert_eq!(out, "");
        }
    }
}
