//! Reads a scenario's text. Each mistake is reported with its line, and what was expected there.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::words::{Words, number, time};
use super::{
    Action, Clients, Disks, END, MAX_CLIENTS, MAX_KEYS, MAX_NODES, MAX_TEXT, Preset, Request,
    Scenario, Share, Snapshots, Timed, Timeouts, Weather, Who,
};
use crate::raft::NodeId;

/// The most entries of a node's first log.
const MAX_LOG: usize = 1000;

/// What is wrong with a scenario's text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    /// The line, from 1 on.
    pub line: usize,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for ScenarioError {}

impl FromStr for Scenario {
    type Err = ScenarioError;

    fn from_str(text: &str) -> Result<Self, ScenarioError> {
        if text.len() > MAX_TEXT {
            let what = format!("{} bytes, at most {MAX_TEXT}", text.len());
            return Err(ScenarioError { line: 1, what });
        }
        let mut scenario = Scenario::default();
        let mut settings = BTreeSet::new();
        let mut lines = Vec::new();
        let before_end = text.lines().take_while(|line| line.trim_end() != END);
        for (number, line) in (1..).zip(before_end) {
            let at = |what| ScenarioError { line: number, what };
            let line = line.split('#').next().unwrap_or_default();
            let mut words = Words::new(line);
            let Some(first) = words.next() else { continue };
            let repeats = first == "at" || first == "log";
            if !repeats && !settings.insert(first) {
                return Err(at(format!("`{first}` stands above already")));
            }
            read_line(&mut scenario, first, &mut words).map_err(at)?;
            words.end().map_err(at)?;
            // One number for each action so far.
            lines.resize(scenario.actions.len(), number);
        }
        all_in_time(&scenario, &lines)?;
        // Stable: what happens at one time happens in the order of the lines.
        scenario.actions.sort_by_key(|timed| timed.at);
        Ok(scenario)
    }
}

/// Refuses actions after the end, which would silently not happen. `lines` has the line of each.
fn all_in_time(scenario: &Scenario, lines: &[usize]) -> Result<(), ScenarioError> {
    let late = |(_, timed): &(&usize, &Timed)| timed.at > scenario.duration;
    match lines.iter().zip(&scenario.actions).find(late) {
        None => Ok(()),
        Some((&line, _)) => Err(ScenarioError {
            line,
            what: "the scenario is over by then: see `duration`".into(),
        }),
    }
}

fn read_line(scenario: &mut Scenario, first: &str, words: &mut Words<'_>) -> Result<(), String> {
    match first {
        "nodes" => scenario.nodes = words.number("how many nodes", 1, MAX_NODES)?,
        "learners" => scenario.learners = words.number("how many learners", 0, MAX_NODES)?,
        "seed" => scenario.seed = Some(words.number("a seed", 0, u64::MAX)?),
        "duration" => scenario.duration = words.time("how long")?,
        "timeouts" => scenario.timeouts = timeouts(words)?,
        "weather" => scenario.weather = weather(words)?,
        "disks" => scenario.disks = disks(words)?,
        "clocks" => {
            words.the("skew")?;
            scenario.skew = words.share()?;
            if scenario.skew > Share::percent(50) {
                return Err("a skew of at most 50% is expected".into());
            }
        }
        "snapshots" => scenario.snapshots = snapshots(words)?,
        "clients" => scenario.clients = clients(words)?,
        "log" => {
            let (node, preset) = preset(words)?;
            if scenario.logs.insert(node, preset).is_some() {
                return Err(format!("the log of node {node} stands above already"));
            }
        }
        "at" => {
            let at = words.time("a time")?;
            let action = action(words)?;
            scenario.actions.push(Timed { at, action });
        }
        _ => {
            return Err(format!(
                "`{first}`: expected nodes, learners, seed, duration, timeouts, weather, disks, \
                 clocks, snapshots, clients, log or at"
            ));
        }
    }
    Ok(())
}

fn timeouts(words: &mut Words<'_>) -> Result<Timeouts, String> {
    let mut timeouts = Timeouts {
        election: words.span()?,
        ..Timeouts::default()
    };
    if words.take("heartbeat") {
        timeouts.heartbeat = words.time("the time between heartbeats")?;
    }
    if timeouts.heartbeat.is_zero() || timeouts.heartbeat >= timeouts.election.least {
        return Err("a heartbeat shorter than the election timeout is expected".into());
    }
    Ok(timeouts)
}

