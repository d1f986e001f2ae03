//! The control: plays the scenario by the clock, and watches.
//!
//! It also has one inbox, for the reports of all other threads, and waits for it until the
//! scenario's next action is due. It knows the nodes only by their reports, as a spectator does.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::ControlFlow;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use super::super::client::Plan;
use super::super::queue::Queue;
use super::super::scenario::{Action, Clients, Scenario, Span, Weather, Who};
use super::super::timeline::{Moment, What};
use super::super::watch::Watch;
use super::Ended;
use super::cast::Cast;
use super::network::LONG;
use super::post::{Letter, Order, Post, Report, Spectator, Time};
use crate::raft::storage::Restored;
use crate::raft::{Event, Input, NodeId, Refusal, RoleName, Term};

/// How long a refused order is tried again, and at what interval.
const ORDER: (Duration, Duration) = (Duration::from_secs(3), Duration::from_millis(100));
/// How long after healing an operation must have been answered.
const PROGRESS: Duration = Duration::from_secs(5);

/// What is to be done at a time.
enum Task {
    Action(Action),
    Order(Order),
    /// The scenario is over: heal everything.
    Heal,
    /// Nothing has worked since then.
    GiveUp,
}

/// The control's state.
pub(super) struct Control {
    cast: Cast,
    reports: Receiver<Report>,
    spectator: Spectator,
    agenda: Queue<Task>,
    watch: Watch,
    /// What each node said last.
    roles: BTreeMap<NodeId, (RoleName, Term)>,
    voters: BTreeSet<NodeId>,
    /// The client whose operation shows that the cluster has recovered.
    witness: Option<u64>,
    ended: Option<Ended>,
}

impl Control {
    pub(super) fn start(scenario: Scenario, seed: u64) -> io::Result<Self> {
        let (control, reports) = mpsc::channel();
        let time = Time::begin();
        let spectator = Spectator { time, control };
        let (actions, duration) = (scenario.actions.clone(), scenario.duration);
        let voters = (1..=scenario.nodes).collect();
        let mut control = Self {
            cast: Cast::start(scenario, seed, spectator.clone())?,
            reports,
            spectator,
            agenda: Queue::new(),
            watch: Watch::default(),
            roles: BTreeMap::new(),
            voters,
            witness: None,
            ended: None,
        };
        for timed in actions.into_iter().filter(|timed| timed.at <= duration) {
            control.agenda.plan(timed.at, Task::Action(timed.action));
        }
        control.agenda.plan(duration, Task::Heal);
        Ok(control)
    }

    pub(super) fn sender(&self) -> Sender<Report> {
        self.spectator.control.clone()
    }

    /// The run, to its end.
    pub(super) fn play(
        mut self,
        mut each: impl FnMut(Moment) -> ControlFlow<()>,
    ) -> io::Result<Ended> {
        let played = self.play_on(&mut each);
        self.cast.end();
        played
    }

    fn play_on(&mut self, each: &mut dyn FnMut(Moment) -> ControlFlow<()>) -> io::Result<Ended> {
        loop {
            if let Some(ended) = self.ended {
                return Ok(ended);
            }
            let next = self.agenda.first();
            let wait = next.map_or(LONG, |due| self.spectator.time.until(due));
            if let Ok(report) = self.reports.recv_timeout(wait) {
                self.hear(report, each);
            }
            while let Some(task) = self.agenda.due(self.spectator.time.now()) {
                if matches!(task, Task::GiveUp) {
                    let broken = format!("no progress within {PROGRESS:?} after everything healed");
                    self.judge(Err(broken), each);
                }
                self.attend(task)?;
            }
        }
    }

    fn end(&mut self, stopped: bool) {
        let at = self.spectator.time.now();
        self.ended = Some(Ended { at, stopped });
    }

    fn hear(&mut self, report: Report, each: &mut dyn FnMut(Moment) -> ControlFlow<()>) {
        match report {
            Report::Moment(moment) => {
                let checked = self.see(&moment);
                self.show(moment, each);
                self.judge(checked, each);
            }
            Report::Applied(node, entry) => {
                let checked = self.watch.applies(node, entry);
                self.judge(checked, each);
            }
            Report::Refused(order, refusal) => self.refused(order, refusal),
            Report::Over { client, known } => {
                if known && self.witness == Some(client) {
                    self.end(false);
                }
            }
            Report::Stop => self.end(true),
        }
    }

