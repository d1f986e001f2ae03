//! One node of a replicated store, or a whole cluster of them for a lesson.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::{Arc, mpsc};
use std::thread;

use groundwire::cli::{
    self, Args, Count, DurationArg, Failure, NonZeroCount, Opt, Spec, UsageError, What,
};
use groundwire::kv::peers::{PeersConfig, check_address};
use groundwire::kv::{Node, NodeConfig, Opened};
use groundwire::net::{self, Listener, Network, split_host_port};
use groundwire::raft::{self, NodeId, ReplicaConfig};
use groundwire::rpc;
use groundwire::server::{Config, Stats, Stopper, Totals, flags, program};
use groundwire::telemetry::{Format, Level, Log, Registry};

const SPEC: Spec = Spec {
    name: "kv-server",
    about: "Run a node of a replicated key-value store.",
    usage: &[
        "--id N --data DIR --peers ID=HOST:PORT,... [OPTION]...",
        "--id N --data DIR --listen HOST:PORT --join [OPTION]...",
        "--local-cluster N [OPTION]...",
    ],
    operands: &[],
    options: &[
        Opt::value("id", "N", "this node's number, 1 or more, never reused"),
        Opt::value(
            "data",
            "DIR",
            "its folder, made if missing; of a local cluster, the folder for all",
        ),
        Opt::value(
            "listen",
            "HOST:PORT",
            "where to listen, if not at its address in --peers",
        ),
        Opt::value(
            "peers",
            "ID=HOST:PORT,...",
            "addresses of the nodes that found the cluster, this one included",
        )
        .many(),
        Opt::value(
            "cluster-token",
            "TEXT",
            "founders with another token or other --peers form another cluster",
        ),
        Opt::flag("join", "wait to be added to an existing cluster"),
        Opt::value(
            "local-cluster",
            "N",
            "run N nodes in this process, on ports from that of --listen [127.0.0.1:7301]",
        ),
        rpc::flags::SECRET_FILE,
        Opt::value(
            "election-timeout",
            "TIME",
            "a follower campaigns after this long without a leader, or up to twice as long",
        )
        .default("500ms"),
        Opt::value("heartbeat", "TIME", "how often a leader sends heartbeats").default("50ms"),
        Opt::value(
            "snapshot-entries",
            "N",
            "replace the log by a snapshot after this many entries",
        )
        .default("100000"),
        Opt::value(
            "workers",
            "N",
            "threads for watches and changes of the cluster, at most 4096; each occupies one while it \
             waits",
        )
        .default("256"),
        flags::SCHEDULING,
        flags::MAX_CONNECTIONS,
        flags::MAX_PER_PEER,
        flags::ALLOW,
        flags::DENY,
        flags::DRAIN,
        flags::METRICS,
        flags::LOG,
        flags::VERBOSE,
    ],
    statuses: None,
    epilogue: "The folder stores the members: --peers founds the cluster the first time only,\n\
               and later gives the addresses of members that have moved. A node that has\n\
               lost its folder must be removed, and join again with a new number. SIGINT\n\
               and SIGTERM hand over leadership, then end the node.\n\n\
               Examples:\n  kv-server --local-cluster 3\n  \
               kv-server --id 1 --data kv1 --peers 1=10.0.0.1:7301,2=10.0.0.2:7301",
};

/// The most nodes of a local cluster: no lesson needs more.
const MOST_LOCAL: u64 = 9;

fn main() -> ExitCode {
    cli::run(&SPEC, serve)
}

fn serve(args: Args) -> Result<(), Failure> {
    args.at_most(0)?;
    let mut temporary = None;
    let served = serve_with(&args, &mut temporary);
    let removed = temporary.map_or(Ok(()), |folder| {
        fs::remove_dir_all(&folder).what(format_args!("removing {}", folder.display()))
    });
    served.and(removed)
}

