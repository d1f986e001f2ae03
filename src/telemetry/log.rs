//! Structured log lines: time, level, target, message, fields.
//!
//! ```text
//! 2026-11-21T04:38:29.123Z INFO  tcp-echo-server connection closed peer=127.0.0.1:5000 id=3
//! {"time":"2026-11-21T04:38:29.123Z","level":"info","target":"tcp-echo-server","message":...}
//! ```
//!
//! A value that could be misread (empty, or with spaces, quotes, `=`, or characters that [show
//! nothing](is_invisible)) is quoted and escaped, so that one event is one line whatever bytes a
//! peer sends: no peer can forge a line or control the reader's terminal.
//!
//! Logging does not serialise the threads that log. A disabled level costs one comparison; an
//! enabled line is built in a buffer of its thread and passed to the kernel in one write. Standard
//! error is written through a duplicate of its descriptor, without std's lock: the kernel keeps
//! single writes apart on files opened for appending, and on pipes up to 4 KiB (`pipe(7)`). A sink
//! that fails never fails the caller; lost lines are counted.

use std::cell::RefCell;
use std::fmt::{self, Display, Write as _};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::time::Rfc3339;
use super::visible::is_invisible;

/// The longest value of a field or message, in bytes; a longer one is cut and ends in `...`.
pub const MAX_VALUE: usize = 1024;

/// A thread keeps its line buffer for the next line unless it has grown beyond this, in bytes.
const KEPT_BUFFER: usize = 8 * 1024;

/// How much an event matters. `Error` is the lowest value: a log shows its level and all lower
/// ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something is broken and needs a person.
    Error,
    /// Something went wrong, and the program goes on.
    Warn,
    /// Something worth knowing happened.
    Info,
    /// Every connection's life.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    const NAMES: [(Level, &'static str, &'static str); 5] = [
        (Level::Error, "error", "ERROR"),
        (Level::Warn, "warn", "WARN "),
        (Level::Info, "info", "INFO "),
        (Level::Debug, "debug", "DEBUG"),
        (Level::Trace, "trace", "TRACE"),
    ];

    fn names(self) -> (&'static str, &'static str) {
        let row = Self::NAMES.iter().find(|(level, ..)| *level == self);
        row.map_or(("", ""), |(_, lower, upper)| (lower, upper))
    }
}

impl Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.names().0)
    }
}

/// A text that does not name a level, or a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownName(&'static str);

impl Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "must be {}", self.0)
    }
}

impl std::error::Error for UnknownName {}

impl FromStr for Level {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let row = Self::NAMES.iter().find(|(_, name, _)| *name == text);
        row.map(|(level, ..)| *level)
            .ok_or(UnknownName("error, warn, info, debug or trace"))
    }
}

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people: `time LEVEL target message key=value`.
    Text,
    /// For programs: one JSON object (RFC 8259) per line.
    Json,
}

impl FromStr for Format {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        match text {
            "text" => Ok(Format::Text),
            "json" => Ok(Format::Json),
            _ => Err(UnknownName("text or json")),
        }
    }
}

/// Names and values that go with a message.
pub type Fields<'a> = &'a [(&'a str, &'a dyn Display)];

/// Which log lines are written, and where. A cheap handle: clones write to the same place.
#[derive(Clone)]
pub struct Log {
    inner: Option<Arc<Inner>>,
}

struct Inner {
    level: Level,
    format: Format,
    sink: Sink,
    lost: AtomicU64,
}

enum Sink {
    /// Written to without a lock: one write(2) per line.
    File(File),
    /// For tests, and sinks that must not be written to by two threads at once.
    Writer(Mutex<Box<dyn Write + Send>>),
}

impl Log {
    /// No log at all.
    pub fn off() -> Self {
        Self { inner: None }
    }

    /// Lines on standard error. If standard error is closed, there is no log.
    pub fn stderr(level: Level, format: Format) -> Self {
        match io::stderr().as_fd().try_clone_to_owned() {
            Ok(fd) => Self::new(level, format, Sink::File(File::from(fd))),
            Err(_) => Self::off(),
        }
    }

    /// Lines into any writer, one `write_all` each, one thread at a time.
    pub fn to_writer(level: Level, format: Format, writer: Box<dyn Write + Send>) -> Self {
        Self::new(level, format, Sink::Writer(Mutex::new(writer)))
    }

