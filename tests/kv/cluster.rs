//! Clusters of ours, in this process, over loopback, on real folders: the cases, and what happens
//! when nodes are lost, added, removed, stopped, and when strangers come.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use groundwire::kv::peers::PeersConfig;
use groundwire::kv::service::{KvClient, NodeStatus, Problem};
use groundwire::kv::{
    Client, ClientConfig, Expected, Keys, Node, NodeConfig, Store, StoreError, Swap,
};
use groundwire::net::{self, Listener, Network};
use groundwire::raft::sessions::{Answer, ClientSession, Request};
use groundwire::raft::{self, Command, NodeId, ReplicaConfig};
use groundwire::rpc::{self, Secret};
use groundwire::server;
use groundwire::telemetry::{Format, Level, Log, Registry};
use groundwire::wire;

use crate::conformance::conforms;
use crate::support::{Folder, Kept, eventually, nobody};

struct Cluster {
    folder: Folder,
    addresses: BTreeMap<NodeId, String>,
    nodes: BTreeMap<NodeId, Node>,
    secret: Option<Secret>,
    snapshot_entries: u64,
}

impl Cluster {
    fn new(nodes: u64) -> Self {
        Self::with(nodes, None, 50)
    }

    /// Nodes that found a cluster, on ports that stay theirs while they are away.
    fn with(nodes: u64, secret: Option<&str>, snapshot_entries: u64) -> Self {
        let mut cluster = Self {
            folder: Folder::new(),
            addresses: BTreeMap::new(),
            nodes: BTreeMap::new(),
            secret: secret.map(|secret| Secret::new(secret.as_bytes()).unwrap()),
            snapshot_entries,
        };
        let listeners: Vec<_> = (1..=nodes)
            .map(|id| (id, net::listen(Network::Tcp, &nobody()).unwrap()))
            .collect();
        for (id, listener) in &listeners {
            let address = listener.local_addr().to_string();
            cluster.addresses.insert(*id, address);
        }
        for (id, listener) in listeners {
            cluster.run(cluster.config(id, false), listener);
        }
        cluster
    }

    fn run(&mut self, config: NodeConfig, listener: Listener) {
        let id = config.id;
        let node = Node::start(config, listener, &Registry::new());
        self.nodes.insert(id, node.unwrap());
    }

    fn data(&self, id: NodeId) -> PathBuf {
        self.folder.path(&format!("node-{id}")).into()
    }

    /// To which cluster a node belongs, as its folder says.
    fn id_in_folder(&self, id: NodeId) -> String {
        fs::read_to_string(self.data(id).join("cluster-id")).unwrap()
    }

    fn config(&self, id: NodeId, joins: bool) -> NodeConfig {
        let mut raft = raft::Config {
            // In a debug build a checksum over 1 MiB takes a good part of a second on a busy machine.
            election_timeout_min: Duration::from_millis(1000),
            election_timeout_max: Duration::from_millis(2000),
            ..raft::Config::default()
        };
        // So that who is far behind gets a snapshot.
        raft.keep_entries = 0;
        NodeConfig {
            id,
            data: self.data(id),
            addresses: match joins {
                true => BTreeMap::new(),
                false => self.addresses.clone(),
            },
            token: String::new(),
            joins,
            replica: ReplicaConfig {
                raft,
                snapshot_entries: self.snapshot_entries,
                ..ReplicaConfig::default()
            },
            peers: PeersConfig {
                secret: self.secret.clone(),
                ..PeersConfig::default()
            },
            rpc: rpc::ServerConfig {
                secret: self.secret.clone(),
                ..rpc::ServerConfig::default()
            },
            server: server::Config {
                stack_size: rpc::STACK_SIZE,
                drain: Duration::from_secs(1),
                ..server::Config::default()
            },
            stats: Arc::default(),
        }
    }

    /// Starts a node that was stopped, on the folder that it had.
    fn restart(&mut self, id: NodeId) {
        let listener = net::listen(Network::Tcp, &self.addresses[&id]).unwrap();
        self.run(self.config(id, false), listener);
    }

    /// Starts a node that waits to be added.
    fn join(&mut self, id: NodeId) -> String {
        let listener = net::listen(Network::Tcp, "127.0.0.1:0").unwrap();
        let address = listener.local_addr().to_string();
        self.run(self.config(id, true), listener);
        address
    }

    fn kill(&mut self, id: NodeId) {
        self.nodes.remove(&id).unwrap().kill();
    }

