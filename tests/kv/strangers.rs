//! What the cluster's client says of a server that does not make sense.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use groundwire::kv::{Client, ClientConfig, Store, StoreError};
use groundwire::net::{self, Network};
use groundwire::raft::Command;
use groundwire::raft::sessions::{Answer, Request};
use groundwire::rpc::{Call, RpcHandler, ServerConfig, Service, Traits};
use groundwire::server::{Config, Server};
use groundwire::wire;

use crate::support::PATIENCE;

/// With a try that may take longer than the call.
#[test]
fn a_server_that_does_not_greet_costs_no_more_than_the_time_of_the_call() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = Client::new(ClientConfig {
        time: Duration::from_secs(1),
        try_time: PATIENCE,
        ..ClientConfig::new(vec![silent.local_addr().unwrap().to_string()])
    });
    let begun = Instant::now();
    assert!(matches!(client.get(b"k"), Err(StoreError::NotDone(_))));
    assert!(begun.elapsed() < PATIENCE / 2);
}

#[test]
fn a_change_whose_reply_cannot_be_read_is_perhaps_done() {
    let propose = |_: &Call<'_>, (request,): (Command,)| {
        // The first byte of the reply says whether it is an answer (0) or a problem (1).
        Ok(match wire::decode(request.bytes()) {
            Ok(Request::Register) => (0_u8, wire::encode(&Answer::Registered(7)).unwrap()),
            _ => (9, Vec::new()),
        })
    };
    let service = Service::new("Kv").method("Propose", Traits::default(), propose);
    let handler = RpcHandler::new(ServerConfig::default(), vec![service]);
    let listener = net::listen(Network::Tcp, "127.0.0.1:0").unwrap();
    let address = listener.local_addr().to_string();
    let running = Server::new(Config::default(), handler).start(listener);
    let running = running.unwrap();
    let put = Client::new(ClientConfig::new(vec![address])).put(b"k", b"v");
    let Err(StoreError::Unknown(why)) = put else {
        panic!("{put:?}");
    };
    assert!(why.contains("the reply cannot be read"), "{why}");
    running.stop().unwrap();
}
