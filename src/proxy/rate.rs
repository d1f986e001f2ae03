//! How many requests a second one client may send. Beyond that the answer is 429 (RFC 6585 §4).
//!
//! A client is an IPv4 address or an IPv6 /64, as for the limit of connections. It has a bucket of
//! tokens, which fills at the rate and holds a burst: a browser asks for a page and its twenty
//! images at once and then rests. A request takes a token. If there is none, it is refused with the
//! time until the next one, for Retry-After. A refused request costs nothing, so a client that
//! waits as told is served.
//!
//! The table has a fixed size and forgets the client that was away for longest;
//! `server/accounts.rs` says how. Time is an argument, counted from any fixed moment. Pure;
//! allocates in `new` only.

use std::net::IpAddr;
use std::time::Duration;

use crate::server::{Accounts, ONE, neighbour};

/// The settings of the request rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateConfig {
    /// Requests a second from one client in the long run, at least 1.
    pub per_second: u32,
    /// Requests at once from a client that was idle before, at least 1.
    pub burst: u32,
    /// How many clients are remembered at most, 40 bytes each. Default 65,536.
    pub clients: usize,
}

/// The buckets of all clients.
#[derive(Debug)]
pub struct RateLimit {
    /// In thousandths of a token a millisecond.
    per_second: i64,
    accounts: Accounts,
}

impl RateLimit {
    /// A table in which every bucket is full. The seed, a random number, keeps strangers from
    /// choosing addresses that push out a certain client.
    pub fn new(config: RateConfig, seed: u64) -> Self {
        let RateConfig {
            per_second,
            burst,
            clients,
        } = config;
        let per_second = per_second.max(1);
        Self {
            per_second: per_second.into(),
            accounts: Accounts::new(per_second, burst.max(1), clients, seed),
        }
    }

    /// Takes a token for a request of `client`, or returns how long it takes until there is one.
    pub fn allow(&mut self, client: IpAddr, now: Duration) -> Result<(), Duration> {
        let Some(account) = self.accounts.get(now, key(client)) else {
            return Ok(());
        };
        let missing = ONE - account.balance;
        if missing <= 0 {
            account.balance -= ONE;
            return Ok(());
        }
        let wait = (missing + self.per_second - 1) / self.per_second;
        Err(Duration::from_millis(wait.unsigned_abs()))
    }
}

/// The client as a number; IPv4 in its IPv6 form (RFC 4291 §2.5.5.2), which is in no client's /64.
fn key(client: IpAddr) -> [u64; 2] {
    let bits = match neighbour(client) {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    };
    [(bits >> 64) as u64, bits as u64]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Seeded;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    fn limit(per_second: u32, burst: u32) -> RateLimit {
        let config = RateConfig {
            per_second,
            burst,
            clients: 65_536,
        };
        RateLimit::new(config, 7)
    }

    fn allowed(limit: &mut RateLimit, from: &str, now: u64, count: usize) -> usize {
        let from = ip(from);
        (0..count)
            .filter(|_| limit.allow(from, ms(now)).is_ok())
            .count()
    }

    #[test]
    fn a_burst_is_served_and_then_the_rate() {
        let mut limit = limit(10, 20);
        assert_eq!(allowed(&mut limit, "192.0.2.1", 0, 100), 20);
        assert_eq!(allowed(&mut limit, "192.0.2.1", 99, 100), 0);
        assert_eq!(allowed(&mut limit, "192.0.2.1", 100, 100), 1);
        assert_eq!(allowed(&mut limit, "192.0.2.1", 1_100, 100), 10);
        assert_eq!(allowed(&mut limit, "192.0.2.1", 60_000, 100), 20);
    }

    #[test]
    fn who_waits_as_told_is_served_and_a_millisecond_earlier_is_not() {
        for per_second in [1, 3, 7, 999, 1_000, 5_000] {
            let mut limit = limit(per_second, 1);
            let client = ip("2001:db8::1");
            assert_eq!(limit.allow(client, ms(5)), Ok(()));
            let wait = limit.allow(client, ms(5)).unwrap_err();
            assert!(wait >= ms(1) && wait <= ms(1_000));
            let early = ms(5) + wait - ms(1);
            assert!(limit.allow(client, early).is_err(), "{per_second}");
            assert_eq!(limit.allow(client, ms(5) + wait), Ok(()), "{per_second}");
        }
    }

    #[test]
    fn refused_requests_cost_nothing() {
        let mut limit = limit(2, 2);
        assert_eq!(allowed(&mut limit, "192.0.2.1", 0, 100_000), 2);
        assert_eq!(allowed(&mut limit, "192.0.2.1", 1_000, 100), 2);
    }

    #[test]
    fn a_client_is_an_ipv4_address_or_an_ipv6_64() {
        for (one, other, same) in [
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("2001:db8::1", "2001:db8::2", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
        ] {
            let mut limit = limit(1, 1);
            assert_eq!(allowed(&mut limit, one, 0, 1), 1);
            assert_eq!(allowed(&mut limit, other, 0, 1) == 0, same, "{one} {other}");
        }
    }

    #[test]
    fn a_rate_of_nothing_is_one_a_second_and_not_a_division_by_zero() {
        let mut limit = limit(0, 0);
        assert_eq!(limit.allow(ip("192.0.2.1"), ms(0)), Ok(()));
        assert_eq!(limit.allow(ip("192.0.2.1"), ms(0)), Err(ms(1_000)));
    }

    #[test]
    fn in_any_traffic_a_client_gets_its_burst_and_its_rate_and_no_more() {
        let mut random = Seeded::new(5_07);
        let (mut limit, mut now, mut served) = (limit(50, 80), 0, 0);
        for _ in 0..20_000 {
            now += random.below(20) as u64;
            served += allowed(&mut limit, "192.0.2.1", now, random.below(3)) as u64;
            assert!(served <= 80 + now * 50 / 1_000, "{served} in {now} ms");
        }
        // The client asked for twice its rate, so it should get nearly all that the rate allows.
        assert!(served + 5 >= now * 50 / 1_000, "{served} in {now} ms");
    }

    #[test]
    fn a_crowd_larger_than_the_table_does_not_free_the_one_who_floods() {
        let config = RateConfig {
            per_second: 5,
            burst: 5,
            clients: 64,
        };
        let mut limit = RateLimit::new(config, 7);
        let mut served = 0;
        for now in 0..10_000_u64 {
            served += allowed(&mut limit, "192.0.2.1", now, 1);
            let other = format!("10.0.{}.{}", now / 256, now % 256);
            assert_eq!(allowed(&mut limit, &other, now, 1), 1);
        }
        assert_eq!(served, 54, "a burst of 5, and 5 a second after it");
    }
}
