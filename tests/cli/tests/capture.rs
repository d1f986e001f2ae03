//! capture: files and interfaces through the program, beside tshark and tcpdump.

use std::os::unix::process::ExitStatusExt;
use std::process::{Output, Stdio};

use groundwire_cli_tests::{Running, eventually, installed, named_pipe, program};
use tempfile::TempDir;

/// A classic file: two datagrams a second apart, 10.0.0.1 to 10.0.0.2 and back.
fn file() -> Vec<u8> {
    let mut file = Vec::new();
    let words = |file: &mut Vec<u8>, words: &[u32]| {
        words
            .iter()
            .for_each(|word| file.extend(word.to_le_bytes()));
    };
    words(&mut file, &[0xa1b2_c3d4, 0x0004_0002, 0, 0, 65535, 1]);
    for (second, ends) in [(10, [1, 2]), (11, [2, 1])] {
        words(&mut file, &[second, 500_000, 46, 46]);
        file.extend([2, 0, 0, 0, 0, ends[1], 2, 0, 0, 0, 0, ends[0], 8, 0]);
        file.extend([0x45, 0, 0, 32, 0, 0, 0x40, 0, 64, 17, 0, 0]);
        file.extend([10, 0, 0, ends[0], 10, 0, 0, ends[1]]);
        file.extend([0x9c, 0x40, 0x9c, 0x41, 0, 12, 0, 0]);
        file.extend(b"ping");
    }
    file
}

/// A folder of this test's own.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("in.pcap"), file()).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_string()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn capture(args: &[&str], input: &[u8]) -> Output {
    program("capture")
        .args(args)
        .write_stdin(input)
        .output()
        .unwrap()
}

/// Standard output of a run that must succeed and say nothing else.
fn shown(args: &[&str]) -> String {
    let output = capture(args, &file());
    assert_eq!(text(&output.stderr), "", "{args:?}");
    assert_eq!(output.status.code(), Some(0), "{args:?}");
    text(&output.stdout)
}

const LINES: &str = "    1   0.000000     10.0.0.1 → 10.0.0.2     UDP 46 40000 → 40001 Len=4\n    \
                     2   1.000000     10.0.0.2 → 10.0.0.1     UDP 46 40000 → 40001 Len=4\n";

#[test]
fn each_packet_has_a_line_in_the_shape_of_tshark() {
    let folder = Folder::new();
    assert_eq!(shown(&["-n", "-r", &folder.path("in.pcap")]), LINES);
    assert_eq!(shown(&["-nnr", "-"]), LINES);
    assert_eq!(shown(&["-r", "-"]), LINES);
    assert_eq!(shown(&["-r", "-", "-q"]), "");
    assert_eq!(shown(&["-r", "-", "-c", "1"]).lines().count(), 1);
    if installed("tshark") {
        let theirs = std::process::Command::new("tshark")
            .args(["-n", "-r", &folder.path("in.pcap")])
            .output()
            .unwrap();
        assert_eq!(text(&theirs.stdout), LINES);
    }
}

#[test]
fn filters_choose_and_only_a_display_filter_leaves_numbers_as_they_were() {
    let wanted = "ip.src==10.0.0.2";
    assert_eq!(
        shown(&["-r", "-", "-Y", wanted]),
        LINES.lines().nth(1).unwrap().to_owned() + "\n"
    );
    let renumbered = shown(&["-r", "-", "-f", wanted]);
    assert!(
        renumbered.starts_with("    1   0.000000     10.0.0.2 → 10.0.0.1"),
        "{renumbered}"
    );
    let output = capture(&["-r", "-", "-Y", "ip.src=="], &file());
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with("capture: --filter: "));
}

