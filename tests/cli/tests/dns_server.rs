//! dns-server: its files, signals, flags, and a client over std.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};

use groundwire_cli_tests::{
    PATIENCE, Running, SCHED_BATCH, Server, announced, program, scheduling_policies,
};

/// A server on a port of its own. Its second line is taken, too: TCP listens where UDP does.
fn start(args: &[&str]) -> Server {
    let mut server = Server::start("dns-server", &[&["--listen", "127.0.0.1:0"], args].concat());
    let second = announced(&server.next_line());
    assert_eq!(server.network, "udp");
    assert_eq!(second, ("tcp".into(), server.address.clone()));
    server
}

/// A question of class IN.
fn query(name: &str, kind: u8) -> Vec<u8> {
    let mut octets = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split_terminator('.') {
        octets.push(label.len() as u8);
        octets.extend_from_slice(label.as_bytes());
    }
    octets.extend_from_slice(&[0, 0, kind, 0, 1]);
    octets
}

fn ask(server: &Server, name: &str, kind: u8) -> Vec<u8> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(&server.address).unwrap();
    socket.send(&query(name, kind)).unwrap();
    let mut reply = vec![0; 1500];
    let count = socket.recv(&mut reply).unwrap();
    reply.truncate(count);
    reply
}

/// The address of a name: the last four octets of a reply with one A record.
fn address_of(server: &Server, name: &str) -> Vec<u8> {
    let reply = ask(server, name, 1);
    assert_eq!((reply[3] & 15, reply[7]), (0, 1), "{reply:?}");
    reply[reply.len() - 4..].to_vec()
}

fn zone(last: u8) -> String {
    format!("$TTL 60\n@ SOA ns h {last} 1 1 1 1\n@ NS ns\nns A 192.0.2.{last}\n")
}

#[test]
fn without_a_zone_it_serves_the_samples_and_ends_with_its_totals() {
    let server = start(&[]);
    assert_eq!(ask(&server, "www.lab.test", 1)[7], 2);
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let octets = query("www.lab.test", 1);
    stream
        .write_all(&[&[0, octets.len() as u8][..], &octets].concat())
        .unwrap();
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    stream.read_exact(&mut vec![0; length[1].into()]).unwrap();
    drop(stream);
    let totals = server.stop();
    assert_eq!(
        totals,
        "queries udp 1, tcp 1; replies 2, truncated 0, rate-limited 0, transfers 0, reloads 0; \
         connections served 1, active 0, refused 0, failed 0"
    );
}

#[test]
fn a_hangup_reads_the_files_again_and_an_error_keeps_the_old_zone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("z").display().to_string();
    fs::write(&file, zone(1)).unwrap();
    let server = start(&["--zone", &format!("z.test={file}")]);
    let line = server.error_line().unwrap();
    assert!(
        line.ends_with("zone read zone=\"z.test. serial 1, 3 records\""),
        "{line}"
    );
    assert_eq!(address_of(&server, "ns.z.test"), [192, 0, 2, 1]);
    fs::write(&file, zone(2)).unwrap();
    server.signal("HUP");
    let line = server.error_line().unwrap();
    assert!(
        line.ends_with("zone read again zone=\"z.test. serial 2, 3 records\""),
        "{line}"
    );
    assert_eq!(address_of(&server, "ns.z.test"), [192, 0, 2, 2]);

    fs::write(&file, zone(3) + "www A 192.0.2\n").unwrap();
    server.signal("HUP");
    let line = server.error_line().unwrap();
    assert!(
        line.contains(&format!("zones not replaced at=\"{file}:5:7: ")),
        "{line}"
    );
    assert_eq!(address_of(&server, "ns.z.test"), [192, 0, 2, 2]);
    let same_serial = zone(3).replace("ns h 3", "ns h 2");
    fs::write(&file, same_serial).unwrap();
    server.signal("HUP");
    let line = server.error_line().unwrap();
    assert!(
        line.ends_with("the zone has changed and its serial has not zone=z.test. serial=2"),
        "{line}"
    );
    assert!(server.error_line().unwrap().contains("zone read again"));
    assert!(server.stop().contains("reloads 2 (and 1 refused)"));
}

