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

/// Carries calls: one [`Client`], or a [`Reconnecting`] one.
pub trait Caller {
    /// Calls a method and waits for its result; `time` is the most it may take, where it is not
    /// the configured one.
    fn call_method<A, R>(
        &self,
        method: MethodName,
        argument: &A,
        time: Option<Duration>,
    ) -> Result<R, CallError>
    where
        A: Encode + ?Sized,
        R: DecodeOwned;

    /// Calls a method that answers with a stream.
    fn stream_method<A, T>(
        &self,
        method: MethodName,
        argument: &A,
        time: Option<Duration>,
    ) -> Result<Stream<T>, CallError>
    where
        A: Encode + ?Sized,
        T: DecodeOwned;
}

impl Caller for Client {
    fn call_method<A, R>(
        &self,
        method: MethodName,
        argument: &A,
        time: Option<Duration>,
    ) -> Result<R, CallError>
    where
        A: Encode + ?Sized,
        R: DecodeOwned,
    {
        self.call_within(method.name, argument, time.or(self.default_time()))
    }

    fn stream_method<A, T>(
        &self,
        method: MethodName,
        argument: &A,
        time: Option<Duration>,
    ) -> Result<Stream<T>, CallError>
    where
        A: Encode + ?Sized,
        T: DecodeOwned,
    {
        self.stream(method.name, argument, time.or(self.default_time()))
    }
}

impl Caller for Reconnecting {
    fn call_method<A, R>(
        &self,
        method: MethodName,
        argument: &A,
        time: Option<Duration>,
    ) -> Result<R, CallError>
    where
        A: Encode + ?Sized,
        R: DecodeOwned,
    {
        let time = time.or(self.default_time());
        self.with_client(method.repeatable, time, |client, left| {
            client.call_within(method.name, argument, left)
        })
    }

    fn stream_method<A, T>(
        &self,
        method: MethodName,
        argument: &A,
        time: Option<Duration>,
    ) -> Result<Stream<T>, CallError>
    where
        A: Encode + ?Sized,
        T: DecodeOwned,
    {
        let time = time.or(self.default_time());
        self.with_client(method.repeatable, time, |client, left| {
            client.stream(method.name, argument, left)
        })
    }
}

/// Shared callers.
macro_rules! shared_caller {
    ($($shared:ty)*) => { $(
        impl<C: Caller> Caller for $shared {
            fn call_method<A, R>(
                &self,
                method: MethodName,
                argument: &A,
                time: Option<Duration>,
            ) -> Result<R, CallError>
            where
                A: Encode + ?Sized,
                R: DecodeOwned,
            {
                (**self).call_method(method, argument, time)
            }

            fn stream_method<A, T>(
                &self,
                method: MethodName,
                argument: &A,
                time: Option<Duration>,
            ) -> Result<Stream<T>, CallError>
            where
                A: Encode + ?Sized,
                T: DecodeOwned,
            {
                (**self).stream_method(method, argument, time)
            }
        }
    )* };
}

shared_caller! { &C Arc<C> }
