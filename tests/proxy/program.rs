//! The programs, as processes of their own.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;

use crate::support::PATIENCE;

pub const LOAD_BALANCER: &str = env!("CARGO_BIN_EXE_load-balancer");
pub const HTTP_BACKEND: &str = env!("CARGO_BIN_EXE_http-backend");

/// A program that has said where it listens; killed when it is dropped.
pub struct Program {
    pub address: String,
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
    errors: mpsc::Receiver<String>,
}

impl Program {
    /// Starts it, and waits for its first line.
    pub fn start(program: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        let command = command.args(arguments).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let (tell, errors) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        thread::spawn(move || {
            let mut lines = stderr.lines().map_while(Result::ok);
            lines.all(|line| tell.send(line).is_ok())
        });
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on tcp ");
        let Some(address) = address.map(str::to_string) else {
            panic!("{program}: {line}{:?}", errors.iter().collect::<Vec<_>>());
        };
        Self {
            address,
            child,
            lines,
            errors,
        }
    }

    /// Waits until it says this on standard error.
    pub fn complains(&self, of: &str) {
        let mut seen = Vec::new();
        while let Ok(line) = self.errors.recv_timeout(PATIENCE) {
            if line.contains(of) {
                return;
            }
            seen.push(line);
        }
        panic!("never said {of}: {seen:?}");
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The shell's own `kill`: the program of that name is not everywhere.
    pub fn signal(&self, name: &str) {
        let command = format!("kill -{name} {}", self.pid());
        let status = Command::new("sh").args(["-c", &command]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for its end, and returns what it still printed, and what it complained of.
    pub fn ended(mut self) -> (ExitStatus, String) {
        let (tell, told) = mpsc::channel();
        let kill = format!("kill -9 {}", self.pid());
        let watch = thread::spawn(move || {
            if told.recv_timeout(PATIENCE).is_err() {
                let _ = Command::new("sh").args(["-c", &kill]).status();
            }
        });
        let mut printed = String::new();
        let _ = self.lines.read_to_string(&mut printed);
        let status = self.child.wait().unwrap();
        let _ = tell.send(());
        watch.join().unwrap();
        printed.extend(self.errors.iter());
        (status, printed)
    }

    /// A number of `/proc/PID/status`: kilobytes, or threads.
    pub fn status(&self, field: &str) -> u64 {
        let path = format!("/proc/{}/status", self.pid());
        let text = std::fs::read_to_string(path).unwrap();
        let line = text.lines().find(|line| line.starts_with(field));
        let number = line.unwrap().split_whitespace().nth(1);
        number.unwrap().parse().unwrap()
    }

    /// How many descriptors it has open.
    pub fn descriptors(&self) -> usize {
        let path = format!("/proc/{}/fd", self.pid());
        std::fs::read_dir(path).unwrap().count()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
