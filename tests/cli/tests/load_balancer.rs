//! load-balancer: its command line, its file, its first line and its last.

use std::fs;
use std::io::{Read, Write};

use groundwire_cli_tests::{
    Running, Server, announced, connect, installed, is_turned_away, program,
};

/// Where nobody listens: port 1 belongs to a service that no machine runs any more.
const NOBODY: &str = "http://127.0.0.1:1";

fn backend(name: &str) -> Server {
    Server::start("http-backend", &["127.0.0.1:0", "--name", name])
}

fn url(backend: &Server) -> String {
    format!("http://{}", backend.address)
}

fn start(args: &[&str]) -> Server {
    Server::start(
        "load-balancer",
        &[&["--listen", "127.0.0.1:0"], args].concat(),
    )
}

/// The status code and the whole reply to a GET, which ends its connection.
fn get(address: &str, target: &str) -> (String, String) {
    let mut stream = connect(address);
    let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    let status = reply.split(' ').nth(1).expect("a status line");
    (status.to_string(), reply.clone())
}

/// Standard output and error of a call that must end with this status.
fn call(args: &[&str], status: i32) -> (String, String) {
    let output = program("load-balancer").args(args).output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert_eq!(output.status.code(), Some(status), "{args:?}: {out}{err}");
    (out, err)
}

const HINT: &str = "Try 'load-balancer --help' for more information.\n";

#[test]
fn help_and_version_go_to_standard_output() {
    let (page, nothing) = call(&["--help"], 0);
    assert!(
        page.starts_with("Usage: load-balancer --listen ADDRESS --backend URL "),
        "{page}"
    );
    assert_eq!(nothing, "");
    let (version, nothing) = call(&["--version"], 0);
    assert!(
        version.starts_with("load-balancer (groundwire) "),
        "{version}"
    );
    assert_eq!((version.lines().count(), nothing.as_str()), (1, ""));
}

#[test]
fn every_word_that_check_config_prints_is_a_flag_of_the_help_page() {
    let (page, _) = call(&["--help"], 0);
    let args = ["--listen", ":0", "--backend", NOBODY, "--check-config"];
    let (shown, _) = call(&args, 0);
    for line in shown.lines().filter(|line| !line.is_empty()) {
        let word = line.split(' ').next().unwrap();
        // These two have no flag: who needs several pools needs a file.
        let flag = format!(" --{word} ");
        assert!(
            ["pool", "route"].contains(&word) || page.contains(&flag),
            "{word}"
        );
    }
}

#[test]
fn a_call_without_a_backend_or_an_address_is_a_usage_error() {
    let listen = "load-balancer: --listen: needed, an address to serve\n";
    let backend = "load-balancer: --backend: needed, somebody to answer\n";
    for (args, says) in [
        (&[][..], format!("{listen}{backend}{HINT}")),
        (&["--listen", ":0"], format!("{backend}{HINT}")),
        (&["--backend", NOBODY], format!("{listen}{HINT}")),
        (
            &["surplus"],
            format!("load-balancer: surplus: extra operand\n{HINT}"),
        ),
        (
            &["--xyzzy"],
            format!("load-balancer: --xyzzy: no such option\n{HINT}"),
        ),
    ] {
        assert_eq!(call(args, 2), (String::new(), says), "{args:?}");
    }
}

#[test]
fn all_wrong_flags_are_told_at_once() {
    let args = [
        "--listen",
        "nowhere",
        "--backend",
        "ftp://a",
        "--balance",
        "best",
        "--queue",
        "x",
        "--header-timeout",
        "0",
        "--trust",
        "10.0.0.0/40",
        "--via",
        "a b",
    ];
    let (_, told) = call(&args, 2);
    for flag in [
        "--listen nowhere: ",
        "--backend ftp://a: ",
        "--balance best: ",
        "--queue x: ",
        "--header-timeout 0: ",
        "--trust 10.0.0.0/40: ",
        "--via a b: ",
    ] {
        let line = format!("load-balancer: {flag}");
        assert!(
            told.lines().any(|told| told.starts_with(&line)),
            "{flag}\n{told}"
        );
    }
    assert!(told.ends_with(HINT), "{told}");
}

#[test]
fn check_config_prints_what_reads_as_the_same_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lb.conf").display().to_string();
    let args = [
        "--listen",
        "127.0.0.1:0 proxy-protocol",
        "--backend",
        "http://a:1 weight=2 max=7",
        "--backend",
        "\"unix:/run/a b.sock\"",
        "--queue",
        "3",
        "--max-body",
        "10MB",
        "--trust",
        "10.0.0.0/8",
        "--reuse-port",
        "--check-config",
    ];
    let (shown, _) = call(&args, 0);
    assert!(
        shown.contains("\nbackend http://a:1 weight=2 max=7\n"),
        "{shown}"
    );
    fs::write(&file, &shown).unwrap();
    assert_eq!(call(&["--config", &file, "--check-config"], 0).0, shown);
    // A flag beside the file would be lost at the next SIGHUP.
    let (_, told) = call(&["--config", &file, "--queue", "4"], 2);
    assert_eq!(
        told,
        format!("load-balancer: --queue: belongs into the file of --config\n{HINT}")
    );
}

