//! Datagrams: no connection, so no end but the user's.
//!
//! A datagram is what one read of the input gave: from a terminal a line, from a file as many bytes
//! as a piece has. UDP cannot say that nothing more will come, so the end of the input ends nothing
//! (`-q`, `-w` or a signal do), as with OpenBSD's nc.

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

/// Talks to the peer that the socket is connected to, until nothing has moved for the time in the
/// settings or the feed quits. A peer that is not there is an error when the kernel hears of it.
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

/// Hears everybody, and sends the input to whoever was heard last. Tells `changed` of each peer
/// that was not the last one.
///
/// Waits without a limit for the first datagram; from then on as [`exchange`].
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

/// Whether the time is over that was right when the call began, but something was sent since.
fn is_early(error: &io::Error, feed: &Feed) -> bool {
    error.kind() == io::ErrorKind::TimedOut && !feed.idle_deadline().passed()
}

/// The end of the time, of the socket, or a failure.
fn ending(error: io::Error, feed: &Feed) -> Result<(), Error> {
    match feed.take_trouble() {
        Some(trouble) => Err(trouble),
        None if error.kind() == io::ErrorKind::TimedOut || feed.has_quit() => Ok(()),
        None => Err(Error::Receiving(error)),
    }
}
