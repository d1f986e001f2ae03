//! Why a look-up failed.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;

use super::code::RecordType;
use super::error::NameError;
use super::lookup::Failure;
use super::name::Name;
use crate::net::AddressError;

/// Why a look-up by one of the [`Resolver`](super::Resolver)'s verbs has no result.
#[derive(Debug)]
pub enum LookupError {
    /// The text is no name.
    Name(String, NameError),
    /// The text looks like an IP address but is not one: `127.1`, `288.8.8.8`. A name server would
    /// at best reply "no such name".
    Address(AddressError),
    /// The name does not exist, for any type.
    NoSuchName {
        /// The name: if aliases lead to it, the last one.
        name: Name,
        /// The server that said so; `None` if this machine knew.
        server: Option<SocketAddr>,
    },
    /// The name exists and has no record of this type.
    NoSuchRecord {
        /// The name: if aliases lead to it, the last one.
        name: Name,
        /// The type asked for.
        kind: RecordType,
        /// The server that said so; `None` if this machine knew.
        server: Option<SocketAddr>,
    },
    /// The domain says that it takes no mail (RFC 7505) or has no such service (RFC 2782).
    NotOffered {
        /// The domain.
        name: Name,
        /// MX or SRV.
        kind: RecordType,
    },
    /// The name found is not a host name: it has octets that a shell, a log or a terminal might act
    /// on.
    NoHostName {
        /// The name asked for.
        name: Name,
        /// The name found.
        found: Name,
    },
    /// No server had a usable reply, or the aliases never end.
    Failed(Failure),
    /// The system's own resolver failed.
    System(String, io::Error),
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LookupError::Name(text, why) => write!(f, "{text:?}: {why}"),
            LookupError::Address(error) => error.fmt(f),
            LookupError::NoSuchName { name, server } => {
                write!(f, "{name}: no such name")?;
                says(f, server)
            }
            LookupError::NoSuchRecord { name, kind, server } => {
                write!(f, "{name}: no {kind} record")?;
                says(f, server)
            }
            LookupError::NotOffered { name, kind } if *kind == RecordType::MX => {
                write!(f, "{name}: takes no mail")
            }
            LookupError::NotOffered { name, .. } => write!(f, "{name}: service not available"),
            LookupError::NoHostName { name, found } => {
                write!(f, "{name}: what is found there, {found}, is no host name")
            }
            LookupError::Failed(failure) => failure.fmt(f),
            LookupError::System(name, error) => write!(f, "{name:?}: {error}"),
        }
    }
}

fn says(f: &mut fmt::Formatter<'_>, server: &Option<SocketAddr>) -> fmt::Result {
    match server {
        Some(server) => write!(f, " (says {server})"),
        None => Ok(()),
    }
}

impl Error for LookupError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            LookupError::Name(_, error) => Some(error),
            LookupError::Address(error) => Some(error),
            LookupError::Failed(failure) => Some(failure),
            LookupError::System(_, error) => Some(error),
            _ => None,
        }
    }
}

impl From<Failure> for LookupError {
    fn from(failure: Failure) -> Self {
        LookupError::Failed(failure)
    }
}
