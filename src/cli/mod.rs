//! Arguments, usage text, exit status and standard output for the programs.
//!
//! A program of this crate declares its options in a table. This room turns the table into a parser
//! and a help page, and turns the result of the program's body into a line on standard error and an
//! exit status. So all programs behave alike, and each `main` is only about its subject.
//!
//! # The conventions
//!
//! | status | meaning | standard error |
//! |---|---|---|
//! | 0 | done; or `--help`, `--version`; or the reader closed our output | nothing |
//! | 1 | it failed | `program: what: why` |
//! | 2 | the command line is wrong | `program: why`, and where to find help |
//!
//! Data goes to standard output, everything else to standard error. A closed pipe (`program | head
//! -1`) is not an error and never a panic.
//!
//! # The flow
//!
//! ```text
//!  argv ──> Spec::parse (pure) ──> Args ──> body(args) ──> Ok or Failure ──> status
//!                  │                                           ^
//!                  └──> Stop: help, version, UsageError ───────┘
//! ```
//!
//! # The vocabulary
//!
//! - An *option* begins with a hyphen: `--workers 4`, `--workers=4`, `-w 4`,
//!   `-w4`. One without a value is a *flag*; short flags may be joined (`-vv`).
//! - An *operand* is what remains: an address, a file. `-` alone is an operand,
//!   and everything after `--` is one.
//! - Options and operands come in any order, as in GNU programs.
//! - Long options are written in full. GNU programs accept any unambiguous prefix, but then a
//!   script with `--work` breaks when a second option with this prefix is added. We only suggest
//!   the full name.
//!
//! # A whole program
//!
//! ```no_run
//! use groundwire::cli::{self, Args, DurationArg, Failure, Opt, Out, Spec, What};
//! use std::net::TcpStream;
//!
//! const SPEC: Spec = Spec {
//!     name: "knock",
//!     about: "Say whether a TCP port accepts connections.",
//!     usage: &["[OPTION]... ADDRESS"],
//!     operands: &[("ADDRESS", "where to connect, as IP:PORT")],
//!     options: &[
//!         Opt::value("timeout", "TIME", "give up after this long").short('t').default("3s"),
//!         Opt::flag("verbose", "say more").short('v').many(),
//!     ],
//!     statuses: None,
//!     epilogue: "Example:\n  knock --timeout 500ms 127.0.0.1:22",
//! };
//!
//! fn main() -> std::process::ExitCode {
//!     cli::run(&SPEC, knock)
//! }
//!
//! fn knock(args: Args) -> Result<(), Failure> {
//!     args.exactly(1)?;
//!     let address = args.parse_operand(0, "ADDRESS")?;
//!     let timeout = args.parse::<DurationArg>("timeout")?.get();
//!     let conn = TcpStream::connect_timeout(&address, timeout)
//!         .what(format_args!("connecting to {address}"))?;
//!     let out = Out::lines();
//!     if args.flag("verbose") {
//!         let local = conn.local_addr().what("reading the local address")?;
//!         out.line(format_args!("connected from {local}"))?;
//!     }
//!     out.line(format_args!("{address} is open"))
//! }
//!
//! #[test]
//! fn the_options_are_declared_well() {
//!     assert_eq!(SPEC.check(), Ok(()));
//! }
//! ```
//!
//! # The files, in reading order
//!
//! `spec` (what a program declares), `help` (the page made of it), `parse` (argv to [`Args`]),
//! `args` (asking for what was given), `value` (durations, sizes, counts), `error` (how a command
//! line can be wrong), `words` (errors in plain words), `hexdump` (bytes in rows), `json` (the output
//! of `--json`, and a reader of JSON). All of these are pure. The shell is `out` (standard output),
//! `run` (from `main` to the exit status), `pipe` (a named pipe as output) and `temporary` (a private
//! temporary file or folder).
//!
//! Left out on purpose: subcommands, abbreviated options, options read from the environment or a
//! file, colours. No program of ours needs them.

mod args;
mod error;
mod help;
mod hexdump;
pub mod json;
mod out;
mod parse;
mod pipe;
mod run;
mod spec;
mod temporary;
mod value;
mod words;

pub use args::Args;
pub use error::{Stop, UsageError};
pub use hexdump::hexdump;
pub use out::{Out, standard_output};
pub use parse::nearest;
pub use pipe::reader_of_pipe;
pub use run::{Failure, What, complain, run};
pub use spec::{Opt, Repeat, Spec};
pub use temporary::temporary;
pub use value::{Count, DurationArg, NonZeroCount, Seconds, Size, ValueError};
pub use words::{explain, plain_words};
