//! A file that many threads log to and one thread writes.

use std::cell::RefCell;
use std::fmt::Display;
use std::fs::{File, OpenOptions, metadata};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::entry::{Entry, Format};
use crate::net::plain_words;
use crate::server::is_due;
use crate::telemetry::Log;

/// How many bytes of lines may wait for the disk. Lines beyond that are lost. 1 MiB.
pub const CAPACITY: usize = 1 << 20;
/// When this many bytes wait, the writer does not wait for more.
const ENOUGH: usize = 64 << 10;
/// How long a line waits for more, at most.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a flush or a drop waits for the writer. A disk may hang, and a pipe may have no reader;
/// neither must keep a program from ending.
const STUCK: Duration = Duration::from_secs(2);

/// How many lines there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Handed to the system.
    pub written: u64,
    /// Lost, because the buffer was full or the system refused them.
    pub lost: u64,
}

/// An open access log. Dropping it writes the waiting lines and ends its thread.
#[derive(Debug)]
pub struct AccessLog {
    shared: Arc<Shared>,
    format: Format,
    /// `None` for standard output.
    path: Option<PathBuf>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// The writer waits here for lines, or for the request to flush or to end.
    work: Condvar,
    /// A flush waits here until the writer has written.
    done: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    /// Lines in `waiting`.
    count: u64,
    lines: Lines,
    /// A file that replaces the present one before the next line.
    next_file: Option<File>,
    /// Where to report that lines are lost.
    complaints: Option<Log>,
    /// How many flushes were requested.
    flushes: u64,
    /// How many of them are done.
    flushed: u64,
    is_closed: bool,
    /// The writer has ended.
    is_over: bool,
}

impl AccessLog {
    /// Appends lines to a file, and creates it if it does not exist. Fails if it cannot be opened
    /// or the thread cannot be started.
    pub fn to_file(path: impl Into<PathBuf>, format: Format) -> io::Result<AccessLog> {
        let path = path.into();
        let file = open(&path)?;
        AccessLog::start(file, format, Some(path))
    }

    /// Writes lines to standard output. Fails if it is closed or the thread cannot be started.
    pub fn to_stdout(format: Format) -> io::Result<AccessLog> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        AccessLog::start(file, format, None)
    }

    fn start(file: File, format: Format, path: Option<PathBuf>) -> io::Result<AccessLog> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            work: Condvar::new(),
            done: Condvar::new(),
        });
        let writer = shared.clone();
        let thread = thread::Builder::new()
            .name("access-log".into())
            .spawn(move || writer.run(file))?;
        Ok(AccessLog {
            shared,
            format,
            path,
            thread: Some(thread),
        })
    }

    /// Adds the line of a request. Never waits for the disk, never fails.
    pub fn write(&self, entry: &Entry<'_>) {
        thread_local! {
            static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        let written = LINE.try_with(|line| {
            // Nothing in between logs, so the buffer is free.
            if let Ok(mut line) = line.try_borrow_mut() {
                line.clear();
                self.format.write(entry, &mut line);
                self.shared.append(&line);
            }
        });
        if written.is_err() {
            // The thread is ending and its buffer is gone.
            let mut line = Vec::new();
            self.format.write(entry, &mut line);
            self.shared.append(&line);
        }
    }

    /// From now on, reports lost lines to `log`, at most every ten seconds.
    pub fn complain_to(&self, log: Log) {
        self.shared.lock().complaints = Some(log);
    }

    /// How many lines there were.
    pub fn lines(&self) -> Lines {
        self.shared.lock().lines
    }

    /// Opens the file again, after it was moved away: lines from now on go to the new one. If that
    /// fails, they go where they went. Does nothing on standard output.
    pub fn reopen(&self) -> io::Result<()> {
        if let Some(path) = &self.path {
            let file = open(path)?;
            self.flush();
            self.shared.lock().next_file = Some(file);
        }
        Ok(())
    }

    /// Blocks until every line added before is handed to the system or lost; at most two seconds if
    /// the system takes none.
    pub fn flush(&self) {
        let mut state = self.shared.lock();
        state.flushes += 1;
        let number = state.flushes;
        self.shared.work.notify_one();
        self.shared
            .wait_until_done(state, |state| state.flushed >= number);
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_closed = true;
        self.shared.work.notify_one();
        let is_over = self.shared.wait_until_done(state, |state| state.is_over);
        if let Some(thread) = self.thread.take().filter(|_| is_over) {
            // The writer does not panic; if it has, its lines are gone.
            let _ = thread.join();
        }
    }
}

