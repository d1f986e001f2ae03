//! One request and its reply, as the pages see it.

use std::io;

use super::OriginConfig;
use super::wire::Wire;
use crate::http::{ExchangeError, Framing, Request, Response, ServerExchange};

/// Bytes of a body that are moved at a time.
pub(super) const PIECE: usize = 64 * 1024;

/// What was sent: for the access line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    /// `None`: the client left before.
    pub status: Option<u16>,
    /// Bytes of the body, without chunk lines.
    pub bytes: u64,
}

/// One request that is being answered.
pub(super) struct Turn<'t, 'a> {
    pub exchange: &'t mut ServerExchange<&'a Wire<'a>>,
    pub wire: &'a Wire<'a>,
    pub config: &'a OriginConfig,
    pub request: &'t Request,
    /// The body of the request is read to its end, or there is none.
    body_is_heard: bool,
    /// The reply was begun: nothing else can be said any more.
    pub is_begun: bool,
    sent: Sent,
}

impl<'t, 'a> Turn<'t, 'a> {
    pub fn new(
        exchange: &'t mut ServerExchange<&'a Wire<'a>>,
        wire: &'a Wire<'a>,
        config: &'a OriginConfig,
        request: &'t Request,
    ) -> Self {
        Self {
            exchange,
            wire,
            config,
            request,
            body_is_heard: request.framing == Framing::None,
            is_begun: false,
            sent: Sent {
                status: None,
                bytes: 0,
            },
        }
    }

    /// Whether the method only asks for something.
    pub fn is_get(&self) -> bool {
        matches!(self.request.method.as_str(), "GET" | "HEAD")
    }

    /// Whether the reply ends with its header section.
    pub fn is_head(&self) -> bool {
        self.request.method == "HEAD"
    }

    /// Reads some of the request's body: 0 at its end. Whoever begins with this goes on to the end.
    pub fn read(&mut self, out: &mut [u8]) -> Result<usize, ExchangeError> {
        self.body_is_heard = true;
        self.exchange.read(out)
    }

    /// Reads the request's body, of any length, and drops it.
    pub fn skip_body(&mut self) -> Result<(), ExchangeError> {
        let mut piece = [0; 4096];
        while self.read(&mut piece)? > 0 {}
        Ok(())
    }

    /// Sends a whole reply.
    pub fn respond(&mut self, response: Response) -> io::Result<Sent> {
        let response = self.prepared(response);
        self.exchange.respond(&response)?;
        if !self.is_head() {
            self.sent.bytes = response.body.len() as u64;
        }
        Ok(self.sent)
    }

    /// Sends a text.
    pub fn text(&mut self, status: u16, text: impl Into<String>) -> io::Result<Sent> {
        self.respond(Response::text(status, text))
    }

    /// Sends the header section of a reply whose body follows, in `length` bytes if that is known.
    pub fn begin(&mut self, response: Response, length: Option<u64>) -> io::Result<()> {
        let response = self.prepared(response);
        self.exchange.begin(&response, length)
    }

    /// Sends a part of the body; the reply to HEAD has none.
    pub fn write(&mut self, part: &[u8]) -> io::Result<()> {
        if !self.is_head() {
            self.sent.bytes += part.len() as u64;
        }
        self.exchange.write(part)
    }

    /// Ends the body, with trailer fields where it goes in chunks.
    pub fn finish(&mut self, trailers: &[(&str, &str)]) -> io::Result<Sent> {
        self.exchange.finish(trailers)?;
        Ok(self.sent)
    }

    /// Leaves the reply as it is, and ends the connection: what was promised does not come.
    pub fn cut(&mut self) -> Sent {
        self.exchange.close_after();
        self.sent
    }

    /// Puts the name in. The connection ends after the reply when the server stops, and when the body
    /// of the request was not read: it would be taken for the next request.
    fn prepared(&mut self, response: Response) -> Response {
        if !self.body_is_heard || self.wire.is_stopping() {
            self.exchange.close_after();
        }
        self.is_begun = true;
        self.sent.status = Some(response.status);
        response
            .with("Server", "groundwire")
            .with("X-Backend", &self.config.name)
    }
}
