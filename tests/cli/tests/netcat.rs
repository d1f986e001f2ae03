//! netcat as its users run it: ends and half-closes, datagrams, scans, proxies; and in both roles
//! against OpenBSD's nc, ncat and socat.

#[path = "netcat/driven.rs"]
mod driven;

#[path = "netcat/datagrams.rs"]
mod datagrams;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::Command;
use std::thread;

use driven::{Driven, pattern};
use groundwire_cli_tests::{PATIENCE, connect, eventually, free_port, installed, path, program};

/// A listening netcat on a port of its own, and where.
fn listener(args: &[&str]) -> (Driven, String) {
    let mut running = Driven::netcat(&[&["-lv", "127.0.0.1", "0"], args].concat());
    let first = running.error_line();
    let address = first.rsplit(' ').next().unwrap().to_string();
    assert!(first.starts_with("listening on "), "{first}");
    (running, address)
}

/// A connecting netcat, and the other end.
fn client(args: &[&str]) -> (Driven, TcpStream) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port().to_string();
    let running = Driven::netcat(&[args, &["127.0.0.1", &port]].concat());
    let stream = server.accept().unwrap().0;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    (running, stream)
}

fn to_end(stream: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn the_inputs_end_half_closes_and_the_reply_still_comes() {
    let (mut netcat, mut stream) = client(&[]);
    netcat.send(b"question\n");
    netcat.close_input();
    assert_eq!(to_end(&mut stream), b"question\n");
    let reply = pattern(1, 1 << 20);
    stream.write_all(&reply).unwrap();
    drop(stream);
    netcat.succeeds_with(&reply);
}

#[test]
fn a_file_that_may_not_grow_is_told_as_a_full_disk_is() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port().to_string();
    let peer = thread::spawn(move || server.accept().unwrap().0.write_all(b"reply\n"));
    let folder = tempfile::tempdir().unwrap();
    let script = "ulimit -f 0; exec \"$0\" -d 127.0.0.1 $1 >file";
    let netcat = Command::new("sh")
        .args(["-c", script, path("netcat").to_str().unwrap(), &port])
        .current_dir(&folder)
        .output()
        .unwrap();
    peer.join().unwrap().unwrap();
    assert_eq!(netcat.status.code(), Some(1), "{netcat:?}");
    let told = String::from_utf8(netcat.stderr).unwrap();
    assert_eq!(told, "netcat: standard output: file too large\n");
}

#[test]
fn a_peer_that_half_closes_still_hears_all_of_the_input() {
    let (mut netcat, address) = listener(&[]);
    let mut stream = connect(&address);
    stream.write_all(b"question\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(netcat.receive(9), b"question\n");
    // Sent after the peer's end has been seen, as a filter does that reads everything first.
    let reply = pattern(2, 1 << 20);
    let reader = thread::spawn(move || to_end(&mut stream));
    netcat.send(&reply);
    netcat.close_input();
    assert!(reader.join().unwrap() == reply);
    netcat.succeeds_with(b"");
}

#[test]
fn a_reset_ends_it_at_once_although_the_input_waits() {
    let (mut netcat, mut stream) = client(&[]);
    stream.write_all(b"hello").unwrap();
    assert_eq!(netcat.receive(5), b"hello");
    netcat.send(b"never read\n");
    let mut byte = [0];
    assert_eq!(stream.peek(&mut byte).unwrap(), 1);
    drop(stream); // with bytes unread: a reset (RFC 2525 §2.17)
    let ended = netcat.end();
    assert_eq!(ended.code, Some(1));
    assert_eq!(
        ended.stderr,
        "netcat: receiving: connection reset by peer\n"
    );
}

#[test]
fn a_peer_that_has_closed_ends_it_when_something_is_sent_to_it() {
    let (mut netcat, stream) = client(&[]);
    drop(stream);
    netcat.send(b"into the void\n");
    let ended = netcat.end();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.starts_with("netcat: sending: "),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_unix_peer_that_closes_ends_it_at_once_although_the_input_waits() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let mut netcat = Driven::netcat(&["-lvU", socket.to_str().unwrap()]);
    netcat.error_line();
    let mut stream = UnixStream::connect(&socket).unwrap();
    stream.write_all(b"all").unwrap();
    drop(stream);
    netcat.ends_with(Some(0), b"all");
    assert!(!socket.exists(), "the socket's file stays");
}

#[test]
fn with_a_terminal_at_the_input_the_peers_end_is_the_end() {
    if !installed("python3") {
        return;
    }
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port().to_string();
    // A terminal whose other side is our pipe, which stays open and silent.
    let spawn = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)";
    let netcat = path("netcat");
    let args = ["-c", spawn, netcat.to_str().unwrap(), "127.0.0.1", &port];
    let mut terminal = Driven::start("python3", &args);
    let mut stream = server.accept().unwrap().0;
    stream.write_all(b"bye\n").unwrap();
    drop(stream);
    assert_eq!(terminal.receive(5), b"bye\r\n");
    assert_eq!(terminal.end().code, Some(0));
}

