//! Standard input on its way to the peer: one thread for the program's life.
//!
//! A read of a terminal or pipe cannot be cancelled, so the thread that blocks in it outlives
//! connections: with `-k`, the next connection gets what is read next. The rest of the program
//! tells the [`Feed`] who the present peer is, and asks for the state of the input.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::crlf::CrLf;
use super::dump::{Dump, Way};
use super::error::Error;
use super::sink::Sink;
use crate::net::{Conn, DatagramSocket, Deadline};
use crate::server::is_gone;
use crate::sys::poll::{self, Event};

/// How the two directions are handled.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Do not read standard input: there is nothing to send, and no half-close.
    pub detached: bool,
    /// Send CR LF for each lone LF.
    pub crlf: bool,
    /// Answer Telnet's negotiation, and remove it from the data.
    pub telnet: bool,
    /// Wait this long after each line, in both directions.
    pub interval: Option<Duration>,
    /// End when nothing was sent or received for this long.
    pub idle: Option<Duration>,
    /// End this long after the end of the input.
    pub quit_after: Option<Duration>,
    /// Show all data on standard error.
    pub hexdump: bool,
    /// The longest piece that is read from the input at once, in bytes.
    pub piece: usize,
}

/// The input, and its present peer.
pub struct Feed {
    settings: Settings,
    terminal: bool,
    state: Mutex<State>,
    changed: Condvar,
    begun: Instant,
    /// When data last moved, in milliseconds after `begun`.
    last: AtomicU64,
    /// Whether the present peer was given up because nothing moved. Later data does not change
    /// that.
    given_up: AtomicBool,
    dump: Mutex<(Instant, Dump)>,
}

struct State {
    sink: Option<Sink>,
    /// Counts connections: a failure on an earlier one does not matter.
    number: u64,
    sending: bool,
    ended: bool,
    trouble: Option<Error>,
    quit: bool,
    /// For datagrams: a socket that may not have a peer yet.
    listening: Option<DatagramSocket>,
}

/// The state of sending to the present peer.
#[derive(Debug)]
pub enum Sent {
    /// The input has ended, and all of it was sent.
    All,
    /// There may be more to send.
    Open,
    /// Sending failed.
    Failed(Error),
}

impl Feed {
    /// Starts to read standard input, unless the settings say not to.
    pub fn start(settings: Settings) -> Result<Arc<Feed>, Error> {
        let input = io::stdin();
        let feed = Arc::new(Feed {
            terminal: input.is_terminal(),
            state: Mutex::new(State {
                sink: None,
                number: 0,
                sending: false,
                ended: false,
                trouble: None,
                quit: false,
                listening: None,
            }),
            changed: Condvar::new(),
            begun: Instant::now(),
            last: AtomicU64::new(0),
            given_up: AtomicBool::new(false),
            dump: Mutex::new((Instant::now(), Dump::default())),
            settings,
        });
        if !feed.settings.detached {
            // Bypasses std's buffer, which would cost a copy.
            let input = input.as_fd().try_clone_to_owned().map_err(Error::Input)?;
            let input = File::from(input);
            let reader = Arc::clone(&feed);
            thread::Builder::new()
                .name("input".into())
                .spawn(move || reader.read_all(input))
                .map_err(Error::Thread)?;
        }
        Ok(feed)
    }

    /// The settings that it was started with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// From now on the input goes to this peer. If the input has ended already, half-closes at
    /// once.
    pub(super) fn open(&self, sink: Sink) {
        let mut state = self.lock();
        state.number += 1;
        // A failure of the input stays: it may have happened before the first peer.
        if !matches!(state.trouble, Some(Error::Input(_))) {
            state.trouble = None;
        }
        self.given_up.store(false, Ordering::Relaxed);
        if state.ended {
            sink.end();
        }
        if state.quit {
            sink.wake();
        }
        state.sink = Some(sink);
        drop(state);
        self.note_activity();
        *self.dump() = (Instant::now(), Dump::default());
        self.changed.notify_all();
    }

