//! Mutated messages and conversations: nothing panics, nothing hangs, and what is read as a message
//! is written with the same bytes.
//!
//! `GROUNDWIRE_FUZZ` is how many messages are tried (200,000 without it; `make fuzz` sets it to
//! ten million), and a hundredth of it how many conversations, with a server and with a client.

use std::io::Write;
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

use groundwire::net::{Conn, Deadline};
use groundwire::rpc::message::{Hello, MAGIC, Message, Push, Welcome};
use groundwire::rpc::{Client, ClientConfig, Failure, RpcHandler, ServerConfig, Service, Traits};
use groundwire::server::{Config, Server};
use groundwire::wire::{FrameBuffer, Frames, Limits};

use crate::generate::Seeded;

/// A conversation, or a part of one, takes no longer.
const PATIENCE: Duration = Duration::from_secs(10);

fn wanted() -> u64 {
    let wanted = std::env::var("GROUNDWIRE_FUZZ").ok();
    wanted.map_or(200_000, |text| {
        text.parse().expect("GROUNDWIRE_FUZZ: a number")
    })
}

/// What a client says after its greeting.
fn says(out: &mut Frames) {
    out.call(1, 0, "Fuzz.Add", &(1_i64, 2_i64)).unwrap();
    out.call(2, 1_000_000, "Fuzz.Slow", &("text",)).unwrap();
    out.call(3, 0, "Fuzz.Count", &(20_u64,)).unwrap();
    out.bare(Message::More { id: 3, count: 4 });
    out.bare(Message::Cancel { id: 2 });
    out.notify("Fuzz.Add", &(3_i64, 4_i64)).unwrap();
    out.bare(Message::Ping(5));
    out.call(4, 0, "Server.Methods", &()).unwrap();
    out.call(5, 0, "No.Such", &()).unwrap();
}

/// What a server says after its greeting.
fn answers(out: &mut Frames) {
    out.reply(1, &3_i64).unwrap();
    out.bare(Message::Pong(0));
    out.item(2, &1_u64).unwrap();
    out.item(2, &2_u64).unwrap();
    out.reply(2, &()).unwrap();
    out.failed(3, &Failure::Refused("why".into()));
    out.bare(Message::Goodbye { last: 3 });
}

fn hello(out: &mut Frames) {
    out.push_raw(&MAGIC);
    let (max_frame, nonce) = (1 << 20, [7; 32]);
    out.hello(&Hello { max_frame, nonce }).unwrap();
}

fn welcome(out: &mut Frames) {
    out.push_raw(&MAGIC);
    let welcome = Welcome {
        max_frame: 1 << 20,
        in_flight: 16,
        window: 4,
        nonce: None,
    };
    out.welcome(&welcome).unwrap();
}

fn bytes(parts: &[fn(&mut Frames)]) -> Vec<u8> {
    let mut out = Frames::new(Limits::default());
    parts.iter().for_each(|part| part(&mut out));
    out.bytes().to_vec()
}

/// The contents of the frames of a conversation.
fn contents(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut buffer, mut contents) = (FrameBuffer::new(1 << 20), Vec::new());
    buffer.push(bytes);
    while let Some(frame) = buffer.next_frame().unwrap() {
        contents.push(frame.to_vec());
    }
    contents
}

