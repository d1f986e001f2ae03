//! Many of them: connections, calls, names. What they cost is bounded, and others are served.

use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

use groundwire::net::{Conn, Deadline};
use groundwire::rpc::ServerConfig;
use groundwire::server::Config;
use groundwire::sys::process::set_descriptor_limit;

use crate::hostile::{call, greeted, still_serves};
use crate::support::in_own_process;
use crate::world::*;

/// The most memory that this process ever had, in KiB (`proc_pid_status(5)`).
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let digits = line.unwrap().split_whitespace().nth(1).unwrap();
    digits.parse().unwrap()
}

#[test]
fn a_thousand_slow_senders_do_not_keep_a_good_client_waiting() {
    let test = "crowds::a_thousand_slow_senders_do_not_keep_a_good_client_waiting";
    if in_own_process(test, &[]).is_some() {
        return;
    }
    if set_descriptor_limit(4096).unwrap() < 2200 {
        return println!("skipped: no 2,200 descriptors");
    }
    let rpc = ServerConfig {
        frame_timeout: Duration::from_secs(30),
        ..ServerConfig::default()
    };
    let world = world_with(rpc, Config::default());
    // Half of them within the greeting, half within a frame.
    let mut slow: Vec<Conn> = (0..500).map(|_| world.dial()).collect();
    slow.extend((0..500).map(|_| greeted(&world)));
    let lab = world.lab();
    let frame = call(1, "Lab.Add", &[0; 1000]);
    for at in 0..5 {
        let (greeting, greeted) = slow.split_at_mut(500);
        for (greeting, greeted) in greeting.iter_mut().zip(greeted) {
            greeting.write_all(&b"gwrpc 1\n"[at..=at]).unwrap();
            greeted.write_all(&frame[at..=at]).unwrap();
        }
        for round in 0..20 {
            assert_eq!(lab.add(round, at as i64).unwrap(), round + at as i64);
        }
    }
    still_serves(&world);
}

/// Sends the same bytes again and again, and reads what comes; returns how many bytes came.
fn pipelined(conn: &mut Conn, batch: &[u8], times: usize) -> u64 {
    conn.set_deadline(Deadline::after(Duration::from_secs(120)));
    let (writing, batch) = (conn.clone(), batch.to_vec());
    let writer = thread::spawn(move || {
        for _ in 0..times {
            (&writing).write_all(&batch).unwrap();
        }
        writing.shutdown(std::net::Shutdown::Write).unwrap();
    });
    let (mut came, mut buffer) = (0, vec![0; 64 << 10]);
    while let count @ 1.. = conn.read(&mut buffer).unwrap() {
        came += count as u64;
    }
    writer.join().unwrap();
    came
}

#[test]
fn a_million_calls_in_a_row_stay_within_bounds() {
    if in_own_process("crowds::a_million_calls_in_a_row_stay_within_bounds", &[]).is_some() {
        return;
    }
    let world = world();
    let argument = [
        &[0; 4][..],
        &[1, 0, 0, 0, 0, 0, 0, 0],
        &[2, 0, 0, 0, 0, 0, 0, 0],
    ]
    .concat();
    let batch = call(7, "Lab.Add", &argument).repeat(1000);
    let mut conn = greeted(&world);
    let before = peak();
    // A reply is 4 + 1 + 8 + 4 + 8 bytes.
    assert_eq!(pipelined(&mut conn, &batch, 1000), 25 * 1_000_000);
    let grown = peak() - before;
    assert!(grown < 8 << 10, "{grown} KiB more");
    still_serves(&world);
}

#[test]
fn a_flood_of_names_leaves_nothing_behind() {
    if in_own_process("crowds::a_flood_of_names_leaves_nothing_behind", &[]).is_some() {
        return;
    }
    let world = world();
    let mut conn = greeted(&world);
    let before = peak();
    let batch: Vec<u8> = (1..=1000)
        .flat_map(|n| call(n, &format!("Lab.{n:0>200}"), &[0; 100]))
        .collect();
    assert!(pipelined(&mut conn, &batch, 100) > 100_000 * 200);
    let grown = peak() - before;
    assert!(grown < 8 << 10, "{grown} KiB more");
    let methods: Vec<groundwire::rpc::MethodCount> =
        world.client().call("Server.Stats", &()).unwrap();
    assert_eq!(methods.len(), 13);
    // A body as long as a frame may be is skipped with it.
    let mut conn = greeted(&world);
    conn.write_all(&call(1, "Lab.Nothing", &vec![7; 4 << 20]))
        .unwrap();
    conn.write_all(&call(2, "Lab.Nothing", &[])).unwrap();
    conn.shutdown(std::net::Shutdown::Write).unwrap();
    let mut said = Vec::new();
    conn.read_to_end(&mut said).unwrap();
    assert_eq!(
        said.iter().filter(|byte| **byte == 17).count(),
        2,
        "{said:?}"
    );
}
