//! The body of the echo clients: words of the command line, or lines of standard input.

use std::ffi::OsStr;
use std::fmt::Display;
use std::io::{self, IsTerminal, Read};
use std::os::unix::ffi::OsStrExt;

use super::client::{Asked, DatagramClient, LineClient, NoReply};
use super::flags::stop_word;
use super::printable;
use crate::cli::{Args, Failure, Opt, Out, UsageError};
use crate::net::{LineBuffer, plain_words, without_line_end};

/// `--stop-word WORD`
pub const STOP_WORD: Opt =
    Opt::value("stop-word", "WORD", "end after sending this line").default("STOP");
/// `--max-line SIZE`
pub const MAX_LINE: Opt =
    Opt::value("max-line", "SIZE", "the longest line, either way").default("64KiB");
/// `--check`
pub const CHECK: Opt = Opt::flag(
    "check",
    "fail when a reply differs from what was sent; a datagram that differs is ignored",
);
/// `--raw`
pub const RAW: Opt = Opt::flag(
    "raw",
    "print replies as they are: no `->: ` in front, nothing escaped",
);

/// The `--max-line` of a client, in bytes, after a check that its `--stop-word` fits. To be called
/// before it connects.
pub fn max_line(args: &Args) -> Result<usize, UsageError> {
    let size = args.size("max-line")?;
    stop_word(args, "stop-word", size)?;
    Ok(size)
}

/// Talks on a connection until the words, the input or the server ends; then half-closes, shows
/// what still arrives, and returns. `server` names the peer in errors.
pub fn on_connection(args: &Args, server: &str, mut client: LineClient) -> Result<(), Failure> {
    let talk = Talk::new(args, server);
    talk.exchange(|line| client.ask(line).map_err(|error| plain_words(&error)))?;
    let mut shown = Ok(());
    let mut more = false;
    let finished = client.finish(|line| {
        more = true;
        shown = talk.show(line);
    });
    finished.map_err(|error| talk.failed(plain_words(&error)))?;
    shown?;
    if more && talk.check {
        return Err(talk.failed("the server sent more than the replies"));
    }
    Ok(())
}

/// Talks by datagrams until the words or the input end. A line is sent without its line end.
pub fn by_datagrams(args: &Args, server: &str, mut client: DatagramClient) -> Result<(), Failure> {
    let ask = |line: &[u8]| {
        let reply = client
            .ask(without_line_end(line))
            .map_err(|error: NoReply| error.to_string());
        reply.map(|bytes| Asked::Reply(bytes.to_vec()))
    };
    // The client accepts only an exact echo as a reply, so there is nothing to check.
    let talk = Talk {
        check: false,
        ..Talk::new(args, server)
    };
    talk.exchange(ask)
}

struct Talk<'a> {
    args: &'a Args,
    server: &'a str,
    out: Out,
    prompt: bool,
    check: bool,
    raw: bool,
}

impl<'a> Talk<'a> {
    fn new(args: &'a Args, server: &'a str) -> Self {
        Self {
            args,
            server,
            out: Out::lines(),
            prompt: io::stdin().is_terminal(),
            check: args.flag("check"),
            raw: args.flag("raw"),
        }
    }

    fn exchange(&self, mut ask: impl FnMut(&[u8]) -> Result<Asked, String>) -> Result<(), Failure> {
        let mut input = Input::new(max_line(self.args)?);
        let words = self.args.operands().get(1..).unwrap_or_default();
        if !words.is_empty() {
            return self.ask_one(words.join(OsStr::new(" ")).as_bytes(), &mut ask);
        }
        let stop_word = self.args.value("stop-word").unwrap_or_default().as_bytes();
        while let Some(line) = self.next_line(&mut input)? {
            self.ask_one(&line, &mut ask)?;
            if without_line_end(&line) == stop_word {
                break;
            }
        }
        Ok(())
    }

    fn ask_one(
        &self,
        line: &[u8],
        ask: &mut impl FnMut(&[u8]) -> Result<Asked, String>,
    ) -> Result<(), Failure> {
        match ask(line).map_err(|why| self.failed(why))? {
            Asked::Reply(reply) => {
                self.show(&reply)?;
                // A last line without a line end was sent with one (and a record without).
                if self.check && reply != line && reply != [line, b"\n"].concat() {
                    return Err(self.failed("the reply is not what was sent"));
                }
                Ok(())
            }
            Asked::Closed(rest) => {
                if !rest.is_empty() {
                    self.show(&rest)?;
                }
                Err(self.failed("the server closed the connection"))
            }
        }
    }

    fn next_line(&self, input: &mut Input) -> Result<Option<Vec<u8>>, Failure> {
        if self.prompt {
            self.out.write_all(b">> ")?;
            self.out.flush()?;
        }
        input
            .next_line()
            .map_err(|e| format!("standard input: {}", plain_words(&e)).into())
    }

    fn show(&self, reply: &[u8]) -> Result<(), Failure> {
        if !self.raw {
            return self.out.line(format_args!("->: {}", printable(reply)));
        }
        let end: &[u8] = if reply.ends_with(b"\n") { b"" } else { b"\n" };
        self.out.write_all(&[reply, end].concat())
    }

    fn failed(&self, why: impl Display) -> Failure {
        Failure::Failed(format!("{}: {why}", self.server))
    }
}

/// Standard input by bounded lines.
struct Input {
    buffer: LineBuffer,
    ended: bool,
}

impl Input {
    fn new(max_line: usize) -> Self {
        Self {
            buffer: LineBuffer::new(max_line),
            ended: false,
        }
    }

    fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(line) = self.buffer.next_line() {
                return Ok(Some(line.to_vec()));
            }
            if self.ended {
                let rest = self.buffer.rest().to_vec();
                return Ok(if rest.is_empty() { None } else { Some(rest) });
            }
            match io::stdin().lock().read(self.buffer.spare()?) {
                Ok(count) => {
                    self.ended = count == 0;
                    self.buffer.filled(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
