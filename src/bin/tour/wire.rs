//! The stop about packets: what the stops before it have sent, packet by packet.
//!
//! Stops where a client talks to a server put a relay between the two ([`tap`], [`tap_datagrams`]),
//! which records what passes as packets, in one capture file for the whole tour.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

use groundwire::capture::decode::{Decoded, Decoder, Layer, Settings, TcpFlags};
use groundwire::capture::file::{CaptureReader, FileError};
use groundwire::capture::show::{Options, Summary};
use groundwire::capture::tap::fault::Faults;
use groundwire::capture::tap::{DatagramRelay, Recorder, Relay, RelayConfig, Show};
use groundwire::cli;
use groundwire::net::{self, Dialer, Network};
use groundwire::server::{Config, Running, Server, Stopper};
use groundwire::telemetry::Log;

use super::stops::{self, PATIENCE, Result, Told, ensure};

/// The recorder and its file, from [`begin`] on.
static RECORDER: OnceLock<(Arc<Recorder>, PathBuf)> = OnceLock::new();
/// The name of the stop that reads the file.
pub const STOP: &str = "capture";
/// More clients than any stop has.
const CLIENTS: usize = 16;

/// From here on, traffic through the taps is recorded in this file, which is made anew.
pub fn begin(path: &Path) -> std::result::Result<(), FileError> {
    let recorder = Recorder::new(Show::None, 0, Vec::new(), Log::off()).with_file(path, 0)?;
    RECORDER.get_or_init(|| (Arc::new(recorder), path.to_path_buf()));
    Ok(())
}

/// The same, to a new file in the folder for temporary files.
pub fn begin_anywhere() -> Result<()> {
    let path = cli::temporary("groundwire-tour", ".pcap", |path| File::create_new(path))?;
    Ok(begin(&path)?)
}

/// A relay before a server. Without a recorder there is none, and the address is the server's own.
pub struct Tap {
    pub address: String,
    running: Option<Running>,
}

/// Puts one before a TCP server.
pub fn tap(server: &str) -> Result<Tap> {
    let Some((recorder, _)) = RECORDER.get() else {
        return Ok(Tap {
            address: server.to_string(),
            running: None,
        });
    };
    let listener = net::listen(Network::Tcp, "127.0.0.1:0")?;
    let address = listener.local_addr().to_string();
    let relay = Relay::new(config(Network::Tcp, server), recorder.clone());
    let running = Server::new(Config::default(), relay).start(listener)?;
    Ok(Tap {
        address,
        running: Some(running),
    })
}

impl Tap {
    /// Waits until all that has passed is recorded.
    pub fn stop(self) -> Result<()> {
        self.running.map_or(Ok(()), |running| {
            running.stop()?;
            Ok(())
        })
    }
}

/// The same for datagrams.
pub struct DatagramTap {
    pub address: String,
    running: Option<(Stopper, JoinHandle<std::io::Result<()>>)>,
}

/// Puts one before a UDP server.
pub fn tap_datagrams(server: &str) -> Result<DatagramTap> {
    let Some((recorder, _)) = RECORDER.get() else {
        return Ok(DatagramTap {
            address: server.to_string(),
            running: None,
        });
    };
    let socket = net::listen_datagrams(Network::Udp, "127.0.0.1:0")?;
    let address = socket.local_addr()?.to_string();
    let (config, recorder) = (config(Network::Udp, server), recorder.clone());
    let relay = DatagramRelay::new(config, recorder, Log::off(), socket, CLIENTS);
    let stopper = Stopper::new();
    let watched = stopper.clone();
    let thread = thread::Builder::new().spawn(move || relay.run(&watched))?;
    Ok(DatagramTap {
        address,
        running: Some((stopper, thread)),
    })
}

impl DatagramTap {
    /// Ends it. Every datagram that was answered has passed by then.
    pub fn stop(self) -> Result<()> {
        if let Some((stopper, thread)) = self.running {
            stopper.stop();
            thread.join().map_err(|_| "the relay panicked")??;
        }
        Ok(())
    }
}

fn config(network: Network, server: &str) -> RelayConfig {
    RelayConfig {
        target: (network, server.to_string()),
        dialer: Dialer::default(),
        faults: Faults::default(),
        seed: 0,
        idle: Some(PATIENCE),
    }
}

/// The stop: the file is read again.
pub fn capture() -> Result<Told> {
    let (_, path) = RECORDER
        .get()
        .ok_or("no capture file could be made; see --write")?;
    let mut seen = read(path)?;
    if seen.handshake.len() < 3 {
        // No stop before this one had a TCP connection.
        stops::tcp()?;
        seen = read(path)?;
    }
    ensure(
        seen.handshake.len() == 3,
        "there is no handshake in the file",
    )?;
    let counts: Vec<String> = seen
        .counts
        .iter()
        .map(|(what, count)| format!("{count} {what}"))
        .collect();
    let mut lines = vec![format!(
        "{} packets, of a relay that stood between client and server and made up their headers: \
         no privilege was needed",
        seen.count
    )];
    lines.push("a connection begins with the handshake, in three of them:".into());
    let handshake = seen.handshake.iter();
    lines.extend(handshake.map(|line| format!("  {}", line.trim())));
    lines.push(
        "in words: I begin here; so do I, and I have heard you; I have heard you, too".into(),
    );
    lines.push(format!("what they carry: {}", counts.join(", ")));
    lines.push(format!("see them all: capture -r {}", path.display()));
    Ok(Told {
        lines,
        read: "src/capture/decode/, flow/, show/, tap/; docs/capture.md, docs/wiretap.md",
    })
}

/// What a capture file has.
#[derive(Default)]
struct Seen {
    count: u64,
    /// The lines of the first handshake.
    handshake: Vec<String>,
    counts: BTreeMap<&'static str, u64>,
}

fn read(path: &Path) -> Result<Seen> {
    let mut reader = CaptureReader::open(File::open(path)?)?;
    let (mut decoder, mut summary) = (
        Decoder::new(Settings::default()),
        Summary::new(Options::default()),
    );
    let mut seen = Seen::default();
    let mut shown = None;
    while let Some(packet) = reader.next_packet()? {
        let decoded = decoder.decode(&packet);
        seen.count += 1;
        *seen.counts.entry(kind(&decoded)).or_default() += 1;
        let stream = decoded.segment.map(|segment| segment.stream);
        if shown.is_none() && is_syn(&decoded) {
            shown = stream;
        }
        if shown.is_some() && shown == stream && seen.handshake.len() < 3 {
            let mut line = String::new();
            summary.line(&decoded, &mut line);
            seen.handshake.push(line);
        }
    }
    Ok(seen)
}

/// Whether it is the first segment of a connection.
fn is_syn(decoded: &Decoded<'_>) -> bool {
    decoded.layers.as_slice().iter().any(|layer| match layer {
        Layer::Tcp(tcp) => tcp.flags.has(TcpFlags::SYN) && !tcp.flags.has(TcpFlags::ACK),
        _ => false,
    })
}

/// What the innermost layer with a name is.
fn kind(decoded: &Decoded<'_>) -> &'static str {
    let named = |layer: &Layer<'_>| match layer {
        Layer::Tcp(_) => Some("TCP"),
        Layer::Udp(_) => Some("UDP"),
        Layer::Dns(_) | Layer::Mdns(_) | Layer::Llmnr(_) => Some("DNS"),
        Layer::Http(_) => Some("HTTP"),
        Layer::Rpc(_) => Some("RPC"),
        _ => None,
    };
    let layers = decoded.layers.as_slice();
    layers.iter().rev().find_map(named).unwrap_or("other")
}
