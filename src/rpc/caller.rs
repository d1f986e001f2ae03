//! Whoever can carry a call to a server: what a stub is made over.

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
    /// Running it twice is as good as once.
    pub repeatable: bool,
}

/// Carries calls: one [`Client`], a [`Reconnecting`] one, or what shares one of them.
pub trait Caller {
    /// Runs `call` with a client and the time that it may take, as configured. Perhaps again
    /// with another client, where that is safe.
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

    /// Calls a method that answers with a stream.
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
