//! Calls by name over real sockets: results, failures, deadlines, streams, hostile peers, shutdown.

mod auth;
mod by_hand;
mod calls;
mod crowds;
mod drain;
mod ends;
mod fuzz;
#[path = "../wire/generate.rs"]
mod generate;
mod hostile;
mod kill;
mod liars;
mod limits;
mod reconnect;
mod roles;
mod sending;
mod streams;
mod stress;
#[path = "../support/mod.rs"]
mod support;
mod world;

use support::seeded;
