//! Bytes in both directions, after an upgrade or a CONNECT: no HTTP any more.
//!
//! Each direction has a thread. When one direction ends, it half-closes the other side, and the
//! other direction goes on until it ends, too: protocols may close in either order. (RFC 9110 §9.3.6
//! has a tunnel close both when one side has closed its connection. A half-close may be less than
//! that, so it is passed on as what it is.) Silence in both directions ends both.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::desk::PART;
use crate::net::{Conn, Deadline, Incoming};

/// The stack of the second thread, in bytes.
const STACK: usize = 64 * 1024;

/// Why a tunnel without its second thread ends.
pub const NO_THREAD: &str = "no thread for the tunnel";

/// How many bytes passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Through {
    /// From the client.
    pub up: u64,
    /// To the client.
    pub down: u64,
}

/// Passes bytes on until both sides have ended, one has failed, or neither has sent anything for
/// `silence`. `first` holds bytes that the backend has already sent.
///
/// `None` if the second thread cannot be started; nothing has passed, and both should be closed.
pub fn run(
    client: &Conn,
    backend: &Conn,
    first: &mut Incoming,
    silence: Duration,
) -> Option<Through> {
    let clock = Arc::new(Clock::new());
    let (client_end, backend_end, shared) = (client.clone(), backend.clone(), clock.clone());
    let up = thread::Builder::new()
        .name("tunnel".into())
        .stack_size(STACK)
        .spawn(move || {
            let through = pass(&client_end, &backend_end, silence, &shared);
            // Nobody reads from the client now. If it leaves altogether, or the server cuts it, the
            // other direction would not notice as long as the backend is silent.
            if client_end.ends_before(&backend_end) {
                end(&client_end, &backend_end);
            }
            through
        });
    let up = up.ok()?;
    let begun = first.len() as u64;
    let waiting = first.take(usize::MAX);
    client.set_write_deadline(Deadline::after(silence));
    let down = match (&*client).write_all(waiting) {
        Ok(()) => begun + pass(backend, client, silence, &clock),
        Err(_) => {
            end(client, backend);
            0
        }
    };
    Some(Through {
        up: up.join().unwrap_or(0),
        down,
    })
}

/// When either side last sent something.
struct Clock {
    start: Instant,
    last: AtomicU64,
}

impl Clock {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            last: AtomicU64::new(0),
        }
    }

    fn touch(&self) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }

    /// When the silence will have lasted too long.
    fn end(&self, silence: Duration) -> Option<Instant> {
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        self.start.checked_add(last)?.checked_add(silence)
    }
}

/// One direction. Returns how many bytes passed.
fn pass(from: &Conn, to: &Conn, silence: Duration, clock: &Clock) -> u64 {
    let (mut part, mut through) = (vec![0; PART], 0);
    loop {
        let until = clock.end(silence);
        from.set_read_deadline(until.map_or(Deadline::NEVER, Deadline::at));
        match (&*from).read(&mut part) {
            Ok(0) => {
                let _ = to.shutdown(Shutdown::Write); // fails if the peer has gone
                return through;
            }
            Ok(count) => {
                clock.touch();
                to.set_write_deadline(Deadline::after(silence));
                let bytes = part.get(..count).unwrap_or_default();
                if (&*to).write_all(bytes).is_err() {
                    break;
                }
                through += count as u64;
            }
            // The other direction was active meanwhile.
            Err(error) if error.kind() == ErrorKind::TimedOut && clock.end(silence) > until => {}
            Err(_) => break,
        }
    }
    end(from, to);
    through
}

/// Shuts down both sides, which wakes the other direction. Fails if one has ended already.
fn end(one: &Conn, other: &Conn) {
    let _ = one.shutdown(Shutdown::Both);
    let _ = other.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn a_cut_ends_a_tunnel_whose_client_has_half_closed_and_whose_backend_is_silent() {
        let [(client, mut peer), (backend, mut silent)] = [(); 2].map(|()| Conn::pair().unwrap());
        let ((tell, told), served) = (mpsc::channel(), client.clone());
        thread::spawn(move || {
            let through = run(&served, &backend, &mut Incoming::new(PART), LONG);
            tell.send(through)
        });
        peer.write_all(b"last").unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        let mut heard = Vec::new();
        silent.read_to_end(&mut heard).unwrap();
        assert_eq!(heard, b"last");
        silent.write_all(b"yes").unwrap();
        peer.read_exact(&mut [0; 3]).unwrap(); // a half-close alone ends nothing
        client.shutdown(Shutdown::Both).unwrap(); // as the server does when the drain is over
        let ended = told.recv_timeout(Duration::from_secs(60));
        assert_eq!(ended, Ok(Some(Through { up: 4, down: 3 })));
    }
}