fn weather(words: &mut Words<'_>) -> Result<Weather, String> {
    let mut weather = Weather::default();
    while let Some(word) = words.next() {
        match word {
            "delay" => weather.delay = words.span()?,
            "loss" => weather.loss = words.share()?,
            "duplicate" => weather.duplicate = words.share()?,
            "reorder" => weather.reorder = words.share()?,
            _ => {
                return Err(format!(
                    "`{word}`: expected delay, loss, duplicate or reorder"
                ));
            }
        }
    }
    Ok(weather)
}

fn disks(words: &mut Words<'_>) -> Result<Disks, String> {
    let mut disks = Disks::default();
    while let Some(word) = words.next() {
        match word {
            "sync" => disks.sync = words.span()?,
            "tear" => disks.tear = words.share()?,
            _ => return Err(format!("`{word}`: expected sync or tear")),
        }
    }
    Ok(disks)
}

fn snapshots(words: &mut Words<'_>) -> Result<Snapshots, String> {
    let mut snapshots = Snapshots::default();
    while let Some(word) = words.next() {
        match word {
            "every" => snapshots.every = words.number("a number of entries", 0, u64::MAX)?,
            "keep" => snapshots.keep = words.number("a number of entries", 0, u64::MAX)?,
            "part" => snapshots.part = words.number("a number of bytes", 1, 1 << 30)?,
            _ => return Err(format!("`{word}`: expected every, keep or part")),
        }
    }
    Ok(snapshots)
}

fn clients(words: &mut Words<'_>) -> Result<Clients, String> {
    let mut clients = Clients {
        number: words.number("how many clients", 0, MAX_CLIENTS)?,
        ..Clients::default()
    };
    while let Some(word) = words.next() {
        match word {
            "keys" => clients.keys = words.number("how many keys", 1, MAX_KEYS)?,
            "pause" => clients.pause = words.span()?,
            "mix" => (clients.get, clients.put, clients.cas) = mix(words)?,
            _ => return Err(format!("`{word}`: expected keys, pause or mix")),
        }
    }
    Ok(clients)
}

/// `get 5 put 3 cas 2`: what is left out never happens.
fn mix(words: &mut Words<'_>) -> Result<(u32, u32, u32), String> {
    let [mut get, mut put, mut cas] = [0; 3];
    while let Some(word @ ("get" | "put" | "cas")) = words.peek() {
        words.next();
        let weight = words.number("a weight", 0, 1000)? as u32;
        match word {
            "get" => get = weight,
            "put" => put = weight,
            _ => cas = weight,
        }
    }
    match get + put + cas {
        0 => Err("a mix such as `get 5 put 3 cas 2` is expected".into()),
        _ => Ok((get, put, cas)),
    }
}

/// `1: 1 1 4 term 5`
fn preset(words: &mut Words<'_>) -> Result<(NodeId, Preset), String> {
    let word = words.word("a node and a colon")?;
    let node = word
        .strip_suffix(':')
        .ok_or("a colon behind the node is expected")?;
    let node = number(node, "a node", 1, MAX_NODES)?;
    let mut preset = Preset::default();
    while let Some(word) = words.next() {
        let least = preset.term.max(1);
        if word == "term" {
            preset.term =
                words.number("a term not below the last entry's", preset.term, u64::MAX)?;
            break;
        }
        preset.term = number(word, "a term not below the one before", least, u64::MAX)?;
        preset.log.push(preset.term);
    }
    match preset.log.len() {
        0..=MAX_LOG => Ok((node, preset)),
        length => Err(format!("{length} entries, at most {MAX_LOG}")),
    }
}

fn action(words: &mut Words<'_>) -> Result<Action, String> {
    let verb = words.word("an action")?;
    Ok(match verb {
        "crash" => Action::Crash(group(words)?),
        "restart" => Action::Restart(group(words)?),
        "pause" => Action::Pause(group(words)?),
        "resume" => Action::Resume(group(words)?),
        "partition" => Action::Partition(groups(words)?),
        "isolate" => Action::Partition(vec![group(words)?, vec![Who::Rest]]),
        "cut" => {
            let from = group(words)?;
            words.the("->")?;
            let to = group(words)?;
            Action::Cut { from, to }
        }
        "heal" => Action::Heal,
        "weather" => Action::Weather(weather(words)?),
        "clock" => {
            let who = group(words)?;
            let by = words.word("how far, as in +300ms")?;
            let by = by
                .strip_prefix('+')
                .ok_or("a time such as +300ms is expected")?;
            Action::Clock { who, by: time(by)? }
        }
        "get" | "put" | "cas" => Action::Ask {
            request: request(verb, words)?,
            on: if words.take("on") {
                Some(one(words)?)
            } else {
                None
            },
        },
        "add" => Action::Add(words.number("a node", 1, MAX_NODES)?),
        "learner" => Action::Learner(words.number("a node", 1, MAX_NODES)?),
        "remove" => Action::Remove(one(words)?),
        "voters" => Action::Voters(voters(words)?),
        "transfer" => Action::Transfer(one(words)?),
        "snapshot" => Action::Snapshot(group(words)?),
        _ => {
            return Err(format!(
                "`{verb}`: expected crash, restart, pause, resume, partition, isolate, cut, heal, \
                 weather, clock, get, put, cas, add, learner, remove, voters, transfer or snapshot"
            ));
        }
    })
}

