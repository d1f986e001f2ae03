//! What the two sides agree to, at its borders; and ends that come at a bad moment.

use std::io::Write;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use groundwire::net::{Conn, Deadline};
use groundwire::rpc::{
    CallError, Client, ClientConfig, Failure, RpcHandler, ServerConfig, Service, Traits,
};
use groundwire::server::{Config, Server};
use groundwire::telemetry::{Format, Level, Log};
use groundwire::wire::{Encode, Limits, Writer};

use crate::hostile::{call, greeted};
use crate::support::{Kept, eventually, eventually_blocked};
use crate::world::*;

fn refused<T: std::fmt::Debug>(result: Result<T, CallError>) -> Failure {
    match result {
        Err(CallError::Failed(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

/// Lets time pass.
fn pass(time: Duration) {
    let (_keep, never) = channel::<()>();
    never.recv_timeout(time).unwrap_err();
}

#[test]
fn an_answer_beyond_what_the_client_takes_fails_its_call_and_not_the_connection() {
    let world = world();
    let limits = Limits {
        message: 1000,
        ..Limits::default()
    };
    let lab = LabClient(world.client_with(ClientConfig {
        limits,
        ..ClientConfig::default()
    }));
    assert!(matches!(refused(lab.bytes(2000_u32)), Failure::TooLarge(_)));
    assert_eq!(lab.bytes(900_u32).unwrap().len(), 900);
}

#[test]
fn a_failure_is_told_even_where_no_message_fits() {
    let limits = Limits {
        message: 4,
        ..Limits::default()
    };
    let rpc = ServerConfig {
        limits,
        ..ServerConfig::default()
    };
    let world = world_with(rpc, Config::default());
    let client = world.client();
    let none = refused(client.call::<_, ()>("Lab.Nothing", &()));
    assert_eq!(none, Failure::UnknownMethod(String::new()));
}

#[test]
fn a_window_of_nothing_is_one_and_no_place_for_calls_is_an_overload() {
    let rpc = ServerConfig {
        window: 0,
        ..ServerConfig::default()
    };
    let world = world_with(rpc, Config::default());
    let numbers: Result<Vec<u64>, _> = world.lab().numbers(20_u64).unwrap().collect();
    assert!(numbers.unwrap().into_iter().eq(0..20));
    let rpc = ServerConfig {
        in_flight: 0,
        ..ServerConfig::default()
    };
    let world = world_with(rpc, Config::default());
    let lab = world.lab();
    assert!(matches!(refused(lab.echo("slow")), Failure::Overloaded(_)));
    assert_eq!(lab.add(1, 2).unwrap(), 3);
}

#[test]
fn a_stream_that_nobody_can_take_is_not_begun() {
    let world = world();
    let client = world.client();
    client.notify("Lab.Numbers", &(100_u64,)).unwrap();
    assert_eq!(LabClient(client).echo("behind it").unwrap(), "behind it");
    eventually("it has failed", || {
        let stats: Vec<groundwire::rpc::MethodCount> =
            world.client().call("Server.Stats", &()).unwrap();
        stats
            .iter()
            .any(|of| of.name == "Lab.Numbers" && of.failed == 1)
    });
    assert!(world.events.try_recv().is_err(), "an item was sent");
}

#[test]
fn a_silent_client_that_waits_for_an_answer_is_not_idle() {
    let rpc = ServerConfig {
        idle_timeout: Some(Duration::from_millis(50)),
        ..ServerConfig::default()
    };
    let world = world_with(rpc, Config::default());
    let client = world.client();
    let pending = client.start("Lab.Gate", &("g",), None).unwrap();
    assert_eq!(world.told(), "began g");
    pass(Duration::from_millis(300));
    world.open.send(()).unwrap();
    assert_eq!(pending.wait::<String>().unwrap(), "g");
}

#[test]
fn the_log_says_which_time_out_it_was() {
    // The one in question is short, the others are not, for a busy machine has pauses of its own.
    let short = Duration::from_secs(1);
    let idle = |rpc: &mut ServerConfig| rpc.idle_timeout = Some(short);
    let frame = |rpc: &mut ServerConfig| rpc.frame_timeout = short;
    let write = |rpc: &mut ServerConfig| rpc.write_timeout = short;
    let flood = |name: &str, argument: &[u8]| {
        let mut calls = Vec::new();
        (1..=64).for_each(|id| calls.extend(call(id, name, argument)));
        calls
    };
    let half_a_mebibyte = [&[0; 4][..], &(1_u32 << 19).to_le_bytes()].concat();
    let text = [&[0, 0, 4, 0, 0, 0, 4, 0][..], &[b'x'; 1 << 18]].concat();
    let many_answers = flood("Lab.Bytes", &half_a_mebibyte);
    let many_echoes = flood("Lab.Echo", &text);
    type Change<'a> = &'a (dyn Fn(&mut ServerConfig) + Sync);
    let cases: [(Change<'_>, bool, &[u8], &str); 6] = [
        (&frame, false, b"gwrpc", "no whole greeting within 1s"),
        (
            &frame,
            false,
            b"gwrpc 1\n\x01\0",
            "no whole greeting within 1s",
        ),
        (&idle, true, &[], "no message within 1s"),
        (&frame, true, &[100, 0, 0], "no whole message within 1s"),
        // Whoever writes: the reader, or a worker.
        (&write, true, &many_answers, "answers not taken within 1s"),
        (&write, true, &many_echoes, "answers not taken within 1s"),
    ];
    thread::scope(|scope| {
        for (change, greets, says, cause) in cases {
            scope.spawn(move || {
                let line = warning_of(change, greets, says);
                assert!(line.contains(&format!("timed out: {cause}")), "{line}");
            });
        }
    });
}

/// What a server logs of a connection that says this and then nothing.
fn warning_of(change: &dyn Fn(&mut ServerConfig), greets: bool, says: &[u8]) -> String {
    let kept = Kept::default();
    let mut rpc = ServerConfig::default();
    change(&mut rpc);
    let config = Config {
        log: Log::to_writer(Level::Warn, Format::Text, Box::new(kept.clone())),
        ..Config::default()
    };
    let world = world_with(rpc, config);
    let mut conn = if greets {
        greeted(&world)
    } else {
        world.dial()
    };
    let _ = conn.write_all(says);
    eventually("it has failed", || !kept.text().is_empty());
    kept.text()
}

#[test]
fn a_stop_within_a_frame_lets_running_calls_finish_all_the_same() {
    let world = world();
    let conn = world.dial();
    let client = Client::over(conn.clone(), ClientConfig::default()).unwrap();
    let pending = client.start("Lab.Gate", &("g",), None).unwrap();
    assert_eq!(world.told(), "began g");
    // The first bytes of a frame whose rest does not come. The connection has the deadline of the
    // client's own last write still.
    conn.set_write_deadline(Deadline::after(Duration::from_secs(10)));
    (&conn).write_all(&[100, 0, 0, 0, 1]).unwrap();
    assert!(conn.wait_acknowledged(Deadline::after(Duration::from_secs(10))));
    world.running.stopper().stop();
    world.open.send(()).unwrap();
    assert_eq!(pending.wait::<String>().unwrap(), "g");
}

/// Panics when it is dropped.
struct Evil;

impl Drop for Evil {
    fn drop(&mut self) {
        panic!("again, while the panic is put away");
    }
}

#[test]
fn a_panic_that_carries_another_one_fails_its_own_call_only() {
    let evil = || -> Result<(), Failure> { std::panic::panic_any(Evil) };
    let slow = Traits {
        slow: true,
        ..Traits::default()
    };
    let service = Service::new("Evil")
        .method("Quick", Traits::default(), move |_, ()| evil())
        .method("Slow", slow, move |_, ()| evil())
        .method("Fine", slow, |_, ()| Ok(7_u8));
    let rpc = ServerConfig {
        workers: 1,
        ..ServerConfig::default()
    };
    let (ours, theirs) = Conn::pair().unwrap();
    let server = Server::new(Config::default(), RpcHandler::new(rpc, vec![service]));
    let serving = thread::spawn(move || server.serve_conn(theirs));
    let client = Client::over(ours, ClientConfig::default()).unwrap();
    for _ in 0..3 {
        assert_eq!(
            refused(client.call::<_, ()>("Evil.Quick", &())),
            Failure::Panicked
        );
        let time = Some(Duration::from_secs(5));
        let slow = client.call_within::<_, ()>("Evil.Slow", &(), time);
        assert_eq!(refused(slow), Failure::Panicked);
        assert_eq!(client.call::<_, u8>("Evil.Fine", &()).unwrap(), 7);
    }
    drop(client);
    serving.join().unwrap().unwrap();
}

/// A result that is written, and then panics.
struct Falls;

impl Encode for Falls {
    fn encode(&self, writer: &mut Writer) {
        7_u8.encode(writer);
    }
}

impl Drop for Falls {
    fn drop(&mut self) {
        panic!("behind the reply");
    }
}

#[test]
fn a_panic_behind_the_reply_takes_the_reply_back() {
    let service = Service::new("Falls").method("Late", Traits::default(), |_, ()| Ok(Falls));
    let (ours, theirs) = Conn::pair().unwrap();
    let server = Server::new(
        Config::default(),
        RpcHandler::new(ServerConfig::default(), vec![service]),
    );
    let serving = thread::spawn(move || server.serve_conn(theirs));
    let client = Client::over(ours, ClientConfig::default()).unwrap();
    assert_eq!(
        refused(client.call::<_, u8>("Falls.Late", &())),
        Failure::Panicked
    );
    drop(client);
    serving.join().unwrap().unwrap();
}

#[test]
fn workers_end_with_their_handler() {
    let Some(_) = crate::support::in_own_process("limits::workers_end_with_their_handler", &[])
    else {
        let world = world();
        let lab = world.lab();
        assert_eq!(lab.echo("x").unwrap(), "x");
        eventually_blocked("worker", 1);
        drop(lab);
        world.running.stop().unwrap();
        eventually_blocked("worker", 0);
        return;
    };
}

#[test]
fn calls_that_were_refused_for_want_of_room_are_counted() {
    let no_place = ServerConfig {
        in_flight: 0,
        ..ServerConfig::default()
    };
    let no_queue = ServerConfig {
        workers: 1,
        queue: 0,
        ..ServerConfig::default()
    };
    let no_bytes = ServerConfig {
        queue_bytes: 0,
        ..ServerConfig::default()
    };
    for rpc in [no_place, no_queue, no_bytes] {
        let is_busy = rpc.queue == 0;
        let world = world_with(rpc, Config::default());
        let client = world.client();
        let busy = is_busy.then(|| client.start("Lab.Gate", &("g",), None).unwrap());
        if is_busy {
            assert_eq!(world.told(), "began g");
        }
        let lab = LabClient(client.clone());
        assert!(matches!(refused(lab.echo("x")), Failure::Overloaded(_)));
        let stats: Vec<groundwire::rpc::MethodCount> = client.call("Server.Stats", &()).unwrap();
        let echo = stats.iter().find(|of| of.name == "Lab.Echo").unwrap();
        assert_eq!((echo.calls, echo.refused), (0, Some(1)));
        world.open.send(()).unwrap();
        drop(busy);
    }
}
