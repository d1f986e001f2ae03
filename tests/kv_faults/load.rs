//! The clients: they write and read all the time, and note what they were told.
//!
//! Four of them share a few keys, and what they do becomes the history. One more writes each key
//! once and none again: whatever it was told is there must be there for ever.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use groundwire::kv::{Client, ClientConfig, Expected, Store, StoreError, Swap};
use groundwire::raft::history::{self, Kind, Outcome, Recorder};
use groundwire::server::Stopper;

use crate::seeded::Seeded;
use crate::within_bound;

/// Clients that share keys, as processes 1 to 4 of the history. The test itself is process 0.
const CLIENTS: u64 = 4;
/// Keys that they share; after each fault there are new ones, for a history of one key that is
/// long, with operations of unknown outcome in it, takes long to judge.
const KEYS: usize = 3;
/// Between two operations of a client.
const THINKING: Duration = Duration::from_millis(5);
/// The same of the client that writes once: each of its keys stays, and makes snapshots larger.
const PAUSE: Duration = Duration::from_millis(50);
/// So many writes show that the cluster goes on: more than can have been under way.
const ENOUGH: u64 = 100;
/// The keys that are written once.
const ONCE: &str = "once/";

pub struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    client: Client,
    file: PathBuf,
}

struct Shared {
    started: Instant,
    recorder: Mutex<Recorder>,
    phase: AtomicU64,
    /// Writes that were acknowledged.
    written: AtomicU64,
    /// Those of them that were of a key of their own.
    once: Mutex<BTreeSet<String>>,
    stop: Stopper,
}

impl Load {
    pub fn start(addresses: &[String], dice: &mut Seeded, folder: &Path) -> Self {
        let shared = Arc::new(Shared {
            started: Instant::now(),
            recorder: Mutex::default(),
            phase: AtomicU64::new(0),
            written: AtomicU64::new(0),
            once: Mutex::default(),
            stop: Stopper::new(),
        });
        let mut threads = Vec::new();
        for process in 1..=CLIENTS {
            let (shared, client, dice) = (shared.clone(), client(addresses), dice.child());
            threads.push(thread::spawn(move || {
                share(&shared, process, &client, dice)
            }));
        }
        let (once, writer) = (shared.clone(), client(addresses));
        threads.push(thread::spawn(move || write_once(&once, &writer)));
        Self {
            shared,
            threads,
            client: client(addresses),
            file: folder.join("history.jsonl"),
        }
    }

