//! Messages between nodes, over `rpc/`: what a replica sends through, and the service that receives.
//!
//! ```text
//!  node's thread ── send ──> a bounded queue for each peer ──> its thread ── notify ──> peer
//!  node's thread <── inbox <── Raft.Deliver, on the connection's thread <────────────── peer
//! ```
//!
//! One connection for each peer and direction. Raft needs neither order nor delivery, so nothing
//! here tries hard: what cannot be sent is dropped, and the node repeats what matters. A peer that
//! is away costs its own thread a dial now and then, and the node nothing.
//!
//! *Where a peer listens* stands in the membership; a node that has just been added has none yet,
//! so each connection begins with `Raft.Introduce`: who calls whom, where it listens, and to which
//! [cluster](super::cluster) it belongs. The answer is who was reached, and whose member that is.

mod link;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::cluster::{Belonging, ClusterId};
use crate::cli::explain;
use crate::net::Transport::Tcp;
use crate::net::{Dialer, Host, HostPort, Rule, system_services};
use crate::raft::{Membership, Message, NodeId, Replica, StateMachine, Transport};
use crate::rpc::{Call, ClientConfig, Failure, Secret, Service, Traits};
use crate::telemetry::Log;
use link::Link;

/// The methods, as connections name them.
const DELIVER: &str = "Raft.Deliver";
const INTRODUCE: &str = "Raft.Introduce";

/// What [`INTRODUCE`] says: who calls whom, where the caller listens, to which cluster it belongs,
/// as far as it knows.
type Introduction = (NodeId, NodeId, Option<String>, Option<ClusterId>);
/// What it is answered: who is there, to which cluster that one belongs.
type Answer = (NodeId, Option<ClusterId>);

/// The longest address, in bytes: the longest name of the DNS, and a port.
const MAX_ADDRESS: usize = 260;
/// How many nodes that nobody else knows may introduce themselves: learners before they are added,
/// and nodes that were removed.
const MOST_INTRODUCED: usize = 256;

/// Whether the others can call this address, as far as its text tells: a host, not all of a machine's
/// addresses, at which each would call itself, and a port from 1 on. It stands in the log, in every snapshot, and in each part of one that is sent, so it is at most
/// 260 bytes.
pub fn check_address(address: &str) -> Result<(), String> {
    if address.len() > MAX_ADDRESS {
        return Err(format!("an address is at most {MAX_ADDRESS} bytes"));
    }
    let unknown = match HostPort::parse(address, Tcp, system_services()) {
        Ok(HostPort { host, port: 1.. }) => match host {
            Host::Name(_) => return Ok(()),
            Host::Ip(ip) if !ip.ip().is_unspecified() => return Ok(()),
            Host::Ip(_) | Host::Any => "host",
        },
        Err(error) if *error.rule() != Rule::PortEmpty => return Err(error.to_string()),
        _ => "port",
    };
    let why = format!("address {address}: the others need to know the {unknown}");
    Err(why)
}

/// How peers are reached.
#[derive(Clone, Debug)]
pub struct PeersConfig {
    /// What all nodes and clients of the cluster know. Default: none.
    pub secret: Option<Secret>,
    /// Bytes that may wait for one peer; beyond them all that waits is dropped. Default 32 MiB.
    pub queue_bytes: usize,
    /// How long a dial may take. Default 500 ms.
    pub dial_timeout: Duration,
    /// How long sent bytes may stay unacknowledged; then the peer is dialled anew. After a
    /// partition TCP itself would be silent about as long as the partition was. Default 2 s.
    pub unacknowledged: Duration,
    /// The pause after the first failed dial; each further one is twice as long. Default 50 ms.
    pub first_pause: Duration,
    /// The longest pause. Default 500 ms.
    pub longest_pause: Duration,
    /// Where peers that come and go are told. Default: nowhere.
    pub log: Log,
}

impl Default for PeersConfig {
    fn default() -> Self {
        Self {
            secret: None,
            queue_bytes: 32 << 20,
            dial_timeout: Duration::from_millis(500),
            unacknowledged: Duration::from_secs(2),
            first_pause: Duration::from_millis(50),
            longest_pause: Duration::from_millis(500),
            log: Log::off(),
        }
    }
}

