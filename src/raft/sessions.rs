//! Client sessions: a command takes effect once, however often it is sent (dissertation §6.3).
//!
//! A client that gets no reply cannot know whether its command was applied, so it sends the
//! command again; without further measures it might be applied twice. Therefore each client has a
//! session in the replicated state, and its commands are numbered:
//!
//! ```text
//!  Register                                   entry 7:  session 7 begins, its id is the index
//!  Command 7 #1 "x += 1"   ── applied ──────> entry 9:  reply "1", remembered under (7, #1)
//!         (the answer is lost; a retry)
//!  Command 7 #1 "x += 1"   ── not applied ──> entry 12: the remembered reply, "1"
//!  Command 7 #2, awaits from #2               entry 13: the reply to #1 is forgotten
//! ```
//!
//! All replicas must remember the same, so the log decides everything and a clock nothing. When
//! there are more than [`Limits::sessions`], the session whose last command is furthest back in the
//! log expires. Its client is told [`Answer::NoSession`]: it must not retry the command in a new
//! session, where it would count as a new command, so the outcome is unknown.
//!
//! [`Sessions`] wraps the machine; [`ClientSession`] is the client's half.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::Index;
use super::machine::{BadSnapshot, StateMachine};
use super::packing::{Packer, Unpacker};
use crate::wire;

/// A session: the log index of its registration.
pub type ClientId = u64;

crate::wire! {
    /// The commands in the log of a machine with sessions.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Request<'a> {
        /// A session begins.
        Register,
        /// A command for the machine.
        Command {
            /// Whose.
            client: ClientId,
            /// Which of the client's commands: each has its own number, from 1 on.
            sequence: u64,
            /// The lowest number that the client still awaits a reply to.
            awaits_from: u64,
            /// The machine's own bytes.
            command: &'a [u8]
        },
        /// A session ends.
        End {
            /// Whose.
            client: ClientId
        },
    }

    /// What a request leads to.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Answer {
        /// To `Register`: the session.
        Registered(ClientId),
        /// The machine's reply, new or remembered.
        Reply(Vec<u8>),
        /// To `End`.
        Ended,
        /// There is no such session: it expired or ended. Nothing was done now.
        NoSession,
        /// The client has said that it no longer awaits this reply. Nothing was done now.
        Forgotten,
        /// The number is too far ahead of those that are awaited. Nothing was done.
        TooFarAhead,
        /// The bytes are no request. Nothing was done.
        Malformed,
    }
}

/// The limits of sessions. They decide about expiry, so they must be the same on every node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most sessions. Default 65,536.
    pub sessions: usize,
    /// How far a number may be ahead of the lowest awaited one, and so the most replies that a
    /// session remembers. Default 256.
    pub window: u64,
    /// The most bytes of remembered replies in all sessions; beyond this, sessions expire.
    /// Default 64 MiB.
    pub reply_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 65_536,
            window: 256,
            reply_bytes: 64 << 20,
        }
    }
}

/// What is remembered of a client.
#[derive(Debug)]
struct Session {
    last_used: Index,
    awaits_from: u64,
    replies: BTreeMap<u64, Vec<u8>>,
}

/// A state machine with sessions around it.
#[derive(Debug)]
pub struct Sessions<M> {
    machine: M,
    limits: Limits,
    sessions: BTreeMap<ClientId, Session>,
    /// By the place of the last command: the first one expires next.
    by_use: BTreeMap<Index, ClientId>,
    reply_bytes: usize,
}

impl<M: StateMachine> Sessions<M> {
    /// No sessions yet.
    pub fn new(machine: M, limits: Limits) -> Self {
        Self {
            machine,
            limits,
            sessions: BTreeMap::new(),
            by_use: BTreeMap::new(),
            reply_bytes: 0,
        }
    }

    /// The machine, to read from.
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// Does what a request asks.
    pub fn answer(&mut self, index: Index, request: Request<'_>) -> Answer {
        match request {
            Request::Register => self.register(index),
            Request::Command {
                client,
                sequence,
                awaits_from,
                command,
            } => self.command(index, (client, sequence, awaits_from), command),
            Request::End { client } => {
                self.forget(client);
                Answer::Ended
            }
        }
    }

    fn register(&mut self, index: Index) -> Answer {
        let session = Session {
            last_used: index,
            awaits_from: 1,
            replies: BTreeMap::new(),
        };
        self.sessions.insert(index, session);
        self.by_use.insert(index, index);
        self.expire();
        Answer::Registered(index)
    }

    fn command(
        &mut self,
        index: Index,
        (client, sequence, awaits_from): (ClientId, u64, u64),
        command: &[u8],
    ) -> Answer {
        let Some(session) = self.sessions.get_mut(&client) else {
            return Answer::NoSession;
        };
        self.by_use.remove(&session.last_used);
        self.by_use.insert(index, client);
        session.last_used = index;
        self.reply_bytes -= session.await_from(awaits_from);
        if sequence < session.awaits_from {
            return Answer::Forgotten;
        }
        if sequence - session.awaits_from >= self.limits.window {
            return Answer::TooFarAhead;
        }
        if let Some(reply) = session.replies.get(&sequence) {
            return Answer::Reply(reply.clone());
        }
        let reply = self.machine.apply(index, command);
        self.reply_bytes += reply.len();
        session.replies.insert(sequence, reply.clone());
        self.expire();
        Answer::Reply(reply)
    }