#[test]
fn a_wrong_file_is_told_line_by_line_and_nothing_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lb.conf").display().to_string();
    fs::write(
        &file,
        "listen 127.0.0.1:0\nquue 3\nroute / wwv\npool www\nbackend ftp://a\n",
    )
    .unwrap();
    for args in [
        &["--config", &file][..],
        &["--config", &file, "--check-config"],
    ] {
        let (out, told) = call(args, 1);
        assert_eq!(out, "");
        for place in [":2: ", ":3: ", ":5: "] {
            let line = format!("load-balancer: {file}{place}");
            assert!(
                told.lines().any(|told| told.starts_with(&line)),
                "{place}\n{told}"
            );
        }
    }
    let (_, told) = call(&["--config", "/no/such/file"], 1);
    assert_eq!(
        told,
        "load-balancer: /no/such/file: no such file or directory\n"
    );
}

#[test]
fn the_example_of_the_book_is_right() {
    let chapter = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/load-balancer.md");
    let chapter = fs::read_to_string(chapter).unwrap();
    let (_, example) = chapter.split_once("```ini\n").expect("an example");
    let (example, _) = example.split_once("```").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("site.conf").display().to_string();
    fs::write(&file, example).unwrap();
    let (shown, _) = call(&["--config", &file, "--check-config"], 0);
    let words = example
        .lines()
        .map(|line| line.split('#').next().unwrap().trim());
    for line in words.filter(|line| !line.is_empty()) {
        assert!(
            shown.lines().any(|other| other == line),
            "{line:?} is shown otherwise:\n{shown}"
        );
    }
}

#[test]
fn a_taken_port_is_a_failure_and_nothing_is_announced() {
    let other = backend("b1");
    // With few connections, a machine of few descriptors has nothing to warn of.
    let args = [
        "--listen",
        &other.address,
        "--backend",
        NOBODY,
        "--max-connections",
        "9",
    ];
    let says = format!(
        "load-balancer: listen tcp {}: address already in use\n",
        other.address
    );
    assert_eq!(call(&args, 1), (String::new(), says));
}

#[test]
fn each_listener_has_a_line_before_the_page_of_metrics() {
    let args = [
        "--listen",
        "127.0.0.1:0",
        "--listen",
        "127.0.0.2:0",
        "--metrics",
        "127.0.0.1:0",
        "--backend",
        NOBODY,
    ];
    let running = Running::start("load-balancer", &args);
    let lines = [(); 3].map(|()| running.line().unwrap());
    let ports = [&lines[0], &lines[1]].map(|line| announced(line));
    assert!(ports[0].1.starts_with("127.0.0.1:") && ports[1].1.starts_with("127.0.0.2:"));
    assert!(
        lines[2].starts_with("metrics on http://127.0.0.1:"),
        "{lines:?}"
    );
    for (network, address) in &ports {
        assert_eq!(network, "tcp");
        assert_eq!(get(address, "/").0, "502", "nobody is behind it");
    }
    let ended = running.end_by("TERM");
    assert_eq!((ended.code, ended.stdout.len()), (Some(0), 1), "{ended:?}");
}

