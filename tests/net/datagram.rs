//! Datagrams and records: whole, one by one, from the right peer, until the deadline.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixDatagram;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Folder, PATIENCE, Seeded, eventually_blocked, nobody};
use groundwire::net::{self, Addr, Deadline, MAX_UDP_PAYLOAD, Network};

#[test]
fn records_and_datagrams_of_random_sizes_arrive_one_by_one_and_whole() {
    let folder = Folder::new();
    let listener = net::listen(Network::Unixpacket, &folder.path("s")).unwrap();
    let sender = net::dial(Network::Unixpacket, &folder.path("s")).unwrap();
    let receiver = listener.accept().unwrap();
    receiver.set_read_deadline(Deadline::after(PATIENCE));
    let gram = net::listen_datagrams(Network::Unixgram, &folder.path("d")).unwrap();
    gram.set_read_deadline(Deadline::after(PATIENCE));
    let gram_sender = net::dial_datagrams(Network::Unixgram, &folder.path("d")).unwrap();

    let mut random = Seeded::new(7_331);
    let mut buffer = vec![0; 20_001];
    for _ in 0..200 {
        // Several before the first is read, so that they could run together.
        let sent: Vec<Vec<u8>> = (0..1 + random.below(4))
            .map(|_| vec![random.next() as u8; 1 + random.below(20_000)])
            .collect();
        for record in &sent {
            (&sender).write_all(record).unwrap();
            gram_sender.send(record).unwrap();
        }
        for record in &sent {
            let count = (&receiver).read(&mut buffer).unwrap();
            assert!(buffer[..count] == record[..], "{count} of {}", record.len());
            let (count, _) = gram.recv_from(&mut buffer).unwrap();
            assert!(buffer[..count] == record[..], "{count} of {}", record.len());
        }
    }
}

