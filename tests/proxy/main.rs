//! The load balancer's parts, over sockets on loopback.

mod checks;
#[path = "../support/mod.rs"]
mod support;
mod world;
