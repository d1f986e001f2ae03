//! How long the parts of a message may be.
//!
//! The RFCs set no limits, and say what a server answers to what is longer than it wishes (RFC 9112
//! §3, §7.1.1; RFC 9110 §5.4). A head is kept in memory while it arrives, so each limit is also the
//! memory that one peer can occupy.

/// The limits of a message's parts, in bytes unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The request line or the status line, without its CRLF. Default 8,192 (RFC 9112 §3 asks for
    /// at least 8,000).
    pub start_line: usize,
    /// One field line, without its CRLF. Default 8,192.
    pub field_line: usize,
    /// How many field lines. Default 100.
    pub fields: usize,
    /// Start line and field lines together, with all CRLFs. Default 32,768.
    pub section: usize,
    /// The line before a chunk: its size in hexadecimal digits and its extensions. Default 256.
    pub chunk_line: usize,
    /// The trailer section of a chunked body. Default 8,192.
    pub trailers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            start_line: 8192,
            field_line: 8192,
            fields: 100,
            section: 32 * 1024,
            chunk_line: 256,
            trailers: 8192,
        }
    }
}
