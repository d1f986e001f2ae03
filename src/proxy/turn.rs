//! A request that was read: which pool answers it, or why none does.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};

use super::desk::Desk;
use super::forward::{self, Body, Done};
use super::handler::KEPT;
use super::heads;
use super::phase::Phase;
use super::setup::Setup;
use super::tunnel;
use crate::http::{Framing, RequestHead, Target};
use crate::net::{Conn, Deadline, Dialer, Incoming, Network};

/// Why a request for another protocol is refused when bytes follow it.
const IMPATIENT: &str = "bytes behind a request for another protocol";

/// A request and everything that is known of it.
pub struct Turn<'a> {
    /// The configuration.
    pub setup: &'a Setup,
    /// The client.
    pub conn: &'a Conn,
    /// The client's address, as far as it is believed.
    pub source: Option<SocketAddr>,
    /// The address that the client connected to, for the PROXY protocol, once it has been looked up.
    pub local: &'a mut Option<SocketAddr>,
    /// Whether the fields in which the client tells of earlier hops are believed.
    pub trusted: bool,
    /// The request.
    pub head: RequestHead<'a>,
    /// Its body.
    pub body: Body<'a>,
    /// The state of the connection, which a stop changes.
    pub phase: &'a Phase,
    /// Whether an end of the client's stream means that it has left.
    pub watched: bool,
    /// Whether bytes follow that do not belong to this request.
    pub more_behind: bool,
}

impl Turn<'_> {
    /// Passes the request on, or says how it is answered. What is left of the client's input is put
    /// back into a streamed body.
    pub fn run(&mut self, desk: &mut Desk) -> Done {
        if let Some(done) = self.answered_here() {
            return done;
        }
        let (setup, head) = (self.setup, &self.head);
        let host = head.host.map_or("", |host| host.host);
        match setup.route(host, &head.target_text()) {
            Ok(pool) => forward::forward(self, pool, desk),
            Err(status) => own(status, "no route"),
        }
    }

    /// The client's IP address, if it has one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.source.map(|address| address.ip())
    }

    /// The outcome of a request that needs no backend; `None` if it has to be passed on.
    fn answered_here(&self) -> Option<Done> {
        if let Err(wait) = self.setup.admit(self.ip()) {
            return Some(Done {
                answer: Some((429, Some(wait))),
                ..own(429, "too many requests of this client")
            });
        }
        let head = &self.head;
        if let (Some(most), Framing::Length(length)) = (self.setup.config.limits.body, head.framing)
        {
            if length > most {
                return Some(refused(413, "the request's body is too long"));
            }
        }
        // Only the answer tells whether the bytes that follow are HTTP, so a client must wait for
        // it.
        if head.upgrade && self.more_behind {
            return Some(refused(400, IMPATIENT));
        }
        match (head.method, heads::forwards_left(head)) {
            ("CONNECT", _) => Some(self.connect()),
            (_, Err(heads::NoNumber)) => {
                Some(refused(400, "Max-Forwards is not one decimal number"))
            }
            ("TRACE", _) => Some(own(405, "TRACE is not passed on")),
            (_, Ok(Some(0))) => Some(Done {
                failure: None,
                ..own(200, "")
            }),
            _ => None,
        }
    }

    /// CONNECT to one of the configured targets (RFC 9110 §9.3.6).
    fn connect(&self) -> Done {
        let Target::Authority(target) = self.head.target else {
            return refused(400, "CONNECT without an authority");
        };
        let allowed = &self.setup.config.connect_allow;
        if allowed.is_empty() {
            return refused(501, "CONNECT is not allowed");
        }
        let same = |host: &str| host.eq_ignore_ascii_case(target.text);
        if !allowed.iter().any(|host_port| same(&host_port.to_string())) {
            return refused(403, "CONNECT to this target is not allowed");
        }
        if self.more_behind {
            return refused(400, IMPATIENT);
        }
        let Ok(backend) = Dialer::default().dial(Network::Tcp, target.text) else {
            return refused(502, "connect failed");
        };
        let timeouts = &self.setup.config.timeouts;
        self.conn
            .set_write_deadline(Deadline::after(timeouts.write));
        let mut conn = self.conn;
        if conn
            .write_all(b"HTTP/1.1 200 Connection Established\r\n\r\n")
            .is_err()
        {
            return Done {
                status: 200,
                failure: Some("the client has left"),
                ..Done::default()
            };
        }
        let through = tunnel::run(conn, &backend, &mut Incoming::new(KEPT), timeouts.tunnel);
        Done {
            status: 200,
            sent: through.map_or(0, |through| through.down),
            received: through.map_or(0, |through| through.up),
            failure: through.is_none().then_some(tunnel::NO_THREAD),
            ..Done::default()
        }
    }
}

/// Refuses a request, and ends its connection.
pub fn refused(status: u16, why: &'static str) -> Done {
    Done {
        answer: Some((status, None)),
        failure: Some(why),
        ..Done::default()
    }
}

/// The same, but the connection goes on.
fn own(status: u16, why: &'static str) -> Done {
    Done {
        keep_alive: true,
        ..refused(status, why)
    }
}
