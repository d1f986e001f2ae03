//! Standard output for programs: never a panic, errors as [`Failure`]s.
//!
//! `println!` panics when its reader has gone, and hides a full disk until the buffer is written.
//! [`Out`] returns both errors to the program, so that `?` ends it with the right status: quietly,
//! if the reader of a pipe has closed it (`program | head -1`); with `standard output: no space
//! left on device` if data is lost.
//!
//! std takes EBADF for success, so an output that is open for reading only (`program 1<file`) is
//! detected here, and reported as `bad file descriptor`.
//!
//! One loss cannot be detected. When a program is started with its output closed (`program >&-`),
//! std opens `/dev/null` in its place before `main` begins, so that the next file or socket is not
//! taken for the output. Afterwards it looks like a `/dev/null` that the user chose.

use super::run::Failure;
use super::words::plain_words;
use std::fmt::Display;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Bytes collected in the bulk mode before they are written.
const BULK_BUFFER: usize = 64 * 1024;

/// Standard output, shared by all threads with a reference to it.
///
/// Blocks while the reader of a pipe is slow. A line is written whole: lines of
/// two threads never mix.
pub struct Out {
    sink: Mutex<Box<dyn Write + Send>>,
    flush: Flush,
}

/// When the bytes leave.
enum Flush {
    EachWrite,
    WhenFull,
}

impl Out {
    /// Each line leaves at once: for servers and for people who watch.
    pub fn lines() -> Out {
        Out::over(standard_output(), Flush::EachWrite)
    }

    /// Lines are collected in a buffer of 64 KiB: for bulk data.
    ///
    /// End with [`flush`](Out::flush): dropping also writes the rest, but cannot report an error.
    pub fn bulk() -> Out {
        Out::over(
            BufWriter::with_capacity(BULK_BUFFER, standard_output()),
            Flush::WhenFull,
        )
    }

    fn over(sink: impl Write + Send + 'static, flush: Flush) -> Out {
        Out {
            sink: Mutex::new(Box::new(sink)),
            flush,
        }
    }

    /// Writes the text and a newline.
    pub fn line(&self, text: impl Display) -> Result<(), Failure> {
        self.write_all(format!("{text}\n").as_bytes())
    }

    /// Writes the bytes as they are.
    pub fn write_all(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut sink = self.sink();
        sink.write_all(bytes).map_err(failure)?;
        match self.flush {
            Flush::EachWrite => sink.flush().map_err(failure),
            Flush::WhenFull => Ok(()),
        }
    }

    /// Writes what is collected.
    pub fn flush(&self) -> Result<(), Failure> {
        self.sink().flush().map_err(failure)
    }

    /// A thread that panics while it writes leaves some bytes, but no broken invariant.
    fn sink(&self) -> MutexGuard<'_, Box<dyn Write + Send>> {
        self.sink.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Standard output as in std, but writes fail when it is open for reading only.
pub fn standard_output() -> impl Write + Send {
    Standard(io::stdout())
}

struct Standard(io::Stdout);

impl Write for Standard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        static READ_ONLY: OnceLock<bool> = OnceLock::new();
        if *READ_ONLY.get_or_init(is_read_only) {
            return Err(io::Error::from_raw_os_error(EBADF));
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// `errno(3)`.
const EBADF: i32 = 9;

/// Whether standard output is open for reading only: its access mode, the last two bits of the
/// octal `flags` (`proc_pid_fdinfo(5)`), is O_RDONLY. `false` where there is no `/proc`.
fn is_read_only() -> bool {
    let info = fs::read_to_string("/proc/self/fdinfo/1").unwrap_or_default();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|octal| u32::from_str_radix(octal.trim(), 8).ok());
    flags.is_some_and(|flags| flags & 0o3 == 0)
}

fn failure(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::ClosedPipe,
        _ => Failure::Failed(format!("standard output: {}", plain_words(&error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// A sink that the test can look into.
    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<Vec<u8>>>);

    impl Seen {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Seen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_leaves_at_once() {
        let seen = Seen::default();
        let out = Out::over(BufWriter::new(seen.clone()), Flush::EachWrite);
        out.line(7).unwrap();
        assert_eq!(seen.text(), "7\n");
        out.write_all(b"no newline").unwrap();
        assert_eq!(seen.text(), "7\nno newline");
    }

    #[test]
    fn bulk_data_waits_for_a_full_buffer_or_a_flush() {
        let seen = Seen::default();
        let out = Out::over(BufWriter::with_capacity(8, seen.clone()), Flush::WhenFull);
        out.line("one").unwrap();
        assert_eq!(seen.text(), "");
        out.line("three").unwrap();
        assert_eq!(seen.text(), "one\n");
        out.flush().unwrap();
        assert_eq!(seen.text(), "one\nthree\n");
    }

    #[cfg(unix)]
    #[test]
    fn a_reader_that_went_away_is_a_closed_pipe() {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        drop(theirs);
        let out = Out::over(ours, Flush::EachWrite);
        assert_eq!(out.line("anyone?"), Err(Failure::ClosedPipe));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_a_failure_with_its_reason() {
        let full = || std::fs::File::create("/dev/full").unwrap();
        let expected = Err(Failure::Failed(
            "standard output: no space left on device".to_string(),
        ));
        assert_eq!(Out::over(full(), Flush::EachWrite).line("lost"), expected);
        let bulk = Out::over(BufWriter::new(full()), Flush::WhenFull);
        assert_eq!(bulk.line("lost later"), Ok(()));
        assert_eq!(bulk.flush(), expected);
    }
}
