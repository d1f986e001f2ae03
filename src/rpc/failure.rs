//! Why a call has no result: as the server sends it, and as the caller receives it. Pure.

use std::fmt;

use crate::wire::Error as WireError;

crate::wire! {
    /// Why the server did not run a call, or not to its end.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Failure {
        /// No service has this name.
        UnknownService(String),
        /// The service has no method with this name.
        UnknownMethod(String),
        /// The argument does not decode to the method's type; the text says where.
        BadArgument(String),
        /// The result or the argument is longer than the connection's limit.
        TooLarge(String),
        /// Too many calls are in flight. This one was not run: try again later, or elsewhere.
        Overloaded(String),
        /// The server is stopping. The call was not run: try again elsewhere.
        ShuttingDown,
        /// The call's time was over before it ended.
        DeadlineExceeded,
        /// The caller cancelled the call.
        Cancelled,
        /// The method panicked: a defect in the method.
        Panicked,
        /// The client did not prove that it knows the secret.
        Unauthenticated,
        /// The method refused, in its own words.
        Refused(String),
        ..
        /// A failure that only a later version knows.
        Other
    }
}

impl Failure {
    /// Whether the call was certainly not run, and trying it again may help.
    pub fn not_run(&self) -> bool {
        matches!(self, Self::Overloaded(_) | Self::ShuttingDown)
    }

    /// The same failure without its text.
    pub(super) fn without_text(&self) -> Failure {
        let none = String::new;
        match self {
            Self::UnknownService(_) => Self::UnknownService(none()),
            Self::UnknownMethod(_) => Self::UnknownMethod(none()),
            Self::BadArgument(_) => Self::BadArgument(none()),
            Self::TooLarge(_) => Self::TooLarge(none()),
            Self::Overloaded(_) => Self::Overloaded(none()),
            Self::Refused(_) => Self::Refused(none()),
            other => other.clone(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownService(name) => write!(f, "no service {name}"),
            Self::UnknownMethod(name) => write!(f, "no method {name}"),
            Self::BadArgument(why) => write!(f, "bad argument: {why}"),
            Self::TooLarge(why) => write!(f, "too large: {why}"),
            Self::Overloaded(why) => write!(f, "the server is overloaded: {why}"),
            Self::ShuttingDown => f.write_str("the server is shutting down"),
            Self::DeadlineExceeded => f.write_str("the time was over before it was done"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::Panicked => f.write_str("the method panicked"),
            Self::Unauthenticated => f.write_str("the secret is not the server's"),
            Self::Refused(why) => f.write_str(why),
            Self::Other(unknown) => write!(f, "a failure of a later version ({})", unknown.tag()),
        }
    }
}

impl std::error::Error for Failure {}

/// Why a caller has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallError {
    /// The server answered with a failure.
    Failed(Failure),
    /// There was no connection, or it ended before the reply came; the text says why. Whether the
    /// call was run is not known, unless [`CallError::not_run`] says so.
    Disconnected {
        /// What happened, at which address.
        why: String,
        /// Whether any of the call was sent.
        sent: bool,
    },
    /// The time was over before the reply came. The server was told.
    DeadlineExceeded,
    /// The argument cannot be encoded.
    BadArgument(WireError),
    /// The result does not decode to the expected type: the two sides disagree about the method.
    BadReply(WireError),
    /// This connection has as many calls in flight as the server allows.
    TooManyCalls {
        /// The limit.
        limit: usize,
    },
}

impl CallError {
    /// Whether the call was certainly not run, and trying it again may help.
    pub fn not_run(&self) -> bool {
        match self {
            Self::Failed(failure) => failure.not_run(),
            Self::Disconnected { sent, .. } => !sent,
            Self::TooManyCalls { .. } => true,
            Self::DeadlineExceeded | Self::BadArgument(_) | Self::BadReply(_) => false,
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(failure) => failure.fmt(f),
            Self::Disconnected { why, .. } => f.write_str(why),
            Self::DeadlineExceeded => f.write_str("no reply in time"),
            Self::BadArgument(error) => write!(f, "the argument cannot be sent: {error}"),
            Self::BadReply(error) => write!(f, "the reply cannot be read: {error}"),
            Self::TooManyCalls { limit } => {
                write!(
                    f,
                    "{limit} calls are under way on this connection, its limit"
                )
            }
        }
    }
}

impl std::error::Error for CallError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(failure) => Some(failure),
            Self::BadArgument(error) | Self::BadReply(error) => Some(error),
            _ => None,
        }
    }
}
