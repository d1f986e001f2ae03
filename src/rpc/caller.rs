//! Everything that can carry a call to a server: stubs are built on it.

use std::sync::Arc;
use std::time::Duration;

use super::client::Client;
use super::failure::CallError;
use super::reconnect::Reconnecting;
use super::stream::Stream;
use crate::wire::{DecodeOwned, Encode};

/// A method as the client knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MethodName {
    /// `Service.Method`.
    pub name: &'static str,
    /// Running it twice does no harm.
    pub repeatable: bool,
}

/// Carries calls: a [`Client`], a [`Reconnecting`] client, or a shared one of these.
pub trait Caller {
    /// Runs `call` with a client and the configured time for a call. May run it again with another
    /// client if that is safe.
    fn carry<R>(
        &self,
        repeatable: bool,
        call: impl Fn(&Client, Option<Duration>) -> Result<R, CallError>,
    ) -> Result<R, CallError>;

    /// Calls a method and waits for its result.
    fn call_method<A, R>(&self, method: MethodName, argument: &A) -> Result<R, CallError>
    where
        A: Encode + ?Sized,
        R: DecodeOwned,
    {
        self.carry(method.repeatable, |client, time| {
            client.call_within(method.name, argument, time)
        })
    }

    /// Calls a method that replies with a stream.
    fn stream_method<A, T>(&self, method: MethodName, argument: &A) -> Result<Stream<T>, CallError>
    where
        A: Encode + ?Sized,
        T: DecodeOwned,
    {
        self.carry(method.repeatable, |client, time| {
            client.stream(method.name, argument, time)
        })
    }
}

impl Caller for Client {
    fn carry<R>(
        &self,
        _: bool,
        call: impl Fn(&Client, Option<Duration>) -> Result<R, CallError>,
    ) -> Result<R, CallError> {
        call(self, self.default_time())
    }
}

impl Caller for Reconnecting {
    fn carry<R>(
        &self,
        repeatable: bool,
        call: impl Fn(&Client, Option<Duration>) -> Result<R, CallError>,
    ) -> Result<R, CallError> {
        self.with_client(repeatable, call)
    }
}

/// Shared callers.
macro_rules! shared_caller {
    ($($shared:ty)*) => { $(
        impl<C: Caller> Caller for $shared {
            fn carry<R>(
                &self,
                repeatable: bool,
                call: impl Fn(&Client, Option<Duration>) -> Result<R, CallError>,
            ) -> Result<R, CallError> {
                (**self).carry(repeatable, call)
            }
        }
    )* };
}

shared_caller! { &C Arc<C> }
