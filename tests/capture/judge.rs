//! tshark judges: of every packet in the captures that Debian's packages ship, and in those made up
//! here, our fields have the values that it prints.
//!
//! All go into one file, so that tshark starts once and what we write is judged as well; a
//! conversation may then go on in another capture, which is only harder. What differs on purpose is
//! in [`DIFFERENT`] and in `docs/capture.md`.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use groundwire::capture::file::{CaptureReader, CaptureWriter};
use groundwire::capture::{LinkType, Packet};

use crate::seeded::Seeded;
use crate::traffic::{Frame, Traffic};

/// What is compared, protocol by protocol.
const FIELDS: &str = "frame.number frame.time_epoch frame.time_relative frame.len frame.cap_len \
    eth.dst eth.src eth.type vlan.id sll.etype arp.opcode arp.src.hw_mac arp.src.proto_ipv4 \
    arp.dst.hw_mac arp.dst.proto_ipv4 \
    ip.version ip.hdr_len ip.dsfield ip.len ip.id ip.flags ip.frag_offset ip.ttl ip.proto \
    ip.checksum ip.src ip.dst ipv6.plen ipv6.nxt ipv6.hlim ipv6.flow ipv6.src ipv6.dst \
    ipv6.fraghdr.offset icmp.type icmp.code icmp.checksum.status icmp.ident icmp.seq icmpv6.type \
    icmpv6.code icmpv6.checksum.status icmpv6.nd.ns.target_address \
    tcp.srcport tcp.dstport tcp.stream tcp.seq tcp.seq_raw tcp.nxtseq tcp.ack tcp.ack_raw \
    tcp.hdr_len tcp.flags tcp.flags.str tcp.window_size_value tcp.window_size tcp.len \
    tcp.urgent_pointer tcp.option_kind tcp.options.mss_val tcp.options.wscale.shift \
    tcp.options.sack_le tcp.options.sack_re tcp.options.timestamp.tsval \
    tcp.options.timestamp.tsecr tcp.analysis.flags tcp.analysis.retransmission \
    tcp.analysis.fast_retransmission tcp.analysis.spurious_retransmission \
    tcp.analysis.out_of_order tcp.analysis.reused_ports tcp.analysis.lost_segment \
    tcp.analysis.ack_lost_segment tcp.analysis.duplicate_ack tcp.analysis.duplicate_ack_num \
    tcp.analysis.duplicate_ack_frame tcp.analysis.keep_alive tcp.analysis.keep_alive_ack \
    tcp.analysis.zero_window tcp.analysis.zero_window_probe tcp.analysis.zero_window_probe_ack \
    tcp.analysis.window_update tcp.analysis.window_full \
    udp.srcport udp.dstport udp.stream udp.length udp.checksum \
    dns.id dns.flags dns.flags.rcode dns.flags.authenticated dns.count.answers dns.qry.name \
    dns.qry.type dns.resp.name dns.resp.type dns.resp.ttl dns.a dns.aaaa dns.cname dns.ns \
    dns.ptr.domain_name dns.mx.mail_exchange dns.txt dns.srv.port dns.srv.target dns.soa.mname \
    http.request.method http.request.uri http.request.version http.response.code \
    http.response.phrase http.host http.user_agent http.server http.date http.content_type \
    http.content_length_header";

/// Where the values differ on purpose: the beginning of the fields' names, what has to be among the
/// packet's protocols, and why.
const DIFFERENT: [(&str, &str, &str); 4] = [
    (
        "dns.",
        ":icmp",
        "what an ICMP error quotes is read up to its TCP or UDP header",
    ),
    (
        "tcp.seq_raw",
        ":icmp",
        "a quoted header has it whenever it is whole; there, only at times",
    ),
    (
        "vlan.id",
        ":ieee8021ad",
        "the outer tag of IEEE 802.1ad is a tag as the inner one",
    ),
    ("http.", ":udp", "HTTP is looked for in TCP only"),
];

/// Where it is not known why some values differ, of less than one packet in 500: acknowledgments of
/// the byte of a zero window probe, which tshark calls unseen at most times, and we always.
const UNEXPLAINED: [&str; 2] = ["tcp.analysis.ack_lost_segment", "tcp.analysis.flags"];

