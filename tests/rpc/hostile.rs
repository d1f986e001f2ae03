//! Peers that break the protocol, stall, or flood.
//!
//! The hostile inputs of the protocol, and the test for each (those of the format itself are
//! listed in `tests/wire/hostile.rs`):
//!
//! | input | test |
//! |---|---|
//! | 1 a frame that claims 4 GiB | `a_frame_that_claims_too_much_is_refused_with_a_reason` |
//! | 21 a slow sender | `a_peer_that_sends_a_frame_slowly_is_ended_by_the_frames_deadline`, `crowds::a_thousand_slow_senders_do_not_keep_a_good_client_waiting` |
//! | 22 a peer that stops reading | `a_peer_that_does_not_read_its_replies_is_ended`, `sending::what_others_leave_with_the_one_that_writes_is_bounded` |
//! | 23 a reply to nobody, a repeated one, an id in use | `liars::replies_to_nobody_and_second_replies_are_ignored`, `two_calls_under_way_with_one_id_break_the_protocol` |
//! | 24 an unknown method with a huge body | `calls::unknown_names_and_wrong_arguments_are_told_apart_and_the_connection_lives` |
//! | 25 a million calls at once | `crowds::a_million_calls_in_a_row_stay_within_bounds`, `calls_beyond_the_connections_limit_are_refused_each_with_a_reply` |
//! | 26 a flood of names | `crowds::a_flood_of_names_leaves_nothing_behind` |
//! | 27 a method that panics | `calls::a_panic_fails_its_own_call_only`, `limits::a_panic_that_carries_another_one_fails_its_own_call_only` |
//! | 28 another protocol or version | `garbage_instead_of_a_greeting_ends_within_the_first_read`, `ends::peers_of_other_protocols_are_told_apart_in_both_directions` |

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use groundwire::net::{Conn, Deadline};
use groundwire::rpc::{CallError, Failure, ServerConfig};
use groundwire::server::Config;
use groundwire::wire::{FrameBuffer, Limits};

use crate::support::eventually;
use crate::world::*;

pub fn frame(content: &[u8]) -> Vec<u8> {
    [&(content.len() as u32).to_le_bytes()[..], content].concat()
}

pub fn call(id: u64, name: &str, argument: &[u8]) -> Vec<u8> {
    let parts = [
        &[1][..],
        &id.to_le_bytes(),
        &[0; 8],
        &[name.len() as u8],
        name.as_bytes(),
        argument,
    ];
    frame(&parts.concat())
}

/// A connection that has greeted.
pub fn greeted(world: &World) -> Conn {
    let mut conn = world.dial();
    conn.set_deadline(Deadline::after(Duration::from_secs(20)));
    let hello = [vec![33, 0, 0, 0, 0, 0, 0, 16, 0], vec![7; 32], vec![0; 8]].concat();
    conn.write_all(b"gwrpc 1\n").unwrap();
    conn.write_all(&frame(&hello)).unwrap();
    let mut magic = [0; 8];
    conn.read_exact(&mut magic).unwrap();
    let mut len = [0; 4];
    conn.read_exact(&mut len).unwrap();
    conn.read_exact(&mut vec![0; u32::from_le_bytes(len) as usize])
        .unwrap();
    conn
}

/// All frames until the end of the stream.
fn rest(conn: &mut Conn) -> Vec<Vec<u8>> {
    let (mut bytes, mut chunk) = (FrameBuffer::new(8 << 20), [0; 4096]);
    loop {
        match conn.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => bytes.push(&chunk[..count]),
            // Our own patience is no end of the stream; a reset is one.
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => panic!("it goes on"),
            Err(_) => break,
        }
    }
    let mut frames = Vec::new();
    while let Ok(Some(frame)) = bytes.next_frame() {
        frames.push(frame.to_vec());
    }
    frames
}

pub fn still_serves(world: &World) {
    assert_eq!(world.lab().add(20, 22).unwrap(), 42);
}

