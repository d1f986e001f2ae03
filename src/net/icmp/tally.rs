//! Which request a reply belongs to, and the statistics of all requests.
//!
//! Three things identify a request: the id, the same for all requests of one tally; the sequence
//! number, which counts them and begins again at 0 after 65,535; and the payload, which begins with
//! a secret number mixed with the count. A reply counts only when all three are as they were sent.
//! So neither another program's reply nor one to a request 65,536 earlier is counted, and a byte
//! that changed on the way is noticed.
//!
//! Time is an argument: the duration since some moment of the caller's choice.

use std::time::Duration;

use super::message::Echo;

/// The bytes at the start of a payload that identify it, when it is that long.
pub const MARK: usize = 8;

/// How many sequence numbers there are.
const SEQUENCES: u64 = 1 << 16;

/// The requests sent, and the replies that came.
#[derive(Debug, Clone)]
pub struct Tally {
    id: u16,
    secret: u64,
    size: usize,
    /// By sequence number, the last request that had it. Grows with the requests.
    requests: Vec<Request>,
    /// Requests that are settled, each counted once.
    settled: u64,
    statistics: Statistics,
}

#[derive(Debug, Clone, Copy, Default)]
struct Request {
    /// The request's count from 1, or 0 if no request had this sequence number yet.
    number: u64,
    at: Duration,
    answered: bool,
    /// Whether a reply or an error message has come.
    settled: bool,
}

/// A reply to one of our requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// From the request to this reply.
    pub round_trip: Duration,
    /// Whether the request had been answered before.
    pub is_duplicate: bool,
}

/// The statistics of all requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Requests sent.
    pub transmitted: u64,
    /// Requests answered.
    pub received: u64,
    /// Replies beyond the first of each request.
    pub duplicates: u64,
    /// Error messages about our requests, and requests that could not be sent.
    pub errors: u64,
    /// In nanoseconds, over all replies, duplicates included, as in iputils.
    shortest: u64,
    longest: u64,
    sum: u128,
    sum_of_squares: u128,
}

impl Tally {
    /// For requests with this id and payload size in bytes. `secret` is a number that others cannot
    /// know; a payload shorter than [`MARK`] holds only a part of it.
    pub fn new(id: u16, secret: u64, size: usize) -> Tally {
        Tally {
            id,
            secret,
            size,
            requests: Vec::new(),
            settled: 0,
            statistics: Statistics::default(),
        }
    }

    /// Counts one more request, sent at `now`; returns its sequence number (the first is 1) and
    /// payload.
    pub fn request(&mut self, now: Duration) -> (u16, Vec<u8>) {
        self.statistics.transmitted += 1;
        let number = self.statistics.transmitted;
        let slot = usize::from(sequence(number));
        if self.requests.len() <= slot {
            self.requests.resize(slot + 1, Request::default());
        }
        if let Some(request) = self.requests.get_mut(slot) {
            *request = Request {
                number,
                at: now,
                answered: false,
                settled: false,
            };
        }
        (sequence(number), self.payload(number))
    }

    /// Counts the last request as one that could not be sent.
    pub fn failed(&mut self) {
        self.statistics.errors += 1;
        self.settle(usize::from(sequence(self.statistics.transmitted)));
    }

    /// Counts a reply that arrived at `now`; `None` when it answers none of our requests.
    pub fn reply(&mut self, echo: &Echo<'_>, now: Duration) -> Option<Arrival> {
        let request = self.find(echo, |sent, came| sent == came)?;
        let is_duplicate = std::mem::replace(&mut request.answered, true);
        let round_trip = now.saturating_sub(request.at);
        self.settle(usize::from(echo.sequence));
        match is_duplicate {
            true => self.statistics.duplicates += 1,
            false => self.statistics.received += 1,
        }
        self.statistics.add(round_trip);
        Some(Arrival {
            round_trip,
            is_duplicate,
        })
    }

    /// Counts an error message that quotes this much of a request; `false` when it is not ours.
    pub fn problem(&mut self, quoted: &Echo<'_>) -> bool {
        let ours = self.find(quoted, quotes).is_some();
        if ours {
            self.statistics.errors += 1;
            self.settle(usize::from(quoted.sequence));
        }
        ours
    }

    /// Settles a request. Only the first message about it counts: two routers may report the same
    /// request as undeliverable, and it may be answered as well.
    fn settle(&mut self, slot: usize) {
        if let Some(request) = self.requests.get_mut(slot) {
            self.settled += u64::from(!request.settled);
            request.settled = true;
        }
    }

