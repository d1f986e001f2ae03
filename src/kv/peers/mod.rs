//! Messages between nodes, over `rpc/`: the transport of a replica, and the service that receives.
//!
//! ```text
//!  node's thread ── send ──> a bounded queue for each peer ──> its thread ── notify ──> peer
//!  node's thread <── inbox <── Raft.Deliver, on the connection's thread <────────────── peer
//! ```
//!
//! There is one connection for each peer and direction. Raft needs neither order nor delivery, so
//! what cannot be sent is dropped, and the node repeats what matters. A peer that is down costs its
//! own thread a dial now and then, and the node nothing.
//!
//! *Where a peer listens* is in the membership. A node that has just been added has no membership
//! yet, so each connection begins with `Raft.Introduce`: caller and callee, the caller's address,
//! and its [cluster](super::cluster). The answer has the number and the cluster of the node
//! reached.

mod link;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::cluster::{Belonging, ClusterId};
use crate::cli::explain;
use crate::net::Transport::Tcp;
use crate::net::{Dialer, Host, HostPort, Rule, ip::canonical, system_services};
use crate::raft::{Membership, Message, NodeId, Replica, StateMachine, Transport};
use crate::rpc::{Call, ClientConfig, Failure, Secret, Service, Traits};
use crate::telemetry::Log;
use link::Link;

/// The methods, as connections name them.
const DELIVER: &str = "Raft.Deliver";
const INTRODUCE: &str = "Raft.Introduce";

/// The argument of [`INTRODUCE`]: caller, callee, the caller's address and cluster, as far as it
/// knows them.
type Introduction = (NodeId, NodeId, Option<String>, Option<ClusterId>);
/// The answer: the number and the cluster of the node reached.
type Answer = (NodeId, Option<ClusterId>);

/// The longest address, in bytes: the longest name of the DNS, and a port.
const MAX_ADDRESS: usize = 260;
/// How many nodes outside the membership may introduce themselves: learners before they are added,
/// and nodes that were removed.
const MOST_INTRODUCED: usize = 256;

/// Checks that other nodes can call this address, as far as its text shows. It needs a host (at the
/// unspecified address, each node would call itself) and a port, not 0. It is in the log, in every
/// snapshot, and in each part of a snapshot that is sent, so it has at most 260 bytes.
pub fn check_address(address: &str) -> Result<(), String> {
    if address.len() > MAX_ADDRESS {
        return Err(format!("an address is at most {MAX_ADDRESS} bytes"));
    }
    let unknown = match HostPort::parse(address, Tcp, system_services()) {
        Ok(HostPort { host, port: 1.. }) => match host {
            Host::Name(_) => return Ok(()),
            Host::Ip(ip) if !canonical(ip.ip()).is_unspecified() => return Ok(()),
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
    /// The secret of all nodes and clients of the cluster. Default: none.
    pub secret: Option<Secret>,
    /// Bytes that may wait for one peer; beyond this, all that waits is dropped. Default 32 MiB.
    pub queue_bytes: usize,
    /// How long a dial may take. Default 500 ms.
    pub dial_timeout: Duration,
    /// How long sent bytes may stay unacknowledged before the peer is dialled anew. After a
    /// partition, TCP itself would stay silent for about as long as the partition. Default 2 s.
    pub unacknowledged: Duration,
    /// The pause after the first failed dial; each further one is twice as long. Default 50 ms.
    pub first_pause: Duration,
    /// The longest pause. Default 500 ms.
    pub longest_pause: Duration,
    /// The log for peers that come and go. Default: off.
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
    /// As this node's configuration says.
    given: BTreeMap<NodeId, String>,
    /// As the membership says, which the cluster agreed on.
    members: BTreeMap<NodeId, String>,
    /// As the nodes said themselves.
    introduced: BTreeMap<NodeId, String>,
}

impl Book {
    /// Where a node listens.
    pub fn address(&self, node: NodeId) -> Option<String> {
        let addresses = self.lock();
        let member = addresses.members.get(&node);
        // A node founded alone may be in the membership with the unspecified address, and may have
        // introduced itself with a better one since.
        let callable = member.filter(|address| check_address(address).is_ok());
        let known = addresses.given.get(&node).or(callable);
        let known = known.or(addresses.introduced.get(&node)).or(member);
        known.cloned()
    }

    /// Notes where a node says it listens, within limits: a caller may claim anything.
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

/// The links from one node to its peers.
pub struct Peers {
    id: NodeId,
    book: Book,
    belonging: Belonging,
    config: PeersConfig,
    links: BTreeMap<NodeId, Link>,
}

impl Peers {
    /// The links of node `id`. The addresses given here override those of the membership,
    /// for nodes that have moved. A peer is dialled only when there is a message for it.
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
            // Without an address, a thread could not dial. (An answer goes to the node that a
            // message names as its sender, and it may name any number.)
            if !self.links.contains_key(&to) && self.book.address(to).is_none() {
                continue;
            }
            let (ends, of) = ((self.id, to), (&self.book, &self.belonging));
            match self.links.entry(to) {
                Entry::Occupied(link) => link.get().push(message),
                // If no thread can be started, the message is lost, like any that cannot be sent.
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
        // Drop the links to removed nodes (a last message to one makes a new link), and to nodes
        // whose address has changed: such a link would use the old address until it is lost.
        self.links.retain(|node, _| {
            let moved = before.get(node) != Some(&self.book.address(*node));
            membership.contains(*node) && !moved
        });
    }
}

/// The service of node `id` for its peers.
///
/// `Deliver` is a quick method: it puts messages into the replica's inbox. While that is full, it
/// blocks its connection, which slows down a peer that sends too much.
pub fn service<M: StateMachine>(
    id: NodeId,
    replica: Replica<M>,
    book: Book,
    belonging: Belonging,
    log: Log,
) -> Service {
    let deliver = move |_: &Call<'_>, (mut messages,): (Vec<Message>,)| {
        // Drop messages for another node, which had this address before.
        messages.retain(|message| message.to == id && message.from != id);
        replica.deliver(messages);
        Ok(())
    };
    let told = AtomicBool::new(false);
    let introduce = move |_: &Call<'_>, (node, to, address, theirs): Introduction| {
        // A caller that looks for another node does not take this one into its cluster.
        if to != id {
            return Ok((id, belonging.cluster()));
        }
        let ours = belonging.called_by(theirs).map_err(|error| {
            let why = explain(&error);
            // Callers retry again and again, and the cause is on this node: log it once.
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
