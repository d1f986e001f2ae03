//! HTTP/1.1 from outside: hostile and ambiguous messages as data (requests.txt, responses.txt). The
//! parsers read them cut at every place and mutated, the load balancer forwards them, and other
//! implementations judge the result.

mod cases;
mod core;
mod feed;
mod fuzz;
#[path = "../wire/generate.rs"]
mod generate;
mod judges;
mod plain;
mod proxied;
mod recording;
#[path = "../support/mod.rs"]
mod support;

use support::seeded;

#[global_allocator]
static ALLOCATOR: groundwire::sys::counting::Counting = groundwire::sys::counting::Counting;
