//! Messages over a stream, in blocking calls: the shell of this room.
//!
//! ```text
//!   ServerExchange                          ClientExchange
//!     next_request()  a request's head        send(request)
//!     read(), read_all(limit)   its body      receive(method, limit)   the whole response
//!     respond(response), or begin() and write() and finish() in chunks
//! ```
//!
//! The stream is anything that can be read and written. The caller sets its deadlines, on a
//! [`Conn`](crate::net::Conn) before each step; sizes are limited here. A body that was not read is
//! skipped before the next request, up to [`PASSED_OVER`]; a longer one ends the connection.
//!
//! The next message on a connection begins where the last one ends, so a caller's mistake must not
//! move that end: a part beyond the promised length, a second response, or a target with a space is
//! refused ([`InvalidInput`](io::ErrorKind::InvalidInput)) before a byte of it is sent.

use std::io::{self, Read, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use super::date;
use super::framing::{Framing, Version};
use super::limits::Limits;
use super::message::{FieldList, Request, Response};
use super::octets;
use super::parser::HeadParser;
use super::reading::{ExchangeError, Reading};
use super::write;

/// How many bytes of an unread body are skipped to get to the next request.
pub const PASSED_OVER: u64 = 64 * 1024;

/// The server's side of a connection.
///
/// ```
/// use groundwire::http::{ClientExchange, Limits, Request, Response, ServerExchange};
/// use groundwire::net::{self, Conn, Network};
/// use groundwire::server::{Config, End, Server, Session};
///
/// fn serve(conn: &Conn, _: &Session<'_>) -> std::io::Result<End> {
///     let mut http = ServerExchange::new(conn, Limits::default());
///     while let Some(request) = http.next_request()? {
///         let body = http.read_all(64 * 1024)?;
///         http.respond(&match request.path() {
///             "/length" => Response::text(200, body.len().to_string()),
///             _ => Response::status(404),
///         })?;
///     }
///     Ok(End::Ours)
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = net::listen(Network::Tcp, "127.0.0.1:0")?;
/// let address = listener.local_addr().to_string();
/// let running = Server::new(Config::default(), serve).start(listener)?;
///
/// let mut http = ClientExchange::new(net::dial(Network::Tcp, &address)?, Limits::default());
/// let mut request = Request::new("POST", "/length", &address);
/// request.body = b"hello".to_vec();
/// http.send(&request)?;
/// let response = http.receive("POST", 1024)?;
/// assert_eq!((response.status, &response.body[..]), (200, &b"5"[..]));
/// # running.stop()?;
/// # Ok(())
/// # }
/// ```
pub struct ServerExchange<S> {
    stream: S,
    reading: Reading,
    out: Vec<u8>,
    /// The request that is being answered.
    asked: Asked,
    /// Whether a request was asked for at all.
    begun: bool,
}

#[derive(Clone, Copy, Default)]
struct Asked {
    head_only: bool,
    old_version: bool,
    keep_alive: bool,
    waits: bool,
    /// Its response, the last one after interim ones, was sent or begun.
    answered: bool,
    /// What is to come of its body.
    due: Framing,
}

fn mistake(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

impl<S: Read + Write> ServerExchange<S> {
    /// A connection on which nothing has been read yet.
    pub fn new(stream: S, limits: Limits) -> Self {
        Self {
            stream,
            reading: Reading::new(HeadParser::requests(limits)),
            out: Vec::new(),
            asked: Asked::default(),
            begun: false,
        }
    }

    /// The stream, to set its deadlines.
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// The next request; `None` when the client has closed, or when the last exchange ended the
    /// connection ([`keeps_alive`](Self::keeps_alive)). An exchange without a whole response ends
    /// it, too: the client would take the next response for the missing one.
    pub fn next_request(&mut self) -> Result<Option<Request>, ExchangeError> {
        let whole = self.asked.answered && self.asked.due == Framing::None;
        if std::mem::replace(&mut self.begun, true) && !(whole && self.asked.keep_alive) {
            return Ok(None);
        }
        if self.reading.left != Framing::None {
            self.reading.all(&mut self.stream, PASSED_OVER)?;
        }
        self.asked = Asked::default(); // an error is answered without regard to the last request
        if !self.reading.head(&mut self.stream)? {
            return Ok(None);
        }
        let head = self
            .reading
            .parser
            .request(self.reading.incoming.waiting())?;
        let (request, length) = (Request::of(&head), head.length);
        self.asked = Asked {
            head_only: request.method == "HEAD",
            old_version: request.version == Version::Http10,
            keep_alive: request.keep_alive,
            waits: request.expects_continue,
            ..Asked::default()
        };
        self.reading.begin_body(request.framing, length);
        Ok(Some(request))
    }

    /// Whether the next request has begun to arrive. An empty line does not count.
    pub fn has_begun_next(&self) -> bool {
        !self.reading.is_between_messages()
    }

    /// Whether another request may follow the response that was sent.
    pub fn keeps_alive(&self) -> bool {
        self.asked.keep_alive
    }

    /// Ends the connection after the present response.
    pub fn close_after(&mut self) {
        self.asked.keep_alive = false;
    }

    /// Reads some of the request's body; 0 at its end. Sends 100 (Continue) to a client that waits
    /// for it.
    pub fn read(&mut self, out: &mut [u8]) -> Result<usize, ExchangeError> {
        self.go_on()?;
        self.reading.body(&mut self.stream, out)
    }

    /// Sends 100 (Continue) to a client that waits for it, unless its body has begun to arrive.
    fn go_on(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.asked.waits) && self.reading.incoming.is_empty() {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        Ok(())
    }

    /// Reads the request's body, of at most `limit` bytes.
    pub fn read_all(&mut self, limit: u64) -> Result<Vec<u8>, ExchangeError> {
        if matches!(self.reading.left, Framing::Length(left) if left > limit) {
            return Err(ExchangeError::TooLong(limit)); // and 100 (Continue) is never sent
        }
        self.go_on()?;
        self.reading.all(&mut self.stream, limit)
    }

    /// The trailer section of the request's body, once the body was read to its end.
    pub fn trailers(&self) -> &FieldList {
        &self.reading.trailers
    }

    /// The bytes that have arrived after the request: the first of another protocol.
    pub fn take_rest(&mut self) -> Vec<u8> {
        self.reading.incoming.take(usize::MAX).to_vec()
    }

    /// Sends a whole response, or an interim one (1xx). Refused when the request has its response
    /// already, and for a status that is not 100 to 599.
    pub fn respond(&mut self, response: &Response) -> io::Result<()> {
        let length = response.body.len() as u64;
        self.head(response, Some(length))?;
        let has_body = std::mem::take(&mut self.asked.due) != Framing::None;
        if has_body && !self.asked.head_only {
            self.out.extend_from_slice(&response.body);
        }
        self.flush()
    }

    /// Begins a response; [`write`](Self::write) sends its body, [`finish`](Self::finish) ends it.
    /// With `length`, the body has that many bytes; without, it goes in chunks or, to a client that
    /// knows no chunks, up to the end of the connection. The body in [`Response`] is not used.
    /// Refused as by [`respond`](Self::respond).
    pub fn begin(&mut self, response: &Response, length: Option<u64>) -> io::Result<()> {
        self.head(response, length)?;
        self.flush()
    }

    /// Sends a part of the body. Refused when it goes beyond the promised length, or when no body
    /// was begun. What is written in reply to HEAD is dropped.
    pub fn write(&mut self, part: &[u8]) -> io::Result<()> {
        if self.asked.head_only || part.is_empty() {
            return Ok(());
        }
        let size = part.len() as u64;
        match self.asked.due {
            Framing::None => return Err(mistake("a body that was not begun")),
            Framing::Length(left) if size > left => {
                return Err(mistake("a body longer than its Content-Length"));
            }
            Framing::Length(left) => self.asked.due = Framing::Length(left - size),
            Framing::Chunked => {
                write::chunk_line(&mut self.out, part.len());
                self.out.extend_from_slice(part);
                write::end(&mut self.out);
                return self.flush();
            }
            Framing::UntilClose => {}
        }
        self.stream.write_all(part)
    }

    /// Ends a body that was begun, with trailer fields if it goes in chunks. Refused while some of
    /// the promised length is missing. Then nothing is left but to close the connection, which
    /// shows the client that the body was cut.
    pub fn finish(&mut self, trailers: &[(&str, &str)]) -> io::Result<()> {
        let due = self.asked.due;
        if self.asked.head_only {
            self.asked.due = Framing::None;
            return Ok(());
        }
        if matches!(due, Framing::Length(left) if left > 0) {
            self.close_after();
            return Err(mistake("a body shorter than its Content-Length"));
        }
        if due == Framing::Chunked {
            write::chunk_line(&mut self.out, 0);
            let mut lines = FieldList::default();
            trailers
                .iter()
                .for_each(|(name, value)| lines.add(name, value));
            for (name, value) in lines.iter() {
                write::field(&mut self.out, name, value);
            }
            write::end(&mut self.out);
        }
        self.asked.due = Framing::None;
        self.flush()
    }

    fn head(&mut self, response: &Response, length: Option<u64>) -> io::Result<()> {
        if self.asked.answered {
            return Err(mistake("a second response to one request"));
        }
        if !matches!(response.status, 100..=599) {
            return Err(mistake("a status code that is not 100 to 599"));
        }
        let no_body = matches!(response.status, 100..=199 | 204 | 304);
        // A client that was not told to send its body may send it all the same, or not.
        let unsure = self.asked.waits && self.reading.left != Framing::None;
        let asked = &mut self.asked;
        asked.due = match length {
            _ if no_body => Framing::None,
            Some(length) => Framing::Length(length),
            None if asked.old_version => Framing::UntilClose,
            None => Framing::Chunked,
        };
        asked.answered = !matches!(response.status, 100 | 102..=199);
        asked.keep_alive &= asked.due != Framing::UntilClose && !unsure;
        asked.head_only |= no_body && asked.answered;
        let out = &mut self.out;
        let reason = write::reason(response.status).as_bytes();
        write::status_line(out, Version::Http11, response.status, reason);
        // RFC 9110 §6.6.1: a server with a clock sends Date.
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let date = date::imf_fixdate(now.map_or(0, |since| since.as_secs()));
        write::field(out, "Date", date.as_bytes());
        for (name, value) in response.fields.iter().filter(|(name, _)| !frames(name)) {
            write::field(out, name, value);
        }
        match asked.due {
            Framing::Length(length) => write::number_field(out, "Content-Length", length),
            Framing::Chunked => write::field(out, "Transfer-Encoding", b"chunked"),
            Framing::None | Framing::UntilClose => {}
        }
        if response.status == 101 {
            // The Connection field of the response itself says what happens.
        } else if !asked.keep_alive {
            write::field(out, "Connection", b"close");
        } else if asked.old_version {
            write::field(out, "Connection", b"keep-alive");
        }
        write::end(out);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = self.stream.write_all(&self.out);
        self.out.clear();
        written
    }
}

/// Whether a field says where the body ends: that is for this file to say, once.
fn frames(name: &str) -> bool {
    name.eq_ignore_ascii_case("Content-Length") || name.eq_ignore_ascii_case("Transfer-Encoding")
}

/// The client's side of a connection; [`ServerExchange`] has an example.
pub struct ClientExchange<S> {
    stream: S,
    reading: Reading,
    out: Vec<u8>,
    keep_alive: bool,
}

impl<S: Read + Write> ClientExchange<S> {
    /// A connection on which nothing has been sent yet.
    pub fn new(stream: S, limits: Limits) -> Self {
        Self {
            stream,
            reading: Reading::new(HeadParser::responses(limits)),
            out: Vec::new(),
            keep_alive: true,
        }
    }

    /// The stream, to set its deadlines.
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// Whether another request may follow.
    pub fn keeps_alive(&self) -> bool {
        self.keep_alive
    }

    /// Sends a request with its body. Refused when its method, target or host would end before its
    /// last byte: what follows would be read as something else, perhaps as another request.
    pub fn send(&mut self, request: &Request) -> io::Result<()> {
        let target = request.target.as_bytes();
        let host = request.host.as_deref().unwrap_or("").as_bytes();
        if !octets::is_token(request.method.as_bytes()) {
            return Err(mistake("a method that is no token"));
        }
        if target.is_empty() || octets::span(target, octets::TARGET) != target.len() {
            return Err(mistake("a target that is empty, or has unencoded bytes"));
        }
        if !write::is_value(host) {
            return Err(mistake("a host with control characters"));
        }
        let out = &mut self.out;
        out.clear();
        write::request_line(out, &request.method, &request.target);
        write::field(out, "Host", host);
        let ours = |name: &str| frames(name) || name.eq_ignore_ascii_case("Host");
        for (name, value) in request.fields.iter().filter(|(name, _)| !ours(name)) {
            write::field(out, name, value);
        }
        // Methods that usually have a body say when it is empty (RFC 9110 §8.6).
        if !request.body.is_empty() || matches!(request.method.as_str(), "POST" | "PUT" | "PATCH") {
            write::number_field(out, "Content-Length", request.body.len() as u64);
        }
        if !request.keep_alive {
            write::field(out, "Connection", b"close");
        }
        write::end(out);
        out.extend_from_slice(&request.body);
        // After a close of its own, a client sends nothing more, whatever the server answers (RFC
        // 9112 §9.6).
        self.keep_alive &= request.keep_alive;
        self.stream.write_all(out)
    }

    /// Receives the response to a request with this method, with a body of at most `limit` bytes.
    /// Skips interim responses (1xx).
    pub fn receive(&mut self, method: &str, limit: u64) -> Result<Response, ExchangeError> {
        let mut response = self.receive_head(method)?;
        response.body = self.reading.all(&mut self.stream, limit)?;
        Ok(response)
    }

    /// Receives a response without its body; [`read`](Self::read) reads that. What was not read of
    /// the last response's body is skipped, up to [`PASSED_OVER`], and never taken for a response.
    pub fn receive_head(&mut self, method: &str) -> Result<Response, ExchangeError> {
        if self.reading.left != Framing::None {
            self.reading.all(&mut self.stream, PASSED_OVER)?;
        }
        loop {
            if !self.reading.head(&mut self.stream)? {
                return Err(ExchangeError::Cut);
            }
            let bytes = self.reading.incoming.waiting();
            let head = self.reading.parser.response(bytes, method)?;
            let (response, length, framing) = (Response::of(&head), head.length, head.framing);
            let is_interim = head.is_interim();
            self.keep_alive &= head.keep_alive;
            self.reading.begin_body(framing, length);
            if !is_interim {
                return Ok(response);
            }
        }
    }

    /// Reads some of the response's body; 0 at its end.
    pub fn read(&mut self, out: &mut [u8]) -> Result<usize, ExchangeError> {
        self.reading.body(&mut self.stream, out)
    }
}

#[cfg(test)]
mod tests;
