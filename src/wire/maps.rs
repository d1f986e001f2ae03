//! Maps and sets: a `u32` count, then the entries in strictly growing key order.
//!
//! Order makes equal maps equal bytes, and lets the reader find a repeated key with one
//! comparison. A hash map is sorted to be written and compared while it is read.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, Hash};

use super::{Decode, Encode, ErrorKind, Failed, Reader, Writer};

/// Up to so many entries of a hash map are sorted on the stack.
const FEW: usize = 16;

impl<K: Encode, V: Encode> Encode for BTreeMap<K, V> {
    fn encode(&self, writer: &mut Writer) {
        keyed::<K>();
        writer.put_count::<Self>(self.len());
        if K::WIDTH > 0 && V::WIDTH > 0 {
            return writer.put_rows(K::WIDTH + V::WIDTH, self.iter(), |(key, value), row| {
                key.encode_row(row);
                value.encode_row(row);
            });
        }
        for (key, value) in self {
            key.encode(writer);
            value.encode(writer);
        }
    }
}

impl<'a, K: Decode<'a> + Ord, V: Decode<'a>> Decode<'a> for BTreeMap<K, V> {
    const LEAST: usize = 4;

    fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed> {
        // A tree of ascending keys has nodes of eleven places that are half full, at the least.
        let entry = size_of::<(K, V)>();
        let count = reader.count::<Self>(least::<K, V>(), 2 * entry)?;
        reader.charge::<Self>(if count == 0 { 0 } else { 11 * entry })?;
        let mut map = BTreeMap::new();
        for _ in 0..count {
            let key = K::decode(reader)?;
            if map.last_key_value().is_some_and(|(last, _)| *last >= key) {
                return Err(reader.fail::<Self>(ErrorKind::KeyOrder));
            }
            let value = V::decode(reader)?;
            map.insert(key, value);
        }
        Ok(map)
    }
}

impl<K: Encode + Ord, V: Encode, S> Encode for HashMap<K, V, S> {
    fn encode(&self, writer: &mut Writer) {
        keyed::<K>();
        writer.put_count::<Self>(self.len());
        in_order(
            self.iter(),
            |(a, _), (b, _)| a.cmp(b),
            |(key, value)| {
                key.encode(writer);
                value.encode(writer);
            },
        );
    }
}

impl<'a, K, V, S> Decode<'a> for HashMap<K, V, S>
where
    K: Decode<'a> + Ord + Hash,
    V: Decode<'a>,
    S: BuildHasher + Default,
{
    const LEAST: usize = 4;

    fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed> {
        // The entries are collected, to compare each key with the one before it; a table of
        // them has up to 16/7 places an entry, and a byte for each.
        let entry = size_of::<(K, V)>();
        let count = reader.count::<Self>(least::<K, V>(), entry + 3 * (entry + 1))?;
        let mut entries: Vec<(K, V)> = Vec::with_capacity(count);
        for _ in 0..count {
            let key = K::decode(reader)?;
            if entries.last().is_some_and(|(last, _)| *last >= key) {
                return Err(reader.fail::<Self>(ErrorKind::KeyOrder));
            }
            entries.push((key, V::decode(reader)?));
        }
        Ok(entries.into_iter().collect())
    }
}

impl<K: Encode> Encode for BTreeSet<K> {
    fn encode(&self, writer: &mut Writer) {
        keyed::<K>();
        writer.put_count::<Self>(self.len());
        for key in self {
            key.encode(writer);
        }
    }
}

impl<'a, K: Decode<'a> + Ord> Decode<'a> for BTreeSet<K> {
    const LEAST: usize = 4;

    fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed> {
        let keys: BTreeMap<K, ()> = BTreeMap::decode(reader)?;
        Ok(keys.into_keys().collect())
    }
}

impl<K: Encode + Ord, S> Encode for HashSet<K, S> {
    fn encode(&self, writer: &mut Writer) {
        keyed::<K>();
        writer.put_count::<Self>(self.len());
        in_order(self.iter(), |a, b| a.cmp(b), |key| key.encode(writer));
    }
}

impl<'a, K, S> Decode<'a> for HashSet<K, S>
where
    K: Decode<'a> + Ord + Hash,
    S: BuildHasher + Default,
{
    const LEAST: usize = 4;

    fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed> {
        let keys: HashMap<K, (), S> = HashMap::decode(reader)?;
        Ok(keys.into_keys().collect())
    }
}

/// The fewest bytes of an entry. A map of entries without bytes could claim any number of them.
const fn least<'a, K: Decode<'a>, V: Decode<'a>>() -> usize {
    const {
        assert!(K::LEAST > 0, "a key of no bytes");
        K::LEAST + V::LEAST
    }
}

/// The same for a map that is written.
const fn keyed<K: Encode>() {
    const { assert!(!K::EMPTY, "a key of no bytes") }
}

/// Calls `write` for all items in order; few of them are sorted without an allocation.
fn in_order<I: Copy>(
    items: impl ExactSizeIterator<Item = I>,
    compare: impl Fn(&I, &I) -> std::cmp::Ordering,
    mut write: impl FnMut(I),
) {
    if items.len() > FEW {
        let mut many: Vec<I> = items.collect();
        many.sort_unstable_by(compare);
        many.into_iter().for_each(write);
        return;
    }
    let mut few: [Option<I>; FEW] = [None; FEW];
    let mut len = 0;
    for (place, item) in few.iter_mut().zip(items) {
        *place = Some(item);
        len += 1;
    }
    let few = few.get_mut(..len).unwrap_or_default();
    few.sort_unstable_by(|a, b| match (a, b) {
        (Some(a), Some(b)) => compare(a, b),
        _ => std::cmp::Ordering::Equal,
    });
    few.iter().flatten().for_each(|item| write(*item));
}
