//! The state of a capture's streams: the place of each side, and the beginnings of messages that
//! are not complete. Pure.
//!
//! Each side is in one of three states: in a body, whose bytes are skipped; in a message whose
//! beginning is kept; or before the next message.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::capture::decode::{Layer, Layers, Tcp, TcpFlags};

use super::application::{Applications, Protocol, Rule, Transport};
use super::body::Body;
use super::flows::Flows;
use super::messages::{Found, Front, MOST, Method, Start, begins_http, front};
use super::segment::{Direction, Ends, Segment};

/// One side of a stream.
#[derive(Clone, Debug, Default)]
struct Side {
    /// The relative number of the next byte, once a segment was seen.
    next: Option<u32>,
    /// The body to skip.
    body: Body,
    /// The beginning of a message, and its number among all beginnings.
    held: Vec<u8>,
    ticket: u64,
}

/// The requests of a stream that have no response yet, oldest first: two bits each.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    methods: u64,
    count: u32,
}

impl Asked {
    /// Further requests are not told apart: their responses count as responses to GET.
    const MOST: u32 = 32;

    fn add(&mut self, method: Method) {
        let bits = match method {
            Method::Other => 0,
            Method::Head => 1,
            Method::Connect => 2,
        };
        if self.count < Self::MOST {
            self.methods |= bits << (2 * self.count);
        }
        self.count = self.count.saturating_add(1);
    }

    fn oldest(self) -> Method {
        match self.methods & 3 {
            1 => Method::Head,
            2 => Method::Connect,
            _ => Method::Other,
        }
    }

    fn answered(&mut self) {
        self.methods >>= 2;
        self.count = self.count.saturating_sub(1);
    }
}

#[derive(Clone, Debug, Default)]
struct Stream {
    /// `None` before its first packet.
    number: Option<u32>,
    protocol: Option<Protocol>,
    asked: Asked,
    sides: [Side; 2],
}

impl Stream {
    /// A response has come to the oldest request.
    fn answered(&mut self, status: u16) {
        match (status, self.asked.oldest()) {
            // RFC 9110 §7.8: from here on the connection has another protocol, which is not known.
            (101, _) => self.protocol = Some(Protocol::Data),
            // Another response to the same request follows.
            (100..=199, _) => return,
            // RFC 9110 §9.3.6: from here on it is a tunnel, which may carry any protocol.
            (200..=299, Method::Connect) => self.protocol = None,
            _ => {}
        }
        self.asked.answered();
    }
}

/// What became of the beginning of a message.
pub(super) enum Completed {
    /// There was none, or it turned out not to be one.
    Nothing,
    /// It is still not complete.
    StillMore,
    /// It is complete, with this many bytes of the segment.
    Message(Found, usize),
}

pub(super) fn push<'s>(found: Found, bytes: &'s [u8], layers: &mut Layers<'s>) {
    let (from, to) = found.content;
    let Some(content) = bytes.get(from..to).filter(|content| !content.is_empty()) else {
        return;
    };
    layers.push(match found.protocol {
        Protocol::Dns => Layer::Dns(content),
        Protocol::Http => Layer::Http(content),
        Protocol::Rpc => Layer::Rpc(content),
        Protocol::Frames => Layer::Frame(content),
        Protocol::Data => Layer::Data(content),
    });
}

/// A side of a stream: the stream's place in the list, and which of its two sides.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    place: usize,
    side: usize,
}

/// How much memory a beginning takes besides its bytes, at most.
const BESIDE: usize = 64;

/// All streams, by number; beyond the limit, the newest replaces the oldest.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams {
    rules: Vec<Rule>,
    list: Vec<Stream>,
    /// Beginnings by age.
    held: BTreeMap<u64, At>,
    held_bytes: usize,
    tickets: u64,
}

impl Streams {
    pub(super) fn new(rules: Vec<Rule>) -> Self {
        Self {
            rules,
            ..Self::default()
        }
    }

