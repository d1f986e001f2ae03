//! The one error of the pure half of `net`: a text that is not an address, and why.
//!
//! An [`AddressError`] says three things, in the order a person needs them: what the
//! text was meant to be, the text, and the [`Rule`] it breaks:
//!
//! ```text
//! address 288.8.8.8: octet 288 is above 255
//! ------- ---------  ----------------------
//!  meant   Excerpt            Rule
//! ```
//!
//! The text comes from outside (a flag, a file, a peer), so it is shown through an [`Excerpt`]: cut
//! to a sane length, with every character escaped that could move a terminal's cursor or start a
//! new line in a log.
//!
//! To add a rule: 1. add a variant to [`Rule`] with what a person needs to act,
//! 2. give it its words in `Display`, 3. add a row to the table of the file that finds it.

use std::error::Error;
use std::fmt;

use super::network::{Network, Transport};

/// The longest part of a text that an error message repeats, in characters.
pub const EXCERPT_CHARS: usize = 64;

/// A piece of outside text, made safe to print: at most [`EXCERPT_CHARS`] characters
/// (then `...`), control and invisible characters escaped as in a Rust literal, and `""`
/// for the empty text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt(String);

impl Excerpt {
    /// Copies the start of `text`.
    pub fn new(text: &str) -> Excerpt {
        let mut safe = String::new();
        for c in text.chars().take(EXCERPT_CHARS) {
            match c {
                // Quotes are harmless, and escaping them would only confuse.
                '\'' | '"' => safe.push(c),
                _ => safe.extend(c.escape_debug()),
            }
        }
        if text.chars().nth(EXCERPT_CHARS).is_some() {
            safe.push_str("...");
        }
        Excerpt(safe)
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_str() {
            "" => f.write_str("\"\""),
            text => f.write_str(text),
        }
    }
}

/// A text that is not what it was meant to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressError {
    /// What it was meant to be, in a word or two.
    meant: &'static str,
    text: Excerpt,
    rule: Rule,
}

impl AddressError {
    /// An IP address, or a `host:port`.
    pub(super) fn address(text: &str, rule: Rule) -> AddressError {
        AddressError::new("address", text, rule)
    }

    pub(super) fn name(text: &str, rule: Rule) -> AddressError {
        AddressError::new("host name", text, rule)
    }

    /// A port number or a service name.
    pub(super) fn port(text: &str, rule: Rule) -> AddressError {
        AddressError::new("port", text, rule)
    }

    /// An address prefix such as `10.0.0.0/8`.
    pub(super) fn prefix(text: &str, rule: Rule) -> AddressError {
        AddressError::new("prefix", text, rule)
    }

    /// The name of a network such as `tcp4`.
    pub(super) fn network(text: &str, rule: Rule) -> AddressError {
        AddressError::new("network", text, rule)
    }

    fn new(meant: &'static str, text: &str, rule: Rule) -> AddressError {
        let text = Excerpt::new(text);
        AddressError { meant, text, rule }
    }

    /// The rule that the text breaks.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.meant, self.text, self.rule)
    }
}

impl Error for AddressError {}

