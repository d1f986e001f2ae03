//! SVCB and HTTPS: how to reach a service, with its parameters (RFC 9460).
//!
//! Parameters are in strictly increasing order of their keys. A value that its key does not allow
//! makes the whole record malformed (§2.2), in octets as in text, and so does a parameter without
//! another that it needs (§2.4.3). The parameters of an alias are ignored if they are malformed
//! (§2.4.2).

use std::fmt::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr};

use super::MAX_RDATA;
use crate::dns::error::{DecodeError, Fault, TextError};
use crate::dns::name::Name;
use crate::dns::reader::Reader;
use crate::dns::text::{Fields, Token, field, unescaped, write_quoted};
use crate::dns::writer::{Full, Writer};

/// How to reach a service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Svcb {
    /// 0: an alias for `target` (AliasMode); otherwise lower is tried first (ServiceMode).
    pub priority: u16,
    /// The host; `.` means the owner itself in ServiceMode, and "no service" in AliasMode.
    pub target: Name,
    parameters: Vec<Parameter>,
}

/// A parameter (RFC 9460 §7, §14.3.2): its key gives the meaning of the value's octets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Parameter {
    key: u16,
    value: Box<[u8]>,
}

const MANDATORY: u16 = 0;
const ALPN: u16 = 1;
const NO_DEFAULT_ALPN: u16 = 2;
const PORT: u16 = 3;
const IPV4HINT: u16 = 4;
const ECH: u16 = 5;
const IPV6HINT: u16 = 6;
const OHTTP: u16 = 8;
/// The keys with names, by number (RFC 9460 §14.3.2, RFC 9461 §5, RFC 9540 §4).
const KEYS: [&str; 9] = [
    "mandatory",
    "alpn",
    "no-default-alpn",
    "port",
    "ipv4hint",
    "ech",
    "ipv6hint",
    "dohpath",
    "ohttp",
];

impl Svcb {
    /// The parameters, in the order of their keys.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (priority, target) = (r.u16()?, r.name_in_full()?);
        let parameters = match read_parameters(r) {
            // An alias should have none, and a reader ignores them (§2.4.2).
            Err(_) if priority == 0 => {
                r.rest();
                Vec::new()
            }
            read => read?,
        };
        Ok(Self {
            priority,
            target,
            parameters,
        })
    }

    pub(super) fn encode(&self, w: &mut Writer) -> Result<(), Full> {
        w.u16(self.priority)?;
        w.name_in_full(&self.target)?;
        for parameter in &self.parameters {
            w.u16(parameter.key)?;
            w.with_length(|w| w.bytes(&parameter.value))?;
        }
        Ok(())
    }

    pub(super) fn parse(f: &mut Fields<'_>) -> Result<Self, TextError> {
        let (priority, target) = (f.number("priority")?, f.name("target")?);
        let mut parameters: Vec<Parameter> = Vec::new();
        while f.left() > 0 {
            parameters.push(Parameter::parse(f.token("parameter")?)?);
        }
        parameters.sort_by_key(|parameter| parameter.key);
        let wrong = |key, why: &str| TextError::Field("parameter", key_name(key), why.into());
        let twice = |pair: &&[Parameter]| pair[0].key == pair[1].key;
        if let Some(pair) = parameters.windows(2).find(twice) {
            return Err(wrong(pair[0].key, "stands twice"));
        }
        match inconsistent(&parameters) {
            Some(key) => Err(wrong(key, "names or needs a parameter that is not there")),
            None => Ok(Self {
                priority,
                target,
                parameters,
            }),
        }
    }
}

fn read_parameters(r: &mut Reader<'_>) -> Result<Vec<Parameter>, DecodeError> {
    let mut parameters: Vec<Parameter> = Vec::new();
    while r.left() > 0 {
        let at = r.clone();
        let key = r.u16()?;
        let length = r.u16()?;
        let value = r.bytes(length.into())?;
        let in_order = parameters.last().is_none_or(|last| last.key < key);
        let value = value.into();
        let parameter = Parameter { key, value };
        if !in_order || !parameter.is_well_formed() {
            return Err(at.fail(Fault::ServiceParameter(key)));
        }
        parameters.push(parameter);
    }
    match inconsistent(&parameters) {
        Some(key) => Err(r.fail(Fault::ServiceParameter(key))),
        None => Ok(parameters),
    }
}

/// The key of the first parameter that needs another which is missing: a key listed in `mandatory`
/// (§8), or `alpn` for `no-default-alpn` (§7.1.1). The parameters are in the order of their keys.
fn inconsistent(parameters: &[Parameter]) -> Option<u16> {
    let has = |key| parameters.binary_search_by_key(&key, |p| p.key).is_ok();
    let wrong = |parameter: &&Parameter| match parameter.key {
        MANDATORY => parameter.numbers().any(|key| !has(key)),
        NO_DEFAULT_ALPN => !has(ALPN),
        _ => false,
    };
    parameters.iter().find(wrong).map(|parameter| parameter.key)
}