    /// The protocol that a rule gives for these ports.
    pub(super) fn rule(&self, transport: Transport, ends: Ends) -> Option<Protocol> {
        let ports = [ends.source.1, ends.destination.1];
        let fits = |rule: &&Rule| rule.transport == transport && ports.contains(&rule.port);
        let last = self.rules.iter().rev().find(fits);
        last.map(|rule| rule.protocol)
    }

    /// The side that has sent this segment; a new stream is added to the list.
    pub(super) fn sender(&mut self, segment: &Segment, ends: Ends) -> At {
        let place = self.place(segment.stream, ends);
        let side = usize::from(segment.direction == Direction::Back);
        At { place, side }
    }

    fn place(&mut self, number: u32, ends: Ends) -> usize {
        let place = number as usize % Flows::MOST;
        if self
            .list
            .get(place)
            .is_some_and(|stream| stream.number == Some(number))
        {
            return place;
        }
        if self.list.len() <= place {
            self.list.resize_with(place + 1, Stream::default);
        }
        for side in 0..2 {
            self.give_up(At { place, side });
        }
        let is_dns = |end: (IpAddr, u16)| matches!(end.1, 53 | 5353 | 5355);
        let by_port = is_dns(ends.source) || is_dns(ends.destination);
        let rule = self.rule(Transport::Tcp, ends);
        let protocol = rule.or(by_port.then_some(Protocol::Dns));
        if let Some(stream) = self.list.get_mut(place) {
            *stream = Stream {
                number: Some(number),
                protocol,
                ..Stream::default()
            };
        }
        place
    }

    fn side(&mut self, at: At) -> Option<&mut Side> {
        self.list.get_mut(at.place)?.sides.get_mut(at.side)
    }

