//! Response rate limiting: the server must not be the amplifier of an attack on others.
//!
//! An attacker who forges the source address of a short query makes us send a long reply to a
//! victim. A forged query looks like an honest one, but the replies give it away: a network that is
//! sent the same reply twenty times a second has not asked for it. So replies are counted by their
//! destination (a /24 of IPv4, a /56 of IPv6) and their content:
//!
//! - an answer: by its name;
//! - "no such name", "no such record": by zone, because an attacker invents names without end;
//! - an error: all together.
//!
//! Each count is an account. Each reply costs one, and each second earns the allowed number of
//! replies. An account saves no more than one second's earnings, and owes no more than a window of
//! seconds earns. While it is in debt, replies are dropped, but every second one (`slip`) is sent
//! empty with TC set. So an honest client asks again over TCP, whose handshake a forger cannot do.
//!
//! The table has a fixed size ([`Accounts`]). The time and the seed of the hash are arguments.
//! There is no specification; BIND and NSD do it this way.

use std::net::IpAddr;
use std::time::Duration;

use crate::server::{Accounts, ONE, mix};

/// The numbers of response rate limiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateConfig {
    /// Replies per second of one kind to one network.
    pub per_second: u32,
    /// How many seconds of earnings an account can owe. Default 15.
    pub window: u32,
    /// Of the replies over the limit, every `slip`th is sent empty with TC; 0: none, 1: all.
    /// Default 2.
    pub slip: u32,
    /// The most accounts, 40 bytes each. Default 65,536.
    pub accounts: usize,
}

impl RateConfig {
    /// This many replies per second; all else by default.
    pub fn per_second(per_second: u32) -> Self {
        Self {
            per_second,
            window: 15,
            slip: 2,
            accounts: 65_536,
        }
    }
}

/// The content of a reply, as far as replies are counted separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyKind<'a> {
    /// It has records; by the wire form of their name.
    Answer(&'a [u8]),
    /// It has none: NXDOMAIN, NODATA, a referral; by the wire form of the zone's name.
    Negative(&'a [u8]),
    /// FORMERR, REFUSED and so on.
    Error,
}

/// What to do with a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Send it.
    Send,
    /// Send its question only, with TC set.
    Truncate,
    /// Send nothing.
    Drop,
}

/// The accounts.
#[derive(Debug)]
pub struct RateLimit {
    config: RateConfig,
    seed: u64,
    accounts: Accounts,
}

impl RateLimit {
    /// An empty table. The seed keeps attackers from choosing names that share an account.
    pub fn new(config: RateConfig, seed: u64) -> Self {
        let RateConfig {
            per_second,
            accounts,
            ..
        } = config;
        Self {
            config,
            seed,
            accounts: Accounts::new(per_second, per_second, accounts, seed),
        }
    }

    /// Counts a reply to `client`; `now` is the time since any fixed moment.
    pub fn judge(&mut self, now: Duration, client: IpAddr, kind: ReplyKind<'_>) -> Verdict {
        let key = [network(client), self.hash(kind)];
        let RateConfig {
            per_second,
            window,
            slip,
            ..
        } = self.config;
        let Some(account) = self.accounts.get(now, key) else {
            return Verdict::Send;
        };
        let most_owed = (i64::from(per_second) * ONE).saturating_mul(window.into());
        account.balance = (account.balance - ONE).max(-most_owed);
        if account.balance >= 0 {
            account.over = 0;
            return Verdict::Send;
        }
        account.over = account.over.wrapping_add(1);
        match slip {
            0 => Verdict::Drop,
            slip if account.over % slip == 0 => Verdict::Truncate,
            _ => Verdict::Drop,
        }
    }

    fn hash(&self, kind: ReplyKind<'_>) -> u64 {
        let (number, name): (u64, &[u8]) = match kind {
            ReplyKind::Answer(name) => (1, name),
            ReplyKind::Negative(zone) => (2, zone),
            ReplyKind::Error => (3, &[]),
        };
        let octets = name.iter().map(|octet| octet.to_ascii_lowercase());
        octets.fold(mix(self.seed ^ number), |hash, octet| {
            mix(hash ^ u64::from(octet))
        })
    }
}

