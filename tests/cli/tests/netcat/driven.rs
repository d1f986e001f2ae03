//! A program with all three of its streams in the test's hands.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use groundwire_cli_tests::{PATIENCE, eventually, path, signal};

/// Killed by its own handle when the test is over.
pub struct Driven {
    child: Child,
    input: Option<ChildStdin>,
    output: Option<ChildStdout>,
    errors: Receiver<String>,
}

/// How it ended, with what was not taken before.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Driven {
    pub fn netcat(args: &[&str]) -> Driven {
        Self::start(path("netcat").to_str().unwrap(), args)
    }

    pub fn start(program: &str, args: &[&str]) -> Driven {
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (tell, errors) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        Driven {
            input: child.stdin.take(),
            output: child.stdout.take(),
            child,
            errors,
        }
    }

    /// Writes to its input.
    pub fn send(&mut self, bytes: &[u8]) {
        self.input.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// Writes from a thread, and gives the input back for the moment when it is to end.
    pub fn send_aside(&mut self, bytes: Vec<u8>) -> thread::JoinHandle<ChildStdin> {
        let mut input = self.input.take().unwrap();
        thread::spawn(move || {
            input.write_all(&bytes).unwrap();
            input
        })
    }

    pub fn close_input(&mut self) {
        self.input = None;
    }

    pub fn close_output(&mut self) {
        self.output = None;
    }

    /// So many bytes of its output.
    pub fn receive(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.output
            .as_mut()
            .unwrap()
            .read_exact(&mut bytes)
            .unwrap();
        bytes
    }

    /// The next line of standard error.
    pub fn error_line(&mut self) -> String {
        self.errors
            .recv_timeout(PATIENCE)
            .expect("a line of standard error")
    }

    /// The next line of standard error that begins so.
    pub fn error_until(&mut self, beginning: &str) -> String {
        loop {
            let line = self.error_line();
            if line.starts_with(beginning) {
                return line;
            }
        }
    }

    pub fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Waits for its end while its output is open, and nobody reads it.
    pub fn end_unread(mut self) -> Ended {
        let output = self.output.take();
        let ended = self.end();
        drop(output);
        ended
    }

    /// Waits for its end, with the input as it is: open, unless it was closed.
    pub fn end(mut self) -> Ended {
        let mut stdout = Vec::new();
        if let Some(mut output) = self.output.take() {
            output.read_to_end(&mut stdout).unwrap();
        }
        let mut status = None;
        eventually("the program ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let mut stderr = String::new();
        while let Ok(line) = self.errors.recv_timeout(PATIENCE) {
            stderr += &format!("{line}\n");
        }
        Ended {
            code: status.unwrap().code(),
            stdout,
            stderr,
        }
    }

    /// Waits for its end, which has to be this.
    pub fn ends_with(self, code: Option<i32>, output: &[u8]) {
        let ended = self.end();
        assert_eq!(ended.code, code, "{}", ended.stderr);
        assert!(ended.stdout == output, "{} bytes", ended.stdout.len());
    }

    pub fn succeeds_with(self, output: &[u8]) {
        self.ends_with(Some(0), output);
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        // Fails when it has ended, which is well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bytes that differ everywhere (a xorshift generator), the same for a seed.
pub fn pattern(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = (0..count.div_ceil(8)).flat_map(|_| next()).collect();
    bytes.truncate(count);
    bytes
}

/// Waits until somebody listens there, without connecting: `proc(5)` has the port in hexadecimal
/// and 0A for a listener.
pub fn wait_for_listener(port: &str) {
    let end = format!(":{:04X}", port.parse::<u16>().unwrap());
    eventually("the peer listens", || {
        ["/proc/net/tcp", "/proc/net/tcp6"].iter().any(|table| {
            let table = fs::read_to_string(table).unwrap_or_default();
            table.lines().any(|line| {
                let mut words = line.split_whitespace().skip(1);
                let local = words.next().unwrap_or_default();
                local.ends_with(&end) && words.nth(1) == Some("0A")
            })
        })
    });
}