impl PeersConfig {
    fn dialer(&self) -> Dialer {
        Dialer {
            timeout: Some(self.dial_timeout),
            unacknowledged: Some(self.unacknowledged),
            ..Dialer::default()
        }
    }

    fn client(&self) -> ClientConfig {
        ClientConfig {
            secret: self.secret.clone(),
            write_timeout: self.unacknowledged,
            ..ClientConfig::default()
        }
    }
}

/// Where the nodes listen, as far as this one knows. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Book {
    addresses: Arc<Mutex<Addresses>>,
}

#[derive(Debug, Default)]
struct Addresses {
    /// As this node's own user says.
    given: BTreeMap<NodeId, String>,
    /// As the membership has it: what was agreed to.
    members: BTreeMap<NodeId, String>,
    /// As they said themselves.
    introduced: BTreeMap<NodeId, String>,
}

impl Book {
    /// Where a node listens.
    pub fn address(&self, node: NodeId) -> Option<String> {
        let addresses = self.lock();
        let member = addresses.members.get(&node);
        // One that was founded alone stands there with all addresses of its machine, and may say more
        // since.
        let callable = member.filter(|address| check_address(address).is_ok());
        let known = addresses.given.get(&node).or(callable);
        let known = known.or(addresses.introduced.get(&node)).or(member);
        known.cloned()
    }

