//! What can go wrong between an address and a connection.
//!
//! Every error says what was attempted, on which network and address, and why it failed, in the
//! shape `connect tcp 127.0.0.1:1: connection refused`, so that a program prints it as it is.

use std::fmt;
use std::io;

use super::{AddressError, Network};

/// A failed attempt to dial, listen, or name an address.
#[derive(Debug)]
pub enum Error {
    /// The text is not an address; nothing was attempted.
    Address(AddressError),
    /// This network does not support the call: dialling a stream on `udp`, for example.
    WrongNetwork {
        /// What was attempted: `connect`, `listen`.
        verb: &'static str,
        /// The network that was asked for.
        network: Network,
        /// What to use instead.
        instead: &'static str,
    },
    /// The host name has no address, or the look-up failed.
    Resolve {
        /// The address as given.
        address: String,
        /// The resolver's answer.
        source: io::Error,
    },
    /// The system call failed, or the deadline passed.
    Failed {
        /// What was attempted: `connect`, `listen`, ...
        verb: &'static str,
        /// On which network.
        network: Network,
        /// On which address.
        address: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The system does not allow this user to open the socket.
    Forbidden {
        /// The network that was asked for.
        network: Network,
        /// What would allow it.
        remedy: String,
        /// The system's answer.
        source: io::Error,
    },
    /// The kernel did not list the interfaces of this machine.
    Interfaces(io::Error),
    /// The name has several addresses, and every attempt failed (in the order of the attempts).
    AllFailed {
        /// The network.
        network: Network,
        /// The address as given.
        address: String,
        /// The resolved addresses with their errors; never empty.
        attempts: Vec<(String, io::Error)>,
    },
}

impl Error {
    /// The kind of the underlying failure, as in `io::Error::kind`.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Error::Address(_) | Error::WrongNetwork { .. } => io::ErrorKind::InvalidInput,
            Error::Resolve { source, .. }
            | Error::Failed { source, .. }
            | Error::Forbidden { source, .. }
            | Error::Interfaces(source) => source.kind(),
            Error::AllFailed { attempts, .. } => attempts
                .first()
                .map_or(io::ErrorKind::Other, |(_, source)| source.kind()),
        }
    }

    /// Whether this machine had no descriptor or memory left for the attempt (EMFILE, ENFILE,
    /// ENOBUFS, ENOMEM). Such an error says nothing about the peer.
    pub fn is_shortage(&self) -> bool {
        match self {
            Error::Resolve { source, .. } | Error::Failed { source, .. } => is_shortage(source),
            Error::AllFailed { attempts, .. } => attempts.iter().all(|(_, why)| is_shortage(why)),
            _ => false,
        }
    }

    /// `instead` is the right call for networks with connections, or for those without; ICMP has a
    /// socket type of its own.
    pub(crate) fn wrong(verb: &'static str, network: Network, instead: &'static str) -> Error {
        let instead = if network.is_icmp() {
            "IcmpSocket"
        } else {
            instead
        };
        Error::WrongNetwork {
            verb,
            network,
            instead,
        }
    }

    pub(crate) fn failed(
        verb: &'static str,
        network: Network,
        address: &dyn fmt::Display,
    ) -> impl Fn(io::Error) -> Error {
        let address = address.to_string();
        move |source| Error::Failed {
            verb,
            network,
            address: address.clone(),
            source,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Address(error) => error.fmt(f),
            Error::WrongNetwork {
                verb,
                network,
                instead,
            } => {
                write!(
                    f,
                    "{verb} {network}: not possible on this network, use {instead}"
                )
            }
            Error::Resolve { address, source } => {
                write!(f, "look up {address}: {}", plain_words(source))
            }
            Error::Failed {
                verb,
                network,
                address,
                source,
            } => {
                write!(f, "{verb} {network} {address}: {}", plain_words(source))
            }
            Error::Forbidden {
                network,
                remedy,
                source,
            } => {
                write!(f, "open {network}: {}; {remedy}", plain_words(source))
            }
            Error::Interfaces(source) => write!(f, "list interfaces: {}", plain_words(source)),
            Error::AllFailed {
                network,
                address,
                attempts,
            } => {
                write!(f, "connect {network} {address}: ")?;
                for (number, (tried, source)) in attempts.iter().enumerate() {
                    let comma = if number == 0 { "" } else { ", " };
                    write!(f, "{comma}{tried} {}", plain_words(source))?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Address(error) => Some(error),
            Error::Resolve { source, .. }
            | Error::Failed { source, .. }
            | Error::Forbidden { source, .. }
            | Error::Interfaces(source) => Some(source),
            Error::AllFailed { attempts, .. } => attempts.first().map(|(_, e)| e as _),
            Error::WrongNetwork { .. } => None,
        }
    }
}

impl From<AddressError> for Error {
    fn from(error: AddressError) -> Self {
        Error::Address(error)
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        io::Error::new(error.kind(), error)
    }
}

/// An I/O error as the end of a sentence: `connection refused`, without the capital letter and
/// the number that std puts around it.
pub fn plain_words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error ").next().unwrap_or(&text);
    let mut letters = text.chars();
    match (letters.next(), letters.next()) {
        // Acronyms keep their capitals.
        (Some(first), Some(second)) if second.is_lowercase() => first
            .to_lowercase()
            .chain([second])
            .chain(letters)
            .collect(),
        _ => text.to_string(),
    }
}

