//! Debian's etcd-server: the cases on it, and the machine beside it, command by command.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use groundwire::http::{ClientExchange, Limits, Request};
use groundwire::kv::etcd::{Config, Etcd};
use groundwire::kv::{Compacted, Expected, Keys, Store, StoreError};

use crate::conformance::conforms;
use crate::local::Local;
use crate::support::{Folder, PATIENCE, Seeded, connect, eventually, free_port};

const PROGRAM: &str = "/usr/bin/etcd";

/// A running etcd with one member, on ports of 127.0.0.1 that are free. It is killed
/// when the value is dropped.
pub struct Server {
    child: Child,
    folder: Folder,
    ports: [u16; 2],
}

impl Server {
    /// Waits until it answers; `None` where it is not installed, which is printed.
    pub fn start() -> Option<Self> {
        if !Path::new(PROGRAM).exists() {
            println!("skipped: {PROGRAM} is not installed");
            return None;
        }
        let folder = Folder::new();
        let ports = [free_port(), free_port()];
        let server = Self {
            child: spawn(&folder, ports),
            folder,
            ports,
        };
        server.wait();
        Some(server)
    }

    /// kill -9, and the same data again.
    pub fn kill_and_restart(&mut self) {
        self.kill();
        self.child = spawn(&self.folder, self.ports);
        self.wait();
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    /// Its limit makes pages and watches of large values come in parts.
    pub fn client(&self) -> Etcd {
        let config = Config {
            max_answer: 4 << 20,
            timeout: PATIENCE,
            ..Config::default()
        };
        Etcd::new(&[&self.url()], config).unwrap()
    }

    fn wait(&self) {
        let client = self.client();
        eventually("etcd answers", || client.get(b"ready").is_ok());
    }

    /// A call that `Store` does not have.
    fn post(&self, path: &str, body: &str) {
        let address = format!("127.0.0.1:{}", self.ports[0]);
        let mut exchange = ClientExchange::new(connect(&address), Limits::default());
        let mut request = Request::new("POST", path, &address);
        request.body = body.into();
        exchange.send(&request).unwrap();
        assert_eq!(exchange.receive("POST", 4096).unwrap().status, 200);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(folder: &Folder, [clients, peers]: [u16; 2]) -> Child {
    let clients = format!("http://127.0.0.1:{clients}");
    let peers = format!("http://127.0.0.1:{peers}");
    let log = File::create(folder.path("log")).unwrap();
    Command::new(PROGRAM)
        .args(["--name", "one", "--data-dir", &folder.path("data")])
        .args(["--listen-client-urls", &clients])
        .args(["--advertise-client-urls", &clients])
        .args(["--listen-peer-urls", &peers])
        .args(["--initial-advertise-peer-urls", &peers])
        .args(["--initial-cluster", &format!("one={peers}")])
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

#[test]
fn etcd_conforms() {
    if let Some(server) = Server::start() {
        conforms(&server.client());
    }
}

#[test]
fn etcd_and_the_state_machine_agree_on_random_commands() {
    let Some(server) = Server::start() else {
        return;
    };
    let (etcd, ours) = (server.client(), Local::default());
    let mut seeded = Seeded::new(1);
    for step in 0..300 {
        let keys: [&[u8]; 5] = [b"a", b"a/1", b"a/2", b"b", b"\xff"];
        let values: [&[u8]; 3] = [b"", b"1", b"22"];
        let mut pick = |count| seeded.below(count);
        let (key, value) = (keys[pick(5)], values[pick(3)]);
        let revision = pick(step + 1) as u64;
        let (kind, expected) = (pick(6), values[pick(3)]);
        let both: [&dyn Store; 2] = [&etcd, &ours];
        let [theirs, ours] = both.map(|store| match kind {
            0 => format!("{:?}", store.get(key)),
            1 => format!("{:?}", store.put(key, value)),
            2 => format!("{:?}", store.delete(key)),
            3 => {
                let expected = Expected::Value(expected);
                format!("{:?}", store.compare_and_swap(key, expected, Some(value)))
            }
            4 => {
                let now = store.get(key).unwrap().map_or(0, |now| now.mod_revision);
                let expected = Expected::Revision(if step % 2 == 0 { now } else { revision });
                format!("{:?}", store.compare_and_swap(key, expected, None))
            }
            _ => format!("{:?}", store.list(key, Some(keys[step % 5]), 1 + step % 3)),
        });
        assert_eq!(theirs, ours, "step {step}: {kind} of {key:?}");
    }
    let all = |store: &dyn Store| {
        let mut watch = store.watch(Keys::Prefix(Vec::new()), 0).unwrap();
        watch.changes(Duration::from_secs(5)).unwrap()
    };
    assert_eq!(all(&etcd), all(&ours));
}

#[test]
fn a_watch_from_before_a_compaction_is_told_so() {
    let Some(server) = Server::start() else {
        return;
    };
    let client = server.client();
    for value in ["1", "2", "3"] {
        client.put(b"a", value.as_bytes()).unwrap();
    }
    server.post("/v3/kv/compaction", r#"{"revision":"3"}"#);
    let from = |revision| client.watch(Keys::One(b"a".to_vec()), revision).unwrap();
    let told = from(1).changes(Duration::from_secs(5));
    let compacted = StoreError::Compacted(Compacted { oldest: 3 });
    assert_eq!(told, Err(compacted));
    let told = from(3).changes(Duration::from_secs(5)).unwrap();
    assert_eq!((told.changes.len(), told.next), (2, 5));
}

#[test]
fn calls_and_watches_go_on_when_etcd_was_killed_and_came_back() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let client = server.client();
    let first = client.put(b"a", b"1").unwrap();
    let mut watch = client.watch(Keys::One(b"a".to_vec()), first).unwrap();
    let wait = Duration::from_secs(20);
    assert_eq!(watch.changes(wait).unwrap().next, first + 1);
    server.kill_and_restart();
    // The kept connection is closed, which is noticed before anything is sent on it.
    assert_eq!(client.put(b"a", b"2"), Ok(first + 1));
    let broken = watch.changes(wait);
    assert!(matches!(broken, Err(StoreError::NotDone(_))), "{broken:?}");
    let told = watch.changes(wait).unwrap();
    assert_eq!((told.changes.len(), told.next), (1, first + 2));
    server.kill();
    let down = client.put(b"a", b"3");
    assert!(matches!(down, Err(StoreError::NotDone(_))), "{down:?}");
}
