//! The connections of each peer, counted where their number is limited.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use super::neighbour::neighbour;
use super::shared::lock;

/// The peers with a connection. An IPv6 peer is its /64.
pub(crate) struct PerPeer {
    limit: usize,
    counts: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection's place in its peer's count, given up on drop.
pub(crate) struct Place {
    peer: IpAddr,
    among: Arc<PerPeer>,
}

impl PerPeer {
    /// An empty count; each peer may have up to `limit` connections.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        let counts = Mutex::default();
        Arc::new(Self { limit, counts })
    }

    /// Counts one more connection of this peer; `None` if it is at its limit.
    pub(crate) fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let peer = neighbour(peer);
        let mut counts = self.lock();
        // Inserted only when there is room, or refused peers would fill the map.
        let count = counts.get(&peer).copied().unwrap_or(0);
        if count >= self.limit {
            return None;
        }
        counts.insert(peer, count + 1);
        let among = self.clone();
        Some(Place { peer, among })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        lock(&self.counts)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.among.lock();
        if let Some(count) = counts.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_that_are_refused_leave_nothing_behind() {
        let peer = IpAddr::from([192, 0, 2, 1]);
        for limit in [0, 1] {
            let peers = PerPeer::new(limit);
            let places: Vec<Place> = (0..limit).flat_map(|_| peers.enter(peer)).collect();
            assert!(peers.enter(peer).is_none());
            assert_eq!(peers.lock().len(), limit);
            drop(places);
            assert!(peers.lock().is_empty());
        }
    }
}
