//! Percent-encoding (RFC 3986 §2.1): segments of paths, as the origin server's files and the
//! commands of the load balancer's status page have them. Decoding comes after the split at `/`, so
//! `%2F` is a part of its segment. Pure.

/// Encodes a text as one segment of a path: every byte but those of the unreserved characters
/// (§2.3).
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// The bytes of an encoded text; `None` if a `%` is not followed by two hexadecimal digits.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        bytes.push((digit()? * 16 + digit()?) as u8);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_to_the_same() {
        let odd = "a-Z.0_~/%\"\u{e9} ?";
        assert_eq!(encode(odd), "a-Z.0_~%2F%25%22%C3%A9%20%3F");
        assert_eq!(decode(&encode(odd)).as_deref(), Some(odd.as_bytes()));
        assert_eq!(decode("%2f%fF+").as_deref(), Some(&b"/\xff+"[..]));
    }

    #[test]
    fn a_percent_sign_without_two_digits_is_refused() {
        for text in ["%", "a%2", "%+1", "%\u{e9}1", "%zz", "%%20"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