    /// Notes what a node says of itself, within limits: whoever may call may say anything.
    fn introduce(&self, node: NodeId, address: String) {
        let introduced = &mut self.lock().introduced;
        let has_room = introduced.len() < MOST_INTRODUCED || introduced.contains_key(&node);
        if has_room && address.len() <= MAX_ADDRESS {
            introduced.insert(node, address);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Addresses> {
        self.addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The way from one node to its peers.
pub struct Peers {
    id: NodeId,
    book: Book,
    belonging: Belonging,
    config: PeersConfig,
    links: BTreeMap<NodeId, Link>,
}

impl Peers {
    /// The way out of node `id`. The addresses given here win over those that the membership has,
    /// for nodes that have moved. No peer is dialled before there is a message for it.
    pub fn new(
        id: NodeId,
        given: BTreeMap<NodeId, String>,
        belonging: Belonging,
        config: PeersConfig,
    ) -> Self {
        let book = Book::default();
        book.lock().given = given;
        Self {
            id,
            book,
            belonging,
            config,
            links: BTreeMap::new(),
        }
    }

    /// Its book of addresses.
    pub fn book(&self) -> Book {
        self.book.clone()
    }
}

impl Transport for Peers {
    fn send(&mut self, messages: Vec<Message>) {
        for message in messages {
            let to = message.to;
            // Nobody knows where: a thread would have nobody to dial. (An answer goes to whom a
            // message names as its sender, and it may name anyone.)
            if !self.links.contains_key(&to) && self.book.address(to).is_none() {
                continue;
            }
            let (ends, of) = ((self.id, to), (&self.book, &self.belonging));
            match self.links.entry(to) {
                Entry::Occupied(link) => link.get().push(message),
                // Without a thread to have, what is sent is lost, like all that cannot be sent.
                Entry::Vacant(place) => match Link::start(ends, of, &self.config) {
                    Ok(link) => place.insert(link).push(message),
                    Err(_) => continue,
                },
            }
        }
        for link in self.links.values() {
            link.wake();
        }
    }

    fn members(&mut self, membership: &Membership) {
        let address = |node: &NodeId| (*node, self.book.address(*node));
        let before: BTreeMap<_, _> = self.links.keys().map(address).collect();
        self.book.lock().members = membership.addresses.clone();
        // One that was removed and is told something once more gets a new link for it. So does one
        // whose address was wrong: the old link would go on with it until it is lost.
        self.links.retain(|node, _| {
            let moved = before.get(node) != Some(&self.book.address(*node));
            membership.contains(*node) && !moved
        });
    }
}

/// What node `id` offers its peers.
///
/// `Deliver` is quick: it puts messages in the replica's inbox. While that is full it waits, and
/// its connection with it, which is how a peer that sends too much comes to notice.
pub fn service<M: StateMachine>(
    id: NodeId,
    replica: Replica<M>,
    book: Book,
    belonging: Belonging,
    log: Log,
) -> Service {
    let deliver = move |_: &Call<'_>, (mut messages,): (Vec<Message>,)| {
        // For another node, which had this address before.
        messages.retain(|message| message.to == id && message.from != id);
        replica.deliver(messages);
        Ok(())
    };
    let told = AtomicBool::new(false);
    let introduce = move |_: &Call<'_>, (node, to, address, theirs): Introduction| {
        // Whoever looks for another node does not take this one into its cluster.
        if to != id {
            return Ok((id, belonging.cluster()));
        }
        let ours = belonging.called_by(theirs).map_err(|error| {
            let why = explain(&error);
            // Callers come again and again; what stands in their way is here.
            if !told.swap(true, Ordering::Relaxed) {
                let target = format!("node {id}");
                log.warn(&target, "the cluster cannot be noted", &[("why", &why)]);
            }
            Failure::Refused(format!("node {id}: {why}"))
        })?;
        let together = theirs.is_none() || ours.is_none() || ours == theirs;
        if let Some(address) = address.filter(|_| together) {
            book.introduce(node, address);
        }
        Ok((id, ours))
    };
    Service::new("Raft")
        .method("Deliver", Traits::default(), deliver)
        .method("Introduce", Traits::default(), introduce)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::Body;

    fn message(to: NodeId) -> Message {
        let (from, term, body) = (1, 1, Body::TimeoutNow);
        Message {
            from,
            to,
            term,
            body,
        }
    }

    fn peers(given: BTreeMap<NodeId, String>) -> Peers {
        Peers::new(1, given, Belonging::to(None), PeersConfig::default())
    }

    #[test]
    fn nobody_is_dialled_whose_address_nobody_knows() {
        let given = [(2, "127.0.0.1:1".to_string())].into();
        let mut peers = peers(given);
        peers.send((2..1000).map(message).collect());
        assert_eq!(peers.links.keys().copied().collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn a_link_to_an_address_that_the_membership_has_no_more_is_given_up() {
        let mut members = Membership::of([1, 2, 3]);
        members.addresses = [(2, "127.0.0.1:1".into()), (3, "127.0.0.1:2".into())].into();
        let mut peers = peers(BTreeMap::new());
        peers.members(&members);
        peers.send([2, 3].map(message).into());
        assert_eq!(peers.links.len(), 2);
        members.addresses.insert(3, "127.0.0.1:3".into());
        peers.members(&members);
        assert_eq!(peers.links.keys().copied().collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn who_is_known_by_all_addresses_of_a_machine_may_say_a_better_one() {
        let book = Book::default();
        let address = |at: &str| (7, at.to_string());
        book.lock().members = [address("0.0.0.0:1")].into();
        assert_eq!(book.address(7).as_deref(), Some("0.0.0.0:1"));
        book.introduce(7, "10.0.0.7:1".into());
        assert_eq!(book.address(7).as_deref(), Some("10.0.0.7:1"));
        book.lock().members = [address("10.0.0.8:1")].into();
        assert_eq!(book.address(7).as_deref(), Some("10.0.0.8:1"));
        book.lock().given = [address("here:1")].into();
        assert_eq!(book.address(7).as_deref(), Some("here:1"));
    }

    #[test]
    fn strangers_who_introduce_themselves_fill_no_memory() {
        let book = Book::default();
        book.introduce(7, "a".repeat(MAX_ADDRESS + 1));
        assert_eq!(book.address(7), None);
        for node in 1..1000 {
            book.introduce(node, "127.0.0.1:1".into());
        }
        assert_eq!(book.lock().introduced.len(), MOST_INTRODUCED);
        book.introduce(1, "127.0.0.1:2".into());
        assert_eq!(book.address(1).as_deref(), Some("127.0.0.1:2"));
    }
}
