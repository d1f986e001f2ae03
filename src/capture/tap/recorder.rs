//! Shows and records everything that passes: one clock, one order, one file.
//!
//! The relay records bytes *before* it passes them on. So an answer is never recorded before its
//! question, although each direction has a thread of its own.
//!
//! What can go wrong: the file cannot be written, because the disk is full or the file is a pipe
//! without a reader. This is reported once, and the relay goes on without the file, which ends with
//! a whole packet. If standard output has lost its reader, lines are dropped without a report.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::conversation::{Conversation, Datagrams, other};
use super::transcript::{Show, Transcript};
use crate::capture::decode::{Decoder, Settings};
use crate::capture::file::{CaptureWriter, FileError, Interface, Precision};
use crate::capture::flow::{Direction, Ends, Rule};
use crate::capture::packet::{LinkType, Packet};
use crate::capture::show::{Options, Summary};
use crate::cli::{Out, explain};
use crate::server::{lock, mix};
use crate::telemetry::{Counter, Log};

/// Shows and records what passes.
pub struct Recorder {
    show: Show,
    seed: u64,
    begun: Instant,
    out: Out,
    log: Log,
    path: PathBuf,
    /// Whether anything is shown or recorded: checked before any lock is taken.
    wanted: bool,
    lossy: AtomicBool,
    packets: Counter,
    sinks: Mutex<Sinks>,
}

#[derive(Default)]
struct Sinks {
    file: Option<CaptureWriter<WholeParts>>,
    /// For [`Show::Packets`].
    lines: Option<Lines>,
    text: String,
}

/// Packets as lines: one decoder for all connections, as in a capture.
struct Lines {
    decoder: Decoder,
    summary: Summary,
}

/// The state of one connection, or of one client's datagrams.
pub struct Track {
    state: Mutex<State>,
}

struct State {
    made_up: MadeUp,
    transcript: Transcript,
}

enum MadeUp {
    Stream(Conversation),
    Datagrams(Datagrams),
}

