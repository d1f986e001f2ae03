//! Backends that refuse, hang, reset, lie still or come and go.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;

use groundwire::proxy::health::State;

use crate::balancer::Balancer;
use crate::client::Client;
use crate::program::{LOAD_BALANCER, Program};
use crate::scripted::{Backend, OK};
use crate::support::{PATIENCE, eventually, nobody};

/// Retries as many as are wanted, and nobody is left out.
const PATIENT: &str = "retry-reserve 1000\nmax-failures 0\n";

#[test]
fn a_backend_that_refuses_costs_no_request_and_is_left_out() {
    let good = Backend::saying(OK);
    let lines = format!("backend http://{}\nmax-failures 3\n", nobody());
    let balancer = Balancer::before([&good], &lines);
    let mut client = balancer.client();
    for _ in 0..20 {
        assert_eq!(client.get("/").status(), 200);
    }
    let dead = &balancer.standings()[1];
    assert!(
        matches!(dead.state, State::Ejected { .. }),
        "{:?}",
        dead.state
    );
    assert_eq!(dead.backend.counts.requests.get(), 3);
}

#[test]
fn a_backend_that_is_killed_between_requests_costs_none() {
    let good = Backend::saying(OK);
    let (tell, told) = mpsc::channel();
    let killed = Backend::start(move |peer| {
        peer.request();
        peer.say(OK);
        let _ = tell.send(()); // and the end of the connection
    });
    let balancer = Balancer::before([&killed, &good], PATIENT);
    let mut client = balancer.client();
    while told.try_recv().is_err() {
        assert_eq!(client.get("/").status(), 200);
    }
    drop(killed);
    for _ in 0..10 {
        assert_eq!(client.get("/").status(), 200);
    }
}

#[test]
fn a_backend_that_hangs_is_answered_for_with_504_and_its_connection_is_ended() {
    let (tell, told) = mpsc::channel();
    let hung = Backend::start(move |peer| {
        peer.request();
        peer.ended();
        let _ = tell.send(());
    });
    let balancer = Balancer::before([&hung], "first-byte-timeout 100ms\n");
    let mut client = balancer.client();
    assert_eq!(client.get("/").status(), 504);
    told.recv_timeout(PATIENCE).unwrap();
    assert_eq!(hung.connections(), 1, "asked twice");
}

#[test]
fn a_backend_whose_process_is_stopped_is_answered_for_with_504() {
    // The kernel makes connections of its own accord, and nobody takes them.
    let half_open = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = half_open.local_addr().unwrap();
    let balancer = Balancer::start(&format!(
        "backend http://{address}\nfirst-byte-timeout 100ms\n"
    ));
    assert_eq!(balancer.get("/").status(), 504);
}

#[test]
fn a_slow_backend_gets_the_time_it_needs() {
    let (go, wait) = mpsc::channel();
    let wait = std::sync::Mutex::new(wait);
    let slow = Backend::start(move |peer| {
        peer.request();
        for byte in OK {
            wait.lock().unwrap().recv().unwrap();
            peer.say(&[*byte]);
        }
        peer.ended();
    });
    let balancer = Balancer::before([&slow], "");
    let mut client = balancer.client();
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    for _ in OK {
        go.send(()).unwrap();
    }
    assert_eq!(client.answer("GET").body, b"ok\n");
}

/// What a backend says before it fails in the middle of a head.
const HALF_A_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Le";

#[test]
fn a_failure_in_the_middle_of_the_head_goes_on_to_another_backend_if_that_is_safe() {
    for reset in [false, true] {
        let bad = Backend::start(move |peer| {
            peer.request();
            peer.say(HALF_A_HEAD);
            if reset {
                peer.reset();
            }
        });
        let good = Backend::saying(OK);
        let balancer = Balancer::before([&bad, &good], PATIENT);
        let mut client = balancer.client();
        for number in 0..8 {
            assert_eq!(client.get("/").status(), 200, "GET {number}, reset {reset}");
        }
        let mut post = |_| {
            client.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
            client.answer("POST").status()
        };
        let mut statuses: Vec<u16> = (0..4).map(&mut post).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 200, 502, 502], "reset {reset}");
    }
}

