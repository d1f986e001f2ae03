//! The flags of `message-server`, and those of `message-client` that make a record.

use std::collections::BTreeMap;

use super::{EndpointConfig, Record};
use crate::cli::{Args, Opt, UsageError};
use crate::server::flags::limit;
use crate::wire;

/// `--max-line SIZE`
pub const MAX_LINE: Opt = Opt::value("max-line", "SIZE", "refuse a longer string").default("64KiB");
/// `--max-frame SIZE`
pub const MAX_FRAME: Opt =
    Opt::value("max-frame", "SIZE", "refuse a longer struct").default("1MiB");
/// `--idle-timeout TIME`
pub const IDLE_TIMEOUT: Opt = Opt::value(
    "idle-timeout",
    "TIME",
    "end a connection whose next command takes longer; 0: never",
)
.default("5m");
/// `--item-timeout TIME`
pub const ITEM_TIMEOUT: Opt = Opt::value(
    "item-timeout",
    "TIME",
    "end one whose name, line or frame takes longer; 0: never",
)
.default("30s");
/// `--write-timeout TIME`
pub const WRITE_TIMEOUT: Opt = Opt::value(
    "write-timeout",
    "TIME",
    "end a connection that does not read its replies; 0: never",
)
.default("10s");

/// `-n N`
pub const NUMBER: Opt = Opt::value("number", "N", "the struct's number n").short('n');
/// `-s TEXT`
pub const STRING: Opt = Opt::value("string", "TEXT", "its string s").short('s');
/// `-m KEY=N`
pub const MAP: Opt = Opt::value("map", "KEY=N", "an entry of its map m")
    .short('m')
    .many();
/// `-p HEX`
pub const PAYLOAD: Opt = Opt::value("payload", "HEX", "its bytes p, such as 00ff").short('p');

/// The configuration from the flags.
pub fn config(args: &Args) -> Result<EndpointConfig, UsageError> {
    Ok(EndpointConfig {
        max_line: args.size("max-line")?,
        frame: wire::Limits {
            message: args.size("max-frame")?,
            ..wire::Limits::default()
        },
        idle_timeout: limit(args, "idle-timeout")?,
        item_timeout: limit(args, "item-timeout")?,
        write_timeout: limit(args, "write-timeout")?,
    })
}

/// Whether one of the flags that make a record was given.
pub fn makes_a_record(args: &Args) -> bool {
    [NUMBER, STRING, MAP, PAYLOAD]
        .iter()
        .any(|flag| args.given(flag.long))
}

/// [`Record::example`] with what the flags change.
pub fn record(args: &Args) -> Result<Record, UsageError> {
    let mut record = Record::example();
    if let Some(number) = args.parse_opt("number")? {
        record.n = number;
    }
    if let Some(text) = args.value("string") {
        record.s = text.to_string();
    }
    if args.given("map") {
        record.m = entries(args.values("map"))?;
    }
    if let Some(hex) = args.value("payload") {
        let bytes = bytes(hex);
        record.p = bytes.ok_or_else(|| {
            UsageError::bad_value("--payload", hex, "expected two hex digits a byte, as 00ff")
        })?;
    }
    Ok(record)
}

fn entries<'a>(given: impl Iterator<Item = &'a str>) -> Result<BTreeMap<String, i64>, UsageError> {
    let mut entries = BTreeMap::new();
    for entry in given {
        let wrong = |why: &str| UsageError::bad_value("--map", entry, why);
        let (key, value) = entry
            .rsplit_once('=')
            .ok_or_else(|| wrong("expected KEY=N"))?;
        let value = value
            .parse()
            .map_err(|_| wrong("N is not a whole number of 64 bits"))?;
        if entries.insert(key.to_string(), value).is_some() {
            return Err(wrong("the key was given before"));
        }
    }
    Ok(entries)
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let pair = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
        _ => None,
    };
    hex.as_bytes().chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_pairs_of_hex_digits() {
        assert_eq!(bytes("00fF7a"), Some(vec![0, 255, 0x7a]));
        assert_eq!(bytes(""), Some(vec![]));
        for wrong in ["0", "000", "0g", "+1", "é"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_entry_is_a_key_and_a_number_and_a_key_comes_once() {
        let read = |given: &[&str]| entries(given.iter().copied());
        let map = read(&["a=1", "b=c=-2", "=3"]).unwrap();
        let expected = [("a", 1), ("b=c", -2), ("", 3)].map(|(k, v)| (k.to_string(), v));
        assert_eq!(map, expected.into());
        for wrong in [
            &["a"][..],
            &["a="],
            &["a=x"],
            &["a=9223372036854775808"],
            &["a=1", "a=2"],
        ] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
