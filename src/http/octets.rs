//! Which bytes may appear where: one table, one bit for each class.
//!
//! | class | bytes | source |
//! |---|---|---|
//! | [`TOKEN`] | letters, digits, ``!#$%&'*+-.^_`\|~`` | RFC 9110 §5.6.2 |
//! | [`VALUE`] | visible ASCII, space, tab, 0x80 to 0xff | RFC 9110 §5.5 |
//! | [`TARGET`] | visible ASCII but `"` `#` `<` `>` `\` | RFC 3986 §2, and what browsers send unencoded |
//! | [`NAME`] | letters, digits, `-` `.` `_` | RFC 3986 §3.2.2, without what no host name has |

/// A byte of a method, a field name, a list element.
pub const TOKEN: u8 = 1;
/// A byte of a field value or a reason phrase.
pub const VALUE: u8 = 2;
/// A byte of a request target. Browsers leave `[]{}|^` and the back quote in queries unencoded, and
/// no recipient takes them for the end of anything. A backslash is refused: some servers read it as
/// a slash, so a route for `/a/` would not cover `/a\b`.
pub const TARGET: u8 = 4;
/// A byte of a host name. RFC 3986 also allows `%` and punctuation, whose meaning differs from
/// server to server.
pub const NAME: u8 = 8;

static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_') {
            table[byte] |= TOKEN | NAME;
        }
        let marks = matches!(
            b,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'^' | b'`' | b'|' | b'~'
        );
        if marks {
            table[byte] |= TOKEN;
        }
        if b == b'\t' || b == b' ' || b.is_ascii_graphic() || b >= 0x80 {
            table[byte] |= VALUE;
        }
        if b.is_ascii_graphic() && !matches!(b, b'"' | b'#' | b'<' | b'>' | b'\\') {
            table[byte] |= TARGET;
        }
        byte += 1;
    }
    table
}

/// Whether a byte belongs to a class.
#[inline]
pub fn is(byte: u8, class: u8) -> bool {
    CLASSES[byte as usize] & class != 0
}

/// How many bytes at the beginning of `bytes` belong to a class.
#[inline]
pub fn span(bytes: &[u8], class: u8) -> usize {
    bytes
        .iter()
        .position(|&byte| !is(byte, class))
        .unwrap_or(bytes.len())
}

/// Whether this is a token: one byte or more.
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && span(bytes, TOKEN) == bytes.len()
}

/// Without the optional white space (OWS, RFC 9110 §5.6.3) at both ends.
pub fn trim(bytes: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let from = bytes.iter().position(|b| !blank(b)).unwrap_or(bytes.len());
    let to = bytes
        .iter()
        .rposition(|b| !blank(b))
        .map_or(from, |i| i + 1);
    bytes.get(from..to).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classes_hold_what_the_grammar_says() {
        let of = |class| (0..=255).filter(move |&b| is(b, class)).count();
        assert_eq!((of(TOKEN), of(NAME)), (77, 65));
        assert_eq!((of(VALUE), of(TARGET)), (2 + 94 + 128, 94 - 5));
        for separator in b"()<>@,;:\\\"/[]?={} \t" {
            assert!(!is(*separator, TOKEN), "{separator:?}");
        }
        assert!(!is(0x7f, VALUE) && !is(0, VALUE) && !is(b'\r', VALUE) && !is(b'\n', VALUE));
        assert!(!is(b' ', TARGET) && !is(0x80, TARGET));
    }

    #[test]
    fn white_space_goes_from_both_ends_only() {
        for (raw, trimmed) in [("", ""), (" \t ", ""), ("\ta b ", "a b"), ("a", "a")] {
            assert_eq!(trim(raw.as_bytes()), trimmed.as_bytes());
        }
    }
}
