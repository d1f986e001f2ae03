//! Lines of bounded length from a stream of bytes, whatever pieces it arrives in.
//!
//! One buffer lives as long as the connection: two lines in one segment are two lines, and half a
//! line waits for its other half. (A new buffered reader for each line would lose what the previous
//! one had read ahead.) A line is the bytes up to and including a line feed, or the rest before the
//! end of the stream; no encoding is assumed.
//!
//! This part is pure: bytes are pushed in, lines are taken out.
//!
//! A peer that sent one long line and then nothing would keep a large buffer occupied. The buffer
//! has no clock, so the code that reads into it decides when to [`shrink`](LineBuffer::shrink) it.
//!
//! ```text
//!  spare() -> read(2) writes here -> filled(n)
//!        |
//!   [ lines taken | whole lines | begun line | spare ]
//!     start ------^             ^            ^
//!                 whole() takes all of these at once
//! ```

/// The first size of the buffer, in bytes: what an idle connection costs.
const SMALL: usize = 1024;
/// A buffer of up to this size, in bytes, is not worth freeing.
const WORTH_KEEPING: usize = 4 * SMALL;

/// A bounded line buffer.
///
/// ```
/// use std::io::Read;
/// use groundwire::net::LineBuffer;
///
/// let mut stream: &[u8] = b"one\ntwo\nthr";
/// let (mut lines, mut taken) = (LineBuffer::new(1024), Vec::new());
/// loop {
///     while let Some(line) = lines.next_line() {
///         taken.push(line.to_vec());
///     }
///     match stream.read(lines.spare()?)? {
///         0 => break,
///         count => lines.filled(count),
///     }
/// }
/// assert_eq!(taken, [b"one\n", b"two\n"]);
/// assert_eq!(lines.rest(), b"thr"); // the last line may lack its end
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct LineBuffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Between `start` and this position there is no line feed, so a long line is not searched
    /// again for every byte that arrives.
    searched: usize,
    max_line: usize,
    /// The last read filled all the room, so more is probably waiting.
    brimful: bool,
}

/// A line is longer than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineTooLong {
    /// The limit, in bytes, the line feed included.
    pub max_line: usize,
}

impl std::fmt::Display for LineTooLong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line longer than {} bytes", self.max_line)
    }
}

impl std::error::Error for LineTooLong {}

impl From<LineTooLong> for std::io::Error {
    fn from(error: LineTooLong) -> Self {
        std::io::Error::new(std::io::ErrorKind::InvalidData, error)
    }
}

impl LineBuffer {
    /// A buffer for lines of at most `max_line` bytes (at least 1), the line feed included. It
    /// starts small and never grows past `max_line`.
    pub fn new(max_line: usize) -> Self {
        let max_line = max_line.max(1);
        Self {
            bytes: vec![0; max_line.min(SMALL)],
            start: 0,
            end: 0,
            searched: 0,
            max_line,
            brimful: false,
        }
    }

    /// Room to read into, never empty; fails when an unfinished line fills the whole limit. Lines
    /// that were not taken are kept.
    pub fn spare(&mut self) -> Result<&mut [u8], LineTooLong> {
        if self.end == self.bytes.len() {
            self.make_room()?;
        } else if self.brimful && self.is_empty() {
            // Many short lines: larger reads save system calls.
            self.grow();
        }
        self.brimful = false;
        Ok(self.bytes.get_mut(self.end..).unwrap_or_default())
    }

    /// Says how many bytes were read into [`spare`](Self::spare); more than it has count as all.
    pub fn filled(&mut self, count: usize) {
        self.end = self.end.saturating_add(count).min(self.bytes.len());
        self.brimful = self.end == self.bytes.len();
    }

    /// Takes all whole lines at once, as received; empty when there is none.
    pub fn whole(&mut self) -> &[u8] {
        let (from, new) = self.unsearched();
        // Searched from the back: a request-reply peer's bytes end in a line feed.
        let last = new.iter().rposition(|&byte| byte == b'\n');
        let len = last.map_or(0, |at| from + at + 1 - self.start);
        self.searched = self.end;
        self.take(len)
    }

    /// Takes the next whole line with its line feed.
    pub fn next_line(&mut self) -> Option<&[u8]> {
        let (from, new) = self.unsearched();
        let Some(at) = new.iter().position(|&byte| byte == b'\n') else {
            self.searched = self.end;
            return None;
        };
        Some(self.take(from + at + 1 - self.start))
    }

