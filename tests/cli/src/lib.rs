//! What the tests of the programs share: finding the programs, running servers, waiting.
//!
//! The programs are driven as a user drives them: arguments, standard streams, sockets, signals,
//! exit status. Nothing of the library is linked in, so a test cannot know more than a user.
//!
//! - [`path`], [`program`]: a built program; the second is ready to be given arguments.
//! - [`Server`]: a program that announces `listening on NETWORK ADDRESS` and serves until a signal.
//! - [`connect`], [`ask`]: the least of a client, over std; [`free_port`]: where port 0 will not do.
//! - [`namespace`]: hosts and routers of a test's own, where the machine allows that.
//! - [`json`]: as much of RFC 8259 as it takes to check a line and look into it.
//!
//! Waiting has no sleeps: a test waits for a line, a connection, an exit. [`PATIENCE`] ends a
//! broken test, and no passing test waits for it.

pub mod json;
pub mod namespace;
#[path = "../../support/ports.rs"]
mod ports;

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

pub use ports::free_port;

/// A safety net for a broken test.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Where a built program is: in `GROUNDWIRE_BIN_DIR`, or in the debug build of this clone.
///
/// Panics with what to do when it is not built.
pub fn path(program: &str) -> PathBuf {
    let path = bin_dir().join(program);
    assert!(
        path.is_file(),
        "{} is not there: build the programs with `cargo build --bins --examples` at the root of the \
         clone, \
         or name their folder in GROUNDWIRE_BIN_DIR",
        path.display()
    );
    path
}

/// A built program, to be run to its end: with empty input unless it is given some, and killed
/// after [`PATIENCE`].
pub fn program(name: &str) -> assert_cmd::Command {
    let mut program = assert_cmd::Command::new(path(name));
    program.timeout(PATIENCE);
    program
}

fn bin_dir() -> PathBuf {
    let named = env::var_os("GROUNDWIRE_BIN_DIR").filter(|dir| !dir.is_empty());
    named.map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/debug"),
        PathBuf::from,
    )
}

/// Whether `tool` is installed; says that its test is skipped when it is not.
pub fn installed(tool: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).any(|dir| dir.join(tool).is_file());
    if !found {
        eprintln!("skipped: {tool} is not installed");
    }
    found
}

/// The soft limit on open descriptors of a running program.
pub fn descriptor_limit(pid: u32) -> u64 {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let mut lines = limits.lines();
    let files = lines.find(|line| line.starts_with("Max open files"));
    let soft = files.unwrap().split_whitespace().nth(3);
    soft.unwrap().parse().unwrap()
}

/// `linux/sched.h`
pub const SCHED_BATCH: u32 = 3;

/// The policies of a process's threads: field 41 of `/proc/PID/task/TID/stat` (`proc(5)`).
pub fn scheduling_policies(process: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let policy = |thread: PathBuf| {
        let stat = std::fs::read_to_string(thread.join("stat")).unwrap();
        // The name, which is the second field, may have spaces.
        let (_, rest) = stat.rsplit_once(") ").unwrap();
        rest.split(' ').nth(41 - 3).unwrap().parse().unwrap()
    };
    threads
        .map(|thread| policy(thread.unwrap().path()))
        .collect()
}

/// Sends a signal, `TERM` or `INT`, to a process that the caller started.
pub fn signal(pid: u32, name: &str) {
    // The shell's own `kill`: the program of that name is not everywhere.
    let command = format!("kill -{name} {pid}");
    let status = Command::new("sh").args(["-c", &command]).status().unwrap();
    assert!(status.success(), "{command}: {status}");
}

/// Whether this test was started with SIGHUP ignored, which its children inherit.
pub fn hangups_are_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let set = u64::from_str_radix(ignored.unwrap().trim(), 16).unwrap();
    set & 1 != 0 // SIGHUP is signal 1
}

