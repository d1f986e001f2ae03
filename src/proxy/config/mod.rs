//! The configuration of the load balancer: from lines or flags to one typed [`Config`].
//!
//! ```text
//! listen 127.0.0.1:8080                 # the service: words that hold for all of it
//! access-log /var/log/lb.log
//! route / www
//! route /api api
//!
//! pool www                              # a pool: the words that follow are its own,
//! backend http://10.0.0.7:9000          # until the next pool
//! backend http://10.0.0.8:9000 weight=2
//!
//! pool api
//! backend srv:_http._tcp.api.internal
//! balance least-connections
//! include limits.conf                   # as if its lines stood here
//! ```
//!
//! A line is a flag of the program without its hyphens: `--queue 50` is the line `queue 50`, with
//! one meaning, one default and one table ([`OPTIONS`]). Lines of the service and lines of a pool
//! have different words, so a line of the service may be anywhere. Lines of a pool before any
//! `pool` line make the pool `default`; flags always do, because they name no pool. Without a
//! `route`, the only pool answers everything.
//!
//! ```text
//! file ──> words of each line ──┐
//!            include: again     ├──> apply, line by line ──> check the whole ──> Config or Problems
//! flags ──> one line each ──────┘
//! ```
//!
//! Nothing is applied unless all of it is valid. [`Config::parse`] reports every mistake at once,
//! with file and line, and a running program keeps the configuration that it has. `Display` shows
//! the effective configuration, with all defaults, in the same format.
//!
//! In reading order: `service` and `pool` (the fields and their defaults), `lines` (words and
//! quotes), `address`, `routes`, `values` and `settings` (values of each kind), `words` (which word
//! sets which field), `flags` (what the words mean to a user), `read` (line by line), `check` (the
//! whole), `show`, `problem`. All pure. The shell is `load`.
//!
//! To add a setting: 1. a field with its default in `service` or `pool`; 2. its row in `words`; 3.
//! its option in `flags`. Tests say what was forgotten.

mod address;
mod check;
mod flags;
mod lines;
mod load;
mod pool;
mod problem;
mod read;
mod routes;
mod service;
mod settings;
mod show;
mod values;
mod words;

pub use address::{Backend, BackendAddress, Listen, ListenAddress, MAX_WEIGHT};
pub use flags::OPTIONS;
pub use load::{LoadError, load};
pub(super) use pool::Check;
pub use pool::PoolConfig;
pub(super) use problem::lines;
pub use problem::{MAX_PROBLEMS, Place, Problem};
pub use read::{Include, MAX_DEPTH, MAX_FILES};
pub use routes::{HostPattern, Route, Router, Unrouted};
pub use service::{Config, Forwarding, Limits, Timeouts};
pub use values::{ForwardedFor, LogTarget, Pseudonym};
