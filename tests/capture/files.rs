//! What is read costs no memory; what is written, tcpdump, tshark and editcap read, and back.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use groundwire::capture::file::{
    CaptureReader, CaptureWriter, FileError, Format, MAX_BLOCK, MAX_PACKET, Precision,
};
use groundwire::capture::{LinkType, Packet};
use groundwire::sys::counting;

use crate::captures::place;

/// A datagram over Ethernet to a port that no tool decodes further, with `size` bytes.
fn frame(size: usize) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    let ip = (28 + size) as u16;
    frame.extend([0x45, 0]);
    frame.extend(ip.to_be_bytes());
    frame.extend([0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    frame.extend(40_000_u16.to_be_bytes());
    frame.extend(40_001_u16.to_be_bytes());
    frame.extend((8 + size as u16).to_be_bytes());
    frame.extend([0, 0]);
    frame.resize(42 + size, b'x');
    frame
}

/// Times, bytes and lengths on the wire; every seventh packet is cut.
fn traffic() -> Vec<(Duration, Vec<u8>, u32)> {
    let packet = |number: u32| {
        let mut bytes = frame(number as usize * 11 % 1400);
        let length = bytes.len() as u32;
        if number % 7 == 0 {
            bytes.truncate(42);
        }
        let time = Duration::new(1_700_000_000 + u64::from(number), number * 1_000_001);
        (time, bytes, length)
    };
    (0..500).map(packet).collect()
}

fn write(format: Format, packets: &[(Duration, Vec<u8>, u32)]) -> Vec<u8> {
    let mut file = Vec::new();
    let writer = match format {
        Format::Pcap(precision) => CaptureWriter::pcap(&mut file, LinkType::ETHERNET, 0, precision),
        Format::PcapNg => CaptureWriter::pcapng(&mut file),
    };
    let mut writer = writer.unwrap();
    for (time, bytes, length) in packets {
        let packet = Packet {
            length: *length,
            ..Packet::whole(*time, LinkType::ETHERNET, bytes)
        };
        writer.write(&packet).unwrap();
    }
    writer.flush().unwrap();
    drop(writer);
    file
}

fn read(file: &[u8]) -> Vec<(Duration, Vec<u8>, u32)> {
    let mut reader = CaptureReader::open(file).unwrap();
    let mut packets = Vec::new();
    while let Some(packet) = reader.next_packet().unwrap() {
        assert_eq!((packet.link, packet.interface), (LinkType::ETHERNET, 0));
        packets.push((packet.time, packet.bytes.to_vec(), packet.length));
    }
    packets
}

const FORMATS: [(Format, &str); 3] = [
    (Format::Pcap(Precision::Micro), "pcap"),
    (Format::Pcap(Precision::Nano), "nsecpcap"),
    (Format::PcapNg, "pcapng"),
];

#[test]
fn reading_allocates_nothing_for_a_packet() {
    for (format, name) in FORMATS {
        let some: Vec<_> = traffic().into_iter().cycle().take(10_000).collect();
        let file = write(format, &some);
        let mut reader = CaptureReader::open(&file[..]).unwrap();
        // What describes the interface stands before the first packet.
        assert!(reader.next_packet().unwrap().is_some());
        let (count, asked) = counting::allocations(|| {
            let mut count = 1;
            while reader.next_packet().unwrap().is_some() {
                count += 1;
            }
            count
        });
        assert_eq!((count, asked), (10_000, 0), "{name}");
    }
}

#[test]
fn memory_grows_with_what_arrives_and_never_with_what_a_length_claims() {
    let claim = |format, tail: &[u8]| {
        let mut file = write(format, &[]);
        file.extend(tail);
        file
    };
    let word = |number: u32| number.to_ne_bytes();
    let long_record = [[0; 4], [0; 4], word(MAX_PACKET + 1), word(MAX_PACKET + 1)].concat();
    let full_record = [[0; 4], [0; 4], word(MAX_PACKET), word(MAX_PACKET)].concat();
    let cases = [
        claim(Format::Pcap(Precision::Micro), &long_record),
        claim(Format::Pcap(Precision::Micro), &full_record),
        claim(Format::PcapNg, &[word(6), word(MAX_BLOCK)].concat()),
        claim(Format::PcapNg, &[word(5), word(u32::MAX - 3)].concat()),
    ];
    for file in cases {
        let (result, most) = counting::peak(|| {
            let mut reader = CaptureReader::open(&file[..])?;
            reader.next_packet().map(|_| ())
        });
        assert!(matches!(
            result,
            Err(FileError::Cut { .. } | FileError::LongPacket { .. } | FileError::Block { .. })
        ));
        assert!(most < 600 << 10, "{most} bytes");
    }
}

/// Standard output and standard error of a tool that must succeed; `None` where it is not there.
fn run(tool: &str, args: &[&str], file: &Path) -> Option<(String, String)> {
    let file = file.to_str().unwrap();
    let args: Vec<&str> = args
        .iter()
        .map(|arg| if *arg == "FILE" { file } else { arg })
        .collect();
    let output = match Command::new(tool).args(&args).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("skipped: {tool} is not installed");
            return None;
        }
        output => output.unwrap(),
    };
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{tool} {args:?}: {err}");
    Some((out, err))
}

