//! The service of `http-backend`: an origin server for lessons and tests.
//!
//! A proxy is as good as what it does when the server behind it is slow, silent, wrong or dead.
//! This server is all of these on request; [`page`] lists its pages. It says its name in every
//! reply (`X-Backend`), so that a client behind a balancer sees which backend has answered. It may
//! fail a share of its requests ([`luck`]), the same ones in every run with the same seed.
//!
//! ```text
//!   Conn ──> Wire ─────────> ServerExchange ──> Turn ──> a page: home, echo, slow, status, bytes,
//!            deadlines,      (http: requests,   one             chunked, stream, die, a file, or
//!            rests, stops    replies)           request         a WebSocket from here on
//! ```
//!
//! Reading order. Pure: [`target`] (paths and queries), [`page`], [`luck`], [`range`],
//! [`validators`], [`content_type`], [`sha1`], [`handshake`], [`websocket`]. Shell: `handler` (the
//! loop of a connection), `wire`, `turn`, then the pages: `streams`, `files`, `upgrade`; and the
//! [`flags`].
//!
//! It is not for unknown clients: `/bytes` and `/stream` send as much as a client asks for.

pub mod content_type;
mod files;
pub mod flags;
mod handler;
pub mod handshake;
pub mod luck;
pub mod page;
pub mod range;
pub mod sha1;
mod streams;
pub mod target;
mod turn;
mod upgrade;
pub mod validators;
pub mod websocket;
mod wire;

use std::time::Duration;

pub use files::Root;
pub use handler::Origin;

use crate::http::Limits;
use crate::net::Addr;
use luck::Luck;

/// The configuration of an [`Origin`].
pub struct OriginConfig {
    /// Its name. Default `origin`.
    pub name: String,
    /// The folder whose files it serves, in addition to its pages. Default none.
    pub root: Option<Root>,
    /// Which requests fail. Default none.
    pub luck: Luck,
    /// The limits of requests.
    pub limits: Limits,
    /// The longest message of a WebSocket, in bytes. Default 1 MiB.
    pub max_message: usize,
    /// How long a connection may be silent between requests, or a WebSocket between messages.
    /// Default 60 s; `None` for no limit, here and below.
    pub idle_timeout: Option<Duration>,
    /// How long a header section may take from its first byte. Default 10 s.
    pub header_timeout: Option<Duration>,
    /// How long a body may be silent. Default 30 s.
    pub body_timeout: Option<Duration>,
    /// How long one write of at most 64 KiB may take if the client does not read. Default 30 s.
    pub write_timeout: Option<Duration>,
    /// Called after each request. Default nothing.
    #[allow(clippy::type_complexity)]
    pub on_request: Option<Box<dyn Fn(&Access<'_>) + Send + Sync>>,
}

impl Default for OriginConfig {
    fn default() -> Self {
        Self {
            name: "origin".into(),
            root: None,
            luck: Luck::default(),
            limits: Limits::default(),
            max_message: 1 << 20,
            idle_timeout: Some(Duration::from_secs(60)),
            header_timeout: Some(Duration::from_secs(10)),
            body_timeout: Some(Duration::from_secs(30)),
            write_timeout: Some(Duration::from_secs(30)),
            on_request: None,
        }
    }
}

/// A request and its outcome.
#[derive(Debug)]
pub struct Access<'a> {
    /// The client's address.
    pub peer: &'a Addr,
    /// The method.
    pub method: &'a str,
    /// The target.
    pub target: &'a str,
    /// The status of the reply; `None` when the client left before it.
    pub status: Option<u16>,
    /// How many bytes of a body were sent.
    pub bytes: u64,
    /// From the request's header section to the end of the reply.
    pub took: Duration,
}

impl std::fmt::Display for Access<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Access {
            peer,
            method,
            target,
            status,
            bytes,
            took,
        } = self;
        let status = status.map_or("-".to_string(), |code| code.to_string());
        let millis = took.as_secs_f64() * 1000.0;
        write!(
            f,
            "{peer} {method} {target} {status} {bytes} B {millis:.1} ms"
        )
    }
}
