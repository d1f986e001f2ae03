//! lookup, against a small name server in the test: its words, its forms, its exit status.

use std::fs;
use std::io::ErrorKind;
use std::net::UdpSocket;
use std::thread;

use assert_cmd::assert::Assert;
use groundwire_cli_tests::{PATIENCE, Running, Server, eventually, json, program};

/// Where the data of a record stand in the replies of [`server`].
enum Reply {
    /// Records of a type for the name asked, each the octets of its RDATA.
    Records(u16, Vec<Vec<u8>>),
    /// Only an rcode.
    Rcode(u8),
}

/// A name server that answers each query by its name (as text, lower case) and type.
fn server(answer: fn(&str, u16) -> Reply) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        loop {
            let (_, peer) = socket.recv_from(&mut buffer).unwrap();
            let (mut at, mut name) = (12, String::new());
            while buffer[at] > 0 {
                let end = at + 1 + usize::from(buffer[at]);
                name += &String::from_utf8_lossy(&buffer[at + 1..end]);
                name.push('.');
                at = end;
            }
            let kind = u16::from_be_bytes([buffer[at + 1], buffer[at + 2]]);
            let question = &buffer[12..at + 5];
            let mut reply = [
                &buffer[..2],
                &[0x85, 0x80, 0, 1, 0, 0, 0, 0, 0, 0],
                question,
            ]
            .concat();
            match answer(&name.to_lowercase(), kind) {
                Reply::Rcode(rcode) => reply[3] |= rcode,
                Reply::Records(kind, records) => {
                    reply[7] = u8::try_from(records.len()).unwrap();
                    for rdata in records {
                        reply.extend([0xc0, 12]);
                        reply.extend(kind.to_be_bytes());
                        reply.extend([0, 1, 0, 0, 0, 60]);
                        reply.extend(u16::try_from(rdata.len()).unwrap().to_be_bytes());
                        reply.extend(rdata);
                    }
                }
            }
            socket.send_to(&reply, peer).unwrap();
        }
    });
    format!("@{address}")
}

const A: u16 = 1;
const PTR: u16 = 12;
const MX: u16 = 15;
const TXT: u16 = 16;
const AAAA: u16 = 28;