/// Bodies that lack their end, each in another framing.
const HALF_BODIES: [(&str, &[u8]); 3] = [
    (
        "length",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
    ),
    (
        "chunks",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ),
    ("close", b"HTTP/1.1 200 OK\r\n\r\nhalf"),
];

#[test]
fn a_backend_that_dies_in_the_middle_of_a_body_never_makes_a_whole_answer() {
    for (framing, bytes) in HALF_BODIES {
        for version in ["1.1", "1.0"] {
            for reset in [true, false] {
                if framing == "close" && !reset {
                    continue; // that is how such a body ends
                }
                let (go, wait) = mpsc::channel::<()>();
                let wait = std::sync::Mutex::new(wait);
                let dying = Backend::start(move |peer| {
                    peer.request();
                    peer.say(bytes);
                    let _ = wait.lock().unwrap().recv(); // until the client has the first half
                    if reset {
                        peer.reset();
                    }
                });
                let balancer = Balancer::before([&dying], PATIENT);
                let mut client = balancer.client();
                client.say(format!("GET / HTTP/{version}\r\nHost: a\r\n\r\n"));
                client.sees(b"half");
                go.send(()).unwrap();
                let cut = client.whole_or_cut("GET");
                let case = format!("{framing} to {version}, reset {reset}");
                let cut = cut.expect_err(&case);
                assert!(
                    cut.heard.ends_with(b"half") || cut.heard.ends_with(b"half\r\n"),
                    "{case}"
                );
            }
        }
    }
}

#[test]
fn a_body_until_close_is_whole_when_the_backend_closes() {
    let backend = Backend::start(|peer| {
        peer.request();
        peer.say(b"HTTP/1.1 200 OK\r\n\r\nhalf");
    });
    let balancer = Balancer::before([&backend], "");
    let answer = balancer.get("/");
    assert_eq!(answer.body, b"half");
    let mut old = balancer.client();
    old.say("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(old.answer("GET").body, b"half");
}

#[test]
fn a_backend_that_comes_and_goes_costs_no_get() {
    let flapping = Backend::start(|peer| match peer.number % 3 {
        0 => peer.reset(),
        1 => {
            peer.request();
        }
        _ => {
            peer.request();
            peer.say(OK);
        }
    });
    let good = Backend::saying(OK);
    let balancer = Balancer::before([&flapping, &good], PATIENT);
    let mut client = balancer.client();
    for number in 0..60 {
        assert_eq!(client.get("/").status(), 200, "request {number}");
    }
    assert!(flapping.connections() >= 9);
}

#[test]
fn when_all_are_out_the_answer_is_503_until_one_is_back() {
    let address = nobody();
    let balancer = Balancer::start(&format!(
        "backend http://{address}\nmax-failures 1\nejection 300ms\n"
    ));
    assert_eq!(balancer.get("/").status(), 502);
    let out = balancer.get("/");
    assert_eq!(
        (out.status(), out.values("Retry-After")),
        (503, vec![&b"1"[..]])
    );

    let _back = Backend::on(TcpListener::bind(address).unwrap(), |peer| peer.serve(OK));
    eventually("the backend is used again", || {
        balancer.get("/").status() == 200
    });
    assert_eq!(balancer.get("/").status(), 200);
}

#[test]
fn what_a_backend_sends_unasked_on_a_kept_connection_is_nobodys_answer() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let (tell, told) = mpsc::channel();
    let talkative = Backend::start(move |peer| {
        if peer.number > 0 {
            return peer.serve(OK);
        }
        peer.request();
        peer.say(OK);
        wait.lock().unwrap().recv().unwrap();
        peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
        let _ = tell.send(());
        peer.ended();
    });
    let balancer = Balancer::before([&talkative], "keep-alive-time 1h\n");
    let mut client = balancer.client();
    client.get("/");
    go.send(()).unwrap();
    told.recv().unwrap();
    client.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(client.answer("POST").body, b"ok\n");
}

