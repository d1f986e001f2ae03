//! A deadline: the point in time at which an operation gives up.
//!
//! A time-out for each read is no protection: a peer that sends one byte just in time renews it,
//! again and again. A deadline is fixed once and holds over any number of reads, as Go's
//! `SetDeadline` does. The kernel only offers time-outs for single calls (`socket(7)` SO_RCVTIMEO),
//! so [`Timer`] turns one into the other with few system calls:
//!
//! ```text
//! set deadline      read                   read             read
//!     |--------------|----------------------|----------------|--------> deadline
//!                 arm the socket         armed still     ... the call returns early:
//!                 with 7/8 of the        <= what is      check the clock, arm with what
//!                 time that is left      left: no call   is left, read again, or time out
//! ```
//!
//! Arming with 7/8 leaves room for a later deadline of the same length: a server that gives
//! each line 30 seconds arms its socket once in a connection's life, not once a line.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// A point in time after which an operation fails with `TimedOut`, or never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// No limit.
    pub const NEVER: Deadline = Deadline(None);

    /// `duration` from now; a duration too long for the clock is no limit.
    pub fn after(duration: Duration) -> Self {
        Deadline(Instant::now().checked_add(duration))
    }

    /// `duration` from now, or no limit for `None`.
    pub fn after_option(duration: Option<Duration>) -> Self {
        duration.map_or(Self::NEVER, Self::after)
    }

    /// The given moment.
    pub fn at(moment: Instant) -> Self {
        Deadline(Some(moment))
    }

    /// The moment, `None` for no limit.
    pub fn moment(self) -> Option<Instant> {
        self.0
    }

    /// Whether this error means that one of our deadlines has passed. The kernel uses the same kind
    /// when it gives up a connection (ETIMEDOUT: unacknowledged keep-alive probes or bytes). That
    /// is the end of the connection; the next read would return 0, as after a close.
    pub fn is_cause_of(error: &io::Error) -> bool {
        error.kind() == io::ErrorKind::TimedOut && error.raw_os_error().is_none()
    }

    /// The time that is left: zero when it has passed, `None` for no limit.
    pub fn remaining(self) -> Option<Duration> {
        self.0
            .map(|moment| moment.saturating_duration_since(Instant::now()))
    }

    /// Whether it has passed.
    pub fn passed(self) -> bool {
        self.remaining() == Some(Duration::ZERO)
    }

    /// The earlier of two.
    pub fn earlier(self, other: Deadline) -> Deadline {
        match (self.0, other.0) {
            (Some(a), Some(b)) => Deadline(Some(a.min(b))),
            (a, b) => Deadline(a.or(b)),
        }
    }
}

/// The kernel rounds time-outs to its clock tick, and std refuses zero.
const SHORTEST: Duration = Duration::from_millis(1);
/// Below this, arming in two steps saves nothing.
const ARM_WHOLE: Duration = Duration::from_millis(64);
/// In the two atomics below: no deadline; no time-out.
const NONE: u64 = u64::MAX;
/// In `armed`: the time-out has just run out, so the next call arms the socket again.
const FIRED: u64 = u64::MAX - 1;

/// The deadline of one direction of a socket, and the time-out that its socket is armed with.
///
/// Shared by all handles of the socket; a deadline that one thread sets is seen by another's next
/// call, and by one that already blocks when its armed time-out runs out.
#[derive(Debug)]
pub(crate) struct Timer {
    deadline: AtomicU64,
    armed: AtomicU64,
}

impl Timer {
    pub(crate) fn new() -> Self {
        Self {
            deadline: AtomicU64::new(NONE),
            armed: AtomicU64::new(NONE),
        }
    }

    pub(crate) fn set(&self, deadline: Deadline) {
        let nanos = deadline.moment().map_or(NONE, nanos_since_start);
        self.deadline.store(nanos, Ordering::Relaxed);
    }

