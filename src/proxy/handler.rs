//! A client's connection: one request after another, each passed on or answered here.
//!
//! ```text
//!   idle ──first byte──> head ──complete─> refused: an answer, and the end
//!    ^     (idle time)    (header time)  passed on (forward.rs), or answered here
//!    +──────────────────────────────────────+  keep-alive
//! ```

use std::borrow::Cow;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::access_log::Entry;
use super::answer::Answer;
use super::desk::{Date, Desk};
use super::forward::{Body, Done};
use super::phase::{Newcomers, Phase};
use super::proxy_protocol::{self, Header};
use super::setup::{Current, Setup};
use super::turn::{self, Turn};
use crate::http::{Framing, HeadParser, Name, RequestHead, Rule, write};
use crate::net::{Conn, Deadline, Incoming, ip::canonical};
use crate::server::{End, Handler, PerPeer, Refusal, Session};

/// How much of an idle client's buffer is kept, in bytes.
pub(super) const KEPT: usize = 4096;

/// The handler of one listener.
pub struct Clients {
    current: Arc<Current>,
    /// Whether connections begin with a PROXY protocol header.
    behind_proxy: bool,
    /// Counts connections by the client that the header names. Without that header the server
    /// counts peers, when it accepts.
    per_client: Option<Arc<PerPeer>>,
    newcomers: Newcomers,
}

impl Clients {
    /// The handler of a listener. `behind_proxy`: its trusted peers speak the PROXY protocol.
    pub fn new(current: Arc<Current>, behind_proxy: bool) -> Self {
        let per_peer = current.first.limits.per_peer.filter(|_| behind_proxy);
        Self {
            current,
            behind_proxy,
            per_client: per_peer.map(PerPeer::new),
            newcomers: Newcomers::default(),
        }
    }

    pub(super) fn newcomers(&self) -> Newcomers {
        self.newcomers.clone()
    }
}

impl Handler for Clients {
    fn serve(&self, conn: &Conn, session: &Session<'_>) -> io::Result<End> {
        let phase = Phase::of(conn, session, &self.newcomers);
        let mut client = Client::new(&self.current, conn);
        if self.behind_proxy && !client.introduction()? {
            return Ok(End::Ours);
        }
        let _place = match (&self.per_client, client.source) {
            (Some(clients), Some(source)) => match clients.enter(source.ip()) {
                None => return Ok(End::Refused(Refusal::TooManyFrom(source.ip()))),
                place => place,
            },
            _ => None,
        };
        loop {
            match client.next_head(&phase) {
                Next::Whole => {}
                Next::Ended => return Ok(End::Peer),
                Next::Idle => return Ok(End::Ours),
                Next::Refused(status, why) => {
                    client.refuse(status, why);
                    return Ok(End::Ours);
                }
            }
            match client.request(&phase) {
                After::GoesOn if phase.rest() => {}
                After::GoesOn | After::Ends => return Ok(End::Ours),
                After::Resets => {
                    conn.reset_on_close()?;
                    return Ok(End::Peer); // whatever is left needs no care
                }
            }
            session.between_requests();
        }
    }

    fn refused(&self, conn: &Conn, why: Refusal) {
        let status: &[u8] = match why {
            Refusal::Access(_) => b"403 Forbidden\r\n",
            Refusal::TooManyFromPeer | Refusal::TooManyFrom(_) => {
                b"429 Too Many Requests\r\nRetry-After: 1\r\n"
            }
            _ => b"503 Service Unavailable\r\nRetry-After: 1\r\n",
        };
        let (mut out, mut date) = (b"HTTP/1.1 ".to_vec(), Date::default());
        out.extend_from_slice(status);
        write::field(&mut out, "Date", date.now().as_bytes());
        out.extend_from_slice(b"Content-Length: 0\r\nConnection: close\r\n\r\n");
        // A new connection's buffer has room, so this does not block. It fails if the peer has
        // gone, which is no loss.
        let _ = (&*conn).write_all(&out);
    }
}

/// The client's address for backends and logs: an IPv4 client of a listener on `[::]` is not shown
/// as `::ffff:192.0.2.1`.
fn plain(client: SocketAddr) -> SocketAddr {
    SocketAddr::new(canonical(client.ip()), client.port())
}

/// What happens to the connection after a request.
enum After {
    GoesOn,
    Ends,
    /// It is reset, so that the client sees that the response was cut.
    Resets,
}

enum Next {
    /// A head is complete in the buffer.
    Whole,
    /// The client has closed: between two requests, or in the middle of a head.
    Ended,
    /// The client has sent nothing for too long.
    Idle,
    /// What the client sent is refused.
    Refused(u16, &'static str),
}

struct Client<'a> {
    current: &'a Current,
    setup: Arc<Setup>,
    number: u64,
    conn: &'a Conn,
    incoming: Incoming,
    parser: HeadParser,
    /// The head of a request whose body is read while it is passed on.
    head: Vec<u8>,
    /// The client's address.
    source: Option<SocketAddr>,
    /// The address that the client connected to, once it has been looked up or told.
    local: Option<SocketAddr>,
    trusted: bool,
}