/// Serves. `temporary` is the folder that was made for this run only; the caller removes it,
/// whatever the outcome.
fn serve_with(args: &Args, temporary: &mut Option<PathBuf>) -> Result<(), Failure> {
    let nodes = match args.parse_opt::<NonZeroCount>("local-cluster")? {
        None => vec![single(args)?],
        Some(count) => local(args, count.get(), temporary)?,
    };
    let mut config = flags::config_of_threads(SPEC.name, args)?;
    program::make_room(args, &mut config, 1, args.given("max-connections"));
    let bound: Vec<_> = nodes
        .iter()
        .map(|(_, listener)| (listener.network(), listener.local_addr().clone()))
        .collect();
    let stats = Arc::<Stats>::default();
    // Before the `listening` line is printed: its reader may rely on the nodes from then on.
    let opened = nodes.into_iter().map(|node| open(node, &stats));
    let opened = opened.collect::<Result<Vec<_>, _>>()?;
    // The nodes stop one after the other.
    let count = u32::try_from(opened.len()).unwrap_or(u32::MAX);
    let drain = config.drain.saturating_mul(count);
    let registry = Registry::new();
    stats.register(&registry);
    program::serve(
        args,
        (SPEC.name, &config.log, drain),
        &bound,
        (&registry, args.value("metrics")),
        None::<fn()>, // no configuration to reload
        |stopper| {
            if let Some(folder) = temporary {
                stopper.remove_at_exit(folder.clone());
            }
            run(opened, (&registry, &stats), stopper)
        },
    )
}

/// Opens the folder of a node, and warns if anyone may pose as a node.
fn open(
    (config, listener): (NodeConfig, Listener),
    stats: &Arc<Stats>,
) -> Result<(NodeId, Opened, Listener), Failure> {
    let id = config.id;
    warn_if_open(&config, &listener);
    warn_if_nameless(&config);
    let config = NodeConfig {
        stats: stats.clone(),
        ..config
    };
    let opened = Opened::open(config).what(format_args!("node {id}"))?;
    Ok((id, opened, listener))
}

/// Runs the nodes until a signal, or until one of them cannot go on.
fn run(
    nodes: Vec<(NodeId, Opened, Listener)>,
    (registry, stats): (&Registry, &Stats),
    stopper: &Stopper,
) -> Result<Totals, Failure> {
    let mut running = Vec::new();
    for (id, node, listener) in nodes {
        let node = node.start(listener, registry);
        running.push(node.what(format_args!("node {id}"))?);
    }
    let (tell, told) = mpsc::channel();
    for node in &running {
        let (id, replica) = (node.id(), node.replica().clone());
        let (tell, stopped) = (tell.clone(), stopper.clone());
        let watch = move || {
            if let Err(why) = replica.wait() {
                let _ = tell.send(format!("node {id}: {}", cli::explain(&why)));
                stopped.stop();
            }
        };
        start(format!("watch {id}"), watch)?;
        // A node that accepts no connections would still lead, but no client could reach it.
        let (deaf, stopper) = (node.deaf(), stopper.clone());
        let hears = move || {
            deaf.wait();
            stopper.stop();
        };
        start(format!("hears {id}"), hears)?;
    }
    drop(tell); // so that the channel ends with the last of these threads
    stopper.wait();
    if let [node] = running.as_slice() {
        node.hand_over();
    }
    let stop = |node: Node| {
        let what = format!("node {}: serving", node.id());
        node.stop().what(what)
    };
    // Stop all, even if the first fails: each drains its connections.
    let stopped: Vec<_> = running.into_iter().map(stop).collect();
    stopped.into_iter().collect::<Result<Vec<_>, _>>()?;
    // Each replica has ended, so this waits for no longer than its thread takes to say why: the last
    // write of a node may have failed.
    told.recv()
        .map_or(Ok(stats.totals()), |why| Err(Failure::Failed(why)))
}

fn start(name: String, watch: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let thread = thread::Builder::new().name(name).spawn(watch);
    thread.map(drop).what("starting a thread")
}

/// Anyone who reaches a node without a secret may pose as another node, and destroy the cluster.
fn warn_if_open(config: &NodeConfig, listener: &Listener) {
    let address = listener.local_addr();
    let reachable = address.ip().is_some_and(|at| !at.ip().is_loopback());
    if reachable && config.rpc.secret.is_none() {
        let why = "anyone who reaches this address may change all: see --secret-file";
        let log = &config.replica.log;
        log.warn(SPEC.name, why, &[("address", &address)]);
    }
}

