//! The server's side of the protocol: greet, read calls, run them, answer.
//!
//! ```text
//!  read(2) ──> frames ──> quick methods run here, one after another ────┐
//!                    └──> slow ones and streams: a worker each ──> write│
//!                                                                       v
//!                         one write(2) for the answers of one read <────┘
//! ```
//!
//! A quick call needs no switch of threads, and the answers to all calls that one read brought
//! leave in one write. [`RpcHandler`] is a [`Handler`](crate::server::Handler), so threads, limits,
//! the access list and the drain are the same as in every server here.

use std::io::{self, Write};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::auth::Secret;
use super::failure::Failure;
use super::link::{Called, Link, NoBegin};
use super::message::{MAGIC, MAX_WINDOW, Message, Push, kind};
use super::service::{Answer, Call, Method, MethodStats, Router, Service};
use super::welcome::{invalid, welcome};
use super::work::{Held, Work};
use super::workers::{Job, NoPlace, Workers};
use crate::net::{Conn, Deadline, say_which};
use crate::server::{End, Handler, Refusal, Session, is_due};
use crate::telemetry::{Log, Registry};
use crate::wire::{FrameReader, Frames, Limits};

/// The bytes of a frame beside the message: kind, id, time, the longest name.
const AROUND: usize = 1 + 8 + 8 + 1 + super::MAX_NAME;

/// The longest frame, in bytes, with a message within these limits.
pub(super) fn max_frame(limits: &Limits) -> usize {
    limits.message.saturating_add(AROUND)
}

/// The limits for messages to a peer that takes frames of at most `max_frame` bytes.
pub(super) fn limits_for(mut limits: Limits, max_frame: usize) -> Limits {
    limits.message = limits.message.min(max_frame.saturating_sub(AROUND));
    limits
}

/// When the answers have this many bytes, they are written, even if more calls are here.
const WRITE_AT: usize = 64 << 10;

/// The configuration of an [`RpcHandler`].
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// The name in log lines.
    pub name: String,
    /// Where the panics of methods are logged. Default: nowhere.
    pub log: Log,
    /// The limits of a message. Default [`Limits::default`]: 4 MiB.
    pub limits: Limits,
    /// Calls in flight on one connection, not counting quick ones; more are refused as overloaded.
    /// Default 256.
    pub in_flight: usize,
    /// Threads for slow methods and streams, for all connections together; at least 1. Default 64.
    pub workers: usize,
    /// Calls that may wait for a worker; more are refused as overloaded. Default 1,024.
    pub queue: usize,
    /// Bytes of arguments that workers have or that wait for one, for all connections together;
    /// calls beyond that are refused as overloaded. Default 64 MiB.
    pub queue_bytes: usize,
    /// Items of a stream that are sent before the caller asks for more, 1 to
    /// [`MAX_WINDOW`](super::message::MAX_WINDOW). Default 16.
    pub window: u32,
    /// How long a connection may be silent while no call is in flight. Default 10 minutes; `None`:
    /// for ever.
    pub idle_timeout: Option<Duration>,
    /// How long a frame may take from its first byte to its last, and how long the whole greeting
    /// may take. Default 30 s.
    pub frame_timeout: Duration,
    /// How long a peer may take to accept what is written to it. Default 30 s.
    pub write_timeout: Duration,
    /// How long running calls may go on after a stop; then they are cancelled. Default 4.5 s. The
    /// drain of the whole server, [`Config::drain`](crate::server::Config::drain), at which
    /// connections are cut, should be a little longer, so that the callers are told.
    pub drain: Duration,
    /// If set, both sides must prove that they know this secret. Default: none.
    pub secret: Option<Secret>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            name: "rpc".into(),
            log: Log::off(),
            limits: Limits::default(),
            in_flight: 256,
            workers: 64,
            queue: 1024,
            queue_bytes: 64 << 20,
            window: 16,
            idle_timeout: Some(Duration::from_secs(600)),
            frame_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            drain: Duration::from_millis(4500),
            secret: None,
        }
    }
}