fn request(verb: &str, words: &mut Words<'_>) -> Result<Request, String> {
    let key = words.text("a key")?;
    Ok(match verb {
        "get" => Request::Get { key },
        "put" => Request::Put {
            key,
            value: words.text("a value")?,
        },
        _ => Request::Cas {
            key,
            old: words.text("the old value")?,
            new: words.text("the new value")?,
        },
    })
}

fn who(word: &str) -> Option<Who> {
    Some(match word {
        "leader" => Who::Leader,
        "follower" => Who::Follower,
        "all" => Who::All,
        "rest" => Who::Rest,
        _ => Who::Node(number(word, "a node", 1, MAX_NODES).ok()?),
    })
}

/// One node where one is needed: not `all` or `rest`.
fn one(words: &mut Words<'_>) -> Result<Who, String> {
    let expected = "a node's number, leader or follower";
    let word = words.word(expected)?;
    match who(word) {
        None | Some(Who::All | Who::Rest) => Err(format!("`{word}`: expected {expected}")),
        Some(who) => Ok(who),
    }
}

/// One node or more, up to a word that is not a node.
fn group(words: &mut Words<'_>) -> Result<Vec<Who>, String> {
    let mut group = Vec::new();
    while let Some(who) = words.peek().and_then(who) {
        words.next();
        group.push(who);
    }
    match (group.is_empty(), words.peek()) {
        (false, _) => Ok(group),
        (true, word) => Err(format!(
            "`{}`: expected nodes: numbers from 1 to {MAX_NODES}, leader, follower, all or rest",
            word.unwrap_or_default()
        )),
    }
}

fn groups(words: &mut Words<'_>) -> Result<Vec<Vec<Who>>, String> {
    let mut groups = vec![group(words)?];
    while words.take("|") {
        groups.push(group(words)?);
    }
    Ok(groups)
}

