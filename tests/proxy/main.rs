//! The load balancer over sockets: what it does when a backend, a client or the machine misbehaves,
//! what it forwards, and what happens beside the requests.

mod aborts;
mod admin;
mod balancer;
mod bodies;
mod checks;
mod client;
mod crowds;
mod faults;
mod fields;
mod life;
mod limits;
mod load;
mod messages;
mod peers;
#[allow(dead_code)]
#[path = "../http/plain.rs"]
mod plain;
mod program;
mod proxied;
mod resolve;
mod retries;
mod scripted;
#[path = "../support/mod.rs"]
mod support;
mod times;
mod tunnels;
mod world;
