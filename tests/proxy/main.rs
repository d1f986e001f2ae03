//! The load balancer's parts, over sockets on loopback.

mod admin;
mod checks;
mod resolve;
#[path = "../support/mod.rs"]
mod support;
mod world;
