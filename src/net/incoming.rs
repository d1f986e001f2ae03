//! Received bytes that are not taken yet: the buffer below every framed protocol.
//!
//! ```text
//!  spare() -> read(2) writes here -> filled(n)
//!        |
//!   [ taken | waiting | spare ]
//!     start-^         ^-end
//! ```
//!
//! A protocol looks at the waiting bytes and takes whole messages. Nothing is allocated because a
//! length field claims it: the buffer has no memory before the first read, then 4 KiB, and it
//! doubles when it is full of received bytes. A buffer that grew for a long message is freed when
//! it is empty.
//!
//! This part is pure: the code that reads into it enforces the message limit and the deadline.
//! (Lines have a buffer of their own, [`LineBuffer`](super::LineBuffer), which grows by other
//! rules.)

/// The first size of the buffer, in bytes: what an idle connection costs.
const FIRST: usize = 4096;

/// A buffer of incoming bytes.
#[derive(Debug)]
pub struct Incoming {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    kept: usize,
}

impl Incoming {
    /// A buffer whose memory is freed when it is empty and larger than `kept` bytes.
    pub fn new(kept: usize) -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            end: 0,
            kept,
        }
    }

    /// Grows to `size` bytes at once, when the caller knows that this much will arrive.
    pub fn widen(&mut self, size: usize) {
        if self.bytes.len() < size {
            self.bytes.resize(size, 0);
        }
    }

    /// Room to read into, never empty.
    pub fn spare(&mut self) -> &mut [u8] {
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
            if self.bytes.len() > self.kept {
                self.bytes = Vec::new();
            }
        }
        if self.end == self.bytes.len() {
            if self.start > 0 {
                self.bytes.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, self.end - self.start);
            } else {
                let doubled = self.bytes.len().saturating_mul(2);
                self.bytes.resize(doubled.max(FIRST), 0);
            }
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    /// Says how many bytes were read into [`spare`](Self::spare).
    pub fn filled(&mut self, count: usize) {
        self.end = self.end.saturating_add(count).min(self.bytes.len());
    }

    /// The waiting bytes.
    pub fn waiting(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// How many bytes of memory the buffer has.
    #[cfg(test)]
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Takes the first `count` waiting bytes, or all if there are fewer.
    pub fn take(&mut self, count: usize) -> &[u8] {
        let from = self.start;
        self.start = from.saturating_add(count).min(self.end);
        self.bytes.get(from..self.start).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(incoming: &mut Incoming, bytes: &[u8]) {
        for byte in bytes {
            incoming.spare()[0] = *byte;
            incoming.filled(1);
        }
    }

    #[test]
    fn what_waits_moves_to_the_front_before_the_buffer_grows() {
        let mut incoming = Incoming::new(FIRST);
        assert!(incoming.is_empty() && incoming.spare().len() == FIRST);
        put(&mut incoming, &[1; FIRST]);
        assert_eq!(incoming.take(FIRST - 1).len(), FIRST - 1);
        assert_eq!(incoming.spare().len(), FIRST - 1);
        put(&mut incoming, &[2; FIRST - 1]);
        assert_eq!(incoming.spare().len(), FIRST);
        assert_eq!((incoming.len(), incoming.waiting()[0]), (FIRST, 1));
        assert_eq!(incoming.take(1).len(), 1);
        assert_eq!(incoming.take(usize::MAX).len(), FIRST - 1);
    }

    #[test]
    fn a_large_buffer_is_given_back_when_it_is_empty() {
        let mut incoming = Incoming::new(FIRST);
        put(&mut incoming, &[1; FIRST + 1]);
        incoming.take(FIRST);
        assert_eq!(incoming.spare().len(), FIRST - 1, "a byte waits");
        incoming.take(1);
        assert_eq!(incoming.spare().len(), FIRST);
    }
}
