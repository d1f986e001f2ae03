//! A server's end of a connection that a test plays by hand: it says what no honest server says.

use std::io::Write;
use std::time::Duration;

use groundwire::net::{Conn, Deadline};
use groundwire::rpc::message::{MAGIC, Message, Push, Welcome};
use groundwire::rpc::{Client, ClientConfig};
use groundwire::wire::{FrameReader, Frames, Limits};

/// The other end of a client's connection.
pub struct ByHand {
    pub conn: Conn,
    reader: FrameReader<Conn>,
}

/// A client that was greeted, and whom it talks to.
pub fn by_hand(config: ClientConfig) -> (Client, ByHand) {
    by_hand_as(
        config,
        Welcome {
            max_frame: 4 << 20,
            in_flight: 256,
            window: 4,
            nonce: None,
        },
    )
}

pub fn by_hand_as(config: ClientConfig, welcome: Welcome) -> (Client, ByHand) {
    let (ours, mut theirs) = Conn::pair().unwrap();
    let mut out = Frames::new(Limits::default());
    out.push_raw(&MAGIC);
    out.welcome(&welcome).unwrap();
    theirs.write_all(out.bytes()).unwrap();
    let client = Client::over(ours, config).unwrap();
    let mut reader = FrameReader::new(theirs.clone(), 8 << 20);
    theirs.set_deadline(Deadline::after(Duration::from_secs(20)));
    while reader.buffer().waiting().len() < MAGIC.len() {
        reader.fill().unwrap();
    }
    reader.buffer().skip(MAGIC.len());
    assert!(matches!(
        Message::parse(reader.read().unwrap().unwrap()),
        Ok(Message::Hello(_))
    ));
    let conn = theirs;
    (client, ByHand { conn, reader })
}

impl ByHand {
    /// The next frame that the client sent.
    pub fn frame(&mut self) -> Vec<u8> {
        self.conn
            .set_deadline(Deadline::after(Duration::from_secs(20)));
        self.reader.read().unwrap().expect("a frame").to_vec()
    }

    /// The id of the next call; other frames are passed over.
    pub fn call(&mut self) -> u64 {
        loop {
            if let Ok(Message::Call { id, .. }) = Message::parse(&self.frame()) {
                return id;
            }
        }
    }

    /// Sends frames.
    pub fn say(&mut self, push: impl FnOnce(&mut Frames)) {
        let mut out = Frames::new(Limits::default());
        push(&mut out);
        self.conn.write_all(out.bytes()).unwrap();
    }

    pub fn reply(&mut self, id: u64, value: u64) {
        self.say(|out| out.reply(id, &value).unwrap());
    }
}
