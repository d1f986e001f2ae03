//! What travels on an RPC connection: the greeting, and the messages in frames. Pure.
//!
//! ```text
//!  client                                        server
//!  "gwrpc 1\n" frame(Hello)             ──>
//!                                     <──        "gwrpc 1\n" frame(Welcome)
//!  frame(Prove), if Welcome has a nonce ──>
//!                                     <──        frame(Prove)
//!  frame(Call) frame(Call) ...        ──>
//!                                     <──        frame(Reply) ... in any order
//! ```
//!
//! A frame is a `u32` length and that many bytes ([`wire::FrameBuffer`](crate::wire::FrameBuffer)):
//! a kind, its fields, and for some kinds a [wire message](mod@crate::wire) up to the frame's end.
//! All numbers are little-endian.
//!
//! | kind | name | fields | then a message |
//! |---|---|---|---|
//! | 1 | Call | `u64` id, `u64` microseconds it may take (0: no limit), `u8` length and name | the argument |
//! | 2 | Notify | `u8` length and name | the argument |
//! | 3 | Cancel | `u64` id | |
//! | 4 | More | `u64` id, `u32` items that may follow | |
//! | 5 | Ping | `u64` number | |
//! | 16 | Reply | `u64` id | the result |
//! | 17 | Failed | `u64` id | a [`Failure`] |
//! | 18 | Item | `u64` id | one item of a stream |
//! | 19 | Pong | `u64` number | |
//! | 20 | Goodbye | `u64` highest id of a call that is answered, or 0 | |
//! | 32 | Prove | 32 bytes | |
//! | 33 | Hello | | a [`Hello`] |
//! | 34 | Welcome | | a [`Welcome`] |
//!
//! The time that a call may take is a duration, not a moment: clocks differ between machines.

use super::failure::Failure;
use crate::wire::{Encode, Error as WireError, Frames, decode, encode};

/// The first eight bytes of both sides: the protocol and its version, readable in a capture.
pub const MAGIC: [u8; 8] = *b"gwrpc 1\n";

/// The largest window: items of a stream that a server may send before the client asks for more.
pub const MAX_WINDOW: u32 = 1024;

/// The longest frame of the greeting, in bytes. An unknown peer can make no more memory be used.
pub const MAX_GREETING: usize = 4096;

/// The longest name of a method, `Service.Method`, in bytes.
pub const MAX_NAME: usize = 255;

crate::wire! {
    /// The client's greeting.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Hello {
        /// The longest frame that the client accepts, in bytes.
        pub max_frame: u32,
        /// What the server's proof must cover, if the server has to prove that it knows the secret.
        pub nonce: [u8; 32],
        ..
    }

    /// The server's greeting: what it agrees to.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Welcome {
        /// The longest frame that the server accepts, in bytes.
        pub max_frame: u32,
        /// How many calls may be in flight on the connection.
        pub in_flight: u32,
        /// How many items of a stream the server may send before the client asks for more, 1 to
        /// [`MAX_WINDOW`].
        pub window: u32,
        /// Present if the client must prove that it knows the secret: what its proof must cover.
        pub nonce: Option<[u8; 32]>,
        ..
    }
}

