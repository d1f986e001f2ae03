//! kv-server and kv-client: a local cluster, three processes, stops, and how requests fail.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{self, Command as StdCommand, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use groundwire_cli_tests::{
    Running, Server, announced, eventually, hangups_are_ignored, json, path, program,
};
use tempfile::TempDir;

/// A cluster in one process, and where its nodes listen.
struct Local {
    server: Server,
    servers: String,
    _data: TempDir,
}

impl Local {
    fn start(args: &[&str]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().to_str().unwrap();
        let three = [
            "--local-cluster",
            "3",
            "--listen",
            "127.0.0.1:0",
            "--data",
            path,
        ];
        let server = Server::start("kv-server", &[&three, args].concat());
        let next = || announced(&server.line().expect("a line for each node")).1;
        let servers = [server.address.clone(), next(), next()].join(",");
        Self {
            server,
            servers,
            _data: data,
        }
    }

    fn client(&self, args: &[&str]) -> Command {
        client(&self.servers, args)
    }

    fn prints(&self, args: &[&str], stdout: &str) {
        let output = self.client(args).assert().success().stderr("");
        output.stdout(stdout.to_string());
    }
}

/// A node by itself, in a folder of its name.
fn node(data: &TempDir, id: &str, more: &[&str]) -> Server {
    let folder = data.path().join(id).display().to_string();
    let args = ["--id", id, "--data", &folder, "--listen", "127.0.0.1:0"];
    Server::start("kv-server", &[&args, more].concat())
}

fn client(servers: &str, args: &[&str]) -> Command {
    let mut client = program("kv-client");
    client.args(["--servers", servers]).args(args);
    client
}

fn stdout(ended: &Assert) -> String {
    String::from_utf8(ended.get_output().stdout.clone()).unwrap()
}

fn stderr(ended: &Assert) -> String {
    String::from_utf8(ended.get_output().stderr.clone()).unwrap()
}

#[test]
fn keys_are_put_read_swapped_listed_and_deleted() {
    let cluster = Local::start(&[]);
    cluster.prints(&["put", "a", "1"], "revision 2\n");
    cluster.prints(&["put", "b", "line\nbreak"], "revision 3\n");
    cluster.prints(&["get", "b"], "line\\nbreak\n");
    cluster.prints(&["get", "--raw", "b"], "line\nbreak");
    cluster.prints(&["cas", "a", "1", "2"], "revision 4\n");
    cluster.prints(&["cas", "--if-revision", "4", "a", "3"], "revision 5\n");
    cluster.prints(&["cas", "--absent", "c", "x"], "revision 6\n");
    cluster.prints(&["list"], "a 3\nb line\\nbreak\nc x\n");
    cluster.prints(&["list", "b"], "b line\\nbreak\n");
    cluster.prints(&["delete", "c"], "revision 7\n");
    let told = "5 put a 3\n6 put c x\n7 delete c\n";
    cluster.prints(&["watch", "--from", "5", "--count", "3"], told);
    let totals = cluster.server.stop();
    assert!(totals.starts_with("served "), "{totals}");
}

#[test]
fn what_is_not_there_is_status_1_and_no_word() {
    let cluster = Local::start(&[]);
    for args in [["get", "none"], ["delete", "none"]] {
        cluster.client(&args).assert().code(1).stdout("").stderr("");
    }
    cluster.prints(&["put", "k", "v"], "revision 2\n");
    let differs = "kv-client: cas: not as expected: its last change is revision 2\n";
    let swap = cluster.client(&["cas", "k", "other", "w"]);
    { swap }.assert().code(1).stdout("").stderr(differs);
}