#[test]
fn fields_trees_and_bytes_are_shown_when_asked_for() {
    let args = "-r - -T fields -e frame.number -e ip.addr -E header=y -E separator=;";
    let args: Vec<&str> = args.split(' ').collect();
    assert_eq!(
        shown(&args),
        "frame.number;ip.addr\n1;10.0.0.1,10.0.0.2\n2;10.0.0.2,10.0.0.1\n"
    );
    let bytes = shown(&["-r", "-", "-x", "-c", "1"]);
    assert!(
        bytes.starts_with("0000  02 00 00 00 00 02 02 00 00 00 00 01 08 00 45 00 "),
        "{bytes}"
    );
    assert!(bytes.ends_with(".ping\n\n"), "{bytes}");
    let tree = shown(&["-r", "-", "-V", "-c", "1"]);
    assert!(tree.starts_with("Frame 1: 46 bytes on wire"), "{tree}");
    assert!(
        tree.contains("\nUser Datagram Protocol, Src Port: 40000, Dst Port: 40001\n"),
        "{tree}"
    );
}

#[test]
fn a_connection_is_explained_followed_and_counted() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/handshake.pcap");
    let followed = shown(&["-r", file, "--follow", "tcp,0"]);
    assert!(
        followed.contains("Node 0: 127.0.0.1:47554\nNode 1: 127.0.0.1:7000\n"),
        "{followed}"
    );
    assert_eq!(followed.matches("hello\n").count(), 2, "{followed}");
    let table = shown(&["-r", file, "-q", "-z", "conv,tcp"]);
    assert!(table.contains("TCP Conversations\n"), "{table}");
    assert!(
        table.contains("127.0.0.1:47554            <-> 127.0.0.1:7000"),
        "{table}"
    );
    let explained = shown(&["-r", file, "--explain", "-c", "1"]);
    let mut lines = explained.lines();
    assert!(
        lines.next().is_some_and(|line| line.contains("[SYN]")),
        "{explained}"
    );
    assert!(
        lines
            .next()
            .is_some_and(|line| line.starts_with("        ")),
        "{explained}"
    );
}

#[test]
fn a_file_that_is_cut_shows_its_whole_packets_and_ends_with_an_error() {
    let whole = file();
    let output = capture(&["-r", "-"], &whole[..whole.len() - 1]);
    assert_eq!(
        text(&output.stdout),
        LINES.lines().next().unwrap().to_owned() + "\n"
    );
    assert_eq!(
        text(&output.stderr),
        "capture: standard input: the file is cut off within the packet or block at byte 86\n"
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn what_is_written_in_each_format_is_read_by_all() {
    let folder = Folder::new();
    for (name, format, shows) in [
        ("a.pcap", None, LINES.to_string()),
        ("b.pcapng", None, LINES.replace("000000 ", "000000000 ")),
        (
            "c.pcap",
            Some("nsecpcap"),
            LINES.replace("000000 ", "000000000 "),
        ),
        ("d", Some("pcap"), LINES.to_string()),
    ] {
        let path = folder.path(name);
        let mut args = vec!["-r", "-", "-w", &path];
        args.extend(format.into_iter().flat_map(|format| ["-F", format]));
        assert_eq!(shown(&args), "", "{name}");
        // Nine digits fill the column that six leave room in.
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(squeezed(&shown(&["-r", &path])), squeezed(&shows), "{name}");
        for tool in ["tcpdump", "tshark"]
            .into_iter()
            .filter(|tool| installed(tool))
        {
            let output = std::process::Command::new(tool)
                .args(["-n", "-r", &path])
                .output();
            let output = output.unwrap();
            assert!(
                output.status.success(),
                "{tool} {name}: {}",
                text(&output.stderr)
            );
            assert_eq!(text(&output.stdout).lines().count(), 2, "{tool} {name}");
        }
    }
    let piped = capture(&["-r", "-", "-w", "-", "-Y", "ip.src==10.0.0.2"], &file());
    assert_eq!(
        capture(&["-r", "-", "-q"], &piped.stdout).status.code(),
        Some(0)
    );
}

/// Blocks of a pcapng file: of 32-bit words, and of a kind with this body.
fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32 + 12).to_le_bytes();
    [&kind.to_le_bytes(), &length, body, &length].concat()
}

fn section() -> Vec<u8> {
    block(0x0a0d_0d0a, &words(&[0x1a2b_3c4d, 1, u32::MAX, u32::MAX]))
}

