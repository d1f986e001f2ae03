//! The relay of streams: two sockets, a thread for each direction; each end of the stream is passed
//! on as exactly as the sockets allow.
//!
//! ```text
//!            read            plan             record, write
//!   client ────────> bytes ────────> writes ────────────────> target      (Forward)
//!   client <──────── ...                            ... <──── target      (Back)
//! ```
//!
//! With a delay or a throttle there is a [`Lane`] between plan and write, and a second thread.
//!
//! - The end of one direction is passed on as such (a half-close); the other direction goes on.
//! - A reset is passed on as a reset, to both sides; on a Unix socket, which has none, as an end.
//! - If the target is not reached, the client gets a reset: its connection was already accepted.
//! - A side that does not read stops the other side, as it would without the relay: the relay holds
//!   only one chunk, or what a delayed link holds ([`MOST_ON_THE_WAY`]).

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use super::conversation::{ends, other};
use super::fault::{Faults, Plan, Then};
use super::lane::Lane;
use super::recorder::{Event, Recorder, Track};
use crate::capture::flow::Direction;
use crate::net::{Conn, Deadline, Dialer, Network, plain_words};
use crate::server::{End, Handler, Session, is_gone, lock, no_thread};
use crate::telemetry::Counter;

/// The most bytes of one read.
const CHUNK: usize = 128 * 1024;
/// The most bytes of one direction on a delayed link: it carries 16 MiB in the time of the delay.
pub const MOST_ON_THE_WAY: usize = 16 << 20;
/// How long a thread may wait in a write before it checks whether the connection is over: a writer,
/// unlike a reader, cannot be woken without the peer noticing.
const LOOK: Duration = Duration::from_secs(1);
/// After a cut: how long the last bytes may take to arrive.
const LAST_BYTES: Duration = Duration::from_secs(1);
/// The stack of a thread that copies bytes.
const STACK: usize = 128 * 1024;

/// The target, and the faults on the way.
#[derive(Clone, Debug)]
pub struct RelayConfig {
    /// The target's network and address.
    pub target: (Network, String),
    /// How to connect to it.
    pub dialer: Dialer,
    /// The faults.
    pub faults: Faults,
    /// Decides where faults happen, together with the connection's number, counted from 0.
    pub seed: u64,
    /// A connection, or a client's datagrams, ends when nothing has passed for this long.
    pub idle: Option<Duration>,
}

/// Bytes passed on.
#[derive(Debug, Default)]
pub struct Passed {
    /// To the target.
    pub to_target: Counter,
    /// To the client.
    pub to_client: Counter,
}

impl Passed {
    pub(super) fn add(&self, way: Direction, count: usize) {
        match way {
            Direction::Forward => self.to_target.add(count as u64),
            Direction::Back => self.to_client.add(count as u64),
        }
    }
}

/// A [`Handler`] that connects each client with the target.
pub struct Relay {
    config: RelayConfig,
    recorder: Arc<Recorder>,
    passed: Arc<Passed>,
}

impl Relay {
    /// A relay that records its traffic with `recorder`.
    pub fn new(config: RelayConfig, recorder: Arc<Recorder>) -> Self {
        Self {
            config,
            recorder,
            passed: Arc::default(),
        }
    }

    /// The counters of bytes passed on.
    pub fn passed(&self) -> Arc<Passed> {
        self.passed.clone()
    }

    /// Resets the client, which learns by this that the target was not reached.
    fn refuse(&self, client: &Conn, number: u64, why: &str) -> io::Error {
        let (network, address) = &self.config.target;
        let target = address.parse::<SocketAddr>().ok();
        let track = self
            .recorder
            .stream(number, ends(client.peer_addr().ip(), target, number));
        // If the target is a name that was not resolved, its packets could not have an address.
        let is_known = target.is_some() || network.is_unix();
        let event = if is_known {
            Event::Refused(why)
        } else {
            Event::Note(why)
        };
        self.recorder.record(&track, event);
        let _ = client.reset_on_close(); // fails if the client has gone
        io::Error::new(ErrorKind::ConnectionAborted, why.to_string())
    }
}

