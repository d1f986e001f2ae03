//! The other side: sends a command and waits for its reply.

use std::fmt;
use std::io::{self, Read, Write};
use std::time::Duration;

use super::name::Name;
use super::record::Record;
use crate::net::{Conn, Deadline, LineBuffer, plain_words, without_line_end};
use crate::telemetry::is_invisible;
use crate::wire::{self, Frames};

/// The longest reply, in bytes. An error lists the known commands, so it may be long.
const MAX_REPLY: usize = 64 << 10;

/// Calls commands whose replies are lines, one after the other.
pub struct Client {
    conn: Conn,
    replies: LineBuffer,
    timeout: Duration,
}

/// Why a command has no reply.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientError {
    /// The connection failed; a time-out is `TimedOut`.
    Io(io::Error),
    /// The server closed the connection without a whole reply.
    Closed,
    /// The server replied with an error, and then closes the connection; this is the line as
    /// received.
    Refused(String),
    /// A string that is not a line ([`Client::is_line`]). Nothing was sent.
    NoLine,
    /// The record cannot be written. Nothing was sent.
    Message(wire::Error),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Io(error) => f.write_str(&plain_words(error)),
            ClientError::Closed => f.write_str("the server closed the connection"),
            ClientError::Refused(line) => {
                f.write_str("the server replied: ")?;
                line.chars().try_for_each(|letter| shown(letter, f))
            }
            ClientError::NoLine => f.write_str(
                "a string is one line: no line feed in it, no carriage return at its end",
            ),
            ClientError::Message(error) => error.fmt(f),
        }
    }
}

/// A character of a server's line; escaped if it controls a terminal or shows nothing, because it
/// may be printed on a terminal.
fn shown(letter: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if is_invisible(letter) {
        write!(f, "{}", letter.escape_default())
    } else {
        write!(f, "{letter}")
    }
}

impl std::error::Error for ClientError {
    // `Display` already includes the cause, so there is no source.
}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> Self {
        ClientError::Io(error)
    }
}

impl Client {
    /// A client that waits at most `timeout` for each reply; the time for sending counts.
    pub fn new(conn: Conn, timeout: Duration) -> Self {
        Self {
            conn,
            replies: LineBuffer::new(MAX_REPLY),
            timeout,
        }
    }

    /// Whether a string arrives unchanged: it has no line feed, and no carriage return at its end,
    /// which would be taken for a part of the line end.
    pub fn is_line(text: &str) -> bool {
        !text.contains('\n') && !text.ends_with('\r')
    }

    /// Sends a string; returns the reply. A string that [is not a line](Client::is_line) is not
    /// sent.
    pub fn string(&mut self, text: &str) -> Result<String, ClientError> {
        self.send_command("STRING", &string_payload(text)?)
    }

    /// Sends a record; returns the reply.
    pub fn record(&mut self, record: &Record) -> Result<String, ClientError> {
        self.send_command("STRUCT", &record_payload(record)?)
    }

    /// Sends any command with its payload, and returns its reply, a line without its end.
    pub fn call(&mut self, name: &Name, payload: &[u8]) -> Result<String, ClientError> {
        self.send_command(name.as_str(), payload)
    }

    fn send_command(&mut self, name: &str, payload: &[u8]) -> Result<String, ClientError> {
        self.conn.set_deadline(Deadline::after(self.timeout));
        let sent = self.conn.write_all(&command(name, payload));
        // A server that refuses a long payload replies and closes while we send; its reply says
        // more than our failed write.
        match (sent, self.reply()) {
            (Err(error), Err(_)) => Err(error.into()),
            (_, reply) => reply,
        }
    }

    fn reply(&mut self) -> Result<String, ClientError> {
        loop {
            if let Some(line) = self.replies.next_line() {
                return outcome(line);
            }
            let spare = self.replies.spare().map_err(io::Error::from)?;
            let count = self.conn.read(spare)?;
            if count == 0 {
                return Err(ClientError::Closed);
            }
            self.replies.filled(count);
        }
    }
}

/// A command as it is sent, in one piece.
fn command(name: &str, payload: &[u8]) -> Vec<u8> {
    [name.as_bytes(), b"\n", payload].concat()
}

fn string_payload(text: &str) -> Result<Vec<u8>, ClientError> {
    if !Client::is_line(text) {
        return Err(ClientError::NoLine);
    }
    Ok(format!("{text}\n").into_bytes())
}

fn record_payload(record: &Record) -> Result<Vec<u8>, ClientError> {
    let mut frames = Frames::new(wire::Limits::default());
    frames.push(record).map_err(ClientError::Message)?;
    Ok(frames.bytes().to_vec())
}

/// What a reply means.
fn outcome(line: &[u8]) -> Result<String, ClientError> {
    let line = without_line_end(line);
    let line = String::from_utf8_lossy(line).into_owned();
    if line.starts_with("error:") {
        return Err(ClientError::Refused(line));
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_its_name_a_line_feed_and_the_payload() {
        let string = string_payload("hello there").unwrap();
        assert_eq!(command("STRING", &string), b"STRING\nhello there\n");
        let record = Record::default();
        let frame = record_payload(&record).unwrap();
        assert_eq!(frame[..4], [25, 0, 0, 0]);
        assert_eq!(wire::decode::<Record>(&frame[4..]).unwrap(), record);
    }

    #[test]
    fn a_string_that_is_no_line_is_not_sent() {
        for text in ["a\nSTRING\nb", "\n", "a\r"] {
            let refused = string_payload(text);
            assert!(matches!(refused, Err(ClientError::NoLine)), "{text:?}");
        }
        assert!(string_payload("").is_ok() && string_payload("a\rb").is_ok());
    }

    #[test]
    fn an_error_line_is_an_error() {
        assert_eq!(outcome(b"Thank you.\n").unwrap(), "Thank you.");
        let refused = outcome(b"error: unknown command FOO; known: none\n").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the server replied: error: unknown command FOO; known: none"
        );
        let escaped = outcome("error: \x1b[31m' '\u{202e}\n".as_bytes()).unwrap_err();
        let says = r"the server replied: error: \u{1b}[31m' '\u{202e}";
        assert_eq!(escaped.to_string(), says);
    }
}
