//! Seeded random numbers, and the mutations of a message.

pub use crate::seeded::Seeded;

/// Numbers that sit on a border.
const BORDERS: [u32; 10] = [
    0,
    1,
    2,
    0x7f,
    0xff,
    0x100,
    0xffff,
    0x7fff_ffff,
    0xffff_fffe,
    0xffff_ffff,
];

impl Seeded {
    /// Changes `message` in one to four places.
    pub fn mutate(&mut self, message: &mut Vec<u8>, other: &[u8]) {
        for _ in 0..1 + self.below(4) {
            self.mutate_once(message, other);
        }
    }

    fn mutate_once(&mut self, message: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(message.len());
        let len = self.below((message.len() - at).min(16) + 1);
        match self.below(9) {
            0 | 1 if !message.is_empty() => message[at] ^= 1 << self.below(8),
            2 if !message.is_empty() => message[at] = self.next() as u8,
            3 => message.insert(at, self.next() as u8),
            4 => drop(message.drain(at..at + len)),
            5 => message.truncate(at),
            6 => {
                // A part twice.
                let part = message[at..at + len].to_vec();
                message.splice(at..at, part);
            }
            7 => {
                // A part of another message in its place.
                let from = self.below(other.len());
                let until = from + self.below((other.len() - from).min(32) + 1);
                message.splice(at..at + len, other[from..until].iter().copied());
            }
            _ => {
                // A length, a count, a number on a border, or a little more or less.
                let Some(place) = message.get_mut(at..at + 4) else {
                    return;
                };
                let old = u32::from_le_bytes(place.try_into().unwrap());
                let new = match self.below(3) {
                    0 => BORDERS[self.below(BORDERS.len())],
                    1 => old.wrapping_add(self.below(9) as u32).wrapping_sub(4),
                    _ => self.next() as u32 >> self.below(32),
                };
                place.copy_from_slice(&new.to_le_bytes());
            }
        }
    }
}
