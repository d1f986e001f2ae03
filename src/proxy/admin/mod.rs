//! The status page: the state of the pools, for people and for programs, and two commands.
//!
//! | path | for | holds |
//! |---|---|---|
//! | `/` | people | one page, live, readable on a phone |
//! | `/backends` | scripts | every backend as JSON (`listing` says what) |
//! | `/healthz` | orchestrators | 200 while each pool has a backend in service, else 503 and the pools without |
//! | `/metrics` | Prometheus | the program's numbers and each backend's |
//! | `POST /backends/POOL/NAME/drain`, `/enable` | operators | from this machine, or with the token |
//!
//! It listens on an address of its own: clients of the balancer must not reach it. Anyone who can
//! connect may look, so that address is best loopback or on a management network. `command` decides
//! who may make changes.
//!
//! It must answer when all else is in trouble, so it shares no thread and no queue with the proxy.
//! It has limits of its own: [`CONNECTIONS`] at a time, a request within [`IDLE`], a body of
//! [`BODY`] bytes.
//!
//! Reading order: `view` (what is shown of a pool), `listing`, `page`, `series` (three forms of it),
//! `command`, `token`. `page.css` and `page.js` are the page's style and script.

mod command;
mod listing;
mod page;
mod series;
mod token;
mod view;

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::pool::Pool;
use crate::http::{ExchangeError, Limits, Request, Response, ServerExchange};
use crate::net::{Addr, Conn, Deadline, Listener};
use crate::server::{Config, End, Handler, Refusal, Running, Scheduling, Server, Session};
use crate::telemetry::{CONTENT_TYPE, Log, Registry};
use command::{Command, Verb, may_change};
use view::PoolView;

pub use token::{Token, read_token};

/// Connections at a time.
pub const CONNECTIONS: usize = 16;
/// How long a connection may take to send its next request.
pub const IDLE: Duration = Duration::from_secs(15);
/// How long a client may take to receive an answer, or to send a body.
const EXCHANGE: Duration = Duration::from_secs(10);
/// The longest body of a request, in bytes. No request here needs one.
pub const BODY: u64 = 1024;
/// How long open connections to the page may take at a stop.
const DRAIN: Duration = Duration::from_secs(1);
const MESSAGE: Limits = Limits {
    start_line: 4096,
    field_line: 8192,
    fields: 64,
    section: 16 * 1024,
    chunk_line: 64,
    trailers: 1024,
};

/// Returns the present pools, which a reload changes.
pub type Pools = Arc<dyn Fn() -> Vec<Arc<Pool>> + Send + Sync>;

/// The status page.
pub struct Admin {
    pools: Pools,
    registry: Registry,
    token: Option<Token>,
    log: Log,
    policy: String,
    began: Instant,
}

/// Adds each backend's numbers to a registry, for this page and any other.
pub fn register(registry: &Registry, pools: Pools) {
    registry.collect(move |page| pools().iter().for_each(|pool| series::add(page, pool)));
}

impl Admin {
    /// A page of these pools and this registry; call [`register`], too. Without a token, only this
    /// machine may make changes.
    pub fn new(pools: Pools, registry: Registry, token: Option<Token>, log: Log) -> Self {
        Self {
            pools,
            registry,
            token,
            log,
            policy: page::policy(),
            began: Instant::now(),
        }
    }

    /// Serves the page on threads of its own until the returned value is stopped.
    pub fn start(self, listener: Listener) -> io::Result<Running> {
        let config = Config {
            name: "admin".into(),
            log: self.log.clone(),
            max_connections: CONNECTIONS,
            spare_threads: 2,
            scheduling: Scheduling::Normal,
            drain: DRAIN,
            ..Config::default()
        };
        Server::new(config, self).start(listener)
    }

    fn answer(&self, request: &Request, peer: &Addr) -> Response {
        let path = request.path();
        let is_reading = matches!(request.method.as_str(), "GET" | "HEAD");
        match (path, Command::of(path)) {
            ("/" | "/backends" | "/healthz" | "/metrics", _) if !is_reading => {
                Response::status(405).with("Allow", "GET, HEAD")
            }
            ("/", _) => self.page(),
            ("/backends", _) => {
                let listing = listing::listing(&self.views(), self.began.elapsed());
                Response::new(200).with_body("application/json", listing)
            }
            ("/healthz", _) => self.healthz(),
            ("/metrics", _) => Response::new(200).with_body(CONTENT_TYPE, self.registry.expose()),
            (_, Some(_)) if request.method != "POST" => Response::status(405).with("Allow", "POST"),
            (_, Some(command)) => self.obey(&command, request, peer),
            (_, None) => Response::status(404),
        }
    }