/// A node alone that listens on all addresses has no address at which another node could call it.
fn warn_if_nameless(config: &NodeConfig) {
    let own = config.addresses.get(&config.id);
    let own = own.filter(|_| config.addresses.len() == 1);
    if let Some(Err(why)) = own.map(|own| check_address(own)) {
        let what = "no other node could call this one: to add some, name it with --peers";
        config.replica.log.warn(SPEC.name, what, &[("why", &why)]);
    }
}

/// One node of a cluster whose other nodes run elsewhere.
fn single(args: &Args) -> Result<(NodeConfig, Listener), Failure> {
    let id = args.parse_opt::<NonZeroCount>("id")?;
    let (Some(id), Some(data)) = (id.map(NonZeroCount::get), args.value("data")) else {
        return Err(UsageError::rule("--id and --data are needed, or --local-cluster").into());
    };
    let mut addresses = peers(args)?;
    let own = args
        .value("listen")
        .or(addresses.get(&id).map(String::as_str));
    let Some(own) = own else {
        let why = format!("--peers does not name node {id}: say where to --listen");
        return Err(UsageError::rule(why).into());
    };
    let listener = program::bind(Network::Tcp, || net::listen(Network::Tcp, own))?;
    let joins = args.flag("join");
    if addresses.is_empty() && !joins {
        // A cluster of one, to which others may be added.
        addresses.insert(id, listener.local_addr().to_string());
    } else if !addresses.contains_key(&id) && !joins {
        let why = format!("--peers does not name node {id}");
        return Err(UsageError::rule(why).into());
    }
    let config = NodeConfig {
        joins,
        ..config(args, id, data.into(), addresses)?
    };
    Ok((config, listener))
}

/// All nodes of a cluster in this process.
fn local(
    args: &Args,
    count: u64,
    temporary: &mut Option<PathBuf>,
) -> Result<Vec<(NodeConfig, Listener)>, Failure> {
    if let Some(other) = ["id", "peers", "join"].iter().find(|name| args.given(name)) {
        let why = format!("--{other} and --local-cluster exclude each other");
        return Err(UsageError::rule(why).into());
    }
    if count > MOST_LOCAL {
        let why = format!("must be at most {MOST_LOCAL}");
        return Err(UsageError::bad_value("--local-cluster", count, why).into());
    }
    let listeners = listeners(args.value("listen").unwrap_or("127.0.0.1:7301"), count)?;
    program::begin()?;
    let addresses: BTreeMap<NodeId, String> = (1..)
        .zip(
            listeners
                .iter()
                .map(|listener| listener.local_addr().to_string()),
        )
        .collect();
    let folder = match args.value("data") {
        Some(data) => {
            fs::create_dir_all(data).what(format_args!("making {data}"))?;
            node_folders(Path::new(data), count)?;
            PathBuf::from(data)
        }
        None => {
            let folder = cli::temporary(SPEC.name, "", |path| fs::create_dir(path));
            let folder = folder.map_err(Failure::of)?;
            temporary.insert(folder).clone()
        }
    };
    let node = |(id, listener): (NodeId, Listener)| {
        let data = node_folder(&folder, id);
        Ok((config(args, id, data, addresses.clone())?, listener))
    };
    (1..).zip(listeners).map(node).collect()
}

/// The folder of node `id` of a local cluster.
fn node_folder(data: &Path, id: NodeId) -> PathBuf {
    data.join(format!("node-{id}"))
}

/// Makes the folders of all nodes, unless all exist. If only some exist, it fails: the new nodes would
/// found another cluster, or, if their folders were lost, vote a second time in the same term.
fn node_folders(data: &Path, count: u64) -> Result<(), Failure> {
    let is_there = |id: &NodeId| node_folder(data, *id).exists();
    let (there, missing): (Vec<_>, Vec<_>) = (1..=count).partition(is_there);
    if let (Some(there), Some(missing)) = (there.first(), missing.first()) {
        let why = format!(
            "{}: has node-{there} and no node-{missing}; a node more is one of its own, with --join",
            data.display()
        );
        return Err(Failure::Failed(why));
    }
    let make = |id| {
        let folder = node_folder(data, id);
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder);
        made.what(format_args!("making {}", folder.display()))
    };
    missing.into_iter().try_for_each(make)
}

