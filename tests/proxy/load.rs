//! Clients that ask again and again, as a browser would: on kept connections, on a new one where the
//! old one has ended. A request fails if it has no whole answer of status 200.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use groundwire::net::{self, Deadline, Network};

use crate::client::Client;
use crate::support::{PATIENCE, eventually};

pub struct Load {
    is_over: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    clients: Vec<thread::JoinHandle<Vec<String>>>,
}

impl Load {
    /// So many clients, until [`Load::faults`]. Each asks some fifty times on a connection.
    pub fn start(address: &str, clients: usize) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let done = Arc::new(AtomicUsize::new(0));
        let start = |_| {
            let (over, done, address) = (is_over.clone(), done.clone(), address.to_string());
            thread::spawn(move || ask(&address, &over, &done))
        };
        let clients = (0..clients).map(start).collect();
        Self {
            is_over,
            done,
            clients,
        }
    }

    /// Waits until so many more requests have had their answers.
    pub fn goes_on(&self, requests: usize) {
        let before = self.done.load(Ordering::SeqCst);
        eventually("requests are answered", || {
            self.done.load(Ordering::SeqCst) >= before + requests
                || self.clients.iter().any(thread::JoinHandle::is_finished)
        });
    }

    /// Ends it; what failed.
    pub fn faults(self) -> Vec<String> {
        self.is_over.store(true, Ordering::SeqCst);
        let faults = self
            .clients
            .into_iter()
            .map(|client| client.join().unwrap());
        faults.flatten().collect()
    }
}

/// Ends at the first fault.
fn ask(address: &str, over: &AtomicBool, done: &AtomicUsize) -> Vec<String> {
    let mut kept: Option<(Client, usize)> = None;
    while !over.load(Ordering::SeqCst) {
        let (client, asked) = match kept.take() {
            Some((client, asked)) if asked < 50 => (client, asked),
            _ => match net::dial(Network::Tcp, address) {
                Ok(conn) => (Client::of(conn), 0),
                Err(error) => return vec![format!("connecting: {error}")],
            },
        };
        let mut client = client;
        client.conn.set_deadline(Deadline::after(PATIENCE));
        let _ = client.try_say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        match client.whole_or_cut("GET") {
            // A kept connection may end just when it is used again: then a client asks once more.
            Err(cut) if cut.heard.is_empty() && asked > 0 => {}
            Err(cut) => return vec![format!("cut: {:?}", String::from_utf8_lossy(&cut.heard))],
            Ok(answer) if answer.status() != 200 => return vec![answer.start],
            Ok(answer) => {
                done.fetch_add(1, Ordering::SeqCst);
                if answer.values("Connection").is_empty() {
                    kept = Some((client, asked + 1));
                }
            }
        }
    }
    Vec::new()
}
