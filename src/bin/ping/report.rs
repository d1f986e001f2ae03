//! The output, in the wording of iputils' `ping`.

use std::net::SocketAddr;
use std::time::Duration;

use groundwire::cli::{Failure, Out};
use groundwire::net::icmp::message::{Echo, HEADER};
use groundwire::net::icmp::problem::Problem;
use groundwire::net::icmp::tally::{Arrival, Statistics};

use super::plan::{Plan, Shown, Target};

pub struct Report<'a> {
    plan: &'a Plan,
    target: &'a Target,
    out: &'a Out,
    /// Whether replies are shown with the name that the user gave.
    named: bool,
}

impl<'a> Report<'a> {
    pub fn new(plan: &'a Plan, target: &'a Target, out: &'a Out) -> Self {
        let named = !plan.numeric && !target.is_literal();
        Report {
            plan,
            target,
            out,
            named,
        }
    }

    /// The first line.
    pub fn head(&self) -> Result<(), Failure> {
        let (name, address) = (&self.target.name, Shown(self.target.address));
        let size = self.plan.size;
        match self.target.address {
            SocketAddr::V4(_) => {
                let packet = size + HEADER + 20;
                self.out.line(format_args!(
                    "PING {name} ({address}) {size}({packet}) bytes of data."
                ))
            }
            SocketAddr::V6(_) => self
                .out
                .line(format_args!("PING {name} ({address}) {size} data bytes")),
        }
    }

    /// The line of a reply.
    pub fn reply(
        &self,
        from: SocketAddr,
        echo: &Echo<'_>,
        ttl: Option<u8>,
        arrival: &Arrival,
    ) -> Result<(), Failure> {
        if self.plan.quiet {
            return Ok(());
        }
        let ttl = ttl.map_or(String::new(), |ttl| format!(" ttl={ttl}"));
        let again = if arrival.is_duplicate { " (DUP!)" } else { "" };
        let elsewhere = match self.is_from_elsewhere(from) {
            true => " (DIFFERENT ADDRESS!)",
            false => "",
        };
        self.out.line(format_args!(
            "{} bytes from {}: icmp_seq={}{ttl} time={} ms{again}{elsewhere}",
            echo.payload.len() + HEADER,
            self.host(from),
            echo.sequence,
            in_millis(arrival.round_trip),
        ))
    }

    /// Whether another host than the target replies. A group's members reply for it, and the
    /// unspecified address stands for this host.
    fn is_from_elsewhere(&self, from: SocketAddr) -> bool {
        let asked = self.target.address.ip();
        !asked.is_multicast() && !asked.is_unspecified() && from.ip() != asked
    }

    /// The line of an error message.
    pub fn problem(
        &self,
        from: Option<SocketAddr>,
        sequence: u16,
        problem: &Problem,
    ) -> Result<(), Failure> {
        if self.plan.quiet {
            return Ok(());
        }
        let from = from.map_or("somebody".into(), |from| self.host(from));
        self.out
            .line(format_args!("From {from} icmp_seq={sequence} {problem}"))
    }

    /// A sender, with the target's name when it is the target.
    fn host(&self, from: SocketAddr) -> String {
        let address = Shown(from);
        match self.named && from.ip() == self.target.address.ip() {
            true => format!("{} ({address})", self.target.name),
            false => address.to_string(),
        }
    }

    /// The last lines; `took` is from the first request to the last.
    pub fn summary(&self, statistics: &Statistics, took: Duration) -> Result<(), Failure> {
        let text = summary(&self.target.name, statistics, took);
        self.out.write_all(text.as_bytes())
    }
}

