//! Segments that were sent and not acknowledged yet, of all connections together. Pure.
//!
//! One list per side, in one store of at most [`Unacked::MOST`] entries. A list holds at most
//! [`Unacked::A_SIDE`]; beyond that, its oldest entry is dropped. A dropped entry can only make a
//! repeated segment count as a late one.

use super::analysis::before;

#[derive(Clone, Copy, Debug)]
struct Sent {
    from: u32,
    to: u32,
    /// The next in its list or among the free ones, plus one; 0 is the end.
    then: u32,
}

/// One side's list: its first and last place, each plus one.
#[derive(Clone, Debug, Default)]
pub(super) struct List {
    first: u32,
    last: u32,
    count: u32,
}

/// The store.
#[derive(Clone, Debug, Default)]
pub(super) struct Unacked {
    sent: Vec<Sent>,
    free: u32,
}

impl Unacked {
    /// The most segments in the store: 12 MiB.
    const MOST: usize = 1 << 20;
    /// The most segments of a side.
    const A_SIDE: u32 = 1024;

    fn get(&self, place: u32) -> Option<&Sent> {
        self.sent.get(place.checked_sub(1)? as usize)
    }

    fn get_mut(&mut self, place: u32) -> Option<&mut Sent> {
        self.sent.get_mut(place.checked_sub(1)? as usize)
    }

    /// Appends a segment to a list.
    pub(super) fn add(&mut self, list: &mut List, from: u32, to: u32) {
        if list.count >= Self::A_SIDE {
            self.drop_first(list);
        }
        let Some(place) = self.room(Sent { from, to, then: 0 }) else {
            return;
        };
        match self.get_mut(list.last) {
            Some(last) => last.then = place,
            None => list.first = place,
        }
        list.last = place;
        list.count += 1;
    }

    /// Stores a segment where there is room.
    fn room(&mut self, sent: Sent) -> Option<u32> {
        let place = self.free;
        if let Some(free) = self.get_mut(place) {
            let then = std::mem::replace(free, sent).then;
            self.free = then;
            return Some(place);
        }
        if self.sent.len() >= Self::MOST {
            return None;
        }
        self.sent.push(sent);
        u32::try_from(self.sent.len()).ok()
    }

    /// Removes the acknowledged segments from a list's start.
    pub(super) fn acknowledged(&mut self, list: &mut List, ack: u32) {
        while self
            .get(list.first)
            .is_some_and(|sent| !before(ack, sent.to))
        {
            self.drop_first(list);
        }
    }

    /// Empties a list.
    pub(super) fn clear(&mut self, list: &mut List) {
        while list.first != 0 {
            self.drop_first(list);
        }
    }

    /// Whether a segment of the list had exactly these bytes.
    pub(super) fn holds(&self, list: &List, from: u32, to: u32) -> bool {
        let mut place = list.first;
        while let Some(sent) = self.get(place) {
            if sent.from == from && sent.to == to {
                return true;
            }
            place = sent.then;
        }
        false
    }

    /// How many segments the store has allocated room for.
    #[cfg(test)]
    pub(super) fn room_made(&self) -> usize {
        self.sent.len()
    }

    fn drop_first(&mut self, list: &mut List) {
        let (place, free) = (list.first, self.free);
        let Some(first) = self.get_mut(place) else {
            *list = List::default();
            return;
        };
        let then = std::mem::replace(&mut first.then, free);
        self.free = place;
        list.first = then;
        list.count = list.count.saturating_sub(1);
        if then == 0 {
            list.last = 0;
        }
    }
}