#[test]
fn a_client_that_resets_says_nothing_against_the_backend() {
    let (tell, told) = mpsc::channel();
    let backend = Backend::start(move |peer| {
        peer.request();
        peer.ended();
        let _ = tell.send(());
    });
    let balancer = Balancer::before([&backend], "max-failures 1\n");
    let client = TcpStream::connect(&balancer.address).unwrap();
    (&client)
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    let client = groundwire::net::Conn::from_tcp(client).unwrap();
    eventually("it is under way", || balancer.active() == 1);
    client.reset_on_close().unwrap();
    drop(Client::of(client));
    told.recv_timeout(PATIENCE).unwrap();
    balancer.rests();
    assert_eq!(balancer.standings()[0].state, State::Up);
}

#[test]
fn interim_responses_without_end_are_ended_whatever_the_client_speaks() {
    let (tell, told) = mpsc::channel();
    let talkative = Backend::start(move |peer| {
        peer.request();
        while peer.say(b"HTTP/1.1 103 Early Hints\r\n\r\n") {}
        let _ = tell.send(());
    });
    let balancer = Balancer::before([&talkative], PATIENT);
    for version in ["1.0", "1.1"] {
        let mut client = balancer.client();
        client.say(format!("POST / HTTP/{version}\r\nHost: a\r\n\r\n"));
        client.sees(b" 502 ");
        told.recv_timeout(PATIENCE).unwrap();
    }
}

#[test]
fn a_lack_of_our_own_descriptors_says_nothing_against_the_backend() {
    let backend = Backend::saying(OK);
    let url = format!("http://{}", backend.address);
    let program = Program::start(
        "sh",
        &[
            &["-c", "ulimit -n 40; exec \"$0\" \"$@\"", LOAD_BALANCER][..],
            &["--listen", "127.0.0.1:0", "--backend", &url],
            &[
                "--max-failures",
                "1",
                "--ejection",
                "1h",
                "--longest-ejection",
                "1h",
            ],
        ]
        .concat(),
    );
    let mut clients: Vec<_> = (0..60).map(|_| Client::to(&program.address)).collect();
    program.complains("cannot accept");
    assert_eq!(clients[0].get("/").status(), 503);
    clients.clear();
    eventually("there are some again, and a backend", || {
        Client::to(&program.address).get("/").status() == 200
    });
}

#[test]
fn a_kept_connection_that_ends_under_an_upload_says_nothing_against_its_backend() {
    let backend = Backend::start(|peer| {
        while let Some(head) = peer.head() {
            if head.starts_with("POST") {
                return; // as one does that was idle for too long
            }
            peer.say(OK);
        }
    });
    let balancer = Balancer::before([&backend], "max-failures 1\n");
    for is_kept in [true, false] {
        if is_kept {
            assert_eq!(balancer.get("/").status(), 200);
            balancer.rests();
        }
        let mut client = balancer.client();
        client.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n");
        assert_eq!(client.answer("POST").status(), 502);
        client.ended();
        let failures = balancer.standings()[0].backend.counts.failures.get();
        assert_eq!(failures, u64::from(!is_kept));
    }
}

#[test]
fn a_backend_that_cuts_every_body_is_ejected() {
    let cutting = Backend::start(|peer| {
        peer.request();
        peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    });
    let balancer = Balancer::before([&cutting], "max-failures 3\n");
    for number in 1..=3 {
        let mut client = balancer.client();
        client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(client.whole_or_cut("GET").is_err());
        eventually("the failure is counted", || {
            balancer.standings()[0].backend.counts.failures.get() == number
        });
    }
    assert_eq!(balancer.client().get("/").status(), 503);
}

#[test]
fn a_connection_on_which_a_backend_said_too_much_is_not_used_again() {
    // In one piece with the response, so that it has come when the connection would be kept.
    let talkative = Backend::saying(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\nmore");
    let balancer = Balancer::before([&talkative], "keep-alive-time 1h\n");
    let mut client = balancer.client();
    for number in 1..=3 {
        assert_eq!(client.get("/").body, b"ok\n");
        assert_eq!(talkative.connections(), number);
    }
}

#[test]
fn a_switch_of_protocols_that_nobody_asked_for_is_passed_to_nobody() {
    let switching = Backend::saying(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n",
    );
    let balancer = Balancer::before([&switching], PATIENT);
    assert_eq!(balancer.get("/").status(), 502);
}
