//! Results and failures of calls.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use groundwire::net::Conn;
use groundwire::rpc::{
    CallError, Client, ClientConfig, Failure, MethodInfo, RpcHandler, ServerConfig,
};
use groundwire::server::{Config, Server};
use groundwire::telemetry::{Format, Level, Log};
use groundwire::wire::Limits;

use crate::world::*;

fn failure<T: std::fmt::Debug>(result: Result<T, CallError>) -> Failure {
    match result {
        Err(CallError::Failed(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_call_has_its_result_and_a_failure_its_words() {
    let world = world();
    let lab = world.lab();
    assert_eq!(lab.add(2, 3).unwrap(), 5);
    assert_eq!(lab.echo("text").unwrap(), "text");
    assert_eq!(
        lab.add(i64::MAX, 1).unwrap_err().to_string(),
        "the sum is beyond 64 bits"
    );
    assert_eq!(
        failure(lab.refuses("not today")),
        Failure::Refused("not today".into())
    );
}

#[test]
fn unknown_names_and_wrong_arguments_are_told_apart_and_the_connection_lives() {
    let world = world();
    let client = world.client();
    let unknown = client.call::<_, ()>("Lob.Add", &(1_i64, 2_i64));
    assert_eq!(failure(unknown), Failure::UnknownService("Lob".into()));
    // A body of a megabyte is skipped with the rest of its frame.
    let unknown = client.call::<_, ()>("Lab.Sub", &vec![0_u8; 1 << 20]);
    assert_eq!(failure(unknown), Failure::UnknownMethod("Lab.Sub".into()));
    let bad = client.call::<_, i64>("Lab.Add", &("x", true));
    assert!(
        matches!(failure(bad), Failure::BadArgument(why) if why.contains("at byte")),
        "named"
    );
    let bad = client.call::<_, bool>("Lab.Add", &(1_i64, 2_i64));
    assert!(matches!(bad, Err(CallError::BadReply(_))), "{bad:?}");
    assert_eq!(
        client.call::<_, i64>("Lab.Add", &(1_i64, 2_i64)).unwrap(),
        3
    );
}

#[test]
fn a_name_of_any_length_is_no_more_than_unknown() {
    let world = world();
    let client = world.client();
    for name in [String::new(), "x".into(), "x".repeat(255)] {
        assert!(matches!(
            failure(client.call::<_, ()>(&name, &())),
            Failure::UnknownService(_)
        ));
    }
    // These would not fit into a call, and a part of one is the name of something else, or none.
    for name in ["\u{e9}".repeat(200), "x".repeat(256), "x".repeat(10_000)] {
        let unknown = client.call::<_, ()>(&name, &()).unwrap_err();
        let says = format!("no method of {} bytes: a name has at most 255", name.len());
        assert_eq!(unknown.to_string(), says);
        assert_eq!(
            failure::<()>(client.notify(&name, &())),
            failure::<()>(Err(unknown))
        );
    }
    assert_eq!(client.call::<_, i64>("Lab.Add", &(1_i64, 2_i64)), Ok(3));
}

#[test]
fn a_panic_fails_its_own_call_only() {
    let world = world();
    let lab = world.lab();
    for _ in 0..3 {
        assert_eq!(failure(lab.panics()), Failure::Panicked);
        assert_eq!(failure(lab.panics_slowly()), Failure::Panicked);
        assert_eq!(lab.echo("alive").unwrap(), "alive");
    }
}

/// Hands each line of a log to the test.
struct Lines(Sender<String>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(bytes).into_owned();
        self.0.send(line).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_panic_is_logged_with_its_method_and_peer() {
    let (tell, told) = channel();
    let rpc = ServerConfig {
        log: Log::to_writer(Level::Error, Format::Text, Box::new(Lines(tell))),
        ..ServerConfig::default()
    };
    let lab = world_with(rpc, Config::default()).lab();
    assert_eq!(failure(lab.panics_slowly()), Failure::Panicked);
    let line = told.recv_timeout(Duration::from_secs(20)).unwrap();
    let says = "ERROR rpc method panicked method=Lab.PanicsSlowly peer=127.0.0.1:";
    assert!(line.contains(says), "{line}");
}

#[test]
fn a_result_beyond_the_limit_is_too_large_and_a_request_is_not_even_sent() {
    let limits = Limits {
        message: 1000,
        ..Limits::default()
    };
    let world = world_with(
        ServerConfig {
            limits,
            ..ServerConfig::default()
        },
        Config::default(),
    );
    let lab = world.lab();
    assert!(matches!(failure(lab.bytes(2000_u32)), Failure::TooLarge(_)));
    assert_eq!(lab.bytes(900_u32).unwrap().len(), 900);
    // The client has learnt the server's limit.
    let long = lab.echo("x".repeat(2000));
    assert!(matches!(long, Err(CallError::BadArgument(_))), "{long:?}");
    assert_eq!(lab.echo("short").unwrap(), "short");
}

#[test]
fn replies_come_in_any_order_each_to_its_caller() {
    let world = world();
    let client = world.client();
    let first = client.start("Lab.Gate", &("first",), None).unwrap();
    assert_eq!(world.told(), "began first");
    let second = client.start("Lab.Echo", &("second",), None).unwrap();
    let third = client.start("Lab.Add", &(1_i64, 1_i64), None).unwrap();
    assert_eq!(third.wait::<i64>().unwrap(), 2);
    assert_eq!(second.wait::<String>().unwrap(), "second");
    world.open.send(()).unwrap();
    assert_eq!(first.wait::<String>().unwrap(), "first");
}

#[test]
fn many_threads_share_one_client() {
    let world = world();
    let lab = Arc::new(world.lab());
    let threads: Vec<_> = (0..16)
        .map(|thread| {
            let lab = lab.clone();
            thread::spawn(move || {
                for round in 0..200_i64 {
                    assert_eq!(lab.add(thread, round).unwrap(), thread + round);
                    if round % 20 == 0 {
                        let text = format!("{thread}:{round}");
                        assert_eq!(lab.echo(text.as_str()).unwrap(), text);
                    }
                }
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    drop(lab);
    assert_eq!(world.running.stop().unwrap().served, 1);
}

#[test]
fn a_deadline_ends_the_wait_and_the_server_learns_of_it() {
    let world = world();
    let client = world.client();
    let time = Some(Duration::from_millis(50));
    let late = client.call_within::<_, ()>("Lab.UntilCancelled", &(), time);
    // Who notices first is chance: both say the same.
    assert!(
        matches!(late, Err(CallError::DeadlineExceeded))
            || failure(late) == Failure::DeadlineExceeded
    );
    assert_eq!(world.told(), "waits");
    let ended = world.told();
    assert!(
        ended.contains("DeadlineExceeded") || ended.contains("Cancelled"),
        "{ended}"
    );
    assert_eq!(LabClient(client).add(1, 1).unwrap(), 2);
}

#[test]
fn a_call_that_is_dropped_is_taken_back() {
    let world = world();
    let client = world.client();
    let pending = client.start("Lab.UntilCancelled", &(), None).unwrap();
    assert_eq!(world.told(), "waits");
    drop(pending);
    assert_eq!(world.told(), "Err(Cancelled)");
    assert_eq!(LabClient(client).add(1, 1).unwrap(), 2);
}

#[test]
fn a_notification_is_run_and_not_answered() {
    let world = world();
    let client = world.client();
    client.notify("Lab.Count", &()).unwrap();
    client.notify("No.Such", &()).unwrap();
    // The same connection, so it comes behind the notification.
    assert_eq!(client.call::<_, u64>("Lab.Count", &()).unwrap(), 2);
}

#[test]
fn beyond_the_limits_a_call_is_overloaded_and_was_not_run() {
    let rpc = ServerConfig {
        workers: 1,
        queue: 1,
        in_flight: 3,
        ..ServerConfig::default()
    };
    let world = world_with(rpc, Config::default());
    let client = world.client();
    let gate = |name: &str| client.start("Lab.Gate", &(name,), None).unwrap();
    let first = gate("first");
    assert_eq!(world.told(), "began first");
    let second = gate("second");
    let third = gate("third").wait::<String>();
    let failed = failure(third);
    assert!(
        matches!(&failed, Failure::Overloaded(why) if why == "the queue for workers is full (1)"),
        "{failed:?}"
    );
    assert!(failed.not_run());
    // The client knows how many calls the connection takes.
    let fourth = gate("fourth");
    let fifth = client.start("Lab.Gate", &("fifth",), None);
    assert!(
        matches!(fifth, Err(CallError::TooManyCalls { limit: 3 })),
        "{fifth:?}"
    );
    assert!(failure(fourth.wait::<String>()).not_run());
    world.open.send(()).unwrap();
    world.open.send(()).unwrap();
    assert_eq!(first.wait::<String>().unwrap(), "first");
    assert_eq!(second.wait::<String>().unwrap(), "second");
}

#[test]
fn the_server_lists_its_methods_and_counts_their_calls() {
    let world = world();
    let lab = world.lab();
    lab.add(1, 2).unwrap();
    lab.panics().unwrap_err();
    let methods: Vec<MethodInfo> = lab.0.call("Server.Methods", &()).unwrap();
    let add = methods
        .iter()
        .find(|method| method.name == "Lab.Add")
        .unwrap();
    assert!(add.repeatable && !add.slow && !add.stream);
    assert!(methods.iter().any(|method| method.name == "Server.Stats"));
    assert!(methods.is_sorted_by(|a, b| a.name < b.name));
    let stats: Vec<groundwire::rpc::MethodCount> = lab.0.call("Server.Stats", &()).unwrap();
    let of = |name: &str| stats.iter().find(|count| count.name == name).unwrap();
    assert_eq!((of("Lab.Add").calls, of("Lab.Add").failed), (1, 0));
    assert_eq!((of("Lab.Panics").calls, of("Lab.Panics").failed), (1, 1));
}

#[test]
fn a_connection_without_a_network_serves_as_well() {
    let (ours, theirs) = Conn::pair().unwrap();
    let handler = RpcHandler::new(ServerConfig::default(), vec![]);
    let server = Server::new(Config::default(), handler);
    let serving = thread::spawn(move || server.serve_conn(theirs));
    let client = Client::over(ours, ClientConfig::default()).unwrap();
    let methods: Vec<MethodInfo> = client.call("Server.Methods", &()).unwrap();
    assert_eq!(methods.len(), 2);
    drop(client);
    serving.join().unwrap().unwrap();
}
