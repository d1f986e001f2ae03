//! A moment as a line for people and as a line of JSON for programs.
//!
//! ```text
//!      time  node  role           term  what
//!     0.214     3  pre-candidate     0  asks whether it could win an election
//!     0.231     1  follower          1  votes for 3
//! ```
//!
//! One line a moment, columns aligned, so that `grep ' 3  leader'` finds all that node 3 did as
//! leader.

use std::time::Duration;

use super::timeline::{Loss, Moment, What};
use crate::cli::json::{self, Object};
use crate::raft::registers::Ask;
use crate::raft::sessions::Request;
use crate::raft::{Body, Entry, Event, Membership, NodeId, Payload, RoleName};
use crate::wire;

/// The heading of the lines.
pub const HEADER: &str = "    time  node  role           term  what";

impl Moment {
    /// The moment as a line, without its end.
    pub fn line(&self) -> String {
        let time = milliseconds(self.time);
        let words = self.what.words();
        match self.node {
            Some(node) => format!(
                "{time:>8}  {node:>4}  {:<13}  {:>4}  {words}",
                self.role, self.term
            ),
            None => format!("{time:>8}     -  -                 -  {words}"),
        }
    }

    /// The moment as one JSON object: `time` in seconds, `node`, `role`, `term`, `what` (a word),
    /// what belongs to it, and `text`, the words of the line.
    pub fn json(&self) -> String {
        let time = format!("{}.{:06}", self.time.as_secs(), self.time.subsec_micros());
        let mut object = Object::new().number("time", time);
        if let Some(node) = self.node {
            object = object.number("node", node);
            object = object.text("role", self.role).number("term", self.term);
        }
        let object = object.text("what", self.what.word());
        self.what
            .members(object)
            .text("text", self.what.words())
            .end()
    }
}

/// Seconds with three digits, as lines show them.
pub(super) fn milliseconds(time: Duration) -> String {
    format!("{}.{:03}", time.as_secs(), time.subsec_millis())
}

impl What {
    /// What happened, in one word, for `grep` and the page.
    pub fn word(&self) -> &'static str {
        match self {
            What::Event(event) => event_word(event),
            What::Timer(_) => "timer",
            What::Appended(_) => "appended",
            What::Started { .. } => "started",
            What::Crashed => "crashed",
            What::Paused => "paused",
            What::Resumed => "resumed",
            What::Sent { .. } => "sent",
            What::Duplicated { .. } => "duplicated",
            What::Dropped { .. } => "dropped",
            What::Delivered { .. } => "delivered",
            What::Parted(_) => "parted",
            What::Cut { .. } => "cut",
            What::Healed => "healed",
            What::Asked { .. } => "asked",
            What::Answered { .. } => "answered",
            What::Note(_) => "note",
            What::Broken(_) => "broken",
        }
    }

    /// What happened, in words that follow the node's name.
    pub fn words(&self) -> String {
        match self {
            What::Event(event) => event_words(event),
            What::Timer(until) => format!("waits until {}", milliseconds(*until)),
            What::Appended(entries) => format!("appends {}", entries_words(entries)),
            What::Started { snapshot, entries } => started_words(*snapshot, entries),
            What::Crashed => "crashes".into(),
            What::Paused => "is paused".into(),
            What::Resumed => "goes on".into(),
            What::Sent { number, message } => format!(
                "sends #{number} to {}: {}",
                message.to,
                body_words(&message.body)
            ),
            What::Duplicated { number, copy } => format!("#{number} is repeated as #{copy}"),
            What::Dropped {
                number,
                from,
                to,
                kind,
                loss,
            } => {
                let why = match loss {
                    Loss::Weather => "is lost",
                    Loss::Parted => "meets the partition",
                    Loss::Down => "finds nobody",
                };
                format!("#{number} from {from} to {to} {why}: {kind}")
            }
            What::Delivered { number, from, kind } => {
                format!("receives #{number} from {from}: {kind}")
            }
            What::Parted(groups) => format!("the network parts: {}", groups_words(groups)),
            What::Cut { from, to } => format!(
                "no message passes from {} to {}",
                numbers_words(from),
                numbers_words(to)
            ),
            What::Healed => "the network heals".into(),
            What::Asked {
                client, operation, ..
            } => format!("client {client} asks: {operation}"),
            What::Answered {
                client,
                operation,
                outcome,
                ..
            } => format!("client {client} is answered: {operation} -> {outcome}"),
            What::Note(text) => text.clone(),
            What::Broken(text) => format!("BROKEN: {text}"),
        }
    }

    /// Adds the members of the event, for programs.
    fn members(&self, object: Object) -> Object {
        match self {
            What::Event(event) => event_members(event, object),
            What::Timer(until) => object.number("until", until.as_secs_f64()),
            What::Appended(entries) => object.value("entries", entries_json(entries)),
            What::Started { snapshot, entries } => object
                .number("snapshot", snapshot)
                .value("entries", entries_json(entries)),
            What::Crashed | What::Paused | What::Resumed => object,
            What::Healed | What::Note(_) | What::Broken(_) => object,
            What::Cut { from, to } => object
                .value("from", numbers_json(from))
                .value("to", numbers_json(to)),
            What::Sent { number, message } => object
                .number("number", number)
                .number("to", message.to)
                .text("kind", message.body.name()),
            What::Duplicated { number, copy } => {
                object.number("number", number).number("copy", copy)
            }
            What::Dropped {
                number,
                from,
                to,
                kind,
                loss,
            } => object
                .number("number", number)
                .number("from", from)
                .number("to", to)
                .text("kind", kind)
                .text("loss", loss_word(*loss)),
            What::Delivered { number, from, kind } => object
                .number("number", number)
                .number("from", from)
                .text("kind", kind),
            What::Parted(groups) => {
                let groups = groups.iter().map(numbers_json);
                object.value("groups", json::array(groups))
            }
            What::Asked {
                client,
                number,
                operation,
            } => object
                .number("client", client)
                .number("number", number)
                .text("operation", operation),
            What::Answered {
                client,
                number,
                operation,
                outcome,
            } => object
                .number("client", client)
                .number("number", number)
                .text("operation", operation)
                .text("outcome", outcome),
        }
    }
}

