//! A client that sends what a test says, byte for byte, and reads answers with a reader of its own.

use std::io::{Read, Write};
use std::net::Shutdown;

use groundwire::net::{Conn, Deadline};

use crate::plain::{Not, Plain, message};
use crate::support::{PATIENCE, connect};

pub struct Client {
    pub conn: Conn,
    waiting: Vec<u8>,
}

/// How a connection ended that should have brought an answer.
#[derive(Debug)]
pub struct Cut {
    /// What had come of it.
    pub heard: Vec<u8>,
}

impl Client {
    pub fn to(address: &str) -> Self {
        Self::of(connect(address))
    }

    pub fn of(conn: Conn) -> Self {
        Self {
            conn,
            waiting: Vec::new(),
        }
    }

    pub fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_say(bytes).unwrap();
    }

    pub fn try_say(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.conn.set_write_deadline(Deadline::after(PATIENCE));
        self.conn.write_all(bytes.as_ref())
    }

    /// A GET that keeps the connection.
    pub fn get(&mut self, path: &str) -> Plain {
        self.say(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        self.answer("GET")
    }

    /// The next answer, which must be whole.
    pub fn answer(&mut self, method: &str) -> Plain {
        self.whole_or_cut(method)
            .unwrap_or_else(|cut| panic!("cut: {}", String::from_utf8_lossy(&cut.heard)))
    }

    /// The next answer, or how the connection ended in the middle of it.
    pub fn whole_or_cut(&mut self, method: &str) -> Result<Plain, Cut> {
        let mut end = None;
        loop {
            // Only an orderly end ends a body that has no other end.
            match message(&self.waiting, Some(method), end == Some(false)) {
                Ok((plain, length)) => {
                    self.waiting.drain(..length);
                    return Ok(plain);
                }
                Err(Not::Whole) => {}
                Err(Not::Plain(fault)) => panic!("the proxy wrote {fault}"),
            }
            if end.is_some() {
                let heard = std::mem::take(&mut self.waiting);
                return Err(Cut { heard });
            }
            end = self.more();
        }
    }

    /// Reads more. At the end, whether that was a reset.
    fn more(&mut self) -> Option<bool> {
        let mut part = vec![0; 64 * 1024];
        self.conn.set_read_deadline(Deadline::after(PATIENCE));
        match self.conn.read(&mut part) {
            Ok(0) => Some(false),
            Ok(count) => {
                self.waiting.extend_from_slice(&part[..count]);
                None
            }
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                panic!("nothing more came, nor the end")
            }
            Err(_) => Some(true),
        }
    }

    /// At least this many bytes of what comes.
    pub fn at_least(&mut self, least: usize) -> Vec<u8> {
        while self.waiting.len() < least {
            assert_eq!(self.more(), None, "ended");
        }
        std::mem::take(&mut self.waiting)
    }

    /// Reads until these are among what has come, and leaves all of it to be read.
    pub fn sees(&mut self, bytes: &[u8]) {
        while !self.waiting.windows(bytes.len()).any(|w| w == bytes) {
            assert_eq!(self.more(), None, "ended");
        }
    }

    /// The next head, as text; what follows is still to be read.
    pub fn head(&mut self) -> String {
        self.sees(b"\r\n\r\n");
        let end = self.waiting.windows(4).position(|w| w == b"\r\n\r\n");
        let head = self.waiting.drain(..end.unwrap() + 4).collect();
        String::from_utf8(head).unwrap()
    }

    /// All that comes up to the end of the connection.
    pub fn rest(&mut self) -> Vec<u8> {
        while self.more().is_none() {}
        std::mem::take(&mut self.waiting)
    }

    /// Waits for the end of the connection, before which nothing may come.
    pub fn ended(&mut self) {
        let rest = self.rest();
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }

    /// Says that nothing more comes.
    pub fn finish(&mut self) {
        self.conn.shutdown(Shutdown::Write).unwrap();
    }
}

/// Bytes as they come.
impl Read for Client {
    fn read(&mut self, part: &mut [u8]) -> std::io::Result<usize> {
        if self.waiting.is_empty() {
            return self.conn.read(part);
        }
        let count = part.len().min(self.waiting.len());
        part[..count].copy_from_slice(&self.waiting[..count]);
        self.waiting.drain(..count);
        Ok(count)
    }
}
