//! Standard input on its way to the peer: one thread for the program's life.
//!
//! A read of a terminal or pipe cannot be taken back, so the thread that blocks in it outlives
//! connections: with `-k` the next one gets what is read next. The other side of a [`Feed`]
//! names the peer of the moment, and asks how the input stands.

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
use crate::sys::poll::{self, Event};

/// How the two directions are treated.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Do not read standard input: there is nothing to send, and no half-close.
    pub detached: bool,
    /// Send CR LF for each lone LF.
    pub crlf: bool,
    /// Answer Telnet's negotiation, and take it out of the data.
    pub telnet: bool,
    /// Wait this long after each line, in both directions.
    pub interval: Option<Duration>,
    /// End when nothing was sent or received for this long.
    pub idle: Option<Duration>,
    /// End this long after the end of the input.
    pub quit_after: Option<Duration>,
    /// Show all data on standard error.
    pub hexdump: bool,
    /// The longest piece that is read from the input and sent at once, in bytes.
    pub piece: usize,
}

/// The input, and where it goes at the moment.
pub struct Feed {
    settings: Settings,
    terminal: bool,
    state: Mutex<State>,
    changed: Condvar,
    begun: Instant,
    /// When data was last moved: milliseconds after `begun`.
    last: AtomicU64,
    /// The peer of the moment was given up for lack of activity: nothing that comes changes that.
    given_up: AtomicBool,
    dump: Mutex<(Instant, Dump)>,
}

struct State {
    sink: Option<Sink>,
    /// Counts connections: a failure on an earlier one is of no interest.
    number: u64,
    sending: bool,
    ended: bool,
    trouble: Option<Error>,
    quit: bool,
    /// For datagrams: a socket that may not have a peer yet.
    listening: Option<DatagramSocket>,
}

/// How sending to the peer of the moment has gone.
#[derive(Debug)]
pub enum Sent {
    /// The input is at its end, and all of it was sent.
    All,
    /// There may be more to come.
    Open,
    /// It went wrong.
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
            // Not by way of std's buffer, which would cost a copy.
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

    /// The settings it was started with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// From now on the input goes to this peer. When it has ended already, the peer is told so.
    pub(super) fn open(&self, sink: Sink) {
        let mut state = self.lock();
        state.number += 1;
        // What is wrong with the input stays so: it may have been found before the first peer.
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

    /// A socket that waits for its first peer: [`Feed::quit`] wakes its reader.
    pub(super) fn listen(&self, socket: &DatagramSocket) {
        let mut state = self.lock();
        if state.quit {
            socket.close();
        }
        state.listening = Some(socket.clone());
    }

    /// The input goes to another peer of the same socket from now on.
    pub(super) fn turn_to(&self, sink: Sink) {
        self.lock().sink = Some(sink);
        self.changed.notify_all();
    }

    /// The connection is over.
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

    /// Whether the end has come by [`Feed::quit`], or by the time after the end of the input.
    pub fn has_quit(&self) -> bool {
        self.lock().quit
    }

    /// Whether the peer's end is the end: nothing is to be sent, or a person would have to.
    pub(super) fn ends_with_peer(&self) -> bool {
        self.settings.detached || self.terminal
    }

    /// How sending stands. Waits for a write under way: to be called when the connection is dead
    /// or the answer may be late.
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

    /// What went wrong with the input or with sending so far.
    pub(super) fn take_trouble(&self) -> Option<Error> {
        self.lock().trouble.take()
    }

    /// When it is time to end for lack of activity.
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

    /// Data has moved.
    pub(super) fn note_activity(&self) {
        if self.settings.idle.is_some() {
            let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.last.store(now, Ordering::Relaxed);
        }
    }

    /// Shows a piece of data, if that was asked for.
    pub(super) fn show(&self, way: Way, bytes: &[u8]) {
        if !self.settings.hexdump {
            return;
        }
        let mut dump = self.dump();
        let time = dump.0.elapsed();
        let rows = dump.1.piece(way, time, bytes);
        // Still locked, so that the rows of two directions do not mix. A lost row ends nothing.
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

    /// Piece by piece. To let the kernel move a pipe's pages into the socket (`splice(2)`) was measured
    /// to take longer: so few pages at a time keep both ends waiting for each other.
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

    /// Blocks until there is a peer, and something typed for it. Whoever reads from a terminal in the
    /// background is stopped (SIGTTIN), and a `netcat -l &` would never take a connection. `nc` waits
    /// like this, too.
    fn wait_for_a_line(&self, input: &File) {
        let guard = self.lock();
        drop(self.changed.wait_while(guard, |s| s.sink.is_none()));
        let wait = || poll::wait([(input.as_fd(), Event::Readable)], None);
        // Interrupted when it was stopped and goes on. What else is wrong the read will tell.
        while wait().is_err_and(|error| error.kind() == io::ErrorKind::Interrupted) {}
    }

    /// Sends to the peer of the moment; waits for one if there is none.
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
            match Deadline::is_cause_of(&error) {
                // Idle for too long: whoever reads finds that, and it is no failure.
                true => self.given_up.store(true, Ordering::Relaxed),
                false => state.trouble = Some(Error::Sending(error)),
            }
            state.sink = None;
            // Whoever reads from a datagram socket learns of it in no other way.
            if !matches!(sink, Sink::Stream(_)) {
                sink.wake();
            }
        }
        self.changed.notify_all();
    }

    /// Writes all of the bytes; blocks while the peer does not read, until nothing has moved for
    /// the time in the settings. Fails then as past a [`Deadline`].
    pub(super) fn write(&self, mut conn: &Conn, mut bytes: &[u8]) -> io::Result<()> {
        // From now: nothing may have moved because our own output was not read.
        let mut until = Deadline::after_option(self.settings.idle);
        while !bytes.is_empty() {
            conn.set_write_deadline(until);
            match conn.write(bytes) {
                Ok(count) => {
                    bytes = bytes.get(count..).unwrap_or_default();
                    self.note_activity();
                }
                // Something has moved since, be it the other way.
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

/// The lines of the bytes, each with its end, when there is an interval between them; else all.
pub(super) fn pieces(bytes: &[u8], interval: Option<Duration>) -> impl Iterator<Item = &[u8]> {
    // What is not cut is not searched either: a build without optimisation looks at each byte.
    let cut = interval.and(Some(bytes)).unwrap_or_default();
    let whole = interval.is_none().then_some(bytes);
    let whole = whole.into_iter().filter(|bytes| !bytes.is_empty());
    cut.split_inclusive(|byte| *byte == b'\n').chain(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Network, dial, listen};

    /// A feed that ends after so long, its peer, and the peer's end.
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
