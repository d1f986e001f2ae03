//! A cache of answers: positive ones are kept for their TTL, negative ones for the time that the
//! SOA record with them gives (RFC 1035 §7.4, RFC 2308 §5).
//!
//! - "No such name" holds for all types of the name and for all names below it (RFC 8020 §2).
//! - An answer from the cache has the TTLs that are left.
//! - A cache is bounded in entries and in octets. When it is full, the answers that would expire
//!   first make room.
//!
//! The time is an argument, counted from any fixed moment. A cache that threads share needs a lock
//! around it (`resolver.rs`).

use std::collections::BTreeMap;
use std::time::Duration;

use super::chain::{Answer, Ending};
use super::code::{Class, RecordType};
use super::name::Name;
use super::record::{Question, Record};

/// The longest time an answer is kept, in seconds: a day. (A TTL can say 68 years; a mistake in a
/// zone should not last that long, and RFC 2181 §8 leaves the upper bound to us.)
pub const MAX_TTL: u32 = 86_400;
/// The longest time a negative answer is kept, in seconds: three hours (RFC 2308 §5: one to three).
pub const MAX_NEGATIVE_TTL: u32 = 10_800;

/// Stands for all types in a key: the type 0 is reserved and never asked for.
const ALL_TYPES: RecordType = RecordType(0);

/// The name in lower case, the type, the class.
type Key = (Box<[u8]>, RecordType, Class);

/// Answers by question.
#[derive(Clone, Debug)]
pub struct Cache {
    entries: BTreeMap<Key, Entry>,
    /// The keys by the time at which they expire, then by age.
    ends: BTreeMap<(Duration, u64), Key>,
    octets: usize,
    max_entries: usize,
    max_octets: usize,
    inserted: u64,
}

#[derive(Clone, Debug)]
struct Entry {
    answer: Answer,
    since: Duration,
    until: (Duration, u64),
    octets: usize,
}

impl Cache {
    /// An empty cache with these bounds; with zero entries it keeps nothing.
    pub fn new(max_entries: usize, max_octets: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            ends: BTreeMap::new(),
            octets: 0,
            max_entries,
            max_octets,
            inserted: 0,
        }
    }

    /// How many answers are in the cache.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the cache has no answers.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The cached answer to a question, with the TTLs that are left.
    pub fn get(&self, question: &Question, now: Duration) -> Option<Answer> {
        let whole = key(&question.name, question.kind, question.class);
        if let Some(entry) = self.entries.get(&whole) {
            if let Some(answer) = entry.aged(now) {
                return Some(answer);
            }
        }
        let mut name = Some(question.name.clone());
        while let Some(denied) = name {
            let entry = self.entries.get(&key(&denied, ALL_TYPES, question.class));
            if let Some(answer) = entry.and_then(|entry| entry.aged(now)) {
                return Some(Answer {
                    question: question.clone(),
                    name: question.name.clone(),
                    ..answer
                });
            }
            name = denied.parent();
        }
        None
    }

    /// Keeps an answer that says for how long it may be kept. An answer that is larger than the
    /// whole cache, or that expires at once, is not kept.
    pub fn put(&mut self, answer: &Answer, now: Duration) {
        let Some(ttl) = answer.ttl() else { return };
        let question = &answer.question;
        if let Ending::NoSuchName { ttl: Some(denied) } = answer.ending {
            let bare = Answer {
                aliases: Vec::new(),
                ..answer.clone()
            };
            self.insert(
                key(&answer.name, ALL_TYPES, question.class),
                bare,
                denied,
                now,
            );
            if answer.aliases.is_empty() {
                return;
            }
        }
        let whole = key(&question.name, question.kind, question.class);
        self.insert(whole, answer.clone(), ttl, now);
    }

    fn insert(&mut self, key: Key, answer: Answer, ttl: u32, now: Duration) {
        let most = match answer.ending {
            Ending::Records(_) => MAX_TTL,
            _ => MAX_NEGATIVE_TTL,
        };
        let seconds = Duration::from_secs(ttl.min(most).into());
        let octets = size(&key, &answer);
        if seconds.is_zero() || octets > self.max_octets || self.max_entries == 0 {
            return;
        }
        self.remove(&key);
        while self.len() >= self.max_entries || self.octets + octets > self.max_octets {
            let Some((_, soonest)) = self.ends.pop_first() else {
                break;
            };
            self.remove(&soonest);
        }
        self.inserted += 1;
        let until = (now.saturating_add(seconds), self.inserted);
        self.ends.insert(until, key.clone());
        self.octets += octets;
        let entry = Entry {
            answer,
            since: now,
            until,
            octets,
        };
        self.entries.insert(key, entry);
    }

    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.ends.remove(&entry.until);
            self.octets -= entry.octets;
        }
    }
}