/// The time as a file of this format keeps it.
fn kept(format: Format, time: Duration) -> Duration {
    match format {
        Format::Pcap(Precision::Micro) => Duration::from_micros(time.as_micros() as u64),
        _ => time,
    }
}

#[test]
fn tcpdump_and_tshark_read_what_we_write_without_complaint() {
    let packets = traffic();
    for (format, name) in FORMATS {
        let path = place(&format!("written.{name}"));
        std::fs::write(&path, write(format, &packets)).unwrap();
        if let Some((out, err)) = run("tcpdump", &["-n", "-r", "FILE"], &path) {
            assert_eq!(out.lines().count(), packets.len(), "{name}");
            assert_eq!(err.lines().count(), 1, "{name}: {err}");
            assert!(err.starts_with("reading from file"), "{name}: {err}");
        }
        let fields = "-n -r FILE -T fields -e frame.time_epoch -e frame.len -e frame.cap_len";
        let args: Vec<&str> = fields.split(' ').collect();
        if let Some((out, _)) = run("tshark", &args, &path) {
            let expected = packets.iter().map(|(time, bytes, length)| {
                let time = kept(format, *time);
                let (seconds, nanoseconds) = (time.as_secs(), time.subsec_nanos());
                format!("{seconds}.{nanoseconds:09}\t{length}\t{}\n", bytes.len())
            });
            assert_eq!(out, expected.collect::<String>(), "{name}");
        }
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn what_editcap_makes_of_our_files_is_read_the_same() {
    let packets = traffic();
    let ours = place("ours.pcapng");
    std::fs::write(&ours, write(Format::PcapNg, &packets)).unwrap();
    let also_modified = [(Format::Pcap(Precision::Micro), "modpcap")];
    for (format, name) in FORMATS.into_iter().chain(also_modified) {
        let theirs = place(&format!("theirs.{name}"));
        let theirs_name = theirs.to_str().unwrap().to_string();
        if run("editcap", &["-F", name, "FILE", &theirs_name], &ours).is_none() {
            break;
        }
        let file = std::fs::read(&theirs).unwrap();
        assert_eq!(
            CaptureReader::open(&file[..]).unwrap().format(),
            format,
            "{name}"
        );
        let expected: Vec<_> = packets
            .iter()
            .map(|(time, bytes, length)| (kept(format, *time), bytes.clone(), *length))
            .collect();
        assert!(read(&file) == expected, "{name}");
        std::fs::remove_file(&theirs).unwrap();
    }
    std::fs::remove_file(&ours).unwrap();
}
