//! Which server to ask, and the connections.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::ClientConfig;
use crate::kv::service::KvClient;
use crate::net::{Deadline, Dialer, Network};
use crate::rpc::{self, CallError, Caller};

/// Connections to one server that are kept for the next call.
const IDLE: usize = 256;

/// Which server to ask next.
#[derive(Debug)]
pub(super) struct Route {
    servers: Vec<String>,
    state: Mutex<Choice>,
}

#[derive(Debug, Default)]
struct Choice {
    /// The leader, as the last answer named it.
    leader: Option<String>,
    /// Which of the servers to ask while no leader is known.
    turn: usize,
}

impl Route {
    pub(super) fn new(servers: Vec<String>) -> Self {
        Self {
            servers,
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Choice> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn server(&self) -> String {
        let choice = self.lock();
        let turn = choice.turn.checked_rem(self.servers.len()).unwrap_or(0);
        let named = choice.leader.as_ref().or(self.servers.get(turn));
        named.cloned().unwrap_or_default()
    }

    /// This server is said to lead.
    pub(super) fn lead(&self, server: &str) {
        self.lock().leader = Some(server.to_string());
    }

    /// This server was asked in vain: ask the next, unless another thread has moved on already.
    pub(super) fn pass(&self, server: &str) {
        let mut choice = self.lock();
        let turn = choice.turn.checked_rem(self.servers.len()).unwrap_or(0);
        match &choice.leader {
            Some(leader) if leader == server => choice.leader = None,
            Some(_) => return,
            None => {}
        }
        if self.servers.get(turn).is_some_and(|next| next == server) {
            choice.turn = turn + 1;
        }
    }

    /// No leader is known any more.
    pub(super) fn forget(&self) {
        self.lock().leader = None;
    }
}

/// Connections, one for each call in flight.
#[derive(Debug)]
pub(super) struct Connections {
    dialer: Dialer,
    config: rpc::ClientConfig,
    idle: Mutex<BTreeMap<String, Vec<rpc::Client>>>,
}

/// A connection, and the deadline of a call on it.
pub(in crate::kv) struct Timed<'a> {
    client: &'a rpc::Client,
    time: Option<Duration>,
}

impl Caller for Timed<'_> {
    fn carry<R>(
        &self,
        _: bool,
        call: impl Fn(&rpc::Client, Option<Duration>) -> Result<R, CallError>,
    ) -> Result<R, CallError> {
        call(self.client, self.time)
    }
}

impl Connections {
    pub(super) fn new(config: &ClientConfig) -> Self {
        Self {
            dialer: Dialer {
                timeout: Some(config.dial_timeout),
                unacknowledged: Some(config.try_time),
                ..Dialer::default()
            },
            config: rpc::ClientConfig {
                secret: config.secret.clone(),
                write_timeout: config.try_time,
                ..rpc::ClientConfig::default()
            },
            idle: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<rpc::Client>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call to a server, until a deadline. The connection is kept if the call has ended; if
    /// the call was given up, it is not, because the server is still busy with it.
    pub(super) fn call<R>(
        &self,
        server: &str,
        by: Deadline,
        call: impl Fn(&KvClient<Timed<'_>>) -> Result<R, CallError>,
    ) -> Result<R, CallError> {
        let client = self.take(server, by)?;
        let time = by.remaining();
        let result = call(&KvClient(Timed {
            client: &client,
            time,
        }));
        if result.is_ok() {
            let mut idle = self.lock();
            let kept = idle.entry(server.to_string()).or_default();
            if kept.len() < IDLE {
                kept.push(client);
            }
        }
        result
    }

    fn take(&self, server: &str, by: Deadline) -> Result<rpc::Client, CallError> {
        loop {
            let idle = self.lock().get_mut(server).and_then(Vec::pop);
            match idle {
                Some(client) if client.is_usable() => return Ok(client),
                Some(_) => {}
                None => break,
            }
        }
        let mut dialer = self.dialer.clone();
        let left = by.remaining().unwrap_or(Duration::MAX);
        dialer.timeout = dialer.timeout.map(|timeout| timeout.min(left));
        let failed = |why| CallError::Disconnected { why, sent: false };
        let dialled = dialer.dial(Network::Tcp, server);
        let conn = dialled.map_err(|error| failed(error.to_string()))?;
        rpc::Client::over_by(conn, self.config.clone(), by)
    }
}
