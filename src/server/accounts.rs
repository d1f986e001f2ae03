//! Accounts that earn over time: how much each of very many clients may still do.
//!
//! An account is a token bucket: it earns the allowed number per second and never holds more than
//! its limit. The calling code takes from it, and decides whether it may go into debt and what
//! happens to a client with nothing left: DNS truncates, HTTP answers 429.
//!
//! The table has a fixed size, because its keys come from strangers. When there are more clients,
//! the least recently used accounts are replaced; those of an attack in progress are used all the
//! time. To find the least recently used without a list, a key has only a few possible places
//! ([`WAYS`]), as in the cache of a processor. The seed keeps strangers from choosing keys that
//! share them.
//!
//! Time is the time since any fixed moment. Pure.

use std::time::Duration;

/// Possible places of a key; a new key takes over the least recently used one.
const WAYS: usize = 8;

/// Balances are in thousandths, so that a millisecond earns something.
pub(crate) const ONE: i64 = 1000;

/// The table.
#[derive(Debug)]
pub(crate) struct Accounts {
    per_second: u32,
    most: i64,
    seed: u64,
    accounts: Vec<Account>,
}

/// What one client has left.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Account {
    key: [u64; 2],
    /// When it was last used, in milliseconds counted from 1; 0: never.
    used: u64,
    /// In thousandths. The calling code takes from it.
    pub(crate) balance: i64,
    /// Free for the calling code to count with; 0 in a new account.
    pub(crate) over: u32,
}

impl Accounts {
    /// An empty table of about `count` accounts, 40 bytes each. An account earns `per_second`,
    /// holds at most `most`, and starts full.
    pub(crate) fn new(per_second: u32, most: u32, count: usize, seed: u64) -> Self {
        let sets = count.div_ceil(WAYS).max(1);
        Self {
            per_second,
            most: i64::from(most) * ONE,
            seed,
            accounts: vec![Account::default(); sets * WAYS],
        }
    }

    /// The account of this key, with what it has earned up to `now`. `None` only for a table
    /// without places.
    pub(crate) fn get(&mut self, now: Duration, key: [u64; 2]) -> Option<&mut Account> {
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let now = now.saturating_add(1);
        let (per_second, most) = (self.per_second, self.most);
        let account = self.find(key)?;
        if account.used == 0 || account.key != key {
            *account = Account {
                key,
                used: now,
                balance: most,
                over: 0,
            };
            return Some(account);
        }
        // Two threads may read the clock in one order and arrive here in the other.
        let passed = i64::try_from(now.saturating_sub(account.used)).unwrap_or(i64::MAX);
        let earned = passed.saturating_mul(i64::from(per_second));
        account.balance = account.balance.saturating_add(earned).min(most);
        account.used = account.used.max(now);
        Some(account)
    }

    /// The place of the key, or the one that it takes over.
    fn find(&mut self, [a, b]: [u64; 2]) -> Option<&mut Account> {
        let sets = self.accounts.len() / WAYS;
        let set = mix(mix(self.seed ^ a) ^ b) % sets as u64;
        let set = self.accounts.chunks_exact_mut(WAYS).nth(set as usize)?;
        match set.iter().position(|account| account.key == [a, b]) {
            Some(index) => set.get_mut(index),
            None => set.iter_mut().min_by_key(|account| account.used),
        }
    }
}

/// The mixing step of SplitMix64: each bit affects all bits, so similar inputs give unrelated
/// outputs.
pub(crate) fn mix(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balance(accounts: &mut Accounts, ms: u64, key: u64) -> i64 {
        let account = accounts.get(Duration::from_millis(ms), [key, 0]).unwrap();
        account.balance
    }

    #[test]
    fn an_account_begins_full_and_earns_by_the_millisecond_up_to_its_limit() {
        let mut accounts = Accounts::new(5, 2, 8, 7);
        accounts.get(Duration::ZERO, [1, 0]).unwrap().balance -= 2 * ONE;
        for (ms, expected) in [(0, 0), (1, 5), (2, 10), (102, 510), (9_000, 2 * ONE)] {
            assert_eq!(balance(&mut accounts, ms, 1), expected, "{ms} ms");
        }
    }

    #[test]
    fn a_key_of_zeros_is_a_key_like_any_other() {
        let mut accounts = Accounts::new(1, 1, 8, 7);
        accounts.get(Duration::ZERO, [0, 0]).unwrap().balance -= ONE;
        assert_eq!(balance(&mut accounts, 0, 0), 0);
    }

    #[test]
    fn time_that_goes_back_earns_nothing_then_nor_twice_later() {
        let mut accounts = Accounts::new(1, 10, 8, 7);
        accounts
            .get(Duration::from_secs(5), [1, 0])
            .unwrap()
            .balance = 0;
        assert_eq!(balance(&mut accounts, 2_000, 1), 0);
        assert_eq!(balance(&mut accounts, 6_000, 1), ONE);
    }

    #[test]
    fn the_place_not_used_for_longest_is_taken_over() {
        let mut accounts = Accounts::new(0, 1, WAYS, 7);
        for key in 0..WAYS as u64 {
            accounts
                .get(Duration::from_millis(key), [key, 0])
                .unwrap()
                .balance = -1;
        }
        balance(&mut accounts, 100, 0);
        assert_eq!(balance(&mut accounts, 101, 99), ONE, "a new one is full");
        assert_eq!(balance(&mut accounts, 102, 0), -1, "used just now");
        assert_eq!(
            balance(&mut accounts, 103, 1),
            ONE,
            "it had been pushed out"
        );
    }
}
