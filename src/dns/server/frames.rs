//! Messages of a TCP stream: each stands behind its length in two octets (RFC 1035 §4.2.2).
//!
//! A client may send many without waiting (RFC 7766 §6.2.1.1), so one read brings a part of one,
//! or dozens. The buffer grows with what has come, never by what a length promises: two octets that
//! say "65,535 follow" cost nothing.

/// Room that a connection keeps while it waits, in octets: some sixty usual queries.
const SMALL: usize = 4 * 1024;
/// The most it grows to: the longest message and its length.
const LARGE: usize = 2 + crate::dns::MAX_MESSAGE;

/// What has come of a stream and was not taken.
#[derive(Debug)]
pub struct Frames {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            buffer: vec![0; SMALL],
            start: 0,
            end: 0,
        }
    }
}

impl Frames {
    /// Room for the next read; never none, if all whole messages were taken before.
    pub fn spare(&mut self) -> &mut [u8] {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == 0 && self.buffer.len() > SMALL {
            self.buffer = vec![0; SMALL]; // a long message was there: nobody knows when the next is
        }
        if self.end == self.buffer.len() {
            let room = (2 * self.end).min(LARGE);
            self.buffer.resize(room, 0);
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// Says that a read has put `count` octets there.
    pub fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.buffer.len());
    }

    /// Whether nothing is there, not even a part of a message.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Takes the next message, if it is whole.
    pub fn next_message(&mut self) -> Option<&[u8]> {
        let waiting = self.buffer.get(self.start..self.end)?;
        let (length, rest) = waiting.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length));
        let message = rest.get(..length)?;
        self.start += 2 + length;
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(frames: &mut Frames, mut octets: &[u8]) -> Vec<Vec<u8>> {
        let mut taken = Vec::new();
        while !octets.is_empty() {
            let spare = frames.spare();
            let count = spare.len().min(octets.len());
            assert!(count > 0);
            spare[..count].copy_from_slice(&octets[..count]);
            frames.filled(count);
            octets = &octets[count..];
            while let Some(message) = frames.next_message() {
                taken.push(message.to_vec());
            }
        }
        taken
    }

    #[test]
    fn messages_come_out_the_same_however_the_stream_is_cut() {
        let messages = [
            vec![1; 20],
            vec![],
            vec![2; 65_535],
            vec![3; 5_000],
            vec![4],
        ];
        let mut stream = Vec::new();
        for message in &messages {
            stream.extend_from_slice(&(message.len() as u16).to_be_bytes());
            stream.extend_from_slice(message);
        }
        for size in [1, 2, 3, 1_000, stream.len()] {
            let mut frames = Frames::default();
            let taken: Vec<_> = stream
                .chunks(size)
                .flat_map(|chunk| push(&mut frames, chunk))
                .collect();
            assert!(taken == messages, "in pieces of {size}");
        }
    }

    #[test]
    fn a_length_alone_costs_no_memory_and_a_long_message_is_not_kept() {
        let mut frames = Frames::default();
        assert!(push(&mut frames, &[0xff, 0xff]).is_empty());
        assert_eq!(frames.spare().len(), SMALL - 2);
        assert_eq!(push(&mut frames, &[7; 65_535]).len(), 1);
        assert_eq!(frames.spare().len(), SMALL);
    }
}
