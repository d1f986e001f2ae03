//! netcat at a terminal, which `script` makes.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use groundwire_cli_tests::{connect, eventually, installed, path};

#[test]
fn in_the_background_of_a_terminal_it_takes_a_connection() {
    if !installed("script") || !installed("bash") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [out, err] = ["out", "err"].map(|name| folder.path().join(name));
    // With job control (`set -m`), as in a shell that a person types in: without, the input of a job
    // in the background is no terminal.
    let job = format!(
        "exec bash -c 'set -m; \"{}\" -lv 127.0.0.1 0 >\"{}\" 2>\"{}\" & wait'",
        path("netcat").display(),
        out.display(),
        err.display()
    );
    let mut terminal = Command::new("script")
        .args(["-qec", &job, "/dev/null"])
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped()) // nobody types, and nobody goes
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut address = None;
    eventually("it listens", || {
        let said = fs::read_to_string(&err).unwrap_or_default();
        let line = said.split_once('\n').map(|(line, _)| line);
        address = line.and_then(|line| Some(line.strip_prefix("listening on tcp ")?.to_string()));
        address.is_some()
    });
    let mut stream = connect(&address.unwrap());
    stream.write_all(b"hello\n").unwrap();
    eventually("the data is there", || {
        fs::read(&out).unwrap() == b"hello\n"
    });
    drop(stream);
    assert!(terminal.wait().unwrap().success());
}
