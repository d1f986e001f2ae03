//! The HTTP/1.1 load balancer: it passes each request on to a healthy backend.
//!
//! The problem: a service consists of several servers. They are slow, they die, they are replaced,
//! and they answer wrongly. Its clients are to see one server that does none of this. The promise:
//!
//! - a request that can be served is served, and one that must not run twice never does
//!   ([`retry`]);
//! - each message that passes is exactly one, and ends at the same place for both sides (`http`
//!   refuses all others);
//! - a response is complete or visibly cut, never falsely complete (`reply`);
//! - nothing waits without limit: each wait has a time-out, each buffer and queue a size
//!   ([`config`]).
//!
//! The vocabulary: a *client* asks, a *backend* answers. A *pool* is a set of backends that answer
//! the same requests; a *route* says which pool that is. A *lease* is one request's hold on a
//! backend. A backend that fails is *ejected* for a while, then *tried*; one whose active checks
//! fail is *down*; one that an operator takes out is *draining*. A *setup* is a configuration in
//! use. A *desk* is the set of buffers for one request.
//!
//! # The life of a request
//!
//! ```text
//!  client                one thread a client                                         backend
//!    | head of the request    handler   complete? valid?      else 408, 400 ...         |
//!    |──────────────────────────>|                                                      |
//!    |                        turn      rate, size, route     else 429, 413, 404        |
//!    |                        pool      whose turn, who is well, or the queue      (503) |
//!    |                        forward   a kept connection, or a new one           (502) |
//!    |                           |─────── head (heads), and a body that is here ───────>|
//!    |·········· a body that is not here yet: upload, on a thread of its own ··········>|
//!    |                           |<────────────────────────────── head of the response ─|
//!    |                        forward   none came: retry? another backend, or 502, 504  |
//!    |<───────── head, and the body part by part: reply ────────────────────────────────|
//!    |                        the connection is kept for the next request, or closed    |
//! ```
//!
//! Without a body, this takes four system calls and no allocation.
//!
//! # Reading order
//!
//! 1. What is wanted: [`config`].
//! 2. The decisions, pure, one file each; time is a `Duration` since a moment that the caller
//!    chose: [`balance`] (which backend gets the next request), [`health`] (which is fit to serve),
//!    [`retry`] (what may be sent again), [`rate`] (which client asks too much), `heads` (what
//!    changes in a header section), [`proxy_protocol`] (who the client is, where its address does
//!    not tell).
//! 3. What they decide about: [`backend`] (one address, its connections, its counts), `pool`.
//! 4. A request: `handler` (a client's connection), `phase` (what a stop means for it), `turn`,
//!    `answer` (by this program itself), `forward`, `upload`, `reply`, `tunnel` (after an upgrade),
//!    `desk`.
//! 5. Beside the requests, on threads of their own: [`checks`] (active health checks), [`resolve`]
//!    (backends by name), [`admin`] (the status page), [`access_log`].
//! 6. The whole: `setup` (a configuration, and its replacement while requests run), `service`
//!    ([`LoadBalancer`]).

pub mod access_log;
pub mod admin;
mod answer;
pub mod backend;
pub mod balance;
pub mod checks;
pub mod config;
mod desk;
mod forward;
mod handler;
mod heads;
pub mod health;
mod phase;
mod pool;
pub mod proxy_protocol;
pub mod rate;
mod reply;
pub mod resolve;
pub mod retry;
mod service;
mod setup;
mod tunnel;
mod turn;
mod upload;

pub use handler::Clients;
pub use pool::{Lease, NoBackend, Pool, Standing};
pub use service::{LoadBalancer, Prepared, StartError, reload};
pub use setup::{Current, Setup};
