//! The loop of a connection: a name, its command, the next name.

use std::io::{self, Write};

use super::EndpointConfig;
use super::call::{Call, Stream};
use super::commands::{Commands, Next};
use super::fault::{Fault, unknown};
use super::name::Name;
use crate::net::{Addr, Conn};
use crate::server::{End, Handler, Refusal, Session};

/// Called with the peer and the name before each command runs.
type Watch = Box<dyn Fn(&Addr, &Name) + Send + Sync>;

/// Serves [`Commands`] on every connection.
pub struct Endpoint {
    config: EndpointConfig,
    commands: Commands,
    watch: Option<Watch>,
}

/// Why the loop ends.
enum Stop {
    /// The connection failed, or its deadline passed.
    Io(io::Error),
    /// The peer is told this after `error: `, and the connection ends.
    Tell(String),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Stop::Io(error)
    }
}

impl Endpoint {
    /// An endpoint for these commands; keep a clone of them to add more while it serves.
    pub fn new(config: EndpointConfig, commands: Commands) -> Self {
        Self {
            config,
            commands,
            watch: None,
        }
    }

    /// The same, and `watch` is called before each command.
    pub fn watched(mut self, watch: impl Fn(&Addr, &Name) + Send + Sync + 'static) -> Self {
        self.watch = Some(Box::new(watch));
        self
    }

    /// Serves one command; `None` when the peer has closed.
    fn next(&self, conn: &Conn, stream: &mut Stream) -> Result<Option<Next>, Stop> {
        let name = match stream.name() {
            Ok(Some(name)) => name,
            Ok(None) => return Ok(None),
            Err(fault) => return Err(told("command name", fault)),
        };
        let Some(command) = self.commands.find(name.as_str()) else {
            return Err(Stop::Tell(unknown(&name, &self.commands.names())));
        };
        if let Some(watch) = &self.watch {
            watch(conn.peer_addr(), &name);
        }
        let next = command.run(&mut Call::new(stream));
        next.map(Some).map_err(|fault| told(name.as_str(), fault))
    }
}

fn told(what: &str, fault: Fault) -> Stop {
    match fault {
        Fault::Io(error) => Stop::Io(error),
        refused => Stop::Tell(format!("{what}: {refused}")),
    }
}

impl Handler for Endpoint {
    fn serve(&self, conn: &Conn, session: &Session<'_>) -> io::Result<End> {
        let mut stream = Stream::new(conn.clone(), self.config);
        loop {
            session.between_requests();
            let end = match self.next(conn, &mut stream) {
                // A command may have ignored the error; the payload must not be read as a command.
                Ok(Some(Next::Command)) if stream.is_lost() => End::Ours,
                Ok(Some(Next::Command)) => continue,
                Ok(Some(Next::End)) => End::Ours,
                Ok(None) => End::Peer,
                Err(Stop::Io(error)) => return Err(error),
                Err(Stop::Tell(why)) => {
                    stream.write(format!("error: {why}\n").as_bytes())?;
                    stream.flush()?;
                    // For the log. As after every end of ours, the server reads on for a moment;
                    // otherwise a reset for unread bytes would destroy the error line on its way.
                    return Err(io::Error::new(io::ErrorKind::InvalidData, why));
                }
            };
            stream.flush()?;
            return Ok(end);
        }
    }

    fn refused(&self, conn: &Conn, why: Refusal) {
        if matches!(why, Refusal::Access(_)) {
            return; // strangers are told nothing
        }
        // This must not block. It does not: nothing was sent yet, so there is room for a line.
        let mut conn = conn;
        let _ = conn.write(format!("error: {why}\n").as_bytes());
    }
}