fn loss_word(loss: Loss) -> &'static str {
    match loss {
        Loss::Weather => "weather",
        Loss::Parted => "parted",
        Loss::Down => "down",
    }
}

fn event_word(event: &Event) -> &'static str {
    match event {
        Event::Became { .. } => "became",
        Event::Voted { .. } => "voted",
        Event::Committed(_) => "committed",
        Event::Truncated(_) => "truncated",
        Event::Members(_) => "members",
        Event::Compacted(_) => "compacted",
        Event::Installed(_) => "installed",
        Event::LostQuorum => "lost-quorum",
        Event::Transferring(_) => "transferring",
    }
}

fn event_words(event: &Event) -> String {
    match event {
        Event::Became { role, leader, .. } => match (role, leader) {
            (RoleName::Leader, _) => "leads".into(),
            (RoleName::Candidate, _) => "campaigns".into(),
            (RoleName::PreCandidate, _) => "asks whether it could win an election".into(),
            (RoleName::Follower, Some(leader)) => format!("follows {leader}"),
            (RoleName::Follower, None) => "waits for a leader".into(),
        },
        Event::Voted { to, term } => format!("votes for {to} in term {term}"),
        Event::Committed(index) => format!("commits up to {index}"),
        Event::Truncated(index) => format!("drops its entries from {index} on: a conflict"),
        Event::Members(membership) => format!("members are {}", membership_words(membership)),
        Event::Compacted(index) => format!("makes a snapshot up to {index}"),
        Event::Installed(index) => format!("installs the leader's snapshot up to {index}"),
        Event::LostQuorum => "hears no majority".into(),
        Event::Transferring(node) => format!("hands leadership to {node}"),
    }
}

fn event_members(event: &Event, object: Object) -> Object {
    match event {
        Event::Became { leader, .. } => match leader {
            Some(leader) => object.number("leader", leader),
            None => object,
        },
        Event::Voted { to, term } => object.number("to", to).number("in_term", term),
        Event::Committed(index)
        | Event::Truncated(index)
        | Event::Compacted(index)
        | Event::Installed(index) => object.number("index", index),
        Event::Members(membership) => object
            .value("voters", numbers_json(&membership.voters))
            .value("outgoing", numbers_json(&membership.outgoing))
            .value("learners", numbers_json(&membership.learners)),
        Event::LostQuorum => object,
        Event::Transferring(node) => object.number("to", node),
    }
}

