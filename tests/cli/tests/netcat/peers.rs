//! OpenBSD's nc, ncat and socat at the other end, in both roles.

use std::fs;
use std::net::UdpSocket;
use std::thread;

use super::driven::{Driven, pattern, wait_for_listener};
use super::listener;
use groundwire_cli_tests::{eventually, free_port, installed};

/// Bytes each way.
const MUCH: usize = 3 << 20;

/// How a tool is told to listen on, or connect to, a port of this machine.
fn roles(tool: &str, port: &str) -> (Vec<String>, Vec<String>) {
    let words = |text: String| text.split(' ').map(String::from).collect();
    match tool {
        "socat" => (
            words(format!(
                "-t 30 - TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr"
            )),
            words(format!("-t 30 - TCP:127.0.0.1:{port}")),
        ),
        "nc" => (
            words(format!("-N -l 127.0.0.1 {port}")),
            words(format!("-N 127.0.0.1 {port}")),
        ),
        _ => (
            words(format!("-l 127.0.0.1 {port}")),
            words(format!("127.0.0.1 {port}")),
        ),
    }
}

fn start(tool: &str, args: &[String]) -> Driven {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    Driven::start(tool, &args)
}

/// Each tool and netcat itself, as listener and as client: pairs of who listens and who connects.
fn pairs() -> Vec<(Driven, Driven, String)> {
    let mut pairs = Vec::new();
    for tool in ["nc", "ncat", "socat"] {
        if !installed(tool) {
            continue;
        }
        let (netcat, address) = listener(&[]);
        let port = address.rsplit(':').next().unwrap();
        let peer = start(tool, &roles(tool, port).1);
        pairs.push((netcat, peer, format!("netcat <- {tool}")));
        let port = free_port().to_string();
        let peer = start(tool, &roles(tool, &port).0);
        wait_for_listener(&port);
        let netcat = Driven::netcat(&["127.0.0.1", &port]);
        pairs.push((peer, netcat, format!("{tool} <- netcat")));
    }
    let (netcat, address) = listener(&[]);
    let port = address.rsplit(':').next().unwrap();
    pairs.push((
        netcat,
        Driven::netcat(&["127.0.0.1", port]),
        "netcat <- netcat".into(),
    ));
    pairs
}

#[test]
fn much_data_in_both_directions_at_once_arrives_whole() {
    for (mut one, mut other, who) in pairs() {
        let (there, back) = (pattern(3, MUCH), pattern(4, MUCH));
        let inputs = (
            one.send_aside(there.clone()),
            other.send_aside(back.clone()),
        );
        let reading = thread::spawn(move || {
            let heard = one.receive(MUCH);
            (one, heard)
        });
        assert!(
            other.receive(MUCH) == there,
            "{who}: what the listener sent"
        );
        let (one, heard) = reading.join().unwrap();
        assert!(heard == back, "{who}: what the client sent");
        // Not before: nc and ncat stop to listen when their peer half-closes.
        drop(inputs.1.join().unwrap());
        drop(inputs.0.join().unwrap());
        assert_eq!(one.end().code, Some(0), "{who}: the listener");
        assert_eq!(other.end().code, Some(0), "{who}: the client");
    }
}

#[test]
fn what_the_client_sends_before_its_half_close_arrives_whole_and_both_end() {
    for (mut one, mut other, who) in pairs() {
        let bytes = pattern(5, MUCH);
        one.close_input();
        drop(other.send_aside(bytes.clone()));
        other.close_input();
        let ended = one.end();
        assert!(ended.stdout == bytes, "{who}: {} bytes", ended.stdout.len());
        assert_eq!((ended.code, other.end().code), (Some(0), Some(0)), "{who}");
    }
}

#[test]
fn a_filter_behind_the_socket_answers_after_the_half_close() {
    if !installed("socat") {
        return;
    }
    let port = free_port().to_string();
    let listen = format!("TCP-LISTEN:{port},bind=127.0.0.1");
    let _socat = Driven::start("socat", &["-t", "30", &listen, "SYSTEM:sort"]);
    wait_for_listener(&port);
    let mut netcat = Driven::netcat(&["127.0.0.1", &port]);
    netcat.send(b"b\nc\na\n");
    netcat.close_input();
    netcat.succeeds_with(b"a\nb\nc\n");
}

#[test]
fn a_client_that_half_closes_first_gets_its_reply() {
    for (tool, args) in [("nc", &["-N"][..]), ("ncat", &[]), ("socat", &[])] {
        if !installed(tool) {
            continue;
        }
        let (mut netcat, address) = listener(&[]);
        let port = address.rsplit(':').next().unwrap();
        let mut peer = match tool {
            "socat" => start(tool, &roles(tool, port).1),
            _ => Driven::start(tool, &[args, &["127.0.0.1", port]].concat()),
        };
        peer.send(b"question");
        peer.close_input();
        assert_eq!(netcat.receive(8), b"question", "{tool}");
        netcat.send(b"answer");
        netcat.close_input();
        netcat.succeeds_with(b"");
        assert_eq!(peer.end().stdout, b"answer", "{tool}");
    }
}

#[test]
fn datagrams_go_both_ways_with_nc() {
    if !installed("nc") {
        return;
    }
    let (mut netcat, address) = listener(&["-u"]);
    let port = address.rsplit(':').next().unwrap();
    let mut nc = Driven::start("nc", &["-u", "127.0.0.1", port]);
    nc.send(b"question");
    assert_eq!(netcat.receive(8), b"question");
    netcat.send(b"answer");
    assert_eq!(nc.receive(6), b"answer");

    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    drop(socket);
    let mut nc = Driven::start("nc", &["-lu", "127.0.0.1", &port]);
    let end = format!(":{:04X} ", port.parse::<u16>().unwrap());
    eventually("nc is bound", || {
        fs::read_to_string("/proc/net/udp").unwrap().contains(&end)
    });
    let mut netcat = Driven::netcat(&["-u", "127.0.0.1", &port]);
    netcat.send(b"question");
    assert_eq!(nc.receive(8), b"question");
    nc.send(b"answer");
    assert_eq!(netcat.receive(6), b"answer");
}

#[test]
fn unix_streams_and_records_go_both_ways_with_nc_and_socat() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let (nc, records) = (at("nc"), format!("UNIX-CONNECT:{},type=5", at("records")));
    let cases: [(&str, Vec<&str>, &str, Vec<&str>); 2] = [
        ("nc", vec!["-NU", &nc], "nc", vec!["-lvU"]),
        (
            "socat",
            vec!["-t", "30", "-", &records],
            "records",
            vec!["-lvU", "--seqpacket"],
        ),
    ];
    for (tool, args, name, mut own) in cases {
        if !installed(tool) {
            continue;
        }
        let path = at(name);
        own.push(&path);
        let mut netcat = Driven::netcat(&own);
        netcat.error_line();
        let mut peer = Driven::start(tool, &args);
        peer.send(b"question");
        assert_eq!(netcat.receive(8), b"question", "{tool}");
        netcat.send(b"answer");
        assert_eq!(peer.receive(6), b"answer", "{tool}");
        peer.close_input();
        netcat.close_input();
        assert_eq!(
            (netcat.end().code, peer.end().code),
            (Some(0), Some(0)),
            "{tool}"
        );
    }
}
