//! Queries over UDP: the worker's loop is in the [`server`](crate::server) room; it calls this code
//! for each datagram.

use std::sync::Arc;

use super::answerer::Shared;
use super::current::Held;
use crate::net::Addr;
use crate::server::DatagramHandler;

/// The state of one worker.
pub(super) struct UdpHandler {
    shared: Arc<Shared>,
    held: Held,
    /// The number of this worker's tally.
    number: usize,
    /// The reply is made here, because the query is still needed, and then copied over the query.
    reply: Vec<u8>,
}

impl UdpHandler {
    pub(super) fn new(shared: Arc<Shared>, number: usize) -> Self {
        Self {
            held: shared.current.hold(),
            shared,
            number,
            reply: Vec::new(),
        }
    }
}

impl DatagramHandler for UdpHandler {
    fn reply(&mut self, peer: &Addr, buffer: &mut [u8], len: usize) -> Option<usize> {
        let (peer, query) = (peer.ip()?, buffer.get(..len)?);
        self.reply.clear();
        let worker = (self.number, &mut self.held);
        self.shared
            .answer_datagram(worker, peer, query, &mut self.reply);
        let reply = &self.reply;
        buffer.get_mut(..reply.len())?.copy_from_slice(reply);
        (!reply.is_empty()).then_some(reply.len())
    }
}