/// The lab: www has addresses, example has mail and a nasty text, 192.0.2.1 a name.
fn lab() -> String {
    server(|name, kind| match (name, kind) {
        ("www.example.", A) => Reply::Records(A, vec![vec![192, 0, 2, 1], vec![192, 0, 2, 2]]),
        ("www.example.", AAAA) => Reply::Records(
            AAAA,
            vec![vec![0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
        ),
        ("www.example.", _) => Reply::Records(kind, vec![]),
        ("example.", MX) => Reply::Records(MX, vec![b"\x00\x0a\x02mx\xc0\x0c".to_vec()]),
        ("example.", TXT) => Reply::Records(TXT, vec![b"\x09\x1b[31m\n\r\"\\".to_vec()]),
        ("1.2.0.192.in-addr.arpa.", PTR) => {
            Reply::Records(PTR, vec![b"\x08\x1b]0;x\x07\nz\x00".to_vec()])
        }
        ("half.example.", A) => Reply::Records(A, vec![vec![192, 0, 2, 5]]),
        ("half.example.", _) => Reply::Rcode(2),
        ("refused.example.", _) => Reply::Rcode(5),
        _ => Reply::Rcode(3),
    })
}

fn lookup(arguments: &[&str]) -> Assert {
    program("lookup").args(arguments).assert()
}

fn stdout(run: &Assert) -> String {
    String::from_utf8(run.get_output().stdout.clone()).unwrap()
}

#[test]
fn addresses_and_mail_are_told_in_the_words_of_host() {
    let lab = lab();
    lookup(&[&lab, "www.example"]).success().stderr("").stdout(
        "www.example has address 192.0.2.1\n\
         www.example has address 192.0.2.2\n\
         www.example has IPv6 address 2001:db8::1\n",
    );
    let mail = lookup(&[&lab, "-t", "mx", "example"]);
    mail.success()
        .stdout("example mail is handled by 10 mx.example.\n");
    let short = lookup(&["--short", "-t", "A", &lab, "www.example"]);
    short.success().stdout("192.0.2.1\n192.0.2.2\n");
}

#[test]
fn no_such_name_and_no_such_record_are_told_apart_with_status_1() {
    let lab = lab();
    let gone = lookup(&[&lab, "gone.example"]);
    gone.code(1)
        .stdout("Host gone.example not found: 3(NXDOMAIN)\n")
        .stderr("");
    let none = lookup(&[&lab, "-t", "mx", "www.example"]);
    none.code(1)
        .stdout("www.example has no MX record\n")
        .stderr("");
    let short = lookup(&[&lab, "--short", "gone.example"]);
    short.code(1).stdout("").stderr("");
}

#[test]
fn of_several_names_the_worst_status_counts() {
    let lab = lab();
    let run = lookup(&[&lab, "gone.example", "www.example", "-t", "a"]).code(1);
    assert_eq!(stdout(&run).lines().count(), 3);
    lookup(&[&lab, "gone.example", "refused.example", "www.example"]).code(3);
}

#[test]
fn when_no_server_answers_the_status_is_3_and_each_failure_is_told() {
    let lab = lab();
    let run = lookup(&[&lab, "-t", "a", "refused.example"])
        .code(3)
        .stdout("");
    let text = format!(
        "lookup: refused.example. A: no server could answer; udp {}: REFUSED\n",
        &lab[1..]
    );
    run.stderr(text);
    let nobody = lookup(&["@127.0.0.1:1", "--attempts", "1", "-t", "a", "x.example"]).code(3);
    nobody.stderr(
        "lookup: x.example. A: no server could answer; udp 127.0.0.1:1: connection refused\n",
    );
}

#[test]
fn a_type_that_fails_beside_one_that_is_there_is_told_and_not_passed_over() {
    let lab = lab();
    let run = lookup(&[&lab, "-t", "txt", "-t", "a", "half.example"]).code(3);
    assert_eq!(stdout(&run), "half.example has address 192.0.2.5\n");
    let said = String::from_utf8(run.get_output().stderr.clone()).unwrap();
    let why = "lookup: half.example. TXT: no server could answer; udp ";
    assert!(
        said.starts_with(why) && said.ends_with("SERVFAIL\n"),
        "{said}"
    );

    let run = lookup(&[&lab, "--json", "half.example"]).code(3);
    let printed = stdout(&run);
    let lines: Vec<json::Value> = printed.lines().map(|l| json::parse(l).unwrap()).collect();
    let told = |line: usize, key| lines[line].get(key).text().to_string();
    assert_eq!([told(0, "type"), told(0, "status")], ["A", "NOERROR"]);
    assert_eq!([told(1, "type"), told(1, "status")], ["AAAA", "NOANSWER"]);
}

#[test]
fn what_is_no_address_is_said_to_be_none_and_nobody_is_asked() {
    for (text, why) in [
        ("288.8.8.8", "octet 288 is above 255"),
        ("127.1", "an IPv4 address has four octets, this has 2"),
    ] {
        let run = lookup(&["@127.0.0.1:1", text]).code(2).stdout("");
        let first = format!("lookup: {text} is not a valid IP address: {why}");
        let said = String::from_utf8(run.get_output().stderr.clone()).unwrap();
        assert!(said.starts_with(&first), "{said}");
    }
    lookup(&["-x", "www.example"]).code(2);
    lookup(&["a..b"]).code(2);
    lookup(&[]).code(2);
    lookup(&["-t", "nonsense", "x"]).code(2);
    lookup(&["-t", "axfr", "x"]).code(2);
    lookup(&["--attempts", "0", "x"]).code(2);
    lookup(&["--timeout", "0", "x"]).code(2);
    lookup(&["-t", "opt", "x"]).code(2);
    lookup(&["--short", "--json", "x"]).code(2);
    lookup(&["--system", "-t", "mx", "x"]).code(2);
    lookup(&["@127.1", "x"]).code(2);
    lookup(&["@127.0.0.1:99999", "x"]).code(2);
    lookup(&["--root", "127.0.0.1", "x"]).code(2);
}

#[test]
fn control_bytes_from_the_network_never_reach_the_terminal() {
    let lab = lab();
    for arguments in [
        &["192.0.2.1"][..],
        &["-x", "192.0.2.1", "--short"],
        &["-v", "192.0.2.1"],
        &["--json", "192.0.2.1"],
        &["-t", "txt", "example"],
        &["-t", "txt", "--short", "example"],
        &["-t", "txt", "-v", "example"],
        &["-t", "txt", "--json", "example"],
    ] {
        let run = lookup(&[&[lab.as_str()], arguments].concat()).success();
        let printed = stdout(&run);
        let steers = |letter: char| letter.is_control() && letter != '\n' && letter != '\t';
        assert!(!printed.contains(steers), "{arguments:?}: {printed:?}");
    }
    let run = lookup(&[&lab, "192.0.2.1"]).success();
    let pointer = "1.2.0.192.in-addr.arpa domain name pointer \\027]0\\;x\\007\\010z.\n";
    assert_eq!(stdout(&run), pointer);
}

#[test]
fn json_is_an_object_a_line() {
    let lab = lab();
    let run = lookup(&["--json", &lab, "www.example", "gone.example"]).code(1);
    let printed = stdout(&run);
    let objects: Vec<json::Value> = printed.lines().map(|l| json::parse(l).unwrap()).collect();
    assert_eq!(objects.len(), 4);
    assert_eq!(objects[0].get("status").text(), "NOERROR");
    assert_eq!(objects[0].get("server").text(), &lab[1..]);
    let json::Value::List(records) = objects[0].get("records") else {
        panic!("{printed}");
    };
    assert_eq!(records[1].get("data").text(), "192.0.2.2");
    assert_eq!(records[1].get("ttl").number(), 60.0);
    assert_eq!(objects[2].get("status").text(), "NXDOMAIN");
    let none = lookup(&["--json", &lab, "-t", "mx", "www.example"]).code(1);
    assert_eq!(
        json::parse(&stdout(&none)).unwrap().get("status").text(),
        "NODATA"
    );
    let lost = lookup(&["--json", &lab, "-t", "mx", "refused.example"]).code(3);
    let lost = json::parse(&stdout(&lost)).unwrap();
    assert_eq!(lost.get("status").text(), "NOANSWER");
    assert_eq!(lost.get("type").text(), "MX");
    let json::Value::List(tries) = lost.get("tries") else {
        panic!("there are no tries");
    };
    assert_eq!(tries[0].get("rcode").text(), "REFUSED");
    assert_eq!(tries[0].get("server").text(), &lab[1..]);
}

#[test]
fn verbose_shows_the_reply_section_by_section() {
    let run = lookup(&[&lab(), "-v", "-t", "a", "www.example"]).success();
    let printed = stdout(&run);
    for part in [
        ";; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: ",
        ";; flags: qr aa rd ra; QUERY: 1, ANSWER: 2, AUTHORITY: 0, ADDITIONAL: 0\n",
        ";; QUESTION SECTION:\n;www.example.\t\tIN\tA\n",
        ";; ANSWER SECTION:\nwww.example.\t60\tIN\tA\t192.0.2.1\n",
        ";; Query time: ",
        "(UDP)\n;; MSG SIZE  rcvd: 61\n",
    ] {
        assert!(printed.contains(part), "{part:?} is not in\n{printed}");
    }
    lookup(&[&lab(), "-v", "gone.example"]).code(1);
}

#[test]
fn verbose_shows_replies_that_are_no_answer_before_the_error_and_before_the_next_servers() {
    let lab = lab();
    let (header, error) = ("status: REFUSED, id: ", "no server could answer; udp ");
    let run = lookup(&[&lab, "-v", "-t", "a", "refused.example"]).code(3);
    assert_eq!(stdout(&run).matches(header).count(), 1, "{}", stdout(&run));
    let said = String::from_utf8(run.get_output().stderr.clone()).unwrap();
    assert!(
        said.contains(error) && said.ends_with(": REFUSED\n"),
        "{said}"
    );

    let refuses = server(|_, _| Reply::Rcode(5));
    let run = lookup(&[
        "@127.0.0.1:1",
        &refuses,
        &lab,
        "-v",
        "-t",
        "a",
        "www.example",
    ]);
    let printed = stdout(&run.success().stderr(""));
    let places = [
        ";; udp 127.0.0.1:1: connection refused\n",
        header,
        "192.0.2.2",
    ]
    .map(|part| printed.find(part));
    assert!(places[0].is_some() && places.is_sorted(), "{printed}");
    assert_eq!(printed.matches(";; Query time: ").count(), 2, "{printed}");
}

#[test]
fn verbose_shows_a_referral_and_a_renamed_tree_as_they_came() {
    let server = Server::start("dns-server", &["--listen", "127.0.0.1:0"]);
    let at = format!("@{}", server.address);
    let run = lookup(&[&at, "-v", "-t", "a", "www.sub.lab.test"]).code(3);
    for part in [
        ";; flags: qr rd; QUERY: 1, ANSWER: 0, AUTHORITY: 2, ADDITIONAL: 5\n",
        "\n;; AUTHORITY SECTION:\nsub.lab.test.",
    ] {
        assert!(stdout(&run).contains(part), "{}", stdout(&run));
    }
    let said = String::from_utf8(run.get_output().stderr.clone()).unwrap();
    let refers = "refers to ns.sub.lab.test., ns2.lab.test.\n";
    assert!(said.ends_with(refers), "{said}");

    let run = lookup(&[&at, "-v", "-t", "a", "www.old.lab.test"]).success();
    let printed = stdout(&run);
    let mut answer = printed.split(";; ANSWER SECTION:\n");
    let kinds = answer.nth(1).unwrap().lines().take(3);
    let kinds: Vec<&str> = kinds.filter_map(|line| line.split('\t').nth(3)).collect();
    assert_eq!(kinds, ["DNAME", "CNAME", "A"], "{printed}");

    // The alias is there, the record at its end is not; where an alias leads out, it is the answer.
    for (kind, name, status) in [
        ("mx", "www.old.lab.test", 1),
        ("cname", "www.old.lab.test", 0),
        ("mx", "outside.lab.test", 0),
    ] {
        lookup(&[&at, "-v", "-t", kind, name]).code(status);
    }
    server.stop();
}

#[test]
fn servers_are_named_by_address_port_brackets_or_name() {
    let lab = lab();
    let port = lab.rsplit(':').next().unwrap();
    for server in ["@127.0.0.1", "@localhost", "@[127.0.0.1]"] {
        lookup(&[server, "-p", port, "-t", "a", "--short", "www.example"]).success();
    }
    let with_port = format!("@localhost:{port}");
    lookup(&[&with_port, "-t", "a", "www.example"]).success();
    let v6 = lookup(&["@[::1]:1", "--attempts", "1", "-t", "a", "x.example"]).code(3);
    let said = String::from_utf8(v6.get_output().stderr.clone()).unwrap();
    assert!(said.contains("udp [::1]:1: "), "{said}");
}

#[test]
fn a_server_whose_name_is_unknown_could_not_answer() {
    let run = lookup(&["@nosuch.invalid", "www.example"])
        .code(3)
        .stdout("");
    run.stderr("lookup: @nosuch.invalid: nosuch.invalid.: no such name\n");
}

#[test]
fn without_a_server_localhost_is_known_and_invalid_is_not() {
    let known = lookup(&["localhost"]).success();
    known.stdout("localhost has address 127.0.0.1\nlocalhost has IPv6 address ::1\n");
    let gone = lookup(&["x.invalid"]).code(1);
    gone.stdout("Host x.invalid not found: 3(NXDOMAIN)\n");
    let system = lookup(&["--system", "localhost"]).success();
    assert!(stdout(&system).contains("localhost has address 127.0.0.1\n"));
}

#[test]
fn stopped_and_continued_it_goes_on_waiting_for_the_reply_and_asks_no_second_time() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let at = format!("@{}", server.local_addr().unwrap());
    let args = ["--timeout", "20s", "-t", "a", &at, "www.example"];
    let lookup = Running::start("lookup", &args);
    let mut query = [0; 512];
    let (length, peer) = server.recv_from(&mut query).unwrap();
    let becomes = |state: &str| {
        let file = format!("/proc/{}/stat", lookup.pid());
        eventually(state, || {
            // `PID (NAME) STATE ...`: proc_pid_stat(5).
            let stat = fs::read_to_string(&file).unwrap();
            stat.rsplit(") ").next().unwrap().starts_with(state)
        });
    };
    becomes("S");
    // Going on after a stop interrupts every blocking call that has a time-out (signal(7)).
    lookup.signal("STOP");
    becomes("T");
    lookup.signal("CONT");
    becomes("S");
    let question = &query[12..length];
    let head = [&query[..2], &[0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]].concat();
    let record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1];
    let question = &question[..question.len() - 11]; // without the OPT record
    let reply = [&head, question, &record].concat();
    server.send_to(&reply, peer).unwrap();
    let ended = lookup.end();
    assert_eq!(ended.stdout, ["www.example has address 192.0.2.1"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    server.set_nonblocking(true).unwrap();
    let more = server.recv_from(&mut query).map(drop);
    assert_eq!(more.unwrap_err().kind(), ErrorKind::WouldBlock);
}
