//! Bytes from outside as part of a log line: visible, on one line, and at most [`MAX_TEXT`].

use super::entry::MAX_TEXT;
use crate::telemetry::is_invisible;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

fn cut(text: &[u8]) -> &[u8] {
    text.get(..MAX_TEXT).unwrap_or(text)
}

/// Appends `text` as plain ASCII; quotes, backslashes and all other octets become `\xHH`.
pub(super) fn visible(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = cut(text);
    let is_special = |byte: &u8| !matches!(byte, b' '..=b'~') || matches!(byte, b'"' | b'\\');
    while let Some(at) = rest.iter().position(is_special) {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((&byte, behind)) = special.split_first() else {
            return;
        };
        out.extend_from_slice(b"\\x");
        hex(u16::from(byte), 2, out);
        rest = behind;
    }
    out.extend_from_slice(rest);
}

/// Appends `text` as the inside of a JSON string (RFC 8259 §7).
pub(super) fn json(text: &[u8], out: &mut Vec<u8>) {
    for chunk in cut(text).utf8_chunks() {
        chunk
            .valid()
            .chars()
            .for_each(|letter| json_letter(letter, out));
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

fn json_letter(letter: char, out: &mut Vec<u8>) {
    if matches!(letter, '"' | '\\') {
        out.push(b'\\');
    }
    if !is_invisible(letter) {
        let mut octets = [0; 4];
        return out.extend_from_slice(letter.encode_utf8(&mut octets).as_bytes());
    }
    // A character beyond 16 bits becomes two escapes, as in UTF-16.
    for unit in letter.encode_utf16(&mut [0; 2]) {
        out.extend_from_slice(b"\\u");
        hex(*unit, 4, out);
    }
}

/// The lowest `digits` hexadecimal digits.
fn hex(number: u16, digits: u32, out: &mut Vec<u8>) {
    let nibbles = (0..digits).rev().map(|place| number >> (4 * place) & 0xf);
    out.extend(nibbles.filter_map(|nibble| HEX.get(usize::from(nibble))));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(escape: fn(&[u8], &mut Vec<u8>), text: &[u8]) -> String {
        let mut out = Vec::new();
        escape(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn all_but_plain_ascii_is_shown_in_hexadecimal() {
        let table: [(&[u8], &str); 5] = [
            (b"", ""),
            (b"plain ~", "plain ~"),
            (b"a\nb", r"a\x0Ab"),
            (b"\"\\", r"\x22\x5C"),
            (b"\x7f\xc3\xa9", r"\x7F\xC3\xA9"),
        ];
        for (text, shown) in table {
            assert_eq!(of(visible, text), shown);
        }
        assert_eq!(of(visible, &[b'a'; MAX_TEXT + 1]).len(), MAX_TEXT);
    }

    #[test]
    fn json_has_letters_of_every_script_and_escapes_the_rest() {
        let table: [(&[u8], &str); 5] = [
            ("grün 🦀".as_bytes(), "grün 🦀"),
            (b"\"\\/", r#"\"\\/"#),
            (b"\r\n\x7f", r"\u000D\u000A\u007F"),
            (b"a\xffb\xc3", "a\u{fffd}b\u{fffd}"),
            ("\u{202e}\u{e0041}".as_bytes(), r"\u202E\uDB40\uDC41"),
        ];
        for (text, shown) in table {
            assert_eq!(of(json, text), shown);
        }
    }
}