#[test]
fn a_listener_takes_one_connection_and_with_k_one_after_the_other() {
    let (netcat, address) = listener(&["-d"]);
    let mut stream = connect(&address);
    eventually("the next is refused", || {
        TcpStream::connect(&address).is_err()
    });
    stream.write_all(b"one").unwrap();
    drop(stream);
    netcat.ends_with(Some(0), b"one");

    let (mut netcat, address) = listener(&["-kd"]);
    for word in [&b"one"[..], b"two", b"three"] {
        let mut stream = connect(&address);
        stream.write_all(word).unwrap();
        assert_eq!(netcat.receive(word.len()), word);
    }

    let (idle, _) = listener(&["-kd"]);
    idle.signal("TERM");
    assert_eq!(idle.end().code, Some(0));
}

#[test]
fn with_k_the_input_goes_to_the_connection_of_the_moment() {
    let (mut netcat, address) = listener(&["-k"]);
    for word in [&b"to the first\n"[..], b"to the second\n"] {
        let mut stream = connect(&address);
        stream.write_all(b"x").unwrap();
        assert_eq!(netcat.receive(1), b"x");
        netcat.send(word);
        let mut heard = vec![0; word.len()];
        stream.read_exact(&mut heard).unwrap();
        assert_eq!(heard, word);
        // Gone for the listener, too, before the next line is typed.
        stream.shutdown(Shutdown::Write).unwrap();
        netcat.send(b"rest\n");
        let mut rest = [0; 5];
        stream.read_exact(&mut rest).unwrap();
        drop(stream);
        netcat.send(b"reset\n");
        let line = netcat.error_until("netcat: ");
        assert!(line.contains("sending: "), "{line}");
    }
    netcat.close_input();
    netcat.signal("INT");
    assert_eq!(netcat.end().code, Some(0));
}

#[test]
fn a_signal_that_breaks_a_connection_off_is_told_in_the_status() {
    let (mut netcat, address) = listener(&[]);
    let mut stream = connect(&address);
    stream.write_all(b"x").unwrap();
    assert_eq!(netcat.receive(1), b"x");
    netcat.signal("TERM");
    assert_eq!(netcat.end().code, Some(128 + 15));
}

#[test]
fn a_signal_ends_it_even_where_nobody_reads_its_output() {
    let (netcat, address) = listener(&["-k"]);
    let mut stream = connect(&address);
    let patience = std::time::Duration::from_millis(300);
    stream.set_write_timeout(Some(patience)).unwrap();
    // Until the pipe, and then the buffers of both sockets, are full.
    let writes = std::iter::repeat_with(|| stream.write_all(&[b'x'; 65_536]));
    assert!(writes.take(1000).any(|written| written.is_err()));
    netcat.signal("TERM");
    assert_eq!(netcat.end_unread().code, Some(128 + 15));
}

#[test]
fn without_data_for_the_time_out_it_ends_and_that_is_no_failure() {
    let (netcat, stream) = client(&["-w", "0.2"]);
    netcat.ends_with(Some(0), b"");
    drop(stream);
    let (netcat, address) = listener(&["-w", "200ms"]);
    let stream = connect(&address);
    netcat.ends_with(Some(0), b"");
    drop(stream);
}

#[test]
fn after_the_inputs_end_it_waits_no_longer_than_told() {
    for seconds in ["0", "0.1"] {
        let (mut netcat, mut stream) = client(&["-q", seconds]);
        netcat.send(b"last words");
        netcat.close_input();
        assert_eq!(to_end(&mut stream), b"last words");
        netcat.ends_with(Some(0), b""); // `stream` is open still
    }
}