#[test]
fn what_is_no_message_ends_its_connection_only() {
    let world = world();
    let add = [&[0; 4][..], &1_i64.to_le_bytes(), &2_i64.to_le_bytes()].concat();
    for bad in [
        frame(&[]),
        frame(&[99]),
        frame(&[1, 2, 3]),
        frame(&[16, 1, 0, 0, 0, 0, 0, 0, 0]),
        frame(&[
            1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0xff, 0xff,
        ]),
        frame(&[3, 1]),
        call(0, "Lab.Add", &add),
    ] {
        let mut conn = greeted(&world);
        let good = call(7, "Lab.Add", &add);
        conn.write_all(&[&good[..], &bad].concat()).unwrap();
        // What was asked before is answered; then it is told why the connection ends.
        let frames = rest(&mut conn);
        let begin: Vec<&[u8]> = frames.iter().map(|frame| &frame[..2]).collect();
        assert_eq!(begin, [&[16, 7], &[17, 0]], "{bad:?}");
    }
    still_serves(&world);
}

#[test]
fn a_frame_that_claims_too_much_is_refused_with_a_reason() {
    let world = world();
    let mut conn = greeted(&world);
    conn.write_all(&[0xff, 0xff, 0xff, 0xff, 1]).unwrap();
    let frames = rest(&mut conn);
    assert_eq!(frames.len(), 1);
    let text = String::from_utf8_lossy(&frames[0]).into_owned();
    assert!(
        text.ends_with("frame of 4294967295 bytes, the limit is 4194577"),
        "{text}"
    );
    still_serves(&world);
}

#[test]
fn an_argument_that_is_no_value_fails_its_call_and_not_the_connection() {
    let world = world();
    let mut conn = greeted(&world);
    // A depth bomb, a claim of 2^32 elements, nothing at all.
    let bombs: [&[u8]; 3] = [&[1; 5000], &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], &[]];
    for (id, bomb) in bombs.into_iter().enumerate() {
        conn.write_all(&call(id as u64 + 1, "Lab.Add", bomb))
            .unwrap();
    }
    let argument = [&[0; 4][..], &1_i64.to_le_bytes(), &2_i64.to_le_bytes()].concat();
    conn.write_all(&call(9, "Lab.Add", &argument)).unwrap();
    conn.shutdown(std::net::Shutdown::Write).unwrap();
    let frames = rest(&mut conn);
    let kinds: Vec<u8> = frames.iter().map(|frame| frame[0]).collect();
    assert_eq!(kinds, [17, 17, 17, 16]);
}

#[test]
fn two_calls_under_way_with_one_id_break_the_protocol() {
    let world = world();
    let add = [&[0; 4][..], &[0; 16]].concat();
    // Whoever runs the second one: a worker, the reader, or nobody.
    for (name, argument) in [
        ("Lab.UntilCancelled", &[0; 4][..]),
        ("Lab.Add", &add),
        ("Lab.Nothing", &[0; 4]),
    ] {
        let mut conn = greeted(&world);
        conn.write_all(&call(5, "Lab.UntilCancelled", &[0; 4]))
            .unwrap();
        assert_eq!(world.told(), "waits");
        conn.write_all(&call(6, "Lab.Add", &add)).unwrap();
        conn.write_all(&call(5, name, argument)).unwrap();
        // The connection ends, and the first call with it.
        assert_eq!(world.told(), "Err(Cancelled)");
        let frames = rest(&mut conn);
        assert_eq!(frames[0][..2], [16, 6], "{name}: another id is served");
        assert_eq!(frames[1][..2], [17, 0], "{name}");
        let why = String::from_utf8_lossy(&frames[1]);
        assert!(why.ends_with("two calls under way have the same id"));
    }
    still_serves(&world);
}

#[test]
fn an_id_is_free_again_when_its_call_is_answered() {
    let world = world();
    let mut conn = greeted(&world);
    let text = [&[1, 0, 0, 0][..], &1_u32.to_le_bytes(), b"x"].concat();
    let add = [&[0; 4][..], &[0; 16]].concat();
    for (name, argument) in [
        ("Lab.Echo", &text),
        ("Lab.Add", &add),
        ("Lab.Add", &add),
        ("Lab.Echo", &text),
    ] {
        conn.write_all(&call(5, name, argument)).unwrap();
        let mut head = [0; 4];
        conn.read_exact(&mut head).unwrap();
        let mut reply = vec![0; u32::from_le_bytes(head) as usize];
        conn.read_exact(&mut reply).unwrap();
        assert_eq!(reply[..2], [16, 5], "{name}");
    }
}

