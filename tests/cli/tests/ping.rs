//! ping: over loopback, across a router that is a namespace, and beside the system's own tools.

use std::process::Command;

use groundwire_cli_tests::{Running, installed, namespace, path, program};

/// Whether this user may send echo requests here; says so when not.
fn allowed() -> bool {
    let output = program("ping")
        .args(["-c1", "-q", "127.0.0.1"])
        .output()
        .unwrap();
    let forbidden = output.status.code() == Some(2);
    if forbidden {
        eprintln!(
            "skipped: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    !forbidden
}

/// Standard output, standard error and status.
fn ping(args: &[&str]) -> (String, String, Option<i32>) {
    let output = program("ping").args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        text(output.stdout),
        text(output.stderr),
        output.status.code(),
    )
}

/// The text with every number behind `key`, or several with slashes between, replaced by `N`.
fn without(text: &str, key: &str) -> String {
    let number = |c: char| c.is_ascii_digit() || matches!(c, '.' | '/');
    let mut parts = text.split(key);
    let first = parts.next().unwrap_or_default().to_string();
    parts.fold(first, |kept, part| {
        format!("{kept}{key}N{}", part.trim_start_matches(number))
    })
}

/// The text without what differs from run to run.
fn stable(text: &str) -> String {
    ["time=", ", time ", "mdev = "]
        .iter()
        .fold(text.to_string(), |text, key| without(&text, key))
}

#[test]
fn loopback_answers_and_the_lines_are_those_of_iputils() {
    if !allowed() {
        return;
    }
    let (out, err, code) = ping(&["-c", "2", "-i", "0.01", "127.0.0.1"]);
    assert_eq!(
        stable(&out),
        "PING 127.0.0.1 (127.0.0.1) 56(84) bytes of data.\n\
         64 bytes from 127.0.0.1: icmp_seq=1 ttl=64 time=N ms\n\
         64 bytes from 127.0.0.1: icmp_seq=2 ttl=64 time=N ms\n\
         \n\
         --- 127.0.0.1 ping statistics ---\n\
         2 packets transmitted, 2 received, 0% packet loss, time Nms\n\
         rtt min/avg/max/mdev = N ms\n"
    );
    assert_eq!((err.as_str(), code), ("", Some(0)));
}

#[test]
fn a_name_is_shown_with_its_address_unless_numbers_are_wanted() {
    if !allowed() {
        return;
    }
    let (out, _, code) = ping(&["-4", "-c1", "localhost"]);
    assert!(
        out.starts_with("PING localhost (127.0.0.1) 56(84) bytes of data.\n"),
        "{out}"
    );
    assert!(
        out.contains("\n64 bytes from localhost (127.0.0.1): icmp_seq=1 "),
        "{out}"
    );
    assert_eq!(code, Some(0));
    let (out, _, _) = ping(&["-4", "-n", "-c1", "localhost"]);
    assert!(
        out.contains("\n64 bytes from 127.0.0.1: icmp_seq=1 "),
        "{out}"
    );
    let (out, _, _) = ping(&["-q", "-c1", "127.0.0.1"]);
    assert!(
        !out.contains("icmp_seq") && out.contains("1 received"),
        "{out}"
    );
}

#[test]
fn payloads_of_any_size_come_back() {
    if !allowed() {
        return;
    }
    for size in ["0", "1", "8", "1473", "65507"] {
        let (out, err, code) = ping(&["-c1", "-s", size, "127.0.0.1"]);
        let bytes = size.parse::<u32>().unwrap() + 8;
        assert!(
            out.contains(&format!("\n{bytes} bytes from ")),
            "{out}{err}"
        );
        assert_eq!(code, Some(0), "{size}");
    }
}

#[test]
fn what_is_no_address_or_name_exits_with_2() {
    let (out, err, code) = ping(&["127.1"]);
    assert_eq!((out.as_str(), code), ("", Some(2)));
    let why = "ping: address 127.1: an IPv4 address has four octets, this has 2\n";
    assert!(err.starts_with(why), "{err}");
    let (_, err, code) = ping(&["-6", "127.0.0.1"]);
    assert_eq!(err, "ping: 127.0.0.1: it has no IPv6 address\n");
    assert_eq!(code, Some(2));
    let (_, err, code) = ping(&["fe80::1%nolink"]);
    assert_eq!(
        err,
        "ping: look up fe80::1%nolink: there is no interface named nolink\n"
    );
    assert_eq!(code, Some(2));
}

#[test]
fn an_interrupt_prints_the_statistics_and_exits_with_0_after_a_reply() {
    if !allowed() {
        return;
    }
    let running = Running::start("ping", &["-i", "60", "127.0.0.1"]);
    assert!(running.line().unwrap().starts_with("PING "));
    assert!(running.line().unwrap().contains("icmp_seq=1"));
    let ended = running.end_by("INT");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(
        ended.stdout[1], "--- 127.0.0.1 ping statistics ---",
        "{ended:?}"
    );
    assert!(
        ended.stdout[2].starts_with("1 packets transmitted, 1 received, 0% "),
        "{ended:?}"
    );
    assert_eq!(ended.stderr, "");
}

#[test]
fn a_closed_pipe_ends_it_without_a_word() {
    if !allowed() {
        return;
    }
    let script = "\"$0\" -i 0.01 127.0.0.1 | head -1";
    let ping = path("ping");
    let output = Command::new("sh")
        .args(["-c", script])
        .arg(ping)
        .output()
        .unwrap();
    assert_eq!(output.stderr, b"");
    assert!(output.stdout.starts_with(b"PING "));
}

#[test]
fn with_a_deadline_the_count_is_one_of_replies() {
    if !allowed() {
        return;
    }
    let sent = |out: &str| {
        let line = out
            .lines()
            .find(|line| line.contains(" packets transmitted, "));
        let count = line.unwrap().split(' ').next();
        count.unwrap().parse::<u32>().unwrap()
    };
    let (out, _, code) = ping(&["-w", "1.25", "-i", "0.5", "127.0.0.1"]);
    assert!((1..=3).contains(&sent(&out)), "{out}");
    assert_eq!(code, Some(0));
    let (out, _, code) = ping(&["-c", "2", "-w", "20", "-i", "0.2", "127.0.0.1"]);
    assert!(out.contains(", 2 received, "), "{out}");
    assert_eq!(code, Some(0));
    let (out, _, code) = ping(&["-c", "2", "-w", "0", "-i", "0.2", "127.0.0.1"]);
    assert!(out.contains(", 2 received, "), "0 is no deadline: {out}");
    assert_eq!(code, Some(0));
    let (out, _, code) = ping(&["-c", "5", "-w", "1.25", "-i", "0.5", "127.0.0.1"]);
    assert!((1..=3).contains(&sent(&out)), "{out}");
    assert_eq!(code, Some(1));
}

/// What both kinds of socket have to show, across the router.
const ACROSS: &str = "
go() { $AS ping \"$@\"; echo \"status $?\"; }
go -c1 10.9.2.2
go -c1 fd09:2::2
go -c1 -t1 10.9.2.2
go -c1 -t1 fd09:2::2
go -c1 10.77.0.1
go -w20 -i 0.05 10.77.0.1
ip netns exec s sysctl -qw net.ipv4.icmp_echo_ignore_all=1
go -c2 -i 0.05 -W 0.3 10.9.2.2
go -c1 -s 3000 -t1 10.9.2.2
go -c1 -s 3000 -t1 fd09:2::2
go -q -c1 10.9.1.1
timeout --preserve-status -s INT 0.3 $AS ping 10.9.2.2; echo \"status $?\"
";

/// What [`ACROSS`] prints, apart from the heads and the numbers that vary.
const SEEN: [&str; 11] = [
    "64 bytes from 10.9.2.2: icmp_seq=1 ttl=63 time=N ms|1 packets transmitted, 1 received, 0% packet loss, time Nms|rtt min/avg/max/mdev = N ms|status 0",
    "64 bytes from fd09:2::2: icmp_seq=1 ttl=63 time=N ms|1 packets transmitted, 1 received, 0% packet loss, time Nms|rtt min/avg/max/mdev = N ms|status 0",
    "From 10.9.1.1 icmp_seq=1 Time to live exceeded|1 packets transmitted, 0 received, +1 errors, 100% packet loss, time Nms|status 1",
    "From fd09:1::1 icmp_seq=1 Time exceeded: Hop limit|1 packets transmitted, 0 received, +1 errors, 100% packet loss, time Nms|status 1",
    "From 10.9.1.1 icmp_seq=1 Destination Net Unreachable|1 packets transmitted, 0 received, +1 errors, 100% packet loss, time Nms|status 1",
    "From 10.9.1.1 icmp_seq=1 Destination Net Unreachable|1 packets transmitted, 0 received, +1 errors, 100% packet loss, time Nms|status 1",
    "2 packets transmitted, 0 received, 100% packet loss, time Nms|status 1",
    "From 10.9.1.1 icmp_seq=1 Time to live exceeded|1 packets transmitted, 0 received, +1 errors, 100% packet loss, time Nms|status 1",
    "From fd09:1::1 icmp_seq=1 Time exceeded: Hop limit|1 packets transmitted, 0 received, +1 errors, 100% packet loss, time Nms|status 1",
    "1 packets transmitted, 1 received, 0% packet loss, time Nms|rtt min/avg/max/mdev = N ms|status 0",
    "1 packets transmitted, 0 received, 100% packet loss, time Nms|status 1",
];

fn assert_seen(printed: &str) {
    let text = stable(printed);
    let noise =
        |line: &&str| line.is_empty() || line.starts_with("PING ") || line.starts_with("---");
    let lines: Vec<&str> = text.lines().filter(|line| !noise(line)).collect();
    let expected: Vec<&str> = SEEN.iter().flat_map(|part| part.split('|')).collect();
    assert_eq!(lines, expected, "{printed}");
}

#[test]
fn a_raw_socket_tells_replies_silence_and_who_could_not_deliver() {
    if let Some(printed) = namespace::run(ACROSS) {
        assert_seen(&printed);
    }
}

/// Runs what follows without the capability that raw sockets need.
const UNPRIVILEGED: &str = "setpriv --bounding-set=-net_raw --inh-caps=-net_raw";

#[test]
fn a_datagram_socket_tells_the_same_without_privilege() {
    if !installed("setpriv") {
        return;
    }
    let allow = "sysctl -qw net.ipv4.ping_group_range='0 0'";
    let script = format!("{allow}; AS='{UNPRIVILEGED}'; {ACROSS}");
    if let Some(printed) = namespace::run(&script) {
        assert_seen(&printed);
    }
}

/// Lets `ping` run once with each kind of socket, the router answering in turn as each mode says;
/// `None` where that cannot be. What is printed has a line `MODE` before each.
fn answered(modes: &[&str], args: &str) -> Option<[String; 2]> {
    if !installed("setpriv") || !installed("python3") {
        return None;
    }
    let each = |mode: &&str| {
        format!("echo {mode}; answer {mode}; $AS ping {args}; echo \"status $?\"; quiet\n")
    };
    let runs: String = modes.iter().map(each).collect();
    let allow = "sysctl -qw net.ipv4.ping_group_range='0 0'";
    let raw = namespace::run(&format!("{}{runs}", namespace::ANSWER))?;
    let datagram = format!("{}{allow}; AS='{UNPRIVILEGED}'\n{runs}", namespace::ANSWER);
    Some([raw, namespace::run(&datagram)?])
}

#[test]
fn a_redirect_or_a_source_quench_ends_nothing_and_the_reply_counts() {
    let Some(printed) = answered(&["redirect", "quench"], "-c 2 -i 0.05 10.9.1.1") else {
        return;
    };
    for printed in printed {
        assert!(!printed.contains("ping: "), "{printed}");
        let both = printed.matches("2 packets transmitted, 2 received, 0% ");
        assert_eq!(both.count(), 2, "{printed}");
        assert_eq!(printed.matches("\nstatus 0\n").count(), 2, "{printed}");
    }
}

#[test]
fn an_error_about_one_request_does_not_keep_the_next_from_leaving() {
    let Some(printed) = answered(&["flood"], "-q -c 100 -i 0.01 10.9.1.1") else {
        return;
    };
    for printed in printed {
        assert!(!printed.contains("ping: "), "{printed}");
        assert!(printed.contains("100 packets transmitted, "), "{printed}");
    }
}

#[test]
fn an_error_with_filling_or_extensions_is_told_whatever_the_size_of_the_request() {
    let modes = [
        "extended",
        "extended-much",
        "extended-old",
        "cut-and-filled",
    ];
    for size in [0, 56, 101, 1400] {
        let args = format!("-c 1 -W 5 -s {size} 10.9.1.1");
        let Some(printed) = answered(&modes, &args) else {
            return;
        };
        for printed in printed {
            let told = printed.matches("\nFrom 10.9.1.1 icmp_seq=1 Time to live exceeded\n");
            assert_eq!(told.count(), modes.len(), "{size}: {printed}");
        }
    }
}

#[test]
fn a_parameter_problem_says_where_the_problem_is() {
    let Some(printed) = answered(&["pointer"], "-c 1 -W 5 10.9.1.1") else {
        return;
    };
    for printed in printed {
        assert!(printed.contains(": pointer = 20\n"), "{printed}");
    }
}

#[test]
fn without_either_socket_it_says_what_would_allow_it() {
    if !installed("setpriv") {
        return;
    }
    let script = format!("{UNPRIVILEGED} ping -c1 10.9.2.2; echo \"status $?\"");
    let Some(printed) = namespace::run(&script) else {
        return;
    };
    assert!(
        printed.starts_with("ping: open ip4:icmp: operation not permitted; "),
        "{printed}"
    );
    assert!(
        printed.contains("sysctl -w net.ipv4.ping_group_range="),
        "{printed}"
    );
    assert!(printed.contains("CAP_NET_RAW"), "{printed}");
    assert!(printed.ends_with("status 2\n"), "{printed}");
}

#[test]
fn a_route_that_is_missing_is_an_error_and_no_silence() {
    let script = "ip route del default; ping -c1 10.9.2.2; echo \"status $?\"";
    let Some(printed) = namespace::run(script) else {
        return;
    };
    let why = "ping: send ip4:icmp 10.9.2.2: network is unreachable\nstatus 2\n";
    assert!(printed.ends_with(why), "{printed}");
    assert!(!printed.contains("statistics"), "{printed}");
}

/// What `ping` prints, with each kind of socket.
fn refused(host: &str) -> Option<[String; 2]> {
    if !installed("setpriv") {
        return None;
    }
    let allow = "sysctl -qw net.ipv4.ping_group_range='0 0'";
    let run = format!("ping -c1 -W 0.2 {host}; echo \"status $?\"");
    let raw = namespace::run(&run)?;
    Some([
        raw,
        namespace::run(&format!("{allow}; {UNPRIVILEGED} {run}"))?,
    ])
}

#[test]
fn a_broadcast_address_is_refused_with_the_reason() {
    for host in ["10.9.1.255", "255.255.255.255"] {
        for printed in refused(host).into_iter().flatten() {
            let why = format!("ping: send ip4:icmp {host}: permission denied: a broadcast address");
            assert!(printed.contains(&why), "{printed}");
            assert!(printed.ends_with("status 2\n"), "{printed}");
        }
    }
}

#[test]
fn a_link_local_address_keeps_its_zone_in_errors_and_asks_for_one_without() {
    for printed in refused("fe80::1%lo").into_iter().flatten() {
        let why = "ping: send ip6:icmp fe80::1%lo: network is unreachable\nstatus 2\n";
        assert!(printed.ends_with(why), "{printed}");
    }
    for host in ["fe80::1", "ff02::1"] {
        // A raw socket takes the first link that there is.
        if let Some([_, printed]) = refused(host) {
            let why = "needs a zone, as in fe80::1%eth0\nstatus 2\n";
            assert!(printed.ends_with(why), "{printed}");
        }
    }
}

#[test]
fn the_second_answer_to_one_request_is_a_duplicate() {
    let Some(printed) = answered(&["twice"], "-c 3 -i 0.05 10.9.1.1") else {
        return;
    };
    for printed in printed {
        // After the first answer to the last request nothing is waited for.
        assert_eq!(printed.matches(" ms (DUP!)\n").count(), 2, "{printed}");
        let counts = "\n3 packets transmitted, 3 received, +2 duplicates, 0% packet loss";
        assert!(printed.contains(counts), "{printed}");
    }
}

#[test]
fn a_group_is_asked_and_whoever_is_in_it_answers() {
    let Some(printed) = namespace::run("ping -c 2 -w 20 -i 0.05 ff02::1%v0") else {
        return;
    };
    assert!(printed.contains(" bytes from f"), "{printed}");
    assert!(
        printed.contains(" packets transmitted, 2 received, "),
        "{printed}"
    );
    assert!(!printed.contains("DIFFERENT"), "{printed}");
}

#[test]
fn an_answer_from_another_address_than_was_asked_is_marked() {
    let Some(printed) = answered(&["good"], "-c 1 -W 5 10.9.2.1") else {
        return;
    };
    for printed in printed {
        let line = "64 bytes from 10.9.1.1: icmp_seq=1 ttl=64 time=N ms (DIFFERENT ADDRESS!)";
        assert!(stable(&printed).contains(line), "{printed}");
    }
}

#[test]
fn tshark_finds_our_checksums_right_and_our_numbers_in_place() {
    if !installed("tshark") {
        return;
    }
    // ping goes on until tshark has seen enough, so it does not matter when that begins to look.
    let look = |host: &str, filter: &str, fields: &str| {
        format!(
            "ping -q -i 0.05 -w 20 {host} >/dev/null & p=$!
             tshark -l -n -i lo -f {filter} -c 4 -o ip.check_checksum:TRUE -T fields {fields} 2>/dev/null
             kill $p; wait $p\n"
        )
    };
    let v4 = look(
        "127.0.0.1",
        "icmp",
        "-e icmp.type -e icmp.checksum.status -e icmp.seq -e data.len",
    );
    let v6 = look(
        "::1",
        "icmp6",
        "-e icmpv6.type -e icmpv6.checksum.status -e icmpv6.echo.sequence_number -e data.len",
    );
    let Some(printed) = namespace::run(&format!("{v4}{v6}")) else {
        return;
    };
    let rows: Vec<Vec<&str>> = printed
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    if rows.is_empty() {
        return eprintln!("skipped: tshark may not capture here");
    }
    let types: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    for kind in ["8", "0", "128", "129"] {
        assert!(types.contains(&kind), "{printed}");
    }
    for row in rows {
        assert_eq!(row[1], "1", "a checksum is not good: {printed}");
        assert!(row[2].parse::<u16>().unwrap() >= 1, "{printed}");
        assert!(matches!(row[3], "56" | "48" | "40"), "{printed}"); // it takes some for a timestamp
    }
}