    /// Ends sessions until the limits are kept; the one that was used last stays.
    fn expire(&mut self) {
        while self.sessions.len() > self.limits.sessions
            || self.reply_bytes > self.limits.reply_bytes
        {
            let oldest = self.by_use.first_key_value().map(|(_, client)| *client);
            match oldest {
                Some(client) if self.sessions.len() > 1 => self.forget(client),
                _ => return,
            }
        }
    }

    fn forget(&mut self, client: ClientId) {
        if let Some(session) = self.sessions.remove(&client) {
            self.by_use.remove(&session.last_used);
            self.reply_bytes -= session.reply_bytes();
        }
    }
}

impl Session {
    /// Forgets the replies before this number; returns how many bytes they were.
    fn await_from(&mut self, awaits_from: u64) -> usize {
        self.awaits_from = self.awaits_from.max(awaits_from);
        let mut forgotten = 0;
        while let Some(first) = self.replies.first_entry() {
            if *first.key() >= self.awaits_from {
                break;
            }
            forgotten += first.remove().len();
        }
        forgotten
    }

    fn reply_bytes(&self) -> usize {
        self.replies.values().map(Vec::len).sum()
    }
}

impl<M: StateMachine> StateMachine for Sessions<M> {
    fn apply(&mut self, index: Index, command: &[u8]) -> Vec<u8> {
        let answer = match wire::decode(command) {
            Ok(request) => self.answer(index, request),
            Err(_) => Answer::Malformed,
        };
        // A reply of more than 4 GiB cannot be encoded: then there is none.
        wire::encode_within(&answer, UNLIMITED).unwrap_or_default()
    }

    fn snapshot(&self) -> Vec<u8> {
        let mut packer = Packer::default();
        packer.number(self.sessions.len() as u64);
        for (client, session) in &self.sessions {
            packer.number(*client);
            packer.number(session.last_used);
            packer.number(session.awaits_from);
            packer.number(session.replies.len() as u64);
            for (sequence, reply) in &session.replies {
                packer.number(*sequence);
                packer.bytes(reply);
            }
        }
        packer.bytes(&self.machine.snapshot());
        packer.end()
    }

    fn restore(&mut self, data: &[u8]) -> Result<(), BadSnapshot> {
        let mut unpacker = Unpacker::new(data);
        let mut sessions = BTreeMap::new();
        for _ in 0..unpacker.number()? {
            sessions.insert(unpacker.number()?, Session::restored(&mut unpacker)?);
        }
        let machine = unpacker.bytes()?;
        unpacker.end()?;
        self.machine.restore(machine)?;
        let by_use = |(client, session): (&ClientId, &Session)| (session.last_used, *client);
        self.by_use = sessions.iter().map(by_use).collect();
        self.reply_bytes = sessions.values().map(Session::reply_bytes).sum();
        self.sessions = sessions;
        Ok(())
    }
}

/// No limit here: the machine bounds its replies.
const UNLIMITED: wire::Limits = wire::Limits {
    message: usize::MAX,
    elements: usize::MAX,
    ..wire::Limits::DEFAULT
};

impl Session {
    fn restored(unpacker: &mut Unpacker<'_>) -> Result<Self, BadSnapshot> {
        let mut session = Self {
            last_used: unpacker.number()?,
            awaits_from: unpacker.number()?,
            replies: BTreeMap::new(),
        };
        for _ in 0..unpacker.number()? {
            let (sequence, reply) = (unpacker.number()?, unpacker.bytes()?);
            session.replies.insert(sequence, reply.to_vec());
        }
        Ok(session)
    }
}

/// A client's half of a session: it numbers commands and knows which are awaited.
#[derive(Clone, Debug)]
pub struct ClientSession {
    client: ClientId,
    next: u64,
    awaited: BTreeSet<u64>,
}

impl ClientSession {
    /// The session that [`Answer::Registered`] named.
    pub fn new(client: ClientId) -> Self {
        Self {
            client,
            next: 1,
            awaited: BTreeSet::new(),
        }
    }

    /// The session's id.
    pub fn client(&self) -> ClientId {
        self.client
    }

    /// The number of the next command; `None` while it would be further ahead of the awaited ones
    /// than `window` ([`Limits::window`]) allows.
    pub fn begin(&mut self, window: u64) -> Option<u64> {
        let lowest = self.awaited.first().unwrap_or(&self.next);
        if self.next - lowest >= window {
            return None;
        }
        self.awaited.insert(self.next);
        self.next += 1;
        Some(self.next - 1)
    }

    /// The request for a command that was begun: the same number for each of its retries.
    pub fn request<'a>(&self, sequence: u64, command: &'a [u8]) -> Request<'a> {
        Request::Command {
            client: self.client,
            sequence,
            awaits_from: *self.awaited.first().unwrap_or(&self.next),
            command,
        }
    }

    /// The command was answered, or given up for good: it is not sent again.
    pub fn end(&mut self, sequence: u64) {
        self.awaited.remove(&sequence);
    }
}

#[cfg(test)]
mod tests;