#[test]
fn cancels_and_requests_for_calls_that_are_not_there_are_ignored() {
    let world = world();
    let mut conn = greeted(&world);
    for id in [0_u64, 1, u64::MAX] {
        conn.write_all(&frame(&[&[3][..], &id.to_le_bytes()].concat()))
            .unwrap();
        conn.write_all(&frame(&[&[4][..], &id.to_le_bytes(), &[0xff; 4]].concat()))
            .unwrap();
    }
    conn.write_all(&frame(&[&[5][..], &7_u64.to_le_bytes()].concat()))
        .unwrap();
    conn.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(
        rest(&mut conn),
        [[&[19][..], &7_u64.to_le_bytes()].concat()]
    );
}

#[test]
fn a_cut_frame_and_a_vanished_peer_end_their_connection_and_its_calls() {
    let world = world();
    let mut conn = greeted(&world);
    conn.write_all(&call(1, "Lab.UntilCancelled", &[0; 4]))
        .unwrap();
    assert_eq!(world.told(), "waits");
    conn.write_all(&[50, 0, 0, 0, 1, 2, 3]).unwrap();
    drop(conn);
    assert_eq!(world.told(), "Err(Cancelled)");
    still_serves(&world);
}

#[test]
fn a_stop_in_the_middle_of_a_frame_lets_running_calls_finish() {
    let world = world();
    let mut conn = greeted(&world);
    let gate = |id| call(id, "Lab.Gate", &[1, 0, 0, 0, 1, 0, 0, 0, b'g']);
    let sent = [&gate(1)[..], &gate(2)[..20]].concat();
    conn.write_all(&sent).unwrap();
    assert_eq!(world.told(), "began g");
    world.running.stopper().stop();
    world.open.send(()).unwrap();
    let frames = rest(&mut conn);
    let begins = |kind, id| {
        let found = |frame: &Vec<u8>| frame.starts_with(&[kind, id, 0]);
        frames.iter().any(found)
    };
    assert!(begins(16, 1), "the reply is missing: {frames:?}");
    assert!(begins(20, 1), "call 2 was not read: {frames:?}");
    assert_eq!(frames.len(), 2);
}

#[test]
fn a_peer_that_sends_a_frame_slowly_is_ended_by_the_frames_deadline() {
    let rpc = ServerConfig {
        frame_timeout: Duration::from_secs(1),
        ..ServerConfig::default()
    };
    let world = world_with(rpc, Config::default());
    let mut conn = greeted(&world);
    // A byte now and then: the deadline is the whole frame's, so it ends all the same. It is long
    // beside the pauses, or a busy machine's pause would end the frame whatever the deadline is.
    let frame = call(1, "Lab.Add", &[0; 1000]);
    let mut sent = 0;
    for byte in &frame {
        conn.set_read_deadline(Deadline::after(Duration::from_millis(10)));
        match conn.read(&mut [0]) {
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {}
            _ => break,
        }
        if conn.write_all(&[*byte]).is_err() {
            break;
        }
        sent += 1;
    }
    assert!(sent < frame.len(), "all {sent} bytes were taken");
    still_serves(&world);
}

#[test]
fn a_peer_that_does_not_read_its_replies_is_ended() {
    let rpc = ServerConfig {
        write_timeout: Duration::from_millis(200),
        ..ServerConfig::default()
    };
    let world = world_with(rpc, Config::default());
    let mut conn = greeted(&world);
    let argument = [&[0; 4][..], &(1_u32 << 19).to_le_bytes()].concat();
    let calls = call(1, "Lab.Bytes", &argument).repeat(64);
    // 32 MiB are asked for and not read. The server gives up, so that writing fails some time.
    conn.set_deadline(Deadline::after(Duration::from_secs(20)));
    let error = loop {
        if let Err(error) = conn.write_all(&calls) {
            break error;
        }
    };
    assert_ne!(error.kind(), std::io::ErrorKind::TimedOut, "{error}");
    still_serves(&world);
}

