//! The zones that are served now, and how each thread gets at them.
//!
//! A reload puts new zones in the place of the old ones at once: a reply is made from one or from
//! the other, never from both. Each UDP worker holds the zones itself and looks at a number before
//! each reply, which costs nothing while nothing changes; only when it has changed the worker takes
//! the lock. Old zones go when the last thread lets go of them, so a worker that hears nothing keeps
//! them in memory until its next query.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::dns::answer::Zones;

/// The zones that are served now.
#[derive(Debug)]
pub struct Current {
    /// How often they were replaced.
    generation: AtomicU64,
    zones: Mutex<Arc<Zones>>,
}

/// A thread's hold on the zones.
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

    /// The zones as they are now.
    pub fn hold(&self) -> Held {
        // The number first: at worst it is too old, and the next look takes the lock once more.
        let generation = self.generation.load(Ordering::Acquire);
        let zones = self.zones.lock().unwrap_or_else(PoisonError::into_inner);
        Held {
            generation,
            zones: zones.clone(),
        }
    }

    /// Serves others from now on.
    pub fn replace(&self, zones: Zones) {
        let zones = Arc::new(zones);
        let old = {
            let mut place = self.zones.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *place, zones)
        };
        self.generation.fetch_add(1, Ordering::Release);
        drop(old); // without the lock: many names take a while
    }
}

impl Held {
    /// The zones, after a look whether they were replaced.
    pub fn zones(&mut self, current: &Current) -> &Zones {
        if self.generation != current.generation.load(Ordering::Acquire) {
            *self = current.hold();
        }
        &self.zones
    }
}