#[test]
fn times_are_as_exact_as_the_interface_of_each_packet_tells_them() {
    // One that counts microseconds, and one that counts nanoseconds (if_tsresol, 9).
    let interface = |resolution| block(1, &words(&[1, 0, 0x0001_0009, resolution, 0]));
    let packet = |interface, units| block(6, &words(&[interface, 0, units, 0, 100]));
    let file = [
        section(),
        interface(6),
        interface(9),
        packet(0, 2_000_000),
        packet(1, 2_000_000_007),
        packet(0, 2_000_009),
    ]
    .concat();
    let lines = text(&capture(&["-r", "-"], &file).stdout);
    let times: Vec<_> = lines
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1))
        .collect();
    assert_eq!(times, ["0.000000", "0.000000007", "0.000009"]);
}

#[test]
fn an_interface_that_kept_little_of_a_packet_cuts_none_of_another() {
    let packet = |interface: u32, length: u32| {
        let head = words(&[interface, 0, 0, length, 100]);
        block(6, &[head, vec![7; length as usize]].concat())
    };
    let file = [
        section(),
        block(1, &words(&[1, 64])), // at most 64 bytes of a packet
        packet(0, 64),
        block(1, &words(&[1, 0])), // all of it
        packet(1, 100),
    ]
    .concat();
    for format in ["pcap", "nsecpcap", "pcapng"] {
        let written = capture(&["-r", "-", "-F", format, "-w", "-"], &file);
        let fields = ["-r", "-", "-T", "fields", "-e", "frame.cap_len"];
        let kept = capture(&fields, &written.stdout);
        assert_eq!(text(&kept.stdout), "64\n100\n", "{format}");
    }
}

#[test]
fn the_file_that_is_read_is_never_overwritten() {
    let folder = Folder::new();
    let path = folder.path("in.pcap");
    let output = capture(&["-r", &path, "-w", &path], b"");
    assert!(text(&output.stderr).ends_with("-r and -w name the same file\n"));
    assert_eq!(std::fs::read(&path).unwrap(), file());
    // The shell hands it over without a name, to read, or to append to.
    let opened = || std::fs::File::open(&path).unwrap().into();
    let appended = || {
        let mut options = std::fs::OpenOptions::new();
        options.append(true).open(&path).unwrap().into()
    };
    let named: [(&str, &str, Stdio, Stdio); 3] = [
        ("-", &path, opened(), Stdio::null()),
        (&path, "-", Stdio::null(), appended()),
        ("-", "-", opened(), appended()),
    ];
    for (read, write, input, output) in named {
        let program = groundwire_cli_tests::path("capture");
        let mut command = std::process::Command::new(program);
        let command = command.args(["-r", read, "-w", write]);
        let command = command.stdin(input).stdout(output).stderr(Stdio::piped());
        let output = command.spawn().unwrap().wait_with_output().unwrap();
        let error = text(&output.stderr);
        assert!(error.ends_with("-r and -w name the same file\n"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), file());
    }
}

#[test]
fn a_device_may_be_read_and_written_at_once() {
    let output = capture(&["-r", "/dev/null", "-w", "/dev/null"], b"");
    let error = text(&output.stderr);
    assert!(!error.contains("same file"), "{error}");
}

