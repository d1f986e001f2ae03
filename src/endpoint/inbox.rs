//! The one buffer of a connection: bytes in; lines and frames out, in any order.
//!
//! Names and strings end with a line feed, frames begin with their length, and all of them follow
//! each other on one stream. So one buffer holds the received bytes, and the next reader takes a
//! line or a frame from its front. (A line reader and a frame reader with separate buffers would
//! take each other's bytes.)
//!
//! Nothing is allocated because a length claims it: see [`Incoming`].

use super::fault::Cause;
use crate::net::Incoming;

/// A buffer that grew past this, for one long item, is freed when it is empty.
const KEPT: usize = 64 << 10;
/// The bytes before a frame's content: its length, a little-endian `u32`.
pub(super) const HEADER: usize = 4;

/// Received bytes that are not taken yet.
#[derive(Debug)]
pub(super) struct Inbox {
    incoming: Incoming,
    /// How many of the waiting bytes are known to hold no line feed.
    searched: usize,
}

impl Default for Inbox {
    fn default() -> Self {
        Self {
            incoming: Incoming::new(KEPT),
            searched: 0,
        }
    }
}

impl Inbox {
    /// Room to read into, never empty.
    pub(super) fn spare(&mut self) -> &mut [u8] {
        self.incoming.spare()
    }

    /// Says how many bytes were read into [`spare`](Self::spare).
    pub(super) fn filled(&mut self, count: usize) {
        self.incoming.filled(count);
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.incoming.is_empty()
    }

    /// How many bytes wait.
    pub(super) fn len(&self) -> usize {
        self.incoming.len()
    }

    /// Takes the next line with its line feed, which must be among the first `limit` bytes; `None`
    /// while the line has not ended.
    pub(super) fn line(&mut self, limit: usize) -> Result<Option<&[u8]>, Cause> {
        let waiting = self.incoming.waiting();
        let looked_at = waiting.get(..limit).unwrap_or(waiting);
        let fresh = looked_at.get(self.searched..).unwrap_or_default();
        if let Some(at) = fresh.iter().position(|byte| *byte == b'\n') {
            return Ok(Some(self.take(self.searched + at + 1)));
        }
        if looked_at.len() == limit {
            return Err(Cause::LineTooLong { limit });
        }
        self.searched = looked_at.len();
        Ok(None)
    }

    /// Takes the content of the next frame, which may have at most `limit` bytes; `None` while it
    /// is incomplete.
    pub(super) fn frame(&mut self, limit: usize) -> Result<Option<&[u8]>, Cause> {
        let Some((header, content)) = self.incoming.waiting().split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let len = u32::from_le_bytes(*header) as usize;
        if len > limit {
            return Err(Cause::FrameTooLong { len, limit });
        }
        if content.len() < len {
            return Ok(None);
        }
        Ok(self.take(HEADER + len).get(HEADER..))
    }

    fn take(&mut self, len: usize) -> &[u8] {
        self.searched = 0;
        self.incoming.take(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(inbox: &mut Inbox, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let spare = inbox.spare();
            let count = spare.len().min(bytes.len());
            spare[..count].copy_from_slice(&bytes[..count]);
            inbox.filled(count);
            bytes = &bytes[count..];
        }
    }

    #[test]
    fn lines_and_frames_come_out_the_same_whole_or_in_pieces() {
        let stream = b"STRUCT\n\x03\0\0\0a\nbSTRING\r\n\n\0\0\0\0rest";
        for step in 1..=stream.len() {
            let mut inbox = Inbox::default();
            let mut taken: Vec<Vec<u8>> = Vec::new();
            for piece in stream.chunks(step) {
                push(&mut inbox, piece);
                // Line, frame, line, line, frame: the order in which the readers take turns.
                while let Some(item) = match taken.len() {
                    0 | 2 | 3 => inbox.line(64).unwrap(),
                    1 | 4 => inbox.frame(64).unwrap(),
                    _ => None,
                } {
                    let item = item.to_vec();
                    taken.push(item);
                }
            }
            let items = [&b"STRUCT\n"[..], b"a\nb", b"STRING\r\n", b"\n", b""];
            assert_eq!(taken, items, "step {step}");
            assert_eq!(inbox.incoming.waiting(), b"rest");
        }
    }

    #[test]
    fn a_line_of_the_limit_passes_and_one_byte_more_is_refused_before_it_ends() {
        for limit in [1, 2, 4095, 4096, 4097, 10_000] {
            let mut inbox = Inbox::default();
            let mut line = vec![b'x'; limit - 1];
            line.push(b'\n');
            push(&mut inbox, &line);
            assert_eq!(inbox.line(limit).unwrap(), Some(&line[..]));
            push(&mut inbox, &vec![b'x'; limit]);
            let refused = inbox.line(limit).unwrap_err();
            assert!(matches!(refused, Cause::LineTooLong { limit: l } if l == limit));
        }
    }

    #[test]
    fn a_frame_that_claims_a_gibibyte_is_refused_by_its_header_and_allocates_nothing() {
        let mut inbox = Inbox::default();
        push(&mut inbox, b"\0\0\0\x40");
        let refused = inbox.frame(1 << 20).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "frame of 1073741824 bytes, the limit is 1048576"
        );
        assert_eq!(inbox.incoming.size(), 4096);
    }

    #[test]
    fn the_buffer_grows_with_what_has_come_and_is_given_back() {
        let mut inbox = Inbox::default();
        let content = vec![7; 1 << 20];
        push(&mut inbox, &(content.len() as u32).to_le_bytes());
        assert_eq!(inbox.frame(1 << 20).unwrap(), None);
        assert_eq!(inbox.incoming.size(), 4096, "a claim alone costs nothing");
        push(&mut inbox, &content);
        assert!(inbox.incoming.size() <= 2 * (content.len() + HEADER));
        assert_eq!(inbox.frame(1 << 20).unwrap(), Some(&content[..]));
        assert_eq!(inbox.spare().len(), 4096);
    }
}
