//! Servers that lie: what they say costs their connection at the most, never a wrong result.

use std::io::Write;
use std::thread;
use std::time::Duration;

use groundwire::net::Conn;
use groundwire::rpc::message::{MAGIC, MAX_WINDOW, Message, Push, Welcome};
use groundwire::rpc::{CallError, Client, ClientConfig, Failure};

use crate::by_hand::*;

const TIME: Option<Duration> = Some(Duration::from_secs(10));

#[test]
fn replies_to_nobody_and_second_replies_are_ignored() {
    let (client, mut server) = by_hand(ClientConfig::default());
    let first = client.start("A.B", &(), TIME).unwrap();
    let id = server.call();
    for stranger in [0, id + 1, id + 2, u64::MAX] {
        server.reply(stranger, 666);
        server.say(|out| out.item(stranger, &666_u64).unwrap());
    }
    server.say(|out| out.failed(id + 1, &Failure::Panicked));
    server.reply(id, 1);
    server.reply(id, 2);
    server.say(|out| out.failed(id, &Failure::Panicked));
    server.say(|out| out.item(id, &3_u64).unwrap());
    assert_eq!(first.wait::<u64>(), Ok(1));
    // The next call gets the next reply, not one that was there before it.
    let second = client.start("A.B", &(), TIME).unwrap();
    let calling = thread::spawn(move || second.wait::<u64>());
    let id = server.call();
    server.reply(id, 42);
    assert_eq!(calling.join().unwrap(), Ok(42));
    assert!(client.is_usable());
}

#[test]
fn a_server_that_sends_more_items_than_were_asked_for_is_ended() {
    let (client, mut server) = by_hand(ClientConfig::default());
    let mut stream = client.stream::<_, u64>("A.S", &(), TIME).unwrap();
    let id = server.call();
    server.say(|out| (0..100_u64).for_each(|n| out.item(id, &n).unwrap()));
    let error = stream.find_map(Result::err).unwrap();
    assert!(
        error
            .to_string()
            .ends_with("more items than were asked for"),
        "{error}"
    );
    assert!(!client.is_usable());
}

#[test]
fn what_only_a_client_says_and_what_is_nothing_ends_the_connection() {
    let says: [fn(&mut groundwire::wire::Frames); 6] = [
        |out| out.call(1, 0, "A.B", &()).unwrap(),
        |out| out.bare(Message::Ping(1)),
        |out| out.bare(Message::Prove(&[0; 32])),
        |out| out.push_bytes(&[&[99]]),
        |out| out.push_bytes(&[&[16, 1]]),
        |out| out.push_raw(&[0xff; 4]),
    ];
    for say in says {
        let (client, mut server) = by_hand(ClientConfig::default());
        let pending = client.start("A.B", &(), TIME).unwrap();
        server.call();
        server.say(say);
        let ended = pending.wait::<u64>();
        assert!(
            matches!(ended, Err(CallError::Disconnected { sent: true, .. })),
            "{ended:?}"
        );
        let next = client.call::<_, u64>("A.B", &()).unwrap_err();
        assert!(next.not_run(), "{next:?}");
    }
}

#[test]
fn a_reply_of_another_type_and_a_failure_of_no_type_end_their_call_only() {
    let (client, mut server) = by_hand(ClientConfig::default());
    let [first, second, third] = [(); 3].map(|()| client.start("A.B", &(), TIME).unwrap());
    let ids = [(); 3].map(|()| server.call());
    server.say(|out| out.reply(ids[0], "text").unwrap());
    let head = [&[17][..], &ids[1].to_le_bytes(), &[0xff; 9]].concat();
    server.say(|out| out.push_bytes(&[&head]));
    server.reply(ids[2], 7);
    assert!(matches!(first.wait::<u64>(), Err(CallError::BadReply(_))));
    assert!(matches!(
        second.wait::<u64>(),
        Err(CallError::Failed(Failure::Refused(_)))
    ));
    assert_eq!(third.wait::<u64>(), Ok(7));
}

#[test]
fn a_server_that_takes_nothing_is_asked_for_nothing() {
    let welcome = Welcome {
        max_frame: 0,
        in_flight: 0,
        window: 0,
        nonce: None,
    };
    let (client, _server) = by_hand_as(ClientConfig::default(), welcome);
    let error = client.call::<_, ()>("A.B", &()).unwrap_err();
    assert!(matches!(error, CallError::BadArgument(_)), "{error:?}");
}

#[test]
fn a_server_gets_no_more_memory_than_a_greeting_takes() {
    let (ours, mut theirs) = Conn::pair().unwrap();
    // A welcome of a megabyte is within the limit of messages, and refused by its header.
    theirs.write_all(&MAGIC).unwrap();
    theirs.write_all(&(1_u32 << 20).to_le_bytes()).unwrap();
    let error = Client::over(ours, ClientConfig::default()).unwrap_err();
    let text = error.to_string();
    assert!(text.ends_with("the limit is 4096"), "{text}");
}

#[test]
fn calls_behind_the_last_one_of_a_goodbye_fail_at_once_and_the_others_are_waited_for() {
    let (client, mut server) = by_hand(ClientConfig::default());
    let [first, second] = [(); 2].map(|()| client.start("A.B", &(), None).unwrap());
    let ids = [(); 2].map(|()| server.call());
    server.say(|out| out.bare(Message::Goodbye { last: ids[0] }));
    assert_eq!(
        second.wait::<u64>(),
        Err(CallError::Failed(Failure::ShuttingDown))
    );
    server.reply(ids[0], 7);
    assert_eq!(first.wait::<u64>(), Ok(7));
}

#[test]
fn a_server_that_claims_a_window_without_end_may_send_no_more_than_the_longest() {
    let welcome = Welcome {
        max_frame: 4 << 20,
        in_flight: 256,
        window: u32::MAX,
        nonce: None,
    };
    let (client, mut server) = by_hand_as(ClientConfig::default(), welcome);
    let mut stream = client.stream::<_, u64>("A.S", &(), TIME).unwrap();
    let id = server.call();
    let items = 0..=u64::from(2 * MAX_WINDOW);
    server.say(|out| items.for_each(|n| out.item(id, &n).unwrap()));
    assert!(!client.is_usable());
    let error = stream.find_map(Result::err).unwrap().to_string();
    let why = "more items than were asked for";
    assert!(error.ends_with(why), "{error}");
}
