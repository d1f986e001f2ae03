//! SHA-1 (RFC 3174), written out. Pure.
//!
//! For the WebSocket handshake only (RFC 6455 §4.2.2), where it proves that a server understood the
//! request and protects nothing. Since 2017, pairs of texts with the same SHA-1 digest are known,
//! so nothing that must be protected may depend on it.

/// The words of the initial state (RFC 3174 §6.1).
const START: [u32; 5] = [
    0x6745_2301,
    0xefcd_ab89,
    0x98ba_dcfe,
    0x1032_5476,
    0xc3d2_e1f0,
];

/// Bytes in a block.
const BLOCK: usize = 64;

/// The SHA-1 digest of `input`.
pub fn sha1(input: &[u8]) -> [u8; 20] {
    let mut state = START;
    let blocks = input.chunks_exact(BLOCK);
    let rest = blocks.remainder();
    for block in blocks {
        compress(&mut state, block);
    }
    // Padding (§4): a one bit, zeros, the length in bits, to the end of a block.
    let mut last = rest.to_vec();
    last.push(0x80);
    let zeros = (2 * BLOCK - 8 - last.len()) % BLOCK;
    last.resize(last.len() + zeros, 0);
    last.extend((input.len() as u64).wrapping_mul(8).to_be_bytes());
    for block in last.chunks_exact(BLOCK) {
        compress(&mut state, block);
    }
    let mut digest = [0; 20];
    let bytes = state.iter().flat_map(|word| word.to_be_bytes());
    for (place, byte) in digest.iter_mut().zip(bytes) {
        *place = byte;
    }
    digest
}

/// Mixes one block into the state (§6.1).
fn compress(state: &mut [u32; 5], block: &[u8]) {
    // 16 words of the schedule at a time: w[t] needs only the 16 words before it (§6.2).
    let mut schedule = [0_u32; 16];
    for (word, bytes) in schedule.iter_mut().zip(block.chunks_exact(4)) {
        *word = bytes
            .iter()
            .fold(0, |word, byte| word << 8 | u32::from(*byte));
    }
    let [mut a, mut b, mut c, mut d, mut e] = *state;
    for t in 0..80 {
        let word = schedule[t % 16];
        let (mixed, constant) = match t {
            0..=19 => ((b & c) | (!b & d), 0x5a82_7999),
            20..=39 => (b ^ c ^ d, 0x6ed9_eba1),
            40..=59 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
            _ => (b ^ c ^ d, 0xca62_c1d6_u32),
        };
        let next = a
            .rotate_left(5)
            .wrapping_add(mixed)
            .wrapping_add(e)
            .wrapping_add(word)
            .wrapping_add(constant);
        (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
        let later = schedule[(t + 13) % 16] ^ schedule[(t + 8) % 16] ^ schedule[(t + 2) % 16];
        schedule[t % 16] = (later ^ word).rotate_left(1);
    }
    for (word, add) in state.iter_mut().zip([a, b, c, d, e]) {
        *word = word.wrapping_add(add);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn digests_are_those_of_the_rfc() {
        // RFC 3174 §7.3; each input is repeated this many times.
        for (input, times, digest) in [
            ("abc", 1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                1,
                "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
            ),
            ("a", 1_000_000, "34aa973cd4c4daa4f61eeb2bdbad27316534016f"),
            (
                "0123456701234567012345670123456701234567012345670123456701234567",
                10,
                "dea356a2cddd90c7a7ecedc5ebb563934f460452",
            ),
        ] {
            assert_eq!(
                hex(&sha1(input.repeat(times).as_bytes())),
                digest,
                "{input}"
            );
        }
    }

    #[test]
    fn lengths_around_the_end_of_a_block_are_padded_right() {
        // Python's hashlib, for this many letters x.
        for (length, digest) in [
            (0, "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            (55, "cef734ba81a024479e09eb5a75b6ddae62e6abf1"),
            (56, "901305367c259952f4e7af8323f480d59f81335b"),
            (63, "0ddc4e0cccd9a12850deb5abb0853a4425559fec"),
            (64, "bb2fa3ee7afb9f54c6dfb5d021f14b1ffe40c163"),
            (65, "78c741ddc482e4cdf8c474a0876347a0905b6233"),
        ] {
            assert_eq!(hex(&sha1(&vec![b'x'; length])), digest, "{length}");
        }
    }
}