/// What a message says, in short.
fn body_words(body: &Body) -> String {
    let name = body.name();
    match body {
        Body::RequestVote {
            last_index,
            last_term,
            ..
        } => format!("{name}, my log ends at {last_index} of term {last_term}"),
        Body::Vote { granted, .. } => format!("{name}, {}", if *granted { "yes" } else { "no" }),
        Body::AppendEntries {
            previous_index,
            entries,
            commit,
            ..
        } if entries.is_empty() => {
            format!("{name} after {previous_index}, committed up to {commit}")
        }
        Body::AppendEntries {
            previous_index,
            entries,
            commit,
            ..
        } => format!(
            "{name} after {previous_index}: {}, committed up to {commit}",
            entries_words(entries)
        ),
        Body::Appended { matched, .. } => format!("{name} up to {matched}"),
        Body::Conflict {
            previous_index,
            first_index,
            ..
        } => format!("{name} at {previous_index}, go back to {first_index}"),
        Body::InstallSnapshot {
            meta, offset, done, ..
        } => {
            let last = if *done { ", the last part" } else { "" };
            format!("{name} up to {} from byte {offset}{last}", meta.last_index)
        }
        Body::SnapshotReceived { offset, .. } => format!("{name} up to byte {offset}"),
        Body::TimeoutNow => name.to_string(),
    }
}

fn started_words(snapshot: u64, entries: &[Entry]) -> String {
    match (snapshot, entries.len()) {
        (0, 0) => "starts with an empty log".into(),
        (0, _) => format!("starts with {}", entries_words(entries)),
        (_, 0) => format!("starts with a snapshot up to {snapshot}"),
        _ => format!(
            "starts with a snapshot up to {snapshot} and {}",
            entries_words(entries)
        ),
    }
}

fn entries_words(entries: &[Entry]) -> String {
    match entries {
        [] => "nothing".into(),
        [only] => format!("entry {} ({})", only.index, payload_words(&only.payload)),
        [first, .., last] => format!("entries {} to {}", first.index, last.index),
    }
}

/// The longest command, in bytes of its words, that is shown.
const SHOWN: usize = 40;

fn payload_words(payload: &Payload) -> String {
    match payload {
        Payload::NoOp => "no-op".into(),
        Payload::Command(command) => command_words(command.bytes()),
        Payload::Membership(membership) => {
            format!("members {}", membership_words(membership))
        }
    }
}

/// A command as the simulations' clients write them; any other by its length.
fn command_words(bytes: &[u8]) -> String {
    let text = match wire::decode(bytes) {
        Ok(Request::Register) => Some("a session begins".into()),
        Ok(Request::Command { command, .. }) => wire::decode::<Ask>(command).ok().map(ask_words),
        Ok(Request::End { client }) => Some(format!("session {client} ends")),
        Err(_) => std::str::from_utf8(bytes).ok().map(str::to_owned),
    };
    let shown = text.filter(|text| text.len() <= SHOWN && !text.contains(char::is_control));
    shown.unwrap_or_else(|| format!("{} bytes", bytes.len()))
}

fn ask_words(ask: Ask) -> String {
    match ask {
        Ask::Get { key } => format!("get {key}"),
        Ask::Put { key, value } => format!("put {key} {value}"),
        Ask::Delete { key } => format!("delete {key}"),
        Ask::CompareAndSwap {
            key,
            expected,
            value,
        } => format!("cas {key} {} {value}", expected.as_deref().unwrap_or("-")),
    }
}

/// The members, as a person writes them.
pub(super) fn membership_words(membership: &Membership) -> String {
    let mut words = numbers_words(&membership.voters);
    if membership.is_joint() {
        words = format!(
            "{} and {words}, jointly",
            numbers_words(&membership.outgoing)
        );
    }
    if !membership.learners.is_empty() {
        words = format!("{words}; learning: {}", numbers_words(&membership.learners));
    }
    words
}

