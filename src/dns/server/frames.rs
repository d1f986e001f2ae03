//! Messages of a TCP stream: each after its length in two octets (RFC 1035 §4.2.2).
//!
//! A client may send many messages without waiting for replies (RFC 7766 §6.2.1.1), so one read
//! brings a part of one, or dozens. The buffer grows with the octets received, never by an
//! announced length: two octets that announce 65,535 cost nothing.

use crate::net::Incoming;

/// The room that an idle connection keeps, in octets: some sixty usual queries.
const SMALL: usize = 4 * 1024;

/// Room for the octets received from a stream and not yet taken.
pub(super) fn incoming() -> Incoming {
    Incoming::new(SMALL)
}

/// Takes the next message, if it is complete.
pub(super) fn next_message(incoming: &mut Incoming) -> Option<&[u8]> {
    let (length, rest) = incoming.waiting().split_first_chunk::<2>()?;
    let length = usize::from(u16::from_be_bytes(*length));
    if rest.len() < length {
        return None;
    }
    incoming.take(2 + length).get(2..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(frames: &mut Incoming, mut octets: &[u8]) -> Vec<Vec<u8>> {
        let mut taken = Vec::new();
        while !octets.is_empty() {
            let spare = frames.spare();
            let count = spare.len().min(octets.len());
            assert!(count > 0);
            spare[..count].copy_from_slice(&octets[..count]);
            frames.filled(count);
            octets = &octets[count..];
            while let Some(message) = next_message(frames) {
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
            let mut frames = incoming();
            let taken: Vec<_> = stream
                .chunks(size)
                .flat_map(|chunk| push(&mut frames, chunk))
                .collect();
            assert!(taken == messages, "in pieces of {size}");
        }
    }

    #[test]
    fn a_length_alone_costs_no_memory_and_a_long_message_is_not_kept() {
        let mut frames = incoming();
        assert!(push(&mut frames, &[0xff, 0xff]).is_empty());
        assert_eq!(frames.spare().len(), SMALL - 2);
        assert_eq!(push(&mut frames, &[7; 65_535]).len(), 1);
        assert_eq!(frames.spare().len(), SMALL);
    }
}
