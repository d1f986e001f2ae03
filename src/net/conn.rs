//! `Conn`: one type over TCP, Unix stream and Unix sequenced-packet connections.
//!
//! A handler written for a `Conn` serves all of them. A `Conn` is a handle: cloning it costs no
//! descriptor and no system call, all clones share the socket and its deadlines, and the socket
//! closes when the last one is dropped. Reads and writes take `&self`, so one thread may read
//! while another writes, or a third calls [`Conn::shutdown`] to wake both.
//!
//! What can go wrong, and what this type does about it:
//!
//! - A peer that sends or reads slowly: both directions have a [`Deadline`].
//! - Closing a TCP socket that holds unread bytes sends a reset, which may overtake and destroy our
//!   last reply on its way (RFC 9293 §3.6.1, RFC 2525 §2.17): [`Conn::close`] first half-closes,
//!   then reads until the peer has closed too.
//! - On a sequenced-packet socket one read returns one record, and what does not fit the buffer
//!   is lost; a record of no bytes looks like the end of the stream.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Network;
use super::deadline::{Deadline, Timer};
use crate::sys::poll::{self, Event};
use crate::sys::socket::{self, Credentials};
use crate::sys::unsent;

/// The first and the longest pause between two checks of what the peer has acknowledged.
const ACKNOWLEDGED_LOOKS: (Duration, Duration) =
    (Duration::from_millis(1), Duration::from_millis(50));

/// The most bytes in one blocking write to a Unix stream. The kernel splits a longer write into
/// pieces of about 36 KiB and waits up to the whole time-out for each, so a peer that reads each
/// piece just in time would renew the deadline.
const UNIX_PIECE: usize = 32 * 1024;

/// The address of a socket's end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Addr {
    /// An IP address and port.
    Ip(SocketAddr),
    /// A Unix socket's path (an abstract name begins with `@`), `None` for a socket that was
    /// never bound, as most clients' are.
    Unix(Option<PathBuf>),
}

impl Addr {
    /// The IP address and port, `None` for Unix sockets.
    pub fn ip(&self) -> Option<SocketAddr> {
        match self {
            Addr::Ip(address) => Some(*address),
            Addr::Unix(_) => None,
        }
    }

    pub(crate) fn from_unix(address: &std::os::unix::net::SocketAddr) -> Self {
        if let Some(path) = address.as_pathname() {
            return Addr::Unix(Some(path.to_path_buf()));
        }
        let name = address.as_abstract_name().map(|name| {
            let mut text = vec![b'@'];
            text.extend_from_slice(name);
            PathBuf::from(std::ffi::OsStr::from_bytes(&text))
        });
        Addr::Unix(name)
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Addr::Ip(address) => address.fmt(f),
            Addr::Unix(Some(path)) => path.display().fmt(f),
            Addr::Unix(None) => f.write_str("unnamed"),
        }
    }
}

/// What ended a wait by [`Conn::wait_readable_or_end`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// This connection has bytes to read or has ended, whatever the state of the other.
    Readable,
    /// The other connection has ended, and this one has nothing to read yet.
    OtherEnded,
    /// The deadline has passed.
    TimedOut,
}

/// A connected stream or sequenced-packet socket.
#[derive(Clone)]
pub struct Conn {
    inner: Arc<Inner>,
}

struct Inner {
    stream: Stream,
    network: Network,
    peer: Addr,
    reading: Timer,
    writing: Timer,
    /// Set by [`Conn::poll_before_read`].
    polls: AtomicBool,
}

enum Stream {
    Tcp(TcpStream),
    /// Also a sequenced-packet socket: std makes the same system calls on it.
    Unix(UnixStream),
}

impl Conn {
    /// Takes over a connected TCP socket. A non-blocking one becomes blocking, for all its
    /// descriptors: the calls here wait, up to their deadlines.
    pub fn from_tcp(stream: TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(false)?;
        let peer = stream.peer_addr()?;
        Ok(Self::with_tcp(stream, Network::Tcp, peer))
    }