    /// The statistics so far.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Whether every request is settled: by a reply, an error message, or a failed send.
    pub fn is_settled(&self) -> bool {
        self.settled == self.statistics.transmitted
    }

    /// The request with this id, sequence number and payload.
    fn find(
        &mut self,
        echo: &Echo<'_>,
        same: impl Fn(&[u8], &[u8]) -> bool,
    ) -> Option<&mut Request> {
        let slot = usize::from(echo.sequence);
        let number = self.requests.get(slot)?.number;
        let ours = echo.id == self.id && number > 0 && same(&self.payload(number), echo.payload);
        if ours {
            self.requests.get_mut(slot)
        } else {
            None
        }
    }

    /// The mark of this request, then bytes that count up.
    fn payload(&self, number: u64) -> Vec<u8> {
        let mark = (self.secret ^ number).to_be_bytes();
        let pattern = (MARK..self.size).map(|at| at as u8);
        mark.into_iter().take(self.size).chain(pattern).collect()
    }
}

fn sequence(number: u64) -> u16 {
    (number % SEQUENCES) as u16
}

impl Statistics {
    fn add(&mut self, round_trip: Duration) {
        let nanos = u64::try_from(round_trip.as_nanos()).unwrap_or(u64::MAX);
        // Called after the reply was counted, so 1 is the first.
        self.shortest = match self.received + self.duplicates {
            1 => nanos,
            _ => self.shortest.min(nanos),
        };
        self.longest = self.longest.max(nanos);
        self.sum += u128::from(nanos);
        self.sum_of_squares = self
            .sum_of_squares
            .saturating_add(u128::from(nanos) * u128::from(nanos));
    }

    /// How many requests of a hundred were not answered; `None` when none was sent.
    pub fn loss_percent(&self) -> Option<f64> {
        let lost = self.transmitted.saturating_sub(self.received);
        (self.transmitted > 0).then(|| lost as f64 * 100.0 / self.transmitted as f64)
    }

    /// The shortest, mean and longest round trip, and their standard deviation; `None` when there
    /// was none.
    pub fn round_trips(&self) -> Option<[Duration; 4]> {
        let count = u128::from(self.received + self.duplicates);
        let mean = self.sum.checked_div(count)?;
        let variance = (self.sum_of_squares / count).saturating_sub(mean * mean);
        let nanos = |number: u128| Duration::from_nanos(u64::try_from(number).unwrap_or(u64::MAX));
        Some([
            Duration::from_nanos(self.shortest),
            nanos(mean),
            Duration::from_nanos(self.longest),
            nanos(variance.isqrt()),
        ])
    }
}

