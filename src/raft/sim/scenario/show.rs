//! A scenario as text, in the words that `parse.rs` reads: `text.parse()` gives the value back.

use std::fmt;
use std::time::Duration;

use super::{
    Action, Clients, Disks, Request, Scenario, Share, Snapshots, Span, Timed, Timeouts, Weather,
    Who,
};

/// The whole text. Lines with the default are left out, except `nodes` and `duration`.
impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let default = Self::default();
        writeln!(f, "nodes {}", self.nodes)?;
        if self.learners != default.learners {
            writeln!(f, "learners {}", self.learners)?;
        }
        if let Some(seed) = self.seed {
            writeln!(f, "seed {seed}")?;
        }
        writeln!(f, "duration {}", Time(self.duration))?;
        line(f, &self.timeouts, &default.timeouts)?;
        line(f, &self.weather, &default.weather)?;
        line(f, &self.disks, &default.disks)?;
        if self.skew != default.skew {
            writeln!(f, "clocks skew {}", self.skew)?;
        }
        line(f, &self.snapshots, &default.snapshots)?;
        line(f, &self.clients, &default.clients)?;
        for (node, preset) in &self.logs {
            let terms: Vec<String> = preset.log.iter().map(|term| format!(" {term}")).collect();
            writeln!(f, "log {node}:{} term {}", terms.concat(), preset.term)?;
        }
        self.actions
            .iter()
            .try_for_each(|timed| writeln!(f, "{timed}"))
    }
}

fn line<T: fmt::Display + PartialEq>(
    f: &mut fmt::Formatter<'_>,
    value: &T,
    default: &T,
) -> fmt::Result {
    match value == default {
        true => Ok(()),
        false => writeln!(f, "{value}"),
    }
}

impl fmt::Display for Timed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {} {}", Time(self.at), self.action)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Crash(who) => write!(f, "crash {}", Group(who)),
            Action::Restart(who) => write!(f, "restart {}", Group(who)),
            Action::Pause(who) => write!(f, "pause {}", Group(who)),
            Action::Resume(who) => write!(f, "resume {}", Group(who)),
            Action::Partition(groups) => {
                let groups: Vec<String> = groups.iter().map(|who| Group(who).to_string()).collect();
                write!(f, "partition {}", groups.join(" | "))
            }
            Action::Cut { from, to } => write!(f, "cut {} -> {}", Group(from), Group(to)),
            Action::Heal => f.write_str("heal"),
            Action::Weather(weather) => weather.fmt(f),
            Action::Clock { who, by } => write!(f, "clock {} +{}", Group(who), Time(*by)),
            Action::Ask { request, on } => match on {
                Some(who) => write!(f, "{request} on {who}"),
                None => request.fmt(f),
            },
            Action::Add(node) => write!(f, "add {node}"),
            Action::Learner(node) => write!(f, "learner {node}"),
            Action::Remove(who) => write!(f, "remove {who}"),
            Action::Voters(voters) => {
                f.write_str("voters")?;
                voters.iter().try_for_each(|node| write!(f, " {node}"))
            }
            Action::Transfer(who) => write!(f, "transfer {who}"),
            Action::Snapshot(who) => write!(f, "snapshot {}", Group(who)),
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Request::Get { key } => write!(f, "get {key}"),
            Request::Put { key, value } => write!(f, "put {key} {value}"),
            Request::Cas { key, old, new } => write!(f, "cas {key} {old} {new}"),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Node(node) => write!(f, "{node}"),
            Who::Leader => f.write_str("leader"),
            Who::Follower => f.write_str("follower"),
            Who::All => f.write_str("all"),
            Who::Rest => f.write_str("rest"),
        }
    }
}

/// Nodes with a space between them.
struct Group<'a>(&'a [Who]);

impl fmt::Display for Group<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.0.iter().map(Who::to_string).collect();
        f.write_str(&names.join(" "))
    }
}

impl fmt::Display for Timeouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "timeouts {} heartbeat {}",
            self.election,
            Time(self.heartbeat)
        )
    }
}

impl fmt::Display for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "weather delay {}", self.delay)?;
        for (word, share) in [
            ("loss", self.loss),
            ("duplicate", self.duplicate),
            ("reorder", self.reorder),
        ] {
            if share != Share::NONE {
                write!(f, " {word} {share}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Disks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "disks sync {}", self.sync)?;
        match self.tear {
            Share::NONE => Ok(()),
            tear => write!(f, " tear {tear}"),
        }
    }
}

impl fmt::Display for Snapshots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { every, keep, part } = self;
        write!(f, "snapshots every {every} keep {keep} part {part}")
    }
}

impl fmt::Display for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            number,
            keys,
            pause,
            get,
            put,
            cas,
        } = self;
        write!(
            f,
            "clients {number} keys {keys} pause {pause} mix get {get} put {put} cas {cas}"
        )
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (percent, rest) = (self.0 / 100, self.0 % 100);
        match rest {
            0 => write!(f, "{percent}%"),
            _ if rest % 10 == 0 => write!(f, "{percent}.{}%", rest / 10),
            _ => write!(f, "{percent}.{rest:02}%"),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.least == self.most {
            true => Time(self.least).fmt(f),
            false => write!(f, "{}..{}", Time(self.least), Time(self.most)),
        }
    }
}

/// A duration in the largest unit that has no fraction: scenarios know microseconds.
pub(super) struct Time(pub(super) Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        match (micros % 1_000_000, micros % 1_000) {
            (0, _) => write!(f, "{}s", micros / 1_000_000),
            (_, 0) => write!(f, "{}ms", micros / 1_000),
            _ => write!(f, "{micros}us"),
        }
    }
}
