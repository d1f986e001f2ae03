//! Network programming on nothing but Rust's standard library: sockets that you can read, run and
//! trust. Blocking calls, one thread per connection, no dependency.
//!
//! # The house
//!
//! The crate is a house with floors. A room imports from lower floors only, so a reader who starts
//! at the bottom never needs a later room.
//!
//! | floor | room | holds |
//! |---|---|---|
//! | 3 | [`capture`] | packets: capture files, layers, conversations, a tap without privilege |
//! | 3 | [`netcat`] | standard input and output on a socket, with half-closes; scans, proxies |
//! | 3 | [`proxy`] | the HTTP/1.1 load balancer: backends, balancing, health, forwarding |
//! | 3 | [`kv`] | a replicated key-value store on `raft`, and its client for etcd |
//! | 3 | [`origin`] | an HTTP server for lessons and tests: pages, files, a WebSocket echo |
//! | 2 | [`echo`] | the echo service and its clients, over streams and datagrams |
//! | 2 | [`dns`] | names, records, messages, zones; the resolver and the server |
//! | 2 | [`endpoint`] | named commands with string and struct payloads, and their client |
//! | 2 | [`http`] | HTTP/1.1: header sections, where a body ends, chunks, limits |
//! | 2 | [`raft`] | consensus: a log that many nodes agree on, its storage, its simulation |
//! | 2 | [`rpc`] | calls by name: services, their server and client, deadlines, streams |
//! | 1 | [`server`] | accept loop, threads, limits, access list, drain, metrics page |
//! | 1 | [`wire`](mod@wire) | values as bytes: the format, the macro for your types, frames, limits |
//! | 0 | [`net`] | addresses, interfaces, `Dialer`, `Listener`, `Conn`, ICMP, deadlines, pool |
//! | 0 | [`telemetry`] | log lines, counters, histograms, their text exposition |
//! | 0 | [`cli`] | arguments, usage text, exit status for the programs |
//! | 0 | [`sys`] | every `unsafe` block: hand-declared calls of the C library |
//!
//! `telemetry` and `cli` import no other room; `net` imports `sys`. The programs are in `src/bin/`,
//! one file each: parse, build, run. `docs/` is the book that goes with the code, chapter by
//! chapter.
//!
//! # The shape of the code
//!
//! Protocol logic is pure: bytes or values in, values out; no socket, clock, thread or randomness.
//! A thin shell around it does the blocking calls, each with a limit and a deadline. A test
//! (`tests/house/`) enforces the floors, the place of `unsafe`, and the purity of the pure files.
#![deny(unsafe_code)]

pub mod capture;
pub mod cli;
pub mod dns;
pub mod echo;
pub mod endpoint;
pub mod http;
pub mod kv;
pub mod net;
pub mod netcat;
pub mod origin;
pub mod proxy;
pub mod raft;
pub mod rpc;
pub mod server;
pub mod sys;
pub mod telemetry;
pub mod wire;
