//! Which page a target asks for, and with which numbers. Pure.
//!
//! | target | page |
//! |---|---|
//! | `/` | the server's name; with files, `index.html` of their folder if there is one |
//! | `/echo` | the request, as it arrived |
//! | `/slow?ms=` | an answer after that time |
//! | `/status/N` | an answer with that status code |
//! | `/bytes/N` | that many bytes, with Content-Length |
//! | `/chunked?n=&ms=` | that many chunks, that far apart, and a trailer |
//! | `/stream?ms=` | a server-sent event at that interval, until the client leaves |
//! | `/die` | half an answer, then the end of the connection |
//! | `/ws` | an echo over WebSocket |
//!
//! To add a page: a variant, a line here, an arm in [`Page::of`] and one in `handler`.

use std::fmt;
use std::time::Duration;

use super::target::query_value;

/// The longest wait that a target may ask for.
pub const MAX_WAIT: Duration = Duration::from_secs(600);
/// The most bytes of `/bytes`: 16 GiB.
pub const MAX_BYTES: u64 = 16 << 30;
/// The most chunks of `/chunked`.
pub const MAX_CHUNKS: u64 = 1_000_000;

/// What a target asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// The server's name.
    Home,
    /// The request as it arrived.
    Echo,
    /// An answer after this time.
    Slow(Duration),
    /// An answer with this status code, 200 to 599.
    Status(u16),
    /// This many bytes.
    Bytes(u64),
    /// Chunks, and the time between two.
    Chunked {
        /// How many.
        count: u64,
        /// How long between two.
        pause: Duration,
    },
    /// Events at this interval.
    Stream(Duration),
    /// Half an answer.
    Die,
    /// The WebSocket echo.
    WebSocket,
    /// A file, if a folder is served; else there is no such page.
    Other,
}

/// A number in a target that the page cannot use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadNumber {
    what: &'static str,
    most: u64,
}

impl fmt::Display for BadNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} must be a number up to {}", self.what, self.most)
    }
}

impl std::error::Error for BadNumber {}

impl Page {
    /// The page of a target.
    pub fn of(target: &str) -> Result<Page, BadNumber> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let milliseconds = |default: u64| {
            let most = MAX_WAIT.as_millis() as u64;
            let given = query_value(query, "ms");
            let number = given.map_or(Ok(default), |text| number("ms", text, most));
            number.map(Duration::from_millis)
        };
        Ok(match path {
            "/" => Page::Home,
            "/echo" => Page::Echo,
            "/slow" => Page::Slow(milliseconds(1000)?),
            "/chunked" => Page::Chunked {
                count: query_value(query, "n").map_or(Ok(3), |n| number("n", n, MAX_CHUNKS))?,
                pause: milliseconds(0)?,
            },
            "/stream" => Page::Stream(milliseconds(1000)?),
            "/die" => Page::Die,
            "/ws" => Page::WebSocket,
            _ => match (path.strip_prefix("/status/"), path.strip_prefix("/bytes/")) {
                (Some(code), _) => Page::Status(status(code)?),
                (_, Some(count)) => Page::Bytes(number("N of /bytes/N", count, MAX_BYTES)?),
                _ => Page::Other,
            },
        })
    }
}

/// A final status code: after an interim one (1xx) the client would wait for the answer.
fn status(code: &str) -> Result<u16, BadNumber> {
    let what = "N of /status/N, 200 at least,";
    let code = number(what, code, 599)?;
    match u16::try_from(code) {
        Ok(code @ 200..) => Ok(code),
        _ => Err(BadNumber { what, most: 599 }),
    }
}

fn number(what: &'static str, text: &str, most: u64) -> Result<u64, BadNumber> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if digits && number <= most => Ok(number),
        _ => Err(BadNumber { what, most }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_has_its_target() {
        let ms = Duration::from_millis;
        let chunked = |count, pause| Page::Chunked { count, pause };
        for (target, page) in [
            ("/", Page::Home),
            ("/?a", Page::Home),
            ("/echo?x=y", Page::Echo),
            ("/slow", Page::Slow(ms(1000))),
            ("/slow?ms=0", Page::Slow(ms(0))),
            ("/slow?a&ms=600000", Page::Slow(MAX_WAIT)),
            ("/status/204", Page::Status(204)),
            ("/status/599", Page::Status(599)),
            ("/bytes/0", Page::Bytes(0)),
            ("/bytes/17179869184", Page::Bytes(MAX_BYTES)),
            ("/chunked", chunked(3, ms(0))),
            ("/chunked?ms=5&n=0", chunked(0, ms(5))),
            ("/stream?ms=10", Page::Stream(ms(10))),
            ("/die", Page::Die),
            ("/ws", Page::WebSocket),
            ("/echo/", Page::Other),
            ("/ECHO", Page::Other),
            ("/a.txt", Page::Other),
            ("*", Page::Other),
        ] {
            assert_eq!(Page::of(target), Ok(page), "{target}");
        }
    }

    #[test]
    fn numbers_out_of_range_are_told_with_the_range() {
        for target in [
            "/slow?ms=600001",
            "/slow?ms=-1",
            "/slow?ms=",
            "/slow?ms=+1",
            "/slow?ms=1.5",
            "/bytes/17179869185",
            "/bytes/",
            "/bytes/1x",
            "/chunked?n=1000001",
            "/chunked?n=a",
            "/status/99",
            "/status/199",
            "/status/600",
            "/status/",
            "/status/65736",
            "/stream?ms=x",
        ] {
            assert!(Page::of(target).is_err(), "{target}");
        }
        let why = Page::of("/slow?ms=x").unwrap_err().to_string();
        assert_eq!(why, "ms must be a number up to 600000");
    }
}