#[test]
fn a_reply_that_comes_within_the_time_after_the_inputs_end_is_heard() {
    let (mut netcat, mut stream) = client(&["-q", "600"]);
    netcat.close_input();
    assert_eq!(to_end(&mut stream), b"");
    stream.write_all(b"reply").unwrap();
    drop(stream);
    netcat.succeeds_with(b"reply");
}

#[test]
fn with_k_each_connection_after_the_inputs_end_is_told_of_it() {
    let (mut netcat, address) = listener(&["-k"]);
    netcat.close_input();
    for _ in 0..2 {
        assert_eq!(to_end(&mut connect(&address)), b"");
    }
}

#[test]
fn an_input_that_cannot_be_read_is_a_failure() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port().to_string();
    let peer = thread::spawn(move || to_end(&mut server.accept().unwrap().0));
    let ended = Command::new(path("netcat"))
        .args(["127.0.0.1", &port])
        .stdin(std::fs::File::open("/").unwrap())
        .output()
        .unwrap();
    assert_eq!(
        (ended.status.code(), peer.join().unwrap()),
        (Some(1), vec![])
    );
    let told = String::from_utf8(ended.stderr).unwrap();
    assert!(told.contains("a directory"), "{told}");
}

#[test]
fn without_input_there_is_no_half_close() {
    let (netcat, mut stream) = client(&["-d"]);
    stream
        .set_read_timeout(Some(std::time::Duration::from_millis(50)))
        .unwrap();
    let error = stream.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    drop(stream);
    netcat.ends_with(Some(0), b"");
}

#[test]
fn line_ends_become_cr_lf_and_lines_keep_their_interval() {
    let (mut netcat, mut stream) = client(&["-C", "-i", "0.05"]);
    let begun = std::time::Instant::now();
    netcat.send(b"a\nb\r\nc");
    netcat.close_input();
    assert_eq!(to_end(&mut stream), b"a\r\nb\r\nc");
    assert!(begun.elapsed() >= std::time::Duration::from_millis(100));
    drop(stream);
    netcat.ends_with(Some(0), b"");
}

#[test]
fn telnet_is_answered_with_no_and_its_commands_are_no_data() {
    let (netcat, mut stream) = client(&["-t"]);
    stream
        .write_all(b"log\xff\xfd\x18in: \xff\xfb\x01\xff\xff")
        .unwrap();
    let mut refused = [0; 6];
    stream.read_exact(&mut refused).unwrap();
    assert_eq!(refused, *b"\xff\xfc\x18\xff\xfe\x01");
    stream.shutdown(Shutdown::Write).unwrap();
    let mut netcat = netcat;
    netcat.close_input();
    netcat.succeeds_with(b"login: \xff");
}

#[test]
fn a_peer_that_asks_in_telnet_and_reads_no_answer_is_left_after_the_idle_time() {
    let (netcat, mut stream) = client(&["-t", "-w", "0.5", "-d"]);
    let asks = b"\xff\xfd\x18".repeat(20_000);
    let end = loop {
        if let Err(error) = stream.write_all(&asks) {
            break error.kind();
        }
    };
    // And not our own patience, at which netcat would still wait to answer.
    assert_ne!(end, std::io::ErrorKind::WouldBlock);
    netcat.ends_with(Some(0), b"");
}

#[test]
fn the_hexdump_has_both_directions_and_the_output_only_the_data() {
    let (mut netcat, mut stream) = client(&["--hexdump"]);
    netcat.send(b"ping\n");
    let mut heard = [0; 5];
    stream.read_exact(&mut heard).unwrap();
    stream.write_all(b"pong\n").unwrap();
    assert_eq!(netcat.receive(5), b"pong\n");
    drop(stream);
    netcat.close_input();
    let ended = netcat.end();
    assert_eq!(ended.code, Some(0));
    let lines: Vec<&str> = ended.stderr.lines().collect();
    assert!(
        lines[0].starts_with("> 0.") && lines[0].ends_with(" 5 bytes"),
        "{lines:?}"
    );
    assert!(
        lines[1].starts_with("> 0000  70 69 6e 67 0a  "),
        "{lines:?}"
    );
    assert!(
        lines[2].starts_with("< 0.") && lines[3].ends_with(" pong."),
        "{lines:?}"
    );
}

