//! HTTP/1.1 on the wire: header sections and bodies, read strictly and written plainly.
//!
//! A message is a start line, field lines, an empty line, and perhaps a body (RFC 9112 §2.1):
//!
//! ```text
//!  GET /index.html?x=1 HTTP/1.1\r\n      method, target, version
//!  Host: example.com\r\n                 field lines: name, colon, value
//!  Content-Length: 5\r\n
//!  \r\n                                  the header section ends
//!  hello                                 the body: as long as the fields say
//! ```
//!
//! The hard part is where a message ends. If a proxy and the server behind it disagree about this,
//! they see different requests in the same bytes, and the sender of the bytes can exploit the
//! difference. So everything that can be read in two ways is refused, with the [`Rule`] that it
//! breaks. There are three leniencies; the code gives the reason for each: one empty line before a
//! request, a status line without the space before an empty reason, and characters that browsers
//! leave unencoded in targets.
//!
//! ```text
//!   bytes ──> HeadParser ──> RequestHead  ──> framing ──> bytes, or ChunkReader ──> data, trailers
//!             (parser.rs)    ResponseHead     (framing.rs)         (chunked.rs)
//! ```
//!
//! Reading order: [`limits`](Limits), [`octets`] (which byte may appear where), [`field`] (the
//! lines of a section), `parser` ([`HeadParser`]: is the section complete), `framing` (where a
//! message ends), `host` ([`Authority`]), `request`, `response`, `chunked`, then
//! [`write`](mod@write), [`date`], [`base64`] and [`percent`]. All of it is pure: no socket, no
//! clock. The shell works on any stream, for programs where speed does not matter:
//! [`message`](Request), `exchange` ([`ServerExchange`], [`ClientExchange`]).

pub mod base64;
mod chunked;
pub mod date;
mod error;
mod exchange;
pub mod field;
mod framing;
mod host;
mod limits;
mod message;
pub mod octets;
mod parser;
pub mod percent;
mod reading;
mod request;
mod response;
pub mod write;

pub use chunked::{ChunkReader, Piece};
pub use error::Rule;
pub use exchange::{ClientExchange, PASSED_OVER, ServerExchange};
pub use field::{Field, Fields, Name};
pub use framing::{Framing, Version};
pub use host::Authority;
pub use limits::Limits;
pub use message::{FieldList, Request, Response};
pub use parser::HeadParser;
pub use reading::ExchangeError;
pub use request::{RequestHead, Target};
pub use response::ResponseHead;