#[test]
fn a_value_comes_from_standard_input_byte_by_byte() {
    let cluster = Local::start(&[]);
    let bytes: Vec<u8> = (0..=255).collect();
    let put = cluster
        .client(&["put", "k", "-"])
        .write_stdin(bytes.clone())
        .assert();
    put.success().stdout("revision 2\n");
    let get = cluster.client(&["get", "--raw", "k"]).assert().success();
    assert_eq!(get.get_output().stdout, bytes);
    let mut put = cluster.client(&["put", "k\n", "-"]);
    put.write_stdin(b"\xfe\xff\xc3\xa9\r\n").assert().success();
    let shown = "\\xfe\\xff\u{e9}\\r\\n\n";
    cluster.prints(&["get", "k\n"], shown);
    cluster.prints(&["list", "k\n"], &format!("k\\n {shown}"));
    let long = vec![b'x'; (1 << 20) + 1];
    let put = cluster
        .client(&["put", "k", "-"])
        .write_stdin(long)
        .assert();
    put.code(1)
        .stderr("kv-client: put: refused: the value is longer than 1048576 bytes\n");
}

#[test]
fn a_watch_tells_a_change_when_it_is_made() {
    let cluster = Local::start(&[]);
    cluster.prints(&["put", "k", "1"], "revision 2\n");
    let mut watch = StdCommand::new(path("kv-client"))
        .args([
            "-s",
            &cluster.servers,
            "watch",
            "--from",
            "3",
            "--count",
            "1",
            "k",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    cluster.prints(&["put", "k", "2"], "revision 3\n");
    let mut told = String::new();
    watch
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut told)
        .unwrap();
    assert_eq!(told, "3 put k 2\n");
    assert!(watch.wait().unwrap().success());
}

#[test]
fn the_status_is_a_table_or_json_of_all_members() {
    let cluster = Local::start(&[]);
    cluster.prints(&["put", "k", "v"], "revision 2\n");
    let one = cluster.servers.split(',').next().unwrap();
    let status = |args: &[&str]| {
        let output = client(one, args).assert().success();
        stdout(&output)
    };
    // On a busy machine the nodes may be about to elect another leader at any time.
    eventually("the head and one node have the word", || {
        let table = status(&["status"]);
        assert_eq!(table.lines().count(), 4, "{table}");
        table.matches("leader ").count() == 2
    });
    eventually("two nodes follow", || {
        let nodes = status(&["status", "--json"]);
        assert!(json::parse(nodes.trim_end()).is_some(), "{nodes}");
        nodes.matches("\"role\":\"follower\"").count() == 2
    });
    cluster.prints(&["transfer", "3"], "node 3 leads\n");
    let printed = cluster.client(&["snapshot"]).assert().success();
    let printed = stdout(&printed);
    assert_eq!(printed.lines().count(), 3, "{printed}");
    for (node, line) in (1..).zip(printed.lines()) {
        let index = line.strip_prefix(&format!("node {node}: snapshot up to "));
        assert!(
            index.is_some_and(|index| index.parse::<u64>().is_ok()),
            "{line}"
        );
    }
    // Who is no voter says so itself only while it is there.
    let add = ["add-node", "--learner", "9", "127.0.0.1:9"];
    cluster.prints(&add, "node 9 added\n");
    eventually("all have heard of the learner", || {
        let nodes = status(&["status", "--json"]);
        let members = r#""voters":[1,2,3],"outgoing":[],"learners":[9]"#;
        nodes.matches(members).count() == 3
    });
}

/// Three processes, each with its own folder; one is killed, one added, one removed.
#[test]
fn processes_make_a_cluster_that_outlives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    // On a host of this test's own: nobody else takes the ports while their nodes are away.
    let host = Ipv4Addr::from(0x7f40_0000 | (process::id() & 0xffff));
    let ports: Vec<u16> = (0..4)
        .map(|_| TcpListener::bind((host, 0)).unwrap())
        .collect::<Vec<_>>()
        .iter()
        .map(|listener| listener.local_addr().unwrap().port())
        .collect();
    let address = |id: usize| format!("{host}:{}", ports[id - 1]);
    let peers: Vec<String> = (1..=3).map(|id| format!("{id}={}", address(id))).collect();
    let peers = peers.join(",");
    let start = |id: usize, args: &[&str]| {
        let (id, data) = (
            id.to_string(),
            folder.path().join(format!("{id}")).display().to_string(),
        );
        let common = ["--id", &id, "--data", &data];
        Server::start("kv-server", &[&common, args].concat())
    };
    let mut nodes: Vec<Server> = (1..=3).map(|id| start(id, &["--peers", &peers])).collect();
    let servers = (1..=3).map(address).collect::<Vec<_>>().join(",");
    client(&servers, &["put", "k", "v"]).assert().success();

    nodes.remove(0).kill();
    client(&servers, &["get", "k"])
        .assert()
        .success()
        .stdout("v\n");
    let first = start(1, &["--peers", &peers]);
    nodes.insert(0, first);

    nodes.push(start(4, &["--listen", &address(4), "--join"]));
    let add = client(&servers, &["add-node", "4", &address(4)]).assert();
    add.success().stdout("node 4 added\n");
    let remove = client(&servers, &["remove-node", "1"]).assert();
    remove.success().stdout("node 1 removed\n");
    eventually("the fourth has it", || {
        let status = client(&address(4), &["status"]).assert().success();
        let table = stdout(&status);
        table.lines().filter(|line| line.ends_with(" 2")).count() >= 3
    });
    for node in nodes {
        node.stop();
    }
}

