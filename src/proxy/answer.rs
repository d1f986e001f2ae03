//! An answer of this program itself: a refusal, or one in place of a backend's. `handler` sends it
//! when `turn` or `forward` says so, and when a request cannot be read.

use std::io::Write;
use std::time::Duration;

use super::desk::Desk;
use super::heads;
use crate::http::{RequestHead, Version, write};
use crate::net::{Conn, Deadline};

/// The methods that a 405 names, and a 200 to OPTIONS (RFC 9110 §9.3.7). Others pass, too, except
/// TRACE: it would show the sender the fields that were added on the way.
const ALLOWED: &str = "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH";

/// An answer.
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    /// When the client may try again.
    pub retry_after: Option<Duration>,
    /// The request, if it could be read.
    pub head: Option<&'a RequestHead<'a>>,
    /// Whether the connection goes on.
    pub keep_alive: bool,
}

impl Answer<'_> {
    /// Sends it within `limit`; returns how many bytes its body has. It does not matter whether the
    /// client receives it.
    pub fn send(&self, client: &Conn, desk: &mut Desk, limit: Duration) -> u64 {
        let Desk { out, date, .. } = desk;
        out.clear();
        let (status, reason) = (self.status, write::reason(self.status));
        write::status_line(out, Version::Http11, status, reason.as_bytes());
        write::field(out, "Date", date.now().as_bytes());
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            write::number_field(out, "Retry-After", seconds.max(1));
        }
        if matches!(status, 200 | 405) {
            write::field(out, "Allow", ALLOWED.as_bytes());
        }
        let length = (3 + 1 + reason.len() + 1) as u64;
        write::field(out, "Content-Type", b"text/plain");
        write::number_field(out, "Content-Length", length);
        let version = self.head.map_or(Version::Http11, |head| head.version);
        heads::connection(out, self.keep_alive, version);
        write::end(out);
        let has_body = self.head.is_none_or(|head| head.method != "HEAD");
        if has_body {
            write::number(out, status.into());
            out.extend_from_slice(b" ");
            out.extend_from_slice(reason.as_bytes());
            out.extend_from_slice(b"\n");
        }
        client.set_write_deadline(Deadline::after(limit));
        let _ = (&*client).write_all(out);
        if has_body { length } else { 0 }
    }
}