#[test]
fn calls_beyond_the_connections_limit_are_refused_each_with_a_reply() {
    let limits = Limits::default();
    let rpc = ServerConfig {
        in_flight: 4,
        limits,
        ..ServerConfig::default()
    };
    let world = world_with(rpc, Config::default());
    let mut conn = greeted(&world);
    let calls: Vec<u8> = (1..=100)
        .flat_map(|id| call(id, "Lab.Gate", &[1, 0, 0, 0, 1, 0, 0, 0, b'g']))
        .collect();
    conn.write_all(&calls).unwrap();
    for _ in 0..4 {
        assert_eq!(world.told(), "began g");
    }
    let mut frames = FrameBuffer::new(1 << 20);
    let (mut refused, mut answered) = (0, 0);
    let mut chunk = [0; 4096];
    while refused + answered < 100 {
        let count = conn.read(&mut chunk).unwrap();
        assert!(count > 0, "{refused} refused, {answered} answered");
        frames.push(&chunk[..count]);
        while let Some(frame) = frames.next_frame().unwrap() {
            match frame[0] {
                16 => answered += 1,
                17 => refused += 1,
                kind => panic!("{kind}"),
            }
            if frame[0] == 17 && refused == 96 {
                // Not earlier, or a call would take the place of one that has ended.
                (0..4).for_each(|_| world.open.send(()).unwrap());
            }
        }
    }
    assert_eq!((refused, answered), (96, 4));
}

#[test]
fn garbage_instead_of_a_greeting_ends_within_the_first_read() {
    let world = world();
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01"[..],
        b"\0",
        b"gwrpc 2\n",
        b"gwrpc 1\r",
    ] {
        let mut conn = world.dial();
        conn.set_deadline(Deadline::after(Duration::from_secs(20)));
        conn.write_all(garbage).unwrap();
        let mut said = String::new();
        let _ = conn.read_to_string(&mut said);
        assert!(
            said.starts_with("this is an RPC server (gwrpc 1); "),
            "{said:?}"
        );
    }
    still_serves(&world);
}

#[test]
fn a_stranger_gets_no_more_memory_than_a_greeting_takes() {
    let world = world();
    let mut conn = world.dial();
    conn.set_deadline(Deadline::after(Duration::from_secs(20)));
    // A hello of a megabyte is within the limit of messages, and refused by its header.
    conn.write_all(b"gwrpc 1\n").unwrap();
    conn.write_all(&(1_u32 << 20).to_le_bytes()).unwrap();
    let said = why_no_greeting(&mut conn);
    assert_eq!(said, "frame of 1048576 bytes, the limit is 4096");
    still_serves(&world);
}

