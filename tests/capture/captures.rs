//! The packets that other programs judge: those of the captures that Debian's packages ship, and those
//! made up here.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use groundwire::capture::file::{CaptureReader, CaptureWriter};
use groundwire::capture::{LinkType, Packet};

use crate::seeded::Seeded;
use crate::traffic::{Frame, Traffic};

/// Packets, and which files they come from: each name with the number of its first packet.
pub struct Set {
    pub name: &'static str,
    pub frames: Vec<Frame>,
    pub parts: Vec<(usize, String)>,
}

impl Set {
    /// Where the packet at this place comes from.
    pub fn whence(&self, at: usize) -> String {
        let part = self.parts.iter().rev().find(|(first, _)| *first <= at);
        part.map_or_else(
            || format!("packet {}", at + 1),
            |(first, part)| format!("packet {} ({} of {part})", at + 1, at - first + 1),
        )
    }
}

/// All in the captures that are installed, each packet once: packages have parts of each other's.
pub fn shipped() -> Set {
    let mut found = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/handshake.pcap")];
    let shipped = std::env::var("GROUNDWIRE_CAPTURES");
    let folders = shipped
        .as_deref()
        .unwrap_or("/usr/share/doc:/usr/share/gocode:/usr/share/sip-tester");
    for folder in folders.split(':') {
        find(Path::new(folder), &mut found);
    }
    found.sort();
    let (mut frames, mut parts, mut left_out) = (Vec::new(), Vec::new(), 0);
    let mut seen = HashSet::new();
    for path in found {
        let (mut some, others) = packets(&bytes(&path));
        some.retain(|frame| !seen.contains(frame));
        seen.extend(some.iter().cloned());
        parts.push((frames.len(), path.display().to_string()));
        frames.extend(some);
        left_out += others;
    }
    println!("{} files, {left_out} packets of them left out", parts.len());
    let name = "shipped";
    Set {
        name,
        frames,
        parts,
    }
}

/// Every header that is decoded.
pub fn made_up() -> Set {
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
    Set {
        name: "made-up",
        frames: traffic.frames,
        parts,
    }
}

/// Connections in which everything goes wrong that can.
pub fn troubled() -> Set {
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
    Set {
        name: "troubled",
        frames: traffic.frames,
        parts,
    }
}

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

pub fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()))
}

/// Whether all of its headers can be ours: no PPPoE; no ISL, whose Ethernet header is another; no ARP
/// but for IPv4 over Ethernet's addresses, which is data to us.
fn is_ours(packet: &Packet<'_>) -> bool {
    let links = [0, 1, 101, 108, 113, 228, 229, 276];
    let pppoe = packet
        .bytes
        .get(12..14)
        .is_some_and(|kind| matches!(kind, [0x88, 0x63 | 0x64]));
    let arp = packet.bytes.get(12..14) == Some(&[8, 6]);
    let other_arp = arp && packet.bytes.get(16..20) != Some(&[8, 0, 6, 4]);
    let isl = packet.bytes.starts_with(&[1, 0, 0x0c, 0, 0]);
    links.contains(&packet.link.0)
        && !(packet.link == LinkType::ETHERNET && (pppoe || isl || other_arp))
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

/// Writes them as pcapng.
pub fn write(frames: &[Frame], path: &Path) {
    let file = std::fs::File::create(path).unwrap();
    let mut writer = CaptureWriter::pcapng(file).unwrap();
    for (time, link, bytes, length) in frames {
        let packet = Packet {
            length: *length,
            ..Packet::whole(*time, *link, bytes)
        };
        writer.write(&packet).unwrap();
    }
    writer.flush().unwrap();
}

/// The lines that a program prints of a capture; `None` where it is not there.
pub fn lines(tool: &str, options: &[&str], path: &Path) -> Option<Vec<String>> {
    let mut command = Command::new(tool);
    command.args(["-n", "-r"]).arg(path).args(options);
    let output = match command.stderr(Stdio::null()).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        output => output.unwrap(),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    Some(text.lines().map(str::to_string).collect())
}