impl Entry {
    /// The answer with the TTLs that are left, unless it has expired.
    fn aged(&self, now: Duration) -> Option<Answer> {
        if now >= self.until.0 {
            return None;
        }
        let mut answer = self.answer.clone();
        let age = now.saturating_sub(self.since).as_secs();
        answer.age(u32::try_from(age).unwrap_or(u32::MAX));
        Some(answer)
    }
}

fn key(name: &Name, kind: RecordType, class: Class) -> Key {
    (name.wire().to_ascii_lowercase().into(), kind, class)
}

/// The octets of an entry: its names and data as on the wire, and the structures around them.
fn size(key: &Key, answer: &Answer) -> usize {
    const ENTRY: usize = size_of::<Entry>() + 2 * size_of::<Key>();
    let record = |record: &Record| {
        size_of::<Record>() + record.name.wire().len() + record.data.to_wire().len()
    };
    let records = answer.aliases.iter().chain(answer.records());
    ENTRY + 4 * key.0.len() + records.map(record).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Data;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn question(text: &str, kind: RecordType) -> Question {
        Question {
            name: Name::parse(text).unwrap(),
            kind,
            class: Class::IN,
        }
    }

    fn answer(text: &str, ending: Ending) -> Answer {
        let question = question(text, RecordType::A);
        Answer {
            name: question.name.clone(),
            question,
            aliases: Vec::new(),
            ending,
            server: None,
        }
    }

    fn found(text: &str, ttl: u32) -> Answer {
        let data = Data::A("192.0.2.1".parse().unwrap());
        let record = Record::new(Name::parse(text).unwrap(), ttl, data);
        answer(text, Ending::Records(vec![record]))
    }

    fn cache() -> Cache {
        Cache::new(100, 100_000)
    }

    #[test]
    fn an_answer_is_kept_for_its_ttl_and_handed_out_with_what_is_left_of_it() {
        let mut cache = cache();
        cache.put(&found("www.example", 60), seconds(1_000));
        let asked = question("WWW.example.", RecordType::A);
        let kept = cache.get(&asked, seconds(1_010)).unwrap();
        assert_eq!(kept.records()[0].ttl, 50);
        assert!(cache.get(&asked, seconds(1_059)).is_some());
        assert_eq!(cache.get(&asked, seconds(1_060)), None);
        let other = question("www.example.", RecordType::AAAA);
        assert_eq!(cache.get(&other, seconds(1_010)), None);
    }

    #[test]
    fn the_shortest_ttl_of_a_chain_counts_and_zero_is_not_kept() {
        let mut cache = cache();
        let mut answer = found("www.example", 60);
        let data = Data::Cname(Name::parse("www.example").unwrap());
        let alias = Name::parse("alias.example").unwrap();
        answer.aliases.push(Record::new(alias, 5, data));
        cache.put(&answer, seconds(0));
        let asked = question("www.example.", RecordType::A);
        assert!(cache.get(&asked, seconds(4)).is_some());
        assert_eq!(cache.get(&asked, seconds(5)), None);
        cache.put(&found("zero.example", 0), seconds(0));
        let asked = question("zero.example.", RecordType::A);
        assert_eq!(cache.get(&asked, seconds(0)), None);
    }

    #[test]
    fn no_such_name_counts_for_all_types_and_all_names_below() {
        let mut cache = cache();
        let ttl = Some(30);
        cache.put(
            &answer("gone.example", Ending::NoSuchName { ttl }),
            seconds(0),
        );
        for (text, kind) in [
            ("gone.example", RecordType::A),
            ("Gone.Example", RecordType::MX),
            ("a.b.gone.example", RecordType::TXT),
        ] {
            let kept = cache.get(&question(text, kind), seconds(10)).unwrap();
            assert_eq!(kept.ending, Ending::NoSuchName { ttl: Some(20) }, "{text}");
            assert_eq!(kept.question, question(text, kind));
        }
        let beside = question("notgone.example", RecordType::A);
        assert_eq!(cache.get(&beside, seconds(10)), None);
        let over = question("gone.example", RecordType::A);
        assert_eq!(cache.get(&over, seconds(30)), None);
    }

    #[test]
    fn a_name_denied_behind_an_alias_is_denied_without_the_alias() {
        let mut cache = cache();
        let ttl = Some(30);
        let mut denied = answer("alias.example", Ending::NoSuchName { ttl });
        denied.name = Name::parse("gone.example").unwrap();
        let data = Data::Cname(denied.name.clone());
        let alias = Record::new(denied.question.name.clone(), 60, data);
        denied.aliases.push(alias);
        cache.put(&denied, seconds(0));
        let aliases = |text: &str| {
            let kept = cache.get(&question(text, RecordType::A), seconds(1));
            kept.unwrap().aliases.len()
        };
        let seen = ["alias.example", "gone.example", "www.gone.example"].map(aliases);
        assert_eq!(seen, [1, 0, 0]);
    }

    #[test]
    fn no_such_record_counts_for_its_type_only_and_without_soa_nothing_is_kept() {
        let mut cache = cache();
        let ttl = Some(30);
        cache.put(
            &answer("x.example", Ending::NoSuchRecord { ttl }),
            seconds(0),
        );
        let same = question("x.example", RecordType::A);
        assert!(cache.get(&same, seconds(29)).is_some());
        let other = question("x.example", RecordType::AAAA);
        assert_eq!(cache.get(&other, seconds(29)), None);
        let below = question("a.x.example", RecordType::A);
        assert_eq!(cache.get(&below, seconds(29)), None);
        let silent = answer("y.example", Ending::NoSuchRecord { ttl: None });
        cache.put(&silent, seconds(0));
        assert_eq!(cache.get(&silent.question, seconds(0)), None);
    }

    #[test]
    fn nothing_is_kept_longer_than_a_day_and_nothing_negative_longer_than_three_hours() {
        let mut cache = cache();
        let long = found("long.example", u32::MAX >> 1);
        let ttl = Some(u32::MAX >> 1);
        let denied = answer("gone.example", Ending::NoSuchName { ttl });
        for (answer, limit) in [(long, MAX_TTL), (denied, MAX_NEGATIVE_TTL)] {
            cache.put(&answer, seconds(0));
            let limit = u64::from(limit);
            assert!(cache.get(&answer.question, seconds(limit - 1)).is_some());
            assert_eq!(cache.get(&answer.question, seconds(limit)), None);
        }
    }

    #[test]
    fn a_full_cache_drops_what_would_end_soonest_and_stays_within_both_bounds() {
        let mut cache = Cache::new(3, 100_000);
        for (text, ttl) in [("a", 100), ("b", 10), ("c", 50), ("d", 70)] {
            cache.put(&found(text, ttl), seconds(0));
        }
        let kept = |text: &str| {
            let asked = question(text, RecordType::A);
            cache.get(&asked, seconds(1)).is_some()
        };
        assert_eq!(["a", "b", "c", "d"].map(kept), [true, false, true, true]);

        let one = {
            let mut cache = Cache::new(10, 100_000);
            cache.put(&found("a", 1), seconds(0));
            cache.octets
        };
        let mut small = Cache::new(1_000, 10 * one);
        for number in 0..1_000 {
            small.put(&found(&format!("n{number}"), 60), seconds(0));
            assert!(small.octets <= 10 * one);
        }
        assert!(small.len() > 5, "{}", small.len());
        // An entry too large for the whole cache evicts nothing.
        let (before, long) = (small.len(), "x".repeat(63));
        let large = |_| found("y", 60).records()[0].clone();
        let mut answer = found(&format!("{long}.{long}"), 60);
        answer.ending = Ending::Records((0..1_000).map(large).collect());
        small.put(&answer, seconds(0));
        assert_eq!(small.len(), before);
        let mut none = Cache::new(0, 100_000);
        none.put(&found("a", 60), seconds(0));
        assert!(none.is_empty());
    }

    #[test]
    fn an_answer_that_replaces_another_is_counted_once() {
        let mut cache = cache();
        cache.put(&found("a", 60), seconds(0));
        let octets = cache.octets;
        cache.put(&found("a", 90), seconds(30));
        assert_eq!((cache.len(), cache.octets), (1, octets));
        let asked = question("a", RecordType::A);
        assert_eq!(cache.get(&asked, seconds(31)).unwrap().records()[0].ttl, 89);
    }
}
