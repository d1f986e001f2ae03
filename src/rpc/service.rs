//! What a server offers: services of named methods, and what a method sees of its call.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::failure::Failure;
use super::link::{CallState, Link};
use super::message::Push;
use super::server::ServerConfig;
use super::sink::Sink;
use crate::net::{Addr, Deadline};
use crate::server::caught;
use crate::telemetry::{Counter, Histogram};
use crate::wire::{DecodeOwned, Encode, ErrorKind, Frames, Limits, decode_within};

/// How a method is run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// It may take long, or wait, so it runs on a worker thread. Otherwise it runs on the thread
    /// that reads its connection. That saves the switch of threads (most of a quick call's time),
    /// but the calls after it wait.
    pub slow: bool,
    /// Running it twice does no harm. So a client may repeat it when a connection broke and it is
    /// not known whether the method was run.
    pub repeatable: bool,
    /// It replies with a stream of items; it also runs on a worker thread.
    pub stream: bool,
}

type Run = dyn Fn(&Call<'_>, &[u8], &mut Answer<'_>) -> Result<(), Failure> + Send + Sync;

/// One method of a service.
pub struct Method {
    /// `Service.Method`.
    pub name: String,
    /// How it is run.
    pub traits: Traits,
    pub(super) stats: Arc<MethodStats>,
    run: Box<Run>,
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Method({} {:?})", self.name, self.traits)
    }
}

/// The counts of a method.
#[derive(Debug, Default)]
pub struct MethodStats {
    /// How long its calls took, in nanoseconds; this also counts them.
    pub time: Arc<Histogram>,
    /// Calls that ended in a failure.
    pub failed: Counter,
    /// Calls that were not run, because too many were in flight or waiting.
    pub refused: Counter,
}

/// What a method sees of its call.
pub struct Call<'a> {
    pub(super) peer: &'a Addr,
    pub(super) deadline: Deadline,
    pub(super) limits: Limits,
    /// For calls on a worker: how they learn that they are cancelled.
    pub(super) running: Option<Running<'a>>,
}

/// A call on a worker.
#[derive(Clone, Copy)]
pub(super) struct Running<'a> {
    /// `None` if the call wants no reply.
    pub(super) id: Option<u64>,
    pub(super) link: &'a Link,
    pub(super) state: &'a CallState,
}

impl Call<'_> {
    /// The caller's address.
    pub fn peer(&self) -> &Addr {
        self.peer
    }

    /// When the caller stops waiting.
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// Whether the call is cancelled: the caller cancelled it, its time is over, or its connection
    /// ended. A method that takes long checks this between two steps.
    pub fn is_cancelled(&self) -> bool {
        self.running
            .is_some_and(|running| running.state.is_cancelled())
            || self.deadline.passed()
    }

    /// Waits for `time`. If the call is cancelled, ends early with a failure.
    pub fn wait(&self, time: Duration) -> Result<(), Failure> {
        let until = Deadline::after(time);
        match self.running {
            Some(running) => running.state.wait_cancelled(until.earlier(self.deadline)),
            None => return Err(Failure::Refused("only a slow method can wait".into())),
        }
        if self
            .running
            .is_some_and(|running| running.state.is_cancelled())
        {
            return Err(Failure::Cancelled);
        }
        if !until.passed() {
            return Err(Failure::DeadlineExceeded);
        }
        Ok(())
    }
}

/// Where a method's result goes.
pub(super) struct Answer<'a> {
    pub(super) frames: &'a mut Frames,
    /// `None` if the call wants no reply.
    pub(super) id: Option<u64>,
}

impl Answer<'_> {
    /// Answers with a failure.
    pub(super) fn refuse(&mut self, failure: &Failure) {
        if let Some(id) = self.id {
            self.frames.failed(id, failure);
        }
    }

    fn value<T: Encode + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        let Some(id) = self.id else { return Ok(()) };
        self.frames
            .reply(id, value)
            .map_err(|error| match error.kind {
                ErrorKind::MessageTooLong { .. } => {
                    Failure::TooLarge(format!("the result: {error}"))
                }
                _ => Failure::Refused(format!("the result cannot be sent: {error}")),
            })
    }
}

