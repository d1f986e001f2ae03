//! A storage in memory that outlives the node that writes to it: for nodes that are threads.

use std::sync::{Arc, Mutex, PoisonError};

use super::contract::{Restored, Storage, StorageError};
use super::memory::MemoryStorage;
use crate::raft::dice::Dice;
use crate::raft::port::Persist;

/// A handle on one [`MemoryStorage`]: the node has one, and the code that restarts it another.
#[derive(Clone, Debug, Default)]
pub struct SharedStorage(Arc<Mutex<MemoryStorage>>);

impl SharedStorage {
    /// A storage that holds this already, stable.
    pub fn new(stable: Restored) -> Self {
        Self(Arc::new(Mutex::new(MemoryStorage::new(stable))))
    }

    /// As [`MemoryStorage::load`].
    pub fn load(&self) -> Restored {
        self.with(|storage| storage.load())
    }

    /// As [`MemoryStorage::crash`]; the node that wrote must have ended.
    pub fn crash(&self, dice: &mut Dice) {
        self.with(|storage| storage.crash(dice));
    }

    /// As [`MemoryStorage::set_full`].
    pub fn set_full(&self, full: bool) {
        self.with(|storage| storage.set_full(full));
    }

    /// A node that panicked while it held the lock counts as crashed: its stable part is whole.
    fn with<T>(&self, act: impl FnOnce(&mut MemoryStorage) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Storage for SharedStorage {
    fn write(&mut self, write: &Persist) -> Result<(), StorageError> {
        self.with(|storage| storage.write(write))
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        self.with(|storage| storage.sync())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::HardState;

    #[test]
    fn a_restarted_node_finds_what_its_predecessor_synced() {
        let kept = SharedStorage::new(Restored::default());
        assert!(kept.load().is_new());
        let mut of_node = kept.clone();
        let hard_state = |term| Persist {
            hard_state: Some(HardState { term, vote: None }),
            ..Persist::default()
        };
        of_node.write(&hard_state(1)).unwrap();
        of_node.sync().unwrap();
        of_node.write(&hard_state(2)).unwrap();
        drop(of_node);
        assert_eq!(kept.load().hard_state.term, 1);
    }
}