/// A pipe with a name, in a folder of the caller's.
pub fn named_pipe(path: &Path) {
    let status = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(status.success(), "mkfifo {}: {status}", path.display());
}

/// Waits until something that must come true does: yields between looks, and fails the test
/// after [`PATIENCE`].
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "never came true: {what}");
        thread::yield_now();
    }
}

/// A running program, killed by its own handle when the test is over.
pub struct Running {
    child: Child,
    stdout: Option<Receiver<String>>,
    stderr: Option<Receiver<String>>,
}

/// How a program ended, and what it had printed since the last look.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; `None` after a death by signal.
    pub code: Option<i32>,
    /// The same with the signal.
    pub status: ExitStatus,
    /// The lines of standard output that no [`Running::line`] had taken.
    pub stdout: Vec<String>,
    /// Standard error, the whole of it.
    pub stderr: String,
}

impl Running {
    /// Starts a program with both output streams captured.
    pub fn start(name: &str, args: &[&str]) -> Self {
        let (mut running, stdout) = Self::start_unread(name, args);
        running.stdout = Some(lines_of(stdout));
        running
    }

    /// The same by a shell that first runs `before`, as `ulimit -n 64`.
    pub fn start_after(before: &str, name: &str, args: &[&str]) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{before}; exec \"$0\" \"$@\"")]);
        let (mut running, stdout) = Self::spawn(shell.arg(path(name)).args(args));
        running.stdout = Some(lines_of(stdout));
        running
    }

    /// Starts a program with the reading of standard output left to the caller.
    pub fn start_unread(name: &str, args: &[&str]) -> (Self, ChildStdout) {
        Self::spawn(Command::new(path(name)).args(args))
    }

    fn spawn(command: &mut Command) -> (Self, ChildStdout) {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("starting {command:?}: {error}"));
        let stdout = child.stdout.take().unwrap();
        let stderr = lines_of(child.stderr.take().unwrap());
        let running = Self {
            child,
            stdout: None,
            stderr: Some(stderr),
        };
        (running, stdout)
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line of standard output; `None` at its end.
    pub fn line(&self) -> Option<String> {
        next(
            self.stdout
                .as_ref()
                .expect("standard output is the caller's"),
        )
    }

    /// The next line of standard error; `None` at its end. What is taken is not in [`Ended`].
    pub fn error_line(&self) -> Option<String> {
        next(
            self.stderr
                .as_ref()
                .expect("standard error is there until the end"),
        )
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Ends it at once, as `kill -9` does, and waits for that.
    pub fn kill(mut self) -> Ended {
        self.child.kill().unwrap();
        self.end()
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ended {
        let stdout = self.stdout.take().map_or(Vec::new(), rest);
        let stderr = self.stderr.take().map_or(Vec::new(), rest);
        let stderr = stderr.iter().map(|line| format!("{line}\n")).collect();
        // Its streams are closed, so its end is near.
        let mut status = None;
        eventually("the program ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let status = status.expect("it has ended");
        Ended {
            code: status.code(),
            status,
            stdout,
            stderr,
        }
    }

    /// Signals it and waits for its end.
    pub fn end_by(self, name: &str) -> Ended {
        self.signal(name);
        self.end()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails when it has ended, which is well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a stream, read by a thread so that the program never waits for the test.
fn lines_of(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).into()).is_err() {
                return;
            }
        }
    });
    receiver
}

fn next(lines: &Receiver<String>) -> Option<String> {
    match lines.recv_timeout(PATIENCE) {
        Ok(line) => Some(line),
        Err(mpsc::RecvTimeoutError::Disconnected) => None,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("no line came"),
    }
}

fn rest(lines: Receiver<String>) -> Vec<String> {
    std::iter::from_fn(|| next(&lines)).collect()
}

/// A server that has announced its address.
pub struct Server {
    /// As announced: `tcp`, `udp`, `unix` ...
    pub network: String,
    /// As announced: `127.0.0.1:40001`, or a path.
    pub address: String,
    running: Running,
}

