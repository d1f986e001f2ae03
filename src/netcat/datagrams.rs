//! Datagrams: there is no connection, so only the user can end the exchange.
//!
//! Each read of the input makes one datagram: a line from a terminal, a piece of the configured
//! size from a file. UDP cannot tell the peer that nothing more will come. So the end of the input
//! ends nothing (`-q`, `-w` or a signal do), as in OpenBSD's nc.

use std::io;

use super::dump::Way;
use super::error::Error;
use super::feed::Feed;
use super::relay::Output;
use super::sink::Sink;
use crate::net::{Addr, DatagramSocket};

/// Room for the largest UDP datagram, and for Unix ones up to the default of
/// `net.core.wmem_max`.
const BUFFER: usize = 256 * 1024;

/// Exchanges datagrams with the peer that the socket is connected to, until nothing has moved for
/// the time in the settings or the feed quits. A missing peer is an error once the kernel learns of
/// it.
pub fn exchange(socket: &DatagramSocket, feed: &Feed, output: &mut Output) -> Result<(), Error> {
    feed.open(Sink::Datagrams(socket.clone()));
    let mut buffer = vec![0; BUFFER];
    let result = loop {
        socket.set_read_deadline(feed.idle_deadline());
        let bytes = match socket.recv(&mut buffer) {
            Ok(count) => buffer.get(..count).unwrap_or_default(),
            Err(error) if is_early(&error, feed) => continue,
            Err(error) => break ending(error, feed),
        };
        feed.note_activity();
        feed.show(Way::Received, bytes);
        if let Err(error) = output.write(feed, bytes) {
            break Err(error);
        }
    };
    feed.close();
    result
}

/// Receives from every peer, and sends the input to the one heard last. Calls `changed` for each
/// peer that differs from the one before.
///
/// Waits without a limit for the first datagram; after that like [`exchange`].
pub fn serve(
    socket: &DatagramSocket,
    feed: &Feed,
    output: &mut Output,
    mut changed: impl FnMut(&Addr),
) -> Result<(), Error> {
    let mut buffer = vec![0; BUFFER];
    let mut last: Option<Addr> = None;
    feed.listen(socket);
    loop {
        if last.is_some() {
            socket.set_read_deadline(feed.idle_deadline());
        }
        let (bytes, peer) = match socket.recv_from(&mut buffer) {
            Ok((count, peer)) => (buffer.get(..count).unwrap_or_default(), peer),
            Err(error) if is_early(&error, feed) => continue,
            Err(error) => return ending(error, feed),
        };
        if last.as_ref() != Some(&peer) {
            changed(&peer);
            // A Unix peer without a name cannot be answered.
            if peer != Addr::Unix(None) {
                feed.turn_to(Sink::Answers(socket.clone(), peer.clone()));
            }
            last = Some(peer);
        }
        feed.note_activity();
        feed.show(Way::Received, bytes);
        output.write(feed, bytes)?;
    }
}

/// Whether this deadline, right when the call began, is outdated because something was sent since.
fn is_early(error: &io::Error, feed: &Feed) -> bool {
    error.kind() == io::ErrorKind::TimedOut && !feed.idle_deadline().passed()
}

/// The result when the time, the socket or the exchange has ended.
fn ending(error: io::Error, feed: &Feed) -> Result<(), Error> {
    match feed.take_trouble() {
        Some(trouble) => Err(trouble),
        None if error.kind() == io::ErrorKind::TimedOut || feed.has_quit() => Ok(()),
        None => Err(Error::Receiving(error)),
    }
}