impl<'a> Client<'a> {
    fn new(current: &'a Current, conn: &'a Conn) -> Self {
        // The number first. If a reload comes between the two, the setup is fetched once more; in
        // the other order, an old setup would be kept.
        let number = current.number();
        let setup = current.get();
        let mut client = Self {
            current,
            number,
            parser: HeadParser::requests(setup.config.limits.message),
            setup,
            conn,
            incoming: Incoming::new(KEPT),
            head: Vec::new(),
            source: conn.peer_addr().ip().map(plain),
            local: None,
            trusted: false,
        };
        client.trusted = client.is_trusted();
        client
    }

    /// Fetches the present setup if it is another one. Called before a head is read.
    fn renew(&mut self) {
        if self.number == self.current.number() {
            return;
        }
        self.number = self.current.number();
        self.setup = self.current.get();
        self.parser = HeadParser::requests(self.setup.config.limits.message);
        self.trusted = self.is_trusted();
    }

    fn is_trusted(&self) -> bool {
        let trusts = |client: SocketAddr| self.setup.config.trusts(client.ip());
        self.source.is_some_and(trusts)
    }

    /// Reads the PROXY protocol header that a trusted peer sends first. `false` if there is none.
    fn introduction(&mut self) -> io::Result<bool> {
        if !self.trusted {
            return Ok(false);
        }
        self.conn
            .set_read_deadline(Deadline::after(self.setup.config.timeouts.header));
        loop {
            match proxy_protocol::parse(self.incoming.waiting()) {
                Ok(Some((header, length))) => {
                    self.incoming.take(length);
                    if let Header::Tcp {
                        source,
                        destination,
                    } = header
                    {
                        (self.source, self.local) = (Some(plain(source)), Some(destination));
                        self.trusted = self.is_trusted();
                    }
                    return Ok(true);
                }
                Ok(None) => {}
                Err(error) => {
                    let why = format!("PROXY protocol: {error}");
                    return Err(io::Error::new(io::ErrorKind::InvalidData, why));
                }
            }
            let count = self.conn_read()?;
            if count == 0 {
                return Ok(false);
            }
        }
    }

    fn conn_read(&mut self) -> io::Result<usize> {
        let mut conn = self.conn;
        let count = conn.read(self.incoming.spare())?;
        self.incoming.filled(count);
        Ok(count)
    }

