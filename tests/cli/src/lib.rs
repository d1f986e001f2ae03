//! What the tests of the programs share: finding them, running them, servers that end with the test.
//!
//! The programs are those that `make test` built: in `$GROUNDWIRE_BIN_DIR`, or else in
//! `target/debug` of the repository.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// A safety net for a broken program, not something that a passing test waits for.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Where a program stands.
pub fn path(program: &str) -> PathBuf {
    let folder = std::env::var_os("GROUNDWIRE_BIN_DIR").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/debug"),
        PathBuf::from,
    );
    let path = folder.join(program);
    assert!(
        path.exists(),
        "{} is not built: run `make test`",
        path.display()
    );
    path
}

/// A program to be run to its end, with assertions.
pub fn program(name: &str) -> assert_cmd::Command {
    let mut command = assert_cmd::Command::new(path(name));
    command.timeout(PATIENCE);
    command
}

/// Whether a tool of another make is installed; says so when it is not.
pub fn installed(tool: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {tool}")])
        .output();
    let found = found.is_ok_and(|output| output.status.success());
    if !found {
        println!("skipped: {tool} is not installed");
    }
    found
}

/// A server program that runs until the test ends.
pub struct Server {
    child: Child,
    /// The address of its first line.
    pub address: String,
    lines: BufReader<ChildStdout>,
}

impl Server {
    /// Starts a program and waits for its `listening on NETWORK ADDRESS`.
    pub fn start(name: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(path(name));
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        lines.read_line(&mut first).unwrap();
        let words: Vec<&str> = first.split_whitespace().collect();
        assert!(
            first.starts_with("listening on ") && words.len() == 4,
            "{name} said {first:?}"
        );
        Self {
            child,
            address: words[3].to_string(),
            lines,
        }
    }

    /// The next line of standard output, without its end.
    pub fn next_line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_string()
    }

    /// Sends a signal, by name.
    pub fn signal(&self, name: &str) {
        let arguments = [format!("-{name}"), self.child.id().to_string()];
        assert!(
            Command::new("kill")
                .args(arguments)
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for its end; what it printed since, and its status.
    pub fn wait(mut self) -> (String, String, ExitStatus) {
        let mut stderr = self.child.stderr.take().unwrap();
        let errors = thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        });
        // A program that does not end is killed, which fails the test by its status.
        let (ended, has_ended) = mpsc::channel::<()>();
        let id = self.child.id();
        let watch = thread::spawn(move || {
            if has_ended.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                let _ = Command::new("kill")
                    .args(["-KILL", &id.to_string()])
                    .status();
            }
        });
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        let status = self.child.wait().unwrap();
        drop(ended);
        watch.join().unwrap();
        (rest, errors.join().unwrap(), status)
    }

    /// SIGTERM, and the last line printed: the totals.
    pub fn stop(self) -> String {
        self.signal("TERM");
        let (rest, errors, status) = self.wait();
        assert_eq!(status.code(), Some(0), "{errors}");
        rest.lines().last().unwrap_or_default().to_string()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
