//! The life of the program beside its clients: drain, reload, take-over, restarts of backends.

use std::fs;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use groundwire::proxy::{LoadBalancer, reload};
use groundwire::server;
use groundwire::telemetry::Log;

use crate::balancer::{Balancer, config};
use crate::client::Client;
use crate::load::Load;
use crate::program::{HTTP_BACKEND, LOAD_BALANCER, Program};
use crate::scripted::{Backend, OK};
use crate::support::{Folder, PATIENCE, eventually, nobody};

/// A program in front of this backend.
fn before(backend: &Backend, flags: &[&str]) -> Program {
    let url = format!("http://{}", backend.address);
    let base = ["--listen", "127.0.0.1:0", "--backend", &url];
    Program::start(LOAD_BALANCER, &[&base, flags].concat())
}

#[test]
fn sigterm_lets_what_is_under_way_end_and_closes_who_rests() {
    let (tell, told) = mpsc::channel();
    let (go, wait) = mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let backend = Backend::start(move |peer| {
        while let Some(head) = peer.head() {
            let _ = tell.send(());
            match head.split(' ').nth(1) {
                Some("/slow") => wait.lock().unwrap().recv().unwrap(),
                Some("/upload") => while !peer.bytes().ends_with(b"end") {},
                _ => {}
            }
            peer.say(OK);
        }
    });
    let proxy = before(&backend, &["--drain", "15s"]);
    let mut idle = Client::to(&proxy.address);
    assert_eq!(idle.get("/").status(), 200);
    let mut silent = Client::to(&proxy.address);
    told.recv_timeout(PATIENCE).unwrap();
    let mut slow = Client::to(&proxy.address);
    slow.say("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    told.recv_timeout(PATIENCE).unwrap();
    let mut upload = Client::to(&proxy.address);
    upload.say("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nbegin,");
    told.recv_timeout(PATIENCE).unwrap();
    let begun = Instant::now();
    proxy.signal("TERM");
    idle.ended();
    silent.ended();
    upload.say("end");
    let answer = upload.answer("POST");
    assert_eq!(
        (answer.status(), answer.values("Connection")),
        (200, vec![&b"close"[..]])
    );
    go.send(()).unwrap();
    let answer = slow.answer("GET");
    assert_eq!(answer.status(), 200);
    slow.ended();
    let (status, printed) = proxy.ended();
    assert!(status.success(), "{printed}");
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    drop(upload);
}

#[test]
fn what_outlasts_the_drain_is_cut() {
    let (tell, told) = mpsc::channel();
    let backend = Backend::start(move |peer| {
        peer.head();
        let _ = tell.send(());
        peer.ended();
    });
    let proxy = before(&backend, &["--drain", "200ms"]);
    let mut client = Client::to(&proxy.address);
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    told.recv_timeout(PATIENCE).unwrap();
    proxy.signal("TERM");
    assert!(
        client
            .whole_or_cut("GET")
            .map_or(true, |answer| answer.status() >= 500)
    );
    let (status, printed) = proxy.ended();
    assert!(status.success(), "{printed}");
    assert!(printed.contains("drain time is over"), "{printed}");
}

/// Answers with a name.
fn named(name: &'static str) -> Backend {
    Backend::start(move |peer| {
        let length = name.len();
        peer.serve(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{name}").as_bytes());
    })
}

#[test]
fn an_access_log_on_a_full_disk_is_told_of_and_costs_no_request() {
    let backend = Backend::saying(OK);
    let proxy = before(&backend, &["--access-log", "/dev/full"]);
    assert_eq!(Client::to(&proxy.address).get("/").status(), 200);
    proxy.complains("lines of the access log are lost lost=1 cause=\"no space left on device\"");
    assert_eq!(Client::to(&proxy.address).get("/").status(), 200);
}

#[test]
fn sighup_under_load_costs_no_request_and_a_wrong_file_changes_nothing() {
    let (one, two) = (named("one"), named("two"));
    let folder = Folder::new();
    let file = folder.path("site.conf");
    let write = |backend: &Backend, lines: &str| {
        let text = format!("listen 127.0.0.1:0\n{}{lines}", backend.line());
        fs::write(&file, text).unwrap();
    };
    write(&one, "");
    let proxy = Program::start(LOAD_BALANCER, &["--config", &file]);
    let load = Load::start(&proxy.address, 4);
    let mut kept = Client::to(&proxy.address);
    for (backend, name) in [(&two, &b"two"[..]), (&one, b"one"), (&two, b"two")] {
        write(backend, "");
        proxy.signal("HUP");
        // On a connection from before, too.
        eventually("it is read again", || kept.get("/").body == name);
        load.goes_on(50);
    }
    write(&one, "no-such-word 7\n");
    proxy.signal("HUP");
    proxy.complains("no-such-word");
    assert_eq!(kept.get("/").body, b"two");
    assert_eq!(load.faults(), Vec::<String>::new());
}

#[test]
fn a_reload_does_not_disturb_what_is_under_way_and_keeps_what_is_known_of_backends() {
    let (tell, told) = mpsc::channel();
    let (go, wait) = mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let slow = Backend::start(move |peer| {
        while let Some(head) = peer.head() {
            if head.starts_with("GET /slow") {
                tell.send(()).unwrap();
                wait.lock().unwrap().recv().unwrap();
            }
            peer.say(OK);
        }
    });
    let other = named("other");
    let balancer = Balancer::before([&slow], "");
    assert_eq!(balancer.get("/").body, b"ok\n");
    let mut client = balancer.client();
    client.say("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    told.recv_timeout(PATIENCE).unwrap();
    balancer.reload(&other.line());
    assert_eq!(balancer.get("/").body, b"other");
    balancer.rests();
    go.send(()).unwrap();
    assert_eq!(client.answer("GET").body, b"ok\n");
    assert_eq!(client.get("/").body, b"other");
    balancer.rests();
    let count = |balancer: &Balancer| balancer.standings()[0].backend.counts.requests.get();
    let before = count(&balancer);
    // Of a pool that has not changed, and of one that has.
    for lines in ["", "queue 7\n"] {
        balancer.reload(&format!("{}{lines}", other.line()));
    }
    assert_eq!(count(&balancer), before);
    balancer.get("/");
    assert_eq!(other.connections(), 1, "the kept connection was lost");
}

#[test]
fn a_reload_tells_of_lines_that_hold_only_after_a_restart() {
    let backend = Backend::saying(OK);
    let balancer = Balancer::before([&backend], "");
    let told = |lines: &str| balancer.told_of_reload(&format!("{}{lines}", backend.line()));
    assert_eq!(told("queue 7\n"), "");
    for lines in [
        "max-connections 9\n",
        "deny 192.0.2.1\n",
        "metrics 127.0.0.1:9\n",
        "admin-token-file other\n",
    ] {
        assert!(told(lines).contains("only with a restart"), "{lines}");
    }
}

#[test]
fn a_wrong_configuration_made_in_code_is_refused_and_the_old_one_stays() {
    let backend = Backend::saying(OK);
    let right = config(&backend.line());
    let mut wrong = right.clone();
    let twice = wrong.pools[0].backends[0].clone();
    wrong.pools[0].backends.push(twice);
    let started = LoadBalancer::bind(wrong.clone(), server::Config::default());
    let why = started.map(drop).unwrap_err().to_string();
    assert!(
        why.ends_with(&format!(
            "{}: stands twice in pool default",
            backend.line().trim()
        )),
        "{why}"
    );

    let balancer = Balancer::of(right);
    let refused = reload(&balancer.current, wrong, &Log::off()).unwrap_err();
    assert_eq!(refused.to_string(), why);
    assert_eq!(balancer.get("/").status(), 200);
}

#[test]
fn a_second_process_takes_over_under_load_without_a_failed_request() {
    let backend = Backend::saying(OK);
    let first = before(&backend, &["--reuse-port"]);
    let url = format!("http://{}", backend.address);
    let load = Load::start(&first.address, 4);
    let mut running = first;
    for _ in 0..3 {
        load.goes_on(100);
        let address = running.address.clone();
        let flags = ["--reuse-port", "--listen", &address, "--backend", &url];
        let next = Program::start(LOAD_BALANCER, &flags);
        running.signal("TERM");
        let (status, printed) = running.ended();
        assert!(status.success(), "{printed}");
        running = next;
    }
    load.goes_on(100);
    assert_eq!(load.faults(), Vec::<String>::new());
}

#[test]
fn backends_restarted_one_after_the_other_cost_no_get() {
    let start = |address: &str| Program::start(HTTP_BACKEND, &[address]);
    let mut backends = [start(&nobody()), start(&nobody())];
    let line = |program: &Program| format!("backend http://{}\n", program.address);
    let lines: String = backends.iter().map(line).collect();
    let balancer = Balancer::start(&format!("{lines}retry-reserve 1000\nejection 100ms\n"));
    let load = Load::start(&balancer.address, 4);
    for round in 0..4 {
        load.goes_on(50);
        let old = &mut backends[round % 2];
        let address = old.address.clone();
        old.signal("TERM");
        // Its end and its next start, with nobody there in between.
        let gone = std::mem::replace(old, start("127.0.0.1:0"));
        let (status, printed) = gone.ended();
        assert!(status.success(), "{printed}");
        load.goes_on(50);
        *old = start(&address);
        let requests = || balancer.standings()[round % 2].backend.counts.classes[1].get();
        let before = requests();
        eventually("the new one is used", || requests() > before + 5);
    }
    assert_eq!(load.faults(), Vec::<String>::new());
}