/// The rule that a text breaks. `Display` is the end of the sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// There is no text.
    Empty,
    /// The text is neither an IPv4 nor an IPv6 address, but perhaps a name.
    NotAnAddress,
    /// An IPv4 address was wanted, and the text does not resemble one.
    NotIpv4,
    /// An IPv4 address has four octets; this many were found.
    OctetCount(usize),
    /// Two dots in a row, or a dot at an end.
    OctetEmpty,
    /// An octet with anything but the digits 0 to 9.
    OctetNotDigits(Excerpt),
    /// `010` is 8 to some programs and 10 to others, so it is not accepted here.
    OctetLeadingZero(Excerpt),
    /// An octet above 255.
    OctetTooLarge(Excerpt),
    /// An IPv6 address was wanted, and the text has no colon.
    NotIpv6,
    /// An IPv6 address without `::` has eight groups; this many were found.
    GroupCount(usize),
    /// A single colon at an end, or three in a row.
    GroupEmpty,
    /// A group of more than four hexadecimal digits.
    GroupTooLong(Excerpt),
    /// A group with anything but hexadecimal digits.
    GroupNotHex(Excerpt),
    /// `::` a second time: how many zeros each stands for would be ambiguous.
    SecondDoubleColon,
    /// `::` with this many groups around it, which leaves no group for it.
    NothingLeftOut(usize),
    /// A dotted quad inside an IPv6 address, but not at its end.
    DottedQuadNotLast,
    /// `%` where an address without a zone is wanted.
    ZoneNotAllowed,
    /// `%` after an IPv4 address.
    ZoneOnIpv4,
    /// Nothing after the `%`.
    ZoneEmpty,
    /// A zone of this many bytes, which no interface name has.
    ZoneTooLong(usize),
    /// A zone with a character that no interface name has.
    ZoneCharacter(Excerpt),
    /// `host` where `host:port` is wanted.
    PortMissing,
    /// Nothing after the last colon.
    PortEmpty,
    /// A number above 65535.
    PortRange,
    /// A port such as `0080`.
    PortLeadingZero(Excerpt),
    /// No number, and no service of this transport has the name.
    UnknownService(Excerpt, Transport),
    /// Several colons and no brackets: where the address ends is a guess.
    TooManyColons,
    /// `[` without `]`.
    BracketMissing,
    /// `[` or `]` anywhere but around the host.
    BracketUnexpected(char),
    /// Brackets around something other than an IPv6 address.
    BracketsWithoutIpv6,
    /// A host name of this many bytes.
    NameTooLong(usize),
    /// Two dots in a row, or a dot at the start of a host name.
    LabelEmpty,
    /// A label of more than 63 bytes.
    LabelTooLong(Excerpt),
    /// A label with a hyphen at an end.
    LabelHyphen(Excerpt),
    /// A label with a character that host names do not have.
    LabelCharacter(Excerpt, Excerpt),
    /// Nothing after the `/`.
    LengthMissing,
    /// A prefix length with anything but digits.
    LengthNotDigits(Excerpt),
    /// A prefix length such as `08`.
    LengthLeadingZero(Excerpt),
    /// A prefix length above this one, the number of bits of the address.
    LengthRange(u8),
    /// A host bit is set; the prefix that was probably meant.
    HostBitsSet(String),
    /// No network has this name.
    UnknownNetwork,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::Empty => write!(f, "the text is empty"),
            Rule::NotAnAddress => write!(f, "this is neither an IPv4 nor an IPv6 address"),
            Rule::NotIpv4 => write!(f, "this is not an IPv4 address"),
            Rule::OctetCount(n) => write!(f, "an IPv4 address has four octets, this has {n}"),
            Rule::OctetEmpty => write!(f, "an octet is empty"),
            Rule::OctetNotDigits(octet) => write!(f, "octet {octet} is not a decimal number"),
            Rule::OctetLeadingZero(octet) => write!(f, "octet {octet} has a leading zero"),
            Rule::OctetTooLarge(octet) => write!(f, "octet {octet} is above 255"),
            Rule::NotIpv6 => write!(f, "this is not an IPv6 address, it has no colon"),
            Rule::GroupCount(n) => write!(f, "an IPv6 address has eight groups, this has {n}"),
            Rule::GroupEmpty => write!(f, "a group is empty (only :: leaves out groups)"),
            Rule::GroupTooLong(group) => write!(f, "group {group} has more than four digits"),
            Rule::GroupNotHex(group) => write!(f, "group {group} is not a hexadecimal number"),
            Rule::SecondDoubleColon => write!(f, ":: may stand only once"),
            Rule::NothingLeftOut(n) => {
                write!(
                    f,
                    ":: must stand for one group or more, but {n} are present"
                )
            }
            Rule::DottedQuadNotLast => {
                write!(
                    f,
                    "a dotted quad may stand only at the end of an IPv6 address"
                )
            }
            Rule::ZoneNotAllowed => write!(f, "a zone (%) is not allowed here"),
            Rule::ZoneOnIpv4 => write!(f, "an IPv4 address has no zone (%)"),
            Rule::ZoneEmpty => write!(f, "the zone after % is empty"),
            Rule::ZoneTooLong(n) => write!(f, "a zone has at most 15 bytes, this has {n}"),
            Rule::ZoneCharacter(c) => write!(f, "a zone cannot have the character '{c}'"),
            Rule::PortMissing => write!(f, "the port is missing, write host:port"),
            Rule::PortEmpty => write!(f, "the port is empty, write 0 for any free one"),
            Rule::PortRange => write!(f, "port must be 0 to 65535"),
            Rule::PortLeadingZero(port) => write!(f, "port {port} has a leading zero"),
            Rule::UnknownService(name, transport) => {
                write!(
                    f,
                    "{name} is neither a port number nor a known {transport} service"
                )
            }
            Rule::TooManyColons => {
                write!(
                    f,
                    "too many colons, put an IPv6 address in brackets: [::1]:80"
                )
            }
            Rule::BracketMissing => write!(f, "the closing ] is missing"),
            Rule::BracketUnexpected(c) => write!(f, "unexpected {c}"),
            Rule::BracketsWithoutIpv6 => write!(f, "brackets are for IPv6 addresses only"),
            Rule::NameTooLong(n) => write!(f, "a host name has at most 253 bytes, this has {n}"),
            Rule::LabelEmpty => write!(f, "a label of the host name is empty"),
            Rule::LabelTooLong(label) => write!(f, "label {label} has more than 63 bytes"),
            Rule::LabelHyphen(label) => write!(f, "label {label} starts or ends with a hyphen"),
            Rule::LabelCharacter(label, c) => write!(
                f,
                "label {label} has the character '{c}', a host name has letters, digits and hyphens"
            ),
            Rule::LengthMissing => write!(f, "the length after / is missing"),
            Rule::LengthNotDigits(len) => write!(f, "length {len} is not a decimal number"),
            Rule::LengthLeadingZero(len) => write!(f, "length {len} has a leading zero"),
            Rule::LengthRange(max) => write!(f, "length must be 0 to {max}"),
            Rule::HostBitsSet(meant) => {
                write!(f, "host bits are set, did you mean {meant}?")
            }
            Rule::UnknownNetwork => {
                let known: Vec<&str> = Network::ALL.iter().map(|n| n.name()).collect();
                write!(
                    f,
                    "unknown network, the known ones are {}",
                    known.join(", ")
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_short_and_cannot_touch_the_terminal() {
        let long = "a".repeat(EXCERPT_CHARS + 1);
        let cut = format!("{}...", "a".repeat(EXCERPT_CHARS));
        let exact = "b".repeat(EXCERPT_CHARS);
        let cases = [
            ("1.2.3.4", "1.2.3.4", "plain text stays"),
            ("", "\"\"", "nothing is shown as something"),
            ("a\nb\r", "a\\nb\\r", "no forged log line"),
            ("\x1b[2J", "\\u{1b}[2J", "no escape sequence"),
            ("a\u{202e}b", "a\\u{202e}b", "no reversed text"),
            ("it's", "it's", "quotes stay"),
            (&long, &cut, "one character too many"),
            (&exact, &exact, "exactly the limit"),
        ];
        for (text, expected, why) in cases {
            assert_eq!(Excerpt::new(text).to_string(), expected, "{why}");
        }
    }

    #[test]
    fn a_message_is_subject_text_and_rule() {
        let cases = [
            (
                AddressError::address("x:1", Rule::PortRange),
                "address x:1: port must be 0 to 65535",
            ),
            (
                AddressError::name("a..b", Rule::LabelEmpty),
                "host name a..b: a label of the host name is empty",
            ),
            (
                AddressError::port("", Rule::PortEmpty),
                "port \"\": the port is empty, write 0 for any free one",
            ),
            (
                AddressError::prefix("::/", Rule::LengthMissing),
                "prefix ::/: the length after / is missing",
            ),
        ];
        for (error, expected) in cases {
            assert_eq!(error.to_string(), expected);
        }
    }
}