/// A message without a value, as it is written.
fn written(message: Message<'_>) -> Option<Vec<u8>> {
    let mut out = Frames::new(Limits::default());
    out.bare(message);
    contents(out.bytes()).pop()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_mutated_message_is_refused_or_another_one() {
    let mut seeded = Seeded::new(5);
    let all = contents(&bytes(&[says, answers]));
    let (mut taken, wanted) = (0, wanted());
    for _ in 0..wanted {
        let mut message = all[seeded.below(all.len())].clone();
        let other = seeded.below(all.len());
        seeded.mutate(&mut message, &all[other]);
        let Ok(read) = Message::parse(&message) else {
            continue;
        };
        taken += 1;
        if let Some(again) = written(read) {
            assert_eq!(again, message, "{}", hex(&message));
        }
    }
    println!("{wanted} messages tried, {taken} of them were messages");
    assert!(taken > wanted / 20 && taken < wanted);
}

fn service() -> Service {
    let slow = Traits {
        slow: true,
        ..Traits::default()
    };
    Service::new("Fuzz")
        .method("Add", Traits::default(), |_, (a, b): (i64, i64)| {
            Ok(a.wrapping_add(b))
        })
        .method("Slow", slow, |call, (text,): (String,)| {
            call.wait(Duration::from_millis(1))?;
            Ok(text)
        })
        .stream("Count", Traits::default(), |_, (until,): (u64,), sink| {
            (0..until).try_for_each(|number| sink.send(&number))
        })
}

#[test]
fn a_mutated_conversation_ends_with_its_last_byte_and_the_server_serves_on() {
    let mut seeded = Seeded::new(6);
    let rpc = ServerConfig {
        frame_timeout: PATIENCE,
        // Nobody reads: a stream that a mutation made long fills the socket.
        write_timeout: Duration::from_millis(50),
        workers: 4,
        ..ServerConfig::default()
    };
    let server = Server::new(Config::default(), RpcHandler::new(rpc, vec![service()]));
    let (whole, late) = (bytes(&[hello, says]), bytes(&[says]));
    for round in 0..wanted() / 100 {
        let mut said = whole.clone();
        match seeded.below(3) {
            0 => seeded.mutate(&mut said, &whole),
            // The greeting as it should be.
            _ => {
                let mut late = late.clone();
                seeded.mutate(&mut late, &whole);
                said = [bytes(&[hello]), late].concat();
            }
        }
        let (mut client, theirs) = Conn::pair().unwrap();
        client.write_all(&said).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let begun = Instant::now();
        // Its error is the peer's fault, and no matter.
        let _ = server.serve_conn(theirs);
        assert!(begun.elapsed() < PATIENCE, "{}", hex(&said));
        if round % 500 == 0 {
            still_serves(&server);
        }
    }
    still_serves(&server);
}

fn still_serves(server: &Server<RpcHandler>) {
    let (ours, theirs) = Conn::pair().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| server.serve_conn(theirs));
        let client = Client::over(ours, ClientConfig::default()).unwrap();
        assert_eq!(client.call::<_, i64>("Fuzz.Add", &(20_i64, 22_i64)), Ok(42));
        assert_eq!(client.call::<_, String>("Fuzz.Slow", &("s",)).unwrap(), "s");
        let count = client.stream::<_, u64>("Fuzz.Count", &(9_u64,), None);
        assert_eq!(count.unwrap().count(), 9);
    });
}

#[test]
fn a_mutated_server_ends_its_clients_calls() {
    let mut seeded = Seeded::new(7);
    let whole = bytes(&[welcome, answers]);
    let mut well = 0;
    let rounds = wanted() / 100;
    for _ in 0..rounds {
        let mut said = bytes(&[answers]);
        seeded.mutate(&mut said, &whole);
        said = [bytes(&[welcome]), said].concat();
        if seeded.below(4) == 0 {
            said = whole.clone();
            seeded.mutate(&mut said, &whole);
        }
        let (ours, mut theirs) = Conn::pair().unwrap();
        theirs.set_deadline(Deadline::after(PATIENCE));
        theirs.write_all(&said).unwrap();
        theirs.shutdown(Shutdown::Write).unwrap();
        let begun = Instant::now();
        if let Ok(client) = Client::over(ours, ClientConfig::default()) {
            let sum = client.call::<_, i64>("Fuzz.Add", &(1_i64, 2_i64));
            well += u64::from(sum == Ok(3));
            if let Ok(stream) = client.stream::<_, u64>("Fuzz.Count", &(2_u64,), None) {
                let _ = stream.count();
            }
            let _ = client.call::<_, ()>("Fuzz.Add", &());
        }
        assert!(begun.elapsed() < PATIENCE, "{}", hex(&said));
    }
    println!("{well} of {rounds} first calls had their answer");
    assert!(well > rounds / 20 && well < rounds);
}