    /// Prepares the socket for one blocking call, so that it returns no later than the deadline;
    /// `TimedOut` when the deadline has passed. `apply` sets the socket's time-out and is called
    /// only when that has to change.
    fn arm(&self, apply: impl FnOnce(Option<Duration>) -> io::Result<()>) -> io::Result<()> {
        let armed = self.armed.load(Ordering::Relaxed);
        let Some(left) = self.left()? else {
            if armed != NONE {
                apply(None)?;
                self.armed.store(NONE, Ordering::Relaxed);
            }
            return Ok(());
        };
        if armed <= nanos(left) {
            return Ok(());
        }
        let next = next_timeout(left);
        apply(Some(next))?;
        self.armed.store(nanos(next), Ordering::Relaxed);
        Ok(())
    }

    /// Repeats a blocking call until it succeeds, fails for good, or the deadline passes. `apply`
    /// sets the socket's time-out.
    pub(crate) fn repeat<T>(
        &self,
        apply: impl Fn(Option<Duration>) -> io::Result<()>,
        mut call: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            self.arm(&apply)?;
            match call() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.fired(),
                // A call with a time-out is not restarted after SIGSTOP (signal(7)).
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// Notes that a call returned because the armed time-out ran out. Without this, a short
    /// time-out left from an old deadline would wake a long wait again and again.
    pub(crate) fn fired(&self) {
        self.armed.store(FIRED, Ordering::Relaxed);
    }

    /// The time that is left, `None` for no limit; `TimedOut` when the deadline has passed.
    pub(crate) fn left(&self) -> io::Result<Option<Duration>> {
        let deadline = self.deadline.load(Ordering::Relaxed);
        if deadline == NONE {
            return Ok(None);
        }
        match deadline.saturating_sub(nanos_since_start(Instant::now())) {
            0 => Err(timed_out()),
            left => Ok(Some(Duration::from_nanos(left))),
        }
    }

    /// `TimedOut` when the deadline has passed; for calls that do not block.
    pub(crate) fn check(&self) -> io::Result<()> {
        self.left().map(drop)
    }
}

/// What to arm a socket with when `left` remains.
fn next_timeout(left: Duration) -> Duration {
    if left < ARM_WHOLE {
        left.max(SHORTEST)
    } else {
        left - left / 8
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos())
        .unwrap_or(FIRED - 1)
        .min(FIRED - 1)
}

/// Nanoseconds since the first use, so that a moment fits an atomic; 584 years fit.
fn nanos_since_start(moment: Instant) -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    // The origin is a second earlier, so that moments just before the first use stay distinct.
    let start = START.get_or_init(|| {
        let now = Instant::now();
        now.checked_sub(Duration::from_secs(1)).unwrap_or(now)
    });
    nanos(moment.saturating_duration_since(*start))
}

/// The one error of a passed deadline (std's own sockets say `WouldBlock`).
pub(crate) fn timed_out() -> io::Error {
    io::Error::from(io::ErrorKind::TimedOut) // says "timed out", and allocates nothing
}

/// Waits on a condition variable until it is notified or the deadline has passed. A lock that
/// another thread's panic has poisoned is taken all the same.
pub(crate) fn wait_until<'a, T>(
    condition: &Condvar,
    guard: MutexGuard<'a, T>,
    deadline: Deadline,
) -> MutexGuard<'a, T> {
    match deadline.remaining() {
        None => condition
            .wait(guard)
            .unwrap_or_else(PoisonError::into_inner),
        Some(left) => {
            let waited = condition.wait_timeout(guard, left);
            waited.unwrap_or_else(PoisonError::into_inner).0
        }
    }
}

