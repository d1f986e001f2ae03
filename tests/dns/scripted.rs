//! Servers that say what a test wants: each query is given to a closure, which sends replies.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use groundwire::dns::{
    Data, Message, Name, Question, Record, RecordType, Resolver, ResolverConfig,
};

use crate::support::PATIENCE;

/// A server over UDP; `serve` gets each query, its octets, and a way to reply.
pub fn udp(serve: impl FnMut(&Message, &mut dyn FnMut(&[u8])) + Send + 'static) -> SocketAddr {
    on(UdpSocket::bind("127.0.0.1:0").unwrap(), serve)
}

/// The same on a socket that is there already.
pub fn on(
    socket: UdpSocket,
    mut serve: impl FnMut(&Message, &mut dyn FnMut(&[u8])) + Send + 'static,
) -> SocketAddr {
    let address = socket.local_addr().unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        // Ends with the test's process, or when nobody asks for a long time.
        while let Ok((count, peer)) = socket.recv_from(&mut buffer) {
            let query = Message::decode(&buffer[..count]).unwrap();
            serve(&query, &mut |octets| {
                let _ = socket.send_to(octets, peer);
            });
        }
    });
    address
}

/// A server over TCP: `serve` gets each connection's first query and the connection.
pub fn tcp(
    listener: TcpListener,
    mut serve: impl FnMut(&Message, &mut TcpStream) + Send + 'static,
) -> SocketAddr {
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut octets = vec![0; u16::from_be_bytes(length).into()];
            stream.read_exact(&mut octets).unwrap();
            let query = Message::decode(&octets).unwrap();
            serve(&query, &mut stream);
        }
    });
    address
}

/// The same name server over UDP and TCP, at one port.
pub fn both(
    over_udp: impl FnMut(&Message, &mut dyn FnMut(&[u8])) + Send + 'static,
    over_tcp: impl FnMut(&Message, &mut TcpStream) + Send + 'static,
) -> SocketAddr {
    for _ in 0..100 {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        if let Ok(listener) = TcpListener::bind(socket.local_addr().unwrap()) {
            tcp(listener, over_tcp);
            return on(socket, over_udp);
        }
    }
    panic!("no port is free for both UDP and TCP");
}

/// A listener for [`tcp`].
pub fn any() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// A message with its length before it.
pub fn framed(octets: &[u8]) -> Vec<u8> {
    let length = u16::try_from(octets.len()).unwrap();
    [&length.to_be_bytes(), octets].concat()
}

pub fn send(stream: &mut TcpStream, octets: &[u8]) {
    let _ = stream.write_all(octets);
}

/// A server that hears queries and never replies; what it hears can be counted.
pub fn silent() -> (SocketAddr, Receiver<Message>) {
    let (tell, heard) = mpsc::channel();
    let address = udp(move |query, _| {
        let _ = tell.send(query.clone());
    });
    (address, heard)
}

pub fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// The address that good replies have.
pub const GOOD: &str = "192.0.2.80";
/// The address that no test may get.
pub const EVIL: &str = "6.6.6.6";

/// A reply to a query with an A record of this address for the name asked for.
pub fn reply(query: &Message, address: &str) -> Message {
    let mut reply = Message::new(query.header.reply());
    reply.header.recursion_available = true;
    reply.questions = query.questions.clone();
    let data = Data::A(address.parse().unwrap());
    let owner = query.questions[0].name.clone();
    reply.answers.push(Record::new(owner, 60, data));
    reply
}

pub fn octets(message: &Message) -> Vec<u8> {
    message.encode().unwrap()
}

/// The good reply as octets.
pub fn good(query: &Message) -> Vec<u8> {
    octets(&reply(query, GOOD))
}

pub fn config(servers: &[SocketAddr]) -> ResolverConfig {
    ResolverConfig {
        servers: servers.to_vec(),
        timeout: PATIENCE,
        attempts: 1,
        deadline: PATIENCE,
        ..ResolverConfig::default()
    }
}

/// For servers of which one will not answer: soon asks the next, and often enough that a slow
/// machine does no harm.
pub fn impatient(servers: &[SocketAddr]) -> ResolverConfig {
    ResolverConfig {
        timeout: Duration::from_millis(150),
        attempts: 1_000,
        ..config(servers)
    }
}

pub fn question(text: &str) -> Question {
    Question::new(name(text), RecordType::A)
}

/// The data of the A records of `www.example.`, or what went wrong.
pub fn ask(config: ResolverConfig) -> Result<String, String> {
    let answer = Resolver::new(config).lookup(&question("www.example"));
    let answer = answer.map_err(|failure| failure.to_string())?;
    let data = answer
        .records()
        .iter()
        .map(|record| record.data.to_string());
    Ok(data.collect::<Vec<_>>().join(" "))
}
