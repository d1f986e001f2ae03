//! Errors in plain words.
//!
//! std writes its errors for programmers: `Connection refused (os error 111)`,
//! `invalid digit found in string`. What a person needs is the sentence without
//! the number, and what was wrong with *this* value.

use std::any::{Any, TypeId};
use std::error::Error;
use std::fmt::Display;
use std::io;
use std::num::{IntErrorKind, ParseFloatError, ParseIntError};
use std::str::{FromStr, ParseBoolError};

/// The error in lower case and without ` (os error N)`: `connection refused`.
///
/// Capitals that belong to the word stay: `RPC version wrong`.
pub fn plain_words(error: &io::Error) -> String {
    let text = error.to_string();
    let tail = error
        .raw_os_error()
        .map_or(String::new(), |code| format!(" (os error {code})"));
    let text = text.strip_suffix(tail.as_str()).unwrap_or(&text);
    let mut letters = text.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if second.is_lowercase() => {
            first.to_lowercase().chain(text.chars().skip(1)).collect()
        }
        _ => text.to_string(),
    }
}

/// The text with control characters escaped: a name from a user or a peer cannot end the line or
/// control the terminal.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::new();
    for letter in text.chars() {
        if letter.is_control() {
            line.extend(letter.escape_default());
        } else {
            line.push(letter);
        }
    }
    line
}

/// The error and its sources as one sentence, `outer: inner: innermost`.
///
/// Many errors name their source in their own text; such a source is not repeated. I/O errors,
/// anywhere in the chain, are shown in [`plain_words`].
pub fn explain(error: &(dyn Error + 'static)) -> String {
    let mut text = own_words(error);
    let mut next = error.source();
    while let Some(cause) = next {
        let (raw, plain) = (cause.to_string(), own_words(cause));
        if text.contains(&raw) {
            text = text.replace(&raw, &plain);
        } else if !text.contains(&plain) {
            text = format!("{text}: {plain}");
        }
        next = cause.source();
    }
    text
}

fn own_words(error: &(dyn Error + 'static)) -> String {
    error
        .downcast_ref::<io::Error>()
        .map_or_else(|| error.to_string(), plain_words)
}

/// Why `text` is not a `T`.
pub(super) fn why_not<T>(text: &str, error: &T::Err) -> String
where
    T: FromStr<Err: Display> + 'static,
{
    let any: &dyn Any = error;
    if let Some(error) = any.downcast_ref::<ParseIntError>() {
        return why_not_whole::<T>(text, error);
    }
    if any.is::<ParseFloatError>() {
        return "not a number".to_string();
    }
    if any.is::<ParseBoolError>() {
        return "neither true nor false".to_string();
    }
    error.to_string()
}

fn why_not_whole<T: 'static>(text: &str, error: &ParseIntError) -> String {
    let negative = text.strip_prefix('-').is_some_and(|rest| {
        // std calls the sign of an unsigned number an invalid digit.
        !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit())
    });
    match (error.kind(), largest::<T>()) {
        (IntErrorKind::InvalidDigit, _) if negative => "must not be negative".to_string(),
        (IntErrorKind::PosOverflow, Some(most)) => format!("too large, at most {most}"),
        (IntErrorKind::PosOverflow, None) => "too large".to_string(),
        (IntErrorKind::NegOverflow, _) => "too small".to_string(),
        (IntErrorKind::Zero, _) => "must not be zero".to_string(),
        _ => "not a whole number".to_string(),
    }
}

/// The bound of the unsigned types that options use: ports, counts, sizes.
fn largest<T: 'static>() -> Option<u64> {
    let known = [
        (TypeId::of::<u8>(), u64::from(u8::MAX)),
        (TypeId::of::<u16>(), u64::from(u16::MAX)),
        (TypeId::of::<u32>(), u64::from(u32::MAX)),
        (TypeId::of::<u64>(), u64::MAX),
    ];
    known
        .iter()
        .find(|(id, _)| *id == TypeId::of::<T>())
        .map(|(_, most)| *most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt;
    use std::io::ErrorKind;
    use std::num::NonZero;

    #[test]
    fn an_io_error_loses_its_capital_and_its_number() {
        // These texts are the C library's; ours must not depend on more than their form.
        #[cfg(target_env = "gnu")]
        for (code, words) in [
            (2, "no such file or directory"),
            (5, "input/output error"),
            (13, "permission denied"),
            (28, "no space left on device"),
            (98, "address already in use"),
            (111, "connection refused"),
        ] {
            assert_eq!(plain_words(&io::Error::from_raw_os_error(code)), words);
        }
        let table = [
            (
                io::Error::from(ErrorKind::UnexpectedEof),
                "unexpected end of file",
            ),
            (io::Error::other("Bad thing"), "bad thing"),
            (io::Error::other("RPC version wrong"), "RPC version wrong"),
            (io::Error::other("a (os error 5)"), "a (os error 5)"),
            (io::Error::other("Élan"), "élan"),
            (io::Error::other(""), ""),
            (io::Error::other("X"), "X"),
        ];
        for (error, words) in table {
            assert_eq!(plain_words(&error), words);
        }
    }

    /// An error with a text and a source.
    #[derive(Debug)]
    struct Layer(String, Box<dyn Error>);

    impl fmt::Display for Layer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(&self.0)
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&*self.1)
        }
    }

    #[test]
    fn a_source_is_said_once() {
        let refused = || io::Error::other("Refused");
        let table = [
            ("dialing", "dialing: refused"),
            ("dialing: Refused", "dialing: refused"),
            ("dialing: refused", "dialing: refused"),
        ];
        for (text, expected) in table {
            let error = Layer(text.to_string(), Box::new(refused()));
            assert_eq!(explain(&error), expected);
            let outer = Layer("joining".to_string(), Box::new(error));
            assert_eq!(explain(&outer), format!("joining: {expected}"));
        }
        assert_eq!(explain(&refused()), "refused");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_number_goes_even_from_the_middle_of_a_text() {
        let source = io::Error::from_raw_os_error(111);
        let error = Layer(format!("dialing: {source}, twice"), Box::new(source));
        assert_eq!(explain(&error), "dialing: connection refused, twice");
    }

    #[test]
    fn a_number_that_does_not_parse_is_told_in_its_users_terms() {
        fn why<T>(text: &str) -> String
        where
            T: FromStr<Err: Display> + 'static,
        {
            text.parse::<T>()
                .err()
                .map_or(String::new(), |error| why_not::<T>(text, &error))
        }
        let table = [
            (why::<u16>("x"), "not a whole number"),
            (why::<u16>(""), "not a whole number"),
            (why::<u16>("-"), "not a whole number"),
            (why::<u16>("-x"), "not a whole number"),
            (why::<u16>("-1"), "must not be negative"),
            (why::<u8>("256"), "too large, at most 255"),
            (why::<u32>("4294967296"), "too large, at most 4294967295"),
            (why::<i8>("128"), "too large"),
            (why::<i8>("-129"), "too small"),
            (why::<NonZero<u16>>("0"), "must not be zero"),
            (why::<f64>("x"), "not a number"),
            (why::<bool>("yes"), "neither true nor false"),
            (
                why::<std::net::SocketAddr>("x"),
                "invalid socket address syntax",
            ),
        ];
        for (found, expected) in table {
            assert_eq!(found, expected);
        }
    }
}
