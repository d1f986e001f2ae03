//! What can end netcat early.

use std::fmt;
use std::io;

use super::proxy::ProxyError;
use crate::net::plain_words;

/// What failed, and why.
#[derive(Debug)]
pub enum Error {
    /// Standard input cannot be read.
    Input(io::Error),
    /// The thread that reads it cannot be started.
    Thread(io::Error),
    /// Standard output does not accept what was received; `BrokenPipe` when its reader has gone.
    Output(io::Error),
    /// The peer did not accept all of the input.
    Sending(io::Error),
    /// The connection broke while the peer might have sent more.
    Receiving(io::Error),
    /// The peer closed or reset the connection before the end of the input.
    Closed,
    /// The connection to the proxy broke during the handshake.
    Handshake(io::Error),
    /// The proxy did not make the connection.
    Proxy(ProxyError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, why) = match self {
            Error::Input(why) => ("standard input", why),
            Error::Thread(why) => ("starting a thread", why),
            Error::Output(why) => ("standard output", why),
            Error::Sending(why) => ("sending", why),
            Error::Receiving(why) => ("receiving", why),
            Error::Handshake(why) => ("asking the proxy", why),
            Error::Closed => {
                return f.write_str("sending: the peer closed before the end of the input");
            }
            Error::Proxy(why) => return why.fmt(f),
        };
        write!(f, "{what}: {}", plain_words(why))
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Input(why)
            | Error::Thread(why)
            | Error::Output(why)
            | Error::Sending(why)
            | Error::Receiving(why)
            | Error::Handshake(why) => Some(why),
            Error::Closed => None,
            Error::Proxy(why) => Some(why),
        }
    }
}
