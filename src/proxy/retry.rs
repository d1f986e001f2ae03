//! Whether a request that failed at one backend may be sent to another.
//!
//! A retry hides a dead backend from a client. It must not do twice what the client asked for once
//! (RFC 9110 §9.2.2: a proxy MUST NOT automatically retry non-idempotent requests), and the
//! client must not get two replies to one request:
//!
//! | how the attempt ended | GET, HEAD, PUT, DELETE, OPTIONS, TRACE | POST, PATCH, any other |
//! |---|---|---|
//! | no connection | yes | yes |
//! | connected, nothing sent | yes | yes |
//! | sent, no reply | if the body can be sent again | no |
//! | part of a reply forwarded | no | no |
//! | this machine had no descriptor, memory or thread for it | no | no |
//!
//! After "nothing sent", another attempt is no retry in the sense of the RFC: no server has seen
//! the request yet. The usual case of "sent, no reply" is a kept connection that the backend closed
//! just when the request was sent (RFC 9112 §9.3.1, §9.5). It says nothing against the backend, so
//! it is an [`Outcome`] of its own: no failure is counted, and there is one attempt on a fresh
//! connection even if retries are off. If the backend had closed a moment earlier, the first write
//! fails already. That is "nothing sent", so any request gets this one attempt.
//!
//! When all backends are in trouble, retries multiply the load on them. So there is a [`Budget`],
//! as in Finagle and Envoy. Retries may be a share of the requests of the last ten seconds, plus a
//! small reserve with which a quiet proxy can retry, too. Time is an argument, counted from any
//! fixed moment. Pure, and without allocation.

use std::time::Duration;

/// The settings of retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryConfig {
    /// Attempts at most after the first one; 0: none. Default 2. (RFC 9110 §9.2.2: a client should
    /// not retry a failed retry. Here each goes to a backend that was not tried yet, and the budget
    /// counts it.)
    pub retries: u32,
    /// Retries at most, in percent of the requests of the last ten seconds. Default 20.
    pub budget_percent: u32,
    /// Retries a second that are allowed in addition to that share. Default 5.
    pub budget_per_second: u32,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            retries: 2,
            budget_percent: 20,
            budget_per_second: 5,
        }
    }
}

/// The effect of running a request twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The same as doing it once (RFC 9110 §9.2.2).
    Idempotent,
    /// Something else, or it is not known.
    Cumulative,
}

impl Effect {
    /// By the method, which is case-sensitive (RFC 9110 §9.1). An unknown one is
    /// [`Effect::Cumulative`].
    pub fn of(method: impl AsRef<[u8]>) -> Self {
        match method.as_ref() {
            b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE" | b"PUT" | b"DELETE" => Effect::Idempotent,
            _ => Effect::Cumulative,
        }
    }
}

/// How a failed attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There is no connection.
    ConnectFailed,
    /// There was a new one, but the kernel took no byte of the request: the first write failed.
    NothingSent,
    /// The same on a kept connection, which had ended earlier.
    NothingSentOnKept,
    /// A kept connection ended after at least a part of the request had been sent on it, and before
    /// any byte of a reply.
    StaleConnection,
    /// At least a part of the request was sent, and nothing of a reply has been forwarded: the
    /// connection ended, time ran out, or what came is not HTTP.
    SentNoReply,
    /// Part of the reply has been forwarded, be it only an interim one (1xx).
    PartOfReply,
    /// This machine lacked a descriptor, memory or a thread. It would lack it for another backend,
    /// too.
    Shortage,
}

impl Outcome {
    /// The outcome when the request could not be written: `is_fresh` on a new connection, else on a
    /// kept one; `is_part_sent` if the kernel had taken a part of it.
    pub fn of_failed_write(is_fresh: bool, is_part_sent: bool) -> Self {
        match (is_fresh, is_part_sent) {
            (true, false) => Outcome::NothingSent,
            (true, true) => Outcome::SentNoReply,
            (false, false) => Outcome::NothingSentOnKept,
            (false, true) => Outcome::StaleConnection,
        }
    }

    /// Whether it counts as a failure of the backend, for its health and for the budget.
    pub fn blames_backend(self) -> bool {
        !self.is_of_kept() && self != Outcome::Shortage
    }

    /// Whether a kept connection had ended.
    fn is_of_kept(self) -> bool {
        matches!(self, Outcome::StaleConnection | Outcome::NothingSentOnKept)
    }
}

