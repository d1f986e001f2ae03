//! Other name servers, run over zone files of ours: NSD, Knot, BIND.
//!
//! Each runs on a port of 127.0.0.1 that is free, with its files in a folder of its own,
//! and ends when the value is dropped.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use groundwire::dns::{Message, Name, Question, Rcode, RecordType};

use crate::support::{Folder, PATIENCE, free_port};

/// A name server that others have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    Nsd,
    Knot,
    Bind,
}

pub const PEERS: [Peer; 3] = [Peer::Nsd, Peer::Knot, Peer::Bind];

impl Peer {
    fn program(self) -> &'static str {
        match self {
            Peer::Nsd => "/usr/sbin/nsd",
            Peer::Knot => "/usr/sbin/knotd",
            Peer::Bind => "/usr/sbin/named",
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Peer::Nsd => &["-d", "-c"],
            Peer::Knot => &["-c"],
            Peer::Bind => &["-f", "-c"],
        }
    }

    /// A configuration: this port, these zones (apex without its last dot, and file), nothing else.
    fn configuration(self, folder: &str, port: u16, zones: &[(String, String)]) -> String {
        let (head, zone): (String, fn(&str, &str) -> String) = match self {
            Peer::Nsd => (
                format!(
                    "server:\n ip-address: 127.0.0.1\n port: {port}\n username: \"\"\n \
                     zonesdir: \"{folder}\"\n database: \"\"\n server-count: 1\n \
                     pidfile: \"{folder}/pid\"\n xfrdfile: \"{folder}/xfrd\"\n \
                     zonelistfile: \"{folder}/zones\"\n xfrdir: \"{folder}\"\n \
                     cookie-secret-file: \"\"\n rrl-ratelimit: 0\n\
                     remote-control:\n control-enable: no\n"
                ),
                |apex, file| {
                    format!(
                        "zone:\n name: \"{apex}\"\n zonefile: \"{file}\"\n \
                         provide-xfr: 127.0.0.1 NOKEY\n"
                    )
                },
            ),
            Peer::Knot => (
                format!(
                    "server:\n  rundir: \"{folder}\"\n  listen: 127.0.0.1@{port}\n  \
                     udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n\
                     database:\n  storage: \"{folder}\"\n\
                     acl:\n  - id: all\n    address: 127.0.0.1\n    action: transfer\n\
                     zone:\n"
                ),
                |apex, file| {
                    format!(
                        "  - domain: \"{apex}\"\n    file: \"{file}\"\n    zonefile-sync: -1\n    \
                         journal-content: none\n    acl: all\n"
                    )
                },
            ),
            Peer::Bind => (
                format!(
                    "options {{ directory \"{folder}\"; listen-on port {port} {{ 127.0.0.1; }}; \
                     listen-on-v6 {{ none; }}; recursion no; pid-file \"{folder}/pid\"; \
                     session-keyfile \"{folder}/key\"; notify no; dnssec-validation no; \
                     allow-transfer {{ any; }}; }};\ncontrols {{ }};\n"
                ),
                |apex, file| {
                    format!(
                        "zone \"{apex}\" {{ type primary; file \"{file}\"; check-names ignore; }};\n"
                    )
                },
            ),
        };
        let zones = zones.iter().map(|(apex, file)| zone(apex, file));
        head + &zones.collect::<String>()
    }
}

/// A running server.
pub struct Daemon {
    child: Child,
    socket: UdpSocket,
    _folder: Folder,
}