impl Server {
    /// Starts a server and reads its first line, `listening on NETWORK ADDRESS`.
    pub fn start(program: &str, args: &[&str]) -> Self {
        Self::announced_by(Running::start(program, args))
    }

    /// Reads the first line of a server that was started otherwise.
    pub fn announced_by(running: Running) -> Self {
        let Some(first) = running.line() else {
            panic!("a server did not start: {:?}", running.end());
        };
        let (network, address) = announced(&first);
        Self {
            network,
            address,
            running,
        }
    }

    /// A TCP echo server on a port of its own.
    pub fn tcp(args: &[&str]) -> Self {
        Self::start("tcp-echo-server", &[&["127.0.0.1:0"], args].concat())
    }

    /// A UDP echo server on a port of its own.
    pub fn udp(args: &[&str]) -> Self {
        Self::start("udp-echo-server", &[&["127.0.0.1:0"], args].concat())
    }

    /// A Unix echo server at `path`.
    pub fn unix(path: &str, args: &[&str]) -> Self {
        Self::start("unix-echo-server", &[&[path], args].concat())
    }

    /// The port, for programs that take it apart from the host.
    pub fn port(&self) -> &str {
        self.address.rsplit(':').next().unwrap()
    }
}

impl std::ops::Deref for Server {
    type Target = Running;

    fn deref(&self) -> &Running {
        &self.running
    }
}

impl Server {
    /// See [`Running::kill`].
    pub fn kill(self) -> Ended {
        self.running.kill()
    }

    /// See [`Running::end`].
    pub fn end(self) -> Ended {
        self.running.end()
    }

    /// See [`Running::end_by`].
    pub fn end_by(self, name: &str) -> Ended {
        self.running.end_by(name)
    }

    /// The next line of standard output, which must come.
    pub fn next_line(&mut self) -> String {
        self.running.line().expect("one more line")
    }

    /// Waits for its end: standard output after what was taken, standard error, exit status.
    pub fn wait(self) -> (String, String, ExitStatus) {
        let ended = self.running.end();
        let stdout = ended
            .stdout
            .iter()
            .map(|line| format!("{line}\n"))
            .collect();
        (stdout, ended.stderr, ended.status)
    }

    /// Ends it by a signal; it must exit with 0 and print its totals last, which are returned.
    pub fn stop(self) -> String {
        let ended = self.running.end_by("TERM");
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.stdout.last().expect("a line of totals").clone()
    }
}

/// The network and address of a first line.
pub fn announced(line: &str) -> (String, String) {
    let words = line
        .strip_prefix("listening on ")
        .and_then(|rest| rest.split_once(' '));
    let (network, address) = words.unwrap_or_else(|| panic!("not an announcement: {line:?}"));
    (network.into(), address.into())
}

/// A connection on which nothing blocks beyond [`PATIENCE`].
pub fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap_or_else(|e| panic!("{address}: {e}"));
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends a line (its line feed is added) and reads as many bytes back.
pub fn ask(stream: &mut TcpStream, line: &str) -> String {
    let line = format!("{line}\n");
    stream.write_all(line.as_bytes()).unwrap();
    let mut reply = vec![0; line.len()];
    stream.read_exact(&mut reply).unwrap();
    let reply = String::from_utf8(reply).unwrap();
    reply.trim_end_matches('\n').into()
}

/// Half-closes and reads to the end.
pub fn finish(mut stream: TcpStream) -> Vec<u8> {
    stream.shutdown(Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    rest
}

/// Whether the server has ended this connection without a word: the end of the stream, or a
/// reset. A time-out fails the test.
pub fn is_turned_away(mut stream: TcpStream) -> bool {
    match stream.read(&mut [0; 16]) {
        Ok(count) => count == 0,
        Err(error) => {
            let kind = error.kind();
            assert!(kind == std::io::ErrorKind::ConnectionReset, "{error}");
            true
        }
    }
}