fn voters(words: &mut Words<'_>) -> Result<BTreeSet<NodeId>, String> {
    let mut voters = BTreeSet::from([words.number("a node", 1, MAX_NODES)?]);
    while words.peek().is_some() {
        voters.insert(words.number("a node", 1, MAX_NODES)?);
    }
    Ok(voters)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each line as it is written back: parts left out are added, short forms are spelled out.
    #[test]
    fn a_scenario_is_the_same_again_as_text() {
        let table = [
            ("nodes 5", ""),
            ("learners 2", ""),
            ("seed 18446744073709551615", ""),
            ("duration 90s", ""),
            ("timeouts 1s..2s heartbeat 100ms", ""),
            ("weather delay 5ms", ""),
            ("weather loss 0.25%", "weather delay 1ms..5ms loss 0.25%"),
            (
                "weather delay 0..1500us duplicate 2.5% reorder 100%",
                "weather delay 0s..1500us duplicate 2.5% reorder 100%",
            ),
            ("disks sync 1ms..40ms tear 50%", ""),
            ("clocks skew 5%", ""),
            ("snapshots every 20", "snapshots every 20 keep 0 part 65536"),
            (
                "clients 3",
                "clients 3 keys 4 pause 5ms..50ms mix get 5 put 3 cas 2",
            ),
            (
                "clients 3 keys 1 mix put 1",
                "clients 3 keys 1 pause 5ms..50ms mix get 0 put 1 cas 0",
            ),
            ("log 3: 1 1 4", "log 3: 1 1 4 term 4"),
            ("log 3: term 2", ""),
            ("at 1500ms crash leader", ""),
            ("at 1s restart all", ""),
            ("at 1s pause 1 follower", ""),
            ("at 1s resume 64", ""),
            ("at 1s partition 1 2 | 3 | rest", ""),
            ("at 1s isolate leader", "at 1s partition leader | rest"),
            ("at 1s cut 1 2 -> follower", ""),
            ("at 1s heal", ""),
            ("at 1s weather", "at 1s weather delay 1ms..5ms"),
            ("at 1s clock 1 2 +300ms", ""),
            ("at 1s put k v", ""),
            ("at 1s get k on 2", ""),
            ("at 1s cas k a b on leader", ""),
            ("at 1s add 4", ""),
            ("at 1s learner 4", ""),
            ("at 1s remove leader", ""),
            ("at 1s voters 1 2 3", ""),
            ("at 1s transfer follower", ""),
            (
                "at 1s snapshot 1 2  # the others keep theirs",
                "at 1s snapshot 1 2",
            ),
        ];
        for (line, expected) in table {
            let scenario: Scenario = line.parse().expect(line);
            let text = scenario.to_string();
            let expected = if expected.is_empty() { line } else { expected };
            assert!(text.lines().any(|line| line == expected), "{line}: {text}");
            assert_eq!(text.parse(), Ok(scenario), "{line}");
        }
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        let table = [
            ("\nnodes 0", "line 2: `0`: expected how many nodes, 1 to 64"),
            (
                "nodes 5 or 6",
                "line 1: `or`: the end of the line is expected",
            ),
            (
                "nodes",
                "line 1: how many nodes is expected at the end of the line",
            ),
            ("nodes 3\n\nnodes 3", "line 3: `nodes` stands above already"),
            (
                "duration 10",
                "line 1: `10`: needs a unit: us, ms, s, m or h",
            ),
            ("duration 2h", "line 1: `2h`: at most one hour"),
            (
                "duration 1.0000001s",
                "line 1: `1.0000001s`: whole microseconds are expected",
            ),
            (
                "weather delay 9ms..1ms",
                "line 1: `9ms..1ms` begins above its end",
            ),
            (
                "weather loss 101%",
                "line 1: `101%`: expected a share of 0% to 100%, such as 2.5%",
            ),
            (
                "weather loss 5",
                "line 1: `5`: expected a share of 0% to 100%, such as 2.5%",
            ),
            (
                "weather rain",
                "line 1: `rain`: expected delay, loss, duplicate or reorder",
            ),
            (
                "timeouts 50ms",
                "line 1: a heartbeat shorter than the election timeout is expected",
            ),
            (
                "clients 1 mix get 0",
                "line 1: a mix such as `get 5 put 3 cas 2` is expected",
            ),
            ("log 1 1 1", "line 1: a colon behind the node is expected"),
            (
                "log 1: 2 1",
                "line 1: `1`: expected a term not below the one before, 2 to 18446744073709551615",
            ),
            (
                "log 1: 2 term 1",
                "line 1: `1`: expected a term not below the last entry's, 2 to 18446744073709551615",
            ),
            (
                "at 1s",
                "line 1: an action is expected at the end of the line",
            ),
            ("at 1s cut 1 2", "line 1: `->` is expected, not ``"),
            (
                "at 1s transfer all",
                "line 1: `all`: expected a node's number, leader or follower",
            ),
            (
                "at 1s clock 1 300ms",
                "line 1: a time such as +300ms is expected",
            ),
            (
                "at 8s heal\nduration 5s",
                "line 1: the scenario is over by then: see `duration`",
            ),
        ];
        for (text, expected) in table {
            let read: Result<Scenario, _> = text.parse();
            assert_eq!(
                read.map_err(|error| error.to_string()),
                Err(expected.to_owned()),
                "{text}"
            );
        }
        let long = "#".repeat(MAX_TEXT + 1);
        assert!(long.parse::<Scenario>().is_err());
        for word in ["at 1s explode", "at 1s crash", "peace"] {
            let error = word.parse::<Scenario>().expect_err(word);
            assert!(error.what.contains("expected"), "{error}");
        }
    }

    #[test]
    fn what_stands_behind_the_end_is_no_scenario() {
        let text = "nodes 5\nat 1s heal\n---\n   0.000     1  follower";
        let scenario: Scenario = text.parse().expect("a scenario");
        assert_eq!(Ok(scenario), "nodes 5\nat 1s heal\n".parse());
    }

    #[test]
    fn actions_come_in_the_order_of_their_times_then_of_their_lines() {
        let text = "at 2s heal\nat 1s crash 1\nat 2s restart 1";
        let scenario: Scenario = text.parse().expect("a scenario");
        let shown: Vec<String> = scenario.actions.iter().map(Timed::to_string).collect();
        assert_eq!(shown, ["at 1s crash 1", "at 2s heal", "at 2s restart 1"]);
    }
}
