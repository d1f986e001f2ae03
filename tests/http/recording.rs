//! A backend that records each byte that it gets, and answers as it is told.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use crate::plain::{Not, Plain, message};
use crate::support::PATIENCE;

/// How a request is answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// 200 and `ok`.
    Ok,
    /// These bytes; and then the end of the connection, or nothing more.
    Bytes { bytes: Vec<u8>, closes: bool },
}

/// What a backend got.
#[derive(Debug, Default)]
pub struct Record {
    /// The whole requests in the order in which they came, whatever the connection.
    pub requests: Vec<Plain>,
    /// The bytes of each connection that sent any, and how many whole requests they are.
    pub connections: Vec<(Vec<u8>, usize)>,
    /// Bytes at the end of connections that are no whole request.
    pub incomplete: Vec<Vec<u8>>,
    /// What no proxy should write.
    pub faults: Vec<String>,
}

pub struct Backend {
    pub address: String,
    acceptor: JoinHandle<()>,
    is_over: Arc<AtomicBool>,
    record: Arc<Mutex<Record>>,
}

impl Backend {
    pub fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let record = Arc::new(Mutex::new(Record::default()));
        let is_over = Arc::new(AtomicBool::new(false));
        let (kept, over) = (Arc::clone(&record), Arc::clone(&is_over));
        let acceptor = thread::spawn(move || accept(&listener, &over, &kept, &answer));
        Self {
            address,
            acceptor,
            is_over,
            record,
        }
    }

    /// The whole requests since the last call. One that was answered is among them.
    pub fn taken(&self) -> Vec<Plain> {
        std::mem::take(&mut self.record.lock().unwrap().requests)
    }

    /// Waits for the end of all connections, which whoever uses the backend has closed, and for what
    /// was on its way.
    pub fn finish(self) -> Record {
        self.is_over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(&self.address));
        self.acceptor.join().unwrap();
        std::mem::take(&mut *self.record.lock().unwrap())
    }
}

fn accept(listener: &TcpListener, over: &AtomicBool, kept: &Mutex<Record>, answer: &Answer) {
    thread::scope(|scope| {
        for conn in listener.incoming() {
            let conn = conn.unwrap();
            // What waited in the queue before the call that ends this is still looked at.
            scope.spawn(|| serve(conn, kept, answer));
            if over.load(Ordering::SeqCst) {
                return;
            }
        }
    });
}

fn serve(mut conn: TcpStream, kept: &Mutex<Record>, answer: &Answer) {
    conn.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut all, mut taken, mut count) = (Vec::new(), 0, 0);
    let mut buffer = [0; 16 * 1024];
    // A reset is an end, too: the proxy may leave an answer unread.
    while let Ok(length @ 1..) = conn.read(&mut buffer) {
        all.extend_from_slice(&buffer[..length]);
        while taken < all.len() {
            let (request, length) = match message(&all[taken..], None, false) {
                Ok(whole) => whole,
                Err(Not::Whole) => break,
                Err(Not::Plain(fault)) => return kept.lock().unwrap().faults.push(fault),
            };
            (taken, count) = (taken + length, count + 1);
            let method = request.word(0).to_string();
            kept.lock().unwrap().requests.push(request);
            let _ = reply(&mut conn, answer, &method);
        }
    }
    let mut record = kept.lock().unwrap();
    if taken < all.len() {
        record.incomplete.push(all[taken..].to_vec());
    }
    if !all.is_empty() {
        record.connections.push((all, count));
    }
}

fn reply(conn: &mut TcpStream, answer: &Answer, method: &str) -> std::io::Result<()> {
    match answer {
        Answer::Ok if method == "HEAD" => {
            conn.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
        }
        Answer::Ok => conn.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"),
        Answer::Bytes { bytes, closes } => {
            conn.write_all(bytes)?;
            match closes {
                true => conn.shutdown(std::net::Shutdown::Write),
                false => Ok(()),
            }
        }
    }
}