/// Under `nohup` a node outlives the terminal; without, the hangup ends it as SIGTERM does, and it says so.
#[test]
fn a_hangup_ends_a_node_unless_it_was_ignored_at_the_start() {
    let data = tempfile::tempdir().unwrap();
    let start = |before: &str| {
        let folder = data.path().to_str().unwrap();
        let args = ["--id", "1", "--listen", "127.0.0.1:0", "--log", "json"];
        let args = [&args[..], &["--data", folder]].concat();
        Server::announced_by(Running::start_after(before, "kv-server", &args))
    };
    let server = start("trap '' HUP");
    server.signal("HUP");
    client(&server.address, &["put", "still", "here"])
        .assert()
        .success();
    server.stop();
    if hangups_are_ignored() {
        return println!("the rest is skipped: started under nohup, which its child respects");
    }
    let ended = start("true").end_by("HUP");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("\"signal\":\"SIGHUP\""), "{ended:?}");
}

#[test]
fn the_folder_of_a_local_cluster_is_there_while_it_runs_and_goes_however_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let among = folder.path().to_str().unwrap();
    let inside = || fs::read_dir(among).unwrap().count();
    let args = ["--local-cluster", "3", "--listen", "127.0.0.1:0"];
    let before = format!("export TMPDIR='{among}'");
    let server = Server::announced_by(Running::start_after(&before, "kv-server", &args));
    assert_eq!(inside(), 1);
    let ended = server.end_by("TERM");
    assert_eq!((ended.code, inside()), (Some(0), 0), "{ended:?}");
    let wrong = [&args[..], &["--heartbeat", "400ms"]].concat();
    let refused = program("kv-server")
        .env("TMPDIR", among)
        .args(wrong)
        .assert();
    refused.code(2).stdout("");
    assert_eq!(inside(), 0);
}

#[test]
fn a_local_cluster_does_not_grow_by_a_larger_number() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().to_str().unwrap();
    let with = |count| {
        let listen = ["--listen", "127.0.0.1:0", "--data", path];
        [&["--local-cluster", count], &listen[..]].concat()
    };
    for count in ["2", "2", "1"] {
        Server::start("kv-server", &with(count)).stop();
    }
    let grown = program("kv-server").args(with("3")).assert().code(1);
    grown.stdout("").stderr(format!(
        "kv-server: {path}: has node-1 and no node-3; a node more is one of its own, with --join\n"
    ));
    assert!(!data.path().join("node-3").exists());
}

#[test]
fn a_request_that_nobody_answers_says_what_is_known() {
    let nobody = "127.0.0.1:1";
    let put = client(nobody, &["-t", "2s", "put", "k", "v"]).assert();
    put.code(1).stdout("").stderr(
        "kv-client: put: not done, try again: connect tcp 127.0.0.1:1: connection refused\n",
    );
    let status = client(nobody, &["status"]).assert().code(1);
    let table = stdout(&status);
    assert!(table.contains("connection refused"), "{table}");
}

#[test]
fn the_status_of_more_nodes_than_are_asked_at_once_has_a_line_for_each() {
    let servers: Vec<String> = (1..=40).map(|host| format!("127.0.0.{host}:1")).collect();
    let status = client(&servers.join(","), &["status"]).assert().code(1);
    let table = stdout(&status);
    assert_eq!(table.lines().count(), 41, "{table}");
    for server in servers {
        let its = format!("?     {server} ");
        assert!(table.contains(&its), "{its}: {table}");
    }
}

