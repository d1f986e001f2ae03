//! Greets each connection by its number and closes it. Ends in order on SIGINT, SIGTERM and SIGHUP.

use std::error::Error;
use std::io::{self, Write};

use groundwire::net::{self, Conn, Network};
use groundwire::server::{Config, End, Server, Session, Signals};

fn main() -> Result<(), Box<dyn Error>> {
    // First of all: a thread that was started before would still be ended by the signal.
    let signals = Signals::block()?;
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:7000");
    let listener = net::listen(Network::Tcp, address)?;
    println!("listening on tcp {}", listener.local_addr());
    let server = Server::new(Config::default(), greet);
    signals.stop(server.stopper())?;
    println!("{}", server.run(listener)?);
    Ok(())
}

fn greet(mut conn: &Conn, session: &Session<'_>) -> io::Result<End> {
    writeln!(conn, "hello, you are number {}", session.id())?;
    Ok(End::Ours)
}
