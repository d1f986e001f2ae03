//! The echo service: the handler for connections and the handler for datagrams.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::MAX_LINE;
use crate::net::{Addr, Conn, Deadline, LineBuffer, LineTooLong, Network, without_line_end};
use crate::server::flags::Show;
use crate::server::{DatagramHandler, End, Handler, Session, at_stage};
use crate::telemetry::push_visible;

/// What an [`EchoHandler`] does beyond echoing.
pub struct EchoConfig {
    /// The longest line or record, in bytes, its line feed included. Default 64 KiB.
    pub max_line: usize,
    /// How long a line may take to arrive, waiting for its first byte included. Default 5 minutes;
    /// `None` for no limit.
    pub idle_timeout: Option<Duration>,
    /// How long sending an echo may take, if the peer does not read. Default 10 s.
    pub write_timeout: Option<Duration>,
    /// Serve one connection, one read, then stop the server. Default off.
    pub once: bool,
    /// The line or record (without its line end) that is echoed and then stops the server. Default none.
    pub stop_word: Option<String>,
    /// The line that is echoed and then ends its connection. Default none.
    pub stop_connection_word: Option<String>,
    /// Called with each line or record, its line end included. Default nothing.
    #[allow(clippy::type_complexity)]
    pub on_line: Option<Box<dyn Fn(&[u8]) + Send + Sync>>,
}

impl Default for EchoConfig {
    fn default() -> Self {
        Self {
            max_line: MAX_LINE,
            idle_timeout: Some(Duration::from_secs(300)),
            write_timeout: Some(Duration::from_secs(10)),
            once: false,
            stop_word: None,
            stop_connection_word: None,
            on_line: None,
        }
    }
}

/// Echoes lines of a stream, and records of a sequenced-packet connection.
#[derive(Default)]
pub struct EchoHandler {
    config: EchoConfig,
    /// The only connection of [`EchoConfig::once`] has arrived.
    begun: AtomicBool,
}

/// A connection that is silent for this long frees the memory of its long lines and waits on.
const SILENCE: Duration = Duration::from_millis(100);
/// A buffer for records of up to this size, in bytes, is not worth freeing.
const SMALL_RECORD: usize = 4 * 1024;

/// The stages of a connection, as its log line names them when it fails.
const READING: &str = "reading";
const WRITING: &str = "writing";

/// What to do after some lines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    EndConnection,
    StopServer,
}

impl EchoHandler {
    /// A handler with this configuration.
    pub fn new(config: EchoConfig) -> Self {
        Self {
            config,
            begun: AtomicBool::new(false),
        }
    }

    fn serve_lines(&self, conn: &Conn, session: &Session<'_>) -> io::Result<End> {
        let mut buffer = LineBuffer::new(self.config.max_line);
        let mut until = Deadline::NEVER;
        let mut next_line = true;
        loop {
            session.between_requests();
            if next_line {
                // Renewed by whole lines, not by every read: one byte a minute does not renew it.
                until = Deadline::after_option(self.config.idle_timeout);
            }
            let count = read(conn, &mut buffer, until)?;
            buffer.filled(count);
            let last = count == 0 || self.config.once;
            let lines = if last { buffer.rest() } else { buffer.whole() };
            next_line = !lines.is_empty();
            let (len, next) = self.look_at(lines);
            self.write(conn, lines.get(..len).unwrap_or(lines))?;
            if let Some(end) = self.ending(next, count == 0, session) {
                return Ok(end);
            }
        }
    }

    fn serve_records(&self, mut conn: &Conn, session: &Session<'_>) -> io::Result<End> {
        let mut buffer = Vec::new();
        loop {
            session.between_requests();
            let until = Deadline::after_option(self.config.idle_timeout);
            conn.set_read_deadline(until);
            let next_len = || conn.next_record_len();
            let mut len = None;
            if buffer.len() > SMALL_RECORD {
                len = unless_silent(conn, until, next_len).map_err(at_stage(READING))?;
                if len.is_none() {
                    buffer = Vec::new();
                }
            }
            let len = len.map_or_else(next_len, Ok).map_err(at_stage(READING))?;
            if len > self.config.max_line {
                let max_line = self.config.max_line;
                return Err(at_stage(READING)(LineTooLong { max_line }.into()));
            }
            // Sized by the record that has arrived, not by the limit.
            buffer.resize(len.max(buffer.len()), 0);
            let count = conn.read(&mut buffer).map_err(at_stage(READING))?;
            let record = buffer.get(..count).unwrap_or_default();
            let next = match count {
                0 => Next::GoOn,
                _ => self.look_at_one(record),
            };
            if count > 0 {
                self.write(conn, record)?;
            }
            if let Some(end) = self.ending(next, count == 0, session) {
                return Ok(end);
            }
        }
    }