impl Handler for Relay {
    fn serve(&self, client: &Conn, session: &Session<'_>) -> io::Result<End> {
        let (number, (network, address)) = (session.id(), &self.config.target);
        let target = match self.config.dialer.dial(*network, address) {
            Ok(target) => target,
            Err(error) => return Err(self.refuse(client, number, &error.to_string())),
        };
        let peers = [client.peer_addr(), target.peer_addr()];
        let track = self
            .recorder
            .stream(number, ends(peers[0].ip(), peers[1].ip(), number));
        let [from, to] = peers.map(ToString::to_string);
        self.recorder.record(&track, Event::Opened(&from, &to));
        let plans = [Direction::Forward, Direction::Back]
            .map(|way| Plan::new(&self.config.faults, self.config.seed, number, way));
        Link::new(self, client, &target, track, &plans).run(plans)?;
        Ok(End::Peer)
    }
}

/// How a direction ends.
#[derive(Clone, Copy, Debug)]
enum Ending {
    /// No more bytes; the other direction goes on.
    End,
    /// Both sides are closed, whatever they still have to send.
    Cut,
    Reset,
}

/// What a lane holds.
enum Act {
    Write(Vec<u8>),
    End(Ending),
}

/// One client and the target.
struct Link<'a> {
    relay: &'a Relay,
    client: &'a Conn,
    target: &'a Conn,
    track: Track,
    begun: Instant,
    /// For each direction, if it is slow.
    forward: Option<Lane<Act>>,
    back: Option<Lane<Act>>,
    /// The connection was reset or cut: nothing passes any more.
    over: AtomicBool,
    /// When something last passed, in milliseconds since `begun`.
    active: AtomicU64,
    /// The first failure that is not the work of a peer.
    failure: Mutex<Option<io::Error>>,
}

impl<'a> Link<'a> {
    fn new(
        relay: &'a Relay,
        client: &'a Conn,
        target: &'a Conn,
        track: Track,
        plans: &[Plan; 2],
    ) -> Self {
        let begun = Instant::now();
        let [forward, back] = plans.each_ref().map(|plan| {
            plan.is_slow()
                .then(|| Lane::new(begun, plan.room(MOST_ON_THE_WAY)))
        });
        Self {
            relay,
            client,
            target,
            track,
            begun,
            forward,
            back,
            over: AtomicBool::new(false),
            active: AtomicU64::new(0),
            failure: Mutex::new(None),
        }
    }

    /// Passes bytes on until both directions have ended or the connection is over.
    fn run(&self, [forward, back]: [Plan; 2]) -> io::Result<()> {
        thread::scope(|scope| {
            let started = self
                .start_lane(scope, Direction::Forward)
                .and_then(|()| self.start_lane(scope, Direction::Back))
                .and_then(|()| start(scope, move || self.pass(Direction::Back, back)));
            match started {
                Ok(()) => {
                    self.pass(Direction::Forward, forward);
                    // Nobody reads from the client now. If it leaves altogether, or the server cuts
                    // it, the other direction would not notice as long as the target is silent. No
                    // reset: what the client has sent may still be on its way.
                    if self.client.ends_before(self.target) {
                        let _ = self.target.shutdown(Shutdown::Read); // fails if it has gone
                    }
                }
                Err(_) => self.reset(Direction::Back),
            }
            started
        })?;
        if self.over.load(Ordering::Relaxed) {
            let deadline = Deadline::after(LAST_BYTES);
            // Returns at once after a reset.
            self.client.wait_acknowledged(deadline);
            self.target.wait_acknowledged(deadline);
        }
        let mut failure = lock(&self.failure);
        failure.take().map_or(Ok(()), Err)
    }

