//! Conversations: which packets belong together, and what one means after those before it. Pure.

mod segment;

pub use segment::{Direction, Ends, Marks, Segment};