#[test]
fn check_tells_every_error_with_its_place_and_serves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let [good, bad] = ["good", "bad"].map(|name| folder.path().join(name).display().to_string());
    fs::write(&good, zone(1)).unwrap();
    fs::write(&bad, zone(1) + "www A 192.0.2\nmail MX ten mail\n").unwrap();
    let check = |file: &str| {
        let zone = format!("z.test={file}");
        program("dns-server")
            .args(["--check", "--zone", &zone])
            .output()
            .unwrap()
    };
    let output = check(&good);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stdout, b"z.test. serial 1, 3 records\n");
    let output = check(&bad);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    let lines: Vec<&str> = errors.lines().collect();
    assert!(
        lines[0].starts_with(&format!("dns-server: {bad}:5:7: ")),
        "{errors}"
    );
    assert!(
        lines[1].starts_with(&format!("dns-server: {bad}:6:9: ")),
        "{errors}"
    );
    assert_eq!((lines.len(), output.stdout.len()), (2, 0), "{errors}");
    // Without --check it is the same.
    let run = program("dns-server")
        .args(["--zone", &format!("z.test={bad}")])
        .assert();
    run.code(1).stdout("").stderr(errors);
}

#[test]
fn wrong_flags_are_usage_errors() {
    for args in [
        &["--workers", "0"][..],
        &["--workers", "65"],
        &["--rate-limit", "0"],
        &["--udp-size", "100"],
        &["--transfer", "everybody"],
        &["--zone", "two..dots=file"],
        &["--listen", "nowhere"],
        &["--idle-timeout", "0"],
        &["--write-timeout", "0"],
        &["operand"],
    ] {
        let run = program("dns-server").args(args).assert();
        run.code(2).stdout("");
    }
    let run = program("dns-server")
        .args(["--zone", "/no/such/file"])
        .assert();
    run.code(1)
        .stderr("dns-server: /no/such/file: no such file or directory\n");
}

#[test]
fn a_second_server_on_the_same_address_fails() {
    let server = start(&[]);
    let run = program("dns-server")
        .args(["--listen", &server.address])
        .assert();
    let says = format!(
        "dns-server: listen tcp {}: address already in use\n",
        server.address
    );
    run.code(1).stdout("").stderr(says);
}

#[test]
fn several_addresses_are_served_by_one_program() {
    let args = [
        "--listen",
        "127.0.0.1:0",
        "--listen",
        "127.0.0.2:0",
        "--query-log",
    ];
    let running = Running::start("dns-server", &args);
    let lines: Vec<String> = (0..4).map(|_| running.line().unwrap()).collect();
    for line in [&lines[0], &lines[2]] {
        let (network, address) = announced(line);
        assert_eq!(network, "udp");
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.connect(&address).unwrap();
        socket.send(&query("lab.test", 6)).unwrap();
        let count = socket.recv(&mut [0; 1500]);
        assert!(count.is_ok_and(|count| count > 40), "{:?}", running.kill());
        let line = running.error_line().unwrap();
        assert!(
            line.contains("transport=udp name=lab.test. class=IN type=SOA flags=rd"),
            "{line}"
        );
    }
    assert_eq!(running.end_by("TERM").code, Some(0));
}

#[test]
fn with_few_queries_no_worker_waits_behind_other_programs() {
    for (options, waits) in [(&[][..], false), (&["--scheduling", "batch"], true)] {
        let server = start(&[&["--workers", "1"], options].concat());
        // The worker chooses behind each reply, so it has chosen by the second.
        for _ in 0..2 {
            ask(&server, "www.example.com", 1);
        }
        let policies = scheduling_policies(server.pid());
        assert_eq!(policies.contains(&SCHED_BATCH), waits, "{policies:?}");
    }
}
