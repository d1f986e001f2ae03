//! Records in a segment: their format, and what a damaged one means.
//!
//! ```text
//!  byte 0        4          8           12            16
//!  | u32 length | u32 stable | u32 sum    | u32 sum      | body, then zeros up to
//!  | of the body |            | of the body | of this head | a multiple of eight    |
//! ```
//!
//! Numbers are little-endian, sums are CRC-32C. The head's sum also covers the segment's number and
//! the head's offset in it: bytes that were not written there as a record (old bytes, a copy in a
//! command) do not count as one. The head has its own sum so that a length can be trusted, and an
//! intact head be found after a damaged record, without reading a body.
//!
//! # Torn, or corrupt?
//!
//! A crash may leave any part of what was not synced. A disk writes pages in any order, so a bad
//! record with good ones after it can be the result of a crash. But what was synced must not be
//! cut. So each record says in `stable` how much of its segment was on the disk when it was
//! written. A bad record at `x` is *corrupt* if any intact head says that more than `x` was stable;
//! otherwise it is part of the last, unfinished write, and the log ends before it. One case cannot
//! be told apart: damage to the very last synced write, after which nothing was written.

use super::crc::crc32c;

/// How every segment begins: what it is, and the version of the format.
pub const MAGIC: [u8; 8] = *b"gwraft01";

/// Bytes of a record's head. Records begin at multiples of [`ALIGN`].
const HEAD: usize = 16;
const ALIGN: usize = 8;

/// The head of a record.
#[derive(Clone, Copy)]
struct Head {
    /// Bytes of the body, at least 1: zeros are no head.
    length: u32,
    stable: u32,
    /// Of the body and the zeros after it.
    sum: u32,
}

impl Head {
    fn bytes(self, number: u64, offset: usize) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        let numbers = [self.length, self.stable, self.sum];
        for (to, from) in bytes.chunks_exact_mut(4).zip(numbers) {
            to.copy_from_slice(&from.to_le_bytes());
        }
        let sum = sum_of_head(&bytes, number, offset);
        if let Some(last) = bytes.last_chunk_mut() {
            *last = sum.to_le_bytes();
        }
        bytes
    }

    /// The head at this offset, if it is whole and was written here.
    fn read(segment: &[u8], number: u64, offset: usize) -> Option<Self> {
        let bytes: &[u8; HEAD] = segment.get(offset..)?.first_chunk()?;
        let mut numbers = bytes
            .chunks_exact(4)
            .map(|four| four.iter().rev().fold(0, |sum, &b| sum << 8 | u32::from(b)));
        let (length, stable, sum) = (numbers.next()?, numbers.next()?, numbers.next()?);
        let whole = length > 0 && numbers.next()? == sum_of_head(bytes, number, offset);
        whole.then_some(Self {
            length,
            stable,
            sum,
        })
    }
}

fn sum_of_head(bytes: &[u8; HEAD], number: u64, offset: usize) -> u32 {
    let place = crc32c(
        crc32c(0, &number.to_le_bytes()),
        &(offset as u64).to_le_bytes(),
    );
    crc32c(place, bytes.get(..HEAD - 4).unwrap_or_default())
}

/// Appends a record to `bytes`, which are those of segment `number` from `start` on.
pub fn put(bytes: &mut Vec<u8>, start: usize, number: u64, stable: u32, body: &[u8]) {
    let at = bytes.len();
    bytes.extend_from_slice(&[0; HEAD]);
    bytes.extend_from_slice(body);
    bytes.resize(bytes.len().next_multiple_of(ALIGN), 0);
    if let Some((head, padded)) = bytes.get_mut(at..).and_then(<[u8]>::split_first_chunk_mut) {
        let parts = Head {
            length: body.len() as u32,
            stable,
            sum: crc32c(0, padded),
        };
        *head = parts.bytes(number, start + at);
    }
}

/// Says in the first record of a segment that all of these bytes are stable, as they are when the
/// segment gets its name.
pub fn all_is_stable(segment: &mut [u8], number: u64) {
    let stable = segment.len() as u32;
    if let Some(head) = Head::read(segment, number, MAGIC.len()) {
        let bytes = Head { stable, ..head }.bytes(number, MAGIC.len());
        if let Some(place) = segment.get_mut(MAGIC.len()..MAGIC.len() + HEAD) {
            place.copy_from_slice(&bytes);
        }
    }
}

/// What a segment's bytes hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Scan<'a> {
    /// The offset of each record, and its body.
    pub records: Vec<(usize, &'a [u8])>,
    /// Where the next record goes: the end of the last good one.
    pub end: usize,
    /// How much is known to have been stable.
    pub stable: usize,
}

/// Damage to what was stable once.
#[derive(Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where, in bytes.
    pub offset: usize,
    /// What.
    pub what: String,
}

/// Reads the records of segment `number`. A body is at most `longest` bytes.
pub fn scan(segment: &[u8], number: u64, longest: usize) -> Result<Scan<'_>, Damage> {
    if !segment.starts_with(&MAGIC) {
        let what = "not the start of a log of this version".to_string();
        return Err(Damage { offset: 0, what });
    }
    let mut found = Scan {
        records: Vec::new(),
        end: MAGIC.len(),
        stable: 0,
    };
    let bad = loop {
        match record(segment, number, found.end, longest) {
            Ok((head, body)) => {
                found.records.push((found.end, body));
                found.stable = found.stable.max(head.stable as usize);
                found.end += HEAD + body.len().next_multiple_of(ALIGN);
            }
            Err(bad) => break bad,
        }
    };
    // The first record was stable before the file got its name.
    let proven = found.stable.max(highest_stable(segment, number, found.end));
    if proven > found.end || found.records.is_empty() {
        let what = format!("{bad}, in what was stable up to byte {proven}");
        let offset = found.end;
        return Err(Damage { offset, what });
    }
    Ok(found)
}

/// The record at `offset`, or why there is none.
fn record(
    segment: &[u8],
    number: u64,
    offset: usize,
    longest: usize,
) -> Result<(Head, &[u8]), &'static str> {
    let head = Head::read(segment, number, offset).ok_or("no record's head")?;
    let length = head.length as usize;
    if length > longest {
        return Err("a record longer than the limit");
    }
    let padded = segment.get(offset + HEAD..offset + HEAD + length.next_multiple_of(ALIGN));
    let padded = padded.ok_or("a record that goes on past the end of the file")?;
    if crc32c(0, padded) != head.sum {
        return Err("a record whose checksum is wrong");
    }
    Ok((head, padded.get(..length).unwrap_or_default()))
}

/// The highest `stable` of any intact head from `from` on.
fn highest_stable(segment: &[u8], number: u64, from: usize) -> usize {
    let places = (from..segment.len()).step_by(ALIGN);
    let heads = places.filter_map(|offset| Head::read(segment, number, offset));
    heads.map(|head| head.stable as usize).max().unwrap_or(0)
}
