//! Reads and changes a replicated store, and manages its cluster.
#![forbid(unsafe_code)]

mod request;
mod table;

use std::io::{self, Read};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use groundwire::cli::{self, Args, DurationArg, Failure, Opt, Out, Spec, UsageError, What};
use groundwire::echo::printable;
use groundwire::kv::command::MAX_VALUE;
use groundwire::kv::etcd::{self, Etcd};
use groundwire::kv::{
    Change, Client, ClientConfig, Expected, KeyValue, Keys, Revision, Store, StoreError, Swap,
};
use groundwire::net::{Deadline, split_host_port};
use groundwire::rpc::flags;
use groundwire::server::Stopper;
use groundwire::telemetry::push_visible;
use request::{Admin, Data, Old, Request};

const SPEC: Spec = Spec {
    name: "kv-client",
    about: "Read and change a replicated key-value store, and manage its cluster.",
    usage: &[
        "[OPTION]... get KEY | put KEY VALUE | delete KEY | cas KEY OLD NEW",
        "[OPTION]... list [PREFIX] | watch [PREFIX]",
        "[OPTION]... status | add-node ID HOST:PORT | remove-node ID | transfer ID | snapshot",
    ],
    operands: &[
        (
            "KEY",
            "any text; a value that is `-` is read from standard input",
        ),
        (
            "OLD",
            "the value that the key must hold; omit it with --absent or --if-revision",
        ),
        ("PREFIX", "what the keys begin with [all keys]"),
    ],
    options: &[
        Opt::value(
            "servers",
            "HOST:PORT,...",
            "nodes of the cluster; one that answers is enough",
        )
        .short('s')
        .default("127.0.0.1:7301,127.0.0.1:7302,127.0.0.1:7303"),
        Opt::value(
            "etcd",
            "URL,...",
            "use an etcd cluster, such as http://10.0.0.1:2379: for keys, not for its nodes",
        ),
        Opt::value("timeout", "TIME", "try this long in all")
            .short('t')
            .default("10s"),
        Opt::flag("raw", "get: print the value's bytes, nothing else"),
        Opt::flag("absent", "cas: the key must not exist"),
        Opt::value(
            "if-revision",
            "N",
            "cas: the key's last change must be this one",
        ),
        Opt::value("from", "N", "watch: from this revision on [the next]"),
        Opt::value("count", "N", "watch: end after this many changes"),
        Opt::flag("learner", "add-node: it gets the log, but has no vote"),
        Opt::flag("json", "status: as JSON, an object a node"),
        flags::SECRET_FILE,
    ],
    statuses: Some(
        "0 done, 1 failed, or there is no such key, or cas found something else, 2 called wrongly",
    ),
    epilogue: "Keys and values are printed with escapes where they are not plain text.\n\
               `perhaps done` means: no answer came, but the change may have been made.\n\n\
               Examples:\n  kv-client put greeting hello\n  kv-client get greeting\n  \
               kv-client cas greeting hello goodbye\n  kv-client -s 10.0.0.1:7301 status",
};

fn main() -> ExitCode {
    cli::run(&SPEC, run)
}

fn run(args: Args) -> Result<(), Failure> {
    let request = request::read(&args)?;
    let time = time(&args)?;
    if let Some(urls) = args.value("etcd") {
        return at_etcd(urls, time, &request, &args);
    }
    let client = Client::new(config(&args, time)?);
    match &request {
        Request::Data(data) => carry_out(&client, data, &args).map_err(|end| end.told(data.name())),
        Request::Admin(admin) => {
            administer(&client, admin, &args).map_err(|end| end.told(admin.name()))
        }
    }
}

/// The same requests about keys, to a cluster of etcd.
fn at_etcd(urls: &str, time: Duration, request: &Request, args: &Args) -> Result<(), Failure> {
    let given = |name: &&&str| args.given(name);
    if let Some(other) = ["servers", "secret-file"].iter().find(given) {
        return Err(
            UsageError::rule(format_args!("--{other} and --etcd exclude each other")).into(),
        );
    }
    let Request::Data(data) = request else {
        return Err(UsageError::rule("--etcd: its nodes are not ours to look after").into());
    };
    let config = etcd::Config {
        timeout: time,
        connect_timeout: etcd::Config::default().connect_timeout.min(time),
        ..etcd::Config::default()
    };
    let urls: Vec<&str> = urls.split(',').collect();
    let store = Etcd::new(&urls, config).map_err(UsageError::rule)?;
    carry_out(&store, data, args).map_err(|end| end.told(data.name()))
}

