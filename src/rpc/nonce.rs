//! Random bytes from the kernel.

use std::fs::File;
use std::io::{self, Read};

use crate::net::plain_words;

/// 32 unpredictable bytes, from `/dev/urandom`.
pub(super) fn nonce() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut bytes))
        .map_err(|error| {
            let why = format!("reading /dev/urandom: {}", plain_words(&error));
            io::Error::new(error.kind(), why)
        })?;
    Ok(bytes)
}
