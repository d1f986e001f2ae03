//! What can be wrong with what a peer sent, and the line that tells the peer.
//!
//! Every fault ends the connection, because the beginning of the next command is not known. First
//! the peer is told which byte is wrong: `error: STRUCT: byte 12: ...`. Bytes are counted from the
//! start of the payload (or of the name), including the four bytes of a frame's length.

use std::fmt;
use std::io;

use super::inbox::HEADER;
use super::name::{BadName, Name};
use crate::wire;

/// Why a command, and with it its connection, ended early.
#[derive(Debug)]
#[non_exhaustive]
pub enum Fault {
    /// The connection failed; a time-out is `TimedOut`. The peer is told nothing.
    Io(io::Error),
    /// The payload is not what the command takes. The peer gets an `error:` line.
    Refused {
        /// The byte at which the fault was found, from the start of the payload.
        offset: usize,
        /// What is wrong.
        cause: Cause,
    },
}

/// What is wrong with a payload.
#[derive(Debug)]
#[non_exhaustive]
pub enum Cause {
    /// A line is longer than the limit.
    LineTooLong {
        /// The limit in bytes, the line feed included.
        limit: usize,
    },
    /// A frame is longer than the limit; nothing was allocated for it.
    FrameTooLong {
        /// The length that its header claims, in bytes.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The stream ended within the payload.
    Cut,
    /// A text is not UTF-8.
    NotUtf8,
    /// A frame's content is not a message of the type.
    Message(wire::ErrorKind),
    /// A name is not valid.
    Name(BadName),
    /// A command's own reason.
    Other(String),
}

impl Cause {
    /// With its place in a payload.
    pub(super) fn at(self, offset: usize) -> Fault {
        let cause = self;
        Fault::Refused { offset, cause }
    }

    /// For an item that begins at `offset`: that a line is too long is found at its limit.
    pub(super) fn within_item(self, offset: usize) -> Fault {
        match self {
            Cause::LineTooLong { limit } => self.at(offset.saturating_add(limit)),
            cause => cause.at(offset),
        }
    }
}

/// The fault of a message in a frame that begins at `offset`.
pub(super) fn of_message(offset: usize, error: &wire::Error) -> Fault {
    let within = HEADER.saturating_add(error.offset);
    Cause::Message(error.kind).at(offset.saturating_add(within))
}

/// What the peer is told about an unknown command.
pub(super) fn unknown(name: &Name, known: &[Name]) -> String {
    if known.is_empty() {
        return format!("unknown command {name}; known: none");
    }
    let known: Vec<&str> = known.iter().map(Name::as_str).collect();
    format!("unknown command {name}; known: {}", known.join(", "))
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::LineTooLong { limit } => write!(f, "line longer than {limit} bytes"),
            Cause::FrameTooLong { len, limit } => {
                write!(f, "frame of {len} bytes, the limit is {limit}")
            }
            Cause::Cut => f.write_str("the stream ended here"),
            Cause::NotUtf8 => f.write_str("not UTF-8"),
            Cause::Message(kind) => kind.fmt(f),
            Cause::Name(bad) => bad.fmt(f),
            Cause::Other(why) => f.write_str(why),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Io(error) => error.fmt(f),
            Fault::Refused { offset, cause } => write!(f, "byte {offset}: {cause}"),
        }
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Fault::Io(error) => Some(error),
            Fault::Refused { .. } => None,
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Fault::Io(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_command_is_told_with_those_that_are_known() {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let known = [name("STRING"), name("STRUCT")];
        assert_eq!(
            unknown(&name("FOO"), &known),
            "unknown command FOO; known: STRING, STRUCT"
        );
        assert_eq!(
            unknown(&name("FOO"), &[]),
            "unknown command FOO; known: none"
        );
    }

    #[test]
    fn a_fault_names_the_byte_of_the_payload_and_the_cause() {
        // A message whose text claims more bytes than there are, in a frame after 10 bytes of
        // payload.
        let error = wire::decode::<String>(b"\0\0\0\0\x05\0\0\0").unwrap_err();
        assert_eq!(error.offset, 8);
        assert_eq!(
            of_message(10, &error).to_string(),
            "byte 22: the message is cut: 5 bytes needed, 0 left"
        );
        assert_eq!(Cause::NotUtf8.at(3).to_string(), "byte 3: not UTF-8");
    }
}
