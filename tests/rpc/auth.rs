//! The shared secret: who knows it gets in, in both directions.

use std::io::{Read, Write};
use std::net::Shutdown;

use groundwire::rpc::{CallError, Client, ClientConfig, Failure, Secret, ServerConfig};
use groundwire::server::Config;
use groundwire::telemetry::{Format, Level, Log};

use crate::hostile::frame;
use crate::support::{Kept, eventually};
use crate::world::*;

fn knowing(secret: &str) -> ClientConfig {
    ClientConfig {
        secret: Secret::new(secret.as_bytes()),
        ..ClientConfig::default()
    }
}

fn guarded() -> World {
    guarded_by(Config::default())
}

fn guarded_by(config: Config) -> World {
    let secret = Secret::new(b"open sesame, please");
    world_with(
        ServerConfig {
            secret,
            ..ServerConfig::default()
        },
        config,
    )
}

#[test]
fn who_knows_the_secret_gets_in_and_nobody_else() {
    let world = guarded();
    let client = world.client_with(knowing("open sesame, please"));
    assert_eq!(LabClient(client).add(1, 2).unwrap(), 3);
    for config in [knowing("open barley, please"), ClientConfig::default()] {
        let refused = Client::over(world.dial(), config).unwrap_err();
        assert_eq!(refused, CallError::Failed(Failure::Unauthenticated));
    }
}

#[test]
fn a_client_that_knows_a_secret_wants_the_server_to_know_it() {
    let world = world();
    let refused = Client::over(world.dial(), knowing("open sesame, please")).unwrap_err();
    assert!(
        refused
            .to_string()
            .ends_with("the server does not ask for the secret"),
        "{refused}"
    );
}

/// The greeting of a client.
fn hello() -> Vec<u8> {
    let hello = [vec![33, 0, 0, 0, 0, 0, 16, 0, 0], vec![7; 32], vec![0; 8]].concat();
    [&b"gwrpc 1\n"[..], &frame(&hello)].concat()
}

#[test]
fn of_a_client_that_leaves_within_its_proof_the_log_says_no_more_than_that() {
    let kept = Kept::default();
    let world = guarded_by(Config {
        log: Log::to_writer(Level::Warn, Format::Text, Box::new(kept.clone())),
        ..Config::default()
    });
    let mut conn = world.dial();
    conn.write_all(&[hello(), vec![33, 0, 0, 0, 32]].concat())
        .unwrap();
    conn.shutdown(Shutdown::Write).unwrap();
    eventually("it has failed", || !kept.text().is_empty());
    let line = kept.text();
    let why = "the stream ended within a frame, after 5 bytes";
    assert!(line.contains(why), "{line}");
}

#[test]
fn calls_before_the_proof_are_not_run() {
    let world = guarded();
    // The second is longer than a frame of the greeting may be.
    for argument in [4, 5000] {
        let mut conn = world.dial();
        // The greeting, and a call at once.
        let mut bytes = hello();
        let call = [
            &[1][..],
            &[1, 0, 0, 0, 0, 0, 0, 0],
            &[0; 8],
            &[9],
            b"Lab.Count",
            &vec![0; argument],
        ]
        .concat();
        bytes.extend((call.len() as u32).to_le_bytes());
        bytes.extend(&call);
        conn.write_all(&bytes).unwrap();
        let mut said = Vec::new();
        conn.read_to_end(&mut said).unwrap();
        assert!(said.starts_with(b"gwrpc 1\n"));
        // A failure of the connection; its message holds a tag and an empty block.
        let unauthenticated = [&[17][..], &[0; 8], &[0; 4], &[9], &[0; 8]].concat();
        assert!(said.ends_with(&unauthenticated), "{argument}: {said:?}");
    }
    assert_eq!(world.runs.load(std::sync::atomic::Ordering::SeqCst), 0);
}