    /// Notes why the connection was reset, unless a peer has gone: to relay that is our work.
    fn failed(&self, doing: &str, side: Direction, error: io::Error) {
        if is_gone(&error) || self.is_over() {
            return;
        }
        let side = match side {
            Direction::Forward => "the target",
            Direction::Back => "the client",
        };
        let why = format!("{doing} {side}: {}", plain_words(&error));
        let mut failure = lock(&self.failure);
        failure.get_or_insert(io::Error::new(error.kind(), why));
    }

    /// Starts the thread that writes what leaves a lane.
    fn start_lane<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        way: Direction,
    ) -> io::Result<()> {
        let Some(lane) = self.lane(way) else {
            return Ok(());
        };
        start(scope, move || {
            while let Some(act) = lane.pop() {
                let goes_on = match act {
                    Act::Write(bytes) => self.write(way, &bytes),
                    Act::End(ending) => self.end(way, ending),
                };
                if !goes_on {
                    return;
                }
            }
        })
    }

    /// Reads one side until its end.
    fn pass(&self, way: Direction, mut plan: Plan) {
        let from = self.socket(other(way));
        let mut buffer = vec![0; CHUNK];
        let ending = loop {
            match self.read(from, &mut buffer) {
                _ if self.is_over() => return,
                Ok(0) => break Ending::End,
                Ok(count) => {
                    let bytes = buffer.get_mut(..count).unwrap_or_default();
                    if !self.chunk(way, &mut plan, bytes) {
                        return;
                    }
                }
                Err(error) if Deadline::is_cause_of(&error) => {
                    let note = Event::Note("nothing has passed for the idle time");
                    self.relay.recorder.record(&self.track, note);
                    return self.cut(way);
                }
                Err(error) => {
                    self.failed("receiving from", other(way), error);
                    break Ending::Reset;
                }
            }
        };
        let due = plan.end(self.begun.elapsed());
        self.send_end(way, due, ending);
    }

    /// Passes on the bytes of a read; `false` if nothing may follow.
    fn chunk(&self, way: Direction, plan: &mut Plan, mut bytes: &mut [u8]) -> bool {
        let now = self.begun.elapsed();
        self.moved();
        while !bytes.is_empty() {
            let step = plan.step(now, bytes);
            let (part, rest) = bytes.split_at_mut(step.take.min(bytes.len()));
            let goes_on = self.send(way, step.due, part)
                && match step.then {
                    Then::GoOn => true,
                    Then::Cut => self.send_end(way, step.due, Ending::Cut),
                    Then::Reset => self.send_end(way, step.due, Ending::Reset),
                };
            if !goes_on {
                return false;
            }
            bytes = rest;
        }
        true
    }

    /// Sends bytes, through the lane if there is one.
    fn send(&self, way: Direction, due: Duration, bytes: &[u8]) -> bool {
        match self.lane(way) {
            _ if bytes.is_empty() => true,
            Some(lane) => lane.push(due, bytes.len(), Act::Write(bytes.to_vec())),
            None => self.write(way, bytes),
        }
    }

    /// Sends the end, likewise; nothing may follow.
    fn send_end(&self, way: Direction, due: Duration, ending: Ending) -> bool {
        match self.lane(way) {
            Some(lane) => {
                lane.push(due, 0, Act::End(ending));
            }
            None => {
                self.end(way, ending);
            }
        }
        false
    }

    /// Records and writes bytes; `false` if nothing may follow.
    fn write(&self, way: Direction, bytes: &[u8]) -> bool {
        if self.is_over() {
            return false;
        }
        let event = Event::Passed(way, bytes);
        self.relay.recorder.record(&self.track, event);
        match self.write_all(self.socket(way), bytes) {
            Ok(()) => self.relay.passed.add(way, bytes.len()),
            Err(error) if Deadline::is_cause_of(&error) => self.cut(way),
            // If the side written to has gone, that counts as a reset by it.
            Err(error) => {
                self.failed("sending to", way, error);
                self.reset(other(way));
            }
        }
        !self.is_over()
    }

    /// Ends the direction, or both; nothing may follow.
    fn end(&self, way: Direction, ending: Ending) -> bool {
        match ending {
            _ if self.is_over() => {}
            Ending::End => {
                let event = Event::Ended(way);
                self.relay.recorder.record(&self.track, event);
                // Fails if that side has gone: it knows already.
                let _ = self.socket(way).shutdown(Shutdown::Write);
            }
            Ending::Cut => self.cut(way),
            Ending::Reset => self.reset(way),
        }
        false
    }

    /// One read, limited by the idle time-out.
    fn read(&self, mut from: &Conn, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let until = self.idle_end();
            from.set_read_deadline(until);
            match from.read(buffer) {
                // The other direction was not idle meanwhile.
                Err(error) if Deadline::is_cause_of(&error) && !self.idle_end().passed() => {}
                other => return other,
            }
        }
    }

    /// Writes all bytes, unless the connection is over before.
    fn write_all(&self, mut to: &Conn, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            to.set_write_deadline(Deadline::after(LOOK));
            match to.write(bytes) {
                Ok(count) => {
                    self.moved();
                    bytes = bytes.get(count..).unwrap_or_default();
                }
                Err(error)
                    if Deadline::is_cause_of(&error)
                        && !self.is_over()
                        && !self.idle_end().passed() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Bytes were read or written. Both count: on a slow link, or to a slow reader, the bytes of
    /// one read may take longer than the idle time-out.
    fn moved(&self) {
        if self.relay.config.idle.is_some() {
            let now = self.begun.elapsed().as_millis() as u64;
            self.active.store(now, Ordering::Relaxed);
        }
    }

    /// When the connection will have been idle for too long, if nothing passes until then.
    fn idle_end(&self) -> Deadline {
        let Some(idle) = self.relay.config.idle else {
            return Deadline::NEVER;
        };
        let active = Duration::from_millis(self.active.load(Ordering::Relaxed));
        let end = self
            .begun
            .checked_add(active)
            .and_then(|last| last.checked_add(idle));
        end.map_or(Deadline::NEVER, Deadline::at)
    }

    /// Resets the connection: the sender of this direction has reset it, or a fault says so.
    fn reset(&self, way: Direction) {
        if self.over.swap(true, Ordering::Relaxed) {
            return;
        }
        self.relay.recorder.record(&self.track, Event::Reset(way));
        for side in [self.client, self.target] {
            let _ = side.reset_on_close(); // fails on the side that is already gone
        }
        self.wake();
    }

    /// Closes both sides, in order.
    fn cut(&self, way: Direction) {
        if self.over.swap(true, Ordering::Relaxed) {
            return;
        }
        self.relay.recorder.record(&self.track, Event::Cut(way));
        for side in [self.client, self.target] {
            let _ = side.shutdown(Shutdown::Write); // fails on a side that is already gone
        }
        self.wake();
    }

    /// Ends all waiting, except in a write. To shut down reading sends nothing to the peer.
    fn wake(&self) {
        for side in [self.client, self.target] {
            let _ = side.shutdown(Shutdown::Read);
        }
        for lane in [&self.forward, &self.back].into_iter().flatten() {
            lane.close();
        }
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// The socket of the side to which this direction leads.
    fn socket(&self, way: Direction) -> &'a Conn {
        match way {
            Direction::Forward => self.target,
            Direction::Back => self.client,
        }
    }

    fn lane(&self, way: Direction) -> Option<&Lane<Act>> {
        match way {
            Direction::Forward => self.forward.as_ref(),
            Direction::Back => self.back.as_ref(),
        }
    }
}

fn start<'scope>(
    scope: &'scope Scope<'scope, '_>,
    body: impl FnOnce() + Send + 'scope,
) -> io::Result<()> {
    let thread = thread::Builder::new()
        .name("relay".into())
        .stack_size(STACK);
    let started = thread.spawn_scoped(scope, body).map(drop);
    started.map_err(no_thread)
}
