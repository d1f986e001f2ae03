//! One question, from its first query to a usable reply: which server, which transport, how often.
//!
//! ```text
//!             poll: Send                 received, matches
//!   Next  ------------------> Waiting ------------------------> Done(reply)
//!   Next  ------------------> Waiting ------------------------> Done(reply)
//!    ^                           |  |  does not match: stay, same deadline
//!    |   next server, or the     |  |  TC over UDP, or a flood of those: the same server over TCP
//!    +---------------------------+  |  FORMERR, NOTIMP: the same server without EDNS, once
//!        same one otherwise         |
//!                                   +--> no server left to ask, or the deadline: Done(tries)
//! ```
//!
//! Each server is asked once before one is asked again (RFC 1035 §4.2.1). The time-out is the same
//! for all tries; RFC 1123 §6.1.3.3 would double it, but resolv.conf(5) sets it, and the number of
//! tries and the deadline are its bounds.
//!
//! Pure: the time is an argument, counted from any fixed moment, and so is the random id. The shell
//! that sends and waits is `link.rs`.
//!
//! A reply matches if it comes from the address that was asked and has our id, QR, opcode and
//! question (RFC 5452 §9.1). Any other message may be a forgery that races the real reply, so it is
//! ignored, and waiting goes on until the same deadline. After [`MAX_STRAYS`] of them the query
//! moves to TCP, and the attacker guesses at a closed port.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::code::{Opcode, Rcode};
use super::edns::{Edns, SAFE_UDP};
use super::error::DecodeError;
use super::header::Header;
use super::message::Message;
use super::name::Name;
use super::record::Question;
use super::walk::Referral;
use crate::net::Transport;

/// How many times each server is asked at most, whatever the configuration says: if a port is
/// closed, each try fails at once, and the deadline would allow very many.
pub const MAX_ATTEMPTS: u32 = 100;

/// How many messages that do not match are ignored before the query moves to TCP. With 100 guesses
/// at 65,536 ids, one flood in 655 gets a forgery through.
pub const MAX_STRAYS: u32 = 100;

/// What the caller has to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<T> {
    /// Send this message, from a fresh socket, and close the socket before it.
    Send {
        /// The server to send to.
        server: SocketAddr,
        /// The transport. Over TCP the message needs its length before it.
        transport: Transport,
        /// The message.
        octets: Vec<u8>,
        /// The deadline for connecting, sending and the reply.
        until: Duration,
    },
    /// Wait for a message until this time at most; then poll again.
    Wait(Duration),
    /// It is over.
    Done(T),
}

/// How to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// The servers, in the order in which to try them.
    pub servers: Vec<SocketAddr>,
    /// How long to wait for each reply.
    pub timeout: Duration,
    /// How many times to ask each server, [`MAX_ATTEMPTS`] at most.
    pub attempts: u32,
    /// The UDP payload to offer by EDNS, in octets; `None` for no EDNS.
    pub edns: Option<u16>,
    /// Over TCP from the start.
    pub use_tcp: bool,
    /// RD: ask the servers to ask others. Without it, a referral is a usable reply.
    pub recursion: bool,
}

impl Default for Asking {
    /// No server; 5 s, twice, [`SAFE_UDP`], UDP first, with recursion.
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            timeout: Duration::from_secs(5),
            attempts: 2,
            edns: Some(SAFE_UDP),
            use_tcp: false,
            recursion: true,
        }
    }
}

/// A reply, and how it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The message.
    pub message: Message,
    /// The server that sent it.
    pub server: SocketAddr,
    /// The transport it came over.
    pub transport: Transport,
    /// Its length, in octets.
    pub size: usize,
    /// How long it took from the query on.
    pub took: Duration,
}

/// A try without a usable reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Try {
    /// The server that was asked.
    pub server: SocketAddr,
    /// The transport.
    pub transport: Transport,
    /// What went wrong.
    pub trouble: Trouble,
    /// The useless reply, if one came and could be read.
    pub reply: Option<Reply>,
}

/// Why a try had no usable reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No reply that belongs to the query came in time.
    Timeout,
    /// The network or the server refused: the reason in plain words.
    Unreachable(String),
    /// The server will not or cannot answer.
    Refused(Rcode),
    /// The same, when the query has EDNS: the server is asked again without.
    RefusedEdns(Rcode),
    /// The server refers to these other servers. If the caller wants recursion, a referral is no
    /// answer.
    Refers(Vec<Name>),
    /// The reply has no answer, no referral, and no offer of recursion (a lame server).
    Lame,
    /// The reply was cut before the first record, even over TCP: it says neither yes nor no.
    Cut,
    /// The reply is malformed.
    Malformed(DecodeError),
}

