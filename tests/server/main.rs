//! The server over real sockets: modes, limits, failures of handlers, and shutdown.

mod datagrams;
mod failures;
mod limits;
mod modes;
mod report;
mod stop;
#[path = "../support/mod.rs"]
mod support;

use groundwire::echo::{Asked, LineClient, MAX_LINE};
use groundwire::server::Mode;
use support::{PATIENCE, connect};

const MODES: [Mode; 3] = [
    Mode::Serial,
    Mode::Threads,
    Mode::Pool {
        workers: 2,
        queue: 8,
    },
];

fn ask(client: &mut LineClient, line: &[u8]) -> Asked {
    client.ask(line).unwrap()
}

fn client(address: &str) -> LineClient {
    LineClient::new(connect(address), MAX_LINE, PATIENCE)
}
