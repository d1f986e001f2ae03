//! Backends and pools for the tests.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use groundwire::http::{ExchangeError, Limits, Request, Response, ServerExchange};
use groundwire::net::{Conn, Deadline, Destination};
use groundwire::proxy::backend::Member;
use groundwire::proxy::config::PoolConfig;
use groundwire::proxy::health::State;
use groundwire::proxy::{Pool, Standing};
use groundwire::server::{Config, End, Running, Session};
use groundwire::telemetry::Log;

use crate::support::{PATIENCE, serve};

/// A backend whose answers have the status that a test sets, and that counts requests.
pub struct Origin {
    pub address: String,
    pub status: Arc<AtomicU16>,
    pub asked: Arc<AtomicUsize>,
    server: Running,
}

impl Origin {
    pub fn new() -> Self {
        let (status, asked) = (Arc::new(AtomicU16::new(200)), Arc::new(AtomicUsize::new(0)));
        let (said, count) = (status.clone(), asked.clone());
        let (server, address) = serve(Config::default(), move |conn: &Conn, _: &Session<'_>| {
            answer(conn, |_| {
                count.fetch_add(1, Ordering::Relaxed);
                Response::status(said.load(Ordering::Relaxed))
            })
        });
        Self {
            address,
            status,
            asked,
            server,
        }
    }

    pub fn stop(self) {
        self.server.stop().unwrap();
    }
}

/// Serves a connection's requests.
pub fn answer(conn: &Conn, reply: impl Fn(&Request) -> Response) -> io::Result<End> {
    conn.set_deadline(Deadline::after(PATIENCE));
    let mut exchange = ServerExchange::new(conn.clone(), Limits::default());
    let mut serve = || -> Result<(), ExchangeError> {
        while let Some(request) = exchange.next_request()? {
            exchange.respond(&reply(&request))?;
            if !exchange.keeps_alive() {
                break;
            }
        }
        Ok(())
    };
    serve().map_err(io::Error::from)?;
    Ok(End::Ours)
}

pub fn member(address: &str) -> Member {
    Member {
        name: address.into(),
        destination: Destination::Ip(address.parse().unwrap()),
        weight: 1,
        max: None,
        backup: false,
    }
}

pub fn pool(config: PoolConfig, addresses: &[&str]) -> Arc<Pool> {
    let members = addresses.iter().map(|address| member(address));
    Arc::new(Pool::new(config, members.collect(), Log::off()))
}

/// The backend of this name.
pub fn standing(pool: &Pool, name: &str) -> Standing {
    let mut standings = pool.standings().into_iter();
    standings
        .find(|standing| standing.backend.name() == name)
        .unwrap()
}

pub fn state(pool: &Pool, name: &str) -> State {
    standing(pool, name).state
}