/// Listeners on consecutive ports from `first`; if that is port 0, on any free ports.
fn listeners(first: &str, count: u64) -> Result<Vec<Listener>, Failure> {
    let (host, port) = split_host_port(first).map_err(UsageError::rule)?;
    let first: u16 = port.parse().map_err(|_| {
        UsageError::bad_value("--listen", first, "expected HOST:PORT with a number")
    })?;
    let port = |offset: u64| match first {
        0 => 0,
        first => u64::from(first) + offset,
    };
    let listen = |offset| {
        let address = net::join_host_port(host, port(offset));
        net::listen(Network::Tcp, &address).map_err(flags::failure)
    };
    (0..count).map(listen).collect()
}

fn config(
    args: &Args,
    id: NodeId,
    data: PathBuf,
    addresses: BTreeMap<NodeId, String>,
) -> Result<NodeConfig, Failure> {
    let server = flags::with_peers(flags::config_of_threads(SPEC.name, args)?, args)?;
    let secret = rpc::flags::secret(args)?;
    // Elections, members and full disks are logged whatever -v says; peers only with -v.
    let level = if args.count("verbose") == 0 {
        Level::Info
    } else {
        Level::Debug
    };
    let log = Log::stderr(level, args.parse::<Format>("log")?);
    Ok(NodeConfig {
        id,
        data,
        addresses,
        token: args.value("cluster-token").unwrap_or_default().into(),
        joins: false,
        replica: ReplicaConfig {
            raft: times(args)?,
            snapshot_entries: args.parse::<NonZeroCount>("snapshot-entries")?.get(),
            log: log.clone(),
            ..ReplicaConfig::default()
        },
        peers: PeersConfig {
            secret: secret.clone(),
            log,
            ..PeersConfig::default()
        },
        rpc: rpc::ServerConfig {
            name: server.name.clone(),
            log: server.log.clone(),
            workers: args.up_to("workers", flags::MAX_WORKERS)?,
            // The last tenth is for the replies to the calls that are cancelled.
            drain: server.drain / 10 * 9,
            secret,
            ..rpc::ServerConfig::default()
        },
        server: Config {
            stack_size: rpc::STACK_SIZE,
            ..server
        },
        stats: Arc::default(),
    })
}

/// The node's times: heartbeats must be much more frequent than elections.
fn times(args: &Args) -> Result<raft::Config, UsageError> {
    let election = args.parse::<DurationArg>("election-timeout")?.get();
    let heartbeat = args.parse::<DurationArg>("heartbeat")?.get();
    if heartbeat.is_zero() || heartbeat * 2 > election {
        let why = "--heartbeat must be above 0, and --election-timeout at least twice as long";
        return Err(UsageError::rule(why));
    }
    let config = raft::Config {
        election_timeout_min: election,
        election_timeout_max: election * 2,
        heartbeat,
        ..raft::Config::default()
    };
    match config.problem() {
        None => Ok(config),
        Some(why) => Err(UsageError::bad_value(
            "--election-timeout",
            format!("{election:?}"),
            why,
        )),
    }
}

/// `--peers`, all of them together.
fn peers(args: &Args) -> Result<BTreeMap<NodeId, String>, UsageError> {
    let mut peers = BTreeMap::new();
    for part in args.values("peers").flat_map(|list| list.split(',')) {
        let wrong = |why: String| UsageError::bad_value("--peers", part, why);
        let Peer(id, address) = part.parse().map_err(wrong)?;
        if peers.contains_key(&id) {
            return Err(wrong("the node is named twice".into()));
        }
        // Likely a copied line: one of the two would never be reached, and no error would say why.
        if let Some((other, _)) = peers.iter().find(|(_, there)| **there == address) {
            return Err(wrong(format!("node {other} has the same address")));
        }
        peers.insert(id, address);
    }
    Ok(peers)
}

/// `ID=HOST:PORT`
struct Peer(NodeId, String);

impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (id, address) = text.split_once('=').ok_or("expected ID=HOST:PORT")?;
        let id = match id.parse::<Count>().map(Count::get) {
            Ok(id) if id > 0 => id,
            _ => return Err("the ID must be a number from 1 on".into()),
        };
        check_address(address)?;
        Ok(Peer(id, address.into()))
    }
}
