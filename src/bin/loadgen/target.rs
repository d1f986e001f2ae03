//! One connection to the server under load: send a request, take the reply, compare.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use groundwire::net::{self, Conn, DatagramSocket, Deadline, Dialer, Network, plain_words};

use crate::plan::Plan;

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No connection: refused, or no address.
    Connect,
    /// No whole reply in time.
    Timeout,
    /// The server closed or reset the connection.
    Closed,
    /// The reply is not the request.
    Mismatch,
    /// Anything else, with the system's number for it.
    Other(Option<i32>),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Trouble::Connect => "connection refused",
            Trouble::Timeout => "no reply in time",
            Trouble::Closed => "the server closed the connection",
            Trouble::Mismatch => "the reply is not the request",
            Trouble::Other(None) => "the request failed",
            Trouble::Other(Some(number)) => {
                return f.write_str(&plain_words(&io::Error::from_raw_os_error(*number)));
            }
        })
    }
}

/// Where a connection comes from: threads and connections take the sources by turns.
fn source(plan: &Plan, seed: u64) -> Option<SocketAddr> {
    let turn = (seed >> 32).wrapping_add(seed & u64::from(u32::MAX)) as usize;
    let source = plan.sources.get(turn % plan.sources.len().max(1))?;
    Some(SocketAddr::new(*source, 0))
}

/// An open connection and its request.
pub struct Target {
    socket: Socket,
    request: Vec<u8>,
    reply: Vec<u8>,
    timeout: Duration,
    sequence: u64,
}

enum Socket {
    /// A byte stream, or records (a record's reply comes in one read).
    Stream(Conn),
    Datagram(DatagramSocket),
}

/// Hexadecimal digits that number a request, at its beginning if it is long enough: so a late
/// reply to an earlier datagram is not taken for this one's.
const NUMBER: usize = 16;

/// The place of the number, if there is room for it. It never covers the line feed: without that, a
/// line would have no end, and get no reply.
fn number(line: &[u8]) -> Option<&[u8]> {
    line.split_last().and_then(|(_, text)| text.get(..NUMBER))
}

impl Target {
    /// Connects. `seed` makes its requests unlike others', so that a mixed-up reply is noticed. It is
    /// the number of the thread in the upper half and that of the connection in the lower one.
    pub fn open(plan: &Plan, seed: u64) -> Result<Self, net::Error> {
        let socket = if plan.network.is_stream() {
            // Keep-alive would cost three more system calls for each connection of --churn.
            let timeout = Some(plan.timeout);
            let dialer = Dialer {
                timeout,
                keep_alive: None,
                local: source(plan, seed),
                ..Dialer::default()
            };
            Socket::Stream(dialer.dial(plan.network, &plan.address)?)
        } else {
            Socket::Datagram(net::dial_datagrams(plan.network, &plan.address)?)
        };
        let request = payload(plan.size, seed);
        // One byte more, so that a longer reply is noticed.
        let reply = vec![0; plan.size + 1];
        Ok(Self {
            socket,
            request,
            reply,
            timeout: plan.timeout,
            sequence: 0,
        })
    }

    /// One request and its reply.
    pub fn exchange(&mut self) -> Result<(), Trouble> {
        self.send()?;
        self.receive()
    }

    /// Whether the connection is still open, without a request. A datagram socket has none to
    /// lose, so it counts as open.
    pub fn is_open(&self) -> bool {
        match &self.socket {
            Socket::Stream(conn) => conn.is_quiet(),
            Socket::Datagram(_) => true,
        }
    }

    /// Sends the next request.
    pub fn send(&mut self) -> Result<(), Trouble> {
        self.sequence += 1;
        let text = self.request.split_last_mut().map(|(_, text)| text);
        if let Some(number) = text.and_then(|text| text.get_mut(..NUMBER)) {
            number.copy_from_slice(format!("{:016x}", self.sequence).as_bytes());
        }
        let deadline = Deadline::after(self.timeout);
        match &mut self.socket {
            Socket::Stream(conn) => {
                conn.set_deadline(deadline);
                conn.write_all(&self.request)
                    .map_err(|error| trouble(&error))
            }
            Socket::Datagram(socket) => {
                socket.set_read_deadline(deadline);
                // A send blocks while the queue of a Unix peer that does not read is full.
                socket.set_write_deadline(deadline);
                socket
                    .send(&self.request)
                    .map(drop)
                    .map_err(|error| trouble(&error))
            }
        }
    }

    /// Waits for the reply and compares it.
    pub fn receive(&mut self) -> Result<(), Trouble> {
        match &mut self.socket {
            Socket::Stream(conn) if conn.network() == Network::Unixpacket => {
                let count = conn
                    .read(&mut self.reply)
                    .map_err(|error| trouble(&error))?;
                if count == 0 {
                    return Err(Trouble::Closed);
                }
                compare(&self.request, self.reply.get(..count).unwrap_or_default())
            }
            Socket::Stream(conn) => {
                let reply = self.reply.get_mut(..self.request.len()).unwrap_or_default();
                conn.read_exact(reply).map_err(|error| trouble(&error))?;
                compare(&self.request, reply)
            }
            Socket::Datagram(socket) => loop {
                let count = socket
                    .recv(&mut self.reply)
                    .map_err(|error| trouble(&error))?;
                let reply = self.reply.get(..count).unwrap_or_default();
                if number(reply) == number(&self.request) {
                    return compare(&self.request, reply);
                }
            },
        }
    }
}

fn compare(request: &[u8], reply: &[u8]) -> Result<(), Trouble> {
    if request == reply {
        Ok(())
    } else {
        Err(Trouble::Mismatch)
    }
}

fn trouble(error: &io::Error) -> Trouble {
    use io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, TimedOut, UnexpectedEof};
    match error.kind() {
        TimedOut => Trouble::Timeout,
        ConnectionRefused => Trouble::Connect,
        BrokenPipe | ConnectionReset | UnexpectedEof => Trouble::Closed,
        _ => Trouble::Other(error.raw_os_error()),
    }
}

/// A line of `size` bytes: printable pseudo-random text (SplitMix64) and a line feed.
fn payload(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        b'!' + ((mixed ^ (mixed >> 31)) % 94) as u8
    };
    let mut bytes: Vec<u8> = (0..size).map(|_| next()).collect();
    if let Some(last) = bytes.last_mut() {
        *last = b'\n';
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_one_line_of_the_asked_size_and_differs_by_seed() {
        for size in [1, 2, 128, 5000] {
            let bytes = payload(size, 7);
            assert_eq!(bytes.len(), size);
            assert_eq!(bytes.iter().position(|&b| b == b'\n'), Some(size - 1));
        }
        assert_ne!(payload(64, 1), payload(64, 2));
        assert_eq!(payload(64, 1), payload(64, 1));
    }

    #[test]
    fn a_reply_with_one_bit_changed_is_a_mismatch() {
        let request = payload(128, 1);
        for index in 0..request.len() {
            let mut reply = request.clone();
            reply[index] ^= 1;
            assert_eq!(compare(&request, &reply), Err(Trouble::Mismatch));
        }
        assert_eq!(compare(&request, &request[..127]), Err(Trouble::Mismatch));
    }
}
