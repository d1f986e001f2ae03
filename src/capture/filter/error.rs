//! What is wrong with the text of a filter, and where. Pure.

use std::fmt;

use crate::capture::field::Kind;

/// A filter that cannot be: why, and at which place of its text.
///
/// ```
/// use groundwire::capture::Filter;
///
/// let error = Filter::parse("ip and tcp.prt == 80").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "column 8: no field or protocol has the name \"tcp.prt\"; is it tcp.port?"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    /// The first character it is about, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// More bytes than [`Filter::LONGEST`](super::Filter::LONGEST).
    TooLong,
    /// More parentheses and negations within each other than [`Filter::DEEPEST`](super::Filter::DEEPEST).
    TooDeep,
    /// A character that no filter has there.
    Character(char),
    /// A quoted text without its second quote.
    OpenQuote,
    /// A `\` before a character that makes no escape.
    Escape,
    /// The text ends, or goes on with something else, where this should be.
    Expected(&'static str),
    /// No such field; the one that may be meant.
    Field(String, Option<&'static str>),
    /// A text that is no value of this kind.
    Value(String, Kind),
    /// A number larger than the field has room for.
    TooLarge(u64),
    /// A prefix of more bits than the address has.
    Prefix(u8),
    /// Fields of this kind are not compared in this way.
    Comparison(Kind, &'static str),
    /// Two fields whose kinds do not fit.
    Kinds(Kind, Kind),
    /// Something of Wireshark's that is left out here, and what there is instead.
    LeftOut(&'static str),
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: ", self.column)?;
        match &self.problem {
            Problem::TooLong => {
                write!(f, "more than {} bytes", super::Filter::LONGEST)
            }
            Problem::TooDeep => write!(
                f,
                "more than {} parentheses within each other",
                super::Filter::DEEPEST
            ),
            Problem::Character(char) => write!(f, "{char:?} has no meaning here"),
            Problem::OpenQuote => f.write_str("a text without its second quote"),
            Problem::Escape => f.write_str("no such escape: there are \\\" \\\\ \\n \\r \\t \\xHH"),
            Problem::Expected(what) => write!(f, "expected {what}"),
            Problem::Field(name, near) => {
                write!(f, "no field or protocol has the name \"{name}\"")?;
                near.map_or(Ok(()), |near| write!(f, "; is it {near}?"))
            }
            Problem::Value(text, kind) => {
                write!(f, "\"{text}\" is no {}{}", kind.name(), example(*kind))
            }
            Problem::TooLarge(most) => write!(f, "the field has no number above {most}"),
            Problem::Prefix(most) => write!(f, "a prefix has at most {most} bits"),
            Problem::Comparison(kind, operator) => {
                write!(
                    f,
                    "a field of kind {} cannot be compared by {operator}",
                    kind.name()
                )
            }
            Problem::Kinds(left, right) => {
                write!(f, "{} and {} cannot be compared", left.name(), right.name())
            }
            Problem::LeftOut(what) => write!(f, "left out here: {what}"),
        }
    }
}

/// How a value of the kind is written.
fn example(kind: Kind) -> &'static str {
    match kind {
        Kind::Boolean => " (1, 0, true or false)",
        Kind::Unsigned(_) | Kind::Hex(_) => " (443, 0x1bb)",
        Kind::Signed => " (-1)",
        Kind::Ipv4 => " (192.0.2.1, 192.0.2.0/24)",
        Kind::Ipv6 => " (2001:db8::1, 2001:db8::/32)",
        Kind::Ether => " (02:00:5e:00:53:01)",
        Kind::Bytes | Kind::Protocol => " (47:45:54, \"GET\")",
        Kind::Interval => " (0.25)",
        Kind::Text | Kind::Mark | Kind::Moment => "",
    }
}

impl std::error::Error for FilterError {}