    fn client(&self) -> Client {
        self.client_knowing(self.secret.clone())
    }

    fn client_knowing(&self, secret: Option<Secret>) -> Client {
        let servers = self.addresses.values().cloned().collect();
        Client::new(ClientConfig {
            secret,
            time: Duration::from_secs(20),
            ..ClientConfig::new(servers)
        })
    }

    /// Calls to one node, which nobody tries again.
    fn calls(&self, node: NodeId) -> KvClient<rpc::Client> {
        let conn = net::dial(Network::Tcp, &self.addresses[&node]).unwrap();
        KvClient(rpc::Client::over(conn, rpc::ClientConfig::default()).unwrap())
    }

    /// How one node sees the cluster.
    fn status(&self, id: NodeId) -> NodeStatus {
        self.client().status(&self.addresses[&id]).unwrap()
    }

    /// Who leads, as soon as all who run agree on it.
    fn leader(&self) -> NodeId {
        let mut leader = None;
        eventually("one leader that all know", || {
            let mut known = self.nodes.values().map(|node| node.replica().leader());
            leader = known.next().flatten();
            leader.is_some_and(|leader| self.nodes.contains_key(&leader))
                && known.all(|other| other == leader)
        });
        leader.unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for (_, node) in std::mem::take(&mut self.nodes) {
            node.kill();
        }
    }
}

fn value(store: &dyn Store, key: &str) -> Option<String> {
    let found = store.get(key.as_bytes()).unwrap();
    found.map(|found| String::from_utf8(found.value).unwrap())
}

#[test]
fn a_cluster_conforms() {
    for nodes in [1, 3] {
        // Without snapshots, which would hold all the large values again and again.
        let cluster = Cluster::with(nodes, None, 100_000);
        // Nor with tries that end before a busy machine is through with 1 MiB, three times over.
        conforms(&Client::new(ClientConfig {
            time: Duration::from_secs(60),
            try_time: Duration::from_secs(20),
            ..ClientConfig::new(cluster.addresses.values().cloned().collect())
        }));
    }
}

#[test]
fn what_was_put_outlives_the_leader_and_the_client_finds_the_next() {
    let mut cluster = Cluster::new(3);
    let client = cluster.client();
    client.put(b"k", b"v").unwrap();
    let lost = cluster.leader();
    cluster.kill(lost);
    assert_eq!(value(&client, "k"), Some("v".into()));
    client.put(b"k", b"w").unwrap();
    cluster.restart(lost);
    eventually("the lost one has caught up", || {
        cluster.status(lost).revision == 3
    });
}

#[test]
fn a_retried_command_is_done_once_whichever_node_leads() {
    let cluster = Cluster::new(3);
    let propose = |node: NodeId, request: &Request<'_>| {
        let request = Command::from(wire::encode(request).unwrap());
        let answer = cluster.calls(node).propose(&request).unwrap();
        answer.map(|answer| wire::decode::<Answer>(&answer).unwrap())
    };
    let first = cluster.leader();
    let Ok(Answer::Registered(client)) = propose(first, &Request::Register) else {
        panic!("no session");
    };
    let mut session = ClientSession::new(client);
    let sequence = session.begin(8).unwrap();
    let put = groundwire::kv::Command::Put {
        key: b"k",
        value: b"v",
    };
    let put = wire::encode(&put).unwrap();
    let request = session.request(sequence, &put);
    let answer = propose(first, &request).unwrap();
    assert_eq!(propose(first, &request).as_ref(), Ok(&answer));
    let next = first % 3 + 1;
    cluster.client().transfer(next).unwrap();
    assert_eq!(propose(next, &request).as_ref(), Ok(&answer));
    let elsewhere = Problem::Elsewhere(Some(cluster.addresses[&next].clone()));
    eventually("the old leader names the next", || {
        propose(first, &request) == Err(elsewhere.clone())
    });
    assert_eq!(cluster.status(next).revision, 2, "one put");
}

