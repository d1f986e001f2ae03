//! Names: the domain name system, from octets to answers.
//!
//! The room has a pure half and a shell; read the pure half in this order.
//!
//! - [`name`], `name_text`: labels, limits, case, and the presentation form with its escapes.
//! - `reader`, `writer`: the cursor over a message and the message under construction; name
//!   compression is decided there and nowhere else.
//! - [`code`], [`data`]: the numbers with names, and a record's data, type by type.
//! - [`record`], [`edns`], [`header`], [`message`]: what these make together.
//! - [`text`]: the fields of a record as text.
//!
//! Sources: RFC 1034 and 1035, as 2181, 2308, 3597, 4343, 6891 and 9267 amend them; each file names
//! its own.

pub mod code;
pub mod data;
pub mod edns;
mod error;
pub mod header;
pub mod message;
pub mod name;
mod name_text;
mod reader;
pub mod record;
pub mod text;
mod writer;

pub use code::{Class, Opcode, Rcode, RecordType};
pub use data::Data;
pub use edns::{CLASSIC_UDP, Edns, SAFE_UDP};
pub use error::{DecodeError, EncodeError, Fault, NameError, TextError};
pub use header::Header;
pub use message::{MAX_MESSAGE, Message};
pub use name::Name;
pub use record::{Question, Record};
