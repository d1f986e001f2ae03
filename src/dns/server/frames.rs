//! Messages of a TCP stream: each after its length in two octets (RFC 1035 §4.2.2).
//!
//! A client may send many messages without waiting for replies (RFC 7766 §6.2.1.1), so one read
//! brings a part of one, or dozens. The buffer grows with the octets received, never by an
//! announced length: two octets that announce 65,535 cost nothing.

use crate::net::Incoming;

/// The room that an idle connection keeps, in octets: some sixty usual queries.
const SMALL: usize = 4 * 1024;

/// The octets received from a stream and not yet taken.
#[derive(Debug)]
pub struct Frames {
    incoming: Incoming,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            incoming: Incoming::new(SMALL),
        }
    }
}

impl Frames {
    /// Room for the next read; never empty.
    pub fn spare(&mut self) -> &mut [u8] {
        self.incoming.spare()
    }

    /// Records that a read has put `count` octets there.
    pub fn filled(&mut self, count: usize) {
        self.incoming.filled(count);
    }

    /// Whether there are no octets, not even a part of a message.
    pub fn is_empty(&self) -> bool {
        self.incoming.is_empty()
    }

    /// Takes the next message, if it is complete.
    pub fn next_message(&mut self) -> Option<&[u8]> {
        let (length, rest) = self.incoming.waiting().split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length));
        if rest.len() < length {
            return None;
        }
        self.incoming.take(2 + length).get(2..)
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