#[test]
fn a_scan_tells_the_open_ports_in_the_words_of_nc() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let open = server.local_addr().unwrap().port();
    let closed = free_port();
    let says = format!("Connection to 127.0.0.1 {open} port [tcp/*] succeeded!\n");
    let (open, closed) = (open.to_string(), closed.to_string());
    program("netcat")
        .args(["-zv", "127.0.0.1", &open])
        .assert()
        .success()
        .stderr(says);
    let refused = format!("netcat: connect tcp 127.0.0.1:{closed}: connection refused\n");
    program("netcat")
        .args(["-zv", "127.0.0.1", &closed])
        .assert()
        .code(1)
        .stderr(refused);
    program("netcat")
        .args(["-z", "127.0.0.1", &closed, &open])
        .assert()
        .success()
        .stderr("");
    program("netcat")
        .args(["-4z", "::1", &open])
        .assert()
        .code(1)
        .stderr("netcat: look up ::1: it has no address that tcp4 can use\n");
    let range = format!("{open}-{open}");
    program("netcat")
        .args(["-z", "127.0.0.1", &range])
        .assert()
        .success();
}

#[test]
fn a_scan_names_the_link_as_the_user_does() {
    if TcpListener::bind("[::1]:0").is_err() {
        return println!("skipped: no IPv6 on this machine");
    }
    let port = free_port();
    for network in ["-z", "-zu"] {
        let scan = [network, "-v", "-w", "20", "::1%lo", &port.to_string()];
        let refused = program("netcat").args(scan).assert().code(1);
        let text = String::from_utf8(refused.get_output().stderr.clone()).unwrap();
        let says = format!(" [::1%lo]:{port}: connection refused\n");
        assert!(text.ends_with(&says), "{text}");
    }
}

#[test]
fn a_scan_of_udp_takes_silence_for_open_and_a_refusal_for_closed() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let open = server.local_addr().unwrap().port().to_string();
    let scan = ["-zu", "127.0.0.1", &open, "-w"];
    program("netcat").args(scan).arg("0.2").assert().success();
    // Nobody else can have the port, and none but that peer is heard: the kernel refuses.
    server.connect("127.0.0.1:1").unwrap();
    program("netcat").args(scan).arg("20").assert().code(1);
}

#[test]
fn the_address_and_port_to_connect_from_are_as_asked() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port().to_string();
    let from = SocketAddr::from(([127, 0, 0, 2], free_port()));
    let own = from.port().to_string();
    let netcat = Driven::netcat(&["-s", "127.0.0.2", "-p", &own, "127.0.0.1", &port]);
    let (stream, peer) = server.accept().unwrap();
    assert_eq!(peer, from);
    drop((stream, netcat));
}

#[test]
fn a_udp_listener_hears_everybody_and_answers_who_spoke_last() {
    let (mut netcat, address) = listener(&["-u"]);
    let peers: Vec<UdpSocket> = (0..3)
        .map(|_| UdpSocket::bind("127.0.0.1:0").unwrap())
        .collect();
    for (number, peer) in peers.iter().enumerate() {
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        peer.connect(&address).unwrap();
        let question = format!("question {number}\n");
        peer.send(question.as_bytes()).unwrap();
        assert_eq!(netcat.receive(question.len()), question.as_bytes());
        peer.send(b"again\n").unwrap(); // is not told once more
        assert_eq!(netcat.receive(6), b"again\n");
        let line = netcat.error_line();
        assert_eq!(
            line,
            format!("datagram from {}", peer.local_addr().unwrap())
        );
        netcat.send(b"answer\n");
        let mut heard = [0; 64];
        assert_eq!(peer.recv(&mut heard).unwrap(), 7);
    }
    netcat.signal("TERM");
    assert_eq!(netcat.end().code, Some(0));
}

#[test]
fn a_unix_datagram_listener_that_has_heard_enough_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let mut netcat = Driven::netcat(&["-lvU", "-u", "-w", "0.1", path.to_str().unwrap()]);
    assert!(netcat.error_line().starts_with("listening on "));
    let peer = UnixDatagram::unbound().unwrap();
    peer.send_to(b"enough", &path).unwrap();
    netcat.succeeds_with(b"enough");
    assert!(!path.exists());
}

