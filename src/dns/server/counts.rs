//! The server's counters: queries by transport and type, replies by code, and replies not sent.
//!
//! Each UDP worker has a [`Tally`] of its own, on its own cache lines: workers that share one would
//! contend for it at each query. The metrics page and the last line add them up.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::dns::{Rcode, RecordType};
use crate::telemetry::{Counter, Gauge, Registry};

/// The types that are counted by name; all others are `other`.
const TYPES: [RecordType; 20] = [
    RecordType::A,
    RecordType::AAAA,
    RecordType::NS,
    RecordType::SOA,
    RecordType::MX,
    RecordType::TXT,
    RecordType::CNAME,
    RecordType::PTR,
    RecordType::SRV,
    RecordType::CAA,
    RecordType::DS,
    RecordType::DNSKEY,
    RecordType::HTTPS,
    RecordType::SVCB,
    RecordType::NAPTR,
    RecordType::TLSA,
    RecordType::SSHFP,
    RecordType::ANY,
    RecordType::AXFR,
    RecordType::IXFR,
];
/// The codes that are counted by name.
const RCODES: [Rcode; 7] = [
    Rcode::NOERROR,
    Rcode::NXDOMAIN,
    Rcode::REFUSED,
    Rcode::FORMERR,
    Rcode::NOTIMP,
    Rcode::SERVFAIL,
    Rcode::BADVERS,
];

/// The counters of one worker.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Tally {
    types: [Counter; TYPES.len()],
    other_types: Counter,
    /// Messages without a question that can be read.
    no_type: Counter,
    rcodes: [Counter; RCODES.len()],
    other_rcodes: Counter,
    /// Messages that get no answer at all: too short, or replies themselves.
    pub silent: Counter,
    /// Replies that did not fit into a datagram.
    pub truncated: Counter,
    /// Replies that the rate limit cut, with TC.
    pub rate_truncated: Counter,
    /// Replies that the rate limit dropped.
    pub rate_dropped: Counter,
    /// Zones transferred.
    pub transfers: Counter,
}

impl Tally {
    /// Counts a query by the type of its question.
    pub fn query(&self, kind: Option<RecordType>) {
        let Some(kind) = kind else {
            return self.no_type.inc();
        };
        let named = TYPES.iter().zip(&self.types).find(|(t, _)| **t == kind);
        named
            .map_or(&self.other_types, |(_, counter)| counter)
            .inc();
    }

    /// Counts a reply by its code.
    pub fn reply(&self, rcode: Rcode) {
        let named = RCODES.iter().zip(&self.rcodes).find(|(r, _)| **r == rcode);
        named
            .map_or(&self.other_rcodes, |(_, counter)| counter)
            .inc();
    }

    fn queries(&self) -> u64 {
        let named: u64 = self.types.iter().map(Counter::get).sum();
        named + self.other_types.get() + self.no_type.get()
    }

    fn replies(&self) -> u64 {
        let named: u64 = self.rcodes.iter().map(Counter::get).sum();
        named + self.other_rcodes.get()
    }
}

/// The counters of the server.
#[derive(Debug, Default)]
pub struct Counts {
    /// A tally for each UDP worker.
    pub udp: Vec<Tally>,
    /// One for all TCP connections.
    pub tcp: Tally,
    /// How often the zones were read again and replaced.
    pub reloads: Counter,
    /// How often the zones read again had errors, so that the old ones stayed.
    pub reloads_failed: Counter,
    /// When the present zones were read: seconds since 1970.
    pub loaded: Gauge,
}

/// How to read one number of a tally.
type Pick = fn(&Tally) -> u64;

impl Counts {
    /// Counters for this many UDP workers.
    pub fn new(workers: usize) -> Self {
        Self {
            udp: (0..workers).map(|_| Tally::default()).collect(),
            ..Self::default()
        }
    }

    /// Records that the present zones were read now.
    pub fn loaded_now(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let seconds = now.map_or(0, |now| now.as_secs());
        self.loaded.set(i64::try_from(seconds).unwrap_or(i64::MAX));
    }

    fn udp(&self, pick: impl Fn(&Tally) -> u64) -> u64 {
        self.udp.iter().map(pick).sum()
    }

    fn all(&self, pick: impl Fn(&Tally) -> u64) -> u64 {
        self.udp(&pick) + pick(&self.tcp)
    }

