//! A storage in memory that outlives the node that writes to it: for nodes that are threads.

use std::sync::{Arc, Mutex, PoisonError};

use super::contract::{Restored, Storage, StorageError};
use super::memory::MemoryStorage;
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
