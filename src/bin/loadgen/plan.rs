//! What a run is asked to do: the arguments, checked, and shared out among threads.

use std::ffi::OsString;
use std::net::IpAddr;
use std::time::Duration;

use groundwire::cli::{Args, DurationArg, NonZeroCount, Size, UsageError};
use groundwire::net::{MAX_UDP_PAYLOAD, Network, Transport, parse_ip};
use groundwire::telemetry::shown;

/// The largest request, in bytes.
const MAX_SIZE: usize = 64 * 1024 * 1024;

/// The most connections: a Linux process can have a few more descriptors (`fs.nr_open`).
const MAX_CONNECTIONS: usize = 1_000_000;

/// The most threads. A few for each CPU are of use; hundreds are for the curious.
const MAX_THREADS: usize = 4_096;

/// The highest rate, one request a nanosecond: the resolution of `Duration`.
const MAX_RATE: u64 = 1_000_000_000;

/// What to do, checked.
#[derive(Clone, Debug)]
pub struct Plan {
    pub network: Network,
    pub address: OsString,
    pub connections: usize,
    pub threads: usize,
    /// Bytes of a request.
    pub size: usize,
    pub warm_up: Duration,
    pub duration: Duration,
    /// End after this many measured requests instead of after `duration`.
    pub requests: Option<u64>,
    /// Requests due a second, in all; `None` for a closed loop.
    pub rate: Option<u64>,
    pub churn: bool,
    /// The addresses to connect from, by turns; none for the kernel's choice.
    pub sources: Vec<IpAddr>,
    pub hold: Option<Duration>,
    pub timeout: Duration,
    /// Report in JSON, and print nothing else.
    pub json: bool,
}

impl Plan {
    /// Reads and checks the arguments.
    pub fn from_args(args: &Args) -> Result<Self, UsageError> {
        args.exactly(2)?;
        args.exclusive(&EXCLUSIVE)?;
        let connections = args.parse::<NonZeroCount>("connections")?.as_usize();
        let threads = args
            .parse_opt::<NonZeroCount>("threads")?
            .map(NonZeroCount::as_usize);
        let plan = Self {
            network: network(args)?,
            address: args.path(1, "ADDRESS")?.into(),
            connections,
            threads: threads.unwrap_or_else(one_for_each_cpu).min(connections),
            size: args.parse::<Size>("size")?.as_usize(),
            warm_up: args.parse::<DurationArg>("warm-up")?.get(),
            duration: args.parse::<DurationArg>("duration")?.get(),
            requests: args
                .parse_opt::<NonZeroCount>("requests")?
                .map(NonZeroCount::get),
            rate: args
                .parse_opt::<NonZeroCount>("rate")?
                .map(NonZeroCount::get),
            churn: args.flag("churn"),
            sources: sources(args)?,
            hold: args.parse_opt::<DurationArg>("hold")?.map(DurationArg::get),
            timeout: args.parse::<DurationArg>("timeout")?.get(),
            json: args.flag("json"),
        };
        plan.check()?;
        Ok(plan)
    }

    fn check(&self) -> Result<(), UsageError> {
        let rate = self.rate.unwrap_or_default();
        for (name, value, most) in [
            (
                "--connections",
                self.connections as u64,
                MAX_CONNECTIONS as u64,
            ),
            ("--threads", self.threads as u64, MAX_THREADS as u64),
            ("--rate", rate, MAX_RATE),
        ] {
            if value > most {
                let why = format!("must be at most {most}");
                return Err(UsageError::bad_value(name, value, why));
            }
        }
        let largest = if self.network.is_stream() {
            MAX_SIZE
        } else {
            MAX_UDP_PAYLOAD
        };
        if self.size == 0 || self.size > largest {
            let why = format!("must be 1 to {largest} on {}", self.network);
            return Err(UsageError::bad_value("--size", self.size, why));
        }
        if self.timeout.is_zero() {
            return Err(UsageError::bad_value("--timeout", "0", "must be longer"));
        }
        if self.duration.is_zero() {
            return Err(UsageError::bad_value("--duration", "0", "must be longer"));
        }
        if self.churn && !self.network.is_stream() {
            let why = format!("--churn: {} has no connections", self.network);
            return Err(UsageError::rule(why));
        }
        if !self.sources.is_empty() && self.network.transport() != Some(Transport::Tcp) {
            let why = format!("--source: of TCP only, not of {}", self.network);
            return Err(UsageError::rule(why));
        }
        Ok(())
    }

    /// The address as it is shown.
    pub fn shown_address(&self) -> String {
        shown(&self.address.to_string_lossy())
    }

    /// The share of `whole` that thread `number` gets: as even as possible.
    pub fn share(&self, whole: u64, number: usize) -> u64 {
        let (threads, number) = (self.threads as u64, number as u64);
        whole / threads + u64::from(number < whole % threads)
    }
}

fn sources(args: &Args) -> Result<Vec<IpAddr>, UsageError> {
    let parse = |text| {
        parse_ip(text).map_err(|error| UsageError::bad_value("--source", text, error.rule()))
    };
    args.values("source").map(parse).collect()
}

/// Pairs of options of which one would silently have no effect.
const EXCLUSIVE: [(&str, &str); 6] = [
    ("hold", "churn"),
    ("hold", "rate"),
    ("hold", "requests"),
    ("hold", "duration"),
    ("hold", "warm-up"),
    ("requests", "duration"),
];

/// The network, by its own name or by its name in `unix-echo-server --type`.
fn network(args: &Args) -> Result<Network, UsageError> {
    match args.operand(0, "NETWORK")? {
        "stream" => Ok(Network::Unix),
        "datagram" => Ok(Network::Unixgram),
        "seqpacket" => Ok(Network::Unixpacket),
        _ => match args.parse_operand::<Network>(0, "NETWORK")? {
            icmp if icmp.is_icmp() => {
                let why = "has no echo server, use ping";
                Err(UsageError::bad_value("NETWORK", icmp, why))
            }
            network => Ok(network),
        },
    }
}

/// More threads than CPUs would compete with the server under load instead of loading it.
fn one_for_each_cpu() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(connections: usize, threads: usize) -> Plan {
        Plan {
            network: Network::Tcp,
            address: OsString::new(),
            connections,
            threads,
            size: 1,
            warm_up: Duration::ZERO,
            duration: Duration::from_secs(1),
            requests: None,
            rate: None,
            churn: false,
            sources: Vec::new(),
            hold: None,
            timeout: Duration::from_secs(1),
            json: false,
        }
    }

    #[test]
    fn shares_are_even_and_add_up() {
        let plan = plan(10, 3);
        let shares: Vec<u64> = (0..3).map(|number| plan.share(10, number)).collect();
        assert_eq!(shares, [4, 3, 3]);
    }

    #[test]
    fn a_datagram_is_no_larger_than_udp_carries_and_has_no_connection_to_churn() {
        let mut plan = plan(1, 1);
        plan.size = 65_508;
        assert!(plan.check().is_ok());
        plan.network = Network::Udp;
        assert!(plan.check().is_err());
        plan.size = 65_507;
        assert!(plan.check().is_ok());
        plan.churn = true;
        assert!(plan.check().is_err());
    }
}
