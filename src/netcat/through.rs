//! A proxy's handshake on a connection.

use std::io::{self, ErrorKind, Read, Write};

use super::error::Error;
use super::proxy::{Handshake, Step};
use crate::net::{Conn, Deadline};

/// Runs the handshake; after it, the connection leads to the target. Blocks until the proxy has
/// answered, at most until `deadline`.
pub fn ask_proxy(
    mut conn: &Conn,
    mut handshake: Handshake,
    deadline: Deadline,
) -> Result<(), Error> {
    conn.set_deadline(deadline);
    loop {
        match handshake.step() {
            Step::Send(bytes) => conn.write_all(&bytes).map_err(Error::Handshake)?,
            Step::Read(count) => {
                let mut bytes = vec![0; count]; // at most a name of 255 bytes and its port
                conn.read_exact(&mut bytes).map_err(told)?;
                handshake.received(&bytes).map_err(Error::Proxy)?;
            }
            Step::Done => break,
        }
    }
    conn.set_deadline(Deadline::NEVER);
    Ok(())
}

/// The error of a handshake. A proxy may refuse by closing the connection.
fn told(error: io::Error) -> Error {
    Error::Handshake(match error.kind() {
        ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "the proxy closed the connection"),
        _ => error,
    })
}
