//! What can be wrong with a message, a name or the text of a record.

use std::fmt;

use super::code::{Class, RecordType};
use super::writer::Full;

/// A message that breaks the format: where, and which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// The offset in the message, in octets, at which reading stopped.
    pub offset: usize,
    /// The rule that is broken there.
    pub fault: Fault,
}

/// The rules of the format that a message can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The message or the RDATA ends before the item does.
    Short,
    /// A label starts with the bits 01 or 10, which are reserved (RFC 1035 §4.1.4).
    LabelType(u8),
    /// A compression pointer does not point strictly before the part of the name that it ends, or
    /// points into the header (RFC 1035 §4.1.4, RFC 9267 §2).
    Pointer(u16),
    /// More pointers that lead directly to another pointer than the message has octets.
    Hops,
    /// A pointer in a name that must not be compressed (RFC 3597 §4).
    Compressed,
    /// A name of more than 255 octets (RFC 1035 §2.3.4), counted as it expands.
    NameTooLong,
    /// RDATA with octets left over after its fields (RFC 9267 §5).
    DataTooLong(usize),
    /// RDATA without the string that it must have (RFC 1035 §3.3.14).
    NoString,
    /// More than one OPT record (RFC 6891 §6.1.1).
    TwoOpts,
    /// An OPT record outside the additional section (RFC 6891 §6.1.1).
    MisplacedOpt,
    /// An OPT record whose owner is not the root (RFC 6891 §6.1.2).
    NamedOpt,
    /// A parameter of SVCB or HTTPS that is not in strictly increasing order, or has a value that
    /// its key does not allow (RFC 9460 §2.2).
    ServiceParameter(u16),
    /// A CAA tag that is empty or has characters other than letters and digits (RFC 8659 §4.1).
    Tag,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "offset {}: {}", self.offset, self.fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Short => f.write_str("the data ends too early"),
            Fault::LabelType(octet) => write!(f, "label type of octet {octet:#04x} is reserved"),
            Fault::Pointer(target) => {
                write!(
                    f,
                    "compression pointer to {target} does not point backwards"
                )
            }
            Fault::Hops => f.write_str("too many pointers that lead to pointers"),
            Fault::Compressed => f.write_str("compressed name where it has to stand in full"),
            Fault::NameTooLong => f.write_str("name longer than 255 octets"),
            Fault::DataTooLong(left) => write!(f, "{left} octets left over in the RDATA"),
            Fault::NoString => f.write_str("RDATA without a string"),
            Fault::TwoOpts => f.write_str("more than one OPT record"),
            Fault::MisplacedOpt => f.write_str("OPT record outside the additional section"),
            Fault::NamedOpt => f.write_str("OPT record whose owner is not the root"),
            Fault::ServiceParameter(key) => {
                write!(f, "service parameter key{key} is out of order or malformed")
            }
            Fault::Tag => f.write_str("CAA tag is not made of letters and digits"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// A message that cannot be written so that it reads back as the same value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// It has more than 65,535 octets, or a part of it has more than its length field can express.
    TooLong,
    /// A number with more bits than its field has: the field's name.
    OutOfRange(&'static str),
    /// Data that would be read back as something else in this class: a [`Data`](super::Data) of
    /// another class, or octets of a type that has a form of its own.
    NotOfClass(RecordType, Class),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EncodeError::TooLong => f.write_str("message longer than 65535 octets"),
            EncodeError::OutOfRange(field) => write!(f, "{field} has more bits than its field"),
            EncodeError::NotOfClass(kind, class) => {
                write!(f, "data of type {kind} that class {class} reads as another")
            }
        }
    }
}

impl std::error::Error for EncodeError {}

impl From<Full> for EncodeError {
    fn from(_: Full) -> Self {
        EncodeError::TooLong
    }
}

/// Text that is not a domain name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// No text at all; the root is written `.`.
    Empty,
    /// Two dots in a row, or one at the start.
    EmptyLabel,
    /// A label of more than 63 octets (RFC 1035 §2.3.4), counted after its escapes are read.
    LabelTooLong(usize),
    /// More than 255 octets in wire form.
    TooLong,
    /// A backslash at the end, or before a number that is not three digits up to 255.
    Escape,
    /// A relative name without an origin to complete it.
    Relative,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameError::Empty => f.write_str("name is empty (the root is \".\")"),
            NameError::EmptyLabel => f.write_str("name has an empty label"),
            NameError::LabelTooLong(octets) => {
                write!(f, "label of {octets} octets, 63 are allowed")
            }
            NameError::TooLong => f.write_str("name longer than 255 octets"),
            NameError::Escape => {
                f.write_str("backslash must stand before a character or three digits up to 255")
            }
            NameError::Relative => f.write_str("relative name without an origin"),
        }
    }
}

impl std::error::Error for NameError {}

/// Text of a record's data that could not be read: what was expected, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextError {
    /// A field is missing: its name.
    Missing(&'static str),
    /// A field is wrong: its name, its text, and why.
    Field(&'static str, String, String),
    /// More fields than the type has: the first of them.
    TooMany(String),
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TextError::Missing(what) => write!(f, "{what} is missing"),
            TextError::Field(what, text, why) => write!(f, "{what} {text:?}: {why}"),
            TextError::TooMany(text) => write!(f, "{text:?} stands after the end of the data"),
        }
    }
}

impl std::error::Error for TextError {}