    /// The bytes that are new and in order; `None` if all of them are repeated.
    pub(super) fn in_order<'s>(
        &mut self,
        at: At,
        segment: &Segment,
        tcp: &Tcp<'s>,
    ) -> Option<&'s [u8]> {
        // SYN takes a sequence number, before that of the first byte.
        let syn = u32::from(tcp.flags.has(TcpFlags::SYN));
        let from = segment.sequence.wrapping_add(syn);
        let state = self.side(at)?;
        let next = *state.next.get_or_insert(from);
        let ahead = from.wrapping_sub(next);
        let known = if ahead < 1 << 31 {
            0
        } else {
            next.wrapping_sub(from)
        };
        let fresh = tcp.payload.get(known as usize..).unwrap_or_default();
        if known > 0 && fresh.is_empty() {
            return None;
        }
        state.next = Some(from.wrapping_add(tcp.length));
        if known == 0 && ahead > 0 {
            state.body.miss(u64::from(ahead));
            self.give_up(at);
        }
        Some(fresh)
    }

    /// Splits off the bytes that belong to a body.
    fn body<'s>(&mut self, at: At, bytes: &'s [u8]) -> (&'s [u8], &'s [u8]) {
        let taken = self.side(at).map_or(0, |state| state.body.take(bytes));
        bytes.split_at_checked(taken).unwrap_or((bytes, &[]))
    }

    /// The beginning of a message that a side has.
    fn held(&self, at: At) -> &[u8] {
        let stream = self.list.get(at.place);
        let state = stream.and_then(|stream| stream.sides.get(at.side));
        state.map_or(&[], |state| &state.held)
    }

    /// Looks at the start of `bytes`, of which `seen` were looked at before.
    fn front(&self, at: At, bytes: &[u8], seen: usize) -> Front {
        match self.list.get(at.place) {
            Some(stream) => front(stream.protocol, bytes, seen, stream.asked.oldest()),
            None => Front::No,
        }
    }

    /// Continues the beginning of a message that the side has.
    pub(super) fn complete(&mut self, at: At, bytes: &[u8], done: &mut Vec<u8>) -> Completed {
        let Some(state) = self.side(at).filter(|state| !state.held.is_empty()) else {
            return Completed::Nothing;
        };
        let (before, room) = (state.held.len(), state.held.capacity());
        state.held.extend_from_slice(bytes);
        let more = state.held.capacity() - room;
        self.held_bytes += more;
        let held = self.held(at);
        let (front, is_short) = (self.front(at, held, before), held.len() <= MOST);
        match front {
            Front::More if is_short => {
                self.make_room();
                Completed::StillMore
            }
            Front::Whole(found) if found.used >= before => {
                done.clear();
                done.extend_from_slice(held.get(..found.used).unwrap_or_default());
                self.give_up(at);
                self.found(at, found);
                Completed::Message(found, found.used - before)
            }
            _ => {
                self.give_up(at);
                Completed::Nothing
            }
        }
    }

    /// Takes bodies and messages from the start of the bytes; returns whether the last message is
    /// incomplete.
    pub(super) fn messages<'s>(
        &mut self,
        at: At,
        mut bytes: &'s [u8],
        layers: &mut Layers<'s>,
    ) -> bool {
        loop {
            let (body, rest) = self.body(at, bytes);
            if !body.is_empty() {
                layers.push(Layer::Data(body));
            }
            if rest.is_empty() {
                return false;
            }
            bytes = rest;
            match self.front(at, bytes, 0) {
                Front::Whole(found) => {
                    push(found, bytes, layers);
                    self.found(at, found);
                    bytes = bytes.get(found.used..).unwrap_or_default();
                }
                Front::More if bytes.len() <= MOST => {
                    self.hold(at, bytes);
                    return true;
                }
                Front::More | Front::No => {
                    layers.push(Layer::Data(bytes));
                    return false;
                }
            }
        }
    }

    /// Bytes after which others were not kept: takes the messages that are complete, and the
    /// beginning of an HTTP header section, as far as it goes.
    pub(super) fn cut<'s>(&mut self, at: At, bytes: &'s [u8], lost: u64, layers: &mut Layers<'s>) {
        self.give_up(at);
        if self.messages(at, bytes, layers) {
            let begin = bytes.len().saturating_sub(self.held(at).len());
            self.give_up(at);
            let begin = bytes.get(begin..).unwrap_or_default();
            let protocol = self.list.get(at.place).and_then(|stream| stream.protocol);
            let may_be_http = matches!(protocol, None | Some(Protocol::Http));
            layers.push(match may_be_http && begins_http(begin) {
                true => Layer::Http(begin),
                false => Layer::Data(begin),
            });
        }
        if let Some(state) = self.side(at) {
            state.body.miss(lost);
        }
    }

    /// Remembers what a message tells about those after it.
    fn found(&mut self, at: At, found: Found) {
        let Some(stream) = self.list.get_mut(at.place) else {
            return;
        };
        stream.protocol.get_or_insert(found.protocol);
        if let Some(state) = stream.sides.get_mut(at.side) {
            state.body = found.body;
        }
        match found.start {
            Some(Start::Request(method)) => stream.asked.add(method),
            Some(Start::Response(status)) => stream.answered(status),
            None => {}
        }
    }

    fn hold(&mut self, at: At, bytes: &[u8]) {
        self.tickets += 1;
        let ticket = self.tickets;
        let Some(state) = self.side(at) else {
            return;
        };
        state.held = bytes.to_vec();
        state.ticket = ticket;
        self.held_bytes += bytes.len() + BESIDE;
        self.held.insert(ticket, at);
        self.make_room();
    }

    fn make_room(&mut self) {
        while self.held_bytes > Applications::HELD {
            let Some((_, &at)) = self.held.first_key_value() else {
                return;
            };
            self.give_up(at);
        }
    }

    /// Forgets the beginning of a message that a side has.
    fn give_up(&mut self, at: At) {
        let Some(state) = self.side(at).filter(|state| !state.held.is_empty()) else {
            return;
        };
        let (held, ticket) = (std::mem::take(&mut state.held), state.ticket);
        self.held_bytes = self.held_bytes.saturating_sub(held.capacity() + BESIDE);
        self.held.remove(&ticket);
    }
}