#[test]
fn silent_nodes_are_asked_for_their_status_at_once() {
    let listeners: Vec<TcpListener> = (0..6)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let address = |listener: &TcpListener| listener.local_addr().unwrap().to_string();
    let servers = listeners.iter().map(address).collect::<Vec<_>>().join(",");
    // Each is let go when all have greeted: by turns, the first would have been given up by then.
    // What is unread at the end makes it a reset.
    let asked = thread::spawn(move || {
        let greeted = |listener: &TcpListener| {
            let stream = listener.accept().unwrap().0;
            assert!(stream.peek(&mut [0]).unwrap() > 0);
            stream
        };
        drop(listeners.iter().map(greeted).collect::<Vec<_>>());
    });
    let status = client(&servers, &["status"]).assert().code(1);
    let table = stdout(&status);
    assert_eq!(table.matches(": connection reset").count(), 6, "{table}");
    asked.join().unwrap();
}

/// It is asked first. Of the others there are many, so that the one that is there has time.
#[test]
fn a_node_that_hangs_does_not_take_all_of_a_short_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let cluster = Local::start(&[]);
    let hangs = silent.local_addr().unwrap();
    let servers = format!("{hangs},{0},{0}", cluster.servers);
    for request in [&["put", "k", "v"][..], &["get", "k"]] {
        let asked = [&["-t", "2s"], request].concat();
        client(&servers, &asked).assert().success();
    }
}

#[test]
fn a_node_that_is_away_is_named_and_costs_the_others_no_snapshot() {
    let data = tempfile::tempdir().unwrap();
    let server = node(&data, "2", &[]);
    let address = server.address.as_str();
    for (id, away) in [("1", "127.0.0.1:1"), ("3", "127.0.0.1:2")] {
        let add = ["add-node", "--learner", id, away];
        client(address, &add).assert().success();
    }
    let both = format!("{address},127.0.0.1:1");
    for servers in [address, &both] {
        let status = client(servers, &["status"]).assert().success();
        let table = stdout(&status);
        assert!(table.contains("\n1     127.0.0.1:1 "), "{table}");
    }
    let taken = client(address, &["snapshot"]).assert().code(1);
    let told = stdout(&taken);
    assert!(told.starts_with("node 2: snapshot up to "), "{told}");
    let why = stderr(&taken);
    let expected = ["127.0.0.1:1", "127.0.0.1:2"].map(|away| {
        let refused = format!("connect tcp {away}: connection refused");
        format!("kv-client: snapshot: {away}: not done, try again: {refused}\n")
    });
    assert_eq!(why, expected.concat());
}

/// Its address in the membership is where each of the others would call itself.
#[test]
fn a_founder_that_listens_everywhere_is_told_that_it_needs_a_name() {
    let warning = "no other node could call this one: to add some, name it with --peers";
    for (more, is_warned) in [(&[][..], true), (&["--peers", "1=127.0.0.1:1"], false)] {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().to_str().unwrap();
        let args = ["--id", "1", "--data", folder, "--listen", "0.0.0.0:0"];
        let server = Server::start("kv-server", &[&args, more].concat());
        let stderr = server.end_by("TERM").stderr;
        assert_eq!(stderr.contains(warning), is_warned, "{stderr}");
    }
}

/// The variable is std's, for threads that do not say what they need.
#[test]
fn a_node_runs_where_threads_are_given_the_smallest_stacks() {
    let args = ["--local-cluster", "3", "--listen", "127.0.0.1:0"];
    let running = Running::start_after("export RUST_MIN_STACK=1", "kv-server", &args);
    let server = Server::announced_by(running);
    for request in [&["put", "k", "v"][..], &["snapshot"]] {
        client(&server.address, request).assert().success();
    }
}