    /// Registers a socket that waits for its first peer, so that [`Feed::quit`] wakes its reader.
    pub(super) fn listen(&self, socket: &DatagramSocket) {
        let mut state = self.lock();
        if state.quit {
            socket.close();
        }
        state.listening = Some(socket.clone());
    }

    /// From now on the input goes to another peer of the same socket.
    pub(super) fn turn_to(&self, sink: Sink) {
        self.lock().sink = Some(sink);
        self.changed.notify_all();
    }

    /// The connection has ended.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.sink = None;
        state.number += 1;
    }

    /// Ends everything: a blocked relay wakes, and later ones end at once.
    pub fn quit(&self) {
        let mut state = self.lock();
        state.quit = true;
        if let Some(sink) = &state.sink {
            sink.wake();
        }
        if let Some(socket) = &state.listening {
            socket.close();
        }
        self.changed.notify_all();
    }

    /// Whether everything was ended, by [`Feed::quit`] or by the time after the end of the input.
    pub fn has_quit(&self) -> bool {
        self.lock().quit
    }

    /// Whether the end of the peer's stream ends the connection: there is no input, or it is a
    /// person's.
    pub(super) fn ends_with_peer(&self) -> bool {
        self.settings.detached || self.terminal
    }

    /// The state of sending. Waits for a write in progress, so call it when the connection is dead,
    /// or when the answer may come late.
    pub(super) fn sent(&self) -> Sent {
        let guard = self.lock();
        let waited = self
            .changed
            .wait_while(guard, |state| state.sending && !state.quit);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        match state.trouble.take() {
            Some(error) => Sent::Failed(error),
            None if state.ended => Sent::All,
            None => Sent::Open,
        }
    }

    /// The failure of the input or of sending so far, if there is one.
    pub(super) fn take_trouble(&self) -> Option<Error> {
        self.lock().trouble.take()
    }

    /// When to end because nothing moves.
    pub(super) fn idle_deadline(&self) -> Deadline {
        let Some(idle) = self.settings.idle else {
            return Deadline::NEVER;
        };
        if self.given_up.load(Ordering::Relaxed) {
            return Deadline::at(self.begun);
        }
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        match self.begun.checked_add(last.saturating_add(idle)) {
            Some(moment) => Deadline::at(moment),
            None => Deadline::NEVER,
        }
    }

    /// Records that data has moved.
    pub(super) fn note_activity(&self) {
        if self.settings.idle.is_some() {
            let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.last.store(now, Ordering::Relaxed);
        }
    }

    /// Shows a piece of data, if the settings ask for it.
    pub(super) fn show(&self, way: Way, bytes: &[u8]) {
        if !self.settings.hexdump {
            return;
        }
        let mut dump = self.dump();
        let time = dump.0.elapsed();
        let rows = dump.1.piece(way, time, bytes);
        // Under the lock, so that the rows of two directions do not mix. A lost row does not
        // matter.
        let _ = io::stderr().write_all(rows.as_bytes());
    }

    /// Waits for the interval, or until everything ends.
    pub(super) fn pause(&self, time: Duration) {
        let guard = self.lock();
        let waited = self.changed.wait_timeout_while(guard, time, |s| !s.quit);
        drop(waited);
    }

    /// The thread: reads to the end of the input.
    fn read_all(&self, mut input: File) {
        self.copy(&mut input);
        self.input_ended();
    }

    /// Copies piece by piece. Letting the kernel move a pipe's pages into the socket (`splice(2)`)
    /// was measured to be slower: with so few pages at a time, both ends keep waiting for each
    /// other.
    fn copy(&self, input: &mut File) {
        let mut buffer = vec![0; self.settings.piece];
        let mut crlf = CrLf::default();
        let mut translated = Vec::new();
        loop {
            if self.terminal {
                self.wait_for_a_line(input);
            }
            let bytes = match input.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => buffer.get(..count).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.lock().trouble = Some(Error::Input(error));
                    break;
                }
            };
            let bytes = match self.settings.crlf {
                true => {
                    translated.clear();
                    crlf.translate(bytes, &mut translated);
                    &translated
                }
                false => bytes,
            };
            for line in pieces(bytes, self.settings.interval) {
                self.send(line);
                if let Some(interval) = self.settings.interval {
                    self.pause(interval);
                }
            }
        }
    }

    /// Blocks until there is a peer and a line for it. A background process that reads from a
    /// terminal is stopped (SIGTTIN), so a `netcat -l &` would never accept a connection. `nc`
    /// waits like this, too.
    fn wait_for_a_line(&self, input: &File) {
        let guard = self.lock();
        drop(self.changed.wait_while(guard, |s| s.sink.is_none()));
        let wait = || poll::wait([(input.as_fd(), Event::Readable)], None);
        // Interrupted when the process was stopped and continued. The read reports any other error.
        while wait().is_err_and(|error| error.kind() == io::ErrorKind::Interrupted) {}
    }

    /// Sends to the present peer; waits for one if there is none.
    fn send(&self, bytes: &[u8]) {
        let guard = self.lock();
        let waited = self.changed.wait_while(guard, |s| s.sink.is_none());
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        let Some(sink) = state.sink.clone() else {
            return;
        };
        let number = state.number;
        state.sending = true;
        drop(state);
        self.show(Way::Sent, bytes);
        let result = sink.send(self, bytes);
        if result.is_ok() {
            self.note_activity();
        }
        let mut state = self.lock();
        state.sending = false;
        if let (Err(error), true) = (result, state.number == number) {
            // The reader of a connection finds out by itself that nothing has moved for too long, or
            // that the peer has gone. It would not learn of anything else, nor that of a datagram
            // socket of anything at all.
            let is_seen = Deadline::is_cause_of(&error) || is_gone(&error);
            match Deadline::is_cause_of(&error) {
                true => self.given_up.store(true, Ordering::Relaxed), // not a failure
                false => state.trouble = Some(Error::Sending(error)),
            }
            state.sink = None;
            if !(is_seen && matches!(sink, Sink::Stream(_))) {
                sink.wake();
            }
        }
        self.changed.notify_all();
    }

    /// Writes all bytes. Blocks while the peer does not read, until nothing has moved for the time
    /// in the settings. Then it fails as when a [`Deadline`] has passed.
    pub(super) fn write(&self, mut conn: &Conn, mut bytes: &[u8]) -> io::Result<()> {
        // From now: nothing may have moved because this program's own output was not read.
        let mut until = Deadline::after_option(self.settings.idle);
        while !bytes.is_empty() {
            conn.set_write_deadline(until);
            match conn.write(bytes) {
                Ok(count) => {
                    bytes = bytes.get(count..).unwrap_or_default();
                    self.note_activity();
                }
                // Something has moved since, perhaps in the other direction.
                Err(error) if Deadline::is_cause_of(&error) && !self.idle_deadline().passed() => {}
                Err(error) => return Err(error),
            }
            until = self.idle_deadline();
        }
        Ok(())
    }

    fn input_ended(&self) {
        let mut state = self.lock();
        state.ended = true;
        if let Some(sink) = &state.sink {
            sink.end();
        }
        drop(state);
        self.changed.notify_all();
        if let Some(time) = self.settings.quit_after {
            self.pause(time);
            self.quit();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dump(&self) -> MutexGuard<'_, (Instant, Dump)> {
        self.dump.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lines in the bytes, each with its end, if there is an interval between them; else all bytes.
pub(super) fn pieces(bytes: &[u8], interval: Option<Duration>) -> impl Iterator<Item = &[u8]> {
    // Without an interval, do not search for lines: an unoptimised build looks at each byte.
    let cut = interval.and(Some(bytes)).unwrap_or_default();
    let whole = interval.is_none().then_some(bytes);
    let whole = whole.into_iter().filter(|bytes| !bytes.is_empty());
    cut.split_inclusive(|byte| *byte == b'\n').chain(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Network, dial, listen};

    /// A feed that ends after `idle`, its peer, and the peer's end of the connection.
    fn opened(idle: Duration) -> (Arc<Feed>, Conn) {
        let settings = Settings {
            detached: true,
            idle: Some(idle),
            ..Settings::default()
        };
        let feed = Feed::start(settings).unwrap();
        let listener = listen(Network::Tcp, "127.0.0.1:0").unwrap();
        let address = listener.local_addr().to_string();
        feed.open(Sink::Stream(dial(Network::Tcp, &address).unwrap()));
        (feed, listener.accept().unwrap())
    }

    #[test]
    fn a_peer_that_reads_nothing_is_given_up_and_what_it_sends_then_changes_nothing() {
        let (feed, _peer) = opened(Duration::from_millis(100));
        feed.send(&vec![b'x'; 64 << 20]); // more than both ends' buffers hold
        assert!(feed.idle_deadline().passed());
        feed.note_activity();
        assert!(feed.idle_deadline().passed());
        assert!(feed.take_trouble().is_none());
    }

    #[test]
    fn a_connection_whose_sending_fails_by_our_own_fault_wakes_its_reader() {
        let (feed, _peer) = opened(Duration::from_secs(60));
        let path = format!("@groundwire-feed-{}", std::process::id());
        let listener = listen(Network::Unixpacket, &path).unwrap();
        let conn = dial(Network::Unixpacket, &path).unwrap();
        let _peer = listener.accept().unwrap();
        feed.open(Sink::Stream(conn.clone()));
        feed.send(&vec![b'x'; 64 << 20]); // EMSGSIZE: no record is so long
        conn.set_read_deadline(Deadline::after(Duration::from_secs(10)));
        assert_eq!((&conn).read(&mut [0; 4]).unwrap(), 0);
        let told = feed.take_trouble().unwrap().to_string();
        assert!(told.starts_with("sending: "), "{told}");
    }

    #[test]
    fn input_that_comes_when_nothing_has_moved_for_long_is_sent() {
        let (mut feed, peer) = opened(Duration::from_secs(60));
        let long_ago = feed.begun.checked_sub(Duration::from_secs(600)).unwrap();
        Arc::get_mut(&mut feed).unwrap().begun = long_ago;
        assert!(feed.idle_deadline().passed());
        feed.send(b"late");
        let mut got = [0; 4];
        peer.set_read_deadline(Deadline::after(Duration::from_secs(10)));
        (&peer).read_exact(&mut got).unwrap();
        assert_eq!(&got, b"late");
        assert!(!feed.idle_deadline().passed());
    }

    #[test]
    fn a_new_connection_has_its_time_and_no_trouble_of_the_last_one() {
        let (mut feed, _peer) = opened(Duration::from_secs(60));
        let sink = feed.lock().sink.clone().unwrap();
        feed.close();
        let long_ago = feed.begun.checked_sub(Duration::from_secs(600)).unwrap();
        Arc::get_mut(&mut feed).unwrap().begun = long_ago;
        feed.given_up.store(true, Ordering::Relaxed);
        feed.lock().trouble = Some(Error::Closed);
        feed.open(sink);
        assert!(!feed.idle_deadline().passed());
        assert!(feed.take_trouble().is_none());
    }

    #[test]
    fn only_an_interval_cuts_at_lines() {
        let cut = |bytes, interval| pieces(bytes, interval).collect::<Vec<&[u8]>>();
        let second = Some(Duration::from_secs(1));
        assert_eq!(cut(b"a\nb", second), [b"a\n".as_slice(), b"b"]);
        assert_eq!(cut(b"a\nb", None), [b"a\nb"]);
        assert!(cut(b"", second).is_empty() && cut(b"", None).is_empty());
    }
}