    /// Reads until a head is complete. The idle time-out covers the wait for its first byte, the
    /// header time-out the rest.
    fn next_head(&mut self, phase: &Phase) -> Next {
        if self.incoming.is_empty() {
            if let Some(end) = self.silence() {
                return end;
            }
        }
        phase.work();
        // Not earlier: while the client was silent, the configuration may have been reloaded.
        self.renew();
        self.parser.reset();
        let header = self.setup.config.timeouts.header;
        self.conn.set_read_deadline(Deadline::after(header));
        loop {
            match self.parser.advance(self.incoming.waiting()) {
                Ok(true) => return Next::Whole,
                Ok(false) => {}
                Err(rule) => return Next::Refused(rule.status(), rule.text()),
            }
            match self.conn_read() {
                Ok(0) => return Next::Ended,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    return Next::Refused(408, "the header section took too long");
                }
                Err(_) => return Next::Ended, // reset: nobody to answer
            }
        }
    }

    /// Waits for the first byte of a head. If none comes, returns how the connection ends.
    fn silence(&mut self) -> Option<Next> {
        let idle = self.setup.config.timeouts.idle;
        self.conn.set_read_deadline(Deadline::after(idle));
        match self.conn_read() {
            Ok(1..) => None,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Some(Next::Idle),
            Ok(_) | Err(_) => Some(Next::Ended),
        }
    }

    /// Answers a request that could not be read.
    fn refuse(&mut self, status: u16, why: &'static str) {
        let begun = Instant::now();
        let setup = self.setup.clone();
        let mut desk = setup.desks.take();
        let mut done = turn::refused(status, why);
        self.settle(&mut desk, &mut done, None, false);
        setup.desks.put(desk);
        log(&setup, self.source, None, &done, begun, SystemTime::now());
    }

    /// Sends this program's own answer, if there is one.
    fn settle(
        &self,
        desk: &mut Desk,
        done: &mut Done,
        head: Option<&RequestHead<'_>>,
        keep_alive: bool,
    ) {
        if let Some((status, retry_after)) = done.answer {
            let answer = Answer {
                status,
                retry_after,
                head,
                keep_alive,
            };
            done.status = status;
            done.sent = answer.send(self.conn, desk, self.setup.config.timeouts.write);
        }
    }

    /// Where the parts of the request lie in the buffer, once its head is complete.
    fn shape(&self) -> Result<Shape, Rule> {
        let waiting = self.incoming.waiting();
        let head = self.parser.request(waiting)?;
        let behind = waiting.len().saturating_sub(head.length);
        let body = match head.framing {
            Framing::None => Some(0),
            Framing::Length(body) => usize::try_from(body).ok(),
            Framing::Chunked | Framing::UntilClose => None,
        };
        Ok(Shape {
            head: head.length,
            body: body.filter(|&body| body <= behind),
            behind,
        })
    }

    /// Takes the head out of the buffer, because it is still needed while a body is read into the
    /// buffer. Returns the buffer.
    fn set_head_apart(&mut self, length: usize) -> Incoming {
        self.head.clear();
        self.head.extend_from_slice(self.incoming.take(length));
        std::mem::replace(&mut self.incoming, Incoming::new(KEPT))
    }

    /// Passes the request in the buffer on, or answers it.
    fn request(&mut self, phase: &Phase) -> After {
        // A stop shuts down reading on some connections. The end of the stream then does not mean
        // that the client has left.
        let unheard = !phase.work();
        let (begun, time) = (Instant::now(), SystemTime::now());
        let shape = match self.shape() {
            Ok(shape) => shape,
            Err(rule) => {
                self.refuse(rule.status(), rule.text());
                return After::Ends;
            }
        };
        let setup = self.setup.clone();
        let streamed = match shape.body {
            Some(_) => None,
            None => Some(self.set_head_apart(shape.head)),
        };
        let bytes = match streamed {
            Some(_) => &self.head,
            None => self.incoming.waiting(),
        };
        let Ok(head) = self.parser.request(bytes) else {
            return After::Ends; // it was parsed above, so it is valid
        };
        let more_behind = shape.body.map_or(0, |body| shape.behind - body);
        let mut turn = Turn {
            setup: &setup,
            conn: self.conn,
            source: self.source,
            local: &mut self.local,
            trusted: self.trusted,
            head,
            body: match shape.body {
                None => Body::Streamed(streamed),
                Some(0) => Body::Empty,
                Some(body) => {
                    Body::Buffered(bytes.get(shape.head..shape.head + body).unwrap_or_default())
                }
            },
            phase,
            watched: !unheard && more_behind == 0,
            more_behind: more_behind > 0,
        };
        let mut desk = setup.desks.take();
        let mut done = turn.run(&mut desk);
        done.received += shape.body.unwrap_or_default() as u64;
        let left = match turn.body {
            Body::Streamed(incoming) => incoming,
            Body::Empty | Body::Buffered(_) => None,
        };
        // If this program answers before it has read the body, it cannot know where the next
        // request begins.
        let read = done.answer.is_none() || shape.body.is_some();
        let keeps = done.keep_alive && head.keep_alive && !phase.is_stopping() && read;
        self.settle(&mut desk, &mut done, Some(&head), keeps);
        log(&setup, self.source, Some(&head), &done, begun, time);
        setup.desks.put(desk);
        match (shape.body, left) {
            (Some(body), _) => drop(self.incoming.take(shape.head + body)),
            (None, Some(left)) => self.incoming = left,
            (None, None) => return After::Ends,
        }
        match (keeps, done.resets) {
            (_, true) => After::Resets,
            (true, _) => After::GoesOn,
            (false, _) => After::Ends,
        }
    }
}

/// Where the parts of a request lie in the buffer, in bytes.
struct Shape {
    /// The length of its head.
    head: usize,
    /// The length of its body, if all of it is here.
    body: Option<usize>,
    /// How many bytes are here after the head.
    behind: usize,
}

fn log(
    setup: &Setup,
    source: Option<SocketAddr>,
    head: Option<&RequestHead<'_>>,
    done: &Done,
    begun: Instant,
    time: SystemTime,
) {
    let Some(log) = &setup.access_log else {
        return;
    };
    let field = |name| head.and_then(|head| head.fields.get(name));
    let target = head.map(RequestHead::target_text).unwrap_or_default();
    let failure = match (done.failure, done.rule) {
        (Some(failure), Some(rule)) => Some(Cow::from(format!("{failure}: {rule}"))),
        (failure, _) => failure.map(Cow::from),
    };
    log.write(&Entry {
        client: source.map(|address| address.ip()),
        time,
        method: head.map_or(b"", |head| head.method.as_bytes()),
        target: target.as_bytes(),
        version: head.map_or(b"", |head| head.version.text().as_bytes()),
        host: head
            .and_then(|head| head.host)
            .map(|host| host.text.as_bytes()),
        status: done.status,
        sent: done.sent,
        received: done.received,
        referer: field(Name::Referer),
        user_agent: field(Name::UserAgent),
        upstream: done.backend.as_ref().map(|backend| backend.name()),
        connect: done.connect,
        first_byte: done.first_byte,
        total: begun.elapsed(),
        retries: done.retries,
        failure: failure.as_deref(),
    });
}