impl Parameter {
    /// The key's number.
    pub fn key(&self) -> u16 {
        self.key
    }

    /// The value's octets.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// The value as numbers of 16 bits: `mandatory`, `port`.
    fn numbers(&self) -> impl Iterator<Item = u16> + '_ {
        self.groups().map(u16::from_be_bytes)
    }

    /// The value in groups of a fixed size.
    fn groups<const N: usize>(&self) -> impl Iterator<Item = [u8; N]> + '_ {
        let groups = self.value.chunks_exact(N);
        groups.filter_map(|group| group.first_chunk().copied())
    }

    /// The value as strings with a length octet each: `alpn`. `None` if they do not fill it
    /// exactly.
    fn strings(&self) -> Option<Vec<&[u8]>> {
        let mut strings = Vec::new();
        let mut rest = &self.value[..];
        while let Some((length, after)) = rest.split_first() {
            strings.push(after.get(..usize::from(*length))?);
            rest = &after[usize::from(*length)..];
        }
        Some(strings)
    }

    /// Whether the key allows this value.
    fn is_well_formed(&self) -> bool {
        let length = self.value.len();
        match self.key {
            MANDATORY => {
                let keys: Vec<u16> = self.numbers().collect();
                let increasing = keys.windows(2).all(|pair| pair[0] < pair[1]);
                length > 0 && length % 2 == 0 && increasing && !keys.contains(&MANDATORY)
            }
            ALPN => self
                .strings()
                .is_some_and(|ids| !ids.is_empty() && ids.iter().all(|id| !id.is_empty())),
            NO_DEFAULT_ALPN | OHTTP => length == 0,
            PORT => length == 2,
            IPV4HINT => length > 0 && length % 4 == 0,
            IPV6HINT => length > 0 && length % 16 == 0,
            ECH => length > 0,
            // The last key is reserved as invalid (§14.3.2).
            u16::MAX => false,
            _ => true,
        }
    }

    /// Reads `key=value`, `key="value"` or `key`. The value of `keyNNNNN` is its octets themselves,
    /// even if the key has a name (§2.1).
    fn parse(token: &Token) -> Result<Self, TextError> {
        let wrong = |why: &str| field("parameter", token, why);
        let (name, text) = match token.text.split_once('=') {
            Some((name, text)) => (name, Some(text)),
            None => (&token.text[..], None),
        };
        let key = parse_key(name).ok_or_else(|| wrong("unknown key"))?;
        let text = text.unwrap_or_default();
        // So that other readers can do without escapes there (§7.2, §7.3, §8).
        let plain = ["mandatory", "port", "ipv4hint", "ipv6hint"];
        if plain.contains(&name) && text.contains('\\') {
            return Err(wrong("escape where none is allowed"));
        }
        let inner = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
        let octets = unescaped(inner.unwrap_or(text)).ok_or_else(|| wrong("bad escape"))?;
        let value = match KEYS.contains(&name) {
            true => parse_value(key, &octets).ok_or_else(|| wrong("malformed value"))?,
            false => octets,
        };
        let value = value.into();
        let parameter = Self { key, value };
        if !parameter.is_well_formed() || parameter.value.len() > MAX_RDATA {
            return Err(wrong("malformed value"));
        }
        Ok(parameter)
    }
}

fn parse_key(name: &str) -> Option<u16> {
    if let Some(number) = KEYS.iter().position(|known| *known == name) {
        return u16::try_from(number).ok();
    }
    let digits = name.strip_prefix("key")?;
    let canonical = digits == "0" || !digits.starts_with(['0', '+']);
    digits.parse().ok().filter(|_| canonical)
}

fn key_name(key: u16) -> String {
    match KEYS.get(usize::from(key)) {
        Some(name) => (*name).to_string(),
        None => format!("key{key}"),
    }
}

