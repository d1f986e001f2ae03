//! A server on a thread of its own, and the least of a client over std.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::Command;
use std::thread::{self, JoinHandle};

use groundwire::dns::server::{Config, DnsServer, Loaded, Place, Reloader, ZoneFile};
use groundwire::dns::{Edns, Message, Name, Question, RecordType};
use groundwire::server::Stopper;

use crate::support::PATIENCE;

/// A running server.
pub struct World {
    pub address: SocketAddr,
    pub reloader: Reloader,
    pub stopper: Stopper,
    thread: JoinHandle<String>,
}

impl World {
    /// One that serves the sample zones.
    pub fn samples(config: Config) -> Self {
        Self::new(
            config,
            Loaded::samples().unwrap(),
            Vec::new(),
            "127.0.0.1:0",
        )
    }

    /// One that serves these files.
    pub fn of(config: Config, files: &[&str]) -> Self {
        let files: Vec<ZoneFile> = files.iter().map(|file| file.parse().unwrap()).collect();
        Self::new(config, Loaded::read(&files).unwrap(), files, "127.0.0.1:0")
    }

    pub fn new(config: Config, loaded: Loaded, files: Vec<ZoneFile>, at: &str) -> Self {
        let place = Place::bind(at, 2).unwrap();
        let address = place.listener.local_addr().ip().unwrap();
        let server = DnsServer::new(config, loaded, vec![place]);
        let reloader = server.reloader(files);
        let stopper = Stopper::new();
        let watched = stopper.clone();
        let run = move || server.run(&watched).unwrap().to_string();
        Self {
            address,
            reloader,
            stopper,
            thread: thread::spawn(run),
        }
    }

    /// Stops it; its last line.
    pub fn stop(self) -> String {
        self.stopper.stop();
        self.thread.join().unwrap()
    }

    /// A socket that only hears the server.
    pub fn udp(&self) -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.connect(self.address).unwrap();
        socket
    }

    /// A connection.
    pub fn tcp(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }
}

/// A query without EDNS.
pub fn query(id: u16, name: &str, kind: RecordType) -> Message {
    let question = Question::new(Name::parse(name).unwrap(), kind);
    let mut query = Message::query(id, question);
    query.edns = None;
    query
}

/// The same with EDNS of this payload size.
pub fn query_with_edns(id: u16, name: &str, kind: RecordType, size: u16) -> Message {
    let mut query = query(id, name, kind);
    query.edns = Some(Edns {
        udp_size: size,
        ..Edns::default()
    });
    query
}

/// Asks over UDP.
pub fn ask(socket: &UdpSocket, query: &Message) -> Message {
    Message::decode(&ask_octets(socket, &query.encode().unwrap())).unwrap()
}

/// The reply to these octets.
pub fn ask_octets(socket: &UdpSocket, octets: &[u8]) -> Vec<u8> {
    socket.send(octets).unwrap();
    let mut buffer = vec![0; 65_536];
    let count = socket.recv(&mut buffer).unwrap();
    buffer.truncate(count);
    buffer
}

/// A message behind its length.
pub fn framed(octets: &[u8]) -> Vec<u8> {
    let mut framed = (octets.len() as u16).to_be_bytes().to_vec();
    framed.extend_from_slice(octets);
    framed
}

/// The next message of a stream.
pub fn read_message(stream: &mut TcpStream) -> Message {
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut octets = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut octets).unwrap();
    Message::decode(&octets).unwrap()
}

/// Asks over TCP.
pub fn ask_tcp(stream: &mut TcpStream, query: &Message) -> Message {
    stream.write_all(&framed(&query.encode().unwrap())).unwrap();
    read_message(stream)
}

/// Whether these tools are here; says which is not.
pub fn installed(tools: &[&str]) -> bool {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/usr/local/sbin";
    let is_here = |tool: &&&str| {
        path.split(':')
            .any(|dir| std::path::Path::new(dir).join(**tool).is_file())
    };
    let missing = tools.iter().find(|tool| !is_here(tool));
    if let Some(tool) = missing {
        println!("skipped: {tool} is not installed");
    }
    missing.is_none()
}

/// What a tool prints.
pub fn output(tool: &str, arguments: &[&str]) -> String {
    let output = Command::new(tool).args(arguments).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}
