//! The zones that are served now, and how each thread reaches them.
//!
//! A reload replaces all zones at once: a reply is made from the old ones or from the new ones,
//! never from both. Each UDP worker holds a reference to the zones and compares a number before
//! each reply, which costs almost nothing; only if the number has changed does it take the lock.
//! Old zones are freed when the last thread lets go of them, so a worker without queries keeps them
//! in memory until its next query.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::dns::answer::Zones;

/// The zones that are served now.
#[derive(Debug)]
pub struct Current {
    /// How often the zones were replaced.
    generation: AtomicU64,
    zones: Mutex<Arc<Zones>>,
}

/// A thread's reference to the zones.
#[derive(Debug)]
pub struct Held {
    generation: u64,
    zones: Arc<Zones>,
}

impl Current {
    /// The first zones.
    pub fn new(zones: Zones) -> Self {
        Self {
            generation: AtomicU64::new(0),
            zones: Mutex::new(Arc::new(zones)),
        }
    }

    /// A reference to the present zones.
    pub fn hold(&self) -> Held {
        // The number first: at worst it is too old, and the next call takes the lock once more.
        let generation = self.generation.load(Ordering::Acquire);
        let zones = self.zones.lock().unwrap_or_else(PoisonError::into_inner);
        Held {
            generation,
            zones: zones.clone(),
        }
    }

    /// Serves these zones from now on.
    pub fn replace(&self, zones: Zones) {
        let zones = Arc::new(zones);
        let old = {
            let mut place = self.zones.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *place, zones)
        };
        self.generation.fetch_add(1, Ordering::Release);
        drop(old); // after the lock is released: a large zone takes a while
    }
}

impl Held {
    /// The present zones: checks first whether they were replaced.
    pub fn zones(&mut self, current: &Current) -> &Zones {
        if self.generation != current.generation.load(Ordering::Acquire) {
            *self = current.hold();
        }
        &self.zones
    }
}