/// How tshark is to read as we say we do: messages show at their heads' end, not at their bodies'.
const AS_OURS: [&str; 4] = [
    "-o",
    "http.desegment_body:FALSE",
    "--disable-protocol",
    "ssdp",
];

/// Files with captures below a folder.
fn find(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = path.to_string_lossy().into_owned();
        let plain = name.strip_suffix(".gz").unwrap_or(&name);
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            find(&path, found);
        } else if [".pcap", ".pcapng", ".cap"]
            .iter()
            .any(|end| plain.ends_with(end))
        {
            found.push(path);
        }
    }
}

/// A file's bytes, out of as many gzips as they are in.
fn bytes(path: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(path).unwrap();
    while bytes.starts_with(&[0x1f, 0x8b]) {
        let packed = place("packed.gz");
        std::fs::write(&packed, &bytes).unwrap();
        let output = Command::new("gzip")
            .arg("-dc")
            .arg(&packed)
            .output()
            .unwrap();
        std::fs::remove_file(&packed).unwrap();
        bytes = output.stdout;
    }
    bytes
}

fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()))
}

/// Whether all of its headers can be ours: no PPPoE, no ISL, whose Ethernet header is another.
fn is_ours(packet: &Packet<'_>) -> bool {
    let links = [0, 1, 101, 108, 113, 228, 229, 276];
    let pppoe = packet
        .bytes
        .get(12..14)
        .is_some_and(|kind| matches!(kind, [0x88, 0x63 | 0x64]));
    let isl = packet.bytes.starts_with(&[1, 0, 0x0c, 0, 0]);
    links.contains(&packet.link.0) && !(packet.link == LinkType::ETHERNET && (pppoe || isl))
}

/// The packets of a file that are ours to read, and how many are not.
fn packets(file: &[u8]) -> (Vec<Frame>, usize) {
    let (mut frames, mut others) = (Vec::new(), 0);
    let Ok(mut reader) = CaptureReader::open(file) else {
        return (frames, 0);
    };
    while let Ok(Some(packet)) = reader.next_packet() {
        if is_ours(&packet) {
            frames.push((
                packet.time,
                packet.link,
                packet.bytes.to_vec(),
                packet.length,
            ));
        } else {
            others += 1;
        }
    }
    (frames, others)
}

fn write(frames: &[Frame], path: &Path) {
    let file = std::fs::File::create(path).unwrap();
    let mut writer = CaptureWriter::pcapng(std::io::BufWriter::new(file)).unwrap();
    for (time, link, bytes, length) in frames {
        let packet = Packet {
            length: *length,
            ..Packet::whole(*time, *link, bytes)
        };
        writer.write(&packet).unwrap();
    }
    writer.flush().unwrap();
}

/// A line of fields for each packet; `None` where the tool is not there.
fn fields(tool: &str, options: &[&str], path: &Path) -> Option<Vec<String>> {
    let mut command = Command::new(tool);
    command
        .args(["-n", "-r"])
        .arg(path)
        .args(options)
        .args(["-T", "fields"]);
    // Ours has no words for protocols that it does not know; what they are is tshark's to say.
    for field in FIELDS.split(' ').chain(["frame.protocols"]) {
        command.args(["-e", field]);
    }
    let output = match command.stderr(Stdio::null()).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        output => output.unwrap(),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    Some(text.lines().map(str::to_string).collect())
}

/// What came of a comparison.
#[derive(Default)]
struct Verdict {
    /// Values that one of both has, and those of them that differ on purpose.
    values: usize,
    on_purpose: usize,
    /// By field: how many differ, and the first that does.
    wrong: BTreeMap<String, (usize, String)>,
}