/// What a failure of the connection says instead of a welcome.
fn why_no_greeting(conn: &mut Conn) -> String {
    let mut magic = [0; 8];
    conn.read_exact(&mut magic).unwrap();
    assert_eq!(&magic, b"gwrpc 1\n");
    let frames = rest(conn);
    assert_eq!(frames.len(), 1, "{frames:?}");
    // The kind, the id 0, the message.
    assert_eq!(frames[0][..9], [17, 0, 0, 0, 0, 0, 0, 0, 0]);
    match groundwire::wire::decode(&frames[0][9..]).unwrap() {
        Failure::Refused(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_greeting_that_is_none_is_refused_with_a_reason() {
    let world = world();
    let cut = [&[33][..], &[0; 4]].concat();
    for (first, why) in [
        (call(1, "Lab.Add", &[]), "the first frame is no hello"),
        (frame(&[]), "a frame that ends within its fields"),
        (
            frame(&cut),
            "u32 at byte 4: the message is cut: 4 bytes needed, 0 left",
        ),
    ] {
        let mut conn = world.dial();
        conn.set_deadline(Deadline::after(Duration::from_secs(20)));
        conn.write_all(&[&b"gwrpc 1\n"[..], &first].concat())
            .unwrap();
        assert_eq!(why_no_greeting(&mut conn), why);
    }
    still_serves(&world);
}

#[test]
fn arguments_that_wait_for_workers_are_bounded_in_bytes() {
    let rpc = ServerConfig {
        queue_bytes: 10_000,
        ..ServerConfig::default()
    };
    let world = world_with(rpc, Config::default());
    let lab = world.lab();
    assert_eq!(lab.echo("x".repeat(9_000)).unwrap().len(), 9_000);
    let error = lab.echo("x".repeat(11_000)).unwrap_err();
    assert!(error.not_run());
    let told = "the server is overloaded: arguments of 10000 bytes wait for a worker";
    assert_eq!(error.to_string(), told);
    assert_eq!(
        lab.echo("x".repeat(9_000)).unwrap().len(),
        9_000,
        "given back"
    );
}

/// One worker, and so many places in its queue.
fn with_one_worker(queue: usize) -> World {
    let rpc = ServerConfig {
        workers: 1,
        queue,
        ..ServerConfig::default()
    };
    world_with(rpc, Config::default())
}

#[test]
fn a_call_that_was_taken_back_before_its_turn_is_not_run() {
    let world = with_one_worker(10);
    let client = world.client();
    let first = client.start("Lab.Gate", &("first",), None).unwrap();
    assert_eq!(world.told(), "began first");
    drop(client.start("Lab.Gate", &("taken back",), None).unwrap());
    let last = client.start("Lab.Gate", &("last",), None).unwrap();
    // Behind the others on this connection, so the server knows of all of them.
    assert_eq!(LabClient(client).add(1, 2).unwrap(), 3);
    (0..3).for_each(|_| world.open.send(()).unwrap());
    assert_eq!(first.wait::<String>().unwrap(), "first");
    assert_eq!(world.told(), "began last");
    assert_eq!(last.wait::<String>().unwrap(), "last");
}

#[test]
fn who_leaves_gives_up_his_place_in_the_queue() {
    let world = with_one_worker(1);
    let first = world.client();
    let first = first.start("Lab.Gate", &("first",), None).unwrap();
    assert_eq!(world.told(), "began first");
    let second = world.client();
    let waits = second.start("Lab.Echo", &("waits",), None).unwrap();
    LabClient(&second).add(1, 2).unwrap(); // so the server knows of it
    let is_full = || {
        let time = Some(Duration::from_millis(50));
        let called = world.client().call_within("Lab.Echo", &("late",), time);
        let failed: CallError = called.map(|_: String| ()).unwrap_err();
        matches!(failed, CallError::Failed(Failure::Overloaded(_)))
    };
    assert!(is_full());
    drop((waits, second));
    eventually("its place is free", || !is_full());
    world.open.send(()).unwrap();
    assert_eq!(first.wait::<String>().unwrap(), "first");
}

#[test]
fn a_call_that_is_taken_back_gives_up_its_place_in_the_queue() {
    let world = with_one_worker(1);
    let client = world.client();
    let first = client.start("Lab.Gate", &("first",), None).unwrap();
    assert_eq!(world.told(), "began first");
    for _ in 0..3 {
        drop(client.start("Lab.Gate", &("taken back",), None).unwrap());
    }
    let last = client.start("Lab.Gate", &("last",), None).unwrap();
    (0..2).for_each(|_| world.open.send(()).unwrap());
    assert_eq!(first.wait::<String>().unwrap(), "first");
    assert_eq!(last.wait::<String>().unwrap(), "last");
    assert_eq!(world.told(), "began last");
}

#[test]
fn a_call_whose_time_is_over_before_its_turn_is_not_run() {
    let world = with_one_worker(10);
    let client = world.client();
    let first = client.start("Lab.Gate", &("first",), None).unwrap();
    assert_eq!(world.told(), "began first");
    // Nobody waits for it here, so nobody takes it back.
    let moment = Duration::from_millis(1);
    let late = client.start("Lab.Gate", &("late",), Some(moment));
    let last = client.start("Lab.Gate", &("last",), None).unwrap();
    // The server knows of it once it has answered this, so its time is over a moment later.
    let lab = LabClient(client);
    lab.add(1, 2).unwrap();
    let known = Instant::now();
    while known.elapsed() <= moment {
        lab.add(1, 2).unwrap();
    }
    (0..3).for_each(|_| world.open.send(()).unwrap());
    assert_eq!(first.wait::<String>().unwrap(), "first");
    assert_eq!(world.told(), "began last");
    assert_eq!(last.wait::<String>().unwrap(), "last");
    assert!(late.and_then(|late| late.wait::<String>()).is_err());
}