    fn new(level: Level, format: Format, sink: Sink) -> Self {
        Self {
            inner: Some(Arc::new(Inner {
                level,
                format,
                sink,
                lost: AtomicU64::new(0),
            })),
        }
    }

    /// How many lines the sink did not take.
    pub fn lost(&self) -> u64 {
        self.inner
            .as_ref()
            .map_or(0, |inner| inner.lost.load(Ordering::Relaxed))
    }

    /// Writes a line, if the level is enabled. Never fails and never panics.
    pub fn write(&self, level: Level, target: &str, message: &str, fields: Fields<'_>) {
        let Some(inner) = self.inner.as_ref().filter(|inner| level <= inner.level) else {
            return;
        };
        thread_local! {
            static LINE: RefCell<String> = const { RefCell::new(String::new()) };
        }
        let event = Event {
            time: SystemTime::now(),
            level,
            target,
            message,
            fields,
        };
        let written = LINE.try_with(|line| match line.try_borrow_mut() {
            Ok(mut line) => inner.write_event(&event, &mut line),
            // A value's `Display` has logged, and the buffer is in use: use a new one.
            Err(_) => inner.write_event(&event, &mut String::new()),
        });
        if written.is_err() {
            // The thread is ending, and its buffer is gone.
            inner.write_event(&event, &mut String::new());
        }
    }

    /// Writes a line at [`Level::Error`].
    pub fn error(&self, target: &str, message: &str, fields: Fields<'_>) {
        self.write(Level::Error, target, message, fields);
    }

    /// Writes a line at [`Level::Warn`].
    pub fn warn(&self, target: &str, message: &str, fields: Fields<'_>) {
        self.write(Level::Warn, target, message, fields);
    }

    /// Writes a line at [`Level::Info`].
    pub fn info(&self, target: &str, message: &str, fields: Fields<'_>) {
        self.write(Level::Info, target, message, fields);
    }

    /// Writes a line at [`Level::Debug`].
    pub fn debug(&self, target: &str, message: &str, fields: Fields<'_>) {
        self.write(Level::Debug, target, message, fields);
    }

    /// Writes a line at [`Level::Trace`].
    pub fn trace(&self, target: &str, message: &str, fields: Fields<'_>) {
        self.write(Level::Trace, target, message, fields);
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Log")
            .field(&self.inner.as_ref().map(|inner| inner.level))
            .finish()
    }
}

struct Event<'a> {
    time: SystemTime,
    level: Level,
    target: &'a str,
    message: &'a str,
    fields: Fields<'a>,
}

impl Inner {
    fn write_event(&self, event: &Event<'_>, line: &mut String) {
        line.clear();
        let shown = match self.format {
            Format::Text => write_text(line, event),
            Format::Json => write_json(line, event),
        };
        // Only a value's own `Display` can fail; the line then ends there.
        let _ = shown;
        line.push('\n');
        if self.send(line.as_bytes()).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        if line.capacity() > KEPT_BUFFER {
            *line = String::new();
        }
    }

    fn send(&self, line: &[u8]) -> io::Result<()> {
        match &self.sink {
            Sink::File(file) => (&*file).write_all(line),
            Sink::Writer(writer) => writer
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .write_all(line),
        }
    }
}

fn write_text(line: &mut String, event: &Event<'_>) -> fmt::Result {
    let level = event.level.names().1;
    write!(line, "{} {level} ", Rfc3339(event.time))?;
    escaped(line, event.target)?;
    line.push(' ');
    escaped(line, event.message)?;
    for (key, value) in event.fields {
        line.push(' ');
        escaped(line, key)?;
        line.push('=');
        let start = line.len();
        write!(Cut::new(line), "{value}")?;
        let value = line.get(start..).unwrap_or_default();
        if value.is_empty() || value.contains(|c| c == ' ' || c == '=' || is_unsafe(c)) {
            let value = line.split_off(start);
            line.push('"');
            escaped(line, &value)?;
            line.push('"');
        }
    }
    Ok(())
}