/// Whether these bytes, at the payload's place in a quote, are the mark of the payload that was
/// sent, as far as both go. The bytes after the mark say nothing new and need not be ours: a router
/// may quote less, pad with zeros and append extensions, and not every router gives the length of
/// its quote (RFC 4884 §5).
fn quotes(sent: &[u8], came: &[u8]) -> bool {
    let mark = came.iter().take(MARK.min(sent.len()));
    let end = mark.clone().rposition(|&byte| byte != 0);
    let told = end.map_or(0, |last| last + 1);
    mark.take(told).eq(sent.iter().take(told))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: u16 = 77;

    fn millis(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    fn echo(sequence: u16, payload: &[u8]) -> Echo<'_> {
        Echo {
            id: ID,
            sequence,
            payload,
        }
    }

    #[test]
    fn a_reply_is_counted_with_its_round_trip_and_a_second_one_as_a_duplicate() {
        let mut tally = Tally::new(ID, 42, 56);
        let (sequence, payload) = tally.request(millis(10));
        assert_eq!((sequence, payload.len()), (1, 56));
        let first = tally.reply(&echo(1, &payload), millis(13)).unwrap();
        assert_eq!((first.round_trip, first.is_duplicate), (millis(3), false));
        assert!(
            tally
                .reply(&echo(1, &payload), millis(20))
                .unwrap()
                .is_duplicate
        );
        let statistics = tally.statistics();
        assert_eq!((statistics.transmitted, statistics.received), (1, 1));
        assert_eq!(statistics.duplicates, 1);
    }

    #[test]
    fn a_reply_with_another_id_sequence_or_payload_is_not_counted() {
        let mut tally = Tally::new(ID, 42, 16);
        let (_, payload) = tally.request(millis(0));
        let mut changed = payload.clone();
        changed[15] ^= 1;
        let other_id = Echo {
            id: ID + 1,
            ..echo(1, &payload)
        };
        for wrong in [
            other_id,
            echo(0, &payload),
            echo(2, &payload),
            echo(1, &payload[..15]),
            echo(1, &changed),
            echo(1, b""),
        ] {
            assert_eq!(tally.reply(&wrong, millis(1)), None, "{wrong:?}");
        }
        assert_eq!(tally.statistics().received, 0);
        assert!(tally.reply(&echo(1, &payload), millis(1)).is_some());
    }

    #[test]
    fn two_tallies_of_one_id_and_requests_of_one_sequence_number_differ_by_payload() {
        let mut tally = Tally::new(ID, 1, 8);
        let (_, old) = tally.request(millis(0));
        let (_, others) = Tally::new(ID, 2, 8).request(millis(0));
        assert_eq!(tally.reply(&echo(1, &others), millis(1)), None);
        for _ in 0..SEQUENCES {
            tally.request(millis(1));
        }
        assert_eq!(tally.reply(&echo(1, &old), millis(2)), None);
        let (sequence, _) = tally.request(millis(3));
        assert_eq!(sequence, 2);
        assert_eq!(tally.requests.len(), SEQUENCES as usize);
    }

    #[test]
    fn an_error_that_quotes_the_beginning_of_a_request_is_ours() {
        let mut tally = Tally::new(ID, 42, 56);
        let (_, payload) = tally.request(millis(0));
        for len in [0, 1, 20, 56] {
            assert!(tally.problem(&echo(1, &payload[..len])), "{len}");
        }
        assert!(!tally.problem(&echo(1, b"other")));
        assert!(!tally.problem(&echo(9, &payload)));
        assert_eq!(tally.statistics().errors, 4);
    }

    #[test]
    fn two_messages_about_one_request_settle_only_that_one() {
        let mut tally = Tally::new(ID, 42, 8);
        let (_, first) = tally.request(millis(0));
        let (_, second) = tally.request(millis(1));
        assert!(tally.problem(&echo(1, &first)) && tally.problem(&echo(1, &first)));
        assert!(tally.reply(&echo(1, &first), millis(2)).is_some());
        assert!(!tally.is_settled());
        assert!(tally.reply(&echo(2, &second), millis(3)).is_some());
        assert!(tally.is_settled());
        tally.request(millis(4));
        assert!(!tally.is_settled());
        tally.failed();
        assert!(tally.is_settled());
    }

    #[test]
    fn what_a_router_fills_up_or_appends_does_not_hide_whose_request_it_quotes() {
        for size in [0, 1, 7, 8, 9, 56] {
            let mut tally = Tally::new(ID, 42, size);
            let (_, payload) = tally.request(millis(0));
            for len in 0..=size {
                let filled = [&payload[..len], &[0; 100]].concat();
                assert!(tally.problem(&echo(1, &filled)), "{len} of {size}");
            }
            let appended = [&payload[..], &[0x20, 0, 0xdf, 0xff]].concat();
            assert!(tally.problem(&echo(1, &appended)), "{size}");
        }
        let mut tally = Tally::new(ID, 42, 56);
        let (_, mut payload) = tally.request(millis(0));
        payload[MARK - 1] ^= 1;
        assert!(!tally.problem(&echo(1, &payload)));
    }

    #[test]
    fn payloads_of_no_and_few_bytes_are_matched_too() {
        for size in 0..10 {
            let mut tally = Tally::new(ID, u64::MAX, size);
            let (sequence, payload) = tally.request(millis(0));
            assert_eq!(payload.len(), size);
            assert!(tally.reply(&echo(sequence, &payload), millis(1)).is_some());
        }
    }

    #[test]
    fn statistics_are_those_of_the_textbook() {
        let mut tally = Tally::new(ID, 42, 0);
        for round_trip in [2, 4, 4, 4, 5, 5, 7, 9] {
            let (sequence, payload) = tally.request(millis(0));
            tally.reply(&echo(sequence, &payload), millis(round_trip));
        }
        tally.request(millis(0));
        tally.request(millis(0));
        let trips = tally.statistics().round_trips().unwrap();
        assert_eq!(trips, [millis(2), millis(5), millis(9), millis(2)]);
        assert_eq!(tally.statistics().loss_percent(), Some(20.0));
    }

    #[test]
    fn without_requests_there_is_no_loss_and_without_replies_no_round_trip() {
        let mut tally = Tally::new(ID, 42, 0);
        assert_eq!(tally.statistics().loss_percent(), None);
        tally.request(millis(0));
        assert_eq!(tally.statistics().round_trips(), None);
        assert_eq!(tally.statistics().loss_percent(), Some(100.0));
    }
}
