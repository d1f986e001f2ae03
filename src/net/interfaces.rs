//! Asking the kernel for its interfaces, over a netlink socket.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::time::Duration;

use super::error::Error;
use super::interface::Interface;
use super::netlink::{self, Answers, Progress, Question};
use crate::sys;

/// The kernel answers in microseconds; this bounds what should not happen.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often to ask again when the interfaces change while they are listed.
const ATTEMPTS: u32 = 8;

/// The longest datagram of an answer that is accepted: each list of a link has at most 64 KiB.
const LONGEST: usize = 1 << 20;

/// The interfaces of this machine (of this network namespace), by number, with their addresses and
/// counters. Needs no privilege.
///
/// ```
/// let all = groundwire::net::interfaces().unwrap();
/// assert!(all.iter().any(|one| one.flags.is_loopback()));
/// ```
pub fn interfaces() -> Result<Vec<Interface>, Error> {
    list().map_err(Error::Interfaces)
}

fn list() -> io::Result<Vec<Interface>> {
    let socket = sys::netlink::open()?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut buffer = Vec::new();
    for attempt in 1..=ATTEMPTS {
        let mut answers = Answers::default();
        let mut ask = |question, number| ask(&socket, &mut answers, question, number, &mut buffer);
        let links = ask(Question::Links, attempt * 2)?;
        let addresses = ask(Question::Addresses, attempt * 2 + 1)?;
        if links == Progress::Done && addresses == Progress::Done {
            return Ok(answers.interfaces());
        }
    }
    Err(io::Error::other("they change too fast to be listed"))
}

/// Sends one question and reads its answer to the end.
fn ask(
    socket: &UdpSocket,
    answers: &mut Answers,
    question: Question,
    sequence: u32,
    buffer: &mut Vec<u8>,
) -> io::Result<Progress> {
    socket.send(&netlink::question(question, sequence))?;
    loop {
        let datagram = match receive(socket, buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        let progress = answers.push(datagram, sequence).map_err(io::Error::other)?;
        if progress != Progress::More {
            return Ok(progress);
        }
    }
}

/// The next datagram. The buffer is made large enough first, because the rest would be lost.
fn receive<'a>(socket: &UdpSocket, buffer: &'a mut Vec<u8>) -> io::Result<&'a [u8]> {
    let len = sys::socket::peek_len(socket.as_fd())?;
    if len > LONGEST {
        let why = format!("an answer of {len} bytes, {} are allowed", LONGEST);
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    if len > buffer.len() {
        buffer.resize(len, 0);
    }
    let count = socket.recv(buffer)?;
    Ok(buffer.get(..count).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")] // as the book says
    fn the_question_in_the_book_is_the_one_that_is_asked() {
        let page = include_str!("../../docs/addresses.md");
        let (_, from) = page.split_once("\nquestion ").unwrap();
        let (shown, _) = from.split_once("\n\n").unwrap();
        let shown = shown.replace("(16 zero bytes)", &"00 ".repeat(16));
        let bytes = |line: &str| -> Vec<u8> {
            let words = line.split_whitespace();
            words
                .map_while(|word| u8::from_str_radix(word, 16).ok())
                .collect()
        };
        let shown: Vec<u8> = shown.lines().flat_map(bytes).collect();
        assert_eq!(shown, netlink::question(Question::Links, 2));
    }
}
