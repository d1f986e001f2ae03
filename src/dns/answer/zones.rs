//! Several zones, and the choice of the one that answers for a name.

use std::fmt;
use std::sync::Arc;

use super::prepared::Prepared;
use crate::dns::code::RecordType;
use crate::dns::name::Name;
use crate::dns::zone::{Key, Lookup, Table, Zone};

/// The zones of a server. They do not change: a reload makes a new `Zones`, which shares the zones
/// that stay.
#[derive(Debug, Default)]
pub struct Zones {
    zones: Vec<Arc<Zone>>,
    apexes: Table,
    /// How many labels the longest apex has: for a longer name, the search starts there.
    deepest: usize,
    /// The common answers of each zone.
    prepared: Vec<Prepared>,
}

/// Two zones begin at this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SameApex(pub Name);

impl fmt::Display for SameApex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "two zones begin at {}", self.0)
    }
}

impl std::error::Error for SameApex {}

impl Zones {
    /// Combines zones and prepares their answers, which takes time and memory in proportion to
    /// their records.
    pub fn new(zones: impl IntoIterator<Item = Arc<Zone>>) -> Result<Self, SameApex> {
        let mut all = Self::default();
        for zone in zones {
            let key = Key::new(zone.apex());
            if all.find(&key, 0).is_some() {
                return Err(SameApex(zone.apex().clone()));
            }
            all.apexes.add(&key, 0, all.zones.len());
            all.deepest = all.deepest.max(key.labels());
            all.zones.push(zone);
        }
        // Aliases lead from zone to zone, so all zones must be known.
        all.prepared = all
            .zones
            .iter()
            .map(|zone| Prepared::new(zone, &all))
            .collect();
        Ok(all)
    }

    /// The zones, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Zone>> {
        self.zones.iter()
    }

    /// The zone that begins at this name.
    pub fn at(&self, apex: &Name) -> Option<&Arc<Zone>> {
        self.zones.get(self.find(&Key::new(apex), 0)?)
    }

    /// The zone that answers for a name and type: the one with the longest apex that contains the
    /// name. A question for the parent side of a delegation goes to the parent zone; if that is not
    /// here, the child denies the record (RFC 4035 §3.1.4.1).
    pub(super) fn of(&self, key: &Key, kind: RecordType) -> Option<(&Zone, Option<&Prepared>)> {
        let longest = |start: usize| {
            let start = start.max(key.labels().saturating_sub(self.deepest));
            (start..=key.labels()).find_map(|without| self.find(key, without))
        };
        let above = match kind {
            RecordType::DS => longest(1).filter(|number| self.is_parent(*number, key)),
            _ => None,
        };
        let number = above.or_else(|| longest(0))?;
        Some((self.zones.get(number)?, self.prepared.get(number)))
    }

    /// Whether a zone above a name is its parent: not if the name is below a delegation, because
    /// then the parent is a zone between them.
    fn is_parent(&self, number: usize, key: &Key) -> bool {
        let meaning = self.zones.get(number).map(|zone| zone.look_up(key));
        !matches!(
            meaning,
            Some(Lookup::Cut {
                is_exact: false,
                ..
            })
        )
    }

    fn find(&self, key: &Key, without: usize) -> Option<usize> {
        let apex = |number| self.zones.get(number).map(|zone: &Arc<Zone>| zone.apex());
        self.apexes.find(key, without, apex)
    }
}