/// The stack of a thread that runs methods, in bytes: enough for 64 levels of decoding in a debug
/// build, and the same again for the method.
pub const STACK_SIZE: usize = 256 * 1024;

/// Offers services on connections: the handler for a [`Server`](crate::server::Server).
pub struct RpcHandler {
    config: Arc<ServerConfig>,
    router: Arc<Router>,
    workers: Workers,
    /// Bytes of arguments that workers have, or that wait for one.
    held: Arc<AtomicUsize>,
    /// When it was last logged that a worker could not be started.
    complained: Mutex<Option<Instant>>,
}

impl RpcHandler {
    /// Offers `services`, and also `Server.Methods` and `Server.Stats`. Panics when two methods
    /// have the same name.
    pub fn new(config: ServerConfig, mut services: Vec<Service>) -> Self {
        let about = super::builtin::About::default();
        services.push(about.service());
        let router = Arc::new(Router::new(services));
        about.of(&router);
        Self {
            workers: Workers::new(config.workers, config.queue, STACK_SIZE),
            config: Arc::new(config),
            held: Arc::default(),
            complained: Mutex::new(None),
            router,
        }
    }

    /// A full queue is the callers' doing; a lack of threads is for who runs the server to mend.
    fn tell_lack(&self, why: &NoPlace) {
        if matches!(why, NoPlace::NoThread(_)) && is_due(&self.complained) {
            let ServerConfig { log, name, .. } = &*self.config;
            log.error(name, "cannot run slow methods", &[("cause", why)]);
        }
    }

    /// Adds the counts of each method to a registry: a histogram of its time, and counters of its
    /// failures and refusals, labelled with its name.
    pub fn register(&self, registry: &Registry) {
        for method in self.router.methods() {
            let labels = [("method", method.name.as_str())];
            registry.adopt_histogram(
                "groundwire_rpc_seconds",
                "How long calls took.",
                &labels,
                method.stats.time.clone(),
            );
            let stats = method.stats.clone();
            let count = move || stats.failed.get();
            registry.counter_fn(
                "groundwire_rpc_failed_total",
                "Calls that ended in a failure.",
                &labels,
                count,
            );
            let stats = method.stats.clone();
            registry.counter_fn(
                "groundwire_rpc_refused_total",
                "Calls that were not run: too many were under way or waited.",
                &labels,
                move || stats.refused.get(),
            );
        }
    }
}

impl Handler for RpcHandler {
    fn serve(&self, conn: &Conn, session: &Session<'_>) -> io::Result<End> {
        let greeted = welcome(&self.config, conn);
        let limit = Some(self.config.frame_timeout);
        let greeted = greeted.map_err(|error| say_which(error, "no whole greeting", limit))?;
        let Some((mut reader, answers)) = greeted else {
            return Ok(End::Peer);
        };
        conn.set_deadline(Deadline::NEVER);
        let link = Arc::new(Link::new(conn.clone(), &self.config, answers));
        // Calls in flight still need the peer's messages, so a stop must not shut down reading at
        // once.
        let stopping = link.clone();
        session.at_stop(move || stopping.stop());
        let mut reading = Reading {
            handler: self,
            link: &link,
            out: Frames::new(answers),
            session,
            now: Instant::now(),
            last: 0,
            parted: false,
        };
        let ended = reading.serve(&mut reader);
        if ended.is_ok() && session.is_stopping() && !link.is_busy() {
            reading.part()?;
            // Calls that were sent before the peer read the goodbye are answered: they are not run.
            let _ = reading.serve(&mut reader);
            return Ok(End::Ours);
        }
        // The peer no longer reads answers.
        link.cancel_all();
        if link.is_busy() {
            self.workers.leave(&link);
        }
        link.check().and(ended).map(|()| End::Peer)
    }

    fn refused(&self, conn: &Conn, why: Refusal) {
        if matches!(why, Refusal::Access(_)) {
            return; // unknown peers are told nothing
        }
        let mut out = Frames::new(Limits::default());
        out.push_raw(&MAGIC);
        out.failed(0, &Failure::Overloaded(why.to_string()));
        let _ = (&*conn).write(out.bytes());
    }
}

