//! System calls that a sandbox forbids: strace makes them fail as a seccomp rule does.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use groundwire_cli_tests::{installed, path};

/// Whether strace can be used.
fn traces() -> bool {
    let works = installed("strace")
        && Command::new("strace")
            .args(["-o", "/dev/null", "true"])
            .status()
            .is_ok_and(|s| s.success());
    if !works {
        println!("skipped: strace is not installed, or may not trace");
    }
    works
}

/// What a program says when the calls fail with this error; nothing where strace cannot be used. One
/// that does not end is ended after a while, with 124.
fn told(calls: &str, error: &str, name: &str, args: &[&str]) -> Option<(Option<i32>, String)> {
    if !traces() {
        return None;
    }
    let ended = Command::new("timeout")
        .args(["30", "strace", "-f", "-qq", "-o", "/dev/null"])
        .arg(format!("--trace={calls}"))
        .arg(format!("--inject={calls}:error={error}"))
        .arg(path(name))
        .args(args)
        .output()
        .unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    Some((
        ended.status.code(),
        stderr.lines().last().unwrap_or_default().to_string(),
    ))
}

#[test]
fn a_server_that_may_not_accept_ends_and_says_so() {
    let args = ["127.0.0.1:0"];
    let Some((code, last)) = told("accept,accept4", "EPERM", "tcp-echo-server", &args) else {
        return;
    };
    assert!(
        last.starts_with("tcp-echo-server: serving tcp 127.0.0.1:"),
        "{last}"
    );
    assert!(last.ends_with(": operation not permitted"), "{last}");
    assert_eq!(code, Some(1));
}

#[test]
fn nor_does_a_node_of_the_store_go_on_that_hears_nobody() {
    let args = ["--local-cluster", "1", "--listen", "127.0.0.1:0"];
    let Some((code, last)) = told("accept,accept4", "EINVAL", "kv-server", &args) else {
        return;
    };
    assert_eq!(last, "kv-server: node 1: serving: invalid argument");
    assert_eq!(code, Some(1));
}

#[test]
fn a_thread_that_cannot_be_started_is_called_that_where_it_was_to_wait_for_signals() {
    let Some((code, last)) = told(
        "clone,clone3",
        "EAGAIN",
        "tcp-echo-server",
        &["127.0.0.1:0"],
    ) else {
        return;
    };
    let why = "tcp-echo-server: starting a thread: resource temporarily unavailable";
    assert_eq!((code, last.as_str()), (Some(1), why));
}

#[test]
fn a_server_that_gets_no_more_threads_ends_with_its_totals() {
    if !traces() {
        return;
    }
    // Each thread counts its own: the first has started all by then, except one for the totals.
    let mut traced = Command::new("timeout")
        .args(["30", "strace", "-f", "-qq", "-o", "/dev/null"])
        .args(["--trace=clone,clone3"])
        .arg("--inject=clone,clone3:error=EAGAIN:when=4+")
        .args(["sh", "-c", "echo $$; exec \"$0\" 127.0.0.1:0"])
        .arg(path("tcp-echo-server"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(traced.stdout.take().unwrap()).lines();
    let pid = lines.next().unwrap().unwrap();
    let listening = lines.next().unwrap().unwrap();
    assert!(listening.starts_with("listening on tcp "), "{listening}");
    let kill = format!("kill {pid}");
    let killed = Command::new("sh").args(["-c", &kill]).status().unwrap();
    let last = lines.next().map(Result::unwrap);
    let ended = traced.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&ended.stderr).into_owned();
    let totals = "served 0, active 0, refused 0, failed 0";
    assert_eq!((last.as_deref(), errors.as_str()), (Some(totals), ""));
    assert!(killed.success() && ended.status.success());
}

#[test]
fn a_thread_that_cannot_be_started_is_not_called_trouble_with_the_input() {
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = peer.local_addr().unwrap().port().to_string();
    let args = ["127.0.0.1", &port];
    let Some((code, last)) = told("clone,clone3", "EAGAIN", "netcat", &args) else {
        return;
    };
    assert_eq!(
        last,
        "netcat: starting a thread: resource temporarily unavailable"
    );
    assert_eq!(code, Some(1));
}
