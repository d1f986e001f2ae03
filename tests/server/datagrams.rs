//! The server of datagrams, over UDP and Unix sockets.

use std::thread;

use crate::support::{Folder, PATIENCE};
use groundwire::echo::datagram_handler;
use groundwire::net::{self, Deadline, Network};
use groundwire::server::{AccessList, DatagramConfig, DatagramServer, Stopper};

#[test]
fn a_datagram_server_echoes_drops_what_is_too_long_or_denied_and_stops() {
    let denied = AccessList::new(Vec::new(), vec!["127.0.0.9".parse().unwrap()]);
    let config = DatagramConfig {
        max_datagram: 100,
        access: denied,
        ..DatagramConfig::default()
    };
    let socket = net::listen_datagrams(Network::Udp, "127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let server = DatagramServer::new(config, socket, datagram_handler(false));
    let (stats, stopper) = (server.stats(), Stopper::new());
    let watched = stopper.clone();
    let running = thread::spawn(move || server.run(&watched));

    let foe = net::listen_datagrams(Network::Udp, "127.0.0.9:0").unwrap();
    foe.send_to(b"from a denied address", &address).unwrap();
    let friend = net::dial_datagrams(Network::Udp, &address.to_string()).unwrap();
    friend.set_read_deadline(Deadline::after(PATIENCE));
    friend.send(&[1; 101]).unwrap();
    let mut buffer = [0; 256];
    for size in [0, 1, 100] {
        friend.send(&vec![2; size]).unwrap();
        assert_eq!(friend.recv(&mut buffer).unwrap(), size);
    }
    stopper.stop();
    running.join().unwrap().unwrap();
    assert_eq!(stats.line(), "received 5, replied 3, refused 2, failed 0");
}

#[test]
fn unix_datagrams_are_echoed_and_a_sender_without_a_name_harms_nobody() {
    let folder = Folder::new();
    let path = folder.path("d");
    let config = DatagramConfig {
        max_datagram: 100,
        ..DatagramConfig::default()
    };
    let socket = net::listen_datagrams(Network::Unixgram, &path).unwrap();
    let server = DatagramServer::new(config, socket, datagram_handler(false));
    let (stats, stopper) = (server.stats(), Stopper::new());
    let watched = stopper.clone();
    let running = thread::spawn(move || server.run(&watched));

    let nameless = std::os::unix::net::UnixDatagram::unbound().unwrap();
    nameless.send_to(b"no way back", &path).unwrap();
    let client = net::dial_datagrams(Network::Unixgram, &path).unwrap();
    client.set_read_deadline(Deadline::after(PATIENCE));
    client.send(&[1; 101]).unwrap();
    let mut buffer = [0; 256];
    for size in [0, 1, 100] {
        client.send(&vec![2; size]).unwrap();
        assert_eq!(client.recv(&mut buffer).unwrap(), size);
    }
    stopper.stop();
    running.join().unwrap().unwrap();
    assert_eq!(stats.line(), "received 5, replied 3, refused 1, failed 1");
    drop(client);
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 0);
}