/// As with all that it does: so long in all, and not at each node.
#[test]
fn snapshots_that_hang_share_the_time() {
    let cluster = Local::start(&["--workers", "1"]);
    let servers: Vec<&str> = cluster.servers.split(',').collect();
    cluster.prints(&["put", "k", "v"], "revision 2\n");
    // Each is for the one thread that would serve a snapshot.
    let _watches: Vec<_> = servers
        .iter()
        .map(|server| Running::start("kv-client", &["-s", server, "watch", "--from", "9"]))
        .collect();
    let hang = |time: &str| {
        let begun = Instant::now();
        let taken = cluster.client(&["-t", time, "snapshot"]).output().unwrap();
        let told = String::from_utf8(taken.stderr).unwrap();
        (told.matches("no reply in time").count(), begun.elapsed())
    };
    eventually("all hang", || hang("200ms").0 == 3);
    let (hung, elapsed) = hang("2s");
    assert_eq!(hung, 3);
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
}

/// Where a node is, its members may see differently, and who knows best may be heard late.
#[test]
fn a_node_that_one_member_looks_for_in_vain_is_shown_where_another_has_it() {
    let data = tempfile::tempdir().unwrap();
    let (one, two, three) = (
        node(&data, "1", &[]),
        node(&data, "2", &[]),
        node(&data, "3", &["--join"]),
    );
    let learns = |at: &str, id: &str, address: &str| {
        let add = ["add-node", "--learner", id, address];
        client(at, &add).assert().success();
    };
    // The first knows the second, by a number that is not its own, and of the third what is wrong.
    learns(&one.address, "9", &two.address);
    learns(&one.address, "3", "127.0.0.1:1");
    learns(&two.address, "3", &three.address);
    let status = client(&one.address, &["status"]).assert().success();
    let table = stdout(&status);
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().take(2).collect())
        .collect();
    let expected = [
        ["node", "address"],
        ["1", &one.address],
        ["2", &two.address],
        ["3", &three.address],
    ];
    assert_eq!(rows, expected, "{table}");
}

#[test]
fn a_node_that_cannot_have_its_folder_does_not_say_that_it_listens() {
    let data = tempfile::tempdir().unwrap();
    let first = node(&data, "1", &[]);
    let folder = data.path().join("1").display().to_string();
    let args = ["--id", "1", "--data", &folder, "--listen", "127.0.0.1:0"];
    let second = program("kv-server").args(args).assert().code(1).stdout("");
    let told = stderr(&second);
    let why = "another process uses this folder\n";
    assert!(
        told.starts_with("kv-server: node 1: ") && told.ends_with(why),
        "{told}"
    );
    client(&first.address, &["put", "k", "v"])
        .assert()
        .success();
}

#[test]
fn a_node_of_another_cluster_is_not_taken_in() {
    let data = tempfile::tempdir().unwrap();
    let name = |id| {
        let name = fs::read_to_string(data.path().join(id).join("cluster-id"));
        name.unwrap().trim().to_string()
    };
    let (one, two) = (node(&data, "1", &[]), node(&data, "2", &[]));
    client(&two.address, &["put", "k", "kept"])
        .assert()
        .success();
    let add = ["add-node", "--learner", "2", &two.address];
    client(&one.address, &add).assert().success();
    let told = std::iter::from_fn(|| one.error_line())
        .find(|line| line.contains("another cluster at the address of a peer"))
        .expect("it is told");
    let why = format!(
        "{} is a node of cluster {}, this one of {}: they were not founded together",
        two.address,
        name("2"),
        name("1")
    );
    assert!(told.contains(&why), "{told}");
    let kept = client(&two.address, &["get", "k"]).assert().success();
    kept.stdout("kept\n");
    // With the same members at the same addresses the token is the difference; who is alone draws.
    let two = "1=127.0.0.1:1,2=127.0.0.1:2";
    for (folder, peers, token) in [
        ("3", two, ""),
        ("4", two, ""),
        ("5", two, "other"),
        ("6", "1=127.0.0.1:1", ""),
        ("7", "1=127.0.0.1:1", ""),
    ] {
        let folder = data.path().join(folder).display().to_string();
        let args = ["--id", "1", "--data", &folder, "--listen", "127.0.0.1:0"];
        let more = ["--peers", peers, "--cluster-token", token];
        Server::start("kv-server", &[&args[..], &more].concat()).stop();
    }
    assert_eq!(name("3"), name("4"));
    assert_ne!(name("3"), name("5"));
    assert_ne!(name("6"), name("7"));
}