#[test]
fn a_full_disk_behind_standard_output_is_told_by_that_name() {
    let full = std::fs::File::create("/dev/full").unwrap();
    let folder = Folder::new();
    let output = std::process::Command::new(groundwire_cli_tests::path("capture"))
        .args(["-r", &folder.path("in.pcap"), "-w", "-"])
        .stdout(full)
        .output()
        .unwrap();
    let words = "capture: standard output: no space left on device\n";
    assert_eq!(text(&output.stderr), words);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn what_cannot_be_is_told_in_one_line() {
    for (args, status, words) in [
        ("", 2, "capture: one of -r FILE and -i INTERFACE is needed"),
        ("-r - -i lo", 2, "capture: -r and -i exclude each other"),
        (
            "-r - -s 96",
            2,
            "capture: --snap is for -i: a file is as it is",
        ),
        (
            "-r /no/such",
            1,
            "capture: /no/such: no such file or directory",
        ),
        (
            "-r - -T fields",
            2,
            "capture: -T fields needs a field, -e FIELD",
        ),
        ("-r - -e ip.addr", 2, "capture: -e and -E are for -T fields"),
        ("-r - -F pcap", 2, "capture: -F is for -w"),
        (
            "-r - -w - -P",
            2,
            "capture: -w - and --print exclude each other",
        ),
        (
            "-i nosuch0",
            1,
            "capture: nosuch0: no such interface (-D lists them)",
        ),
        (
            "-r - port",
            2,
            "capture: port: extra operand: a file is for -r, a filter for -Y\n",
        ),
        (
            "-r - -f src",
            2,
            "capture: --capture-filter: column 1: no field or protocol has the name \"src\"; \
             as Wireshark: tcp.port == 80, ip.addr == 10.0.0.1\n",
        ),
        (
            "-i lo -B 2",
            2,
            "capture: --buffer 2: must be 4KiB to 4095MiB, with its unit",
        ),
    ] {
        let args: Vec<&str> = args.split_whitespace().collect();
        let output = capture(&args, &file());
        assert_eq!(output.status.code(), Some(status), "{args:?}");
        let error = text(&output.stderr);
        assert!(error.starts_with(words), "{args:?}: {error}");
    }
}

#[test]
fn the_interfaces_are_listed_and_the_last_is_any() {
    let list = shown(&["-D"]);
    assert!(list.lines().any(|line| line.ends_with(". lo")), "{list}");
    assert!(list.ends_with(". any\n"), "{list}");
}

/// A capture on loopback that has begun; `None` where this user may not.
fn on_loopback(args: &[&str]) -> Option<Running> {
    let running = Running::start("capture", &[&["-i", "lo"], args].concat());
    let first = running.error_line().unwrap_or_default();
    if first.contains("not permitted") {
        assert!(first.contains("sudo setcap cap_net_raw+ep /"), "{first}");
        eprintln!("skipped: {first}");
        return None;
    }
    assert_eq!(first, "Capturing on 'lo'");
    Some(running)
}

#[test]
fn a_live_capture_shows_and_writes_what_passes() {
    let folder = Folder::new();
    let path = folder.path("out.pcapng");
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let filter = format!("udp.dstport=={}", address.port());
    let Some(running) = on_loopback(&["-f", &filter, "-P", "-c", "1", "-w", &path]) else {
        return;
    };
    // One is enough, but on a busy machine the kernel may drop some.
    for _ in 0..20 {
        socket.send_to(b"hello", address).unwrap();
    }
    let ended = running.end();
    assert_eq!(ended.code, Some(0));
    assert!(
        ended.stderr.starts_with("1 packet captured\n"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.ends_with(" dropped by kernel\n"),
        "{}",
        ended.stderr
    );
    let line = ended.stdout.concat();
    let start = "    1 0.000000000    127.0.0.1 → 127.0.0.1    UDP 47 ";
    assert!(line.starts_with(start), "{line}");
    assert_eq!(shown(&["-r", &path]), format!("{line}\n"));
}

#[test]
fn a_signal_ends_a_live_capture_well() {
    for signal in ["INT", "TERM"] {
        let Some(running) = on_loopback(&["-p", "-f", "frame.len==1"]) else {
            return;
        };
        let ended = running.end_by(signal);
        assert_eq!((ended.code, ended.stdout.len()), (Some(0), 0));
        assert!(
            ended.stderr.starts_with("0 packets captured\n"),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn a_signal_ends_a_live_capture_that_waits_for_the_reader_of_its_pipe() {
    let folder = Folder::new();
    let pipe = folder.path("pipe");
    named_pipe(pipe.as_ref());
    let running = Running::start("capture", &["-i", "lo", "-w", &pipe]);
    let status = format!("/proc/{}/status", running.pid());
    eventually("it waits", || {
        let status = std::fs::read_to_string(&status).unwrap();
        ["State:\tS", "State:\tZ"]
            .iter()
            .any(|state| status.contains(state))
    });
    let ended = running.end_by("TERM");
    if !ended.stderr.contains("not permitted") {
        assert_eq!((ended.status.signal(), &*ended.stderr), (Some(15), ""));
    }
}
