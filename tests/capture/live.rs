//! Packets off the loopback interface, where this user may have them.

use std::net::UdpSocket;
use std::thread;

use groundwire::capture::LinkType;
use groundwire::capture::live::{Arrival, Live, LiveError, Options};

fn open(interface: &str, options: Options) -> Option<Live> {
    match Live::open(interface, options) {
        Err(error @ LiveError::NotPermitted) => {
            println!("skipped: {error}");
            None
        }
        live => Some(live.unwrap()),
    }
}

/// Sends datagrams of 100 bytes, one whenever no packet waits, until so many have come by; their
/// numbers, lengths, and bytes from the IP header on. (A kernel that is short of room for others'
/// traffic on loopback may drop some.)
fn datagrams(live: &mut Live, header: usize, count: usize) -> Vec<(u8, u32, Vec<u8>)> {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = receiver.local_addr().unwrap();
    let port = to.port().to_be_bytes();
    let (mut sent, mut found) = (0, Vec::new());
    while found.len() < count {
        match live.next_packet().unwrap() {
            Arrival::Packet(packet) => {
                let ip = packet.bytes.get(header..).unwrap_or_default();
                if ip.get(9) == Some(&17) && ip.get(22..24) == Some(&port) {
                    found.push((ip[28], packet.length, ip.to_vec()));
                }
            }
            Arrival::Idle => {
                sent += 1;
                sender.send_to(&[sent; 100], to).unwrap();
            }
            Arrival::Stopped => panic!("nobody has stopped it"),
        }
    }
    found
}

#[test]
fn each_packet_on_loopback_is_seen_once_and_whole() {
    for (interface, link, header) in [
        ("lo", LinkType::ETHERNET, 14),
        ("any", LinkType::LINUX_SLL2, 20),
    ] {
        let Some(mut live) = open(interface, Options::default()) else {
            return;
        };
        assert_eq!(live.link(), link);
        let packets = datagrams(&mut live, header, 20);
        for (number, length, bytes) in &packets {
            assert_eq!(*length as usize, header + 20 + 8 + 100);
            assert_eq!(bytes.get(28..), Some(&[*number; 100][..]));
        }
        assert!(
            packets.is_sorted_by(|one, next| one.0 < next.0),
            "one is there twice"
        );
        assert!(live.counts().arrived >= 20);
    }
}

/// Whether the kernel can leave out what this machine sends: Linux 4.20 (PACKET_IGNORE_OUTGOING).
fn leaves_out_outgoing() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let numbers = release
        .split(['.', '-'])
        .map_while(|part| part.parse::<u32>().ok());
    numbers.take(2).ge([4, 20])
}

#[test]
fn a_packet_on_loopback_takes_the_kernels_room_once() {
    if !leaves_out_outgoing() {
        return;
    }
    let Some(mut live) = open("lo", Options::default()) else {
        return;
    };
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..100 {
        socket.send_to(b"x", socket.local_addr().unwrap()).unwrap();
    }
    let counts = live.counts();
    let (waiting, mut shown) = (counts.arrived - counts.dropped, 0);
    while shown < waiting && matches!(live.next_packet().unwrap(), Arrival::Packet(_)) {
        shown += 1;
    }
    assert_eq!(shown, waiting);
}

#[test]
fn the_snap_length_cuts_the_bytes_and_not_the_length() {
    let options = Options {
        snap: 64,
        ..Options::default()
    };
    for (interface, header) in [("lo", 14), ("any", 20)] {
        let Some(mut live) = open(interface, options) else {
            return;
        };
        let (_, length, bytes) = datagrams(&mut live, header, 1).remove(0);
        assert_eq!((length as usize, bytes.len()), (header + 128, 64 - header));
    }
}

#[test]
fn a_stop_ends_a_capture_that_waits() {
    let Some(mut live) = open("lo", Options::default()) else {
        return;
    };
    let stop = live.stopper();
    let stopping = thread::spawn(move || stop.stop());
    while !matches!(live.next_packet().unwrap(), Arrival::Stopped) {}
    assert!(matches!(live.next_packet(), Ok(Arrival::Stopped)));
    stopping.join().unwrap();
}

#[test]
fn an_interface_that_is_not_there_is_told() {
    let error = Live::open("nosuch0", Options::default()).unwrap_err();
    assert!(error.to_string().contains("no such interface"), "{error}");
}
