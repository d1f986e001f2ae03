//! What the socket tests share: servers on port 0, folders of their own, bounded waiting.
#![allow(dead_code, unused_imports)] // each test binary uses a part

pub mod browser;
mod ports;
pub mod seeded;

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use groundwire::echo::{EchoConfig, EchoHandler};
use groundwire::net::{self, Conn, Deadline, Dialer, Listener, Network};
use groundwire::server::{Config, Handler, Running, Server};

pub use ports::free_port;
pub use seeded::Seeded;

/// A safety net for a broken test, not something that a passing test waits for.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A server on a thread of its own, and where it listens.
pub fn serve<H: Handler + 'static>(config: Config, handler: H) -> (Running, String) {
    let (listener, address) = listener();
    let server = Server::new(config, handler).start(listener).unwrap();
    (server, address)
}

/// An echo server with the default limits.
pub fn echo() -> (Running, String) {
    serve(Config::default(), EchoHandler::default())
}

/// An echo server with other limits.
pub fn echo_with(config: EchoConfig) -> (Running, String) {
    serve(Config::default(), EchoHandler::new(config))
}

/// A connection whose every call fails after [`PATIENCE`].
pub fn connect(address: &str) -> Conn {
    let conn = net::dial(Network::Tcp, address).unwrap();
    conn.set_deadline(Deadline::after(PATIENCE));
    conn
}

/// A TCP listener on loopback, and its address.
pub fn listener() -> (Listener, String) {
    let listener = net::listen(Network::Tcp, "127.0.0.1:0").unwrap();
    let address = listener.local_addr().to_string();
    (listener, address)
}

/// An address at which nobody listens.
pub fn nobody() -> String {
    format!("127.0.0.1:{}", free_port())
}

/// Both ends of a TCP connection on loopback.
pub fn tcp_pair() -> (Conn, Conn) {
    let (listener, address) = listener();
    let ours = net::dial(Network::Tcp, &address).unwrap();
    let theirs = listener.accept().unwrap();
    ours.set_deadline(Deadline::after(PATIENCE));
    theirs.set_deadline(Deadline::after(PATIENCE));
    (ours, theirs)
}

/// A connection from another address of this machine.
pub fn connect_from(local: &str, address: &str) -> Conn {
    let dialer = Dialer {
        local: Some(local.parse().unwrap()),
        ..Dialer::default()
    };
    let conn = dialer.dial(Network::Tcp, address).unwrap();
    conn.set_deadline(Deadline::after(PATIENCE));
    conn
}

/// Waits until something that must come true does: yields between looks, and fails the test after
/// [`PATIENCE`].
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "never came true: {what}");
        std::thread::yield_now();
    }
}

/// Waits until `count` threads of this name sleep: in the system call that they were sent into.
pub fn eventually_blocked(name: &str, count: usize) {
    eventually(&format!("{count} threads named {name} sleep"), || {
        let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
        // `PID (NAME) STATE ...`, proc_pid_stat(5); a thread may end while we look.
        let stats = tasks.filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
        let asleep = format!(" ({name}) S ");
        stats.filter(|stat| stat.contains(&asleep)).count() == count
    });
}

/// Runs a test (`module::name`) in a process of its own, for what is counted or set for a whole
/// process. `None` in that process; the caller outside gets what it printed, and has nothing left
/// to do.
pub fn in_own_process(test: &str, environment: &[(&str, &str)]) -> Option<String> {
    const MARK: &str = "GROUNDWIRE_OWN_PROCESS";
    if std::env::var_os(MARK).is_some() {
        return None;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--test-threads=1", "--nocapture"])
        .env(MARK, "1")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    let passed = output.status.success() && printed.contains("1 passed");
    assert!(passed, "{}\n{printed}", output.status);
    Some(printed)
}

/// A writer for a log that a test reads.
#[derive(Clone, Default)]
pub struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A fresh folder, removed at the end of the test.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // Of a killed test the folder stays, and its process id comes again.
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("groundwire-test-{}-{number}", std::process::id());
            let path = std::env::temp_dir().join(name);
            match fs::create_dir(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made.map(|()| Self(path)).unwrap(),
            }
        }
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// How many entries a folder of `/proc/self` has: `fd` or `task`.
pub fn count_of(what: &str) -> usize {
    fs::read_dir(format!("/proc/self/{what}")).unwrap().count()
}
