//! Commands over a stream: a name on a line, a payload, a reply, and then the next one.
//!
//! # The problem
//!
//! Two services want to share one connection: one takes strings, the other structs. A stream has no
//! parts, so something must say what comes next, and where it ends. Here a *command* does: its name
//! selects the code that reads, and that code knows where its payload ends.
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
//!   before it is ignored, for telnet).
//! - The command defines the shape of its *payload*: lines, frames of [`wire`](mod@crate::wire),
//!   nothing.
//! - Replies come in the order of the commands; a client may send many before it reads any.
//!
//! # Why an unknown command ends the connection
//!
//! The server does not know where its payload ends. If it read on, it would take payload for
//! commands: a string that was meant to be stored would be run as a command, smuggled past any
//! filter in between. The same holds for a payload that is too long, cut, or not what the command
//! takes.
//!
//! # Limits
//!
//! A name has at most 64 bytes, a line and a frame at most what [`EndpointConfig`] allows. Memory
//! grows with the received bytes, never with what a length claims. Between two commands the peer
//! has the idle time-out. Each name, line or frame as a whole has the item time-out, however slowly
//! its bytes arrive.
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
//! `fault` (what can be wrong with a payload, and how the peer is told), `record` (the struct that
//! is sent, and its text form). `commands` is the registry. The shell: `call` (what a command reads
//! from and writes to), `handler` (the loop of a connection), `client`, and `flags` for the
//! programs.

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
pub use handler::Endpoint;
pub use name::{BadName, MAX_NAME, Name};
pub use record::{Message, Record};

use crate::wire;

/// A good stack size for the threads of an endpoint, in bytes, for
/// [`server::Config::stack_size`](crate::server::Config::stack_size). In a debug build, a
/// [`Record`] of 64 levels takes less than 96 KiB to decode, and a command's own type may need
/// more. A thread that runs out of stack ends the whole program, not only its connection.
pub const STACK_SIZE: usize = 512 << 10;

/// The reply of the built-in commands.
pub const THANKS: &str = "Thank you.";

/// The numbers of an [`Endpoint`].
#[derive(Clone, Copy, Debug)]
pub struct EndpointConfig {
    /// The longest line of a payload, in bytes, its line feed included. Default 64 KiB.
    pub max_line: usize,
    /// The limits for a frame of a payload; [`Limits::message`](wire::Limits::message) is the
    /// longest frame, by default 1 MiB. The others have the defaults of [`wire::Limits`].
    pub frame: wire::Limits,
    /// How long the next command may take to begin. Default 5 minutes; `None` for no limit.
    pub idle_timeout: Option<Duration>,
    /// How long a whole name, line or frame may take, once it has begun or a command waits for it.
    /// Default 30 s.
    pub item_timeout: Option<Duration>,
    /// How long sending replies may take, if the peer does not read. Default 10 s.
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