/// The window of changes holds 16 MiB: those that it waits for are not among them.
#[test]
fn a_watch_that_waits_outlasts_any_number_of_changes_of_other_keys() {
    let cluster = Cluster::new(1);
    let client = cluster.client();
    let next = client.put(b"quiet", b"1").unwrap() + 1;
    let watch = |key: &[u8]| client.watch(Keys::One(key.to_vec()), next).unwrap();
    let mut waiting = watch(b"quiet");
    thread::scope(|scope| {
        let told = scope.spawn(move || waiting.changes(Duration::from_secs(20)));
        // Asked later, and so long that the first has come to wait.
        let nothing = watch(b"other").changes(Duration::from_secs(1)).unwrap();
        assert_eq!(nothing.next, next);
        for _ in 0..17 {
            client.put(b"loud", &[0; 1 << 20]).unwrap();
        }
        let last = client.put(b"quiet", b"2").unwrap();
        let told = told.join().unwrap().unwrap();
        assert_eq!((told.changes.len(), told.next), (1, last + 1));
    });
}

#[test]
fn a_node_that_knows_no_leader_does_not_let_who_watches_wait() {
    let mut cluster = Cluster::new(3);
    let node = cluster.leader();
    for other in (1..=3).filter(|id| *id != node) {
        cluster.kill(other);
    }
    eventually("it leads nobody", || {
        cluster.nodes[&node].replica().leader().is_none()
    });
    let all = Keys::Prefix(Vec::new());
    let told = cluster.calls(node).changes(all, 1, 5_000).unwrap();
    assert_eq!(told, Err(Problem::Elsewhere(None)));
}

#[test]
fn what_no_message_between_nodes_could_carry_does_not_get_into_the_log() {
    let cluster = Cluster::new(3);
    let kv = cluster.calls(cluster.leader());
    // It fits into a client's message, with hardly a byte to spare.
    let request = ClientSession::new(1).request(1, &[0; (4 << 20) - 110]);
    let request = Command::from(wire::encode(&request).unwrap());
    let answer = kv.propose(&request).unwrap();
    assert!(matches!(answer, Err(Problem::Never(_))), "{answer:?}");
    let address = "a".repeat(5000);
    let answer = kv.add(9, &address, true).unwrap();
    assert!(matches!(answer, Err(Problem::Never(_))), "{answer:?}");
    assert_eq!(cluster.client().put(b"k", b"v"), Ok(2));
}

#[test]
fn a_node_that_nobody_could_call_does_not_get_into_the_log() {
    let cluster = Cluster::new(1);
    let client = cluster.client();
    client.put(b"k", b"v").unwrap();
    for (node, address, why) in [
        (0, "127.0.0.1:1", "node 0: nodes are counted from 1"),
        (
            9,
            "here\n",
            "address here\\n: the port is missing, write host:port",
        ),
        (
            9,
            "here:",
            "address here:: the others need to know the port",
        ),
        (
            9,
            "here:0",
            "address here:0: the others need to know the port",
        ),
        (9, ":1", "address :1: the others need to know the host"),
        (
            9,
            "[::]:1",
            "address [::]:1: the others need to know the host",
        ),
        (
            9,
            "[::ffff:0.0.0.0]:1",
            "address [::ffff:0.0.0.0]:1: the others need to know the host",
        ),
        (
            9,
            "here:65536",
            "address here:65536: port must be 0 to 65535",
        ),
    ] {
        let refused = client.add(node, address, true).unwrap_err();
        assert_eq!(refused.to_string(), format!("refused: {why}"));
    }
    assert!(cluster.status(1).membership.learners.is_empty());
}

#[test]
fn a_node_joins_by_snapshot_votes_and_leaves() {
    let mut cluster = Cluster::new(3);
    let client = cluster.client();
    for n in 0..120 {
        client.put(format!("k{n}").as_bytes(), b"v").unwrap();
    }
    let leader = cluster.leader();
    assert!(
        cluster.status(leader).first_index > 50,
        "there are snapshots"
    );
    let address = cluster.join(4);
    client.add(4, &address, false).unwrap();
    cluster.addresses.insert(4, address);
    assert!(cluster.status(leader).membership.voters.contains(&4));
    eventually("it has all keys", || cluster.status(4).revision == 121);
    assert_eq!(cluster.id_in_folder(4), cluster.id_in_folder(1));
    client.transfer(4).unwrap();
    client.put(b"k", b"by four").unwrap();
    client.remove(4).unwrap();
    assert_eq!(value(&client, "k"), Some("by four".into()));
    cluster.kill(4);
    cluster.addresses.remove(&4);
    let leader = cluster.leader();
    assert_eq!(cluster.status(leader).membership.voters, [1, 2, 3].into());
}