    /// Takes over a connected Unix stream socket, and makes it blocking in the same way.
    pub fn from_unix(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(false)?;
        let peer = Addr::from_unix(&stream.peer_addr()?);
        Ok(Self::with_unix(stream, Network::Unix, peer))
    }

    /// Two connected Unix streams: a connection without a network, for tests and lessons.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (a, b) = UnixStream::pair()?;
        Ok((Self::from_unix(a)?, Self::from_unix(b)?))
    }

    pub(crate) fn with_tcp(stream: TcpStream, network: Network, peer: SocketAddr) -> Self {
        Self::new(Stream::Tcp(stream), network, Addr::Ip(peer))
    }

    pub(crate) fn with_unix(stream: UnixStream, network: Network, peer: Addr) -> Self {
        Self::new(Stream::Unix(stream), network, peer)
    }

    /// The same, after a `connect` that has left some write time-out on the socket.
    pub(crate) fn dialled(self) -> Self {
        self.inner.writing.fired();
        self
    }

    fn new(stream: Stream, network: Network, peer: Addr) -> Self {
        let (reading, writing) = (Timer::new(), Timer::new());
        Self {
            inner: Arc::new(Inner {
                stream,
                network,
                peer,
                reading,
                writing,
                polls: AtomicBool::new(false),
            }),
        }
    }

    /// The network that the connection was made on.
    pub fn network(&self) -> Network {
        self.inner.network
    }

    /// The address of the other end.
    pub fn peer_addr(&self) -> &Addr {
        &self.inner.peer
    }

    /// The address of this end.
    pub fn local_addr(&self) -> io::Result<Addr> {
        match &self.inner.stream {
            Stream::Tcp(stream) => stream.local_addr().map(Addr::Ip),
            Stream::Unix(stream) => stream.local_addr().map(|a| Addr::from_unix(&a)),
        }
    }

    /// The process at the other end of a Unix socket; fails on TCP.
    pub fn peer_credentials(&self) -> io::Result<Credentials> {
        match &self.inner.stream {
            Stream::Tcp(_) => Err(io::Error::from(io::ErrorKind::Unsupported)),
            Stream::Unix(stream) => socket::peer_credentials(stream.as_fd()),
        }
    }

    /// Sets both deadlines.
    pub fn set_deadline(&self, deadline: Deadline) {
        self.set_read_deadline(deadline);
        self.set_write_deadline(deadline);
    }

    /// Sets the moment after which reads fail with `TimedOut`, even if bytes are there.
    ///
    /// It holds for calls that begin after it was set; a read that already blocks without a
    /// deadline goes on (wake it with [`Conn::shutdown`]).
    pub fn set_read_deadline(&self, deadline: Deadline) {
        self.inner.reading.set(deadline);
    }

    /// Sets the moment after which writes fail with `TimedOut`; it holds as the read deadline does.
    pub fn set_write_deadline(&self, deadline: Deadline) {
        self.inner.writing.set(deadline);
    }

    /// Whether reads of a Unix stream wait in `poll`; on other sockets this changes nothing.
    ///
    /// When the peer takes what was written here, the kernel reports room for more to all who sleep
    /// on this socket, a reader in `recv` included, which only goes to sleep again. Nobody is woken
    /// who waits in `poll` for something to read. That is one system call more for each read, and up
    /// to one thread switch less.
    pub(crate) fn poll_before_read(&self, on: bool) {
        let (polls, on) = (&self.inner.polls, on && self.network() == Network::Unix);
        if polls.load(Ordering::Relaxed) != on {
            polls.store(on, Ordering::Relaxed);
        }
    }

    /// Ends one direction or both, for all clones. `Write` is the half-close: the peer reads
    /// the end of the stream, and its replies still arrive. `Read` wakes a blocked reader, which
    /// gets what had arrived and then the end of the stream.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match &self.inner.stream {
            Stream::Tcp(stream) => stream.shutdown(how),
            Stream::Unix(stream) => stream.shutdown(how),
        }
    }

    /// Half-closes, then reads and drops what the peer still sends until it closes as well,
    /// `deadline` passes, or `limit` bytes have arrived. So no reset destroys our last bytes.
    /// Returns how many bytes were dropped.
    pub fn close(self, deadline: Deadline, limit: u64) -> u64 {
        let mut dropped = 0;
        if self.shutdown(Shutdown::Write).is_err() {
            return dropped; // already reset: nothing left to protect
        }
        self.set_read_deadline(deadline);
        let mut buffer = [0; 4096];
        while dropped < limit {
            match (&self).read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(count) => dropped += count as u64,
            }
        }
        dropped
    }

    /// Blocks until the peer's kernel has acknowledged all that was written, at most until
    /// `deadline`; returns whether it has. Also returns when the connection is reset or shut down
    /// in both directions. Bytes written to a Unix socket are in the peer's socket at once.
    pub fn wait_acknowledged(&self, deadline: Deadline) -> bool {
        let Stream::Tcp(stream) = &self.inner.stream else {
            return true;
        };
        // The kernel has no event for this. So the wait is for the end of the connection, in short
        // pauses with a check between them. The first check nearly always suffices.
        let mut pause = ACKNOWLEDGED_LOOKS.0;
        loop {
            match unsent::unacknowledged(stream.as_fd()) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
            let left = deadline.remaining().unwrap_or(pause);
            if left.is_zero() {
                return false;
            }
            match unsent::wait_for_end(stream.as_fd(), pause.min(left)) {
                Ok(false) => {}
                Ok(true) | Err(_) => return false,
            }
            pause = (pause * 2).min(ACKNOWLEDGED_LOOKS.1);
        }
    }

    /// Blocks for the next record of a sequenced-packet connection and returns its length, without
    /// taking it: a read with less room would lose the rest of it. 0 is the end of the stream, or an
    /// empty record. (On a stream it is 1 while bytes wait.)
    pub fn next_record_len(&self) -> io::Result<usize> {
        self.within_deadline(Direction::Read, |_| socket::peek_len(self.as_fd()))
    }

    /// Makes the close a reset: when the last clone is dropped, unsent bytes are thrown away.
    pub fn reset_on_close(&self) -> io::Result<()> {
        socket::set_linger(self.as_fd(), Some(0))
    }

    /// Whether an idle connection can be used again: the peer has neither closed it nor sent
    /// unrequested bytes. One system call, never blocks.
    pub fn is_quiet(&self) -> bool {
        socket::peek_now(self.as_fd()).is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock)
    }

    /// Blocks until this connection has bytes to read or has ended, or until `other` has ended: its
    /// peer has closed, half-closed or reset it, or another thread has shut it down for reading.
    /// One system call, and nothing is read; unread bytes on `other` do not matter.
    ///
    /// For a proxy, say, that waits for an answer on behalf of a client (`other`) that may leave.
    /// Checks once even when `deadline` has already passed; the deadlines of the two connections
    /// are not used.
    pub fn wait_readable_or_end(&self, other: &Conn, deadline: Deadline) -> io::Result<Ready> {
        let both = [
            (self.as_fd(), Event::Readable),
            (other.as_fd(), Event::EndOfReading),
        ];
        loop {
            let left = deadline.remaining();
            match poll::wait(both, left) {
                Ok([true, _]) => return Ok(Ready::Readable),
                Ok([_, true]) => return Ok(Ready::OtherEnded),
                Ok(_) if left == Some(Duration::ZERO) => return Ok(Ready::TimedOut),
                // Time is over, or the deadline is further off than one call can wait.
                Ok(_) => {}
                // Not restarted after a signal or SIGSTOP (signal(7)).
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Blocks until this connection has ended in both directions (each half-closed, or both at once
    /// by a reset or by [`shutdown`](Self::shutdown) on another thread), or until `other` has ended
    /// as above; returns whether only this one has. Unread bytes do not matter.
    ///
    /// For a relay that has read the end of this one and goes on reading from `other`: while that
    /// is silent, it would not notice that this peer has left altogether.
    pub fn ends_before(&self, other: &Conn) -> bool {
        let both = [
            (self.as_fd(), Event::End),
            (other.as_fd(), Event::EndOfReading),
        ];
        loop {
            match poll::wait(both, None) {
                // Not restarted after a signal or SIGSTOP (signal(7)).
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                ended => return ended.map_or(true, |[_, other]| !other),
            }
        }
    }

    /// Writes all parts, in order, as if they were one slice: a header and a body need not be
    /// joined first. One system call when everything fits in the socket's buffer. Blocks, and
    /// fails, as `write_all` does; the parts are used up either way.
    pub fn write_all_vectored(&self, mut parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        IoSlice::advance_slices(&mut parts, 0); // skips empty parts at the front
        while !parts.is_empty() {
            match (&*self).write_vectored(parts)? {
                0 => return Err(io::Error::from(io::ErrorKind::WriteZero)),
                written => IoSlice::advance_slices(&mut parts, written),
            }
        }
        Ok(())
    }

    fn set_timeout(&self, direction: Direction, timeout: Option<Duration>) -> io::Result<()> {
        match (&self.inner.stream, direction) {
            (Stream::Tcp(stream), Direction::Read) => stream.set_read_timeout(timeout),
            (Stream::Tcp(stream), Direction::Write) => stream.set_write_timeout(timeout),
            (Stream::Unix(stream), Direction::Read) => stream.set_read_timeout(timeout),
            (Stream::Unix(stream), Direction::Write) => stream.set_write_timeout(timeout),
        }
    }

    /// A read that waits in `poll`. What was there then may be gone: another thread may read as well.
    fn read_polled(&self, buffer: &mut [u8]) -> io::Result<usize> {
        use io::ErrorKind::{Interrupted, WouldBlock};
        loop {
            let left = self.inner.reading.left()?;
            let result = poll::wait([(self.as_fd(), Event::Readable)], left)
                .and_then(|_| socket::recv_now(self.as_fd(), buffer));
            match result {
                Err(error) if matches!(error.kind(), WouldBlock | Interrupted) => {}
                other => return other,
            }
        }
    }

    /// First tries to write without waiting. The socket's buffer nearly always has room, so most
    /// connections never need the system call that arms the write time-out.
    fn write_by(
        &self,
        now: impl FnOnce(BorrowedFd<'_>) -> io::Result<usize>,
        waiting: impl FnMut(&Stream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        use io::ErrorKind::{Interrupted, WouldBlock};
        self.inner.writing.check()?;
        match now(self.as_fd()) {
            Err(error) if matches!(error.kind(), WouldBlock | Interrupted) => {}
            other => return other,
        }
        self.within_deadline(Direction::Write, waiting)
    }

    /// The part of these bytes for one blocking write to a Unix socket; a record goes whole.
    fn piece<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        match bytes.get(..UNIX_PIECE) {
            Some(piece) if !self.keeps_records() => piece,
            _ => bytes,
        }
    }

    fn keeps_records(&self) -> bool {
        self.inner.network == Network::Unixpacket
    }

    /// Repeats a blocking call until it succeeds, fails for good, or its deadline passes.
    fn within_deadline(
        &self,
        direction: Direction,
        mut call: impl FnMut(&Stream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let timer = match direction {
            Direction::Read => &self.inner.reading,
            Direction::Write => &self.inner.writing,
        };
        timer.repeat(
            |timeout| self.set_timeout(direction, timeout),
            || call(&self.inner.stream),
        )
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Read,
    Write,
}

impl Read for &Conn {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.inner.polls.load(Ordering::Relaxed) {
            return self.read_polled(buffer);
        }
        self.within_deadline(Direction::Read, |stream| match stream {
            Stream::Tcp(stream) => (&*stream).read(buffer),
            Stream::Unix(stream) => (&*stream).read(buffer),
        })
    }
}

impl Write for &Conn {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_by(
            |fd| socket::send_now(fd, bytes),
            |stream| match stream {
                Stream::Tcp(stream) => (&*stream).write(bytes),
                Stream::Unix(stream) => (&*stream).write(self.piece(bytes)),
            },
        )
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write_by(
            |fd| socket::send_parts_now(fd, parts),
            |stream| match stream {
                Stream::Tcp(stream) => (&*stream).write_vectored(parts),
                Stream::Unix(stream) if self.keeps_records() => (&*stream).write_vectored(parts),
                Stream::Unix(stream) => {
                    let part = parts.iter().find(|part| !part.is_empty());
                    (&*stream).write(self.piece(part.map_or(&[], |part| part)))
                }
            },
        )
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(()) // nothing is buffered on this side of the system call
    }
}

impl Read for Conn {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }
}

impl Write for Conn {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Conn {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.inner.stream {
            Stream::Tcp(stream) => stream.as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
        }
    }
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Conn({} {})", self.inner.network, self.inner.peer)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;
    use std::time::Instant;

    use super::*;

    fn polled_pair() -> (Conn, Conn) {
        let (ours, theirs) = Conn::pair().unwrap();
        ours.poll_before_read(true);
        assert!(ours.inner.polls.load(Ordering::Relaxed));
        (ours, theirs)
    }

    #[test]
    fn a_polled_read_gives_what_came_then_the_end_and_keeps_its_deadline() {
        let (mut ours, mut theirs) = polled_pair();
        let mut buffer = [0; 8];
        ours.set_read_deadline(Deadline::after(Duration::from_millis(20)));
        let error = ours.read(&mut buffer).unwrap_err();
        assert!(Deadline::is_cause_of(&error), "{error}");
        theirs.write_all(b"late").unwrap();
        let error = ours.read(&mut buffer).unwrap_err();
        assert!(Deadline::is_cause_of(&error), "{error}");
        ours.set_read_deadline(Deadline::after(Duration::from_secs(60)));
        assert_eq!(ours.read(&mut buffer).unwrap(), 4);
        drop(theirs);
        assert_eq!(ours.read(&mut buffer).unwrap(), 0);
    }

    #[test]
    fn a_shutdown_ends_a_polled_read() {
        let (ours, _theirs) = polled_pair();
        let other = ours.clone();
        let reader = thread::spawn(move || (&other).read(&mut [0; 8]));
        ours.shutdown(Shutdown::Read).unwrap();
        assert_eq!(reader.join().unwrap().unwrap(), 0);
    }

    #[test]
    fn of_two_polled_readers_one_gets_what_came_and_the_other_waits_on() {
        let (ours, mut theirs) = polled_pair();
        let until = Instant::now() + Duration::from_secs(60);
        ours.set_read_deadline(Deadline::at(until));
        let both = Barrier::new(3);
        let read = || {
            both.wait();
            (&ours).read(&mut [0; 1]).unwrap()
        };
        thread::scope(|scope| {
            let readers = [scope.spawn(read), scope.spawn(read)];
            both.wait();
            theirs.write_all(b"x").unwrap();
            theirs.write_all(b"y").unwrap();
            assert_eq!(readers.map(|reader| reader.join().unwrap()), [1, 1]);
        });
        assert!(Instant::now() < until);
    }

    #[test]
    fn only_unix_streams_are_polled() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let conn = Conn::from_tcp(stream).unwrap();
        conn.poll_before_read(true);
        assert!(!conn.inner.polls.load(Ordering::Relaxed));
    }
}
