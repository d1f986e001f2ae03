//! Who reads a client's connection: the role always has somebody to go to.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use groundwire::rpc::message::{Message, Push};
use groundwire::rpc::{CallError, Client, ClientConfig};

use crate::by_hand::*;
use crate::support::eventually_blocked;

const LONG: Option<Duration> = Some(Duration::from_secs(10));

/// Calls on a thread of its own.
fn calling(
    name: &str,
    client: &Client,
    time: Option<Duration>,
) -> JoinHandle<Result<u64, CallError>> {
    let client = client.clone();
    let named = thread::Builder::new().name(name.into());
    let call = move || client.call_within("A.B", &(), time);
    named.spawn(call).unwrap()
}

/// A call that must come back, whatever went before.
fn still_answers(client: &Client, server: &mut ByHand) {
    let call = calling("after", client, LONG);
    let id = server.call();
    server.reply(id, 42);
    assert_eq!(call.join().unwrap(), Ok(42));
}

#[test]
fn a_call_that_was_made_the_reader_and_gives_up_leaves_the_role_to_the_next_one() {
    let (client, mut server) = by_hand(ClientConfig::default());
    let first = calling("role-a1", &client, LONG);
    let first_id = server.call();
    eventually_blocked("role-a1", 1);
    let second = calling("role-a2", &client, Some(Duration::from_millis(300)));
    server.call();
    eventually_blocked("role-a2", 1);
    server.reply(first_id, 1);
    assert_eq!(first.join().unwrap(), Ok(1));
    // It reads now, alone, until its time is over.
    assert_eq!(second.join().unwrap(), Err(CallError::DeadlineExceeded));
    still_answers(&client, &mut server);
}

#[test]
fn a_stream_that_was_made_the_reader_does_not_keep_the_role_between_two_items() {
    let (client, mut server) = by_hand(ClientConfig::default());
    let first = calling("role-b1", &client, LONG);
    let first_id = server.call();
    eventually_blocked("role-b1", 1);
    let mut stream = client.stream::<_, u64>("A.S", &(), LONG).unwrap();
    let stream_id = server.call();
    let named = thread::Builder::new().name("role-b2".into());
    let taking = named.spawn(move || (stream.next(), stream)).unwrap();
    eventually_blocked("role-b2", 1);
    server.reply(first_id, 1);
    assert_eq!(first.join().unwrap(), Ok(1));
    server.say(|out| out.item(stream_id, &7_u64).unwrap());
    let (item, stream) = taking.join().unwrap();
    assert_eq!(item, Some(Ok(7)));
    // Nobody takes the second item, nobody waits for it: others are served all the same.
    still_answers(&client, &mut server);
    drop(stream);
    still_answers(&client, &mut server);
}

#[test]
fn a_pong_that_came_while_nobody_read_is_found_before_the_server_is_given_up() {
    let config = ClientConfig {
        ping_after: Duration::from_millis(20),
        pong_within: Duration::from_millis(500),
        ..ClientConfig::default()
    };
    let (client, mut server) = by_hand(config);
    // The time of this call ends between the ping and its pong.
    let late = calling("late", &client, Some(Duration::from_millis(200)));
    let pinged = loop {
        if let Ok(Message::Ping(number)) = Message::parse(&server.frame()) {
            break number;
        }
    };
    assert_eq!(late.join().unwrap(), Err(CallError::DeadlineExceeded));
    server.say(|out| out.bare(Message::Pong(pinged)));
    // Silence, for longer than a pong may take.
    let (_keep, never) = std::sync::mpsc::channel::<()>();
    never.recv_timeout(Duration::from_millis(600)).unwrap_err();
    still_answers(&client, &mut server);
}