    /// Takes everything that is left, whole lines or not: for the end of the stream.
    pub fn rest(&mut self) -> &[u8] {
        self.take(self.end - self.start)
    }

    /// Whether nothing waits, not even an unfinished line.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Whether [`shrink`](Self::shrink) would free memory: the buffer has grown, and nothing waits
    /// in it.
    pub fn can_shrink(&self) -> bool {
        self.is_empty() && self.bytes.len() > WORTH_KEEPING
    }

    /// Frees what an empty buffer has grown by. For connections that fall silent, not for the pause
    /// between two lines: the next long line would grow it again.
    pub fn shrink(&mut self) {
        if self.can_shrink() {
            self.bytes = vec![0; self.max_line.min(SMALL)];
            self.brimful = false;
        }
    }

    /// The waiting bytes that may contain a line feed, and where they begin.
    fn unsearched(&self) -> (usize, &[u8]) {
        let from = self.searched.max(self.start);
        (from, self.bytes.get(from..self.end).unwrap_or(&[]))
    }

    fn take(&mut self, len: usize) -> &[u8] {
        let from = self.start;
        self.start += len;
        if self.start == self.end {
            // Empty: begin at the front again. The slice below is still valid.
            (self.start, self.end, self.searched) = (0, 0, 0);
        }
        self.bytes.get(from..from + len).unwrap_or(&[])
    }

    /// Moves the waiting bytes to the front, or grows up to the limit.
    fn make_room(&mut self) -> Result<(), LineTooLong> {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.searched = self.searched.saturating_sub(self.start);
            self.start = 0;
            return Ok(());
        }
        if self.bytes.len() >= self.max_line {
            return Err(LineTooLong {
                max_line: self.max_line,
            });
        }
        self.grow();
        Ok(())
    }

    /// Doubling keeps the memory below twice what the peer has really sent.
    fn grow(&mut self) {
        let size = (self.bytes.len() * 2).min(self.max_line);
        self.bytes.resize(size, 0);
    }
}