#[test]
fn datagrams_arrive_whole_from_none_to_the_most_that_udp_carries() {
    let server = net::listen_datagrams(Network::Udp, "127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    let client = net::dial_datagrams(Network::Udp, &address).unwrap();
    server.set_read_deadline(Deadline::after(PATIENCE));
    let mut buffer = vec![0; MAX_UDP_PAYLOAD + 1];
    for size in [0, 1, 1_500, MAX_UDP_PAYLOAD] {
        client.send(&vec![7; size]).unwrap();
        let (count, peer) = server.recv_from(&mut buffer).unwrap();
        assert_eq!((count, peer), (size, client.local_addr().unwrap()));
    }
    assert!(client.send(&vec![7; MAX_UDP_PAYLOAD + 1]).is_err());
}

#[test]
fn a_dialled_datagram_socket_hears_its_peer_only() {
    let server = net::listen_datagrams(Network::Udp, "127.0.0.1:0").unwrap();
    let stranger = net::listen_datagrams(Network::Udp, "127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    let client = net::dial_datagrams(Network::Udp, &address).unwrap();
    client.set_read_deadline(Deadline::after(PATIENCE));
    let own = client.local_addr().unwrap();
    stranger.send_to(b"strange", &own).unwrap();
    server.send_to(b"right", &own).unwrap();
    let mut buffer = [0; 16];
    assert_eq!(client.recv(&mut buffer).unwrap(), 5);
}

#[test]
fn a_closed_udp_port_answers_with_a_refusal() {
    let client = net::dial_datagrams(Network::Udp, &nobody()).unwrap();
    client.set_read_deadline(Deadline::after(PATIENCE));
    client.send(b"anybody?").unwrap();
    assert_eq!(
        client.recv(&mut [0; 8]).unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
}

#[test]
fn a_silent_datagram_peer_is_waited_for_until_the_deadline_only() {
    let silent = net::listen_datagrams(Network::Udp, "127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let client = net::dial_datagrams(Network::Udp, &address).unwrap();
    client.send(b"anybody?").unwrap();
    let begun = Instant::now();
    client.set_read_deadline(Deadline::after(Duration::from_millis(100)));
    let error = client.recv(&mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(begun.elapsed() >= Duration::from_millis(100) && begun.elapsed() < PATIENCE);
}

#[test]
fn close_wakes_a_thread_that_waits_for_a_datagram() {
    let folder = Folder::new();
    let bound = net::listen_datagrams(Network::Udp, "127.0.0.1:0").unwrap();
    let address = bound.local_addr().unwrap().to_string();
    let sockets = [
        net::listen_datagrams(Network::Udp, "127.0.0.1:0").unwrap(),
        net::dial_datagrams(Network::Udp, &address).unwrap(),
        net::listen_datagrams(Network::Unixgram, &folder.path("d")).unwrap(),
    ];
    for socket in sockets {
        let (tell, told) = mpsc::channel();
        let waiting = socket.clone();
        let receive = move || tell.send(waiting.recv_from(&mut [0; 8]).map(drop)).unwrap();
        let receiving = thread::Builder::new().name("receiving".into());
        receiving.spawn(receive).unwrap();
        eventually_blocked("receiving", 1);
        socket.close();
        let error = told.recv_timeout(PATIENCE).unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected, "{socket:?}");
    }
    assert!(!folder.0.join("d").exists());
}

#[test]
fn a_closed_socket_still_gives_what_had_come_and_an_empty_datagram_is_not_its_end() {
    let folder = Folder::new();
    let udp = net::listen_datagrams(Network::Udp, "127.0.0.1:0").unwrap();
    let unix = net::listen_datagrams(Network::Unixgram, &folder.path("d")).unwrap();
    for server in [udp, unix] {
        let address = server.local_addr().unwrap().to_string();
        let client = net::dial_datagrams(server.network(), &address).unwrap();
        client.send(b"there").unwrap();
        let (_, peer) = server.recv_from(&mut [0; 8]).unwrap();
        for reply in [&b""[..], b"later"] {
            server.send_to(reply, &peer).unwrap();
        }
        client.close();
        let heard = [(); 3].map(|()| client.recv(&mut [0; 8]).map_err(|error| error.kind()));
        let expected = [Ok(0), Ok(5), Err(ErrorKind::NotConnected)];
        assert_eq!(heard, expected, "{client:?}");
    }
}

#[test]
fn a_closed_udp_socket_takes_nothing_that_is_left_on_the_stack_for_a_sender() {
    // As u16, the family of IPv4 wherever the kernel would have put one. (Not optimised, there is a
    // call between that covers some of it.)
    #[inline(never)]
    fn leave_families() {
        std::hint::black_box([2_u16; 1 << 15]);
    }
    let socket = net::listen_datagrams(Network::Udp, "127.0.0.1:0").unwrap();
    socket.close();
    leave_families();
    let error = socket.recv_from(&mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConnected);
}

#[test]
fn a_unix_datagram_finds_its_way_back_and_leaves_no_file() {
    let folder = Folder::new();
    let path = folder.path("d");
    let server = net::listen_datagrams(Network::Unixgram, &path).unwrap();
    let client = net::dial_datagrams(Network::Unixgram, &path).unwrap();
    client.send(b"there").unwrap();
    let mut buffer = [0; 16];
    let (count, peer) = server.recv_from(&mut buffer).unwrap();
    assert!(matches!(peer, Addr::Unix(Some(_))));
    server.send_to(&buffer[..count], &peer).unwrap();
    assert_eq!(client.recv(&mut buffer).unwrap(), 5);
    drop((client, server));
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 0);
}

#[test]
fn a_name_that_another_process_of_the_same_number_has_is_passed_over() {
    let folder = Folder::new();
    let path = folder.path("d");
    let server = net::listen_datagrams(Network::Unixgram, &path).unwrap();
    let first = net::dial_datagrams(Network::Unixgram, &path).unwrap();
    let own = first.local_addr().unwrap().to_string();
    let (name, number) = own.rsplit_once('-').unwrap();
    let number: u64 = number.parse().unwrap();
    // As one in another container would have them; other tests here take numbers, too.
    let others = (number + 1..number + 40).map(|n| UnixDatagram::bind(format!("{name}-{n}")));
    let _others: Vec<_> = others.map(Result::unwrap).collect();
    let client = net::dial_datagrams(Network::Unixgram, &path).unwrap();
    client.send(b"there").unwrap();
    let (_, peer) = server.recv_from(&mut [0; 8]).unwrap();
    assert_eq!(peer, client.local_addr().unwrap());
}

#[test]
fn where_no_file_can_be_a_unix_datagram_finds_its_way_back_to_an_abstract_name() {
    let folder = Folder::new();
    // A server's name may be this long; a client's, which is made of it, would be longer.
    let path = folder.path(&"p".repeat(107 - folder.path("").len()));
    let server = net::listen_datagrams(Network::Unixgram, &path).unwrap();
    let clients = [(); 2].map(|()| net::dial_datagrams(Network::Unixgram, &path).unwrap());
    for client in &clients {
        client.set_read_deadline(Deadline::after(PATIENCE));
        client.send(b"there").unwrap();
        let mut buffer = [0; 16];
        let (count, peer) = server.recv_from(&mut buffer).unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        assert!(peer.to_string().starts_with('@'), "{peer}");
        server.send_to(&buffer[..count], &peer).unwrap();
        assert_eq!(client.recv(&mut buffer).unwrap(), 5);
    }
}
