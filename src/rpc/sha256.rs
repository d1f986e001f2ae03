//! SHA-256 (FIPS 180-4) and HMAC-SHA-256 (RFC 2104), written out. Pure.
//!
//! For short inputs: the proofs of `auth`. The time taken depends on the length of the input, not
//! on its bytes: there is no branch and no table look-up that depends on secret data.

/// The first 32 bits of the fractional parts of the square roots of the first eight primes
/// (FIPS 180-4 §5.3.3).
const START: [u32; 8] = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

/// The first 32 bits of the fractional parts of the cube roots of the first 64 primes (§4.2.2).
#[rustfmt::skip]
const ROUND: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

/// Bytes in a block.
const BLOCK: usize = 64;

/// The SHA-256 digest of `input`.
pub fn sha256(input: &[u8]) -> [u8; 32] {
    let mut state = START;
    let blocks = input.chunks_exact(BLOCK);
    let rest = blocks.remainder();
    for block in blocks {
        compress(&mut state, block);
    }
    // Padding (§5.1.1): a one bit, zeros, the length in bits, to the end of a block.
    let mut last = [0; 2 * BLOCK];
    for (place, byte) in last.iter_mut().zip(rest.iter().chain(&[0x80])) {
        *place = *byte;
    }
    let end = if rest.len() < BLOCK - 8 {
        BLOCK
    } else {
        2 * BLOCK
    };
    let bits = (input.len() as u64).wrapping_mul(8).to_be_bytes();
    for (place, byte) in last.iter_mut().skip(end - 8).zip(bits) {
        *place = byte;
    }
    for block in last.chunks_exact(BLOCK).take(end / BLOCK) {
        compress(&mut state, block);
    }
    let mut digest = [0; 32];
    for (place, byte) in digest
        .iter_mut()
        .zip(state.iter().flat_map(|word| word.to_be_bytes()))
    {
        *place = byte;
    }
    digest
}

/// Mixes one block into the state (§6.2.2).
fn compress(state: &mut [u32; 8], block: &[u8]) {
    // The message schedule, 16 words at a time: w[t] needs only the 16 words before it.
    let mut schedule = [0_u32; 16];
    for (word, bytes) in schedule.iter_mut().zip(block.chunks_exact(4)) {
        *word = bytes
            .iter()
            .fold(0, |word, byte| word << 8 | u32::from(*byte));
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for (t, constant) in ROUND.iter().enumerate() {
        let word = schedule[t % 16];
        let big1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let choose = (e & f) ^ (!e & g);
        let first = h
            .wrapping_add(big1)
            .wrapping_add(choose)
            .wrapping_add(*constant)
            .wrapping_add(word);
        let big0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let majority = (a & b) ^ (a & c) ^ (b & c);
        let second = big0.wrapping_add(majority);
        (h, g, f, e) = (g, f, e, d.wrapping_add(first));
        (d, c, b, a) = (c, b, a, first.wrapping_add(second));

        let near = schedule[(t + 1) % 16];
        let far = schedule[(t + 14) % 16];
        let small0 = near.rotate_right(7) ^ near.rotate_right(18) ^ (near >> 3);
        let small1 = far.rotate_right(17) ^ far.rotate_right(19) ^ (far >> 10);
        schedule[t % 16] = word
            .wrapping_add(small0)
            .wrapping_add(schedule[(t + 9) % 16])
            .wrapping_add(small1);
    }
    for (word, add) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *word = word.wrapping_add(add);
    }
}

/// The HMAC-SHA-256 of the concatenated parts, with `key`.
pub fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut padded = [0; BLOCK];
    let hashed;
    let key = if key.len() > BLOCK {
        hashed = sha256(key);
        &hashed[..]
    } else {
        key
    };
    for (place, byte) in padded.iter_mut().zip(key) {
        *place = *byte;
    }
    let keyed = |pad: u8| padded.map(|byte| byte ^ pad).to_vec();
    let mut inner = keyed(0x36);
    for part in parts {
        inner.extend_from_slice(part);
    }
    let mut outer = keyed(0x5c);
    outer.extend_from_slice(&sha256(&inner));
    sha256(&outer)
}

/// Whether two proofs are equal. The time taken does not depend on where they differ.
pub fn equal(a: &[u8; 32], b: &[u8; 32]) -> bool {
    let difference = a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b));
    // Keeps the compiler from ending the loop at the first difference.
    std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(digest: [u8; 32]) -> String {
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// No input, and TEST1, TEST2_1 and TEST3 of RFC 6234 §8.5. The second has 56 bytes: its length
    /// no longer fits into its block.
    #[test]
    fn digests_are_those_of_the_standard() {
        let table: [(&[u8], &str); 4] = [
            (
                b"",
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ),
            (
                b"abc",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
            (
                b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            ),
            (
                &[b'a'; 1_000_000],
                "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
            ),
        ];
        for (input, digest) in table {
            assert_eq!(hex(sha256(input)), digest, "{} bytes", input.len());
        }
    }

    /// RFC 4231, test cases 1, 2, 3, 6 and 7.
    #[test]
    fn hmacs_are_those_of_rfc_4231() {
        let long = b"Test Using Larger Than Block-Size Key - Hash Key First";
        let longer = b"This is a test using a larger than block-size key and a larger than \
                       block-size data. The key needs to be hashed before being used by the HMAC algorithm.";
        let table: [(&[u8], &[u8], &str); 5] = [
            (
                &[0x0b; 20],
                b"Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 20],
                &[0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            ),
            (
                &[0xaa; 131],
                long,
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (
                &[0xaa; 131],
                longer,
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            ),
        ];
        for (key, data, mac) in table {
            assert_eq!(hex(hmac_sha256(key, &[data])), mac);
            let (first, second) = data.split_at(data.len() / 2);
            assert_eq!(hex(hmac_sha256(key, &[first, second])), mac, "in parts");
        }
    }

    #[test]
    fn equal_is_equality() {
        let one = sha256(b"one");
        assert!(equal(&one, &one));
        for at in 0..32 {
            let mut other = one;
            other[at] ^= 1;
            assert!(!equal(&one, &other), "byte {at}");
        }
    }
}