/// A line without its line feed, or carriage return and line feed.
pub fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::super::generate::Seeded;
    use super::*;

    fn push(buffer: &mut LineBuffer, mut bytes: &[u8]) -> Result<(), LineTooLong> {
        while !bytes.is_empty() {
            let spare = buffer.spare()?;
            let count = spare.len().min(bytes.len());
            spare[..count].copy_from_slice(&bytes[..count]);
            buffer.filled(count);
            bytes = &bytes[count..];
        }
        Ok(())
    }

    #[test]
    fn lines_come_out_the_same_whole_or_byte_by_byte() {
        let text = b"one\n\ntwo\xff\x00three\nrest";
        for step in 1..=text.len() {
            let mut buffer = LineBuffer::new(64);
            let mut lines: Vec<Vec<u8>> = Vec::new();
            for piece in text.chunks(step) {
                push(&mut buffer, piece).unwrap();
                while let Some(line) = buffer.next_line() {
                    lines.push(line.to_vec());
                }
            }
            assert_eq!(
                lines,
                [&b"one\n"[..], b"\n", b"two\xff\x00three\n"],
                "step {step}"
            );
            assert_eq!(buffer.rest(), b"rest");
            assert!(buffer.is_empty());
        }
    }

    #[test]
    fn all_whole_lines_are_taken_at_once_and_a_begun_one_waits() {
        let mut buffer = LineBuffer::new(64);
        push(&mut buffer, b"a\nb\nc").unwrap();
        assert_eq!(buffer.whole(), b"a\nb\n");
        assert_eq!(buffer.whole(), b"");
        push(&mut buffer, b"d\n").unwrap();
        assert_eq!(buffer.whole(), b"cd\n");
    }

    #[test]
    fn a_long_line_that_comes_byte_by_byte_is_searched_once() {
        // A search from the line's beginning for every byte would take about 10^12 comparisons.
        let mut buffer = LineBuffer::new(1 << 20);
        for _ in 1..1 << 20 {
            push(&mut buffer, b"x").unwrap();
            assert!(buffer.whole().is_empty() && buffer.next_line().is_none());
        }
        push(&mut buffer, b"\n").unwrap();
        assert_eq!(buffer.next_line().map(<[u8]>::len), Some(1 << 20));
    }

    #[test]
    fn lines_and_a_begun_one_come_out_the_same_in_whatever_order_they_are_asked_for() {
        let text = b"one\n\ntwo three\nfour\nand a longer one\n\nrest";
        let mut random = Seeded::new(1_123);
        for _ in 0..2_000 {
            let (mut buffer, mut heard, mut rest) = (LineBuffer::new(17), Vec::new(), &text[..]);
            while !rest.is_empty() {
                let room = buffer.spare().unwrap();
                let count = (1 + random.below(9)).min(rest.len()).min(room.len());
                room[..count].copy_from_slice(&rest[..count]);
                buffer.filled(count);
                rest = &rest[count..];
                match random.below(3) {
                    0 => heard.extend(buffer.whole()),
                    1 => heard.extend(buffer.next_line().unwrap_or_default()),
                    _ => {
                        while let Some(line) = buffer.next_line() {
                            assert_eq!(line.iter().filter(|&&byte| byte == b'\n').count(), 1);
                            heard.extend(line);
                        }
                    }
                }
                assert!(heard.is_empty() || heard.ends_with(b"\n"));
            }
            heard.extend(buffer.whole());
            assert_eq!(buffer.rest(), b"rest");
            heard.extend(b"rest");
            assert_eq!(heard, text);
        }
    }

    #[test]
    fn a_line_of_the_limit_passes_and_one_byte_more_is_refused() {
        for max in [1, 2, 1023, 1024, 1025, 5000] {
            let mut buffer = LineBuffer::new(max);
            let mut line = vec![b'x'; max - 1];
            line.push(b'\n');
            push(&mut buffer, &line).unwrap();
            assert_eq!(buffer.next_line(), Some(&line[..]), "limit {max}");
            push(&mut buffer, &vec![b'x'; max]).unwrap();
            assert_eq!(
                buffer.spare(),
                Err(LineTooLong { max_line: max }),
                "limit {max}"
            );
        }
    }

    #[test]
    fn reads_that_fill_the_room_make_it_larger_and_small_ones_do_not() {
        let mut buffer = LineBuffer::new(4 * SMALL);
        for expected in [SMALL, 2 * SMALL, 4 * SMALL, 4 * SMALL] {
            let room = buffer.spare().unwrap();
            assert_eq!(room.len(), expected);
            room.fill(b'\n');
            buffer.filled(expected);
            buffer.whole();
        }
        let mut quiet = LineBuffer::new(4 * SMALL);
        for _ in 0..10 {
            assert_eq!(quiet.spare().unwrap().len(), SMALL);
            push(&mut quiet, b"short\n").unwrap();
            quiet.whole();
        }
    }

    #[test]
    fn a_buffer_that_a_long_line_has_grown_shrinks_once_it_is_empty() {
        let mut buffer = LineBuffer::new(1 << 20);
        let long = [&[b'x'; 60_000][..], b"\n"].concat();
        push(&mut buffer, &long).unwrap();
        let grown = buffer.bytes.len();
        buffer.shrink();
        assert_eq!((buffer.can_shrink(), buffer.bytes.len()), (false, grown));
        assert_eq!(buffer.whole(), long);
        assert!(buffer.can_shrink());
        buffer.shrink();
        assert_eq!((buffer.can_shrink(), buffer.bytes.len()), (false, SMALL));
        push(&mut buffer, &long).unwrap();
        assert_eq!(buffer.whole(), long);
    }

    #[test]
    fn an_idle_buffer_is_small_and_a_full_one_no_larger_than_the_limit() {
        let mut buffer = LineBuffer::new(1 << 20);
        assert_eq!(buffer.bytes.len(), SMALL);
        let _ = push(&mut buffer, &vec![b'x'; 2 << 20]);
        assert_eq!(buffer.bytes.len(), 1 << 20);
    }

    #[test]
    fn a_line_end_is_a_line_feed_with_or_without_a_carriage_return() {
        let cases: [(&[u8], &[u8]); 4] = [
            (b"a\n", b"a"),
            (b"a\r\n", b"a"),
            (b"\n", b""),
            (b"a\rb\n", b"a\rb"),
        ];
        for (line, text) in cases {
            assert_eq!(without_line_end(line), text);
        }
    }
}
