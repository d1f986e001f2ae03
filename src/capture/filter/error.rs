//! Errors in the text of a filter, and where they are. Pure.

use std::fmt;

use crate::capture::field::Kind;

/// Why a text is not a filter, and where.
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
    /// The first character of the fault, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// More bytes than [`Filter::LONGEST`](super::Filter::LONGEST).
    TooLong,
    /// Parentheses and negations nested more deeply than
    /// [`Filter::DEEPEST`](super::Filter::DEEPEST).
    TooDeep,
    /// A character that cannot be there.
    Character(char),
    /// A quoted text without its closing quote.
    OpenQuote,
    /// A `\` before a character that is no escape.
    Escape,
    /// This was expected, but the text ends, or goes on with something else.
    Expected(&'static str),
    /// No field has this name; a similar name, if there is one.
    Field(String, Option<&'static str>),
    /// A text that is not a value of this kind.
    Value(String, Kind),
    /// A number too large for the field.
    TooLarge(u64),
    /// A prefix of more bits than the address has.
    Prefix(u8),
    /// Fields of this kind cannot be compared in this way.
    Comparison(Kind, &'static str),
    /// Two fields whose kinds cannot be compared.
    Kinds(Kind, Kind),
    /// A feature of Wireshark's that is left out here, and the alternative.
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
                "more than {} parentheses and negations within each other",
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

/// An example of a value of this kind.
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