fn summary(name: &str, statistics: &Statistics, took: Duration) -> String {
    let counted = |count: u64, what: &str| match count {
        0 => String::new(),
        _ => format!(" +{count} {what},"),
    };
    let mut text = format!(
        "\n--- {name} ping statistics ---\n\
         {} packets transmitted, {} received,{}{} {}% packet loss, time {}ms\n",
        statistics.transmitted,
        statistics.received,
        counted(statistics.duplicates, "duplicates"),
        counted(statistics.errors, "errors"),
        significant(statistics.loss_percent().unwrap_or(0.0)),
        took.as_millis(),
    );
    match statistics.round_trips() {
        None => text.push('\n'),
        Some(trips) => {
            let [least, mean, most, deviation] =
                trips.map(|trip| format!("{:.3}", trip.as_micros() as f64 / 1000.0));
            text.push_str(&format!(
                "rtt min/avg/max/mdev = {least}/{mean}/{most}/{deviation} ms\n"
            ));
        }
    }
    text
}

/// Three decimals below a millisecond, and one fewer for each power of ten.
/// Rounded before the power is determined: 99.96 is 100, not 100.0.
fn in_millis(time: Duration) -> String {
    let micros = time.as_micros();
    let (step, decimals) = match micros {
        99_950.. => (1000, 0),
        9_995.. => (100, 1),
        1_000.. => (10, 2),
        _ => (1, 3),
    };
    let rounded = (micros + step / 2) / step * step;
    format!("{:.decimals$}", rounded as f64 / 1000.0)
}

/// A percentage with six significant digits and without zeros at its end, as C's `%g` has it; below
/// 0.0001, where `%g` uses an exponent, with nine decimals.
fn significant(percent: f64) -> String {
    let decimals = match percent {
        100.0.. => 3,
        10.0.. => 4,
        1.0.. => 5,
        0.1.. => 6,
        0.01.. => 7,
        0.001.. => 8,
        _ => 9,
    };
    let text = format!("{percent:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use groundwire::net::icmp::tally::Tally;

    /// Requests with these round trips, in microseconds; `None` is lost.
    fn statistics(round_trips: &[Option<u64>]) -> Statistics {
        let mut tally = Tally::new(1, 2, 8);
        for trip in round_trips {
            let (sequence, payload) = tally.request(Duration::ZERO);
            let echo = Echo {
                id: 1,
                sequence,
                payload: &payload,
            };
            if let Some(micros) = trip {
                tally.reply(&echo, Duration::from_micros(*micros));
            }
        }
        *tally.statistics()
    }

    #[test]
    fn the_summary_reads_as_that_of_iputils() {
        let text = summary(
            "x",
            &statistics(&[Some(113), Some(40)]),
            Duration::from_millis(202),
        );
        assert_eq!(
            text,
            "\n--- x ping statistics ---\n\
             2 packets transmitted, 2 received, 0% packet loss, time 202ms\n\
             rtt min/avg/max/mdev = 0.040/0.076/0.113/0.036 ms\n"
        );
        let text = summary("x", &statistics(&[None]), Duration::ZERO);
        assert_eq!(
            text,
            "\n--- x ping statistics ---\n\
             1 packets transmitted, 0 received, 100% packet loss, time 0ms\n\n"
        );
        let mut mixed = statistics(&[Some(1_000), None, None]);
        (mixed.duplicates, mixed.errors) = (1, 2);
        let text = summary("x", &mixed, Duration::ZERO);
        assert!(text.contains(
            "3 packets transmitted, 1 received, +1 duplicates, +2 errors, 66.6667% packet loss"
        ));
    }

    #[test]
    fn times_and_percentages_have_the_digits_of_iputils() {
        for (micros, text) in [
            (29, "0.029"),
            (1_234, "1.23"),
            (12_345, "12.3"),
            (123_456, "123"),
            (9_994, "9.99"),
            (9_995, "10.0"),
            (12_250, "12.3"),
            (99_949, "99.9"),
            (99_950, "100"),
            (100_500, "101"),
        ] {
            assert_eq!(in_millis(Duration::from_micros(micros)), text);
        }
        for (percent, text) in [
            (0.0, "0"),
            (100.0, "100"),
            (50.0, "50"),
            (100.0 / 3.0, "33.3333"),
            (0.1, "0.1"),
            (100.0 / 3000.0, "0.0333333"),
            (100.0 / 30_000.0, "0.00333333"),
            (100.0 / 300_000.0, "0.000333333"),
        ] {
            assert_eq!(significant(percent), text);
        }
    }
}