fn open(path: &PathBuf) -> io::Result<File> {
    // If it is opened for writing only, a FIFO waits for its reader (fifo(7)).
    let is_fifo = metadata(path).is_ok_and(|known| known.file_type().is_fifo());
    let mut options = OpenOptions::new();
    options.create(true).append(true).read(is_fifo).open(path)
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, on: &Condvar, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        on.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the writer until `is_done`, at most [`STUCK`]; returns whether it is.
    fn wait_until_done(
        &self,
        state: MutexGuard<'_, State>,
        is_done: impl Fn(&State) -> bool,
    ) -> bool {
        let waited = self
            .done
            .wait_timeout_while(state, STUCK, |state| !is_done(state));
        is_done(&waited.unwrap_or_else(PoisonError::into_inner).0)
    }

    fn append(&self, line: &[u8]) {
        let mut state = self.lock();
        let before = state.waiting.len();
        if before + line.len() > CAPACITY {
            state.lines.lost += 1;
            return;
        }
        state.waiting.extend_from_slice(line);
        state.count += 1;
        // The first line starts the writer's time; the line that makes it enough ends it. In
        // between the writer is not woken: that costs more than the line.
        let is_first = before == 0;
        let is_enough = before < ENOUGH && state.waiting.len() >= ENOUGH;
        drop(state);
        if is_first || is_enough {
            self.work.notify_one();
        }
    }

    /// The writer's loop: wait, take everything, write it without the lock.
    fn run(&self, mut file: File) {
        let mut lines = Vec::new();
        let mut is_torn = false;
        let (mut told, mut why, complained) = (0, None, Mutex::new(None));
        loop {
            let mut state = self.wait_for_lines();
            std::mem::swap(&mut state.waiting, &mut lines);
            let count = std::mem::take(&mut state.count);
            let flushes = state.flushes;
            if let Some(next) = state.next_file.take() {
                (file, is_torn) = (next, false);
            }
            let is_closed = state.is_closed;
            drop(state);

            let (lost, cause) = write_lines(&mut file, &lines, &mut is_torn);
            lines.clear();
            why = cause.or(why); // it may be reported only later

            let mut state = self.lock();
            state.lines.written += count.saturating_sub(lost);
            state.lines.lost += lost;
            state.flushed = flushes;
            let is_end = is_closed && state.waiting.is_empty();
            let (all_lost, complaints) = (state.lines.lost, state.complaints.clone());
            drop(state);
            // At the end in any case: there is no later moment to report the last ones.
            if all_lost > told && (is_due(&complained) || is_end) {
                if let Some(log) = complaints {
                    complain(&log, all_lost - told, why.take());
                }
                told = all_lost;
            }
            self.lock().is_over = is_end;
            self.done.notify_all();
            if is_end {
                return;
            }
        }
    }

    /// Blocks until there are enough lines, or the oldest has waited long enough, or a flush is
    /// requested.
    fn wait_for_lines(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        let mut until = None;
        while !state.is_closed && state.flushed == state.flushes && state.waiting.len() < ENOUGH {
            if state.waiting.is_empty() {
                state = self.wait(&self.work, state);
                continue;
            }
            let now = Instant::now();
            let end = *until.get_or_insert(now + PATIENCE);
            if now >= end {
                break;
            }
            let waited = self.work.wait_timeout(state, end - now);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }
}

/// Writes whole lines; returns how many the system did not take. If it took only a part of a line,
/// `is_torn`, the next ones begin on a line of their own.
fn write_lines(
    file: &mut impl Write,
    lines: &[u8],
    is_torn: &mut bool,
) -> (u64, Option<io::Error>) {
    let mut rest = lines;
    if *is_torn && !rest.is_empty() && file.write_all(b"\n").is_ok() {
        *is_torn = false;
    }
    while !rest.is_empty() {
        match file.write(rest) {
            Ok(taken @ 1..) => rest = rest.get(taken..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            refused => {
                let taken = lines.len() - rest.len();
                let last = taken.checked_sub(1).and_then(|at| lines.get(at));
                *is_torn |= last.is_some_and(|byte| *byte != b'\n');
                let lost = rest.iter().filter(|byte| **byte == b'\n').count() as u64;
                return (lost, refused.err());
            }
        }
    }
    (0, None)
}

fn complain(log: &Log, lost: u64, cause: Option<io::Error>) {
    let cause = match cause {
        Some(error) => plain_words(&error),
        None => "they came faster than they could be written".into(),
    };
    let fields: [(&str, &dyn Display); 2] = [("lost", &lost), ("cause", &cause)];
    log.error("load-balancer", "lines of the access log are lost", &fields);
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::entry::tests::entry as one;
    use super::*;

    fn entry(target: &str) -> Entry<'_> {
        Entry {
            target: target.as_bytes(),
            ..one()
        }
    }

    fn line(target: &str) -> String {
        format!("192.0.2.7 - - [21/Nov/2026:04:38:29 +0000] \"GET {target} HTTP/1.1\" 200 1024\n")
    }

    fn folder(name: &str) -> PathBuf {
        let folder = format!("groundwire-access-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_flush_and_a_drop_write_what_waits() {
        let folder = folder("flush");
        let path = folder.join("log");
        let log = AccessLog::to_file(&path, Format::Common).unwrap();
        log.write(&entry("/a"));
        log.flush();
        assert_eq!(fs::read_to_string(&path).unwrap(), line("/a"));
        log.write(&entry("/b"));
        drop(log);
        assert_eq!(fs::read_to_string(&path).unwrap(), line("/a") + &line("/b"));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_pipe_that_nobody_reads_holds_up_neither_the_start_nor_the_end() {
        let folder = folder("pipe");
        let path = folder.join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        let log = AccessLog::to_file(&path, Format::Common).unwrap();
        for _ in 0..5000 {
            log.write(&entry("/a")); // more than a pipe holds
        }
        log.flush();
        assert!(log.lines().written < 5000);
        drop(log);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_line_is_written_without_anybodys_asking() {
        let (path, log) = {
            let folder = folder("patience");
            let path = folder.join("log");
            let log = AccessLog::to_file(&path, Format::Common).unwrap();
            (path, log)
        };
        log.write(&entry("/a"));
        let mut state = log.shared.lock();
        while state.lines.written == 0 {
            state = log.shared.wait(&log.shared.done, state);
        }
        drop(state);
        assert_eq!(fs::read_to_string(&path).unwrap(), line("/a"));
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }

    #[test]
    fn lines_of_many_threads_are_whole_and_none_is_lost_unseen() {
        let folder = folder("threads");
        let path = folder.join("log");
        let log = AccessLog::to_file(&path, Format::Common).unwrap();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..5000).for_each(|_| log.write(&entry("/a"))));
            }
        });
        log.flush();
        let Lines { written, lost } = log.lines();
        assert_eq!(written + lost, 20_000);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, line("/a").repeat(written as usize));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn after_reopen_lines_go_to_the_new_file() {
        let folder = folder("reopen");
        let (path, moved) = (folder.join("log"), folder.join("log.1"));
        let log = AccessLog::to_file(&path, Format::Common).unwrap();
        log.write(&entry("/old"));
        fs::rename(&path, &moved).unwrap();
        log.reopen().unwrap();
        log.write(&entry("/new"));
        log.flush();
        assert_eq!(fs::read_to_string(&moved).unwrap(), line("/old"));
        assert_eq!(fs::read_to_string(&path).unwrap(), line("/new"));

        fs::remove_dir_all(&folder).unwrap();
        assert!(log.reopen().is_err(), "its folder is gone");
        log.write(&entry("/still"));
        log.flush();
        assert_eq!(
            log.lines(),
            Lines {
                written: 3,
                lost: 0
            }
        );
    }

    #[test]
    fn lines_that_the_system_refuses_are_counted_as_lost() {
        let log = AccessLog::to_file("/dev/full", Format::Common).unwrap();
        log.write(&entry("/a"));
        log.write(&entry("/b"));
        log.flush();
        assert_eq!(
            log.lines(),
            Lines {
                written: 0,
                lost: 2
            }
        );
    }

    #[test]
    fn the_last_lines_that_are_lost_are_told_of_with_their_cause() {
        let (told, texts) = std::sync::mpsc::channel();
        let log = AccessLog::to_file("/dev/full", Format::Common).unwrap();
        log.complain_to(telling(told));
        for _ in 0..3 {
            log.write(&entry("/a"));
            log.flush();
        }
        drop(log);
        let text: String = texts.try_iter().collect();
        let lines: Vec<&str> = text.lines().collect();
        let sum = lines.iter().map(|line| {
            let (_, lost) = line.split_once("lost=").unwrap();
            assert!(lost.contains("no space left"), "{line}");
            lost.split(' ').next().unwrap().parse::<u64>().unwrap()
        });
        assert_eq!(sum.sum::<u64>(), 3, "{text}");
    }

    /// A log that sends its lines to the test.
    fn telling(to: std::sync::mpsc::Sender<String>) -> Log {
        struct Telling(std::sync::mpsc::Sender<String>);
        impl Write for Telling {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let _ = self.0.send(String::from_utf8_lossy(bytes).into());
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let format = crate::telemetry::Format::Text;
        Log::to_writer(
            crate::telemetry::Level::Error,
            format,
            Box::new(Telling(to)),
        )
    }

    #[test]
    fn a_full_buffer_loses_lines_and_keeps_nobody_waiting() {
        // There is no writer, as if the disk never took anything.
        let shared = Shared {
            state: Mutex::default(),
            work: Condvar::new(),
            done: Condvar::new(),
        };
        let line = [b'x'; 1000];
        (0..2000).for_each(|_| shared.append(&line));
        let state = shared.lock();
        assert_eq!(state.count, (CAPACITY / line.len()) as u64);
        assert_eq!(state.count + state.lines.lost, 2000);
    }

    /// Takes this many bytes, then nothing.
    struct Disk {
        taken: Vec<u8>,
        room: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room).min(3);
            self.taken.extend_from_slice(&bytes[..count]);
            self.room -= count;
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_after_a_torn_one_begins_on_its_own() {
        let mut disk = Disk {
            taken: Vec::new(),
            room: 6,
        };
        let mut is_torn = false;
        assert_eq!(
            write_lines(&mut disk, b"aaa\nbbb\nccc\n", &mut is_torn).0,
            2
        );
        assert!(is_torn);
        assert_eq!(write_lines(&mut disk, b"ddd\n", &mut is_torn).0, 1);
        disk.room = 100;
        assert_eq!(write_lines(&mut disk, b"eee\n", &mut is_torn).0, 0);
        assert_eq!(disk.taken, b"aaa\nbb\neee\n");
    }
}