fn time(args: &Args) -> Result<Duration, UsageError> {
    let time = args.parse::<DurationArg>("timeout")?.get();
    match time.is_zero() {
        true => Err(UsageError::bad_value("--timeout", "0", "must not be zero")),
        false => Ok(time),
    }
}

fn servers(args: &Args) -> Vec<&str> {
    let servers = args.value("servers").unwrap_or_default();
    servers.split(',').collect()
}

fn config(args: &Args, time: Duration) -> Result<ClientConfig, Failure> {
    let servers = servers(args);
    for server in &servers {
        split_host_port(server)
            .map_err(|why| UsageError::rule(format_args!("--servers: {why}")))?;
    }
    let config = ClientConfig::new(servers.into_iter().map(str::to_string).collect());
    // With a majority up, this many tries reach one of its nodes, even if all other nodes hang.
    let share = share(time, config.servers.len() / 2 + 1);
    Ok(ClientConfig {
        secret: flags::secret(args)?,
        try_time: config.try_time.min(share),
        dial_timeout: config.dial_timeout.min(share),
        time,
        ..config
    })
}

/// How a request fails.
enum End {
    Store(StoreError),
    Out(Failure),
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> Self {
        End::Store(error)
    }
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        End::Out(failure)
    }
}

impl End {
    fn told(self, what: &str) -> Failure {
        match self {
            End::Out(failure) => failure,
            // A server's text must not control the terminal.
            End::Store(error) => Failure::Failed(printable(format!("{what}: {error}").as_bytes())),
        }
    }
}

fn usage(error: UsageError) -> End {
    End::Out(error.into())
}

/// There is no such key: status 1 and no message, as `grep` when it finds nothing.
fn absent() -> End {
    End::Out(Failure::Quiet(1))
}

fn carry_out(store: &dyn Store, data: &Data, args: &Args) -> Result<(), End> {
    let out = Out::lines();
    match data {
        Data::Get(key) => match store.get(key.as_bytes())? {
            Some(found) if args.flag("raw") => out.write_all(&found.value)?,
            Some(found) => out.line(readable(&found.value))?,
            None => return Err(absent()),
        },
        Data::Put(key, value) => {
            let revision = store.put(key.as_bytes(), &bytes(value)?)?;
            out.line(format_args!("revision {revision}"))?;
        }
        Data::Delete(key) => match store.delete(key.as_bytes())? {
            Some(revision) => out.line(format_args!("revision {revision}"))?,
            None => return Err(absent()),
        },
        Data::Swap(key, old, new) => {
            let held;
            let expected = match old {
                Old::Revision(revision) => Expected::Revision(*revision),
                Old::Value(value) => {
                    held = bytes(value)?;
                    Expected::Value(&held)
                }
            };
            let new = bytes(new)?;
            match store.compare_and_swap(key.as_bytes(), expected, Some(&new))? {
                Swap::Done(revision) => out.line(format_args!("revision {revision}"))?,
                Swap::Differs(0) => return Err(differs("there is no such key")),
                Swap::Differs(revision) => {
                    return Err(differs(format!("its last change is revision {revision}")));
                }
            }
        }
        Data::List(prefix) => list(store, prefix, &out)?,
        Data::Watch(prefix) => watch(store, prefix, args, &out)?,
    }
    Ok(())
}

fn differs(how: impl std::fmt::Display) -> End {
    End::Out(Failure::Failed(format!("cas: not as expected: {how}")))
}

/// An operand's bytes, or those of standard input.
fn bytes(operand: &str) -> Result<Vec<u8>, Failure> {
    if operand != "-" {
        return Ok(operand.into());
    }
    let mut bytes = Vec::new();
    // One more than allowed, so that too many are noticed.
    let most = MAX_VALUE as u64 + 1;
    let read = io::stdin().lock().take(most).read_to_end(&mut bytes);
    read.what("standard input")?;
    Ok(bytes)
}

fn list(store: &dyn Store, prefix: &str, out: &Out) -> Result<(), End> {
    let mut after = None::<Vec<u8>>;
    loop {
        let page = store.list(prefix.as_bytes(), after.as_deref(), 1000)?;
        // A server that goes back to earlier keys would send pages for ever.
        if page
            .entries
            .iter()
            .any(|entry| after.as_ref() >= Some(&entry.key))
        {
            let why = "the server's list goes back to keys that it has told";
            return Err(StoreError::NotDone(why.into()).into());
        }
        for entry in &page.entries {
            out.line(shown(entry))?;
        }
        match page.entries.into_iter().next_back() {
            Some(last) if page.more => after = Some(last.key),
            _ => return Ok(()),
        }
    }
}