/// Adds to a time-out of our own what was waited for, and for how long; other errors stay as they
/// are.
pub(crate) fn say_which(error: io::Error, what: &str, limit: Option<Duration>) -> io::Error {
    match limit {
        Some(limit) if Deadline::is_cause_of(&error) => io::Error::new(
            io::ErrorKind::TimedOut,
            format!("timed out: {what} within {limit:?}"),
        ),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_the_kernel_gave_up_is_no_passed_deadline() {
        let given_up = io::Error::from_raw_os_error(110); // ETIMEDOUT
        assert_eq!(given_up.kind(), io::ErrorKind::TimedOut);
        assert!(!Deadline::is_cause_of(&given_up));
        assert!(Deadline::is_cause_of(&timed_out()));
    }

    fn armed_by(timer: &Timer) -> io::Result<Option<Option<Duration>>> {
        let mut applied = None;
        timer.arm(|timeout| {
            applied = Some(timeout);
            Ok(())
        })?;
        Ok(applied)
    }

    #[test]
    fn without_a_deadline_the_socket_is_never_touched() {
        assert_eq!(armed_by(&Timer::new()).unwrap(), None);
    }

    #[test]
    fn deadlines_of_one_length_arm_the_socket_once() {
        let timer = Timer::new();
        timer.set(Deadline::after(Duration::from_secs(80)));
        let first = armed_by(&timer).unwrap().unwrap().unwrap();
        assert!(
            first > Duration::from_secs(69) && first <= Duration::from_secs(70),
            "{first:?}"
        );
        for _ in 0..1000 {
            timer.set(Deadline::after(Duration::from_secs(80)));
            assert_eq!(armed_by(&timer).unwrap(), None);
        }
    }

    #[test]
    fn a_nearer_deadline_arms_again_and_none_disarms() {
        let timer = Timer::new();
        timer.set(Deadline::after(Duration::from_secs(80)));
        armed_by(&timer).unwrap();
        timer.set(Deadline::after(Duration::from_secs(8)));
        assert!(armed_by(&timer).unwrap().unwrap().unwrap() <= Duration::from_secs(7));
        timer.set(Deadline::NEVER);
        assert_eq!(armed_by(&timer).unwrap(), Some(None));
        assert_eq!(armed_by(&timer).unwrap(), None);
    }

    #[test]
    fn a_short_time_out_that_fired_does_not_chop_a_later_long_wait() {
        let timer = Timer::new();
        timer.set(Deadline::after(Duration::from_millis(10)));
        armed_by(&timer).unwrap();
        timer.fired();
        timer.set(Deadline::after(Duration::from_secs(80)));
        assert!(armed_by(&timer).unwrap().unwrap().unwrap() > Duration::from_secs(69));
        timer.fired();
        timer.set(Deadline::NEVER);
        assert_eq!(armed_by(&timer).unwrap(), Some(None));
    }

    #[test]
    fn a_passed_deadline_times_out_before_the_call() {
        let timer = Timer::new();
        timer.set(Deadline::after(Duration::ZERO));
        assert_eq!(
            armed_by(&timer).unwrap_err().kind(),
            io::ErrorKind::TimedOut
        );
    }

    #[test]
    fn a_time_out_says_what_was_waited_for_and_other_errors_are_left_alone() {
        let limit = Some(Duration::from_millis(50));
        let named = say_which(timed_out(), "no line", limit);
        assert_eq!(named.kind(), io::ErrorKind::TimedOut);
        assert_eq!(named.to_string(), "timed out: no line within 50ms");
        let other = io::Error::from(io::ErrorKind::ConnectionReset);
        assert_eq!(
            say_which(other, "no line", limit).kind(),
            io::ErrorKind::ConnectionReset
        );
        // ETIMEDOUT: the kernel has given up the connection; no limit of ours was reached.
        let given_up = say_which(io::Error::from_raw_os_error(110), "no line", limit);
        assert_eq!(given_up.raw_os_error(), Some(110));
    }

    #[test]
    fn arming_never_passes_zero_and_never_outlasts_what_is_left_by_more_than_a_tick() {
        for micros in [1, 999, 1_000, 63_999, 64_000, 1_000_000, 3_600_000_000] {
            let left = Duration::from_micros(micros);
            let next = next_timeout(left);
            assert!(
                next >= SHORTEST && next <= left.max(SHORTEST),
                "{left:?} {next:?}"
            );
        }
    }

    #[test]
    fn the_earlier_of_two_deadlines_counts_and_never_is_later_than_any() {
        let soon = Deadline::after(Duration::from_secs(1));
        let late = Deadline::after(Duration::from_secs(2));
        assert_eq!(soon.earlier(late), soon);
        assert_eq!(Deadline::NEVER.earlier(late), late);
        assert_eq!(late.earlier(Deadline::NEVER), late);
        assert!(!Deadline::NEVER.passed());
        assert!(Deadline::after(Duration::ZERO).passed());
    }
}