impl fmt::Display for Try {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.transport, self.server, self.trouble)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Timeout => f.write_str("no reply in time"),
            Trouble::Unreachable(why) => f.write_str(why),
            Trouble::Refused(rcode) => rcode.fmt(f),
            Trouble::RefusedEdns(rcode) => write!(f, "{rcode} to EDNS"),
            Trouble::Refers(servers) => {
                f.write_str("refers to ")?;
                servers.iter().enumerate().try_for_each(|(number, server)| {
                    let comma = if number > 0 { ", " } else { "" };
                    write!(f, "{comma}{server}")
                })
            }
            Trouble::Lame => f.write_str("neither an answer nor recursion"),
            Trouble::Cut => f.write_str("a cut reply without a record"),
            Trouble::Malformed(error) => write!(f, "malformed reply: {error}"),
        }
    }
}

/// One question in progress.
#[derive(Clone, Debug)]
pub struct Exchange {
    question: Question,
    asking: Asking,
    /// When to give up, whatever is left to try.
    deadline: Duration,
    servers: Vec<Server>,
    /// The number of the present try, over all servers: try `n` asks server `n % servers`.
    turn: usize,
    state: State,
    tries: Vec<Try>,
}

/// What is known about a server so far.
#[derive(Clone, Copy, Debug)]
struct Server {
    edns: bool,
    /// It gave an answer that it would give again: it is not asked any more.
    spent: bool,
}

#[derive(Clone, Debug)]
enum State {
    /// Send to the server whose turn it is.
    Next(Transport),
    Waiting(Sent),
    Over(Option<Reply>),
}

/// A query that waits for its reply.
#[derive(Clone, Copy, Debug)]
struct Sent {
    id: u16,
    server: SocketAddr,
    transport: Transport,
    with_edns: bool,
    /// How many messages came for it that did not match.
    strays: u32,
    since: Duration,
    until: Duration,
}

impl Exchange {
    /// Asks `question`; gives up at `deadline`.
    pub fn new(question: Question, asking: Asking, deadline: Duration) -> Self {
        let fresh = Server {
            edns: asking.edns.is_some(),
            spent: false,
        };
        let mut exchange = Self {
            question,
            deadline,
            servers: vec![fresh; asking.servers.len()],
            turn: 0,
            state: State::Next(first_transport(&asking)),
            tries: Vec::new(),
            asking,
        };
        if exchange.servers.is_empty() || exchange.asking.attempts == 0 {
            exchange.state = State::Over(None);
        }
        exchange
    }

    /// What is asked.
    pub fn question(&self) -> &Question {
        &self.question
    }

    /// The tries without a usable reply so far: if there is a reply, those before it.
    pub fn take_tries(&mut self) -> Vec<Try> {
        std::mem::take(&mut self.tries)
    }

    /// What to do at the time `now`. `id` must be random and not guessable; it is used if this step
    /// sends. `Done` returns the reply, or all the tries that failed; it is returned once.
    pub fn poll(&mut self, now: Duration, id: u16) -> Step<Result<Reply, Vec<Try>>> {
        loop {
            match &mut self.state {
                State::Over(reply) => {
                    let reply = reply.take();
                    return Step::Done(reply.ok_or_else(|| self.take_tries()));
                }
                State::Waiting(sent) if now < sent.until => return Step::Wait(sent.until),
                State::Waiting(_) => self.failed(Trouble::Timeout, None),
                State::Next(_) if now >= self.deadline => self.state = State::Over(None),
                State::Next(transport) => {
                    let transport = *transport;
                    return self.send(now, id, transport);
                }
            }
        }
    }

    fn send<T>(&mut self, now: Duration, id: u16, transport: Transport) -> Step<T> {
        let place = self.turn % self.servers.len();
        let (server, known) = (self.asking.servers[place], self.servers[place]);
        let until = self.deadline.min(now.saturating_add(self.asking.timeout));
        self.state = State::Waiting(Sent {
            id,
            server,
            transport,
            with_edns: known.edns,
            strays: 0,
            since: now,
            until,
        });
        let octets = self.query(id, known.edns);
        Step::Send {
            server,
            transport,
            octets,
            until,
        }
    }

    fn query(&self, id: u16, with_edns: bool) -> Vec<u8> {
        let header = Header {
            recursion_desired: self.asking.recursion,
            ..Header::query(id)
        };
        let mut message = Message::new(header);
        message.questions.push(self.question.clone());
        message.edns = with_edns.then(|| Edns {
            udp_size: self.asking.edns.unwrap_or(SAFE_UDP),
            ..Edns::default()
        });
        // A header, a question and an empty OPT take 286 octets at most: nothing is cut.
        message.encode_within(usize::from(SAFE_UDP), Vec::new())
    }

