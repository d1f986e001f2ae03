//! `/etc/resolv.conf`: which servers to ask, and how (resolv.conf(5)); and the search list.
//!
//! ```text
//!   nameserver 192.0.2.53          at most three are used
//!   nameserver fe80::1%eth0
//!   search corp.example example    for names with fewer dots than ndots
//!   options ndots:2 timeout:1 attempts:3 rotate use-vc
//! ```
//!
//! Later `search` and `domain` lines replace earlier ones. What is unknown or cannot be read is
//! skipped: the file is shared with other resolvers, each with options of its own.

use std::time::Duration;

use super::name::Name;
use crate::net::ZonedIp;

/// How many name servers are used, the first ones of the file (`MAXNS` of the C library).
pub const MAX_SERVERS: usize = 3;
/// How many names the search list has at most. The C library no longer has a limit; we keep one,
/// because each entry costs a round of queries.
pub const MAX_SEARCH: usize = 32;
/// The most that `ndots`, `timeout` (seconds) and `attempts` can be set to, as in resolv.conf(5).
pub const MAX_NDOTS: u32 = 15;
/// See [`MAX_NDOTS`].
pub const MAX_TIMEOUT: u32 = 30;
/// See [`MAX_NDOTS`].
pub const MAX_ATTEMPTS: u32 = 5;

/// What the file says, with the defaults of resolv.conf(5) for the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvConf {
    /// The name servers, at most [`MAX_SERVERS`]; empty if the file names none.
    pub servers: Vec<ZonedIp>,
    /// How many further servers the file names, which are not used.
    pub unused: usize,
    /// The domains with which short names are completed.
    pub search: Vec<Name>,
    /// A name with at least this many dots is first asked for as it is. Default 1.
    pub ndots: usize,
    /// How long to wait for each reply. Default 5 s.
    pub timeout: Duration,
    /// How many times to ask each server. Default 2.
    pub attempts: u32,
    /// Begin with another server each time. Default off.
    pub rotate: bool,
    /// `use-vc`: ask over TCP only. Default off.
    pub use_tcp: bool,
}

impl Default for ResolvConf {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            unused: 0,
            search: Vec::new(),
            ndots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
            rotate: false,
            use_tcp: false,
        }
    }
}

impl ResolvConf {
    /// Reads the text of the file.
    pub fn parse(text: &str) -> Self {
        let mut conf = Self::default();
        for line in text.lines() {
            // A comment has a line of its own: `#` inside a line may be part of a zone.
            if line.starts_with(['#', ';']) {
                continue;
            }
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("nameserver") => conf.server(words.next().unwrap_or_default()),
                Some("search") => conf.search = names(words),
                Some("domain") => conf.search = names(words.take(1)),
                Some("options") => words.for_each(|word| conf.option(word)),
                _ => {}
            }
        }
        conf
    }

    fn server(&mut self, word: &str) {
        match word.parse() {
            Ok(server) if self.servers.len() < MAX_SERVERS => self.servers.push(server),
            Ok(_) => self.unused += 1,
            Err(_) => {}
        }
    }

    fn option(&mut self, word: &str) {
        let (key, value) = word.split_once(':').unwrap_or((word, ""));
        let number = value.parse::<u32>();
        match (key, number) {
            ("ndots", Ok(count)) => self.ndots = count.min(MAX_NDOTS) as usize,
            ("timeout", Ok(seconds)) => {
                self.timeout = Duration::from_secs(seconds.clamp(1, MAX_TIMEOUT).into());
            }
            ("attempts", Ok(count)) => self.attempts = count.clamp(1, MAX_ATTEMPTS),
            ("rotate", _) => self.rotate = true,
            ("use-vc", _) => self.use_tcp = true,
            _ => {}
        }
    }
}

fn names<'a>(words: impl Iterator<Item = &'a str>) -> Vec<Name> {
    let names = words.filter_map(|word| Name::parse(word).ok());
    names.take(MAX_SEARCH).collect()
}

/// The names to ask for, in order, when a user writes `text` (resolv.conf(5), `ndots`).
///
/// A name with a dot at its end is asked for as it is. A name with `ndots` dots or more is first
/// asked for as it is and then completed; one with fewer is first completed. Names that become too
/// long are left out.
pub fn candidates(text: &str, name: &Name, search: &[Name], ndots: usize) -> Vec<Name> {
    if is_whole(text) {
        return vec![name.clone()];
    }
    let completed = search
        .iter()
        .filter_map(|suffix| Name::from_labels(name.labels().chain(suffix.labels())).ok())
        .filter(|candidate| candidate != name);
    let mut names: Vec<Name> = completed.collect();
    let dots = name.label_count().saturating_sub(1);
    let place = if dots >= ndots { 0 } else { names.len() };
    names.insert(place, name.clone());
    names
}

/// Whether a name ends with a dot that is not the last octet of a label (`www\.`).
fn is_whole(text: &str) -> bool {
    let escapes = |rest: &str| rest.bytes().rev().take_while(|o| *o == b'\\').count();
    text.strip_suffix('.')
        .is_some_and(|rest| escapes(rest) % 2 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn server(text: &str) -> ZonedIp {
        text.parse().unwrap()
    }

    #[test]
    fn servers_with_zones_tabs_crlf_and_without_a_last_newline_are_read_and_three_are_used() {
        let conf = ResolvConf::parse(
            "# comment\r\nnameserver\t192.0.2.1\r\n  nameserver fe80::1%eth0  \n; other\n\
             nameserver bad\nnameserver 2001:db8::53\nnameserver 192.0.2.4\nnameserver 192.0.2.5",
        );
        let used = ["192.0.2.1", "fe80::1%eth0", "2001:db8::53"].map(server);
        assert_eq!(conf.servers, used);
        assert_eq!(conf.unused, 2);
        assert_eq!(ResolvConf::parse(""), ResolvConf::default());
    }

    #[test]
    fn the_last_of_search_and_domain_counts() {
        let conf = ResolvConf::parse("domain a.example b.example\nsearch c.example d.example");
        assert_eq!(conf.search, [name("c.example"), name("d.example")]);
        let conf = ResolvConf::parse("search c.example d.example\ndomain a.example b.example");
        assert_eq!(conf.search, [name("a.example")]);
    }

    #[test]
    fn options_are_kept_within_their_bounds_and_unknown_ones_passed_over() {
        let conf = ResolvConf::parse(
            "options ndots:99 timeout:0 edns0 trust-ad attempts:100 rotate\noptions timeout:x use-vc",
        );
        assert_eq!((conf.ndots, conf.attempts), (15, 5));
        assert_eq!(conf.timeout, Duration::from_secs(1));
        assert!(conf.rotate && conf.use_tcp);
    }

    #[test]
    fn the_search_list_completes_short_names_first_and_long_ones_last() {
        let search = [name("corp.example"), name("example")];
        for (text, ndots, expected) in [
            ("www", 1, "www.corp.example. www.example. www."),
            ("www.a", 1, "www.a. www.a.corp.example. www.a.example."),
            ("www.a", 2, "www.a.corp.example. www.a.example. www.a."),
            ("www", 0, "www. www.corp.example. www.example."),
            ("www.", 1, "www."),
            (r"www\.", 1, r"www\..corp.example. www\..example. www\.."),
            (r"www\\.", 1, r"www\\."),
        ] {
            let names = candidates(text, &name(text), &search, ndots);
            let texts: Vec<String> = names.iter().map(Name::to_string).collect();
            assert_eq!(texts.join(" "), expected, "{text} ndots:{ndots}");
        }
        assert_eq!(candidates("a", &name("a"), &[], 1), [name("a")]);
    }
}
