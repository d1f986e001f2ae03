//! A server that is killed in the middle of a thousand calls: everybody learns of it, and what may
//! not be run twice is not.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use groundwire::net::{self, Network};
use groundwire::rpc::{
    Call, CallError, Client, ClientConfig, Failure, ReconnectConfig, Reconnecting, RpcHandler,
    ServerConfig,
};
use groundwire::server::{Config, Server};

use crate::support::{Folder, eventually};

groundwire::rpc_service! {
    /// Writes down what it is called with.
    pub trait Ledger, client LedgerClient, as "Ledger" {
        /// Not to be run twice.
        fn once(number: u64) -> u64, as "Once";
        /// The same on a worker.
        [slow] fn once_slowly(number: u64) -> u64, as "OnceSlowly";
        /// May be run twice.
        [repeatable] fn again(number: u64) -> u64, as "Again";
    }
}

/// The file that outlives its server.
struct Book(String);

impl Ledger for Book {
    fn once(&self, _: &Call<'_>, number: u64) -> Result<u64, Failure> {
        // In one write, at the end: a kill leaves the line or does not.
        let file = OpenOptions::new().append(true).create(true).open(&self.0);
        let line = format!("{number}\n");
        file.unwrap().write_all(line.as_bytes()).unwrap();
        Ok(number)
    }

    fn once_slowly(&self, call: &Call<'_>, number: u64) -> Result<u64, Failure> {
        self.once(call, number)
    }

    fn again(&self, call: &Call<'_>, number: u64) -> Result<u64, Failure> {
        self.once(call, number)
    }
}

const FOLDER: &str = "GROUNDWIRE_KILLED_SERVER";

/// Not a test of its own: the process that is killed, when it is started as that.
#[test]
fn the_server_that_is_killed() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let socket = format!("{folder}/socket");
    let book = Book(format!("{folder}/book"));
    let handler = RpcHandler::new(ServerConfig::default(), vec![book.into_service()]);
    let config = Config {
        stack_size: groundwire::rpc::STACK_SIZE,
        ..Config::default()
    };
    let listener = net::listen(Network::Unix, &socket).unwrap();
    Server::new(config, handler).run(listener).unwrap();
}

fn start(folder: &Folder) -> Child {
    let mut server = Command::new(std::env::current_exe().unwrap());
    server
        .args(["--exact", "kill::the_server_that_is_killed"])
        .env(FOLDER, &folder.0)
        .stdout(Stdio::null());
    let server = server.spawn().unwrap();
    eventually("the server listens", || {
        net::dial(Network::Unix, &folder.path("socket")).is_ok()
    });
    server
}

/// How often each number was written down.
fn written(folder: &Folder) -> HashMap<u64, usize> {
    let text = fs::read_to_string(folder.path("book")).unwrap_or_default();
    let mut counts = HashMap::new();
    for line in text.lines() {
        *counts.entry(line.parse().unwrap()).or_default() += 1;
    }
    counts
}

#[test]
fn every_caller_of_a_killed_server_learns_of_it_at_once() {
    let folder = Folder::new();
    let mut server = start(&folder);
    let conn = net::dial(Network::Unix, &folder.path("socket")).unwrap();
    let client = Client::over(conn, ClientConfig::default()).unwrap();
    let callers: Vec<_> = (0..16_u64)
        .map(|caller| {
            let ledger = LedgerClient(client.clone());
            thread::spawn(move || {
                for number in caller * 1_000_000.. {
                    match ledger.once_slowly(number) {
                        Ok(same) => assert_eq!(same, number),
                        Err(error) => return error,
                    }
                }
                unreachable!()
            })
        })
        .collect();
    eventually("calls are under way", || written(&folder).len() > 300);
    server.kill().unwrap();
    let killed = Instant::now();
    for caller in callers {
        let error = caller.join().unwrap();
        assert!(matches!(error, CallError::Disconnected { .. }), "{error:?}");
    }
    assert!(killed.elapsed() < Duration::from_secs(10));
    server.wait().unwrap();
}

#[test]
fn no_call_is_run_twice_over_kills_and_restarts_unless_it_may_be() {
    let folder = Folder::new();
    let mut server = start(&folder);
    let config = ReconnectConfig {
        connections: 2,
        tries: 1000,
        first_pause: Duration::from_millis(5),
        longest_pause: Duration::from_millis(50),
        ..ReconnectConfig::default()
    };
    let socket = folder.path("socket");
    let client = Arc::new(Reconnecting::new(Network::Unix, &socket, config));
    let callers: Vec<_> = (0..16_u64)
        .map(|caller| {
            let ledger = LedgerClient(client.clone());
            thread::spawn(move || {
                let numbers = (0..126).map(|n| caller * 1000 + n);
                numbers
                    .map(|number| {
                        let result = match number % 3 {
                            0 => ledger.once(number),
                            1 => ledger.once_slowly(number),
                            _ => ledger.again(number),
                        };
                        (number, result)
                    })
                    .collect::<Vec<_>>()
            })
        })
        .collect();
    for kill in 1..=3 {
        eventually("calls are under way", || {
            written(&folder).len() > kill * 400
        });
        server.kill().unwrap();
        server.wait().unwrap();
        server = start(&folder);
    }
    let results: Vec<_> = callers
        .into_iter()
        .flat_map(|caller| caller.join().unwrap())
        .collect();
    server.kill().unwrap();
    server.wait().unwrap();
    let written = written(&folder);
    let mut failed = 0;
    for (number, result) in results {
        let runs = written.get(&number).copied().unwrap_or(0);
        match result {
            Ok(same) => {
                assert_eq!(same, number);
                let once = number % 3 == 2 || runs == 1;
                assert!(runs >= 1 && once, "{number} was run {runs} times");
            }
            Err(error) => {
                failed += 1;
                assert_ne!(number % 3, 2, "{number} may be repeated: {error}");
                assert!(
                    runs <= usize::from(!error.not_run()),
                    "{number}: {error}, {runs} runs"
                );
            }
        }
    }
    println!("{failed} calls of 2,016 ended with their server");
}
