//! The network: one thread that holds every message until its time has come, or loses it.
//!
//! It never polls: it waits for the next letter, at most until the next delivery is due. It knows
//! the nodes by their inboxes only; a crashed node's inbox is closed, and messages to it are lost.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use super::super::network::Network;
use super::super::queue::Queue;
use super::super::timeline::{Loss, Moment, What};
use super::post::{Letter, Post, Report, Spectator};
use crate::raft::{Message, NodeId, RoleName, Term};

/// How long a thread waits when nothing is due.
pub(super) const LONG: Duration = Duration::from_secs(3600);

/// The thread's state.
pub(super) struct NetworkThread {
    inbox: Receiver<Letter>,
    network: Network,
    nodes: BTreeMap<NodeId, Sender<Post>>,
    /// Messages in flight, with their numbers.
    flying: Queue<(u64, Message)>,
    /// Messages and copies so far.
    count: u64,
    spectator: Spectator,
}

impl NetworkThread {
    pub(super) fn new(inbox: Receiver<Letter>, network: Network, spectator: Spectator) -> Self {
        Self {
            inbox,
            network,
            nodes: BTreeMap::new(),
            flying: Queue::new(),
            count: 0,
            spectator,
        }
    }

    /// Carries letters until the run is over.
    pub(super) fn run(mut self) {
        loop {
            let next = self.flying.first();
            let wait = next.map_or(LONG, |due| self.spectator.time.until(due));
            match self.inbox.recv_timeout(wait) {
                Ok(Letter::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(letter) => self.take(letter),
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.deliver();
        }
    }

    fn take(&mut self, letter: Letter) {
        match letter {
            Letter::Message(role, term, message) => self.carry(role, term, message),
            Letter::Call(node, call, asker) => _ = self.post(node, Post::Call(call, asker)),
            Letter::Post(node, post) => _ = self.post(node, post),
            Letter::Inbox(node, inbox) => _ = self.nodes.insert(node, inbox),
            Letter::Part(groups) => self.network.part(groups),
            Letter::Cut(from, to) => {
                for &from in &from {
                    to.iter().for_each(|&to| self.network.cut(from, to));
                }
            }
            Letter::Heal => self.network.heal(),
            Letter::Weather(weather) => self.network.weather = weather,
            Letter::Stop => {}
        }
    }

    /// Puts something into a node's inbox; false if the node does not run.
    fn post(&self, node: NodeId, post: Post) -> bool {
        let inbox = self.nodes.get(&node);
        inbox.is_some_and(|inbox| inbox.send(post).is_ok())
    }

    /// Decides the fate of a message.
    fn carry(&mut self, role: RoleName, term: Term, message: Message) {
        let now = self.spectator.time.now();
        self.count += 1;
        let number = self.count;
        let sent = What::Sent {
            number,
            message: message.clone(),
        };
        let moment = Moment::of(now, message.from, role, term, sent);
        self.spectator.tell(Report::Moment(moment));
        match self.network.send(message.from, message.to) {
            Err(loss) => self.lose(number, way(&message), loss),
            Ok((delay, again)) => {
                if let Some(delay) = again {
                    self.count += 1;
                    let copy = self.count;
                    self.spectator.of_world(What::Duplicated { number, copy });
                    self.flying.plan(now + delay, (copy, message.clone()));
                }
                self.flying.plan(now + delay, (number, message));
            }
        }
    }

    /// Delivers all that is due.
    fn deliver(&mut self) {
        let now = self.spectator.time.now();
        while let Some((number, message)) = self.flying.due(now) {
            let of = way(&message);
            if !self.network.connects(message.from, message.to) {
                self.lose(number, of, Loss::Parted);
            } else if !self.post(message.to, Post::Message(number, message)) {
                self.lose(number, of, Loss::Down);
            }
        }
    }

    fn lose(&self, number: u64, (from, to, kind): Way, loss: Loss) {
        self.spectator.of_world(What::Dropped {
            number,
            from,
            to,
            kind,
            loss,
        });
    }
}

/// Sender, receiver and name of a message, for the report of its loss.
type Way = (NodeId, NodeId, &'static str);

fn way(message: &Message) -> Way {
    (message.from, message.to, message.body.name())
}