/// The content of a frame, borrowed from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A call that wants a reply.
    Call {
        /// Chosen by the client; no other call in flight has it.
        id: u64,
        /// How long the server may take, in microseconds; 0 is no limit.
        micros: u64,
        /// `Service.Method`.
        method: &'a str,
        /// A wire message.
        argument: &'a [u8],
    },
    /// A call without a reply.
    Notify {
        /// `Service.Method`.
        method: &'a str,
        /// A wire message.
        argument: &'a [u8],
    },
    /// The caller no longer waits.
    Cancel {
        /// The id of the call.
        id: u64,
    },
    /// The caller accepts more items of a stream.
    More {
        /// The id of the call.
        id: u64,
        /// How many more.
        count: u32,
    },
    /// The peer wants a sign of life: a pong.
    Ping(u64),
    /// A call's result.
    Reply {
        /// The id of the call.
        id: u64,
        /// A wire message.
        result: &'a [u8],
    },
    /// Why a call has no result.
    Failed {
        /// The id of the call.
        id: u64,
        /// A wire message.
        failure: &'a [u8],
    },
    /// One item of a stream; a reply ends it.
    Item {
        /// The id of the call.
        id: u64,
        /// A wire message.
        item: &'a [u8],
    },
    /// The answer to a ping.
    Pong(u64),
    /// The server is stopping. It finishes running calls. Those with a higher id are certainly not
    /// run, whether each of them is refused or not.
    Goodbye {
        /// The highest id of a call that was answered or will be; 0 for none.
        last: u64,
    },
    /// The proof that a side knows the secret.
    Prove(&'a [u8; 32]),
    /// A [`Hello`], as a wire message.
    Hello(&'a [u8]),
    /// A [`Welcome`], as a wire message.
    Welcome(&'a [u8]),
}

const CALL: u8 = 1;
const NOTIFY: u8 = 2;
const CANCEL: u8 = 3;
const MORE: u8 = 4;
const PING: u8 = 5;
const REPLY: u8 = 16;
const FAILED: u8 = 17;
const ITEM: u8 = 18;
const PONG: u8 = 19;
const GOODBYE: u8 = 20;
const PROVE: u8 = 32;
const HELLO: u8 = 33;
const WELCOME: u8 = 34;

/// Why bytes are not a message of this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoMessage {
    /// The frame ends within its fields.
    Cut,
    /// Bytes follow the last field.
    Trailing,
    /// No message has this kind.
    Kind(u8),
    /// A name is not UTF-8.
    Name,
}

impl std::fmt::Display for NoMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cut => f.write_str("a frame that ends within its fields"),
            Self::Trailing => f.write_str("a frame with bytes behind its fields"),
            Self::Kind(kind) => write!(f, "a frame of the unknown kind {kind}"),
            Self::Name => f.write_str("a method's name that is not UTF-8"),
        }
    }
}

impl std::error::Error for NoMessage {}

/// Takes fields from the front of a frame.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], NoMessage> {
        let (field, rest) = self.0.split_first_chunk().ok_or(NoMessage::Cut)?;
        self.0 = rest;
        Ok(field)
    }

    fn byte(&mut self) -> Result<u8, NoMessage> {
        self.array::<1>().map(|[byte]| *byte)
    }

    fn number(&mut self) -> Result<u64, NoMessage> {
        self.array().map(|bytes| u64::from_le_bytes(*bytes))
    }

    fn name(&mut self) -> Result<&'a str, NoMessage> {
        let len = usize::from(self.byte()?);
        let (name, rest) = self.0.split_at_checked(len).ok_or(NoMessage::Cut)?;
        self.0 = rest;
        std::str::from_utf8(name).map_err(|_| NoMessage::Name)
    }

    /// Takes the rest: the message.
    fn message(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

impl<'a> Message<'a> {
    /// The name in the table at the head of this file.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Call { .. } => "Call",
            Self::Notify { .. } => "Notify",
            Self::Cancel { .. } => "Cancel",
            Self::More { .. } => "More",
            Self::Ping(_) => "Ping",
            Self::Reply { .. } => "Reply",
            Self::Failed { .. } => "Failed",
            Self::Item { .. } => "Item",
            Self::Pong(_) => "Pong",
            Self::Goodbye { .. } => "Goodbye",
            Self::Prove(_) => "Prove",
            Self::Hello(_) => "Hello",
            Self::Welcome(_) => "Welcome",
        }
    }

    /// Parses the content of a frame.
    pub fn parse(frame: &'a [u8]) -> Result<Self, NoMessage> {
        let mut fields = Fields(frame);
        let f = &mut fields;
        let message = match f.byte()? {
            CALL => Self::Call {
                id: f.number()?,
                micros: f.number()?,
                method: f.name()?,
                argument: f.message(),
            },
            NOTIFY => Self::Notify {
                method: f.name()?,
                argument: f.message(),
            },
            CANCEL => Self::Cancel { id: f.number()? },
            MORE => Self::More {
                id: f.number()?,
                count: u32::from_le_bytes(*f.array()?),
            },
            PING => Self::Ping(f.number()?),
            REPLY => Self::Reply {
                id: f.number()?,
                result: f.message(),
            },
            FAILED => Self::Failed {
                id: f.number()?,
                failure: f.message(),
            },
            ITEM => Self::Item {
                id: f.number()?,
                item: f.message(),
            },
            PONG => Self::Pong(f.number()?),
            GOODBYE => Self::Goodbye { last: f.number()? },
            PROVE => Self::Prove(f.array()?),
            HELLO => Self::Hello(f.message()),
            WELCOME => Self::Welcome(f.message()),
            kind => return Err(NoMessage::Kind(kind)),
        };
        if fields.0.is_empty() {
            Ok(message)
        } else {
            Err(NoMessage::Trailing)
        }
    }
}

