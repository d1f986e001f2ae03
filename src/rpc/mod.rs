//! Calls by name: services on a server, which clients call almost like local functions.
//!
//! # The problem
//!
//! A program calls a function of another program, perhaps on another machine. A local call has no
//! words for what can happen here: there may be no answer, or none in time; the other side may
//! refuse, break, stop, or have another version; and after a broken connection the caller does not
//! know whether the function was run.
//!
//! # What it promises
//!
//! - *One declaration*: [`rpc_service!`](crate::rpc_service!) gives the server a trait and the
//!   client a stub.
//! - *Many calls on one connection*, from any number of threads, answered in any order.
//! - *Every call ends*: with a result, with a [`CallError`] that says which side gave up and why,
//!   or at its deadline, of which the server is told.
//! - *No call is run twice* unless its method is marked repeatable.
//! - *A bad peer ends its own connection*: frames, messages, calls in flight, queues and streams
//!   have limits, and a method that panics fails only its own call.
//! - [`Secret`] makes both sides prove that they know it. It gives no confidentiality.
//!
//! # The words
//!
//! A *service* is a group of *methods*, such as `Calculator.Add`. A *quick* method runs on the
//! thread that reads its connection, a *slow* one on a *worker*. A *stream* is a reply of many
//! *items*, sent as the caller asks for more.
//!
//! # The files, in reading order
//!
//! | file | holds |
//! |---|---|
//! | `message` | the greeting and the messages, byte by byte (pure) |
//! | `failure` | why a call has no result (pure) |
//! | `service`, `sink`, `builtin` | what a server offers |
//! | `welcome`, `server`, `link`, `work`, `workers` | the server's threads |
//! | `greeting`, `client`, `sending`, `reading`, `slot`, `stream` | the client's |
//! | `reconnect`, `caller`, `argument`, `derive` | what stubs are built on |
//! | `sha256`, `auth`, `nonce` | the proof of a shared secret (pure, except for the random bytes) |
//! | `signed`, `calculator`, `flags` | the service and the flags of the programs |
//!
//! The chapter is `docs/rpc.md`.

mod argument;
mod auth;
mod builtin;
mod calculator;
mod caller;
mod client;
mod derive;
mod failure;
pub mod flags;
mod greeting;
mod link;
pub mod message;
mod nonce;
mod reading;
mod reconnect;
mod sending;
mod server;
mod service;
pub mod sha256;
mod signed;
mod sink;
mod slot;
mod stream;
mod welcome;
mod work;
mod workers;

pub use argument::Argument;
pub use auth::Secret;
pub use builtin::{MethodCount, MethodInfo, quit};
pub use calculator::{Calculate, Calculator, CalculatorClient};
pub use caller::{Caller, MethodName};
pub use client::{Client, ClientConfig, Pending};
pub use failure::{CallError, Failure};
pub use message::MAX_NAME;
pub use reconnect::{ReconnectConfig, Reconnecting};
pub use server::{RpcHandler, STACK_SIZE, ServerConfig};
pub use service::{Call, Service, Traits};
pub use signed::{NotSigned, Signed};
pub use sink::Sink;
pub use stream::Stream;
