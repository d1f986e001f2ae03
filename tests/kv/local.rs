//! The state machine alone as a `Store`: no log, no network. What the cases find here is the
//! machine's.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use groundwire::kv::command::check_key;
use groundwire::kv::{
    Changes, Command, Expected, KeyValue, Keys, Machine, Page, Reply, Revision, Store, StoreError,
    Swap, Watch,
};
use groundwire::raft::StateMachine;
use groundwire::wire;

use crate::conformance::conforms;

#[derive(Clone, Default)]
pub struct Local(Arc<(Mutex<Machine>, Condvar)>);

impl Local {
    /// As it would come from the log, and its reply as it would go to the client.
    fn apply(&self, command: Command<'_>) -> Result<Reply, StoreError> {
        let bytes = wire::encode(&command).unwrap();
        let reply = self.0.0.lock().unwrap().apply(0, &bytes);
        self.0.1.notify_all();
        match wire::decode(&reply).unwrap() {
            Reply::Refused(why) => Err(why.into()),
            reply => Ok(reply),
        }
    }
}

impl Store for Local {
    fn get(&self, key: &[u8]) -> Result<Option<KeyValue>, StoreError> {
        check_key(key)?;
        Ok(self.0.0.lock().unwrap().get(key))
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<Revision, StoreError> {
        match self.apply(Command::Put { key, value })? {
            Reply::Put(revision) => Ok(revision),
            other => panic!("{other:?}"),
        }
    }

    fn delete(&self, key: &[u8]) -> Result<Option<Revision>, StoreError> {
        match self.apply(Command::Delete { key })? {
            Reply::Deleted(revision) => Ok(revision),
            other => panic!("{other:?}"),
        }
    }

    fn compare_and_swap(
        &self,
        key: &[u8],
        expected: Expected<'_>,
        value: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        let command = Command::CompareAndSwap {
            key,
            expected,
            value,
        };
        match self.apply(command)? {
            Reply::Swap(swap) => Ok(swap),
            other => panic!("{other:?}"),
        }
    }

    fn list(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Page, StoreError> {
        Ok(self.0.0.lock().unwrap().list(prefix, after, limit))
    }

    fn watch(&self, keys: Keys, from: Revision) -> Result<Box<dyn Watch>, StoreError> {
        keys.check()?;
        let store = self.clone();
        Ok(Box::new(LocalWatch { store, keys, from }))
    }
}

struct LocalWatch {
    store: Local,
    keys: Keys,
    from: Revision,
}

impl Watch for LocalWatch {
    fn changes(&mut self, wait: Duration) -> Result<Changes, StoreError> {
        let until = Instant::now() + wait;
        let (machine, changed) = &*self.store.0;
        let mut machine = machine.lock().unwrap();
        loop {
            let found = machine.changes(&self.keys, self.from, 1000)?;
            self.from = found.next;
            let left = until.saturating_duration_since(Instant::now());
            if !found.changes.is_empty() || left.is_zero() {
                return Ok(found);
            }
            machine = changed.wait_timeout(machine, left).unwrap().0;
        }
    }
}

#[test]
fn the_state_machine_conforms() {
    conforms(&Local::default());
}