#[test]
fn leadership_goes_over_before_a_node_stops() {
    let mut cluster = Cluster::new(3);
    let client = cluster.client();
    client.put(b"k", b"v").unwrap();
    let first = cluster.leader();
    let node = cluster.nodes.remove(&first).unwrap();
    node.hand_over();
    assert_ne!(node.replica().leader(), Some(first));
    node.stop().unwrap();
    assert_eq!(value(&client, "k"), Some("v".into()));
}

#[test]
fn who_does_not_know_the_secret_is_refused() {
    let mut cluster = Cluster::with(3, Some("open sesame, please"), 50);
    cluster.client().put(b"k", b"v").unwrap();
    let stranger = cluster.client_knowing(Secret::new(b"open barley, please"));
    for client in [stranger, cluster.client_knowing(None)] {
        let put = client.put(b"k", b"w").unwrap_err();
        for refused in [put, client.add(4, "127.0.0.1:1", true).unwrap_err()] {
            assert!(matches!(refused, StoreError::NotDone(_)), "{refused}");
            assert!(refused.to_string().contains("secret"), "{refused}");
        }
    }
    // A node with another secret hears nobody, and nobody hears it.
    let lost = cluster.leader() % 3 + 1;
    cluster.kill(lost);
    let known = cluster
        .secret
        .replace(Secret::new(b"open barley, please").unwrap());
    cluster.restart(lost);
    let stranger = cluster.nodes.remove(&lost).unwrap();
    cluster.secret = known;
    cluster.client().put(b"k", b"x").unwrap();
    assert_eq!(stranger.replica().leader(), None);
    stranger.kill();
}

#[test]
fn a_cluster_that_was_killed_finds_all_of_it_on_its_disks() {
    let mut cluster = Cluster::new(3);
    let client = cluster.client();
    for n in 0..70 {
        client.put(format!("k{n}").as_bytes(), b"v").unwrap();
    }
    (1..=3).for_each(|id| cluster.kill(id));
    (1..=3).for_each(|id| cluster.restart(id));
    let page = client.list(b"k", None, 1000).unwrap();
    assert_eq!((page.entries.len(), page.revision), (70, 71));
    // The session stands in the snapshot and in the log, too.
    assert_eq!(client.put(b"k", b"v"), Ok(72));
}

#[test]
fn a_folder_serves_the_node_whose_it_is_and_one_process() {
    let mut cluster = Cluster::new(1);
    let listener = || net::listen(Network::Tcp, "127.0.0.1:0").unwrap();
    let start = |config| {
        Node::start(config, listener(), &Registry::new())
            .err()
            .unwrap()
    };
    let locked = start(cluster.config(1, false));
    assert!(
        locked
            .to_string()
            .ends_with("another process uses this folder")
    );
    cluster.kill(1);
    let other = NodeConfig {
        id: 2,
        ..cluster.config(1, false)
    };
    assert!(
        start(other)
            .to_string()
            .ends_with("node-id: this folder is node 1's")
    );
    cluster.restart(1);
}

/// The second cluster is one node, which would follow any leader of a later term, and give up its log.
#[test]
fn a_node_of_another_cluster_at_the_address_of_a_peer_is_told_nothing() {
    let (mut cluster, other) = (Cluster::new(3), Cluster::new(1));
    other.client().put(b"k", b"theirs").unwrap();
    let before = other.status(1);
    (1..=3).for_each(|id| cluster.kill(id));
    let log = Kept::default();
    for id in [2, 3] {
        let listener = net::listen(Network::Tcp, &cluster.addresses[&id]).unwrap();
        let mut config = cluster.config(id, false);
        config.addresses.insert(1, other.addresses[&1].clone());
        config.peers.log = Log::to_writer(Level::Info, Format::Text, Box::new(log.clone()));
        cluster.run(config, listener);
    }
    cluster.client().put(b"k", b"ours").unwrap();
    eventually("it is told", || {
        log.text()
            .contains("another cluster at the address of a peer")
    });
    assert_eq!(value(&other.client(), "k"), Some("theirs".into()));
    assert_eq!(other.status(1), before);
    let named = [&other, &cluster].map(|cluster| cluster.id_in_folder(1));
    for name in named {
        assert!(log.text().contains(name.trim()), "{name}: {}", log.text());
    }
}

