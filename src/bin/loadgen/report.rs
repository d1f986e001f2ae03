//! The outcome in words for people and in JSON for programs.

use std::fmt::Write as _;
use std::time::Duration;

use groundwire::cli::json::Object;

use crate::outcome::{Held, Outcome};
use crate::plan::Plan;

const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

/// A few aligned lines.
pub fn text(plan: &Plan, outcome: &Outcome) -> String {
    match &outcome.held {
        Some(held) => held_text(plan, outcome, held),
        None => measured_text(plan, outcome),
    }
}

/// The report of `--hold`: nothing was measured, so there are no latencies.
fn held_text(plan: &Plan, outcome: &Outcome, held: &Held) -> String {
    format!(
        "held {} of {} connections for {:.1} s, lost {}\nerrors    {}{}\n",
        held.connections,
        plan.connections,
        held.lasted.as_secs_f64(),
        held.lost,
        outcome.errors.total(),
        outcome.errors.kinds()
    )
}

fn measured_text(plan: &Plan, outcome: &Outcome) -> String {
    let mut text = String::new();
    let (requests, rate) = (outcome.requests(), rate(outcome));
    let load = match plan.rate {
        Some(due) if plan.churn => format!("{due} connections due a second, a request each"),
        Some(due) => format!("{due} requests due a second"),
        None if plan.churn => "a connection for each request".into(),
        None => "closed loop".into(),
    };
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{} {}: {} connections, {} threads, {} bytes, {load}, {:.1} s",
        plan.network,
        plan.shown_address(),
        plan.connections,
        plan.threads,
        plan.size,
        outcome.elapsed.as_secs_f64(),
    );
    let megabytes = rate * plan.size as f64 / 1e6;
    let _ = writeln!(
        text,
        "requests  {requests}  {rate:.0}/s  {megabytes:.1} MB/s each way"
    );
    if let Some(pace) = outcome.pace {
        let behind = match pace.sent < pace.due {
            true => ": the rest was not sent in time",
            false => "",
        };
        let _ = writeln!(
            text,
            "schedule  due {}, sent {}{behind}",
            pace.due, pace.sent
        );
    }
    let _ = write!(text, "latency  ");
    for (name, quantile) in QUANTILES {
        let _ = write!(
            text,
            " {name} {}",
            human(outcome.latency.quantile(quantile))
        );
    }
    let _ = writeln!(text, " max {}", human(outcome.latency.max()));
    let _ = writeln!(
        text,
        "errors    {}{}",
        outcome.errors.total(),
        outcome.errors.kinds()
    );
    text
}

/// One JSON object; times in nanoseconds.
pub fn json(plan: &Plan, outcome: &Outcome) -> String {
    let seconds = |time: Duration| format!("{:.3}", time.as_secs_f64());
    let mut object = Object::new()
        .text("network", plan.network)
        .number("connections", plan.connections)
        .number("threads", plan.threads)
        .number("size", plan.size)
        .number("seconds", seconds(outcome.elapsed))
        .number("requests", outcome.requests())
        .number("requests_per_second", format_args!("{:.1}", rate(outcome)));
    if let Some(pace) = outcome.pace {
        object = object.number("due", pace.due).number("sent", pace.sent);
    }
    if let Some(held) = outcome.held {
        object = object
            .number("held", held.connections)
            .number("lost", held.lost)
            .number("held_seconds", seconds(held.lasted));
    }
    let latency = QUANTILES
        .iter()
        .fold(Object::new(), |object, (name, share)| {
            object.number(name, outcome.latency.quantile(*share))
        });
    let errors = outcome.errors.rows().into_iter();
    let errors = errors.fold(Object::new(), |object, (kind, count)| {
        object.number(kind, count)
    });
    object
        .value(
            "latency_ns",
            latency.number("max", outcome.latency.max()).end(),
        )
        .value("errors", errors.end())
        .end()
}

fn rate(outcome: &Outcome) -> f64 {
    let seconds = outcome.elapsed.as_secs_f64();
    if seconds > 0.0 {
        outcome.requests() as f64 / seconds
    } else {
        0.0
    }
}

fn human(nanos: u64) -> String {
    let duration = Duration::from_nanos(nanos);
    match nanos {
        0..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => format!("{:.1}us", duration.as_secs_f64() * 1e6),
        1_000_000..1_000_000_000 => format!("{:.2}ms", duration.as_secs_f64() * 1e3),
        _ => format!("{:.2}s", duration.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_keep_three_or_four_digits_in_the_unit_that_fits() {
        let cases = [
            (999, "999ns"),
            (1_500, "1.5us"),
            (2_340_000, "2.34ms"),
            (3_000_000_000, "3.00s"),
        ];
        for (nanos, text) in cases {
            assert_eq!(human(nanos), text);
        }
    }
}
