//! Writing messages: start lines, field lines and chunks, into a buffer that is reused.
//!
//! The values are not checked: they come from a parsed message or from this program. Text of users
//! must pass [`is_value`] first.

use super::framing::Version;
use super::octets::{self, VALUE};

/// Appends `METHOD TARGET HTTP/1.1`.
pub fn request_line(out: &mut Vec<u8>, method: &str, target: &str) {
    put(
        out,
        &[method.as_bytes(), b" ", target.as_bytes(), b" HTTP/1.1\r\n"],
    );
}

/// Appends `VERSION CODE REASON`.
pub fn status_line(out: &mut Vec<u8>, version: Version, status: u16, reason: &[u8]) {
    let code = [
        b'0' + (status / 100 % 10) as u8,
        b'0' + (status / 10 % 10) as u8,
        b'0' + (status % 10) as u8,
    ];
    put(
        out,
        &[
            version.text().as_bytes(),
            b" ",
            &code,
            b" ",
            reason,
            b"\r\n",
        ],
    );
}

/// Appends a field line.
pub fn field(out: &mut Vec<u8>, name: impl AsRef<[u8]>, value: &[u8]) {
    put(out, &[name.as_ref(), b": ", value, b"\r\n"]);
}

/// Appends a field line with a number.
pub fn number_field(out: &mut Vec<u8>, name: &str, value: u64) {
    put(out, &[name.as_bytes(), b": "]);
    number(out, value);
    end(out);
}

/// Appends a number in decimal digits.
pub fn number(out: &mut Vec<u8>, value: u64) {
    digits::<10>(out, value);
}

/// Appends CRLF: the empty line that ends a section, or the end of a chunk.
pub fn end(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
}

/// Appends the line before a chunk of `size` bytes. (0 is the last chunk.)
pub fn chunk_line(out: &mut Vec<u8>, size: usize) {
    digits::<16>(out, size as u64);
    end(out);
}

/// Whether this text is allowed as a field value.
pub fn is_value(text: &[u8]) -> bool {
    octets::span(text, VALUE) == text.len()
}

/// The reason phrase of a status code (RFC 9110 §15, RFC 6585), for the codes that this crate
/// sends. 418 is RFC 2324's joke; RFC 9110 §15.5.19 keeps it unused.
pub fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        418 => "I'm a teapot",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

/// Appends a number without leading zeros.
fn digits<const BASE: u64>(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    for place in digits.iter_mut().rev() {
        let digit = (value % BASE) as usize;
        *place = b"0123456789abcdef".get(digit).copied().unwrap_or(b'0');
        value /= BASE;
        at -= 1;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}

fn put(out: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_reads_as_the_standard_writes_it() {
        let mut out = Vec::new();
        request_line(&mut out, "GET", "/a?b");
        field(&mut out, "Host", b"c");
        number_field(&mut out, "Content-Length", 0);
        end(&mut out);
        status_line(&mut out, Version::Http11, 204, b"No Content");
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "GET /a?b HTTP/1.1\r\nHost: c\r\nContent-Length: 0\r\n\r\nHTTP/1.1 204 No Content\r\n"
        );
    }

    #[test]
    fn numbers_and_chunk_lines_have_no_leading_zeros() {
        for value in [0, 9, 10, 4095, 4096, u64::MAX] {
            let (mut decimal, mut hexadecimal) = (Vec::new(), Vec::new());
            number(&mut decimal, value);
            chunk_line(&mut hexadecimal, value as usize);
            assert_eq!(String::from_utf8(decimal).unwrap(), value.to_string());
            assert_eq!(
                String::from_utf8(hexadecimal).unwrap(),
                format!("{value:x}\r\n")
            );
        }
    }
}