fn is_shortage(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(12 | 23 | 24 | 105))
}

/// Why `Listener::accept` returned no connection, and so what to do next.
#[derive(Debug)]
pub enum AcceptError {
    /// The listener was closed: stop.
    Closed,
    /// This one connection was lost between the handshake and `accept` (`accept(2)`): go on.
    Lost(io::Error),
    /// Out of descriptors or memory (EMFILE, ENFILE, ENOBUFS, ENOMEM): the connection waits in
    /// the backlog; wait before trying again, or the loop spins.
    Exhausted(io::Error),
    /// The listener itself is broken, or the process may not accept (EPERM, EACCES from a sandbox
    /// or a security module, before any connection is taken): give up.
    Fatal(io::Error),
}

impl AcceptError {
    pub(crate) fn classify(error: io::Error, closed: bool) -> Self {
        if closed {
            return AcceptError::Closed;
        }
        if is_shortage(&error) {
            return AcceptError::Exhausted(error);
        }
        match error.raw_os_error() {
            Some(4 | 11 | 64 | 71 | 92 | 95 | 100 | 101 | 103 | 112 | 113) => {
                AcceptError::Lost(error)
            }
            _ => AcceptError::Fatal(error),
        }
    }
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AcceptError::Closed => f.write_str("accept: the listener is closed"),
            AcceptError::Lost(e) => write!(f, "accept: connection lost: {}", plain_words(e)),
            AcceptError::Exhausted(e) | AcceptError::Fatal(e) => {
                write!(f, "accept: {}", plain_words(e))
            }
        }
    }
}

impl std::error::Error for AcceptError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            AcceptError::Closed => None,
            AcceptError::Lost(error)
            | AcceptError::Exhausted(error)
            | AcceptError::Fatal(error) => Some(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    #[test]
    fn plain_words_drop_the_capital_and_the_number_but_keep_acronyms() {
        for (number, words) in [(111, "connection refused"), (13, "permission denied")] {
            assert_eq!(plain_words(&io::Error::from_raw_os_error(number)), words);
        }
        assert_eq!(plain_words(&io::Error::other("TLS bytes")), "TLS bytes");
        assert_eq!(plain_words(&io::Error::other("")), "");
    }

    #[test]
    fn descriptor_shortage_is_told_apart_from_a_lost_connection_and_a_broken_listener() {
        let class = |number| AcceptError::classify(io::Error::from_raw_os_error(number), false);
        assert!(matches!(class(24), AcceptError::Exhausted(_)));
        assert!(matches!(class(103), AcceptError::Lost(_)));
        assert!(matches!(class(9), AcceptError::Fatal(_)));
        // No connection has been taken out of the backlog, so retrying would spin.
        assert!(matches!(class(1), AcceptError::Fatal(_)));
        let closed = AcceptError::classify(io::Error::from_raw_os_error(22), true);
        assert!(matches!(closed, AcceptError::Closed));
        let sources = [24, 103, 9].map(|number| class(number).source().map(ToString::to_string));
        let says = |number| Some(io::Error::from_raw_os_error(number).to_string());
        assert_eq!(sources, [24, 103, 9].map(says));
        assert!(closed.source().is_none());
    }

    #[test]
    fn where_one_of_several_attempts_met_a_peer_it_is_no_shortage_of_ours() {
        let all = |numbers: [i32; 2]| Error::AllFailed {
            network: Network::Tcp,
            address: "a:1".into(),
            attempts: numbers
                .map(|number| ("a".into(), io::Error::from_raw_os_error(number)))
                .into(),
        };
        assert!(all([24, 23]).is_shortage());
        assert!(!all([24, 111]).is_shortage());
    }
}
