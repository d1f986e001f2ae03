//! The HTTP/1.1 load balancer: who serves a request, who is trusted to, what happens when they fail.
//!
//! What it is to do is a [`config::Config`]; what it has done stands in the [`access_log`]. The
//! [`proxy_protocol`] says who the client is where an address does not.
//!
//! The decisions are pure, a file each, and know no socket and no clock: time is a `Duration` since
//! a moment that the caller chose.
//!
//! - [`balance`]: which backend gets the next request;
//! - [`health`]: whether a backend is fit to get one;
//! - [`retry`]: whether a request that failed may go to another one;
//! - [`rate`]: whether a client may send a request at all.
//!
//! Beside the requests, on threads of their own: [`checks`] asks backends how they are, [`resolve`]
//! follows those that are known by name, and [`admin`] shows people and programs how all of it is.

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