impl Daemon {
    /// Starts a server with zones (apex and text) and waits until it answers for all of them; `None`
    /// where it is not installed, which is printed.
    pub fn start(peer: Peer, zones: &[(Name, String)]) -> Option<Self> {
        if !Path::new(peer.program()).exists() {
            println!("skipped: {} is not installed", peer.program());
            return None;
        }
        let folder = Folder::new();
        let files = zones.iter().enumerate().map(|(number, (apex, text))| {
            let file = folder.path(&format!("{number}.zone"));
            fs::write(&file, text).unwrap();
            (apex.to_string().trim_end_matches('.').to_string(), file)
        });
        let files: Vec<(String, String)> = files.collect();
        let port = free_port();
        let own = folder.0.display().to_string();
        let file = folder.path("configuration");
        fs::write(&file, peer.configuration(&own, port, &files)).unwrap();
        let log = fs::File::create(folder.path("log")).unwrap();
        let child = Command::new(peer.program())
            .args(peer.arguments())
            .arg(&file)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(("127.0.0.1", port)).unwrap();
        let mut daemon = Self {
            child,
            socket,
            _folder: folder,
        };
        for (apex, _) in zones {
            daemon.wait_for(peer, apex);
        }
        Some(daemon)
    }

    fn wait_for(&mut self, peer: Peer, apex: &Name) {
        let query = Message::query(1, Question::new(apex.clone(), RecordType::SOA));
        let begun = Instant::now();
        loop {
            let log = || fs::read_to_string(self._folder.path("log")).unwrap_or_default();
            assert!(
                begun.elapsed() < PATIENCE,
                "{peer:?} is not ready:\n{}",
                log()
            );
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "{peer:?} has ended: {ended:?}\n{}", log());
            let replies = self.ask(&[query.encode().unwrap()], Duration::from_millis(100));
            let reply = replies.and_then(|replies| Message::decode(&replies[0]).ok());
            if reply.is_some_and(|reply| reply.answers.len() == 1) {
                return;
            }
        }
    }

    /// Sends queries, each with an id and question of its own, and waits for their replies, for
    /// each at most this time; `None` when one does not come.
    pub fn ask(&self, queries: &[Vec<u8>], time: Duration) -> Option<Vec<Vec<u8>>> {
        self.socket.set_read_timeout(Some(time)).unwrap();
        for query in queries {
            // A port that is not open yet is reported here or at the read.
            self.socket.send(query).ok()?;
        }
        let mut replies = vec![Vec::new(); queries.len()];
        let mut buffer = vec![0; 65_535];
        while replies.contains(&Vec::new()) {
            let length = self.socket.recv(&mut buffer).ok()?;
            let reply = &buffer[..length];
            // What belongs to no query here is for one that was sent twice while it started.
            let belongs = |query: &Vec<u8>| {
                let end = question_end(query);
                reply[..2] == query[..2] && reply.get(12..end) == query.get(12..end)
            };
            if let Some(index) = queries.iter().position(belongs) {
                replies[index] = reply.to_vec();
            }
        }
        Some(replies)
    }

    /// Where it listens.
    pub fn address(&self) -> std::net::SocketAddr {
        self.socket.peer_addr().unwrap()
    }

    /// Asks for a whole zone over TCP; its messages, up to the second SOA record.
    pub fn transfer(&self, query: &Message) -> Vec<Message> {
        let mut stream = TcpStream::connect(self.socket.peer_addr().unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let query = query.encode().unwrap();
        let length = (query.len() as u16).to_be_bytes();
        stream.write_all(&[&length[..], &query].concat()).unwrap();
        let (mut messages, mut ends) = (Vec::new(), 0);
        while ends < 2 {
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut octets = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut octets).unwrap();
            let message = Message::decode(&octets).unwrap();
            assert_eq!(message.header.rcode, Rcode::NOERROR);
            let records = message.answers.iter();
            ends += records.filter(|r| r.data.kind() == RecordType::SOA).count();
            messages.push(message);
        }
        messages
    }
}

/// Where the question of a query ends whose name is not compressed.
pub fn question_end(query: &[u8]) -> usize {
    let mut at = 12;
    while query[at] != 0 {
        at += 1 + usize::from(query[at]);
    }
    at + 5
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // NSD has children that a plain kill would leave behind.
        let kill = format!("kill -TERM {}", self.child.id());
        let _ = Command::new("sh").args(["-c", &kill]).status();
        let _ = self.child.wait();
    }
}
