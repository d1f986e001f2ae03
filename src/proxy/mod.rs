//! The HTTP/1.1 load balancer: requests come in, and go to a backend that is well.
//!
//! The problem: a service is several servers, which are slow, die, are replaced and lie, and its
//! clients are to see one that does none of it. The promise:
//!
//! - who can be served is served, and nothing that may not be done twice is done twice ([`retry`]);
//! - what passes is one message, with the same end for both sides (`http` refuses the rest);
//! - a response is whole or visibly cut, never falsely complete (`reply`);
//! - nothing waits without limit: each wait has a time-out, each buffer and queue a size
//!   ([`config`]).
//!
//! The vocabulary: a *client* asks, a *backend* answers, a *pool* is a set of backends that answer the
//! same requests, a *route* says which pool that is. A *lease* is one request's hold on a backend. A
//! backend that fails is *ejected* for a while, then *tried*; one whose active checks fail is *down*;
//! one that a person takes out is *draining*. A *setup* is a configuration at work, and a *desk* the
//! buffers of one request.
//!
//! # The life of a request
//!
//! ```text
//!  client                one thread a client                                         backend
//!    | head of the request    handler   whole? by the rules?  else 408, 400 ...         |
//!    |──────────────────────────>|                                                      |
//!    |                        turn      rate, size, route     else 429, 413, 404        |
//!    |                        pool      whose turn, who is well, or wait in line  (503) |
//!    |                        forward   a kept connection, or a new one           (502) |
//!    |                           |─────── head (heads), and a body that is here ───────>|
//!    |·········· a body that is still to come: upload, on a thread of its own ·········>|
//!    |                           |<────────────────────────────── head of the response ─|
//!    |                        forward   none came: retry? another backend, or 502, 504  |
//!    |<───────── head, and the body part by part: reply ────────────────────────────────|
//!    |                        the connection is kept for the next request, or closed    |
//! ```
//!
//! On the way without a body that is four system calls, and no allocation.
//!
//! # Reading order
//!
//! 1. What is wanted: [`config`].
//! 2. The decisions, pure, a file each; time is a `Duration` since a moment that the caller chose:
//!    [`balance`] (who gets the next request), [`health`] (who is fit to), [`retry`] (what may be sent
//!    again), [`rate`] (who asks too much), `heads` (what changes in a header section),
//!    [`proxy_protocol`] (who the client is, where an address does not say).
//! 3. What they decide about: [`backend`] (one address, its connections, its counts), `pool`.
//! 4. A request: `handler` (a client's connection), `phase` (what a stop means to it), `turn`,
//!    `forward`, `upload`, `reply`, `tunnel` (after an upgrade), `desk`.
//! 5. Beside the requests, on threads of their own: [`checks`] (active health), [`resolve`] (backends
//!    by name), [`admin`] (the status page), [`access_log`].
//! 6. The whole: `setup` (a configuration replaced under way), `service` ([`LoadBalancer`]).

pub mod access_log;
pub mod admin;
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
pub use service::{LoadBalancer, StartError, reload};
pub use setup::{Current, Setup};
