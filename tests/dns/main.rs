//! Names from outside: the codec, its corner cases and hostile octets, zones and answers, the
//! resolver, the server, other implementations.

mod codec;
mod codec_peers;
mod corner_cases;
mod daemons;
mod fuzz;
mod fuzz_zone;
#[path = "../wire/generate.rs"]
mod generate;
mod hostile;
mod resolver;
mod resolver_names;
mod resolver_peers;
mod samples;
mod scripted;
mod server;
mod server_peers;
mod server_reload;
mod server_tcp;
mod servers;
#[path = "../support/mod.rs"]
mod support;
mod trace;
mod world;
mod zones;

use support::seeded;

#[global_allocator]
static ALLOCATOR: groundwire::sys::counting::Counting = groundwire::sys::counting::Counting;
