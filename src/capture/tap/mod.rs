//! A tap: a relay that shows what passes, writes it down as packets, and breaks it on purpose. No
//! privilege is needed, for it sits in the way instead of listening at the wire.

mod conversation;
mod datagrams;
pub mod fault;
mod headers;
mod lane;
mod line;
mod recorder;
mod relay;
mod transcript;

pub use conversation::{Conversation, Datagrams, Emit, ends};
pub use datagrams::{DatagramRelay, DatagramTotals};
pub use line::Line;
pub use recorder::{Event, Recorder, Track};
pub use relay::{MOST_ON_THE_WAY, Passed, Relay, RelayConfig};
pub use transcript::{Show, Transcript};
