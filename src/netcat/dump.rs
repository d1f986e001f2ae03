//! What `--hexdump` shows: each piece of data with its direction, time and offset. Pure.
//!
//! ```text
//! > 0.000412 6 bytes
//! > 0000  68 65 6c 6c 6f 0a                                 hello.
//! < 0.000935 3 bytes
//! < 0000  68 69 0a                                          hi.
//! ```
//!
//! `>` is sent, `<` is received. The time is in seconds from the beginning of the connection. The
//! offset counts the bytes of its direction. A piece is one write or one read; on a stream, that
//! says little about the peer's writes.

use std::fmt::Write;
use std::time::Duration;

use crate::cli::hexdump;

/// The direction of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From standard input to the peer.
    Sent,
    /// From the peer to standard output.
    Received,
}

/// The offsets of one connection.
#[derive(Clone, Debug, Default)]
pub struct Dump {
    sent: u64,
    received: u64,
}

impl Dump {
    /// The rows for one piece of data.
    pub fn piece(&mut self, way: Way, time: Duration, bytes: &[u8]) -> String {
        let (prefix, offset) = match way {
            Way::Sent => ("> ", &mut self.sent),
            Way::Received => ("< ", &mut self.received),
        };
        let noun = if bytes.len() == 1 { "byte" } else { "bytes" };
        let (seconds, micros) = (time.as_secs(), time.subsec_micros());
        let mut out = String::new();
        // Writing to a String does not fail.
        let _ = writeln!(out, "{prefix}{seconds}.{micros:06} {} {noun}", bytes.len());
        hexdump(&mut out, prefix, *offset, bytes);
        *offset = offset.saturating_add(bytes.len() as u64);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_direction_has_its_own_offset() {
        let mut dump = Dump::default();
        let micros = Duration::from_micros;
        let mut text = dump.piece(Way::Sent, micros(412), b"hello\n");
        text += &dump.piece(Way::Received, micros(935), b"h");
        text += &dump.piece(Way::Sent, micros(1_000_001), b"!");
        let rows = "\
> 0.000412 6 bytes
> 0000  68 65 6c 6c 6f 0a                                 hello.
< 0.000935 1 byte
< 0000  68                                                h
> 1.000001 1 byte
> 0006  21                                                !
";
        assert_eq!(text, rows);
    }
}
