//! A snapshot as a file.
//!
//! ```text
//!  "gwsnap01" | u32 sum | u32 length of meta | u64 length of data | meta | data
//! ```
//!
//! The sum is CRC-32C over all that follows it; meta is a [`SnapshotMeta`] as a message of
//! [`wire`](mod@crate::wire). The file is written under another name and renamed, so it is never
//! torn: anything wrong with it is damage.

use super::crc::crc32c;
use crate::raft::entry::{Command, Snapshot, SnapshotMeta};
use crate::wire::{self, decode, encode};

const MAGIC: [u8; 8] = *b"gwsnap01";

/// Bytes before meta.
const HEAD: usize = 24;

/// The most bytes of meta: the limit of `wire`.
const MOST_META: usize = wire::Limits::DEFAULT.message;

/// The bytes of the file before the snapshot's data.
pub fn head(snapshot: &Snapshot) -> Result<Vec<u8>, wire::Error> {
    let meta = encode(&snapshot.meta)?;
    let data = snapshot.data.bytes();
    let mut rest = (meta.len() as u32).to_le_bytes().to_vec();
    rest.extend_from_slice(&(data.len() as u64).to_le_bytes());
    rest.extend_from_slice(&meta);
    let sum = crc32c(crc32c(0, &rest), data);
    Ok([&MAGIC, sum.to_le_bytes().as_slice(), &rest].concat())
}

/// The longest file of a snapshot with this much data, in bytes.
pub fn longest(data: usize) -> u64 {
    (HEAD + MOST_META) as u64 + data as u64
}

/// Reads a whole file; an error says what is wrong with it.
pub fn parse(file: &[u8]) -> Result<Snapshot, String> {
    let cut = || "the snapshot is cut".to_string();
    let rest = file
        .strip_prefix(&MAGIC)
        .ok_or("no snapshot of this version")?;
    let (sum, rest) = rest.split_first_chunk().ok_or_else(cut)?;
    if crc32c(0, rest) != u32::from_le_bytes(*sum) {
        return Err("the snapshot's checksum is wrong".into());
    }
    let (meta_len, rest) = rest.split_first_chunk().ok_or_else(cut)?;
    let (data_len, rest) = rest.split_first_chunk().ok_or_else(cut)?;
    let meta_len = usize::try_from(u32::from_le_bytes(*meta_len)).map_err(|_| cut())?;
    let (meta, data) = rest.split_at_checked(meta_len).ok_or_else(cut)?;
    if data.len() as u64 != u64::from_le_bytes(*data_len) {
        return Err(cut());
    }
    let meta = decode::<SnapshotMeta>(meta).map_err(|error| error.to_string())?;
    let data = Command::from(data);
    Ok(Snapshot { meta, data })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::Membership;

    fn file() -> (Snapshot, Vec<u8>) {
        let meta = SnapshotMeta {
            last_index: 7,
            last_term: 2,
            membership: Membership::of(1..=3),
        };
        let data = Command::from(b"a=1 b=2");
        let snapshot = Snapshot { meta, data };
        let file = [&head(&snapshot).unwrap(), snapshot.data.bytes()].concat();
        (snapshot, file)
    }

    #[test]
    fn a_snapshot_is_read_as_it_was_written() {
        let (snapshot, file) = file();
        assert_eq!(parse(&file), Ok(snapshot));
    }

    #[test]
    fn a_snapshot_with_any_bit_flipped_or_any_end_cut_off_is_refused() {
        let (_, file) = file();
        for at in 0..file.len() {
            assert!(parse(&file[..at]).is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut flipped = file.clone();
                flipped[at] ^= 1 << bit;
                assert!(parse(&flipped).is_err(), "bit {bit} of byte {at}");
            }
        }
        assert!(parse(&[&file[..], b"x"].concat()).is_err());
    }
}
