//! The Internet checksum: the one's complement of the one's complement sum of all 16-bit words
//! (RFC 1071).
//!
//! A message carries its own checksum, computed with zero in the field's place. The sum over a
//! message that arrived whole is then all ones, and [`checksum`] of it is 0, so checking is the same
//! call as computing.
//!
//! One's complement addition carries out of the top bit back into the lowest one. It does not
//! matter when, so the carries are collected in the upper half of a wider sum and added at the end.

/// The checksum of the bytes; an odd last byte counts as the upper half of a word.
pub fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u64 = 0;
    for word in bytes.chunks(2) {
        let low = word.get(1).copied().unwrap_or(0);
        sum += u64::from(u16::from_be_bytes([word[0], low]));
    }
    !fold(sum)
}

/// Adds the carries until none is left.
pub(crate) fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::super::super::generate::Seeded;
    use super::*;

    /// RFC 1071 §1 word for word: add with the end-around carry at once, then complement.
    fn naive(bytes: &[u8]) -> u16 {
        let mut sum: u16 = 0;
        let mut bytes = bytes.to_vec();
        if bytes.len() % 2 == 1 {
            bytes.push(0);
        }
        for at in (0..bytes.len()).step_by(2) {
            let word = u16::from(bytes[at]) * 256 + u16::from(bytes[at + 1]);
            let (added, carry) = sum.overflowing_add(word);
            sum = added + u16::from(carry);
        }
        !sum
    }

    #[test]
    fn the_example_of_rfc_1071_comes_out() {
        // §3: the sum of these four words is ddf2.
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(checksum(&bytes), !0xddf2);
        assert_eq!(checksum(&[]), 0xffff);
        assert_eq!(checksum(&[0xab]), !0xab00);
    }

    #[test]
    fn random_bytes_have_the_checksum_of_the_naive_way() {
        let mut random = Seeded::new(1_071);
        for _ in 0..2_000 {
            let len = random.below(200);
            let full = random.below(8) == 0; // all ones: the most carries
            let byte = |_| if full { 0xff } else { random.next() as u8 };
            let bytes: Vec<u8> = (0..len).map(byte).collect();
            assert_eq!(checksum(&bytes), naive(&bytes), "{bytes:02x?}");
        }
    }

    #[test]
    fn a_message_with_its_checksum_in_place_sums_to_zero_and_a_changed_bit_shows() {
        let mut random = Seeded::new(792);
        for _ in 0..500 {
            let mut bytes: Vec<u8> = (0..8 + random.below(60))
                .map(|_| random.next() as u8)
                .collect();
            bytes[2..4].fill(0);
            let sum = checksum(&bytes);
            bytes[2..4].copy_from_slice(&sum.to_be_bytes());
            assert_eq!(checksum(&bytes), 0);
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
            assert_ne!(checksum(&bytes), 0);
        }
    }

    #[test]
    fn the_longest_packet_of_all_ones_does_not_overflow() {
        assert_eq!(checksum(&vec![0xff; 65_535]), naive(&vec![0xff; 65_535]));
    }
}