    fn write(&self, mut conn: &Conn, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        conn.set_write_deadline(Deadline::after_option(self.config.write_timeout));
        conn.write_all(bytes).map_err(at_stage(WRITING))
    }

    /// How the connection ends after this round, if it does.
    fn ending(&self, next: Next, peer_closed: bool, session: &Session<'_>) -> Option<End> {
        if next == Next::StopServer {
            session.stop_server();
        }
        match next {
            _ if peer_closed => Some(End::Peer),
            Next::GoOn if !self.config.once => None,
            _ => Some(End::Ours),
        }
    }

    /// Passes the lines to `on_line` and looks for the stop words; returns how many bytes to echo,
    /// and what follows. Costs nothing without either.
    fn look_at(&self, lines: &[u8]) -> (usize, Next) {
        let config = &self.config;
        let words = [&config.stop_word, &config.stop_connection_word];
        if config.on_line.is_none() && words.iter().all(|word| word.is_none()) {
            return (lines.len(), Next::GoOn);
        }
        let mut seen = 0;
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            seen += line.len();
            let next = self.look_at_one(line);
            if next != Next::GoOn {
                return (seen, next);
            }
        }
        (seen, Next::GoOn)
    }

    /// The same for one line, or for one record, in which a line feed is an ordinary byte.
    fn look_at_one(&self, line: &[u8]) -> Next {
        let config = &self.config;
        if let Some(show) = &config.on_line {
            show(line);
        }
        let text = without_line_end(line);
        let is = |word: &Option<String>| word.as_ref().is_some_and(|word| word.as_bytes() == text);
        match (is(&config.stop_word), is(&config.stop_connection_word)) {
            (true, _) => Next::StopServer,
            (false, true) => Next::EndConnection,
            (false, false) => Next::GoOn,
        }
    }
}

impl Handler for EchoHandler {
    fn serve(&self, conn: &Conn, session: &Session<'_>) -> io::Result<End> {
        if self.config.once && self.begun.swap(true, Ordering::Relaxed) {
            return Err(io::Error::other(
                "one connection was to be served, and it has come",
            ));
        }
        let result = if conn.network() == Network::Unixpacket {
            self.serve_records(conn, session)
        } else {
            self.serve_lines(conn, session)
        };
        if self.config.once {
            session.stop_server(); // however it ended, even by a reset
        }
        result
    }
}

/// One read. Before a long wait the memory of long lines is freed.
fn read(conn: &Conn, buffer: &mut LineBuffer, until: Deadline) -> io::Result<usize> {
    read_patiently(conn, buffer, until).map_err(at_stage(READING))
}

fn read_patiently(mut conn: &Conn, buffer: &mut LineBuffer, until: Deadline) -> io::Result<usize> {
    if buffer.can_shrink() {
        let spare = buffer.spare()?;
        if let Some(count) = unless_silent(conn, until, || conn.read(spare))? {
            return Ok(count);
        }
        buffer.shrink();
    }
    conn.set_read_deadline(until);
    conn.read(buffer.spare()?)
}

/// A read (or another call that waits for the peer) until the deadline; `None` when nothing has
/// arrived for [`SILENCE`]. Under load this costs nothing: the socket stays armed with that
/// time-out.
fn unless_silent(
    conn: &Conn,
    until: Deadline,
    read: impl FnOnce() -> io::Result<usize>,
) -> io::Result<Option<usize>> {
    conn.set_read_deadline(until.earlier(Deadline::after(SILENCE)));
    let count = read();
    conn.set_read_deadline(until);
    match count {
        Err(error) if Deadline::is_cause_of(&error) && !until.passed() => Ok(None),
        other => other.map(Some),
    }
}

/// The datagram service: the reply is the request, which is already in the buffer. With `show` each
/// is printed as `-> TEXT`.
pub fn datagram_handler(show: Option<Show>) -> impl DatagramHandler + 'static {
    move |_: &Addr, buffer: &mut [u8], len: usize| {
        if let Some(show) = &show {
            let text = printable(buffer.get(..len).unwrap_or_default());
            show.line(format_args!("-> {text}"));
        }
        Some(len)
    }
}