/// Adds the frames of this protocol to a buffer.
pub trait Push {
    /// Adds a call. The name has at most [`MAX_NAME`] bytes; the rest of a longer one is cut off.
    fn call<A: Encode + ?Sized>(
        &mut self,
        id: u64,
        micros: u64,
        method: &str,
        argument: &A,
    ) -> Result<(), WireError>;

    /// Adds a call without a reply.
    fn notify<A: Encode + ?Sized>(&mut self, method: &str, argument: &A) -> Result<(), WireError>;

    /// Adds a result.
    fn reply<R: Encode + ?Sized>(&mut self, id: u64, result: &R) -> Result<(), WireError>;

    /// Adds an item of a stream.
    fn item<R: Encode + ?Sized>(&mut self, id: u64, item: &R) -> Result<(), WireError>;

    /// Adds a failure.
    fn failed(&mut self, id: u64, failure: &Failure);

    /// Adds the client's greeting.
    fn hello(&mut self, hello: &Hello) -> Result<(), WireError>;

    /// Adds the server's greeting.
    fn welcome(&mut self, welcome: &Welcome) -> Result<(), WireError>;

    /// Adds a message that has a number only: a cancel, a ping, a pong, a goodbye, a more.
    fn bare(&mut self, message: Message<'_>);
}

/// The kind and the number before a message.
fn head(kind: u8, id: u64) -> [u8; 9] {
    let mut head = [kind; 9];
    for (place, byte) in head.iter_mut().skip(1).zip(id.to_le_bytes()) {
        *place = byte;
    }
    head
}

/// As much of a name as fits in a frame.
fn name(method: &str) -> (u8, &[u8]) {
    let len = method.len().min(MAX_NAME);
    let name = method.as_bytes().get(..len).unwrap_or_default();
    (u8::try_from(len).unwrap_or(u8::MAX), name)
}

impl Push for Frames {
    fn call<A: Encode + ?Sized>(
        &mut self,
        id: u64,
        micros: u64,
        method: &str,
        argument: &A,
    ) -> Result<(), WireError> {
        let (len, name) = name(method);
        let head = head(CALL, id);
        self.push_behind(&[&head, &micros.to_le_bytes(), &[len], name], argument)
    }

    fn notify<A: Encode + ?Sized>(&mut self, method: &str, argument: &A) -> Result<(), WireError> {
        let (len, name) = name(method);
        self.push_behind(&[&[NOTIFY, len], name], argument)
    }

    fn reply<R: Encode + ?Sized>(&mut self, id: u64, result: &R) -> Result<(), WireError> {
        self.push_behind(&[&head(REPLY, id)], result)
    }

    fn item<R: Encode + ?Sized>(&mut self, id: u64, item: &R) -> Result<(), WireError> {
        self.push_behind(&[&head(ITEM, id)], item)
    }

    fn failed(&mut self, id: u64, failure: &Failure) {
        let head = head(FAILED, id);
        if self.push_behind(&[&head], failure).is_err() {
            // The text is too long for the connection, so send the failure without it. That fits in
            // a frame, whatever the limit of a message is.
            let short = encode(&failure.without_text()).unwrap_or_default();
            self.push_bytes(&[&head, &short]);
        }
    }

    fn hello(&mut self, hello: &Hello) -> Result<(), WireError> {
        self.push_behind(&[&[HELLO]], hello)
    }

    fn welcome(&mut self, welcome: &Welcome) -> Result<(), WireError> {
        self.push_behind(&[&[WELCOME]], welcome)
    }