#[test]
fn requests_go_round_and_the_totals_come_last() {
    let (one, two) = (backend("b1"), backend("b2"));
    let server = start(&["--backend", &url(&one), "--backend", &url(&two)]);
    let names: Vec<&str> = (0..4)
        .map(|_| match get(&server.address, "/status/200").1 {
            reply if reply.contains("\r\nX-Backend: b1\r\n") => "b1",
            reply if reply.contains("\r\nX-Backend: b2\r\n") => "b2",
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(names, ["b1", "b2", "b1", "b2"]);
    assert_eq!(server.stop(), "served 4, active 0, refused 0, failed 0");
}

#[test]
fn an_interrupt_ends_it_as_well_and_closes_idle_connections() {
    let one = backend("b1");
    let server = start(&["--backend", &url(&one)]);
    let mut idle = connect(&server.address);
    idle.write_all(b"GET /status/204 HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    let mut reply = Vec::new();
    while !reply.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        idle.read_exact(&mut byte).unwrap();
        reply.extend(byte);
    }
    assert!(reply.starts_with(b"HTTP/1.1 204 "));
    let ended = server.end_by("INT");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, ["served 1, active 0, refused 0, failed 0"]);
    assert!(is_turned_away(idle));
}

#[test]
fn a_hangup_reads_the_file_again_and_a_wrong_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lb.conf").display().to_string();
    let (one, two) = (backend("b1"), backend("b2"));
    // With few connections, a machine of few descriptors has nothing to warn of.
    let write = |lines: &str| {
        fs::write(
            &file,
            format!("listen 127.0.0.1:0\nmax-connections 9\n{lines}"),
        )
        .unwrap()
    };
    write(&format!("backend {}", url(&one)));
    let server = Server::start("load-balancer", &["--config", &file]);
    assert!(
        get(&server.address, "/status/200")
            .1
            .contains("X-Backend: b1")
    );

    write(&format!("backend {}", url(&two)));
    server.signal("HUP");
    let line = server.error_line().unwrap();
    assert!(line.contains("configuration read again"), "{line}");
    assert!(
        get(&server.address, "/status/200")
            .1
            .contains("X-Backend: b2")
    );

    write("backend ftp://a");
    server.signal("HUP");
    let line = server.error_line().unwrap();
    assert!(
        line.contains("the old one stays") && line.contains(":3: "),
        "{line}"
    );
    assert!(
        get(&server.address, "/status/200")
            .1
            .contains("X-Backend: b2")
    );
    assert_eq!(server.stop(), "served 3, active 0, refused 0, failed 0");
}

#[test]
fn a_hangup_reads_the_file_again_where_nohup_has_it_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lb.conf").display().to_string();
    let lines = "listen 127.0.0.1:0\nmax-connections 9\nbackend http://127.0.0.1:1\n";
    fs::write(&file, lines).unwrap();
    let running = Running::start_after("trap '' HUP", "load-balancer", &["--config", &file]);
    let server = Server::announced_by(running);
    for _ in 0..5 {
        server.signal("HUP");
        let line = server.error_line().unwrap();
        assert!(line.contains("configuration read again"), "{line}");
    }
}

#[test]
fn a_hangup_opens_the_access_log_anew_where_flags_say_all() {
    let one = backend("b1");
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (log, moved) = (path("log"), path("moved"));
    let few = ["--max-connections", "9", "--access-log", &log];
    let server = start(&[&["--backend", &url(&one)], &few[..]].concat());
    get(&server.address, "/status/200");
    fs::rename(&log, &moved).unwrap();
    server.signal("HUP");
    let line = server.error_line().unwrap();
    assert!(line.contains("opened again"), "{line}");
    get(&server.address, "/status/204");
    assert_eq!(server.stop(), "served 2, active 0, refused 0, failed 0");
    assert!(fs::read_to_string(&moved).unwrap().contains("/status/200"));
    assert!(fs::read_to_string(&log).unwrap().contains("/status/204"));
}

#[test]
fn the_access_log_goes_to_standard_output_before_the_totals() {
    let one = backend("b1");
    let server = start(&[
        "--backend",
        &url(&one),
        "--access-log",
        "-",
        "--access-format",
        "common",
    ]);
    get(&server.address, "/status/418");
    let ended = server.end_by("TERM");
    let [line, totals] = &ended.stdout[..] else {
        panic!("{ended:?}");
    };
    assert!(line.starts_with("127.0.0.1 - - ["), "{line}");
    assert!(
        line.ends_with("\"GET /status/418 HTTP/1.1\" 418 4"),
        "{line}"
    );
    assert_eq!(totals, "served 1, active 0, refused 0, failed 0");
}

#[test]
fn a_closed_standard_output_does_not_stop_the_service() {
    let one = backend("b1");
    let (running, mut stdout) = Running::start_unread(
        "load-balancer",
        &[
            "--listen",
            "127.0.0.1:0",
            "--backend",
            &url(&one),
            "--access-log",
            "-",
        ],
    );
    let mut first = Vec::new();
    while first.last() != Some(&b'\n') {
        let mut byte = [0];
        stdout.read_exact(&mut byte).unwrap();
        first.push(byte[0]);
    }
    drop(stdout);
    let (_, address) = announced(String::from_utf8(first).unwrap().trim_end());
    for _ in 0..3 {
        assert_eq!(get(&address, "/status/200").0, "200");
    }
    let ended = running.end_by("TERM");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.stderr.contains("panicked"), "{ended:?}");
}

#[test]
fn a_help_page_that_nobody_reads_is_no_panic() {
    if !installed("head") {
        return;
    }
    let output = std::process::Command::new("sh")
        .args(["-c", "\"$0\" --help | head -n 1"])
        .arg(path())
        .output()
        .unwrap();
    assert!(output.stdout.starts_with(b"Usage: load-balancer"));
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn path() -> std::path::PathBuf {
    groundwire_cli_tests::path("load-balancer")
}
