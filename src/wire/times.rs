//! Durations and points in time.
//!
//! ```text
//!  Duration     u64 seconds, u32 nanoseconds below 1,000,000,000
//!  SystemTime   i64 seconds since 1970-01-01 00:00 UTC, u32 nanoseconds forward from there
//! ```
//!
//! `Instant` is not here: it means nothing on another machine.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Decode, Encode, ErrorKind, Failed, Reader, Writer};

const NANOS: u32 = 1_000_000_000;

impl Encode for Duration {
    fn encode(&self, writer: &mut Writer) {
        self.as_secs().encode(writer);
        self.subsec_nanos().encode(writer);
    }
}

impl<'a> Decode<'a> for Duration {
    const LEAST: usize = 12;

    fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed> {
        let seconds = u64::decode(reader)?;
        Ok(Duration::new(seconds, nanos::<Self>(reader)?))
    }
}

/// Nanoseconds within a second: a larger number would be another encoding of a later second.
fn nanos<T>(reader: &mut Reader<'_>) -> Result<u32, Failed> {
    match u32::decode(reader)? {
        nanos @ 0..NANOS => Ok(nanos),
        _ => Err(reader.fail::<T>(ErrorKind::OutOfRange("a billion nanoseconds or more"))),
    }
}

impl Encode for SystemTime {
    fn encode(&self, writer: &mut Writer) {
        // Seconds round down, so that the nanoseconds count forward before 1970, too.
        let (seconds, nanos) = match self.duration_since(UNIX_EPOCH) {
            Ok(after) => (i128::from(after.as_secs()), after.subsec_nanos()),
            Err(error) => {
                let before = error.duration();
                match (-i128::from(before.as_secs()), before.subsec_nanos()) {
                    (seconds, 0) => (seconds, 0),
                    (seconds, nanos) => (seconds - 1, NANOS - nanos),
                }
            }
        };
        match i64::try_from(seconds) {
            Ok(seconds) => (seconds, nanos).encode(writer),
            Err(_) => writer.fail::<Self>(ErrorKind::OutOfRange("beyond 2^63 seconds from 1970")),
        }
    }
}

impl<'a> Decode<'a> for SystemTime {
    const LEAST: usize = 12;

    fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed> {
        let seconds = i64::decode(reader)?;
        let nanos = Duration::from_nanos(nanos::<Self>(reader)?.into());
        let distance = Duration::from_secs(seconds.unsigned_abs());
        let whole = if seconds < 0 {
            UNIX_EPOCH.checked_sub(distance)
        } else {
            UNIX_EPOCH.checked_add(distance)
        };
        whole
            .and_then(|whole| whole.checked_add(nanos))
            .ok_or_else(|| reader.fail::<Self>(ErrorKind::OutOfRange("no time of this machine")))
    }
}