    /// The server could not be reached, or its connection ended.
    pub fn unreachable(&mut self, why: impl Into<String>) {
        self.failed(Trouble::Unreachable(why.into()), None);
    }

    /// A message came from this address at the time `now`. One that does not belong to the query
    /// changes nothing but the count of strays.
    pub fn received(&mut self, now: Duration, from: SocketAddr, octets: &[u8]) {
        let State::Waiting(sent) = self.state else {
            return;
        };
        if from != sent.server {
            return;
        }
        let Some(header) = self.matching(&sent, octets) else {
            self.stray(sent);
            return;
        };
        if header.truncated && sent.transport == Transport::Udp {
            // The partial answer is not used, whatever it says (RFC 2181 §9).
            self.state = State::Next(Transport::Tcp);
            return;
        }
        match Message::decode(octets) {
            Err(error) => self.failed(Trouble::Malformed(error), None),
            Ok(message) => {
                let reply = Reply {
                    message,
                    server: sent.server,
                    transport: sent.transport,
                    size: octets.len(),
                    took: now.saturating_sub(sent.since),
                };
                self.judge(&sent, reply);
            }
        }
    }

    fn stray(&mut self, sent: Sent) {
        let strays = sent.strays.saturating_add(1);
        self.state = match strays >= MAX_STRAYS && sent.transport == Transport::Udp {
            true => State::Next(Transport::Tcp),
            false => State::Waiting(Sent { strays, ..sent }),
        };
    }

    /// The header of a message, if it belongs to the query (RFC 5452 §9.1).
    fn matching(&self, sent: &Sent, octets: &[u8]) -> Option<Header> {
        let (header, questions) = Message::decode_head(octets).ok()?;
        if header.id != sent.id || !header.response || header.opcode != Opcode::QUERY {
            return None;
        }
        // A server that could not or would not read the query may leave the question out.
        let without_question = matches!(
            header.rcode,
            Rcode::FORMERR | Rcode::SERVFAIL | Rcode::NOTIMP | Rcode::REFUSED
        );
        match questions.as_slice() {
            [question] if *question == self.question => Some(header),
            [] if without_question => Some(header),
            _ => None,
        }
    }

    fn judge(&mut self, sent: &Sent, reply: Reply) {
        let message = &reply.message;
        let trouble = match message.header.rcode {
            Rcode::NOERROR if message.header.truncated && message.answers.is_empty() => {
                Trouble::Cut
            }
            Rcode::NOERROR if self.asking.recursion && says_nothing(message) => {
                // A referral to the root does not lead towards the question.
                let referral = Referral::read(message, &self.question.name, &Name::root());
                referral.map_or(Trouble::Lame, |referral| {
                    let servers = referral.servers.into_iter();
                    Trouble::Refers(servers.map(|(name, _)| name).collect())
                })
            }
            Rcode::NOERROR | Rcode::NXDOMAIN => {
                self.state = State::Over(Some(reply));
                return;
            }
            // A server without EDNS: FORMERR (RFC 6891 §7), but some say NOTIMP.
            rcode @ (Rcode::FORMERR | Rcode::NOTIMP) if sent.with_edns => {
                Trouble::RefusedEdns(rcode)
            }
            rcode => Trouble::Refused(rcode),
        };
        self.failed(trouble, Some(reply));
    }

    /// Records what went wrong and moves on to the next server that may still help.
    fn failed(&mut self, trouble: Trouble, reply: Option<Reply>) {
        let State::Waiting(sent) = self.state else {
            return;
        };
        let count = self.servers.len();
        let server = &mut self.servers[self.turn % count];
        let without_edns = matches!(trouble, Trouble::RefusedEdns(_));
        server.edns &= !without_edns;
        server.spent = matches!(
            trouble,
            Trouble::Refused(_) | Trouble::Refers(_) | Trouble::Lame
        );
        self.tries.push(Try {
            server: sent.server,
            transport: sent.transport,
            trouble,
            reply,
        });
        if without_edns {
            self.state = State::Next(sent.transport);
            return;
        }
        let all = count.saturating_mul(self.asking.attempts.min(MAX_ATTEMPTS) as usize);
        let next = (self.turn + 1..all).find(|turn| !self.servers[turn % count].spent);
        self.state = match next {
            Some(turn) => {
                self.turn = turn;
                State::Next(first_transport(&self.asking))
            }
            None => State::Over(None),
        };
    }
}

fn first_transport(asking: &Asking) -> Transport {
    match asking.use_tcp {
        true => Transport::Tcp,
        false => Transport::Udp,
    }
}

/// Whether a reply has no answer and no offer of recursion.
fn says_nothing(message: &Message) -> bool {
    let header = &message.header;
    !header.authoritative && !header.recursion_available && message.answers.is_empty()
}

#[cfg(test)]
mod tests;