    fn bare(&mut self, message: Message<'_>) {
        match message {
            Message::Cancel { id } => self.push_bytes(&[&head(CANCEL, id)]),
            Message::More { id, count } => {
                self.push_bytes(&[&head(MORE, id), &count.to_le_bytes()]);
            }
            Message::Ping(number) => self.push_bytes(&[&head(PING, number)]),
            Message::Pong(number) => self.push_bytes(&[&head(PONG, number)]),
            Message::Goodbye { last } => self.push_bytes(&[&head(GOODBYE, last)]),
            Message::Prove(proof) => self.push_bytes(&[&[PROVE], proof]),
            // The others carry values, and have functions of their own.
            _ => {}
        }
    }
}

/// What a message is called in an error.
pub fn kind(message: &Message<'_>) -> &'static str {
    match message {
        Message::Call { .. } => "a call",
        Message::Notify { .. } => "a notification",
        Message::Cancel { .. } => "a cancel",
        Message::More { .. } => "a request for more items",
        Message::Ping(_) => "a ping",
        Message::Reply { .. } => "a reply",
        Message::Failed { .. } => "a failure",
        Message::Item { .. } => "an item",
        Message::Pong(_) => "a pong",
        Message::Goodbye { .. } => "a goodbye",
        Message::Prove(_) => "a proof",
        Message::Hello(_) => "a hello",
        Message::Welcome(_) => "a welcome",
    }
}

/// Decodes the failure of a [`Message::Failed`].
pub fn read_failure(message: &[u8]) -> Failure {
    decode(message)
        .unwrap_or_else(|error| Failure::Refused(format!("a failure that cannot be read: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{FrameBuffer, Limits};

    fn frames(push: impl FnOnce(&mut Frames)) -> Vec<u8> {
        let mut frames = Frames::new(Limits::default());
        push(&mut frames);
        frames.bytes().to_vec()
    }

    fn one(push: impl FnOnce(&mut Frames)) -> Vec<u8> {
        let mut buffer = FrameBuffer::new(1 << 20);
        buffer.push(&frames(push));
        let frame = buffer.next_frame().unwrap().unwrap().to_vec();
        assert!(buffer.is_empty());
        frame
    }

    #[test]
    fn every_message_is_read_as_it_was_written() {
        let call = one(|f| f.call(7, 1_000_000, "Calculator.Add", &5_u8).unwrap());
        assert_eq!(
            Message::parse(&call).unwrap(),
            Message::Call {
                id: 7,
                micros: 1_000_000,
                method: "Calculator.Add",
                argument: &[0, 0, 0, 0, 5]
            }
        );
        let notify = one(|f| f.notify("Log.Line", "x").unwrap());
        assert!(matches!(
            Message::parse(&notify).unwrap(),
            Message::Notify {
                method: "Log.Line",
                argument: [1, 0, 0, 0, 1, 0, 0, 0, b'x']
            }
        ));
        let reply = one(|f| f.reply(8, &true).unwrap());
        assert_eq!(
            Message::parse(&reply).unwrap(),
            Message::Reply {
                id: 8,
                result: &[0, 0, 0, 0, 1]
            }
        );
        let failed = one(|f| f.failed(9, &Failure::ShuttingDown));
        let Message::Failed { id: 9, failure } = Message::parse(&failed).unwrap() else {
            panic!("{failed:?}");
        };
        assert_eq!(read_failure(failure), Failure::ShuttingDown);
        for bare in [
            Message::Cancel { id: 1 },
            Message::More { id: 2, count: 3 },
            Message::Ping(4),
            Message::Pong(5),
            Message::Goodbye { last: 6 },
            Message::Prove(&[7; 32]),
        ] {
            let bytes = one(|f| f.bare(bare));
            assert_eq!(Message::parse(&bytes).unwrap(), bare);
        }
    }

    #[test]
    fn no_prefix_of_a_message_without_value_is_one_and_nothing_may_follow() {
        let bytes = one(|f| f.bare(Message::More { id: 2, count: 3 }));
        for len in 0..bytes.len() {
            assert!(Message::parse(&bytes[..len]).is_err(), "cut to {len}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(Message::parse(&longer), Err(NoMessage::Trailing));
        assert_eq!(Message::parse(&[99]), Err(NoMessage::Kind(99)));
        let mut call = one(|f| f.call(7, 0, "ab", &()).unwrap());
        call[18] = 0xff;
        assert_eq!(Message::parse(&call), Err(NoMessage::Name));
        call[17] = 0xff;
        assert_eq!(Message::parse(&call), Err(NoMessage::Cut));
    }
}
