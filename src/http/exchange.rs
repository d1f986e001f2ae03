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

use std::io::{self, Read, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use super::date;
use super::framing::Version;
use super::limits::Limits;
use super::message::{FieldList, Request, Response};
use super::parser::HeadParser;
use super::reading::{ExchangeError, Left, Reading};
use super::write;

/// How many bytes of an unread body are skipped to get to the next request.
pub const PASSED_OVER: u64 = 64 * 1024;
/// The server's side of a connection.
pub struct ServerExchange<S> {
    stream: S,
    reading: Reading,
    out: Vec<u8>,
    /// The request that is being answered.
    asked: Asked,
}

#[derive(Clone, Copy, Default)]
struct Asked {
    head_only: bool,
    old_version: bool,
    keep_alive: bool,
    waits: bool,
    /// The present response goes out in chunks.
    in_chunks: bool,
    /// The present response has a body that ends with the connection.
    until_close: bool,
}

impl<S: Read + Write> ServerExchange<S> {
    /// A connection on which nothing has been read yet.
    pub fn new(stream: S, limits: Limits) -> Self {
        Self {
            stream,
            reading: Reading::new(HeadParser::requests(limits)),
            out: Vec::new(),
            asked: Asked::default(),
        }
    }

    /// The stream, to set its deadlines.
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// The next request; `None` when the client has closed, or when the last exchange ended the
    /// connection ([`keeps_alive`](Self::keeps_alive)).
    pub fn next_request(&mut self) -> Result<Option<Request>, ExchangeError> {
        if self.reading.left != Left::Nothing {
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
        if matches!(self.reading.left, Left::Bytes(left) if left > limit) {
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

    /// Sends a whole response.
    pub fn respond(&mut self, response: &Response) -> io::Result<()> {
        let length = response.body.len() as u64;
        self.head(response, Some(length));
        if !self.asked.head_only {
            self.out.extend_from_slice(&response.body);
        }
        self.flush()
    }

    /// Begins a response; [`write`](Self::write) sends its body. With `length`, the body has that
    /// many bytes; without, it goes in chunks or, to a client that knows no chunks, up to the end
    /// of the connection.
    pub fn begin(&mut self, response: &Response, length: Option<u64>) -> io::Result<()> {
        self.head(response, length);
        self.flush()
    }

    /// Sends a part of the body.
    pub fn write(&mut self, part: &[u8]) -> io::Result<()> {
        if self.asked.head_only || part.is_empty() {
            return Ok(());
        }
        if self.asked.in_chunks {
            write::chunk_line(&mut self.out, part.len());
            self.out.extend_from_slice(part);
            write::end(&mut self.out);
            return self.flush();
        }
        self.stream.write_all(part)
    }

    /// Ends a body that was begun, with trailer fields if it goes in chunks.
    pub fn finish(&mut self, trailers: &[(&str, &str)]) -> io::Result<()> {
        if self.asked.in_chunks && !self.asked.head_only {
            write::chunk_line(&mut self.out, 0);
            for (name, value) in trailers {
                write::field(&mut self.out, name, value.as_bytes());
            }
            write::end(&mut self.out);
        }
        self.flush()
    }

    fn head(&mut self, response: &Response, length: Option<u64>) {
        let no_body = matches!(response.status, 100..=199 | 204 | 304);
        // A client that was not told to send its body may send it all the same, or not.
        let unsure = self.asked.waits && self.reading.left != Left::Nothing;
        let asked = &mut self.asked;
        asked.in_chunks = length.is_none() && !no_body && !asked.old_version;
        asked.until_close = length.is_none() && !no_body && asked.old_version;
        asked.keep_alive &= !asked.until_close && !unsure;
        asked.head_only |= no_body;
        let out = &mut self.out;
        let reason = write::reason(response.status).as_bytes();
        write::status_line(out, Version::Http11, response.status, reason);
        // RFC 9110 §6.6.1: a server with a clock sends Date.
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let date = date::imf_fixdate(now.map_or(0, |since| since.as_secs()));
        write::field(out, "Date", date.as_bytes());
        for (name, value) in response.fields.iter() {
            write::field(out, name, value);
        }
        match length {
            _ if no_body => {}
            Some(length) => write::number_field(out, "Content-Length", length),
            None if asked.in_chunks => write::field(out, "Transfer-Encoding", b"chunked"),
            None => {}
        }
        if response.status == 101 {
            // The Connection field of the response itself says what happens.
        } else if !asked.keep_alive {
            write::field(out, "Connection", b"close");
        } else if asked.old_version {
            write::field(out, "Connection", b"keep-alive");
        }
        write::end(out);
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = self.stream.write_all(&self.out);
        self.out.clear();
        written
    }
}

/// The client's side of a connection.
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

    /// Sends a request with its body.
    pub fn send(&mut self, request: &Request) -> io::Result<()> {
        let out = &mut self.out;
        out.clear();
        write::request_line(out, &request.method, &request.target);
        write::field(
            out,
            "Host",
            request.host.as_deref().unwrap_or("").as_bytes(),
        );
        for (name, value) in request.fields.iter() {
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

    /// Receives a response without its body; [`read`](Self::read) reads that.
    pub fn receive_head(&mut self, method: &str) -> Result<Response, ExchangeError> {
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
mod tests {
    use super::*;

    /// A stream with prepared input, given in parts of `part` bytes, that keeps what is written.
    struct Script<'a> {
        input: &'a [u8],
        part: usize,
        written: Vec<u8>,
    }

    impl Read for Script<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let count = self.part.min(out.len()).min(self.input.len());
            let (now, later) = self.input.split_at(count);
            out[..count].copy_from_slice(now);
            self.input = later;
            Ok(count)
        }
    }

    impl Write for Script<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.written.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn script(input: &str, part: usize) -> Script<'_> {
        Script {
            input: input.as_bytes(),
            part,
            written: Vec::new(),
        }
    }

    /// Answers every request with its method, target and body; returns the replies without Date
    /// lines.
    fn serve(input: &str, part: usize) -> (String, Option<u16>) {
        let mut server = ServerExchange::new(script(input, part), Limits::default());
        let mut run = || -> Result<(), ExchangeError> {
            while let Some(request) = server.next_request()? {
                let body = String::from_utf8(server.read_all(10)?).unwrap();
                let text = format!("{} {} {body}", request.method, request.target);
                server.respond(&Response::text(200, text))?;
                if !server.keeps_alive() {
                    break;
                }
            }
            Ok(())
        };
        let status = run().err().map(|error| error.status().unwrap_or(0));
        let written = String::from_utf8(server.stream().written.clone()).unwrap();
        let lines = written.split_inclusive("\r\n");
        let kept = lines.filter(|l| !l.starts_with("Date: ") && !l.starts_with("Content-Type"));
        (kept.collect(), status)
    }

    #[test]
    fn requests_are_answered_one_after_the_other_however_they_come() {
        let input = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi\
                     PUT /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
                     1\r\nx\r\n2\r\nyz\r\n0\r\nT: u\r\n\r\n\
                     HEAD /c HTTP/1.0\r\n\r\nGET /never HTTP/1.1\r\n";
        let wanted = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nPOST /a hi\
                      HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nPUT /b xyz\
                      HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\n";
        for part in 1..50 {
            assert_eq!(serve(input, part), (wanted.into(), None), "{part}");
        }
    }

    #[test]
    fn a_client_that_waits_is_told_to_go_on_only_when_its_body_is_wanted() {
        let head = "PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: ";
        let good = format!("{head}2\r\n\r\n");
        let (reply, status) = serve(&good, good.len());
        assert_eq!(
            (reply.as_str(), status),
            ("HTTP/1.1 100 Continue\r\n\r\n", Some(0))
        );
        let long = format!("{head}11\r\n\r\n");
        assert_eq!(serve(&long, 999), (String::new(), Some(413)));
        let early = format!("{good}hi");
        assert!(serve(&early, 999).0.starts_with("HTTP/1.1 200 OK"));
    }

    #[test]
    fn what_is_cut_too_long_or_wrong_ends_the_exchange_with_its_status() {
        let post = |rest: &str| format!("POST / HTTP/1.1\r\nHost: h\r\n{rest}");
        for (input, status) in [
            (String::new(), None),
            ("\r\n".into(), None),
            ("GET".into(), Some(0)),
            (post("Content-Length: 3\r\n\r\nab"), Some(0)),
            (
                post("Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n"),
                Some(0),
            ),
            (
                post("Transfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n"),
                Some(413),
            ),
            (post("Transfer-Encoding: chunked\r\n\r\n1 \r\n"), Some(400)),
            ("GET / HTTP/3.0\r\n".into(), Some(505)),
        ] {
            for part in [1, 7, 1000] {
                assert_eq!(serve(&input, part), (String::new(), status), "{input:?}");
            }
        }
    }

    #[test]
    fn a_client_reads_every_kind_of_body_and_passes_interim_responses_over() {
        let input = "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi\
                     HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n\
                     HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 500 x\r\n\r\nto the end";
        for part in [1, 3, 500] {
            let mut client = ClientExchange::new(script(input, part), Limits::default());
            let mut replies = Vec::new();
            for _ in 0..4 {
                client.send(&Request::new("GET", "/", "h")).unwrap();
                let reply = client.receive("GET", 10).unwrap();
                replies.push((reply.status, String::from_utf8(reply.body).unwrap()));
            }
            let wanted = [(200, "hi"), (200, "ab"), (204, ""), (500, "to the end")];
            assert_eq!(
                replies,
                wanted.map(|(status, body)| (status, body.to_string()))
            );
            assert!(!client.keeps_alive());
            assert!(matches!(client.receive("GET", 10), Err(ExchangeError::Cut)));
        }
    }

    #[test]
    fn after_a_close_of_its_own_a_client_sends_nothing_more() {
        let input = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        for keep_alive in [true, false] {
            let mut client = ClientExchange::new(script(input, 500), Limits::default());
            let mut request = Request::new("GET", "/", "h");
            request.keep_alive = keep_alive;
            client.send(&request).unwrap();
            client.receive("GET", 10).unwrap();
            assert_eq!(client.keeps_alive(), keep_alive);
        }
    }

    #[test]
    fn a_request_without_a_body_is_not_told_to_go_on_with_it() {
        let input = "GET / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n";
        let (reply, status) = serve(input, 999);
        assert!(reply.starts_with("HTTP/1.1 200 OK"), "{reply}");
        assert_eq!(status, None);
    }

    #[test]
    fn a_body_that_nobody_reads_is_passed_over_up_to_its_limit() {
        for (length, goes_on) in [(PASSED_OVER, true), (PASSED_OVER + 1, false)] {
            let body = "x".repeat(length as usize);
            let input = format!(
                "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{body}\
                 GET /next HTTP/1.1\r\nHost: h\r\n\r\n"
            );
            let mut server = ServerExchange::new(script(&input, 4096), Limits::default());
            server.next_request().unwrap().unwrap();
            server.respond(&Response::new(200)).unwrap();
            let next = server.next_request();
            assert_eq!(next.is_ok(), goes_on, "{next:?}");
        }
    }

    #[test]
    fn a_status_that_has_no_body_is_sent_without_the_one_that_was_given() {
        for status in [204, 304] {
            let input = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
            let mut server = ServerExchange::new(script(input, 999), Limits::default());
            server.next_request().unwrap().unwrap();
            server.respond(&Response::text(status, "not sent")).unwrap();
            let written = String::from_utf8(server.stream().written.clone()).unwrap();
            assert!(written.ends_with("\r\n\r\n"), "{written}");
        }
    }
}