/// Whether the request's body can be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// There is none, or all of it is still in memory.
    Kept,
    /// It is passed on as it arrives, and not kept.
    Streamed,
}

/// Whether a request may be sent again although a server may have seen it.
pub fn is_repeatable(effect: Effect, body: Body) -> bool {
    effect == Effect::Idempotent && body == Body::Kept
}

impl RetryConfig {
    /// Whether another attempt is allowed after this number of `attempts` (including the first),
    /// the last of which ended with `outcome`: at another backend or, after a stale connection, on
    /// a fresh connection to the same. If the outcome blames the backend, ask the budget as well.
    pub fn may_retry(&self, effect: Effect, outcome: Outcome, body: Body, attempts: u32) -> bool {
        let retries = match outcome.is_of_kept() {
            true => self.retries.max(1),
            false => self.retries,
        };
        if attempts > retries {
            return false;
        }
        match outcome {
            Outcome::ConnectFailed | Outcome::NothingSent | Outcome::NothingSentOnKept => true,
            Outcome::StaleConnection | Outcome::SentNoReply => is_repeatable(effect, body),
            Outcome::PartOfReply | Outcome::Shortage => false,
        }
    }
}

/// How many seconds the budget looks back.
const WINDOW: usize = 10;

/// What may be spent on retries. Keep it behind the same lock as the balancer, which each request
/// takes anyway.
#[derive(Clone, Debug)]
pub struct Budget {
    percent: u64,
    reserve: u64,
    /// Indexed by the last digit of the second.
    seconds: [Count; WINDOW],
    /// The present second.
    current: u64,
    /// The sum of the seconds.
    sum: Count,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    requests: u64,
    retries: u64,
}

impl Budget {
    /// A budget in which nothing has happened yet.
    pub fn new(config: RetryConfig) -> Self {
        Self {
            percent: config.budget_percent.into(),
            reserve: u64::from(config.budget_per_second) * WINDOW as u64,
            seconds: [Count::default(); WINDOW],
            current: 0,
            sum: Count::default(),
        }
    }

    /// Changes the settings; keeps what was counted.
    pub fn set(&mut self, config: RetryConfig) {
        let Self {
            percent, reserve, ..
        } = Self::new(config);
        (self.percent, self.reserve) = (percent, reserve);
    }

    /// A request has come.
    pub fn deposit(&mut self, now: Duration) {
        self.advance(now);
        self.sum.requests += 1;
        if let Some(second) = self.second() {
            second.requests += 1;
        }
    }

    /// Whether there may be a retry; if so, it is counted.
    pub fn withdraw(&mut self, now: Duration) -> bool {
        self.advance(now);
        let allowed = self.sum.requests * self.percent / 100 + self.reserve;
        if self.sum.retries >= allowed {
            return false;
        }
        self.sum.retries += 1;
        if let Some(second) = self.second() {
            second.retries += 1;
        }
        true
    }

    /// Drops the seconds that have left the window. A clock that goes back stands still here.
    fn advance(&mut self, now: Duration) {
        let passed = now.as_secs().saturating_sub(self.current);
        for _ in 0..passed.min(WINDOW as u64) {
            self.current += 1;
            let old = self.second().map(std::mem::take).unwrap_or_default();
            self.sum.requests -= old.requests;
            self.sum.retries -= old.retries;
        }
        self.current = self.current.max(now.as_secs());
    }

