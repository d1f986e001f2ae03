//! Asking the kernel for its interfaces, over a netlink socket.

use std::io;
use std::net::UdpSocket;
use std::time::Duration;

use super::error::Error;
use super::interface::Interface;
use super::netlink::{self, Answers, Progress, Question};
use crate::sys;

/// The kernel answers in microseconds; this ends what cannot happen.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often to ask again when the interfaces change while they are listed.
const ATTEMPTS: u32 = 8;

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
    let mut buffer = vec![0; netlink::DATAGRAM];
    for attempt in 1..=ATTEMPTS {
        let mut answers = Answers::default();
        let links = ask(
            &socket,
            &mut answers,
            Question::Links,
            attempt * 2,
            &mut buffer,
        )?;
        let addresses = ask(
            &socket,
            &mut answers,
            Question::Addresses,
            attempt * 2 + 1,
            &mut buffer,
        )?;
        if links == Progress::Done && addresses == Progress::Done {
            return Ok(answers.interfaces());
        }
    }
    Err(io::Error::other("they change too fast to be listed"))
}

/// Asks one question and reads to the end of its answer.
fn ask(
    socket: &UdpSocket,
    answers: &mut Answers,
    question: Question,
    sequence: u32,
    buffer: &mut [u8],
) -> io::Result<Progress> {
    socket.send(&netlink::question(question, sequence))?;
    loop {
        let count = match socket.recv(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        let datagram = buffer.get(..count).unwrap_or_default();
        let progress = answers.push(datagram, sequence).map_err(io::Error::other)?;
        if progress != Progress::More {
            return Ok(progress);
        }
    }
}
