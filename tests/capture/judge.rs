//! tshark judges: of every packet in the captures that Debian's packages ship, and in those made up
//! here, our fields have the values that it prints.
//!
//! All go into one file, so that tshark starts once and what we write is judged as well; a
//! conversation may then go on in another capture, which is only harder. What differs on purpose is
//! in [`DIFFERENT`] and in `docs/capture.md`.

use std::collections::BTreeMap;
use std::path::Path;

use crate::captures::{Set, lines, made_up, place, shipped, troubled, write};

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
    http.request http.response http.request.method http.request.uri http.request.version http.response.code \
    http.response.phrase http.host http.user_agent http.server http.date http.content_type \
    http.content_length_header";

/// Where the values differ on purpose: the beginning of the fields' names, what has to be among the
/// packet's protocols (`$`: at their end), and why.
const DIFFERENT: [(&str, &str, &str); 6] = [
    (
        "dns.",
        ":icmp",
        "what an ICMP error quotes is read up to its TCP or UDP header",
    ),
    (
        "tcp.analysis.",
        ":icmp",
        "that a quoted SYN uses ports again is no mark of the error",
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
    (
        "ip.",
        ":icmp:ip$",
        "an IP header that is quoted and cut is not shown in parts",
    ),
    ("http.", ":udp", "HTTP is looked for in TCP only"),
];

/// Where it is not known why some values differ, of less than one packet in 500: acknowledgments of
/// the byte of a zero window probe, which tshark calls unseen at most times, and we always.
const UNEXPLAINED: [&str; 2] = ["tcp.analysis.ack_lost_segment", "tcp.analysis.flags"];

/// How tshark is to read as we say we do: messages show at their heads' end, not at their bodies'.
pub const AS_OURS: [&str; 4] = [
    "-o",
    "http.desegment_body:FALSE",
    "--disable-protocol",
    "ssdp",
];

/// A line of fields for each packet; `None` where the tool is not there.
fn fields(tool: &str, options: &[&str], path: &Path) -> Option<Vec<String>> {
    let mut options = [options, &["-T", "fields"]].concat();
    // Ours has no words for protocols that it does not know; what they are is tshark's to say.
    for field in FIELDS.split(' ').chain(["frame.protocols"]) {
        options.extend(["-e", field]);
    }
    lines(tool, &options, path)
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
                let among = match among.strip_suffix('$') {
                    Some(last) => protocols.ends_with(last),
                    None => protocols.contains(among),
                };
                field.starts_with(name) && among
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

fn judge(set: &Set) {
    let path = place(&format!("{}.pcapng", set.name));
    write(&set.frames, &path);
    let Some(theirs) = fields("tshark", &AS_OURS, &path) else {
        println!("skipped: tshark is not installed");
        return;
    };
    let ours = fields(env!("CARGO_BIN_EXE_capture"), &[], &path).unwrap();
    let (name, count) = (set.name, set.frames.len());
    assert_eq!((theirs.len(), ours.len()), (count, count));
    let mut verdict = compare(&theirs, &ours, |at| set.whence(at));
    verdict.wrong.retain(|field, (wrong, first)| {
        let tolerated = UNEXPLAINED.contains(&field.as_str()) && *wrong * 500 < count;
        if tolerated {
            println!("{name}: {field} differs {wrong} times, not explained: {first}");
        }
        !tolerated
    });
    let Verdict {
        values,
        on_purpose,
        wrong,
    } = verdict;
    println!("{name}: {count} packets, {values} values, {on_purpose} differ on purpose");
    assert!(values > count * 15, "only {values} values were compared");
    assert!(wrong.is_empty(), "{}: {wrong:#?}", path.display());
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn fields_of_captures_that_debian_ships_are_those_of_tshark() {
    judge(&shipped());
}

#[test]
fn fields_of_made_up_packets_are_those_of_tshark() {
    judge(&made_up());
}

#[test]
fn troubled_connections_are_analysed_as_by_tshark() {
    judge(&troubled());
}
