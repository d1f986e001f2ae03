//! Live capture on one interface of this machine, or on all (Linux, `packet(7)`).
//!
//! Packets are shown as on the wire, with two corrections. On a loopback interface the kernel shows
//! each packet twice, as it leaves and as it arrives: one of the two is left out, as tcpdump does.
//! And a VLAN tag that the hardware has removed is put back in its place.
//!
//! "any", or a link whose header is not known here, gives Linux cooked packets, version 2:
//!
//! ```text
//! 0 protocol (2)  2 zero (2)  4 interface (4)  8 hardware (2)  10 packet type (1)
//! 11 address length (1)  12 address (8)  20 the payload
//! ```

use std::fmt;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use super::file::{MAX_PACKET, snap_or_most};
use super::{LinkType, Packet};
use crate::net::plain_words;
use crate::sys::packet::{self, Kind, Received, Seen, Take};
use crate::sys::poll::{self, Event};
use crate::sys::process;

/// The name that stands for all interfaces.
pub const ANY: &str = "any";

/// What to capture, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many bytes of a packet are kept at most; 0 means [`MAX_PACKET`].
    pub snap: u32,
    /// Whether the interface should also receive frames addressed to others.
    pub promiscuous: bool,
    /// The kernel's buffer for packets that wait to be read, in bytes; when it is full, packets are
    /// dropped.
    pub buffer: u32,
}

impl Default for Options {
    /// The defaults of tcpdump: whole packets, promiscuous, 2 MiB.
    fn default() -> Self {
        Self {
            snap: MAX_PACKET,
            promiscuous: true,
            buffer: 2 << 20,
        }
    }
}

/// A running capture.
#[derive(Debug)]
pub struct Live {
    socket: OwnedFd,
    link: LinkType,
    /// The index of the loopback interface.
    loopback: Option<u32>,
    snap: usize,
    buffer: Vec<u8>,
    counts: Counts,
    /// Whether the last read found no packet.
    idle: bool,
    stop: Stop,
    /// Reaches its end when `stop` is used.
    stopped: UnixStream,
}

/// Ends a capture, from any thread.
#[derive(Clone, Debug)]
pub struct Stop {
    flag: Arc<AtomicBool>,
    wake: Arc<UnixStream>,
}

impl Stop {
    /// Wakes the capture: its next packet is [`Arrival::Stopped`].
    pub fn stop(&self) {
        self.flag.store(true, Ordering::Relaxed);
        // It can fail only if it was done before.
        let _ = self.wake.shutdown(Shutdown::Both);
    }
}

/// What the capture returns next.
#[derive(Clone, Copy, Debug)]
pub enum Arrival<'a> {
    /// A packet.
    Packet(Packet<'a>),
    /// No packet is waiting: time to show buffered output. The next call blocks.
    Idle,
    /// [`Stop::stop`] was called.
    Stopped,
}

/// How many packets passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All packets that the socket has seen, including dropped ones.
    pub arrived: u64,
    /// Packets for which the kernel had no room.
    pub dropped: u64,
}

/// Why a capture could not begin, or ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum LiveError {
    /// The process lacks a capability that capturing needs.
    NotPermitted,
    /// There is no such interface, or it could not be looked for.
    Interface(io::Error),
    /// The kernel refused this step.
    Setup(&'static str, io::Error),
    /// The interface went down or was removed, or receiving failed.
    Lost(io::Error),
}

impl fmt::Display for LiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPermitted => f.write_str(
                "not permitted: run it with sudo, or give the program the right once: \
                 sudo setcap cap_net_raw+ep PATH",
            ),
            Self::Interface(error) if is_away(error) => {
                f.write_str("no such interface (-D lists them)")
            }
            Self::Interface(error) => write!(f, "looking for it: {}", plain_words(error)),
            Self::Setup(what, error) => write!(f, "{what}: {}", plain_words(error)),
            Self::Lost(error) if is_away(error) => {
                let why = plain_words(error);
                write!(f, "the interface went down or away: {why}")
            }
            Self::Lost(error) => write!(f, "receiving: {}", plain_words(error)),
        }
    }
}