    /// From now on the clients use new keys.
    pub fn next_phase(&self) {
        self.shared.phase.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until writes are acknowledged.
    pub fn proceeds(&self, when: &str) {
        let written = || self.shared.written.load(Ordering::Relaxed);
        let before = written();
        within_bound(&format!("writes go on {when}"), || {
            (written() >= before + ENOUGH).then_some(())
        });
    }

    /// Reads the keys of this phase, and sees that nothing is missing that was written once.
    pub fn look_back(&self) {
        self.read_phase(self.shared.phase.load(Ordering::Relaxed));
        let acknowledged = self.shared.once.lock().unwrap().clone();
        let found = self.list_once();
        let lost: Vec<_> = acknowledged.difference(&found).collect();
        assert!(lost.is_empty(), "acknowledged, and not there: {lost:?}");
    }

    fn read_phase(&self, phase: u64) {
        for key in (0..KEYS).map(|at| key(phase, at)) {
            within_bound("a key is read", || {
                let told = self.shared.record(&self.client, 0, &key, Kind::Get);
                matches!(told, Outcome::Read(_)).then_some(())
            });
        }
    }

    fn list_once(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut after = None::<Vec<u8>>;
        loop {
            let page = within_bound("a list is answered", || {
                self.client
                    .list(ONCE.as_bytes(), after.as_deref(), 1000)
                    .ok()
            });
            after = page.entries.last().map(|entry| entry.key.clone());
            let keys = page.entries.into_iter().map(|entry| entry.key);
            found.extend(keys.map(|key| String::from_utf8(key).unwrap()));
            if !page.more {
                return found;
            }
        }
    }

    /// Ends the clients, reads everything once more, and judges the history.
    pub fn judge(mut self) {
        assert!(self.end(), "a client has panicked");
        for phase in 0..=self.shared.phase.load(Ordering::Relaxed) {
            self.read_phase(phase);
        }
        self.write_history();
        self.look_back();
        let recorder = self.shared.recorder.lock().unwrap();
        let verdict = history::check(recorder.operations());
        println!("{}: {verdict}", self.file.display());
        println!(
            "{} keys written once",
            self.shared.once.lock().unwrap().len()
        );
        assert!(verdict.is_linearizable(), "the history is wrong, see above");
    }

    /// Whether all clients went on until now.
    fn end(&mut self) -> bool {
        self.shared.stop.stop();
        let ends = self.threads.drain(..).map(JoinHandle::join);
        ends.filter(Result::is_err).count() == 0
    }

    fn write_history(&self) {
        let mut file = BufWriter::new(File::create(&self.file).unwrap());
        for operation in self.shared.recorder.lock().unwrap().operations() {
            writeln!(file, "{}", operation.to_line()).unwrap();
        }
        file.flush().unwrap();
    }
}

/// A test that fails leaves its history.
impl Drop for Load {
    fn drop(&mut self) {
        if !self.threads.is_empty() {
            self.end();
            self.write_history();
        }
    }
}

fn client(addresses: &[String]) -> Client {
    Client::new(ClientConfig {
        time: Duration::from_secs(5),
        try_time: Duration::from_secs(1),
        dial_timeout: Duration::from_millis(500),
        ..ClientConfig::new(addresses.to_vec())
    })
}

fn key(phase: u64, at: usize) -> String {
    format!("shared/{phase}/{at}")
}

/// A client of the shared keys.
fn share(shared: &Shared, process: u64, client: &Client, mut dice: Seeded) {
    // What it last knew of a key: the next compare-and-swap expects that.
    let mut known = (String::new(), None);
    for number in 0_u64.. {
        if shared.stop.wait_timeout(THINKING) {
            return;
        }
        let key = key(shared.phase.load(Ordering::Relaxed), dice.below(KEYS));
        let expected = known.1.take().filter(|_| known.0 == key);
        // No value is put twice.
        let new = format!("{process}.{number}").into_bytes();
        let kind = match dice.below(10) {
            0..4 => Kind::Get,
            4..7 => Kind::Put(new),
            7 => Kind::Delete,
            _ => Kind::CompareAndSwap { expected, new },
        };
        let outcome = shared.record(client, process, &key, kind.clone());
        known = match (kind, outcome) {
            (_, Outcome::Read(value)) => (key, value),
            (Kind::Put(value), Outcome::Done) => (key, Some(value)),
            _ => known,
        };
    }
}

/// The client of keys that are written once.
fn write_once(shared: &Shared, client: &Client) {
    for number in 0_u64.. {
        if shared.stop.wait_timeout(PAUSE) {
            return;
        }
        let key = format!("{ONCE}{number:08}");
        if client.put(key.as_bytes(), b"here").is_ok() {
            shared.once.lock().unwrap().insert(key);
        }
    }
}

impl Shared {
    /// Carries out one operation, and notes it.
    fn record(&self, client: &Client, process: u64, key: &str, kind: Kind) -> Outcome {
        let now = || self.started.elapsed();
        let begun = self
            .recorder
            .lock()
            .unwrap()
            .begin(process, now(), key, kind.clone());
        let outcome = carry_out(client, key.as_bytes(), &kind);
        if matches!(outcome, Outcome::Done | Outcome::Swapped(true)) {
            self.written.fetch_add(1, Ordering::Relaxed);
        }
        let mut recorder = self.recorder.lock().unwrap();
        recorder.end(begun, now(), outcome.clone());
        outcome
    }
}

fn carry_out(client: &Client, key: &[u8], kind: &Kind) -> Outcome {
    let done = match kind {
        Kind::Get => client
            .get(key)
            .map(|found| Outcome::Read(found.map(|found| found.value))),
        Kind::Put(value) => client.put(key, value).map(|_| Outcome::Done),
        Kind::Delete => client.delete(key).map(|_| Outcome::Done),
        Kind::CompareAndSwap { expected, new } => {
            // Revision 0 is that of a key that is not there.
            let expected = expected
                .as_deref()
                .map_or(Expected::Revision(0), Expected::Value);
            client
                .compare_and_swap(key, expected, Some(new))
                .map(|swap| Outcome::Swapped(matches!(swap, Swap::Done(_))))
        }
    };
    done.unwrap_or_else(|why| match why {
        StoreError::Unknown(_) => Outcome::Unknown,
        _ => Outcome::Failed,
    })
}