fn groups_words(groups: &[Vec<NodeId>]) -> String {
    let groups: Vec<String> = groups.iter().map(numbers_words).collect();
    groups.join(" | ")
}

fn numbers_words<'a>(numbers: impl IntoIterator<Item = &'a NodeId>) -> String {
    let numbers: Vec<String> = numbers.into_iter().map(NodeId::to_string).collect();
    numbers.join(" ")
}

fn numbers_json<'a>(numbers: impl IntoIterator<Item = &'a NodeId>) -> String {
    json::array(numbers.into_iter().map(NodeId::to_string))
}

fn entries_json(entries: &[Entry]) -> String {
    json::array(entries.iter().map(|entry| {
        Object::new()
            .number("index", entry.index)
            .number("term", entry.term)
            .text("text", payload_words(&entry.payload))
            .end()
    }))
}

#[cfg(test)]
mod tests {
    use super::super::tally::Tally;
    use super::super::timeline::Timeline;
    use super::*;
    use crate::raft::Message;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn became(time: u64, node: NodeId, role: RoleName, leader: Option<NodeId>) -> Moment {
        let event = Event::Became {
            role,
            term: 1,
            leader,
        };
        Moment::of(at(time), node, role, 1, What::Event(event))
    }

    fn timeline() -> Timeline {
        let mut timeline = Timeline::new();
        let message = Message {
            from: 3,
            to: 1,
            term: 1,
            body: Body::TimeoutNow,
        };
        for moment in [
            became(180, 3, RoleName::Candidate, None),
            became(195, 3, RoleName::Leader, None),
            Moment::of(
                at(200),
                3,
                RoleName::Leader,
                1,
                What::Sent { number: 7, message },
            ),
            Moment::of_world(at(300), What::Parted(vec![vec![3], vec![1, 2]])),
            Moment::of(at(400), 3, RoleName::Leader, 1, What::Crashed),
            became(1000, 1, RoleName::Leader, None),
        ] {
            timeline.add(moment);
        }
        timeline
    }

    #[test]
    fn lines_are_aligned_below_their_header() {
        let timeline = timeline();
        let lines: Vec<String> = timeline.moments().iter().map(Moment::line).collect();
        let expected = [
            "   0.180     3  candidate         1  campaigns",
            "   0.195     3  leader            1  leads",
            "   0.200     3  leader            1  sends #7 to 1: TimeoutNow",
            "   0.300     -  -                 -  the network parts: 3 | 1 2",
            "   0.400     3  leader            1  crashes",
            "   1.000     1  leader            1  leads",
        ];
        assert_eq!(lines, expected);
        let column = HEADER.find("what").unwrap();
        assert_eq!(&expected[0][column..], "campaigns");
    }

    #[test]
    fn json_says_the_same_in_members() {
        let timeline = timeline();
        let json: Vec<String> = timeline.moments().iter().map(Moment::json).collect();
        assert_eq!(
            json[2],
            r##"{"time":0.200000,"node":3,"role":"leader","term":1,"what":"sent","number":7,"to":1,"kind":"TimeoutNow","text":"sends #7 to 1: TimeoutNow"}"##
        );
        assert_eq!(
            json[3],
            r#"{"time":0.300000,"what":"parted","groups":[[3],[1,2]],"text":"the network parts: 3 | 1 2"}"#
        );
    }

    #[test]
    fn the_table_knows_the_longest_time_without_a_leader() {
        let mut tally = Tally::default();
        timeline().moments().iter().for_each(|it| tally.count(it));
        assert_eq!(tally.leaderless(at(1100)), (at(600), at(400)));
        let table = tally.table(at(1100));
        assert!(
            table.contains("longest leaderless  0.600 s, from 0.400\n"),
            "{table}"
        );
        assert!(table.contains("elections           1, won 1\n"), "{table}");
        assert!(
            table.contains("\n   3  down              1    0          0\n"),
            "{table}"
        );
    }

    #[test]
    fn a_node_that_never_leads_makes_the_whole_run_leaderless() {
        let mut tally = Tally::default();
        tally.count(&became(10, 1, RoleName::Follower, None));
        assert_eq!(tally.leaderless(at(500)), (at(500), at(0)));
    }
}