/// Whether the interface is gone or down (ENXIO, ENODEV, ENETDOWN).
fn is_away(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(6 | 19 | 100))
}

impl std::error::Error for LiveError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NotPermitted => None,
            Self::Interface(error) | Self::Setup(_, error) | Self::Lost(error) => Some(error),
        }
    }
}

/// Kinds of interfaces (`net/if_arp.h`).
const ARPHRD_ETHER: u16 = 1;
const ARPHRD_LOOPBACK: u16 = 772;
/// No header: a tunnel.
const ARPHRD_NONE: u16 = 65_534;
/// Sent by this machine (`linux/if_packet.h`).
const PACKET_OUTGOING: u8 = 4;
/// The length of a cooked header; a VLAN tag of 4 bytes fits into the same room.
const COOKED: usize = 20;
/// The offset of the EtherType in a frame.
const TAG_AT: usize = 12;

impl Live {
    /// Starts to capture on the interface of this name; "any" means all. Packets wait in the kernel
    /// from now on.
    pub fn open(interface: &str, options: Options) -> Result<Self, LiveError> {
        let index = match interface {
            ANY => 0,
            name => process::interface_index(name).map_err(LiveError::Interface)?,
        };
        let (socket, link) = socket(index)?;
        let setup = |what| move |error| LiveError::Setup(what, error);
        let room = i32::try_from(options.buffer).unwrap_or(i32::MAX);
        packet::set_buffer(socket.as_fd(), room).map_err(setup("buffer size"))?;
        if options.promiscuous && index != 0 {
            let set = packet::promiscuous(socket.as_fd(), index);
            set.map_err(setup("promiscuous mode"))?;
        }
        let loopback = process::interface_index("lo").ok();
        if Some(index) == loopback {
            // Otherwise each packet takes room twice, and counts twice if it is dropped. A kernel
            // that cannot do this shows both copies; `is_copy` leaves one out.
            let _ = packet::ignore_outgoing(socket.as_fd());
        }
        packet::bind(socket.as_fd(), index, Take::All).map_err(LiveError::Lost)?;
        let (wake, stopped) = UnixStream::pair().map_err(setup("a pair of sockets"))?;
        let snap = snap_or_most(options.snap) as usize;
        Ok(Self {
            socket,
            link,
            loopback,
            snap,
            buffer: vec![0; COOKED + snap],
            counts: Counts::default(),
            idle: false,
            stop: Stop {
                flag: Arc::default(),
                wake: Arc::new(wake),
            },
            stopped,
        })
    }

    /// The kind of header that its packets begin with.
    pub fn link(&self) -> LinkType {
        self.link
    }

    /// A handle that ends it.
    pub fn stopper(&self) -> Stop {
        self.stop.clone()
    }

    /// How many packets passed so far.
    pub fn counts(&mut self) -> Counts {
        // The kernel counts from the last query.
        if let Ok((arrived, dropped)) = packet::counts(self.socket.as_fd()) {
            self.counts.arrived += u64::from(arrived);
            self.counts.dropped += u64::from(dropped);
        }
        self.counts
    }

