//! A storage in memory that outlives the node that writes to it, and can be full: for nodes that
//! are threads.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::contract::{Restored, Storage, StorageError};
use super::memory::MemoryStorage;
use crate::raft::port::Persist;

/// A handle on one [`MemoryStorage`]: the node has one, and the code that restarts it another.
#[derive(Clone, Debug, Default)]
pub struct SharedStorage(Arc<Mutex<Disk>>);

#[derive(Debug, Default)]
struct Disk {
    storage: MemoryStorage,
    full: bool,
}

impl SharedStorage {
    /// A storage that holds this already, stable.
    pub fn new(stable: Restored) -> Self {
        let storage = MemoryStorage::new(stable);
        let full = false;
        Self(Arc::new(Mutex::new(Disk { storage, full })))
    }

    /// As [`MemoryStorage::load`].
    pub fn load(&self) -> Restored {
        self.lock().storage.load()
    }

    /// Whether the disk is full from now on: then writes are refused, and nothing else happens.
    pub fn set_full(&self, full: bool) {
        self.lock().full = full;
    }

    /// A node that panicked while it held the lock counts as crashed: its stable part is whole.
    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Storage for SharedStorage {
    fn write(&mut self, write: &Persist) -> Result<(), StorageError> {
        let mut disk = self.lock();
        if disk.full {
            let path = PathBuf::from("memory");
            return Err(StorageError::Full { path });
        }
        disk.storage.write(write)
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        self.lock().storage.sync()
    }
}
