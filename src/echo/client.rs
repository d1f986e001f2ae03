//! The other side of the conversation: ask and wait for the echo.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use crate::net::{Conn, DatagramSocket, Deadline, LineBuffer, Network};

/// Sends lines (or records) on a connection and reads the answers.
pub struct LineClient {
    conn: Conn,
    buffer: LineBuffer,
    timeout: Duration,
}

/// What the server returned for a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A line with its line end (or a record).
    Reply(Vec<u8>),
    /// The server closed the connection; this holds the incomplete reply.
    Closed(Vec<u8>),
}

impl LineClient {
    /// A client that waits at most `timeout` for each reply of at most `max_line` bytes.
    pub fn new(conn: Conn, max_line: usize, timeout: Duration) -> Self {
        Self {
            conn,
            buffer: LineBuffer::new(max_line),
            timeout,
        }
    }

    /// Sends one line and reads one. A line without a line end gets one, because the server waits
    /// for it. On a sequenced-packet connection the line is sent as it is, and may not be empty: an
    /// empty record looks like the end of the stream.
    pub fn ask(&mut self, line: &[u8]) -> io::Result<Asked> {
        self.conn.set_deadline(Deadline::after(self.timeout));
        if self.conn.network() == Network::Unixpacket {
            return self.ask_record(line);
        }
        if line.ends_with(b"\n") {
            self.conn.write_all(line)?;
        } else {
            self.conn.write_all(&[line, b"\n"].concat())?;
        }
        self.read_line()
    }

    fn ask_record(&mut self, record: &[u8]) -> io::Result<Asked> {
        if record.is_empty() {
            let why = "an empty record looks like the end of the stream";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        self.conn.write_all(record)?;
        let mut reply = vec![0; record.len() + 1];
        let count = self.conn.read(&mut reply)?;
        reply.truncate(count);
        Ok(if count == 0 {
            Asked::Closed(reply)
        } else {
            Asked::Reply(reply)
        })
    }

    fn read_line(&mut self) -> io::Result<Asked> {
        loop {
            if let Some(line) = self.buffer.next_line() {
                return Ok(Asked::Reply(line.to_vec()));
            }
            let count = self.conn.read(self.buffer.spare()?)?;
            if count == 0 {
                return Ok(Asked::Closed(self.buffer.rest().to_vec()));
            }
            self.buffer.filled(count);
        }
    }

    /// Half-closes, and passes what the server still sends to `show`, until the server closes too.
    pub fn finish(mut self, mut show: impl FnMut(&[u8])) -> io::Result<()> {
        self.conn.shutdown(Shutdown::Write)?;
        self.conn.set_read_deadline(Deadline::after(self.timeout));
        loop {
            match self.read_line()? {
                Asked::Reply(line) => show(&line),
                Asked::Closed(rest) => {
                    if !rest.is_empty() {
                        show(&rest);
                    }
                    return Ok(());
                }
            }
        }
    }
}

/// Asks on a connected datagram socket, and again when no answer comes: datagrams get lost.
pub struct DatagramClient {
    socket: DatagramSocket,
    timeout: Duration,
    attempts: u32,
    buffer: Vec<u8>,
}

/// No datagram came back.
#[derive(Debug)]
pub enum NoReply {
    /// Every attempt timed out.
    Silence {
        /// How often it was sent.
        attempts: u32,
        /// How long it waited for each.
        timeout: Duration,
    },
    /// The socket failed: refused (by an ICMP "port unreachable"), too long, no route.
    Failed(io::Error),
}

impl fmt::Display for NoReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoReply::Silence { attempts, timeout } => {
                let s = if *attempts == 1 { "" } else { "s" };
                write!(f, "no reply after {attempts} attempt{s} of {timeout:?}")
            }
            NoReply::Failed(error) => f.write_str(&crate::net::plain_words(error)),
        }
    }
}

impl std::error::Error for NoReply {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            NoReply::Silence { .. } => None,
            NoReply::Failed(error) => Some(error),
        }
    }
}

impl DatagramClient {
    /// A client that sends up to `attempts` times (at least once) and waits `timeout` for each.
    pub fn new(socket: DatagramSocket, timeout: Duration, attempts: u32) -> Self {
        Self {
            socket,
            timeout,
            attempts: attempts.max(1),
            buffer: Vec::new(),
        }
    }

    /// Sends a datagram and waits for its echo. Datagrams with other contents are skipped: they are
    /// late answers to earlier questions.
    pub fn ask(&mut self, bytes: &[u8]) -> Result<&[u8], NoReply> {
        self.buffer.resize(bytes.len() + 1, 0);
        for _ in 0..self.attempts {
            let deadline = Deadline::after(self.timeout);
            // The queue of a Unix server that does not read is full; that is silence, too.
            self.socket.set_write_deadline(deadline);
            match self.socket.send(bytes) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::TimedOut => continue,
                Err(error) => return Err(NoReply::Failed(error)),
            }
            self.socket.set_read_deadline(deadline);
            loop {
                match self.socket.recv(&mut self.buffer) {
                    Ok(count) if self.buffer.get(..count) == Some(bytes) => {
                        return Ok(self.buffer.get(..count).unwrap_or_default());
                    }
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::TimedOut => break,
                    Err(error) => return Err(NoReply::Failed(error)),
                }
            }
        }
        Err(NoReply::Silence {
            attempts: self.attempts,
            timeout: self.timeout,
        })
    }
}