#[test]
fn a_unix_peer_cannot_steer_the_terminal_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let mut netcat = Driven::netcat(&["-lvU", "-u", path.to_str().unwrap()]);
    assert!(netcat.error_line().starts_with("listening on "));
    let peer = UnixDatagram::bind(folder.path().join("a\x1b[31m\nb")).unwrap();
    peer.send_to(b"hello", &path).unwrap();
    assert_eq!(netcat.receive(5), b"hello");
    let line = netcat.error_line();
    assert!(line.starts_with("datagram from \"/"), "{line}");
    assert!(line.ends_with("/a\\u001b[31m\\nb\""), "{line}");
}

#[test]
fn a_udp_peer_that_is_not_there_is_a_failure() {
    let port = free_port().to_string();
    let mut netcat = Driven::netcat(&["-u", "127.0.0.1", &port]);
    netcat.send(b"anyone?\n");
    let ended = netcat.end();
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("connection refused"),
        "{}",
        ended.stderr
    );
}

#[test]
fn unix_datagrams_and_records_keep_their_borders() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("d");
    let mut netcat = Driven::netcat(&["-lvuU", socket.to_str().unwrap()]);
    netcat.error_line();
    let peer = UnixDatagram::bind(folder.path().join("peer")).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer.send_to(b"question", &socket).unwrap();
    assert_eq!(netcat.receive(8), b"question");
    netcat.send(b"answer");
    let mut heard = [0; 64];
    assert_eq!(peer.recv(&mut heard).unwrap(), 6);
    netcat.signal("TERM");
    assert_eq!(netcat.end().code, Some(0));
    assert!(!socket.exists());

    let socket = folder.path().join("p");
    let socket = socket.to_str().unwrap();
    let mut listening = Driven::netcat(&["-lvU", "--seqpacket", "--hexdump", socket]);
    listening.error_line();
    let mut dialling = Driven::netcat(&["-U", "--seqpacket", socket]);
    for word in [&b"one\n"[..], b"three\n"] {
        dialling.send(word);
        assert_eq!(listening.receive(word.len()), word);
    }
    dialling.close_input();
    listening.close_input();
    dialling.succeeds_with(b"");
    let ended = listening.end();
    assert_eq!(ended.code, Some(0));
    assert!(
        ended.stderr.contains(" 6 bytes\n"),
        "one record: {}",
        ended.stderr
    );
}

#[test]
fn a_closed_pipe_at_the_output_is_a_quiet_end() {
    let (mut netcat, mut stream) = client(&[]);
    netcat.close_output();
    // The first may still fit into the pipe's end.
    while stream.write_all(&[b'x'; 4096]).is_ok() {}
    assert_eq!(netcat.end().code, Some(0));
}

#[test]
fn a_wrong_call_is_told_with_status_2() {
    for (args, says) in [
        (&["127.0.0.1"][..], "netcat: PORT: missing operand\n"),
        (&["-l"], "netcat: the port to listen on is missing\n"),
        (
            &["-lz", "1"],
            "netcat: --listen and --scan exclude each other\n",
        ),
        (&["-k", "h", "1"], "netcat: --keep-open needs --listen\n"),
        (
            &["-n", "localhost", "1"],
            "netcat: HOST localhost: a name, and --numeric looks none up\n",
        ),
        (
            &["-z", "127.0.0.1", "9-8"],
            "netcat: PORT 9-8: the range 9-8 ends before it begins\n",
        ),
        (
            &["-q", "-lots", "127.0.0.1", "9"],
            "netcat: --quit-after -lots: expected a duration such as 500ms, 10s or 1.5h\n",
        ),
        (
            &["-w", "0", "127.0.0.1", "9"],
            "netcat: --timeout 0: must be above 0\n",
        ),
    ] {
        let run = program("netcat").args(args).assert().code(2).stdout("");
        let text = String::from_utf8(run.get_output().stderr.clone()).unwrap();
        assert!(text.starts_with(says), "{args:?}: {text}");
    }
}

#[path = "netcat/peers.rs"]
mod peers;
#[path = "netcat/proxies.rs"]
mod proxies;
#[path = "netcat/terminal.rs"]
mod terminal;