fn compare(theirs: &[String], ours: &[String], whence: impl Fn(usize) -> String) -> Verdict {
    let mut verdict = Verdict::default();
    for (at, (theirs, ours)) in theirs.iter().zip(ours).enumerate() {
        let protocols = theirs.rsplit('\t').next().unwrap_or_default();
        let columns = theirs.split('\t').zip(ours.split('\t'));
        for (field, (theirs, ours)) in FIELDS.split(' ').zip(columns) {
            verdict.values += usize::from(!theirs.is_empty() || !ours.is_empty());
            let differs = |(name, among, _): &(&str, &str, &str)| {
                field.starts_with(name) && protocols.contains(among)
            };
            if theirs == ours {
                continue;
            }
            if DIFFERENT.iter().any(differs) {
                verdict.on_purpose += 1;
                continue;
            }
            let first = || format!("{}: tshark {theirs:?}, ours {ours:?}", whence(at));
            let entry = verdict.wrong.entry(field.to_string());
            entry.or_insert_with(|| (0, first())).0 += 1;
        }
    }
    verdict
}

/// Judges packets that come from the files named: each name with the number of its first packet.
fn judge(name: &str, frames: &[Frame], files: &[(usize, String)]) {
    let path = place(&format!("{name}.pcapng"));
    write(frames, &path);
    let Some(theirs) = fields("tshark", &AS_OURS, &path) else {
        println!("skipped: tshark is not installed");
        return;
    };
    let ours = fields(env!("CARGO_BIN_EXE_capture"), &[], &path).unwrap();
    assert_eq!((theirs.len(), ours.len()), (frames.len(), frames.len()));
    let verdict = compare(&theirs, &ours, |at| {
        let file = files.iter().rev().find(|(first, _)| *first <= at);
        file.map_or_else(
            || format!("packet {}", at + 1),
            |(first, file)| format!("packet {} ({} of {file})", at + 1, at - first + 1),
        )
    });
    let mut verdict = verdict;
    verdict.wrong.retain(|field, (count, first)| {
        let tolerated = UNEXPLAINED.contains(&field.as_str()) && *count * 500 < frames.len();
        if tolerated {
            println!("{name}: {field} differs {count} times, not explained: {first}");
        }
        !tolerated
    });
    let Verdict {
        values,
        on_purpose,
        wrong,
    } = verdict;
    println!(
        "{name}: {} packets, {values} values, {on_purpose} differ on purpose",
        frames.len()
    );
    assert!(
        values > frames.len() * 15,
        "only {values} values were compared"
    );
    assert!(wrong.is_empty(), "{}: {wrong:#?}", path.display());
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn fields_of_captures_that_debian_ships_are_those_of_tshark() {
    let mut found = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/handshake.pcap")];
    let shipped = std::env::var("GROUNDWIRE_CAPTURES");
    let folders = shipped
        .as_deref()
        .unwrap_or("/usr/share/doc:/usr/share/gocode:/usr/share/sip-tester");
    for folder in folders.split(':') {
        find(Path::new(folder), &mut found);
    }
    found.sort();
    let (mut frames, mut files, mut left_out) = (Vec::new(), Vec::new(), 0);
    for path in found {
        let (some, others) = packets(&bytes(&path));
        files.push((frames.len(), path.display().to_string()));
        frames.extend(some);
        left_out += others;
    }
    println!("{} files, {left_out} packets of them left out", files.len());
    judge("shipped", &frames, &files);
}

#[test]
fn fields_of_made_up_packets_are_those_of_tshark() {
    let mut traffic = Traffic::new();
    let mut parts = Vec::new();
    type Scene = fn(&mut Traffic);
    let cases: [(&str, Scene); 6] = [
        ("links", Traffic::links),
        ("arp", Traffic::arp),
        ("icmp", Traffic::icmp),
        ("fragments", Traffic::fragments),
        ("dns", Traffic::dns),
        ("http", Traffic::http),
    ];
    for (name, make) in cases {
        parts.push((traffic.frames.len(), name.to_string()));
        make(&mut traffic);
    }
    judge("made-up", &traffic.frames, &parts);
}

#[test]
fn troubled_connections_are_analysed_as_by_tshark() {
    let mut random = Seeded::new(20_240_501);
    let mut traffic = Traffic::new();
    let mut parts = Vec::new();
    for connection in 0..60 {
        parts.push((traffic.frames.len(), format!("connection {connection}")));
        // A port is used again now and then.
        let port = 50_000 + random.below(50) as u16;
        let steps = 20 + random.below(60);
        traffic.trouble(&mut random, (port, 7000), steps);
    }
    judge("troubled", &traffic.frames, &parts);
}
