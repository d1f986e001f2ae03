//! One request and its reply, as the pages see it.

use std::io;

use super::OriginConfig;
use super::wire::Wire;
use crate::http::{ExchangeError, Framing, Request, Response, ServerExchange};

/// How many bytes of a body are moved at a time.
pub(super) const PIECE: usize = 64 * 1024;

/// What was sent, for the access line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    /// `None`: the client left before the reply.
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
    /// Whether the body of the request was read to its end, or there is none.
    body_is_heard: bool,
    /// Whether the reply was begun, so that no other can be sent.
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

    /// Whether the method is GET or HEAD.
    pub fn is_get(&self) -> bool {
        matches!(self.request.method.as_str(), "GET" | "HEAD")
    }

    /// Whether the reply ends with its header section.
    pub fn is_head(&self) -> bool {
        self.request.method == "HEAD"
    }

    /// Reads some of the request's body; 0 at its end. Whoever begins to read must read to the end.
    pub fn read(&mut self, out: &mut [u8]) -> Result<usize, ExchangeError> {
        self.body_is_heard = true;
        self.exchange.read(out)
    }

    /// Reads the request's body, of any length, and discards it.
    pub fn skip_body(&mut self) -> Result<(), ExchangeError> {
        let mut piece = [0; 4096];
        while self.read(&mut piece)? > 0 {}
        Ok(())
    }

    /// Sends a complete reply.
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

    /// Sends the header section of a reply; the body follows, with `length` bytes if that is known.
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

    /// Ends the body, with trailer fields if it goes in chunks.
    pub fn finish(&mut self, trailers: &[(&str, &str)]) -> io::Result<Sent> {
        self.exchange.finish(trailers)?;
        Ok(self.sent)
    }

    /// Ends the connection in the middle of the reply: what was promised does not come.
    pub fn cut(&mut self) -> Sent {
        self.exchange.close_after();
        self.sent
    }

    /// Adds the server's name. The connection ends after the reply when the server is stopping, or
    /// when the body of the request was not read: it would be taken for the next request.
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