    fn second(&mut self) -> Option<&mut Count> {
        let index = self.current % WINDOW as u64;
        self.seconds.get_mut(index as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Seeded;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn only_the_methods_that_the_rfc_names_are_idempotent() {
        for method in ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"] {
            assert_eq!(Effect::of(method), Effect::Idempotent, "{method}");
        }
        for method in ["POST", "PATCH", "CONNECT", "LOCK", "get", "", "GETS"] {
            assert_eq!(Effect::of(method), Effect::Cumulative, "{method}");
        }
    }

    #[test]
    fn every_case_is_decided_as_the_table_says() {
        use {Body::*, Effect::*, Outcome::*};
        let yes = |effect, outcome, body| match (outcome, effect, body) {
            (ConnectFailed | NothingSent | NothingSentOnKept, _, _) => true,
            (StaleConnection | SentNoReply, Idempotent, Kept) => true,
            (StaleConnection | SentNoReply, _, _) => false,
            (PartOfReply | Shortage, _, _) => false,
        };
        let config = RetryConfig::default();
        for effect in [Idempotent, Cumulative] {
            for body in [Kept, Streamed] {
                for outcome in [
                    ConnectFailed,
                    NothingSent,
                    NothingSentOnKept,
                    StaleConnection,
                    SentNoReply,
                    PartOfReply,
                    Shortage,
                ] {
                    let verdict = config.may_retry(effect, outcome, body, 1);
                    let expected = yes(effect, outcome, body);
                    let case = format!("{effect:?} {outcome:?} {body:?}");
                    assert_eq!(verdict, expected, "{case}");
                }
            }
        }
    }

    #[test]
    fn attempts_are_limited_and_a_stale_connection_gets_one_more_in_any_case() {
        for (retries, outcome, allowed) in [
            (0, Outcome::ConnectFailed, 0),
            (2, Outcome::ConnectFailed, 2),
            (0, Outcome::StaleConnection, 1),
            (2, Outcome::StaleConnection, 2),
            (0, Outcome::NothingSentOnKept, 1),
        ] {
            let config = RetryConfig {
                retries,
                ..RetryConfig::default()
            };
            let verdict = |attempts: &u32| {
                config.may_retry(Effect::Idempotent, outcome, Body::Kept, *attempts)
            };
            let seen = (1..10).filter(verdict);
            assert_eq!(seen.count(), allowed, "{retries} {outcome:?}");
        }
    }

    #[test]
    fn a_post_of_which_nothing_was_sent_goes_again_on_whatever_connection() {
        for (is_fresh, blamed) in [(true, true), (false, false)] {
            let nothing = Outcome::of_failed_write(is_fresh, false);
            let config = RetryConfig::default();
            let verdict = config.may_retry(Effect::Cumulative, nothing, Body::Streamed, 1);
            assert!(verdict, "fresh: {is_fresh}");
            assert_eq!(nothing.blames_backend(), blamed, "fresh: {is_fresh}");
            let part = Outcome::of_failed_write(is_fresh, true);
            let verdict = config.may_retry(Effect::Cumulative, part, Body::Streamed, 1);
            assert!(!verdict, "fresh: {is_fresh}");
        }
    }

    fn spend(budget: &mut Budget, now: Duration) -> usize {
        (0..1_000_000).take_while(|_| budget.withdraw(now)).count()
    }

    #[test]
    fn a_budget_is_a_share_of_the_requests_and_a_reserve() {
        let mut budget = Budget::new(RetryConfig::default());
        assert_eq!(spend(&mut budget, s(0)), 50, "5 a second, for 10 seconds");
        (0..1_000).for_each(|_| budget.deposit(s(1)));
        assert_eq!(spend(&mut budget, s(1)), 200);
        assert_eq!(spend(&mut budget, s(9)), 0);
        assert_eq!(
            spend(&mut budget, s(10)),
            50,
            "what was spent first is forgotten"
        );
        assert_eq!(
            spend(&mut budget, s(11)),
            0,
            "with its requests the share is gone, too"
        );
    }

    #[test]
    fn a_quiet_hour_saves_nothing_up() {
        let mut budget = Budget::new(RetryConfig::default());
        (0..100_000).for_each(|_| budget.deposit(s(0)));
        assert_eq!(spend(&mut budget, s(3_600)), 50);
    }

    #[test]
    fn a_clock_that_goes_back_stands_still() {
        let mut budget = Budget::new(RetryConfig::default());
        assert_eq!(spend(&mut budget, s(100)), 50);
        assert_eq!(spend(&mut budget, s(3)), 0);
        assert_eq!(spend(&mut budget, Duration::MAX), 50);
    }

    #[test]
    fn in_any_ten_seconds_retries_are_within_the_budget() {
        let mut random = Seeded::new(5_06);
        let mut budget = Budget::new(RetryConfig::default());
        let mut seen = Vec::new();
        for second in 0..300 {
            let (requests, wanted) = (random.below(200), random.below(100));
            (0..requests).for_each(|_| budget.deposit(s(second)));
            let retries = (0..wanted).filter(|_| budget.withdraw(s(second))).count();
            seen.push((requests, retries));
            let window = seen.iter().rev().take(WINDOW);
            let (requests, retries) = window.fold((0, 0), |(a, b), (requests, retries)| {
                (a + requests, b + retries)
            });
            // Requests that have left the window may have paid for retries that are still in it.
            let before: usize = seen
                .iter()
                .rev()
                .skip(WINDOW)
                .take(WINDOW - 1)
                .map(|s| s.0)
                .sum();
            assert!(
                retries <= (requests + before) / 5 + 50,
                "{retries} of {requests}"
            );
        }
    }
}