/// What happened on a track.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The client and the target were connected.
    Opened(&'a str, &'a str),
    /// The target was not reached, and why.
    Refused(&'a str),
    /// Bytes, or a datagram, about to be sent.
    Passed(Direction, &'a [u8]),
    /// A direction ended.
    Ended(Direction),
    /// The sender of this direction reset the connection.
    Reset(Direction),
    /// Both directions were closed, this one first.
    Cut(Direction),
    /// Anything else worth a line.
    Note(&'a str),
}

impl Recorder {
    /// A recorder without a file. `seed` decides sequence numbers; the rules give the protocol of a
    /// port, for [`Show::Packets`].
    pub fn new(show: Show, seed: u64, decode_as: Vec<Rule>, log: Log) -> Self {
        let lines = (show == Show::Packets).then(|| Lines {
            decoder: Decoder::new(Settings {
                decode_as,
                ..Settings::default()
            }),
            summary: Summary::new(Options::default()),
        });
        Self {
            show,
            seed,
            begun: Instant::now(),
            out: Out::lines(),
            log,
            path: PathBuf::new(),
            wanted: show != Show::None,
            lossy: AtomicBool::new(false),
            packets: Counter::default(),
            sinks: Mutex::new(Sinks {
                lines,
                ..Sinks::default()
            }),
        }
    }

    /// The same with a new file: pcapng if its name ends so, otherwise pcap. At most `snap` bytes
    /// of each packet are written (0 means all).
    pub fn with_file(mut self, path: &Path, snap: u32) -> Result<Self, FileError> {
        let parts = WholeParts::create(path)?;
        let mut file = match path.extension().is_some_and(|end| end == "pcapng") {
            false => CaptureWriter::pcap(parts, LinkType::RAW, snap, Precision::Nano)?,
            true => {
                let mut file = CaptureWriter::pcapng(parts)?;
                file.add_interface(0, &Interface::new(LinkType::RAW, snap, Some("wiretap")))?;
                file
            }
        };
        file.flush()?;
        lock(&self.sinks).file = Some(file);
        self.path = path.to_path_buf();
        self.wanted = true;
        Ok(self)
    }

    /// The state for connection `number`, which begins, with these ends in its packets.
    pub fn stream(&self, number: u64, ends: Ends) -> Track {
        let seed = mix(self.seed) ^ number;
        self.track(number, MadeUp::Stream(Conversation::new(ends, seed)))
    }

    /// The datagrams of client `number`.
    pub fn datagrams(&self, number: u64, ends: Ends) -> Track {
        self.track(number, MadeUp::Datagrams(Datagrams::new(ends)))
    }

    fn track(&self, number: u64, made_up: MadeUp) -> Track {
        Track {
            state: Mutex::new(State {
                made_up,
                transcript: Transcript::new(self.show, number),
            }),
        }
    }

    /// Packets written to the file so far.
    pub fn written(&self) -> u64 {
        self.packets.get()
    }

    /// Whether the file lacks something that passed.
    pub fn is_incomplete(&self) -> bool {
        self.lossy.load(Ordering::Relaxed)
    }

    /// Shows and records an event. Blocks while the disk or the reader of standard output does.
    pub fn record(&self, track: &Track, event: Event<'_>) {
        if !self.wanted {
            return;
        }
        let mut state = lock(&track.state);
        let mut sinks = lock(&self.sinks);
        sinks.text.clear();
        state.show(self.begun.elapsed(), event, &mut sinks.text);
        if sinks.file.is_some() || sinks.lines.is_some() {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            match state.packets_of(now.unwrap_or_default(), event, &mut sinks) {
                Ok(count) => self.packets.add(count),
                Err(error) => {
                    sinks.file = None;
                    self.lost(&error);
                }
            }
        }
        if !sinks.text.is_empty() {
            drop(self.out.write_all(sinks.text.as_bytes())); // its reader may have gone
        }
    }

    fn lost(&self, error: &FileError) {
        self.lossy.store(true, Ordering::Relaxed);
        self.log.warn(
            "wiretap",
            "the capture file ends here, the relay goes on",
            &[("file", &self.path.display()), ("cause", &explain(error))],
        );
    }
}

impl State {
    fn show(&mut self, time: Duration, event: Event<'_>, out: &mut String) {
        let transcript = &mut self.transcript;
        match (event, &self.made_up) {
            (Event::Opened(client, target), _) => transcript.opened(time, client, target, out),
            (Event::Refused(why) | Event::Note(why), _) => transcript.note(time, why, out),
            (Event::Passed(way, bytes), MadeUp::Stream(_)) => {
                transcript.passed(time, way, bytes, out);
            }
            (Event::Passed(way, bytes), MadeUp::Datagrams(_)) => {
                transcript.datagram(time, way, bytes, out);
            }
            (Event::Ended(way), _) => transcript.ended(time, way, out),
            (Event::Reset(way), _) => transcript.reset(time, way, out),
            (Event::Cut(way), _) => transcript.cut(time, way, out),
        }
    }

    /// Writes the packets of an event, all or none of them, and shows them; returns how many were
    /// written.
    fn packets_of(
        &mut self,
        time: Duration,
        event: Event<'_>,
        Sinks { file, lines, text }: &mut Sinks,
    ) -> Result<u64, FileError> {
        let (mut written, mut count) = (Ok(()), 0);
        self.packets(time, event, &mut |packet| {
            if let Some(Lines { decoder, summary }) = lines {
                summary.line(&decoder.decode(&packet), text);
                text.push('\n');
            }
            if let (Some(file), true) = (&mut *file, written.is_ok()) {
                written = file.write(&packet);
                count += 1;
            }
        });
        written?;
        if let (Some(file), true) = (file, count > 0) {
            file.flush()?;
        }
        Ok(count)
    }

    fn packets(&mut self, time: Duration, event: Event<'_>, emit: &mut dyn FnMut(Packet<'_>)) {
        match (&mut self.made_up, event) {
            (MadeUp::Stream(tcp), Event::Opened(..)) => tcp.open(time, emit),
            (MadeUp::Stream(tcp), Event::Refused(_)) => tcp.refuse(time, emit),
            (MadeUp::Stream(tcp), Event::Passed(way, bytes)) => tcp.data(time, way, bytes, emit),
            (MadeUp::Stream(tcp), Event::Ended(way)) => tcp.end(time, way, emit),
            (MadeUp::Stream(tcp), Event::Reset(way)) => tcp.reset(time, way, emit),
            (MadeUp::Stream(tcp), Event::Cut(way)) => {
                tcp.end(time, way, emit);
                tcp.end(time, other(way), emit);
            }
            (MadeUp::Datagrams(udp), Event::Passed(way, bytes)) => {
                udp.datagram(time, way, bytes, emit);
            }
            (_, Event::Note(_)) | (MadeUp::Datagrams(_), _) => {}
        }
    }
}

/// A file that gets everything written between two flushes, or nothing of it: if a disk fills up in
/// the middle of a packet, readers would otherwise complain about the file.
#[derive(Debug)]
struct WholeParts {
    file: File,
    part: Vec<u8>,
    /// The length of the file, up to the last whole part.
    good: u64,
}

impl WholeParts {
    fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: File::create(path)?,
            part: Vec::new(),
            good: 0,
        })
    }
}

impl Write for WholeParts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.part.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = self.file.write_all(&self.part);
        match written {
            Ok(()) => self.good += self.part.len() as u64,
            // Fails on a pipe: its reader already has the bytes.
            Err(_) => {
                let _ = self.file.set_len(self.good);
                let _ = self.file.seek(SeekFrom::Start(self.good));
            }
        }
        self.part.clear();
        written
    }
}