    fn show(&mut self, moment: Moment, each: &mut dyn FnMut(Moment) -> ControlFlow<()>) {
        if each(moment).is_break() {
            self.end(true);
        }
    }

    fn judge(
        &mut self,
        checked: Result<(), String>,
        each: &mut dyn FnMut(Moment) -> ControlFlow<()>,
    ) {
        if let Err(broken) = checked {
            let now = self.spectator.time.now();
            self.show(Moment::of_world(now, What::Broken(broken)), each);
        }
    }

    /// Remembers what a node said.
    fn see(&mut self, moment: &Moment) -> Result<(), String> {
        let Some(node) = moment.node else {
            return Ok(());
        };
        match &moment.what {
            What::Started { .. } => _ = self.roles.insert(node, (moment.role, moment.term)),
            What::Event(Event::Members(members)) => self.voters.clone_from(&members.voters),
            What::Event(Event::Became { role, term, .. }) => {
                self.roles.insert(node, (*role, *term));
                if *role == RoleName::Leader {
                    return self.watch.leads(node, *term);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// What the scenario wants.
impl Control {
    fn attend(&mut self, task: Task) -> io::Result<()> {
        match task {
            Task::Action(action) => self.act(action),
            Task::Order(order) => {
                self.order(order);
                Ok(())
            }
            Task::Heal => self.heal(),
            Task::GiveUp => {
                self.end(false);
                Ok(())
            }
        }
    }

    fn act(&mut self, action: Action) -> io::Result<()> {
        let words = action.to_string();
        match action {
            Action::Crash(who) => self.each(&who, &words, Cast::crash),
            Action::Restart(who) => {
                let mut nodes = self.meant(&who, &words).into_iter();
                nodes.try_for_each(|id| self.cast.restart(id))?;
            }
            Action::Pause(who) => self.each(&who, &words, Cast::pause),
            Action::Resume(who) => self.each(&who, &words, Cast::resume),
            Action::Clock { who, by } => {
                self.each(&who, &words, |cast, id| cast.jump(id, by));
                self.note(words);
            }
            Action::Snapshot(who) => {
                self.each(&who, &words, |cast, id| cast.post(id, Post::Snapshot));
            }
            Action::Ask { request, on } => {
                let on = on.and_then(|who| self.nodes(&[who]).first().copied());
                self.cast.client(Plan::Once(request, on))?;
            }
            Action::Add(_)
            | Action::Learner(_)
            | Action::Remove(_)
            | Action::Voters(_)
            | Action::Transfer(_) => self.change(&action, words)?,
            Action::Partition(_) | Action::Cut { .. } | Action::Heal | Action::Weather(_) => {
                self.disturb(action, words);
            }
        }
        Ok(())
    }

    /// What is done to the network.
    fn disturb(&mut self, action: Action, words: String) {
        let (what, letter) = match action {
            Action::Partition(groups) => {
                let parts = self.parts(&groups);
                (What::Parted(parts.clone()), Letter::Part(parts))
            }
            Action::Cut { from, to } => {
                let (from, to) = (self.nodes(&from), self.nodes(&to));
                let what = What::Cut {
                    from: from.clone(),
                    to: to.clone(),
                };
                (what, Letter::Cut(from, to))
            }
            Action::Weather(weather) => (What::Note(words), Letter::Weather(weather)),
            _ => (What::Healed, Letter::Heal),
        };
        self.spectator.of_world(what);
        self.cast.send(letter);
    }

    /// A change of the members, or a transfer. A node that is not there yet starts empty.
    fn change(&mut self, action: &Action, words: String) -> io::Result<()> {
        if let Action::Add(node) | Action::Learner(node) = *action {
            if !self.cast.machines.contains_key(&node) {
                self.cast.add(node, Restored::default())?;
            }
        }
        let one = |who| self.meant(&[who], &words).first().copied();
        if let Some(input) = action.order(0, one) {
            self.begin(input, words);
        }
        Ok(())
    }

    fn note(&self, words: String) {
        self.spectator.of_world(What::Note(words));
    }

    fn each(&mut self, who: &[Who], words: &str, act: impl Fn(&mut Cast, NodeId)) {
        let nodes = self.meant(who, words).into_iter();
        nodes.for_each(|id| act(&mut self.cast, id));
    }

    /// The nodes that are meant; if there are none, a note says so.
    fn meant(&mut self, who: &[Who], words: &str) -> Vec<NodeId> {
        let nodes = self.nodes(who);
        if nodes.is_empty() {
            self.note(format!("{words}: there is none"));
        }
        nodes
    }

    /// The groups of a partition: `rest` are those that no group names.
    fn parts(&mut self, groups: &[Vec<Who>]) -> Vec<Vec<NodeId>> {
        let mut parts: Vec<Vec<NodeId>> = groups.iter().map(|who| self.nodes(who)).collect();
        let named = parts.concat();
        let all = self.cast.machines.keys().copied();
        let rest: Vec<NodeId> = all.filter(|id| !named.contains(id)).collect();
        for (part, who) in parts.iter_mut().zip(groups) {
            if who.contains(&Who::Rest) {
                part.extend(&rest);
            }
        }
        parts
    }

    fn begin(&mut self, input: Input, words: String) {
        self.note(words.clone());
        let until = self.spectator.time.now() + ORDER.0;
        self.order(Order {
            input,
            words,
            until,
        });
    }

    /// Asks the leader, now or as soon as there is one.
    fn order(&mut self, order: Order) {
        match self.leader() {
            Some(leader) => self.cast.post(leader, Post::Order(order)),
            None => self.refused(order, Refusal::NotLeader(None)),
        }
    }

    fn refused(&mut self, order: Order, refusal: Refusal) {
        let now = self.spectator.time.now();
        if now >= order.until || refusal == Refusal::BadChange {
            self.note(format!("{}: refused: {refusal}", order.words));
            return;
        }
        self.agenda.plan(now + ORDER.1, Task::Order(order));
    }

    /// Ends all faults: from here on, an operation must be answered.
    fn heal(&mut self) -> io::Result<()> {
        self.note("all faults are over".into());
        self.spectator.of_world(What::Healed);
        self.cast.send(Letter::Heal);
        self.cast.send(Letter::Weather(Weather::default()));
        let ids: Vec<NodeId> = self.cast.machines.keys().copied().collect();
        for id in ids {
            self.cast.resume(id);
            self.cast.restart(id)?;
        }
        let witness = Clients {
            number: 1,
            keys: 1,
            pause: Span::millis(0, 10),
            get: 0,
            put: 1,
            cas: 0,
        };
        self.witness = Some(self.cast.client(Plan::Always(witness))?);
        let until = self.spectator.time.now() + PROGRESS;
        self.agenda.plan(until, Task::GiveUp);
        Ok(())
    }
}

/// Which nodes are meant.
impl Control {
    fn nodes(&mut self, who: &[Who]) -> Vec<NodeId> {
        let mut nodes = Vec::new();
        for who in who {
            match who {
                Who::Node(id) => nodes.push(*id),
                Who::Leader => nodes.extend(self.leader()),
                Who::Follower => {
                    let follower = self.follower(&nodes);
                    nodes.extend(follower);
                }
                Who::All => nodes.extend(self.cast.machines.keys()),
                Who::Rest => {} // only `parts` knows the other groups
            }
        }
        nodes
    }

    fn is_up(&self, id: NodeId) -> bool {
        let machine = self.cast.machines.get(&id);
        machine.is_some_and(super::cast::Machine::is_up)
    }

    /// The leader of the highest term among those that run.
    fn leader(&self) -> Option<NodeId> {
        let leaders = self
            .roles
            .iter()
            .filter(|&(&id, &(role, _))| role == RoleName::Leader && self.is_up(id));
        leaders
            .max_by_key(|(_, (_, term))| *term)
            .map(|(&id, _)| id)
    }

    /// A running voter that does not lead and is not meant already.
    fn follower(&mut self, taken: &[NodeId]) -> Option<NodeId> {
        let leader = self.leader();
        let voters = self.voters.iter().copied();
        let followers: Vec<NodeId> = voters
            .filter(|&id| Some(id) != leader && self.is_up(id) && !taken.contains(&id))
            .collect();
        let any = self.cast.dice.below(followers.len() as u64) as usize;
        followers.get(any).copied()
    }
}