    /// The next packet. Blocks until there is one or the capture is stopped, but returns
    /// [`Arrival::Idle`] once before it blocks.
    pub fn next_packet(&mut self) -> Result<Arrival<'_>, LiveError> {
        let received = loop {
            if self.stop.flag.load(Ordering::Relaxed) {
                return Ok(Arrival::Stopped);
            }
            let room = self.buffer.get_mut(COOKED..).unwrap_or_default();
            match packet::receive_now(self.socket.as_fd(), room) {
                Ok(received) if self.is_copy(&received) => {}
                Ok(received) => break received,
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock if self.idle => self.wait()?,
                    io::ErrorKind::WouldBlock => {
                        self.idle = true;
                        return Ok(Arrival::Idle);
                    }
                    _ => return Err(LiveError::Lost(error)),
                },
            }
        };
        self.idle = false;
        Ok(Arrival::Packet(self.packet(&received)))
    }

    /// Whether a packet is the outgoing copy of one that will also arrive.
    fn is_copy(&self, received: &Received) -> bool {
        let seen = received.seen;
        seen.packet_type == PACKET_OUTGOING && Some(seen.interface) == self.loopback
    }

    fn wait(&self) -> Result<(), LiveError> {
        let watched = [
            (self.socket.as_fd(), Event::Readable),
            (self.stopped.as_fd(), Event::Readable),
        ];
        match poll::wait(watched, None) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(LiveError::Lost(error)),
            _ => Ok(()),
        }
    }

    /// Completes the packet: writes the missing header before the bytes, which begin at [`COOKED`].
    fn packet(&mut self, received: &Received) -> Packet<'_> {
        let more = match (self.link, received.tag) {
            (LinkType::LINUX_SLL2, _) => put(&mut self.buffer, 0, &cooked_header(&received.seen)),
            (LinkType::ETHERNET, Some(tag)) if received.len >= TAG_AT => {
                self.buffer.copy_within(COOKED..COOKED + TAG_AT, COOKED - 4);
                let (ether_type, tag) = tag;
                let [a, b] = ether_type.to_be_bytes();
                let [c, d] = tag.to_be_bytes();
                put(&mut self.buffer, COOKED - 4 + TAG_AT, &[a, b, c, d])
            }
            _ => 0,
        };
        let begins = COOKED - more;
        let ends = (COOKED + received.len).min(begins + self.snap);
        Packet {
            time: received.time.unwrap_or_else(now),
            link: self.link,
            length: u32::try_from(received.length + more).unwrap_or(u32::MAX),
            interface: 0,
            bytes: self.buffer.get(begins..ends).unwrap_or_default(),
        }
    }
}

/// A packet socket for the interface, with or without the link's header, and the kind of header
/// that its packets begin with.
fn socket(index: u32) -> Result<(OwnedFd, LinkType), LiveError> {
    if index != 0 {
        let socket = packet::open(Kind::Raw).map_err(refused)?;
        packet::bind(socket.as_fd(), index, Take::Nothing).map_err(LiveError::Interface)?;
        let hardware = packet::hardware(socket.as_fd());
        match hardware.map_err(|error| LiveError::Setup("kind of interface", error))? {
            ARPHRD_ETHER | ARPHRD_LOOPBACK => return Ok((socket, LinkType::ETHERNET)),
            ARPHRD_NONE => return Ok((socket, LinkType::RAW)),
            _ => {}
        }
    }
    let socket = packet::open(Kind::Cooked).map_err(refused)?;
    Ok((socket, LinkType::LINUX_SLL2))
}

fn refused(error: io::Error) -> LiveError {
    match error.kind() {
        io::ErrorKind::PermissionDenied => LiveError::NotPermitted,
        _ => LiveError::Setup("packet socket", error),
    }
}

fn cooked_header(seen: &Seen) -> [u8; COOKED] {
    let mut header = [0; COOKED];
    put(&mut header, 0, &seen.protocol.to_be_bytes());
    put(&mut header, 4, &seen.interface.to_be_bytes());
    put(&mut header, 8, &seen.hardware.to_be_bytes());
    put(&mut header, 10, &[seen.packet_type, seen.address_length]);
    put(&mut header, 12, &seen.address);
    header
}

/// Puts bytes at an offset; returns how many.
fn put(into: &mut [u8], at: usize, bytes: &[u8]) -> usize {
    for (place, byte) in into.iter_mut().skip(at).zip(bytes) {
        *place = *byte;
    }
    bytes.len()
}

fn now() -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_interface_that_is_away_is_said_to_be_away() {
        let error = io::Error::from_raw_os_error;
        for (error, said) in [
            (
                LiveError::Interface(error(19)),
                "no such interface (-D lists them)",
            ),
            (LiveError::Interface(error(24)), "looking for it: "),
            (
                LiveError::Lost(error(100)),
                "the interface went down or away: ",
            ),
            (LiveError::Lost(error(12)), "receiving: "),
        ] {
            let text = error.to_string();
            assert!(
                text.starts_with(said) && !text.contains("os error"),
                "{text}"
            );
        }
    }
}