/// The network of a client as a number: the addresses that usually have one owner. An IPv4-mapped
/// IPv6 address counts as IPv4.
pub(super) fn network(client: IpAddr) -> u64 {
    match client.to_canonical() {
        IpAddr::V4(v4) => u64::from(u32::from(v4) >> 8),
        // The top bit is set: no IPv4 network has the same number.
        IpAddr::V6(v6) => (v6.to_bits() >> 72) as u64 | 1 << 63,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: ReplyKind<'_> = ReplyKind::Answer(b"\x03www\x07example\x00");

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn limit(per_second: u32) -> RateLimit {
        RateLimit::new(RateConfig::per_second(per_second), 7)
    }

    /// How many of `count` replies at one moment are sent, truncated, dropped.
    fn burst(limit: &mut RateLimit, now: u64, from: &str, count: usize) -> [usize; 3] {
        let mut seen = [0; 3];
        for _ in 0..count {
            match limit.judge(Duration::from_millis(now), ip(from), NAME) {
                Verdict::Send => seen[0] += 1,
                Verdict::Truncate => seen[1] += 1,
                Verdict::Drop => seen[2] += 1,
            }
        }
        seen
    }

    #[test]
    fn the_allowed_number_is_sent_and_of_the_rest_every_second_is_truncated() {
        assert_eq!(burst(&mut limit(5), 0, "192.0.2.1", 25), [5, 10, 10]);
    }

    #[test]
    fn a_steady_client_within_the_rate_is_never_limited_and_one_above_it_always_some() {
        let mut limit = limit(10);
        for tenth in 0..600 {
            assert_eq!(burst(&mut limit, tenth * 100, "192.0.2.1", 1), [1, 0, 0]);
        }
        let sent: usize = (600..1200)
            .map(|tenth| burst(&mut limit, tenth * 100, "192.0.2.1", 2)[0])
            .sum();
        assert!(sent < 100, "{sent}: a client in debt earns no reply");
    }

    #[test]
    fn a_debt_is_no_larger_than_the_window_and_a_silent_client_is_forgiven() {
        let mut limit = limit(5);
        burst(&mut limit, 0, "192.0.2.1", 100_000);
        assert_eq!(burst(&mut limit, 14_000, "192.0.2.1", 1)[0], 0);
        assert_eq!(burst(&mut limit, 31_000, "192.0.2.1", 6), [5, 0, 1]);
    }

    #[test]
    fn after_a_reply_that_was_sent_the_first_too_many_is_dropped_again() {
        let mut limit = limit(1);
        for second in [0, 10, 20] {
            let seen = burst(&mut limit, second * 1_000, "192.0.2.1", 2);
            assert_eq!(seen, [1, 0, 1], "at {second} s");
        }
    }

    #[test]
    fn neighbours_share_an_account_and_strangers_do_not() {
        for (one, other, shared) in [
            ("192.0.2.1", "192.0.2.255", true),
            ("192.0.2.1", "192.0.3.1", false),
            ("192.0.2.1", "::ffff:192.0.2.9", true),
            ("2001:db8:0:100::1", "2001:db8:0:1ff::1", true),
            ("2001:db8:0:100::1", "2001:db8:0:200::1", false),
        ] {
            let mut limit = limit(5);
            burst(&mut limit, 0, one, 5);
            let sent = burst(&mut limit, 0, other, 1)[0];
            assert_eq!(sent == 0, shared, "{one} {other}");
        }
    }

    #[test]
    fn names_are_counted_apart_without_case_and_invented_ones_by_their_zone() {
        let mut limit = limit(1);
        let mut send = |kind| limit.judge(Duration::ZERO, ip("192.0.2.1"), kind) == Verdict::Send;
        assert!(send(ReplyKind::Answer(b"\x01a\x00")));
        assert!(send(ReplyKind::Answer(b"\x01b\x00")));
        assert!(!send(ReplyKind::Answer(b"\x01A\x00")));
        assert!(send(ReplyKind::Negative(b"\x01a\x00")));
        assert!(!send(ReplyKind::Negative(b"\x01a\x00")));
        assert!(send(ReplyKind::Error));
        assert!(!send(ReplyKind::Error));
    }

    #[test]
    fn slip_zero_drops_all_and_slip_one_truncates_all() {
        for (slip, expected) in [(0, [1, 0, 9]), (1, [1, 9, 0]), (3, [1, 3, 6])] {
            let config = RateConfig {
                slip,
                ..RateConfig::per_second(1)
            };
            let mut limit = RateLimit::new(config, 7);
            assert_eq!(burst(&mut limit, 0, "192.0.2.1", 10), expected, "{slip}");
        }
    }

    #[test]
    fn a_crowd_larger_than_the_table_does_not_hide_an_attack() {
        let config = RateConfig {
            accounts: 64,
            ..RateConfig::per_second(5)
        };
        let mut limit = RateLimit::new(config, 7);
        let mut sent = 0;
        for now in 0..10_000_u64 {
            sent += burst(&mut limit, now, "192.0.2.1", 1)[0];
            let other = format!("10.{}.{}.1", now / 256, now % 256);
            assert_eq!(burst(&mut limit, now, &other, 1)[0], 1);
        }
        // Ten seconds at five a second, where a thousand a second were asked for.
        assert!(sent <= 10, "{sent}");
    }

    #[test]
    fn time_that_goes_back_or_stands_still_earns_nothing() {
        let mut limit = limit(2);
        assert_eq!(burst(&mut limit, 5_000, "192.0.2.1", 2)[0], 2);
        assert_eq!(burst(&mut limit, 1_000, "192.0.2.1", 2)[0], 0);
    }
}
