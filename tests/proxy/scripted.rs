//! A backend that does what a script says, a thread for each of its connections.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use groundwire::net::{Conn, Deadline};

use crate::plain::{Not, Plain, message};
use crate::support::PATIENCE;

pub const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";

pub struct Backend {
    pub address: String,
    connections: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    acceptor: Option<thread::JoinHandle<()>>,
}

impl Backend {
    /// A backend on a port of its own.
    pub fn start(script: impl Fn(&mut Peer) + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), script)
    }

    /// A backend on a port that is bound already.
    pub fn on(listener: TcpListener, script: impl Fn(&mut Peer) + Send + Sync + 'static) -> Self {
        let address = listener.local_addr().unwrap().to_string();
        let (connections, is_over) = (Arc::default(), Arc::default());
        let (count, over) = (Arc::clone(&connections), Arc::clone(&is_over));
        let acceptor = thread::spawn(move || accept(&listener, &count, &over, &Arc::new(script)));
        Self {
            address,
            connections,
            is_over,
            acceptor: Some(acceptor),
        }
    }

    /// Answers each request with these bytes, and closes where they say so.
    pub fn saying(bytes: &'static [u8]) -> Self {
        Self::start(move |peer| peer.serve(bytes))
    }

    /// The line of a configuration that names it.
    pub fn line(&self) -> String {
        format!("backend http://{}\n", self.address)
    }

    /// How many connections have come.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Nobody listens any more; connections go on.
impl Drop for Backend {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        drop(std::net::TcpStream::connect(&self.address));
        let _ = self.acceptor.take().map(thread::JoinHandle::join);
    }
}

fn accept<S: Fn(&mut Peer) + Send + Sync + 'static>(
    listener: &TcpListener,
    connections: &AtomicUsize,
    over: &AtomicBool,
    script: &Arc<S>,
) {
    for stream in listener.incoming() {
        if over.load(Ordering::SeqCst) {
            return;
        }
        let number = connections.fetch_add(1, Ordering::SeqCst);
        let conn = Conn::from_tcp(stream.unwrap()).unwrap();
        let mut peer = Peer {
            number,
            conn,
            waiting: Vec::new(),
        };
        let script = Arc::clone(script);
        thread::spawn(move || script(&mut peer));
    }
}

/// The proxy, as the backend sees it on one connection.
pub struct Peer {
    /// Counts the connections, from 0.
    pub number: usize,
    pub conn: Conn,
    waiting: Vec<u8>,
}

impl Peer {
    /// The next whole request; nothing at the end of the connection.
    pub fn request(&mut self) -> Option<Plain> {
        loop {
            match message(&self.waiting, None, false) {
                Ok((plain, length)) => {
                    self.waiting.drain(..length);
                    return Some(plain);
                }
                Err(Not::Whole) => {}
                Err(Not::Plain(fault)) => panic!("the proxy wrote {fault}"),
            }
            if !self.more() {
                return None;
            }
        }
    }

    /// The next head, as text; its body is still to come.
    pub fn head(&mut self) -> Option<String> {
        loop {
            let end = self.waiting.windows(4).position(|w| w == b"\r\n\r\n");
            if let Some(end) = end {
                let head = self.waiting.drain(..end + 4).collect();
                return Some(String::from_utf8(head).unwrap());
            }
            if !self.more() {
                return None;
            }
        }
    }

    /// Bytes as they come; none at the end.
    pub fn bytes(&mut self) -> Vec<u8> {
        if self.waiting.is_empty() {
            self.more();
        }
        std::mem::take(&mut self.waiting)
    }

    fn more(&mut self) -> bool {
        let mut part = vec![0; 64 * 1024];
        self.conn.set_read_deadline(Deadline::after(PATIENCE));
        match self.conn.read(&mut part) {
            Ok(count @ 1..) => {
                self.waiting.extend_from_slice(&part[..count]);
                true
            }
            _ => false,
        }
    }

    /// Sends bytes; `false` when the proxy takes no more.
    pub fn say(&mut self, bytes: &[u8]) -> bool {
        self.conn.set_write_deadline(Deadline::after(PATIENCE));
        self.conn.write_all(bytes).is_ok()
    }

    /// Answers each request with these bytes, until the end.
    pub fn serve(&mut self, bytes: &[u8]) {
        while self.request().is_some() && self.say(bytes) {
            if bytes.windows(17).any(|w| w == b"Connection: close") {
                return;
            }
        }
    }

    /// Waits for the end of the connection, from the other side.
    pub fn ended(&mut self) {
        while !self.bytes().is_empty() {}
    }

    /// Ends the connection with a reset.
    pub fn reset(&mut self) {
        self.conn.reset_on_close().unwrap();
    }

    /// Says that nothing more comes.
    pub fn finish(&mut self) {
        let _ = self.conn.shutdown(Shutdown::Write);
    }
}
