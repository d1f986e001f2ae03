//! CRC-32C, the checksum of records and snapshots (Castagnoli's polynomial; RFC 7143 §13.1, vectors
//! in A.4).
//!
//! Eight tables take eight bytes in each step ("slicing-by-8", Kounavis and Berry, 2005): table `k`
//! has the effect of a byte on the checksum when `k` more bytes follow it.

/// The polynomial 0x1edc6f41, lowest bit first.
const POLYNOMIAL: u32 = 0x82f6_3b78;

const TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut rest = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            rest = (rest >> 1) ^ (POLYNOMIAL * (rest & 1));
            bit += 1;
        }
        tables[0][byte] = rest;
        byte += 1;
    }
    let mut table = 1;
    while table < 8 {
        byte = 0;
        while byte < 256 {
            let before = tables[table - 1][byte];
            tables[table][byte] = (before >> 8) ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        table += 1;
    }
    tables
}

/// The checksum of `before` and `bytes` together, from that of `before`: 0 if there is nothing
/// before.
pub fn crc32c(before: u32, bytes: &[u8]) -> u32 {
    let mut sum = !before;
    let mut steps = bytes.chunks_exact(8);
    for step in steps.by_ref() {
        if let &[a, b, c, d, e, f, g, h] = step {
            let [i, j, k, l] = (sum ^ u32::from_le_bytes([a, b, c, d])).to_le_bytes();
            sum = of(7, i) ^ of(6, j) ^ of(5, k) ^ of(4, l);
            sum ^= of(3, e) ^ of(2, f) ^ of(1, g) ^ of(0, h);
        }
    }
    for &byte in steps.remainder() {
        sum = (sum >> 8) ^ of(0, sum as u8 ^ byte);
    }
    !sum
}

/// Each table has an entry for every byte, so neither index can be out of bounds.
fn of(table: usize, byte: u8) -> u32 {
    TABLES[table][usize::from(byte)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_7143_a_4_come_out() {
        let up: Vec<u8> = (0..32).collect();
        let down: Vec<u8> = (0..32).rev().collect();
        // A.4 prints the checksum's bytes in the order they are sent: lowest first.
        for (bytes, sent) in [
            (vec![0; 32], [0xaa, 0x36, 0x91, 0x8a]),
            (vec![0xff; 32], [0x43, 0xab, 0xa8, 0x62]),
            (up, [0x4e, 0x79, 0xdd, 0x46]),
            (down, [0x5c, 0xdb, 0x3f, 0x11]),
        ] {
            assert_eq!(crc32c(0, &bytes).to_le_bytes(), sent);
        }
        assert_eq!(crc32c(0, b"123456789"), 0xe306_9283);
    }

    #[test]
    fn a_message_may_be_summed_in_parts_of_any_length() {
        let bytes: Vec<u8> = (0..100).map(|n: u8| n.wrapping_mul(37)).collect();
        let whole = crc32c(0, &bytes);
        for cut in 0..=bytes.len() {
            let (one, two) = bytes.split_at(cut);
            assert_eq!(crc32c(crc32c(0, one), two), whole, "{cut}");
        }
    }
}
