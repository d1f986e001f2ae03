//! Bytes in rows of sixteen: offset, hexadecimal, and the text they would be. Pure.
//!
//! ```text
//! 0000  47 45 54 20 2f 20 48 54 54 50 2f 31 2e 31 0d 0a   GET / HTTP/1.1..
//! ```

/// Bytes in a row.
const ROW: usize = 16;
const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Adds rows for `bytes`, whose first byte has this offset; each row begins with `prefix` and ends
/// with a line feed. The offset has at least four digits.
pub fn hexdump(out: &mut String, prefix: &str, offset: u64, bytes: &[u8]) {
    for (index, row) in bytes.chunks(ROW).enumerate() {
        let at = offset.wrapping_add((index * ROW) as u64);
        out.push_str(prefix);
        let width = if at > 0xffff { 8 } else { 4 };
        for digit in (0..width).rev() {
            push_digit(out, (at >> (digit * 4)) as u8);
        }
        out.push_str("  ");
        for byte in row {
            push_digit(out, byte >> 4);
            push_digit(out, *byte);
            out.push(' ');
        }
        out.extend(std::iter::repeat_n("   ", ROW - row.len()));
        out.push_str("  ");
        out.extend(row.iter().map(|byte| match byte {
            b' '..=b'~' => char::from(*byte),
            _ => '.',
        }));
        out.push('\n');
    }
}

/// Adds the lower four bits as a digit.
fn push_digit(out: &mut String, value: u8) {
    out.push(
        DIGITS
            .get(usize::from(value & 0xf))
            .map_or('0', |digit| char::from(*digit)),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_offset_is_followed_by_the_first() {
        let mut out = String::new();
        hexdump(&mut out, "", u64::MAX - 15, &[0; 17]);
        let rows: Vec<&str> = out.lines().filter_map(|row| row.get(..9)).collect();
        assert_eq!(rows, ["fffffff0 ", "0000  00 "]);
    }

    #[test]
    fn a_short_row_is_filled_so_that_texts_stand_below_each_other() {
        let mut out = String::new();
        hexdump(&mut out, "> ", 0x1fff0, b"GET / HTTP/1.1\r\nHost");
        assert_eq!(
            out,
            "> 0001fff0  47 45 54 20 2f 20 48 54 54 50 2f 31 2e 31 0d 0a   GET / HTTP/1.1..\n\
             > 00020000  48 6f 73 74                                       Host\n"
        );
    }

    #[test]
    fn no_bytes_are_no_row() {
        let mut out = String::new();
        hexdump(&mut out, "", 0, b"");
        assert_eq!(out, "");
    }
}