fn shown(entry: &KeyValue) -> String {
    format!("{} {}", readable(&entry.key), readable(&entry.value))
}

/// Bytes as text: none is left out or replaced, so different bytes look different.
fn readable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        push_visible(&mut text, chunk.valid());
        let others = chunk.invalid().iter();
        text.extend(others.flat_map(|byte| byte.escape_ascii()).map(char::from));
    }
    text
}

/// The pause after a watch that broke, before it is tried again.
const PAUSE: Duration = Duration::from_millis(100);

/// Prints changes, until the number asked for. A watch that breaks is continued from the same
/// revision, for as long as `--timeout` says.
fn watch(store: &dyn Store, prefix: &str, args: &Args, out: &Out) -> Result<(), End> {
    let mut left = args.parse_opt::<u64>("count").map_err(usage)?;
    let from = match args.parse_opt::<Revision>("from").map_err(usage)? {
        Some(from) => from,
        None => {
            let page = store.list(prefix.as_bytes(), None, 1)?;
            page.revision.saturating_add(1)
        }
    };
    let mut watch = store.watch(Keys::Prefix(prefix.into()), from)?;
    // Our own client has retried for that long before it fails; etcd's leaves that to its caller.
    let patience = match args.given("etcd") {
        true => time(args).map_err(usage)?,
        false => Duration::ZERO,
    };
    let mut trouble = None::<Instant>;
    while left != Some(0) {
        let changes = match watch.changes(Duration::from_secs(10)) {
            Ok(changes) => changes.changes,
            Err(StoreError::NotDone(_))
                if trouble.get_or_insert_with(Instant::now).elapsed() < patience =>
            {
                Stopper::new().wait_timeout(PAUSE); // a plain wait: nothing stops it
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        trouble = None;
        for change in changes {
            out.line(changed(&change))?;
            left = left.map(|left| left - 1);
            if left == Some(0) {
                break;
            }
        }
    }
    Ok(())
}

fn changed(change: &Change) -> String {
    match change {
        Change::Put(now) => format!("{} put {}", now.mod_revision, shown(now)),
        Change::Deleted { key, revision } => format!("{revision} delete {}", readable(key)),
    }
}

fn administer(client: &Client, admin: &Admin, args: &Args) -> Result<(), End> {
    let out = Out::lines();
    let servers = servers(args);
    match admin {
        Admin::Status => {
            let rows = table::look_around(client, &servers);
            let lines = match args.flag("json") {
                true => vec![table::json(&rows)],
                false => table::lines(&rows),
            };
            lines.iter().try_for_each(|line| out.line(line))?;
            if rows.iter().all(|row| row.seen.is_err()) {
                return Err(End::Out(Failure::Quiet(1)));
            }
        }
        Admin::Add(node, address) => {
            client.add(*node, address, args.flag("learner"))?;
            out.line(format_args!("node {node} added"))?;
        }
        Admin::Remove(node) => {
            client.remove(*node)?;
            out.line(format_args!("node {node} removed"))?;
        }
        Admin::Transfer(to) => {
            client.transfer(*to)?;
            out.line(format_args!("node {to} leads"))?;
        }
        Admin::Snapshot => snapshots(client, &servers, time(args).map_err(usage)?, &out)?,
    }
    Ok(())
}

/// One node after the other, because a snapshot keeps a node busy. Each gets an equal share of the
/// time left, so that one that is down or slow does not use up the time of the others.
fn snapshots(client: &Client, servers: &[&str], time: Duration, out: &Out) -> Result<(), End> {
    let deadline = Deadline::after(time);
    let rows = table::look_around(client, servers);
    let (mut all, mut left) = (true, rows.iter().filter(|row| row.seen.is_ok()).count());
    for row in rows {
        let taken = row.seen.and_then(|status| {
            let time = share(deadline.remaining().unwrap_or_default(), left);
            left -= 1;
            Ok((status.id, client.snapshot(&row.address, time)?))
        });
        match taken {
            Ok((id, index)) => out.line(format_args!("node {id}: snapshot up to {index}"))?,
            Err(error) => {
                let what = format!("snapshot: {}", row.address);
                cli::complain(&SPEC, End::Store(error).told(&what));
                all = false;
            }
        }
    }
    match all {
        true => Ok(()),
        false => Err(End::Out(Failure::Quiet(1))),
    }
}

/// An equal share of a time, among this many.
fn share(time: Duration, among: usize) -> Duration {
    time / u32::try_from(among).unwrap_or(u32::MAX)
}