/// The octets of a value from its text, whose escapes have been read.
fn parse_value(key: u16, text: &[u8]) -> Option<Vec<u8>> {
    let words = || {
        let text = std::str::from_utf8(text).ok()?;
        Some(text.split(',').collect::<Vec<_>>())
    };
    let mut value = Vec::new();
    match key {
        MANDATORY => {
            let mut keys = words()?
                .into_iter()
                .map(parse_key)
                .collect::<Option<Vec<u16>>>()?;
            keys.sort_unstable();
            value.extend(keys.iter().flat_map(|key| key.to_be_bytes()));
        }
        ALPN => {
            for id in split_list(text) {
                value.push(u8::try_from(id.len()).ok()?);
                value.extend(id);
            }
        }
        PORT => {
            let port = std::str::from_utf8(text).ok()?;
            let port = port
                .parse::<u16>()
                .ok()
                .filter(|_| !port.starts_with('+'))?;
            value.extend(port.to_be_bytes());
        }
        IPV4HINT => {
            for address in words()? {
                value.extend(address.parse::<Ipv4Addr>().ok()?.octets());
            }
        }
        IPV6HINT => {
            for address in words()? {
                value.extend(address.parse::<Ipv6Addr>().ok()?.octets());
            }
        }
        ECH => value = from_base64(text)?,
        _ => value.extend(text),
    }
    Some(value)
}

/// Splits a list at its commas; `\,` and `\\` stand for a comma and a backslash (RFC 9460 appendix
/// A.1).
fn split_list(text: &[u8]) -> Vec<Vec<u8>> {
    let mut items = vec![Vec::new()];
    let mut octets = text.iter();
    while let Some(octet) = octets.next() {
        let octet = match octet {
            b',' => {
                items.push(Vec::new());
                continue;
            }
            b'\\' => octets.next().unwrap_or(octet),
            other => other,
        };
        if let Some(item) = items.last_mut() {
            item.push(*octet);
        }
    }
    items
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Reads base 64 with its padding (RFC 4648 §4).
fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    if text.len() % 4 != 0 {
        return None;
    }
    let padding = text.iter().rev().take_while(|l| **l == b'=').count();
    let digits = text.get(..text.len() - padding.min(2))?;
    let mut bits = 0u32;
    for (number, letter) in digits.iter().enumerate() {
        let digit = BASE64.iter().position(|known| known == letter)?;
        bits = bits << 6 | digit as u32; // below 64
        if number % 4 > 0 {
            let shift = 6 - 2 * (number % 4);
            octets.push((bits >> shift) as u8);
        }
    }
    // The bits that belong to no octet must be zero, so that a value has only one text.
    let unused = [0, 0, 4, 2][digits.len() % 4];
    (padding <= 2 && bits & ((1 << unused) - 1) == 0).then_some(octets)
}

fn to_base64(octets: &[u8]) -> String {
    let mut text = String::new();
    for group in octets.chunks(3) {
        let at = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            let letter = BASE64[(bits >> (18 - 6 * digit) & 63) as usize];
            let padded = digit > group.len();
            text.push(if padded { '=' } else { char::from(letter) });
        }
    }
    text
}

impl fmt::Display for Svcb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.priority, self.target)?;
        self.parameters
            .iter()
            .try_for_each(|parameter| write!(f, " {parameter}"))
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&key_name(self.key))?;
        let list = |f: &mut fmt::Formatter<'_>, items: &[String]| write!(f, "={}", items.join(","));
        match self.key {
            MANDATORY => list(f, &self.numbers().map(key_name).collect::<Vec<_>>()),
            PORT => list(
                f,
                &self.numbers().map(|n| n.to_string()).collect::<Vec<_>>(),
            ),
            ALPN => {
                let mut text = Vec::new();
                for (number, id) in self.strings().unwrap_or_default().iter().enumerate() {
                    if number > 0 {
                        text.push(b',');
                    }
                    for octet in *id {
                        if matches!(octet, b',' | b'\\') {
                            text.push(b'\\');
                        }
                        text.push(*octet);
                    }
                }
                write_value(f, &text)
            }
            IPV4HINT => {
                let texts = self.groups::<4>().map(|ip| Ipv4Addr::from(ip).to_string());
                list(f, &texts.collect::<Vec<_>>())
            }
            IPV6HINT => {
                let texts = self.groups::<16>().map(|ip| Ipv6Addr::from(ip).to_string());
                list(f, &texts.collect::<Vec<_>>())
            }
            ECH => write!(f, "={}", to_base64(&self.value)),
            _ if self.value.is_empty() => Ok(()),
            _ => write_value(f, &self.value),
        }
    }
}

