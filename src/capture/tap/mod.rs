//! A tap: a relay that shows what passes, writes it down as packets, and breaks it on purpose. No
//! privilege is needed, for it sits in the way instead of listening at the wire.

mod conversation;
pub mod fault;
mod headers;
mod line;

pub use conversation::{Conversation, Datagrams, Emit, ends};
pub use line::Line;
