//! Clients that leave: what was under way for them at a backend ends.

use std::sync::mpsc::{self, Receiver};

use groundwire::proxy::health::State;

use crate::balancer::Balancer;
use crate::client::Client;
use crate::scripted::Backend;
use crate::support::PATIENCE;

/// A backend that says these bytes to the first request and waits for the end; tells of both.
fn waiting(says: &'static [u8]) -> (Backend, Receiver<&'static str>) {
    let (tell, told) = mpsc::channel();
    let backend = Backend::start(move |peer| {
        peer.head();
        let _ = tell.send("asked");
        peer.say(says);
        peer.ended();
        let _ = tell.send("ended");
    });
    (backend, told)
}

/// Lets a client do its part up to the moment at which it leaves, and expects the backend's
/// connection to end, without blame.
fn leaves(says: &'static [u8], part: impl Fn(&mut Client, &Receiver<&'static str>)) {
    let (backend, told) = waiting(says);
    let balancer = Balancer::before([&backend], "max-failures 1\n");
    let mut client = balancer.client();
    part(&mut client, &told);
    drop(client);
    assert_eq!(told.recv_timeout(PATIENCE), Ok("ended"));
    balancer.rests();
    let standing = &balancer.standings()[0];
    assert_eq!(standing.state, State::Up);
    assert_eq!(standing.backend.counts.failures.get(), 0);
}

fn asked(told: &Receiver<&'static str>) {
    assert_eq!(told.recv_timeout(PATIENCE), Ok("asked"));
}

#[test]
fn a_client_that_leaves_before_the_reply_ends_the_request_at_the_backend() {
    leaves(b"", |client, told| {
        client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        asked(told);
    });
}

#[test]
fn a_client_that_leaves_in_the_middle_of_a_reply_ends_it() {
    leaves(
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        |client, told| {
            client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            asked(told);
            client.sees(b"half");
        },
    );
}

#[test]
fn a_client_that_leaves_a_reply_that_never_pauses_ends_it() {
    let (tell, told) = mpsc::channel();
    let endless = Backend::start(move |peer| {
        peer.request();
        peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n");
        while peer.say(&[b'x'; 64 * 1024]) {}
        let _ = tell.send(());
    });
    let balancer = Balancer::before([&endless], "");
    let mut client = balancer.client();
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.at_least(1 << 20);
    drop(client);
    told.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn a_client_that_leaves_in_the_middle_of_an_upload_ends_it() {
    let bodies = [
        "Content-Length: 100\r\n\r\nhalf",
        "Transfer-Encoding: chunked\r\n\r\n64\r\nhalf",
        "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ];
    for body in bodies {
        leaves(b"", |client, told| {
            client.say(format!("POST / HTTP/1.1\r\nHost: a\r\n{body}"));
            asked(told);
        });
    }
}

#[test]
fn a_client_that_leaves_after_a_streamed_upload_ends_the_wait_for_its_reply() {
    leaves(b"", |client, told| {
        client.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n");
        asked(told); // so the body comes after the head, and is streamed
        client.say("body");
    });
}

#[test]
fn a_client_that_leaves_the_reply_to_a_streamed_upload_ends_it() {
    leaves(
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        |client, told| {
            client.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n");
            asked(told);
            client.sees(b"half");
            client.say("body");
        },
    );
}

#[test]
fn a_client_that_leaves_its_upload_during_the_reply_says_nothing_against_the_backend() {
    let bodies = [
        "Content-Length: 9\r\n\r\nhalf",
        "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ];
    for body in bodies {
        leaves(
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
            |client, told| {
                client.say(format!("POST / HTTP/1.1\r\nHost: a\r\n{body}"));
                asked(told);
                client.sees(b"half");
            },
        );
    }
}
