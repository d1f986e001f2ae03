//! The domain name system: from octets to answers.
//!
//! The room has a pure half and a shell. Read the pure half in this order.
//!
//! - [`name`], `name_text`: labels, limits, case, and the presentation form with its escapes.
//! - `reader`, `writer`: the cursor over a message and the message under construction; only these
//!   two know name compression.
//! - [`code`], [`data`]: the numbers that have names, and a record's data, type by type.
//! - [`record`], [`edns`], [`header`], [`message`]: what these parts make together.
//! - [`text`]: the fields of a record as text.
//! - [`zone`]: zone files, and the structure for looking names up; its `load.rs` reads files.
//! - [`answer`]: a server's answers from its zones. [`server`]: its sockets, limits, reload.
//!
//! Looking names up, pure up to the last line:
//!
//! - [`hosts`], [`resolv_conf`]: the machine's files, and the search list.
//! - [`exchange`]: one question, its servers and its reply. [`chain`]: what the reply says.
//!   [`lookup`]: both together, along aliases. [`cache`], `failures`, `local`: what needs no query.
//!   [`order`]: which host to try first.
//! - [`walk`]: referrals, for the way down from the root.
//! - `link`, [`Resolver`]: sockets, threads, the clock; `verbs`: the look-ups that programs use.
//!
//! Sources: RFC 1034 and 1035, as 2181, 2308, 3597, 4343 and 6891 amend them, and the advice of 9267;
//! each file names its own.

pub mod answer;
pub mod cache;
pub mod chain;
pub mod code;
pub mod data;
pub mod edns;
mod error;
pub mod exchange;
mod failure;
mod failures;
pub mod header;
pub mod hosts;
mod link;
mod local;
pub mod lookup;
pub mod message;
pub mod name;
mod name_text;
pub mod order;
mod reader;
pub mod record;
pub mod resolv_conf;
mod resolver;
pub mod server;
pub mod text;
mod verbs;
pub mod walk;
mod writer;
pub mod zone;

pub use answer::{Outcome, Transport, Zones};
pub use chain::{Answer, Ending};
pub use code::{Class, Opcode, Rcode, RecordType};
pub use data::Data;
pub use edns::{CLASSIC_UDP, Edns, SAFE_UDP};
pub use error::{DecodeError, EncodeError, Fault, NameError, TextError};
pub use exchange::Reply;
pub use failure::LookupError;
pub use header::Header;
pub use hosts::Hosts;
pub use lookup::Failure;
pub use message::{MAX_MESSAGE, Message};
pub use name::Name;
pub use record::{Question, Record};
pub use resolv_conf::ResolvConf;
pub use resolver::{PORT, Resolver, ResolverConfig, socket_address};
pub use verbs::{System, is_host_name};
pub use zone::Zone;
