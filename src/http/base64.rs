//! Base64 (RFC 4648 §4), with its padding. Pure.
//!
//! It is strict: [`decode`] takes only what [`encode`] writes, so each value has one text. Line
//! breaks, the URL alphabet (`-` and `_`), missing padding, and non-zero bits after the end (§3.5)
//! are refused.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The text of some bytes: four characters for every three, the last group filled with `=`.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let mut octets = group.iter().map(|byte| u32::from(*byte));
        let mut next = || octets.next().unwrap_or(0);
        let bits = next() << 16 | next() << 8 | next();
        for place in 0..4 {
            let sextet = (bits >> (18 - 6 * place)) as usize % 64;
            // One byte gives two characters, two give three.
            let character = if place <= group.len() {
                ALPHABET[sextet]
            } else {
                b'='
            };
            text.push(char::from(character));
        }
    }
    text
}

/// The bytes of a text; `None` for a text that [`encode`] would not write.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() % 4 != 0 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let mut groups = text.chunks_exact(4).peekable();
    while let Some(group) = groups.next() {
        let padding = group.iter().rev().take_while(|&&c| c == b'=').count();
        if padding > 2 || padding > 0 && groups.peek().is_some() {
            return None;
        }
        let mut bits = 0;
        for &character in group.iter().take(4 - padding) {
            bits = bits << 6 | value(character)?;
        }
        bits <<= 6 * padding;
        let unused = (1_u32 << (8 * padding)) - 1;
        if bits & unused != 0 {
            return None;
        }
        bytes.extend(bits.to_be_bytes().iter().skip(1).take(3 - padding));
    }
    Some(bytes)
}

/// The six bits of a character.
fn value(character: u8) -> Option<u32> {
    let value = match character {
        b'A'..=b'Z' => character - b'A',
        b'a'..=b'z' => character - b'a' + 26,
        b'0'..=b'9' => character - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_the_rfc_both_ways() {
        // RFC 4648 §10.
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text.as_bytes()).unwrap(), bytes.as_bytes());
        }
    }

    #[test]
    fn every_byte_comes_back_at_every_place() {
        let all: Vec<u8> = (0..=255).collect();
        for from in 0..4 {
            let bytes = &all[from..];
            assert_eq!(decode(encode(bytes).as_bytes()).unwrap(), bytes);
        }
    }

    #[test]
    fn what_is_never_written_is_refused() {
        for (text, why) in [
            ("Zg", "no padding"),
            ("Zg=", "half of it"),
            ("Z===", "six bits are no byte"),
            ("====", "padding of nothing"),
            ("Zg==Zg==", "padding in the middle"),
            ("Z=g=", "padding inside"),
            ("Zh==", "bits behind the end"),
            ("Zm9=", "bits behind the end"),
            ("Zm9v\n", "a line break"),
            ("Zm-_", "the URL alphabet"),
            ("Zm9 ", "a space"),
        ] {
            assert_eq!(decode(text.as_bytes()), None, "{text:?}: {why}");
        }
    }
}
