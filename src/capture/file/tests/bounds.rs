//! Where options end, and how much of a name and of a packet is kept.

use super::*;

#[test]
fn no_option_is_read_behind_their_end() {
    let mut file = LITTLE.section();
    file.extend(LITTLE.interface(1, 0, &[(0, b""), (9, &[9])]));
    file.extend(LITTLE.enhanced(0, 7, 0, b""));
    assert_eq!(all(&file)[0].1, 7_000, "microseconds");
}

#[test]
fn of_an_interfaces_name_256_bytes_are_kept_and_written() {
    let long = "x".repeat(300);
    let mut file = LITTLE.section();
    file.extend(LITTLE.interface(1, 0, &[(2, long.as_bytes())]));
    file.extend(LITTLE.enhanced(0, 7, 0, b""));
    let name = |file: &[u8]| {
        let mut reader = CaptureReader::open(file).unwrap();
        let (_, interfaces) = reader.next_with_interfaces().unwrap().unwrap();
        interfaces[0].name.clone().unwrap()
    };
    assert_eq!(name(&file), long[..256]);
    let written = |name: &str| {
        let mut file = Vec::new();
        let mut writer = CaptureWriter::pcapng(&mut file).unwrap();
        let interface = Interface::new(LinkType::ETHERNET, 0, Some(name));
        writer.add_interface(0, &interface).unwrap();
        let packet = Packet::whole(Duration::ZERO, LinkType::ETHERNET, b"");
        writer.write(&packet).unwrap();
        drop(writer);
        file
    };
    assert_eq!(written(&long), written(&long[..256]));
}

#[test]
fn no_more_of_a_packet_is_written_than_is_read() {
    let bytes = vec![7; MAX_PACKET as usize + 1];
    let packet = Packet::whole(Duration::ZERO, LinkType::ETHERNET, &bytes);
    for snap in [0, u32::MAX] {
        let mut file = Vec::new();
        let micro = Precision::Micro;
        let mut writer = CaptureWriter::pcap(&mut file, packet.link, snap, micro).unwrap();
        writer.write(&packet).unwrap();
        drop(writer);
        let read = all(&file);
        let kept = (read[0].3, read[0].5.len() as u32);
        assert_eq!(kept, (MAX_PACKET + 1, MAX_PACKET), "snap length {snap}");
    }
}