    /// Adds all of it to a registry, under the prefix `groundwire_dns`.
    pub fn register(self: &Arc<Self>, registry: &Registry) {
        for (index, kind) in TYPES.iter().enumerate() {
            let label = kind.to_string();
            self.queries(registry, &label, move |t| count_at(&t.types, index));
        }
        self.queries(registry, "other", |t| t.other_types.get());
        self.queries(registry, "none", |t| t.no_type.get());
        for (index, rcode) in RCODES.iter().enumerate() {
            let label = rcode.to_string();
            self.replies(registry, &label, move |t| count_at(&t.rcodes, index));
        }
        self.replies(registry, "other", |t| t.other_rcodes.get());
        let rows: [(&str, &str, Pick); 5] = [
            (
                "silent",
                "Messages not answered: too short, or replies.",
                |t| t.silent.get(),
            ),
            ("truncated", "Replies too long for a datagram.", |t| {
                t.truncated.get()
            }),
            ("rate_truncated", "Replies cut by the rate limit.", |t| {
                t.rate_truncated.get()
            }),
            ("rate_dropped", "Replies dropped by the rate limit.", |t| {
                t.rate_dropped.get()
            }),
            ("transfers", "Zones transferred.", |t| t.transfers.get()),
        ];
        for (name, help, pick) in rows {
            let (counts, name) = (self.clone(), format!("groundwire_dns_{name}_total"));
            registry.counter_fn(&name, help, &[], move || counts.all(pick));
        }
        let (name, help) = ("groundwire_dns_reloads_total", "Zones read again.");
        let (good, bad) = (self.clone(), self.clone());
        registry.counter_fn(name, help, &[("result", "served")], move || {
            good.reloads.get()
        });
        registry.counter_fn(name, help, &[("result", "kept the old")], move || {
            bad.reloads_failed.get()
        });
        let (name, help) = (
            "groundwire_dns_zones_read_timestamp_seconds",
            "When the zones that are served were read.",
        );
        let counts = self.clone();
        registry.gauge_fn(name, help, &[], move || counts.loaded.get());
    }

    fn queries(
        self: &Arc<Self>,
        registry: &Registry,
        label: &str,
        pick: impl Fn(&Tally) -> u64 + Copy + Send + Sync + 'static,
    ) {
        let names = ("groundwire_dns_queries_total", "Queries received.", "type");
        self.by_transport(registry, names, label, pick);
    }

    fn replies(
        self: &Arc<Self>,
        registry: &Registry,
        label: &str,
        pick: impl Fn(&Tally) -> u64 + Copy + Send + Sync + 'static,
    ) {
        let names = ("groundwire_dns_replies_total", "Replies made.", "rcode");
        self.by_transport(registry, names, label, pick);
    }

    fn by_transport(
        self: &Arc<Self>,
        registry: &Registry,
        (name, help, label): (&str, &str, &str),
        value: &str,
        pick: impl Fn(&Tally) -> u64 + Copy + Send + Sync + 'static,
    ) {
        let (udp, tcp) = (self.clone(), self.clone());
        let labels = |transport| [("transport", transport), (label, value)];
        registry.counter_fn(name, help, &labels("udp"), move || udp.udp(pick));
        registry.counter_fn(name, help, &labels("tcp"), move || pick(&tcp.tcp));
    }
}

fn count_at(counters: &[Counter], index: usize) -> u64 {
    counters.get(index).map_or(0, Counter::get)
}

/// `queries udp 3, tcp 1; replies 4, truncated 0, rate-limited 0, transfers 0, reloads 0`; other
/// counters follow only if they are not zero.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (udp, tcp) = (self.udp(Tally::queries), self.tcp.queries());
        let replies = self.all(Tally::replies);
        let truncated = self.all(|t| t.truncated.get());
        let limited = self.all(|t| t.rate_truncated.get() + t.rate_dropped.get());
        let transfers = self.all(|t| t.transfers.get());
        write!(f, "queries udp {udp}, tcp {tcp}; replies {replies}")?;
        write!(f, ", truncated {truncated}, rate-limited {limited}")?;
        write!(f, ", transfers {transfers}, reloads {}", self.reloads.get())?;
        match self.reloads_failed.get() {
            0 => {}
            failed => write!(f, " (and {failed} refused)")?,
        }
        match self.all(|t| t.silent.get()) {
            0 => Ok(()),
            silent => write!(f, ", not answered {silent}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tallies_of_all_workers_are_one_row_of_numbers() {
        let counts = Arc::new(Counts::new(2));
        counts.udp[0].query(Some(RecordType::A));
        counts.udp[1].query(Some(RecordType::A));
        counts.udp[1].query(Some(RecordType(65280)));
        counts.udp[1].query(None);
        counts.tcp.query(Some(RecordType::MX));
        counts.tcp.reply(Rcode::NXDOMAIN);
        counts.udp[0].reply(Rcode(77));
        assert_eq!(
            counts.to_string(),
            "queries udp 4, tcp 1; replies 2, truncated 0, rate-limited 0, transfers 0, reloads 0"
        );
        let registry = Registry::new();
        counts.register(&registry);
        let page = registry.expose();
        for line in [
            r#"groundwire_dns_queries_total{transport="udp",type="A"} 2"#,
            r#"groundwire_dns_queries_total{transport="udp",type="other"} 1"#,
            r#"groundwire_dns_queries_total{transport="udp",type="none"} 1"#,
            r#"groundwire_dns_queries_total{transport="tcp",type="MX"} 1"#,
            r#"groundwire_dns_replies_total{rcode="NXDOMAIN",transport="tcp"} 1"#,
            r#"groundwire_dns_replies_total{rcode="other",transport="udp"} 1"#,
            r#"groundwire_dns_reloads_total{result="served"} 0"#,
        ] {
            assert!(page.contains(line), "{line}\n{page}");
        }
    }
}