/// The same that a node of ours which is lost costs a watch: a try, and no change.
#[test]
fn a_watch_of_etcd_goes_on_when_its_connection_is_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let etcd = thread::spawn(move || {
        for revision in ["5", "6"] {
            let (stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream);
            let mut asked = Vec::new();
            while !asked.ends_with(b"}}") {
                let part = lines.fill_buf().unwrap();
                assert!(!part.is_empty(), "{}", String::from_utf8_lossy(&asked));
                asked.extend_from_slice(part);
                let count = part.len();
                lines.consume(count);
            }
            let from = format!(r#""start_revision":"{revision}""#);
            let asked = String::from_utf8(asked).unwrap();
            assert!(asked.contains(&from), "{asked}");
            let event = format!(r#"{{"kv":{{"key":"aw==","mod_revision":"{revision}"}}}}"#);
            let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
            let told = format!(r#"{head}{{"result":{{"events":[{event}]}}}}"#) + "\n";
            lines.into_inner().write_all(told.as_bytes()).unwrap();
        }
    });
    let args = ["--etcd", &url, "watch", "--from", "5", "--count", "2"];
    let watch = program("kv-client").args(args).assert().success();
    watch.stdout("5 put k \n6 put k \n").stderr("");
    etcd.join().unwrap();
}

#[test]
fn wrong_calls_are_told_and_status_2() {
    for (args, why) in [
        (&["get"][..], "KEY: missing operand"),
        (&["fetch", "k"], "COMMAND fetch: no such command"),
        (&["put", "k", "v", "w"], "w: extra operand"),
        (&["get", "--learner", "k"], "--learner belongs to add-node"),
        (
            &["add-node", "9", "here:0"],
            "address here:0: the others need to know the port",
        ),
        (&["remove-node", "0"], "ID 0: nodes are counted from 1"),
        (
            &["--etcd", "http://127.0.0.1:1", "status"],
            "--etcd: its nodes are not ours to look after",
        ),
        (
            &["cas", "k", "-", "-"],
            "standard input can be one of OLD and NEW only",
        ),
    ] {
        let output = program("kv-client").args(args).assert().code(2).stdout("");
        let stderr = stderr(&output);
        assert!(
            stderr.starts_with(&format!("kv-client: {why}\n")),
            "{stderr}"
        );
    }
    for (args, why) in [
        (&[][..], "--id and --data are needed, or --local-cluster"),
        (
            &["--local-cluster", "3", "--join"],
            "--join and --local-cluster exclude each other",
        ),
        (
            &["--id", "1", "--data", "x", "--join"],
            "--peers does not name node 1: say where to --listen",
        ),
        (
            &["--local-cluster", "3", "--heartbeat", "400ms"],
            "--heartbeat must be above 0, and --election-timeout at least twice as long",
        ),
        (
            &["--local-cluster", "1", "--election-timeout", "25h"],
            "--election-timeout 90000s: shortest election timeout: not between 2 ms and a day",
        ),
        (
            &["--local-cluster", "1", "--workers", "4097"],
            "--workers 4097: must be at most 4096",
        ),
        (
            &["--id", "1", "--data", "x", "--peers", "1=a:0"],
            "--peers 1=a:0: address a:0: the others need to know the port",
        ),
        (
            &["--id", "1", "--data", "x", "--peers", "1=a:1,2=b !:1"],
            "--peers \"2=b !:1\": address b !:1: label b ! has the character ' ', \
             a host name has letters, digits and hyphens",
        ),
        (
            &["--id", "1", "--data", "x", "--peers", "1=a:1,2=b:1,3=b:1"],
            "--peers 3=b:1: node 2 has the same address",
        ),
        (
            &["--id", "1", "--data", "x", "--peers", "1=a:1,1=a:1"],
            "--peers 1=a:1: the node is named twice",
        ),
    ] {
        let output = program("kv-server").args(args).assert().code(2).stdout("");
        let stderr = stderr(&output);
        assert!(
            stderr.starts_with(&format!("kv-server: {why}\n")),
            "{stderr}"
        );
    }
}