    fn views(&self) -> Vec<PoolView> {
        let pools = (self.pools)();
        pools.iter().map(|pool| PoolView::of(pool)).collect()
    }

    fn page(&self) -> Response {
        let html = page::page(&self.views(), self.began.elapsed(), self.token.is_some());
        Response::new(200).with_body("text/html; charset=utf-8", html)
    }

    fn healthz(&self) -> Response {
        let views = self.views();
        let out = views.iter().filter(|pool| pool.usable() == 0);
        let names: Vec<&str> = out.map(|pool| pool.name.as_str()).collect();
        match names.is_empty() {
            true => Response::text(200, "ok\n"),
            false => {
                let names = names.join(", ");
                Response::text(503, format!("no backend in service: {names}\n"))
            }
        }
    }

    fn obey(&self, command: &Command, request: &Request, peer: &Addr) -> Response {
        let Command {
            pool,
            backend,
            verb,
        } = command;
        let fields: [(&str, &dyn Display); 4] = [
            ("peer", peer),
            ("pool", pool),
            ("backend", backend),
            ("verb", &verb.word()),
        ];
        let secret = self.token.as_ref().map(Token::secret);
        if let Err(why) = may_change(request, peer, secret.as_ref()) {
            let fields = [fields[0], fields[1], fields[2], fields[3], ("why", &why)];
            self.log.warn("admin", "command refused", &fields);
            return Response::text(403, format!("403 Forbidden: {why}\n"));
        }
        let pools = (self.pools)();
        let found = pools.iter().find(|known| known.name() == pool);
        let done = found.is_some_and(|pool| match verb {
            Verb::Drain => pool.drain(backend),
            Verb::Enable => pool.enable(backend),
        });
        if !done {
            let what = format!("404 Not Found: no backend {backend} in a pool {pool}\n");
            return Response::text(404, what);
        }
        self.log.warn("admin", "command obeyed", &fields);
        // A form sent from the page leads back to the page.
        let accept = request.fields.text("Accept").unwrap_or_default();
        match accept.contains("text/html") {
            true => Response::status(303).with("Location", "/"),
            false => Response::text(200, format!("{} {backend}: done\n", verb.word())),
        }
    }

    /// Adds what every answer says to browsers: run only the page's own script, show the page in no
    /// other, do not store it, and do not guess types.
    fn guarded(&self, response: Response) -> Response {
        response
            .with("Content-Security-Policy", &self.policy)
            .with("X-Content-Type-Options", "nosniff")
            .with("X-Frame-Options", "DENY")
            .with("Referrer-Policy", "same-origin")
            .with("Cross-Origin-Resource-Policy", "same-origin")
            .with("Cache-Control", "no-store")
    }

    fn exchange(
        &self,
        exchange: &mut ServerExchange<Conn>,
        session: &Session<'_>,
    ) -> Result<End, ExchangeError> {
        let conn = exchange.stream().clone();
        loop {
            conn.set_deadline(Deadline::after(IDLE));
            let Some(request) = exchange.next_request()? else {
                return Ok(End::Peer);
            };
            conn.set_deadline(Deadline::after(EXCHANGE));
            exchange.read_all(BODY)?;
            let response = self.answer(&request, conn.peer_addr());
            if session.is_stopping() {
                exchange.close_after();
            }
            exchange.respond(&self.guarded(response))?;
            if !exchange.keeps_alive() {
                return Ok(End::Ours);
            }
        }
    }
}

impl Handler for Admin {
    fn serve(&self, conn: &Conn, session: &Session<'_>) -> io::Result<End> {
        let mut exchange = ServerExchange::new(conn.clone(), MESSAGE);
        let error = match self.exchange(&mut exchange, session) {
            Ok(end) => return Ok(end),
            Err(error) => error,
        };
        match error.status() {
            // Silence between two requests just ends the connection: an unrequested 408 would be
            // taken for the answer to the next request.
            Some(408) => Ok(End::Ours),
            Some(status) => {
                exchange.close_after();
                conn.set_write_deadline(Deadline::after(EXCHANGE));
                let text = format!("{status}: {error}\n");
                exchange.respond(&self.guarded(Response::text(status, text)))?;
                Ok(End::Ours)
            }
            None => Err(error.into()),
        }
    }

    fn refused(&self, mut conn: &Conn, _why: Refusal) {
        // A new connection's buffer has room, so this does not block.
        conn.set_write_deadline(Deadline::after(Duration::from_millis(1)));
        let _ = conn.write_all(
            b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        );
    }
}
