//! Maps and sets: a `u32` count, then the entries in strictly growing key order.
//!
//! Order makes equal maps equal bytes, and lets the reader find a repeated key with one
//! comparison. A hash map is sorted to be written and compared while it is read.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, Hash};

use super::{Decode, Encode, ErrorKind, Failed, Reader, Writer};

/// Up to this many entries of a hash map are sorted on the stack.
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
        let count = reader.count::<Self>(least::<K, V>(), 0)?;
        reader.charge::<Self>(tree(count, size_of::<(K, V)>()))?;
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
        Ok(entries::<Self, K, V>(reader, table)?.into_iter().collect())
    }
}

/// The entries of a map or set `M`, collected so that each key is compared with the one before it;
/// `takes` gives the memory of `M` for a number of entries and their size, in bytes.
fn entries<'a, M, K: Decode<'a> + Ord, V: Decode<'a>>(
    reader: &mut Reader<'a>,
    takes: fn(usize, usize) -> usize,
) -> Result<Vec<(K, V)>, Failed> {
    let entry = size_of::<(K, V)>();
    let count = reader.count::<M>(least::<K, V>(), entry)?;
    reader.charge::<M>(takes(count, entry))?;
    let mut entries: Vec<(K, V)> = Vec::with_capacity(count);
    for _ in 0..count {
        let key = K::decode(reader)?;
        if entries.last().is_some_and(|(last, _)| *last >= key) {
            return Err(reader.fail::<M>(ErrorKind::KeyOrder));
        }
        entries.push((key, V::decode(reader)?));
    }
    Ok(entries)
}

/// Memory of std's tree for `count` entries of this size, in bytes. A node has eleven places, of
/// which at least six are taken when keys ascend, 24 bytes besides, and 96 for its children.
fn tree(count: usize, entry: usize) -> usize {
    let each = 2 * entry + entry / 4 + 8;
    let first = match count {
        0 => 0,
        1..=11 => 11 * entry + 24,
        _ => 11 * entry + 24 + 96,
    };
    count.saturating_mul(each).saturating_add(first)
}

/// Memory of std's table for `count` entries of this size, in bytes. The number of places is a
/// power of two, of which an eighth stays free; a table of few small entries gets more places. Each
/// place has one control byte, and there are 16 more, because 16 are read at once.
fn table(count: usize, entry: usize) -> usize {
    let places = match (count, entry) {
        (0, _) => return 0,
        (1..=14, 0..=1) => 16,
        (1..=3, 4..) => 4,
        (1..=7, _) => 8,
        _ => (count.saturating_mul(8) / 7).next_power_of_two(),
    };
    let entries = places.saturating_mul(entry).checked_next_multiple_of(16);
    entries
        .unwrap_or(usize::MAX)
        .saturating_add(places)
        .saturating_add(16)
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
        let keys = entries::<Self, K, ()>(reader, tree)?.into_iter();
        Ok(keys.map(|(key, ())| key).collect())
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
        let keys = entries::<Self, K, ()>(reader, table)?.into_iter();
        Ok(keys.map(|(key, ())| key).collect())
    }
}

/// The fewest bytes of an entry. A map whose entries have no bytes could claim any number of them.
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