/// A peer's bytes as text that is safe to show: without the line end, invalid UTF-8 replaced, and
/// characters escaped that control a terminal or show nothing ([`push_visible`]).
pub fn printable(line: &[u8]) -> String {
    let mut text = String::new();
    push_visible(&mut text, &String::from_utf8_lossy(without_line_end(line)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net;
    use crate::server::{Config, Server};
    use std::sync::mpsc;

    fn handler(stop: Option<&str>, stop_connection: Option<&str>) -> EchoHandler {
        EchoHandler::new(EchoConfig {
            stop_word: stop.map(String::from),
            stop_connection_word: stop_connection.map(String::from),
            ..EchoConfig::default()
        })
    }

    #[test]
    fn a_stop_word_is_a_whole_line_and_what_follows_it_is_not_echoed() {
        let cases: [(&[u8], usize, bool); 5] = [
            (b"a\nSTOP\nb\n", 7, true),
            (b"STOP\r\nb", 6, true),
            (b"STOP", 4, true),
            (b"STOPPER\n STOP\nstop\n", 19, false),
            (b"", 0, false),
        ];
        for (lines, len, stops) in cases {
            let (seen, next) = handler(Some("STOP"), None).look_at(lines);
            assert_eq!((seen, next == Next::StopServer), (len, stops), "{lines:?}");
        }
        assert!(handler(None, Some("BYE")).look_at(b"BYE\n").1 == Next::EndConnection);
    }

    #[test]
    fn a_record_is_one_line_whatever_is_in_it() {
        let (tell, told) = mpsc::channel();
        let config = EchoConfig {
            stop_word: Some("STOP".to_string()),
            on_line: Some(Box::new(move |record| tell.send(record.to_vec()).unwrap())),
            ..EchoConfig::default()
        };
        let path = format!("@groundwire-echo-records-{}", std::process::id());
        let listener = net::listen(Network::Unixpacket, &path).unwrap();
        let server = Server::new(Config::default(), EchoHandler::new(config));
        let running = server.start(listener).unwrap();
        let mut peer = net::dial(Network::Unixpacket, &path).unwrap();
        for record in [&b"one\nSTOP\nthree\n"[..], b"STOP"] {
            peer.write_all(record).unwrap();
            assert_eq!(told.recv().unwrap(), record);
            let mut echo = [0; 32];
            let count = peer.read(&mut echo).unwrap();
            assert_eq!(&echo[..count], record);
        }
        drop(peer);
        assert_eq!(running.wait().unwrap().served, 1); // the second record stopped it
    }

    #[test]
    fn a_reset_by_the_only_peer_is_the_end_of_a_server_of_one() {
        let config = EchoConfig {
            once: true,
            ..EchoConfig::default()
        };
        let listener = net::listen(Network::Tcp, "127.0.0.1:0").unwrap();
        let address = listener.local_addr().to_string();
        let (handler, (tell, told)) = (EchoHandler::new(config), mpsc::channel());
        let server = Server::new(Config::default(), move |conn: &Conn, s: &Session<'_>| {
            tell.send(()).unwrap();
            handler.serve(conn, s)
        });
        let running = server.start(listener).unwrap();
        let peer = net::dial(Network::Tcp, &address).unwrap();
        told.recv().unwrap(); // a connection that is reset in the backlog may never be accepted
        peer.reset_on_close().unwrap();
        drop(peer);
        let totals = running.wait().unwrap(); // nobody stops it
        assert_eq!((totals.served, totals.failed), (0, 1));
    }

    #[test]
    fn silence_is_told_from_bytes_from_the_end_and_from_the_deadline() {
        let (ours, theirs) = Conn::pair().unwrap();
        let read = |until| unless_silent(&ours, until, || (&ours).read(&mut [0; 8]));
        assert_eq!(read(Deadline::NEVER).unwrap(), None);
        (&theirs).write_all(b"abc").unwrap();
        assert_eq!(read(Deadline::NEVER).unwrap(), Some(3));
        let soon = Deadline::after(Duration::from_millis(10));
        assert_eq!(read(soon).unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(theirs);
        assert_eq!(read(Deadline::NEVER).unwrap(), Some(0));
    }

    #[test]
    fn what_is_shown_cannot_drive_a_terminal_and_is_no_format_string() {
        assert_eq!(
            printable(b"%s{} \x1b[31m\xff\r\n"),
            "%s{} \\u{1b}[31m\u{fffd}"
        );
        assert_eq!(
            printable("tab\tstays, \u{9b}goes".as_bytes()),
            "tab\tstays, \\u{9b}goes"
        );
        assert_eq!(
            printable("turned \u{202e}round, \u{200b}\u{2028}hidden, \u{e9}".as_bytes()),
            "turned \\u{202e}round, \\u{200b}\\u{2028}hidden, \u{e9}"
        );
        assert_eq!(printable(b""), "");
    }
}
