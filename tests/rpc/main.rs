//! Calls by name over real sockets: results, failures, deadlines, streams, hostile peers, ends.

mod auth;
mod calls;
mod ends;
mod hostile;
mod reconnect;
mod streams;
mod world;
