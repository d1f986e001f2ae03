//! Display filters: which packets to show, in a subset of Wireshark's language. Pure.
//!
//! ```text
//! tcp.port == 443 and ip.addr == 10.0.0.0/8
//! dns.qry.name contains "example" or http.response.code in {400..599}
//! tcp.flags.syn == 1 && !tcp.flags.ack == 1
//! ```
//!
//! [`Filter::parse`] checks everything that can be checked without a packet: names, kinds, values.
//! [`Filter::matches`] then allocates no more than [`Field::values`] does. The meaning is that of
//! Wireshark 4.0, also for `!=`: `tcp.port != 80` matches packets that have TCP ports, none of
//! which is 80. `docs/filters.md` lists the language, and what is left out.
//!
//! | file | holds |
//! |---|---|
//! | `error.rs` | the errors in a text, each with its column |
//! | `lexer.rs` | from text to tokens |
//! | `literal.rs` | values: numbers, addresses, prefixes, bytes |
//! | `parser.rs` | the grammar, and which comparison a kind of field allows |

mod error;
mod lexer;
mod literal;
mod parser;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use super::decode::Decoded;
use super::field::{Field, Value};
use literal::Literal;

pub use error::{FilterError, Problem};

/// Which packets to show.
///
/// ```
/// use groundwire::capture::Filter;
///
/// let filter = Filter::parse("tcp.flags.syn == 1 && tcp.dstport in {80, 443, 8000..8100}");
/// assert!(filter.is_ok());
/// ```
#[derive(Clone, Debug)]
pub struct Filter {
    node: Node,
}

/// A part of a filter.
#[derive(Clone, Debug)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Test(Test),
}

/// A check on the values of a field.
#[derive(Clone, Debug)]
struct Test {
    field: &'static Field,
    /// Which bits of a number count.
    mask: u64,
    quantifier: Quantifier,
    check: Check,
}

/// How many of a field's values must pass a test. A field without a value never passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantifier {
    Any,
    All,
}

#[derive(Clone, Debug)]
enum Check {
    /// There is a value; with a mask, one that is not zero.
    Present,
    Value(Operator, Literal),
    /// A comparison with another field: with any (or all) of its values.
    Field(Operator, &'static Field),
    /// Values, and ranges that include both ends.
    In(Vec<(Literal, Option<Literal>)>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Contains,
    In,
}

impl Filter {
    /// The longest text of a filter, in bytes.
    pub const LONGEST: usize = 65_536;
    /// The deepest nesting of parentheses and negations.
    pub const DEEPEST: usize = 100;

    /// Reads a filter. An empty one matches every packet.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let node = parser::parse(text)?;
        Ok(Self { node })
    }

    /// Whether the filter matches the packet.
    pub fn matches(&self, decoded: &Decoded<'_>) -> bool {
        self.node.matches(decoded)
    }
}

impl Node {
    fn matches(&self, decoded: &Decoded<'_>) -> bool {
        match self {
            Node::All(nodes) => nodes.iter().all(|node| node.matches(decoded)),
            Node::Any(nodes) => nodes.iter().any(|node| node.matches(decoded)),
            Node::Not(node) => !node.matches(decoded),
            Node::Test(test) => test.holds(decoded),
        }
    }
}

impl Test {
    fn new(field: &'static Field, quantifier: Quantifier, check: Check) -> Self {
        Self {
            field,
            mask: u64::MAX,
            quantifier,
            check,
        }
    }

    fn holds(&self, decoded: &Decoded<'_>) -> bool {
        let (mut any, mut all) = (false, true);
        self.field.values(decoded, &mut |value| {
            let value = match value {
                Value::Unsigned(number) => Value::Unsigned(number & self.mask),
                other => other,
            };
            self.check(value, decoded, &mut |holds| {
                any |= holds;
                all &= holds;
            });
        });
        match self.quantifier {
            Quantifier::Any => any,
            // If one value fails, `any` may still be true; without values, it is false.
            Quantifier::All => any && all,
        }
    }

    /// Passes on whether the check holds for this value; against another field, for each of its
    /// values.
    fn check(&self, value: Value<'_>, decoded: &Decoded<'_>, out: &mut dyn FnMut(bool)) {
        match &self.check {
            Check::Present => out(self.mask == u64::MAX || value != Value::Unsigned(0)),
            Check::Value(operator, literal) => {
                out(operator.holds(&literal.masked(value), &literal.value()));
            }
            Check::Field(operator, other) => {
                other.values(decoded, &mut |right| out(operator.holds(&value, &right)));
            }
            Check::In(ranges) => out(ranges.iter().any(|range| is_within(value, range))),
        }
    }
}

fn is_within(value: Value<'_>, range: &(Literal, Option<Literal>)) -> bool {
    let holds =
        |operator: Operator, end: &Literal| operator.holds(&end.masked(value), &end.value());
    match range {
        (one, None) => holds(Operator::Equal, one),
        (low, Some(high)) => {
            holds(Operator::GreaterOrEqual, low) && holds(Operator::LessOrEqual, high)
        }
    }
}

impl Operator {
    fn holds(self, left: &Value<'_>, right: &Value<'_>) -> bool {
        if self == Operator::Contains {
            return contains(left.octets(), right.octets());
        }
        let Some(order) = left.order(right) else {
            return false;
        };
        match self {
            Operator::Equal => order == Ordering::Equal,
            Operator::NotEqual => order != Ordering::Equal,
            Operator::Greater => order == Ordering::Greater,
            Operator::Less => order == Ordering::Less,
            Operator::GreaterOrEqual => order != Ordering::Less,
            Operator::LessOrEqual => order != Ordering::Greater,
            Operator::Contains | Operator::In => false,
        }
    }
}

/// Whether the part occurs in the whole.
fn contains(whole: Option<&[u8]>, part: Option<&[u8]>) -> bool {
    match (whole, part) {
        (Some(_), Some([])) => true,
        (Some(whole), Some(part)) => whole.windows(part.len()).any(|window| window == part),
        _ => false,
    }
}