fn write_json(line: &mut String, event: &Event<'_>) -> fmt::Result {
    write!(
        line,
        "{{\"time\":\"{}\",\"level\":\"{}\"",
        Rfc3339(event.time),
        event.level
    )?;
    let fixed = [("target", event.target), ("message", event.message)];
    for (key, value) in fixed {
        write!(line, ",\"{key}\":\"")?;
        escaped(line, value)?;
        line.push('"');
    }
    for (key, value) in event.fields {
        line.push_str(",\"");
        escaped(line, key)?;
        line.push_str("\":\"");
        let start = line.len();
        write!(Cut::new(line), "{value}")?;
        let value = line.split_off(start);
        escaped(line, &value)?;
        line.push('"');
    }
    line.push('}');
    Ok(())
}

/// A value from outside, for a line outside the log: as it is, or quoted and escaped as in the log
/// if anything in it [shows nothing](is_invisible).
///
/// ```
/// use groundwire::telemetry::shown;
///
/// assert_eq!(shown(&"/tmp/my socket"), "/tmp/my socket");
/// assert_eq!(shown(&"/tmp/a\nlistening on b"), "\"/tmp/a\\nlistening on b\"");
/// ```
pub fn shown(value: &dyn Display) -> String {
    let text = value.to_string();
    if !text.contains(is_invisible) {
        return text;
    }
    let mut line = String::from('"');
    // Writing to a String cannot fail.
    let _ = escaped(&mut line, &text);
    line.push('"');
    line
}

/// Characters that control a terminal or show nothing, and those that quoting itself uses. JSON
/// (RFC 8259 §7) requires less, but its readers have terminals, too.
fn is_unsafe(c: char) -> bool {
    is_invisible(c) || matches!(c, '"' | '\\')
}

/// Appends `text`, its unsafe characters escaped as in JSON.
fn escaped(line: &mut String, text: &str) -> fmt::Result {
    let mut cut = Cut::new(line);
    for c in text.chars() {
        match c {
            '\n' => cut.write_escape("\\n")?,
            '\r' => cut.write_escape("\\r")?,
            '\t' => cut.write_escape("\\t")?,
            '"' => cut.write_escape("\\\"")?,
            '\\' => cut.write_escape("\\\\")?,
            // Above U+FFFF, a surrogate pair (RFC 8259 §7).
            c if is_unsafe(c) => {
                let mut escape = String::new();
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(escape, "\\u{unit:04x}")?;
                }
                cut.write_escape(&escape)?;
            }
            c => cut.write_char(c)?,
        }
    }
    Ok(())
}

/// A writer that takes [`MAX_VALUE`] bytes, then `...`, then nothing.
struct Cut<'a> {
    line: &'a mut String,
    left: usize,
    full: bool,
}

impl<'a> Cut<'a> {
    fn new(line: &'a mut String) -> Self {
        Self {
            line,
            left: MAX_VALUE,
            full: false,
        }
    }

    /// Writes a whole escape or nothing: part of an escape is not valid JSON.
    fn write_escape(&mut self, escape: &str) -> fmt::Result {
        if escape.len() > self.left {
            self.left = 0;
        }
        self.write_str(escape)
    }
}

