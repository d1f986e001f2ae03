//! When requests are due at a fixed rate: pure arithmetic on times since a beginning.
//!
//! ```text
//!  beginning                                    end
//!  |  0     1     2     3     4     5     6  ...  |      the requests of all, 1/rate apart
//!     a     b     a     b     a     b     a              and whose they are, of threads a and b
//! ```

use std::time::Duration;

const NANOS: u128 = 1_000_000_000;

/// One thread's part of the requests: that of thread `number`, from 0, of `threads`.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// Requests due a second, in all; at least 1.
    pub rate: u64,
    pub threads: usize,
    pub number: usize,
}

impl Schedule {
    /// How long after the beginning this thread's request `turn` (from 0) is due.
    pub fn due(&self, turn: u64) -> Duration {
        let of_all = u128::from(turn) * self.threads as u128 + self.number as u128;
        let nanos = of_all * NANOS / u128::from(self.rate.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// How many of this thread's requests are due in the first `span`.
    pub fn due_within(&self, span: Duration) -> u64 {
        let of_all = (span.as_nanos() * u128::from(self.rate)).div_ceil(NANOS);
        let own = of_all.saturating_sub(self.number as u128);
        u64::try_from(own.div_ceil(self.threads.max(1) as u128)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threads_requests_are_due_in_turns_and_add_up_to_the_rate() {
        for (rate, threads) in [(1_000, 1), (1_000, 3), (7, 2), (3, 8), (1_000_000_000, 2)] {
            let schedules = (0..threads).map(|number| Schedule {
                rate,
                threads,
                number,
            });
            let mut sum = 0;
            for schedule in schedules {
                let count = schedule.due_within(Duration::from_secs(1));
                assert!(schedule.due(count) >= Duration::from_secs(1));
                assert!(count == 0 || schedule.due(count - 1) < Duration::from_secs(1));
                sum += count;
            }
            assert_eq!(sum, rate, "{rate} a second among {threads}");
        }
    }

    #[test]
    fn nothing_is_due_before_the_beginning_and_the_first_at_once() {
        let schedule = Schedule {
            rate: 10,
            threads: 2,
            number: 1,
        };
        assert_eq!(schedule.due_within(Duration::ZERO), 0);
        assert_eq!(schedule.due(0), Duration::from_millis(100));
        assert_eq!(schedule.due(3), Duration::from_millis(700));
    }
}