/// One wrong digit, and a cluster would have the node that another one waits for.
#[test]
fn a_node_that_is_called_by_the_number_of_another_is_not_taken_in() {
    let (mut wrong, mut right) = (Cluster::new(1), Cluster::new(1));
    let log = Kept::default();
    wrong.kill(1);
    let listener = net::listen(Network::Tcp, &wrong.addresses[&1]).unwrap();
    let mut config = wrong.config(1, false);
    config.peers.log = Log::to_writer(Level::Info, Format::Text, Box::new(log.clone()));
    wrong.run(config, listener);
    let address = right.join(5);
    wrong.client().add(4, &address, true).unwrap();
    eventually("it is told", || {
        let what = "another node at the address of a peer peer=4";
        log.text()
            .contains(&format!("{what} why=\"{address} is node 5\""))
    });
    right.client().add(5, &address, false).unwrap();
    assert_eq!(right.id_in_folder(5), right.id_in_folder(1));
}

/// Before its first entry it is as new as a founder.
#[test]
fn a_node_that_joins_and_is_started_anew_without_the_word_still_founds_nothing() {
    let mut cluster = Cluster::new(1);
    let address = cluster.join(2);
    cluster.kill(2);
    let log = Kept::default();
    let mut founder = NodeConfig {
        addresses: BTreeMap::from([(2, address.clone())]),
        ..cluster.config(2, false)
    };
    founder.replica.log = Log::to_writer(Level::Warn, Format::Text, Box::new(log.clone()));
    let listener = net::listen(Network::Tcp, &address).unwrap();
    cluster.run(founder, listener);
    cluster.client().add(2, &address, false).unwrap();
    assert_eq!(cluster.id_in_folder(2), cluster.id_in_folder(1));
    let told = log.text();
    assert!(
        told.contains("node 2 waits to be added") && told.contains("remove it"),
        "{told}"
    );
}

#[test]
fn a_node_that_cannot_note_its_cluster_says_so_and_joins_when_it_can() {
    let mut cluster = Cluster::new(1);
    let log = Kept::default();
    let listener = net::listen(Network::Tcp, "127.0.0.1:0").unwrap();
    let address = listener.local_addr().to_string();
    let mut config = cluster.config(2, true);
    config.peers.log = Log::to_writer(Level::Info, Format::Text, Box::new(log.clone()));
    cluster.run(config, listener);
    let in_the_way = cluster.data(2).join("cluster-id");
    fs::create_dir(&in_the_way).unwrap();
    cluster.client().add(2, &address, true).unwrap();
    let why = format!("why=\"writing {}: is a directory\"", in_the_way.display());
    eventually("it is told", || log.text().contains(&why));
    fs::remove_dir(&in_the_way).unwrap();
    cluster.client().put(b"k", b"v").unwrap();
    let read = || cluster.client().status(&address).unwrap().revision;
    eventually("it joins", || read() == cluster.status(1).revision);
    assert_eq!(log.text().matches(&why).count(), 1, "{}", log.text());
}

/// Each swap that is answered counts once, however often it was sent.
#[test]
fn a_counter_counts_what_was_acknowledged_while_leaders_are_killed() {
    let mut cluster = Cluster::new(3);
    let setup = cluster.client();
    setup.put(b"n", b"0").unwrap();
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let client = cluster.client();
            std::thread::spawn(move || (0..30).map(|_| count_up(&client)).collect::<Vec<_>>())
        })
        .collect();
    for _ in 0..2 {
        let leader = cluster.leader();
        cluster.kill(leader);
        cluster.restart(leader);
    }
    let outcomes = threads
        .into_iter()
        .flat_map(|thread| thread.join().unwrap());
    let (done, unknown) = outcomes.fold((0, 0), |(done, unknown), known| match known {
        true => (done + 1, unknown),
        false => (done, unknown + 1),
    });
    let counted: u64 = value(&setup, "n").unwrap().parse().unwrap();
    assert!(
        (done..=done + unknown).contains(&counted),
        "{counted}: {done} and {unknown}"
    );
}

/// Adds one; false if nobody knows whether that was done.
fn count_up(client: &Client) -> bool {
    loop {
        let now = client.get(b"n").unwrap().unwrap();
        let next = std::str::from_utf8(&now.value)
            .unwrap()
            .parse::<u64>()
            .unwrap()
            + 1;
        let next = next.to_string();
        let expected = Expected::Revision(now.mod_revision);
        match client.compare_and_swap(b"n", expected, Some(next.as_bytes())) {
            Ok(Swap::Done(_)) => return true,
            Ok(Swap::Differs(_)) => {}
            Err(StoreError::Unknown(_)) => return false,
            Err(error) => panic!("{error}"),
        }
    }
}