/// Serves one connection, on the thread that reads it.
struct Reading<'a> {
    handler: &'a RpcHandler,
    link: &'a Arc<Link>,
    /// The answers of quick calls, for one write.
    out: Frames,
    session: &'a Session<'a>,
    /// When the last quick call ended, which is when the next one begins.
    now: Instant,
    /// The highest id of a call so far.
    last: u64,
    /// The goodbye was sent.
    parted: bool,
}

impl Reading<'_> {
    /// Serves until the end of the stream. In a drain, that comes when the last call has ended.
    fn serve(&mut self, reader: &mut FrameReader<&Conn>) -> io::Result<()> {
        let config = &self.handler.config;
        let mut whole_frame_by = None;
        loop {
            self.now = Instant::now();
            while let Some(frame) = reader.buffer().next_frame().map_err(|e| self.refuse(e))? {
                self.take(frame).map_err(|error| self.explain(error))?;
                whole_frame_by = None;
                if self.out.len() >= WRITE_AT {
                    self.write()?;
                }
            }
            if self.session.is_stopping() && !self.parted {
                self.part()?;
            }
            if !self.out.is_empty() {
                self.write()?;
                // The write may have taken long, and the next frame must not lose that time.
                self.now = Instant::now();
            }
            self.session.between_requests();
            // Between frames a peer may be silent for long; a frame that has begun has a deadline.
            let deadline = if reader.buffer().is_empty() {
                config
                    .idle_timeout
                    .map_or(Deadline::NEVER, |time| self.after(time))
            } else {
                *whole_frame_by.get_or_insert_with(|| self.after(config.frame_timeout))
            };
            self.link.conn.set_read_deadline(deadline);
            match reader.fill() {
                // A stop may cut a frame. The goodbye says that its call was not read.
                Ok(0) if self.session.is_stopping() => return Ok(()),
                Ok(0) => return reader.buffer().end().map_err(invalid),
                Ok(_) => {}
                // The peer waits silently for an answer.
                Err(error)
                    if error.kind() == io::ErrorKind::TimedOut
                        && reader.buffer().is_empty()
                        && self.link.is_busy() => {}
                Err(error) if reader.buffer().is_empty() => {
                    return Err(say_which(error, "no message", config.idle_timeout));
                }
                Err(error) => {
                    let limit = Some(config.frame_timeout);
                    return Err(say_which(error, "no whole message", limit));
                }
            }
        }
    }

    /// Adds a goodbye, once, after the answers so far. The calls that were read are answered; later
    /// ones are not run.
    fn part(&mut self) -> io::Result<()> {
        if !self.parted {
            self.parted = true;
            let last = self.last;
            self.out.bare(Message::Goodbye { last });
        }
        self.write()
    }

    /// `time` from now, without reading the clock again.
    fn after(&self, time: Duration) -> Deadline {
        self.now
            .checked_add(time)
            .map_or(Deadline::NEVER, Deadline::at)
    }

    /// Tells the peer that it broke the protocol, after the answers to earlier calls.
    fn explain(&mut self, error: io::Error) -> io::Error {
        self.out.failed(0, &Failure::Refused(error.to_string()));
        let _ = self.write();
        error
    }

    /// Tells the peer why its connection ends.
    fn refuse(&mut self, error: crate::wire::FrameError) -> io::Error {
        self.out.failed(0, &Failure::TooLarge(error.to_string()));
        let _ = self.write();
        invalid(error)
    }

    fn write(&mut self) -> io::Result<()> {
        let written = self.link.write(self.out.bytes());
        self.out.clear();
        written
    }

    fn take(&mut self, frame: &[u8]) -> io::Result<()> {
        match Message::parse(frame).map_err(invalid)? {
            Message::Call {
                id,
                micros,
                method,
                argument,
            } => {
                if id == 0 {
                    return Err(invalid("a call with id 0, which means the connection"));
                }
                self.last = self.last.max(id);
                self.call(Some(id), micros, method, argument)
            }
            Message::Notify { method, argument } => self.call(None, 0, method, argument),
            Message::Cancel { id } => {
                if let Some(state) = self.link.find(id) {
                    state.cancel();
                    let workers = &self.handler.workers;
                    if let Some(job) = workers.take_back(self.link, Called::Id(id)) {
                        (job.work)(); // only answers: the call is cancelled
                    }
                }
                Ok(())
            }
            Message::More { id, count } => {
                if let Some(state) = self.link.find(id) {
                    state.add_credit(count);
                }
                Ok(())
            }
            Message::Ping(number) => {
                self.out.bare(Message::Pong(number));
                Ok(())
            }
            other => Err(invalid(format!("a client does not send {}", kind(&other)))),
        }
    }

    fn call(
        &mut self,
        id: Option<u64>,
        micros: u64,
        name: &str,
        argument: &[u8],
    ) -> io::Result<()> {
        if id.is_some_and(|id| self.link.is_under_way(id)) {
            return Err(invalid("two calls under way have the same id"));
        }
        let found = match self.handler.router.find(name) {
            _ if self.session.is_stopping() => Err(Failure::ShuttingDown),
            found => found,
        };
        let method = match found {
            Ok(method) => method.clone(),
            Err(failure) => {
                self.fail(id, &failure);
                return Ok(());
            }
        };
        let deadline = match micros {
            0 => Deadline::NEVER,
            micros => self.after(Duration::from_micros(micros)),
        };
        if method.traits.slow || method.traits.stream {
            return self.hand_over(id, method, deadline, argument);
        }
        let call = Call {
            peer: self.link.conn.peer_addr(),
            deadline,
            limits: self.handler.config.limits,
            running: None,
        };
        let mut answer = Answer {
            frames: &mut self.out,
            id,
        };
        method.carry_out(&call, argument, &mut answer, &self.handler.config);
        let now = Instant::now();
        method.stats.time.record(nanos(now - self.now));
        self.now = now;
        Ok(())
    }

    fn fail(&mut self, id: Option<u64>, failure: &Failure) {
        if let Some(id) = id {
            self.out.failed(id, failure);
        }
    }

    fn overloaded(&mut self, id: Option<u64>, stats: &MethodStats, why: String) {
        stats.refused.inc();
        self.fail(id, &Failure::Overloaded(why));
    }

    /// Hands a call to a worker.
    fn hand_over(
        &mut self,
        id: Option<u64>,
        method: Arc<Method>,
        deadline: Deadline,
        argument: &[u8],
    ) -> io::Result<()> {
        let config = self.handler.config.clone();
        let window = config.window.clamp(1, MAX_WINDOW);
        let (called, state) = match self.link.begin(id, config.in_flight, window) {
            Ok(begun) => begun,
            Err(NoBegin::Full) => {
                let most = config.in_flight;
                let why = format!("{most} calls are under way on this connection");
                self.overloaded(id, &method.stats, why);
                return Ok(());
            }
            Err(NoBegin::Stopping) => {
                self.fail(id, &Failure::ShuttingDown);
                return Ok(());
            }
        };
        let Some(argument) = Held::new(argument, &self.handler.held, config.queue_bytes) else {
            let most = config.queue_bytes;
            let why = format!("arguments of {most} bytes wait for a worker");
            self.overloaded(id, &method.stats, why);
            return self.link.finish(called, &[]);
        };
        let stats = method.stats.clone();
        let work = Work {
            id,
            called,
            state,
            method,
            deadline,
            argument,
            link: self.link.clone(),
            config,
        };
        let job = Job {
            link: self.link.clone(),
            called,
            work: Box::new(move || work.run()),
        };
        if let Err(why) = self.handler.workers.submit(job) {
            self.handler.tell_lack(&why);
            self.overloaded(id, &stats, why.to_string());
            self.link.finish(called, &[])?;
        }
        Ok(())
    }
}

pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