impl Method {
    /// Runs a call, and adds its reply or its failure to the frames. A panic is caught and logged.
    pub(super) fn carry_out(
        &self,
        call: &Call<'_>,
        argument: &[u8],
        answer: &mut Answer<'_>,
        config: &ServerConfig,
    ) {
        let begun = answer.frames.len();
        let failure = match caught(|| (self.run)(call, argument, answer)) {
            Ok(Ok(())) => return,
            Ok(Err(failure)) => failure,
            Err(_) => {
                // The message of the panic is on standard error already, without the peer.
                let fields: [(&str, &dyn fmt::Display); 2] =
                    [("method", &self.name), ("peer", call.peer)];
                config.log.error(&config.name, "method panicked", &fields);
                Failure::Panicked
            }
        };
        self.stats.failed.inc();
        // After a panic, frames may hold a reply: its result may panic when it is dropped.
        answer.frames.truncate(begun);
        answer.refuse(&failure);
    }
}

/// A named group of methods.
///
/// The [`rpc_service!`](crate::rpc_service!) macro makes one from a declaration that the client
/// shares. Without the macro:
///
/// ```
/// use groundwire::rpc::{Service, Traits};
///
/// let text = Service::new("Text")
///     .method("Upper", Traits::default(), |_, text: String| Ok(text.to_uppercase()));
/// ```
#[derive(Debug)]
pub struct Service {
    name: String,
    methods: Vec<Method>,
}

impl Service {
    /// A service without methods. The name is the part before the dot of `Service.Method`.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            methods: Vec::new(),
        }
    }

    /// Adds a method. `A` is the argument, a tuple for several; `R` the result.
    pub fn method<A, R, F>(mut self, name: &str, traits: Traits, run: F) -> Self
    where
        A: DecodeOwned,
        R: Encode,
        F: Fn(&Call<'_>, A) -> Result<R, Failure> + Send + Sync + 'static,
    {
        self.add(name, traits, move |call, argument, answer| {
            let argument = read_argument(argument, call)?;
            let result = run(call, argument)?;
            answer.value(&result)
        });
        self
    }

    /// Adds a method that replies with a stream. It sends its items to the sink, which waits while
    /// the caller has as many as it accepts.
    pub fn stream<A, T, F>(mut self, name: &str, traits: Traits, run: F) -> Self
    where
        A: DecodeOwned,
        T: Encode,
        F: Fn(&Call<'_>, A, &mut Sink<'_, T>) -> Result<(), Failure> + Send + Sync + 'static,
    {
        let traits = Traits {
            stream: true,
            ..traits
        };
        self.add(name, traits, move |call, argument, answer| {
            let argument = read_argument(argument, call)?;
            let wanted = call
                .running
                .and_then(|running| Some((running.id?, running)));
            let Some((id, running)) = wanted else {
                return Err(Failure::Refused("a stream wants a reply".into()));
            };
            run(call, argument, &mut Sink::new(id, running, call.deadline))?;
            answer.value(&())
        });
        self
    }

    fn add(
        &mut self,
        name: &str,
        traits: Traits,
        run: impl Fn(&Call<'_>, &[u8], &mut Answer<'_>) -> Result<(), Failure> + Send + Sync + 'static,
    ) {
        self.methods.push(Method {
            name: format!("{}.{name}", self.name),
            traits,
            stats: Arc::default(),
            run: Box::new(run),
        });
    }
}

fn read_argument<A: DecodeOwned>(argument: &[u8], call: &Call<'_>) -> Result<A, Failure> {
    decode_within(argument, call.limits).map_err(|error| Failure::BadArgument(error.to_string()))
}

/// The services of a server, by name.
#[derive(Debug, Default)]
pub(super) struct Router {
    methods: HashMap<String, Arc<Method>>,
    services: Vec<String>,
}

impl Router {
    pub(super) fn new(services: Vec<Service>) -> Self {
        let mut router = Self::default();
        for service in services {
            router.services.push(service.name);
            for method in service.methods {
                let name = method.name.clone();
                let before = router.methods.insert(name.clone(), Arc::new(method));
                assert!(before.is_none(), "two methods are called {name}");
            }
        }
        router
    }

    pub(super) fn find(&self, name: &str) -> Result<&Arc<Method>, Failure> {
        self.methods.get(name).ok_or_else(|| {
            let service = name.split('.').next().unwrap_or_default();
            match self.services.iter().any(|known| known == service) {
                true => Failure::UnknownMethod(name.into()),
                false => Failure::UnknownService(service.into()),
            }
        })
    }

    /// All methods, by name.
    pub(super) fn methods(&self) -> Vec<&Arc<Method>> {
        let mut all: Vec<_> = self.methods.values().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }
}