impl fmt::Write for Cut<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.full {
            return Ok(());
        }
        if text.len() <= self.left {
            self.left -= text.len();
            self.line.push_str(text);
            return Ok(());
        }
        let end = (0..=self.left)
            .rev()
            .find(|&at| text.is_char_boundary(at))
            .unwrap_or(0);
        self.line.push_str(text.get(..end).unwrap_or_default());
        self.line.push_str("...");
        self.full = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    struct Sent(mpsc::Sender<Vec<u8>>);

    impl Write for Sent {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The line of an event, without the time.
    fn line(format: Format, message: &str, fields: Fields<'_>) -> String {
        let (tell, told) = mpsc::channel();
        let log = Log::to_writer(Level::Info, format, Box::new(Sent(tell)));
        log.info("test", message, fields);
        drop(log);
        let writes: Vec<Vec<u8>> = told.iter().collect();
        assert_eq!(writes.len(), 1, "a line is one write");
        let text = String::from_utf8(writes.concat()).unwrap();
        assert_eq!(
            text.find('\n'),
            Some(text.len() - 1),
            "an event is one line"
        );
        let start = if format == Format::Text {
            25
        } else {
            "{'time':'".len() + 26
        };
        text[start..].trim_end().to_string()
    }

    #[test]
    fn text_quotes_only_values_that_could_be_misread() {
        let cases: [(&str, &str); 10] = [
            ("plain", "plain"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("", "\"\""),
            ("two words", "\"two words\""),
            ("a=b", "\"a=b\""),
            ("say \"hi\"", "\"say \\\"hi\\\"\""),
            ("x\nINFO forged", "\"x\\nINFO forged\""),
            ("\u{1b}[31m\u{9b}\u{2028}", "\"\\u001b[31m\\u009b\\u2028\""),
            ("@x\u{202e}gnp", "\"@x\\u202egnp\""),
            ("a\u{e0041}", "\"a\\udb40\\udc41\""),
        ];
        for (value, shown) in cases {
            let expected = format!("INFO  test hello key={shown}");
            assert_eq!(line(Format::Text, "hello", &[("key", &value)]), expected);
        }
    }

    #[test]
    fn a_message_is_one_line_of_text_whatever_is_in_it() {
        let shown = line(Format::Text, "a\nINFO forged \u{1b}[31m", &[]);
        assert_eq!(shown, "INFO  test a\\nINFO forged \\u001b[31m");
        let shown = line(Format::Text, "m", &[("k\nforged", &"v")]);
        assert_eq!(shown, "INFO  test m k\\nforged=v");
    }

    #[test]
    fn json_escapes_what_would_break_it() {
        let shown = line(Format::Json, "a \"b\"\\", &[("k", &"x\ny\u{7f}")]);
        let expected = r#""level":"info","target":"test","message":"a \"b\"\\","k":"x\ny\u007f"}"#;
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_long_value_is_cut_at_a_character() {
        let shown = line(Format::Text, "m", &[("k", &"\u{e9}".repeat(MAX_VALUE))]);
        let expected = format!("INFO  test m k={}...", "\u{e9}".repeat(MAX_VALUE / 2));
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_long_value_is_not_cut_within_an_escape() {
        // The limit falls in the middle of each kind of escape: a pair, a number, a surrogate pair.
        for (escaped, c) in [
            ("\\n", '\n'),
            ("\\u001b", '\u{1b}'),
            ("\\udb40\\udc41", '\u{e0041}'),
        ] {
            for short in c.len_utf8()..=escaped.len() {
                let kept = "x".repeat(MAX_VALUE - short);
                let value = format!("{kept}{c}");
                let rest = if short == escaped.len() {
                    escaped
                } else {
                    "..."
                };
                let expected =
                    format!(r#""level":"info","target":"test","message":"m","k":"{kept}{rest}"}}"#);
                let shown = line(Format::Json, "m", &[("k", &value)]);
                assert_eq!(shown, expected, "{escaped} {short}");
            }
        }
    }

    #[test]
    fn a_level_shows_itself_and_all_above() {
        let (tell, told) = mpsc::channel();
        let log = Log::to_writer(Level::Warn, Format::Text, Box::new(Sent(tell)));
        for log in [log, Log::off()] {
            log.error("test", "m", &[]);
            log.warn("test", "m", &[]);
            log.info("test", "m", &[]);
        }
        assert_eq!(told.iter().count(), 2);
        assert_eq!("warn".parse(), Ok(Level::Warn));
        assert!("WARN".parse::<Level>().is_err() && "xml".parse::<Format>().is_err());
    }

    #[test]
    fn a_failing_sink_loses_lines_and_counts_them() {
        let (tell, told) = mpsc::channel();
        drop(told);
        let log = Log::to_writer(Level::Info, Format::Text, Box::new(Sent(tell)));
        log.info("test", "nobody hears", &[]);
        log.debug("test", "not written, so not lost", &[]);
        assert_eq!(log.lost(), 1);
    }

    #[test]
    fn a_value_that_logs_while_it_is_shown_does_not_panic() {
        struct Chatty(Log);
        impl Display for Chatty {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.info("inner", "shown", &[]);
                f.write_str("value")
            }
        }
        let (tell, told) = mpsc::channel();
        let log = Log::to_writer(Level::Info, Format::Text, Box::new(Sent(tell)));
        log.info("outer", "m", &[("k", &Chatty(log.clone()))]);
        let lines: Vec<String> = told
            .try_iter()
            .map(|bytes| String::from_utf8(bytes).unwrap())
            .collect();
        assert!(lines[0].ends_with("inner shown\n") && lines[1].ends_with("outer m k=value\n"));
    }
}