/// Writes `="value"` so that it reads back as one token.
fn write_value(f: &mut fmt::Formatter<'_>, value: &[u8]) -> fmt::Result {
    f.write_char('=')?;
    write_quoted(f, value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Data;
    use crate::dns::code::RecordType;

    fn parse(words: &[&str]) -> Result<Data, TextError> {
        let token = |text: &&str| Token {
            text: text.to_string(),
            quoted: false,
        };
        let tokens: Vec<Token> = words.iter().map(token).collect();
        Data::parse(RecordType::SVCB, &mut Fields::new(&tokens, None))
    }

    #[test]
    fn the_vectors_of_rfc_9460_appendix_d_and_others_have_these_octets_and_read_back() {
        let target = "03666f6f076578616d706c6503636f6d00";
        let org = "03666f6f076578616d706c65036f726700";
        for (words, octets) in [
            (&["0", "foo.example.com."][..], format!("0000{target}")),
            (&["1", "."], "000100".into()),
            (
                &["16", "foo.example.com.", "port=53"],
                format!("0010{target}000300020035"),
            ),
            (
                &["1", "foo.example.com.", "key667=hello"],
                format!("0001{target}029b000568656c6c6f"),
            ),
            (
                &["1", "foo.example.com.", "key667=\"hello\\210qoo\""],
                format!("0001{target}029b000968656c6c6fd2716f6f"),
            ),
            (
                &[
                    "1",
                    "foo.example.com.",
                    "ipv6hint=\"2001:db8::1,2001:db8::53:1\"",
                ],
                format!(
                    "0001{target}0006002020010db8000000000000000000000001\
                     20010db8000000000000000000530001"
                ),
            ),
            (
                &[
                    "16",
                    "foo.example.org.",
                    "alpn=h2,h3-19",
                    "mandatory=ipv4hint,alpn",
                    "ipv4hint=192.0.2.1",
                ],
                format!(
                    "0010{org}0000000400010004000100090268320568332d3139\
                     00040004c0000201"
                ),
            ),
            (
                &["16", "foo.example.org.", "alpn=\"f\\\\\\\\oo\\\\,bar,h2\""],
                format!("0010{org}0001000c08665c6f6f2c626172026832"),
            ),
            (
                &["16", "foo.example.org.", "alpn=f\\\\\\092oo\\092,bar,h2"],
                format!("0010{org}0001000c08665c6f6f2c626172026832"),
            ),
            // Not of the appendix: keys with names, by number (§2.1).
            (
                &["1", ".", "key1=\\002h2", "key3=\\000\\053"],
                "000100000100030268320003 00020035".replace(' ', ""),
            ),
            // The keys of RFC 9461 §5 and RFC 9540 §4.
            (
                &["1", ".", "dohpath=/q{?dns}", "ohttp"],
                "0001000007 0008 2f717b3f646e737d 00080000".replace(' ', ""),
            ),
        ] {
            let data = parse(words).unwrap();
            let hex: String = data.to_wire().iter().map(|o| format!("{o:02x}")).collect();
            assert_eq!(hex, octets, "{words:?}");
            let text = data.to_string();
            let again: Vec<&str> = text.split(' ').collect();
            assert_eq!(parse(&again).unwrap(), data, "{text}");
        }
    }

    #[test]
    fn parameters_of_an_alias_are_ignored_when_they_are_malformed() {
        let rdata = b"\x00\x00\x01a\x00\x00\x03\x00\x01\x00";
        let read = |rdata: &[u8]| {
            let mut r = Reader::alone(rdata);
            r.within(rdata.len(), Svcb::decode)
        };
        let alias = read(rdata).unwrap();
        assert!(alias.parameters().is_empty() && alias.target == Name::parse("a").unwrap());
        let service = [&[0, 1][..], &rdata[2..]].concat();
        assert!(read(&service).is_err());
        // The target is still checked.
        assert!(read(&rdata[..4]).is_err());
    }

    #[test]
    fn what_rfc_9460_calls_malformed_is_refused() {
        for parameters in [
            &["key123=abc", "key123=def"][..],
            &["mandatory"],
            &["mandatory=key123", "alpn=h2"],
            &["mandatory=mandatory", "alpn=h2"],
            &["mandatory=port,port", "port=1"],
            &["alpn"],
            &["alpn=h2,,h3"],
            &["port=65536"],
            &["port=+1"],
            &["ipv4hint=192.0.2"],
            &["ipv6hint=192.0.2.1"],
            &["no-default-alpn=x", "alpn=h2"],
            &["no-default-alpn"],
            &["port=\\053"],
            &["ipv4hint=192.0.2.\\049"],
            &["mandatory=p\\ort", "port=1"],
            &["ech=A"],
            &["ech=AB=="],
            &["key65535=x"],
            &["key01=h2"],
            &["unheard=of"],
        ] {
            let words = [&["1", "foo.example.com."], parameters].concat();
            assert!(parse(&words).is_err(), "{parameters:?}");
        }
    }

    #[test]
    fn base_64_has_one_text_for_a_value() {
        for (octets, text) in [
            (&b"f"[..], "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(to_base64(octets), text);
            assert_eq!(from_base64(text.as_bytes()).as_deref(), Some(octets));
        }
        for bad in ["Zg", "Zh==", "Zm9=", "Z===", "====", "Zg=a", "Zg==Zg=="] {
            assert_eq!(from_base64(bad.as_bytes()), None, "{bad}");
        }
    }
}
