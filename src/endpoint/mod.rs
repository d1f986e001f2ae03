//! Commands over a stream: a name on a line, a payload, a reply, and then the next one.
//!
//! # The problem
//!
//! Two services want to share one connection: one takes strings, the other structs. A stream has
//! no parts, so something must say what comes next, and where it ends. Here a *command* does: its
//! name says who will read, and that reader knows where its payload ends.
//!
//! # The protocol
//!
//! ```text
//!  client                                       server
//!  STRING\n  hello there\n                 ->
//!                                          <-   Thank you.\n
//!  STRUCT\n  | u32 length | message |      ->
//!                                          <-   Thank you.\n
//!  FOO\n ...                               ->
//!                                          <-   error: unknown command FOO; known: STRING, STRUCT\n
//!                                               and the end of the stream
//! ```
//!
//! - A *name* has 1 to 64 bytes of `A-Z a-z 0-9 . _ -` and ends with a line feed (a carriage return
//!   before it is passed over, for telnet).
//! - The *payload*'s shape belongs to the command: lines, frames of
//!   [`wire`](mod@crate::wire), nothing.
//! - Replies come in the order of the commands; a client may send many before it reads any.
//!
//! # Why an unknown command ends the connection
//!
//! Nobody here knows where its payload ends. Whoever reads on takes payload for commands, and then
//! a string that was meant to be stored is a command that is run: smuggled past whatever stood
//! between. The same holds for a payload that is too long, cut, or not what the command takes.
//!
//! # Limits
//!
//! A name has 64 bytes, a line and a frame what [`EndpointConfig`] allows; memory grows with the
//! bytes that have come, never with what a length claims. Between two commands the peer has the
//! idle time-out, for each name, line or frame the item time-out as a whole, however it drips.
//!
//! # A run
//!
//! ```
//! use groundwire::endpoint::{Call, Client, Commands, Endpoint, EndpointConfig, Next};
//! use groundwire::net::{self, Network};
//! use groundwire::server::{Config, Server};
//! use std::time::Duration;
//!
//! let commands = Commands::built_in(|_peer, message| println!("{message}"));
//! let endpoint = Endpoint::new(EndpointConfig::default(), commands.clone());
//! let listener = net::listen(Network::Tcp, "127.0.0.1:0")?;
//! let address = listener.local_addr().to_string();
//! let running = Server::new(Config::default(), endpoint).start(listener)?;
//!
//! // A command of our own, while the server is serving.
//! commands.register("UPPER", |call: &mut Call<'_>| {
//!     let text = call.text()?;
//!     call.reply(text.to_uppercase())?;
//!     Ok(Next::Command)
//! })?;
//!
//! let conn = net::dial(Network::Tcp, &address)?;
//! let mut client = Client::new(conn, Duration::from_secs(3));
//! assert_eq!(client.string("hello there")?, "Thank you.");
//! assert_eq!(client.call(&"UPPER".parse()?, b"hello\n")?, "HELLO");
//! drop(client);
//! running.stop()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The files, in reading order
//!
//! The pure half: `name` (what a command may be called), `inbox` (bytes in; lines and frames out),
//! `fault` (what can be wrong with a payload, and how it is told), `record` (the struct that
//! travels, and its print). `commands` is the registry. The shell: `call` (what a command reads from
//! and writes to), `handler` (the loop of a connection), `client`, and `flags` for the programs.

mod call;
mod client;
mod commands;
mod fault;
pub mod flags;
mod handler;
mod inbox;
mod name;
mod record;

use std::time::Duration;

pub use call::Call;
pub use client::{Client, ClientError};
pub use commands::{Command, Commands, Next};
pub use fault::{Cause, Fault};
pub use handler::{Endpoint, Watch};
pub use name::{BadName, MAX_NAME, Name};
pub use record::{Message, Record};

use crate::wire;

/// The stack of a connection's thread, in bytes, that serves an endpoint well:
/// [`server::Config::stack_size`](crate::server::Config::stack_size). A [`Record`] of 64 levels
/// takes less than 96 KiB to decode in a debug build, and a command's own type may be wider. A
/// thread that runs out of stack ends the whole program, not its connection.
pub const STACK_SIZE: usize = 512 << 10;

/// The reply of the built-in commands.
pub const THANKS: &str = "Thank you.";

/// The numbers of an [`Endpoint`].
#[derive(Clone, Copy, Debug)]
pub struct EndpointConfig {
    /// The longest line of a payload, in bytes, its line feed included. Default 64 KiB.
    pub max_line: usize,
    /// What a frame of a payload may cost; [`Limits::message`](wire::Limits::message) is the
    /// longest frame. Default 1 MiB, and for the rest the defaults of [`wire::Limits`].
    pub frame: wire::Limits,
    /// How long the next command may take to begin. Default 5 minutes; `None` for no limit.
    pub idle_timeout: Option<Duration>,
    /// How long a name, a line or a frame may take as a whole, once it has begun or a command
    /// waits for it. Default 30 s.
    pub item_timeout: Option<Duration>,
    /// How long replies may take to leave, when the peer does not read. Default 10 s.
    pub write_timeout: Option<Duration>,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self {
            max_line: 64 << 10,
            frame: wire::Limits {
                message: 1 << 20,
                ..wire::Limits::default()
            },
            idle_timeout: Some(Duration::from_secs(300)),
            item_timeout: Some(Duration::from_secs(30)),
            write_timeout: Some(Duration::from_secs(10)),
        }
    }
}
