//! One connection from its beginning to its end.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use super::dump::Way;
use super::error::Error;
use super::feed::{Feed, Sent, pieces};
use super::sink::Sink;
use super::telnet::Telnet;
use crate::net::{Conn, Deadline, Network};
use crate::sys::unsent;

/// How many bytes are read from a connection at once: as many as a pipe holds. Twice as many was
/// measured to be slower, because they no longer fit the processor's nearest caches. Unix records
/// are longer, at most the default of `net.core.wmem_max`.
const BUFFER: usize = 64 * 1024;
const RECORD: usize = 256 * 1024;
/// The longest single wait for the end of the connection; it is repeated.
const LONG: Duration = Duration::from_secs(3600);

/// Standard output, without a buffer.
#[derive(Debug)]
pub struct Output {
    file: File,
}

impl Output {
    /// The standard output of the process.
    pub fn standard() -> io::Result<Output> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Ok(Output { file })
    }

    /// Writes what was received, one line at a time if the settings say so.
    pub(super) fn write(&mut self, feed: &Feed, bytes: &[u8]) -> Result<(), Error> {
        let interval = feed.settings().interval;
        for piece in pieces(bytes, interval) {
            self.file.write_all(piece).map_err(Error::Output)?;
            if let Some(interval) = interval {
                feed.pause(interval);
            }
        }
        Ok(())
    }
}

/// How reading from the peer ended.
enum Heard {
    /// The peer half-closed or closed.
    All,
    /// Nothing has moved for too long.
    Idle,
}

/// Moves data both ways until both have ended; see the head of [the room](super). Blocks until
/// then, or until nothing has moved for the time in the settings.
pub fn relay(conn: &Conn, feed: &Feed, output: &mut Output) -> Result<(), Error> {
    feed.open(Sink::Stream(conn.clone()));
    let result = both(conn, feed, output);
    feed.close();
    match result {
        // The connection was broken on purpose.
        Err(Error::Receiving(_) | Error::Sending(_) | Error::Closed) if feed.has_quit() => Ok(()),
        other => other,
    }
}

fn both(conn: &Conn, feed: &Feed, output: &mut Output) -> Result<(), Error> {
    match receive(conn, feed, output)? {
        Heard::All if feed.ends_with_peer() || feed.has_quit() => {}
        Heard::All => wait_sent(conn, feed)?,
        Heard::Idle => {}
    }
    feed.take_trouble().map_or(Ok(()), Err)
}

/// Copies from the peer to standard output, until the end of the peer's stream.
fn receive(mut conn: &Conn, feed: &Feed, output: &mut Output) -> Result<Heard, Error> {
    let mut telnet = feed.settings().telnet.then(Telnet::default);
    let (mut data, mut reply) = (Vec::new(), Vec::new());
    let mut buffer = match conn.network() {
        Network::Unixpacket => vec![0; RECORD],
        _ => vec![0; BUFFER],
    };
    loop {
        conn.set_read_deadline(feed.idle_deadline());
        let bytes = match conn.read(&mut buffer) {
            Ok(0) => return Ok(Heard::All),
            Ok(count) => buffer.get(..count).unwrap_or_default(),
            Err(error) if Deadline::is_cause_of(&error) => {
                if feed.idle_deadline().passed() {
                    return Ok(Heard::Idle);
                }
                continue; // something was sent meanwhile
            }
            Err(error) => return Err(Error::Receiving(error)),
        };
        feed.note_activity();
        feed.show(Way::Received, bytes);
        let Some(telnet) = &mut telnet else {
            output.write(feed, bytes)?;
            continue;
        };
        telnet.take(bytes, &mut data, &mut reply);
        if !reply.is_empty() {
            feed.show(Way::Sent, &reply);
            match feed.write(conn, &reply) {
                Err(error) if Deadline::is_cause_of(&error) => return Ok(Heard::Idle),
                written => written.map_err(Error::Sending)?,
            }
        }
        output.write(feed, &data)?;
        data.clear();
        reply.clear();
    }
}

/// After the end of the peer's stream: waits until the input is sent, or the peer has gone.
///
/// Both show as the end of the connection. When the input ends, this side's half-close is the
/// second of the two. When the peer has closed, the kernel learns of it by a reset (TCP) or at once
/// (Unix).
fn wait_sent(conn: &Conn, feed: &Feed) -> Result<(), Error> {
    loop {
        let left = feed.idle_deadline().remaining().unwrap_or(LONG);
        let over = unsent::wait_for_end(conn.as_fd(), left.min(LONG)).map_err(Error::Receiving)?;
        if !over {
            if feed.idle_deadline().passed() {
                return Ok(());
            }
            continue;
        }
        return match feed.sent() {
            Sent::All => Ok(()),
            Sent::Failed(error) => Err(error),
            // The input is idle. On a Unix socket the peer has closed, and nothing is lost. On TCP
            // a reset has come, in answer to something that was sent.
            Sent::Open if conn.network().is_unix() => Ok(()),
            Sent::Open => Err(Error::Closed),
        };
    }
}
