//! The loop of a connection: a request, its page, the next request.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::luck::Fate;
use super::page::Page;
use super::target::Path;
use super::turn::{Sent, Turn};
use super::wire::{Pause, Wire};
use super::{Access, OriginConfig, files, streams, upgrade};
use crate::http::{ExchangeError, Response, ServerExchange};
use crate::net::Conn;
use crate::server::{End, Handler, Refusal, Session};

/// What `/` says after the names.
const PAGES: &str = "\
/echo            this request, as it arrived
/slow?ms=1000    an answer after that time
/status/503      an answer with that status code
/bytes/1000      that many bytes
/chunked?n=3     that many chunks, ms= apart, and a trailer
/stream?ms=1000  an event at that interval, until you leave
/die             half an answer
/ws              an echo over WebSocket
";

/// Serves the pages of the table in [`page`](super::page) on every connection.
pub struct Origin {
    config: OriginConfig,
    /// How many requests have come, on all connections.
    requests: AtomicU64,
}

impl Origin {
    /// An origin with this configuration.
    pub fn new(config: OriginConfig) -> Self {
        Self {
            config,
            requests: AtomicU64::new(0),
        }
    }

    /// Answers one request, and reports it to `on_request`.
    fn answer(&self, turn: &mut Turn<'_, '_>) -> Result<(), ExchangeError> {
        let begun = Instant::now();
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let sent = match self.config.luck.of(number) {
            Fate::Answered => self.page(turn),
            Fate::Refused => Ok(turn.text(503, "bad luck\n")?),
            Fate::Dies => Ok(streams::die(turn)?),
        }?;
        if let Some(tell) = &self.config.on_request {
            tell(&Access {
                peer: turn.wire.peer(),
                method: &turn.request.method,
                target: &turn.request.target,
                status: sent.status,
                bytes: sent.bytes,
                took: begun.elapsed(),
            });
        }
        Ok(())
    }

    fn page(&self, turn: &mut Turn<'_, '_>) -> Result<Sent, ExchangeError> {
        if turn.request.target == "*" {
            turn.skip_body()?;
            return Ok(turn.respond(Response::new(204))?);
        }
        if turn.request.method == "CONNECT" {
            turn.exchange.close_after(); // what follows may be meant for the tunnel
            return Ok(turn.text(501, "this is no proxy\n")?);
        }
        // Refusals are sent before the body is read.
        let page = match Page::of(&turn.request.target) {
            Ok(page) => page,
            Err(why) => return Ok(turn.text(400, format!("{why}\n"))?),
        };
        match page {
            Page::Status(code @ 400..) => return Ok(turn.text(code, format!("{code}\n"))?),
            Page::Echo => return streams::echo(turn),
            _ => turn.skip_body()?,
        }
        Ok(self.without_body(turn, page)?)
    }

    /// The pages to which a body makes no difference.
    fn without_body(&self, turn: &mut Turn<'_, '_>, page: Page) -> io::Result<Sent> {
        match (page, &self.config.root) {
            (Page::Slow(time), _) => slow(turn, time),
            // These have no body (RFC 9112 §6.3, RFC 9110 §15.3.6), so none is counted.
            (Page::Status(code @ (204 | 205 | 304)), _) => turn.respond(Response::new(code)),
            (Page::Status(code), _) => turn.text(code, format!("{code}\n")),
            (Page::Bytes(count), _) => streams::bytes(turn, count),
            (Page::Chunked { count, pause }, _) => streams::chunked(turn, count, pause),
            (Page::Stream(interval), _) => streams::stream(turn, interval),
            (Page::Die, _) => streams::die(turn),
            (Page::WebSocket, _) => upgrade::page(turn),
            (Page::Home, Some(root)) if Path::parse("/").is_ok_and(|path| root.has(&path)) => {
                files::page(turn, root)
            }
            (Page::Home, _) => self.home(turn),
            (_, Some(root)) => files::page(turn, root),
            (_, None) => turn.text(404, "no such page; / lists them\n"),
        }
    }

    fn home(&self, turn: &mut Turn<'_, '_>) -> io::Result<Sent> {
        let (name, peer) = (&self.config.name, turn.wire.peer());
        turn.text(200, format!("I am {name}, you are {peer}.\n\n{PAGES}"))
    }

    /// Ends the connection after a request that cannot be read. The client is told why, if anything
    /// can still be sent. The error goes to the log.
    fn fail(&self, exchange: &mut ServerExchange<&Wire<'_>>, error: ExchangeError) -> io::Error {
        if let Some(status) = error.status() {
            exchange.close_after();
            let told = Response::text(status, format!("{error}\n"));
            // A failure of this write would hide the first error.
            let _ = exchange.respond(&told.with("X-Backend", &self.config.name));
        }
        error.into()
    }
}

/// `/slow`
fn slow(turn: &mut Turn<'_, '_>, time: Duration) -> io::Result<Sent> {
    let begun = Instant::now();
    match turn.wire.pause(time)? {
        Pause::Over => turn.text(200, format!("waited {} ms\n", time.as_millis())),
        Pause::Stopping => {
            let waited = begun.elapsed().as_millis();
            turn.text(200, format!("waited {waited} ms; the server stops\n"))
        }
        Pause::Left => Ok(turn.cut()),
    }
}

impl Handler for Origin {
    fn serve(&self, conn: &Conn, session: &Session<'_>) -> io::Result<End> {
        let wire = Wire::new(conn, session, &self.config);
        let mut exchange = ServerExchange::new(&wire, self.config.limits);
        loop {
            session.between_requests();
            match exchange.has_begun_next() {
                true => wire.expect_rest(),
                false => wire.expect_next(),
            }
            let request = match exchange.next_request() {
                Ok(Some(request)) => request,
                Ok(None) => return Ok(End::Ours),
                Err(error) => return Err(self.fail(&mut exchange, error)),
            };
            wire.expect_body();
            let mut turn = Turn::new(&mut exchange, &wire, &self.config, &request);
            if let Err(error) = self.answer(&mut turn) {
                let is_begun = turn.is_begun;
                return Err(match is_begun {
                    true => error.into(),
                    false => self.fail(&mut exchange, error),
                });
            }
            if !exchange.keeps_alive() {
                return Ok(End::Ours);
            }
        }
    }

    fn refused(&self, conn: &Conn, why: Refusal) {
        if matches!(why, Refusal::Access(_)) {
            return; // unknown peers are told nothing
        }
        // This does not block: nothing was sent yet, so there is room.
        let mut conn = conn;
        let busy =
            "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        let _ = conn.write(busy.as_bytes());
    }
}
