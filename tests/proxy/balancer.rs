//! The load balancer in this process, and as a program.

use std::sync::Arc;
use std::thread;

use groundwire::proxy::config::Config;
use groundwire::proxy::{Current, LoadBalancer, Standing, reload};
use groundwire::server::{self, Stopper};
use groundwire::telemetry::{Format, Level, Log, Registry};

use crate::client::Client;
use crate::plain::Plain;
use crate::scripted::Backend;
use crate::support::{Kept, eventually};

/// A load balancer that stops when it is dropped.
pub struct Balancer {
    pub address: String,
    pub current: Arc<Current>,
    stopper: Stopper,
    thread: Option<thread::JoinHandle<()>>,
}

/// What these lines say; a short drain is added, and a listener if they name none.
pub fn config(lines: &str) -> Config {
    let listens = lines.lines().any(|line| line.starts_with("listen "));
    let listen = if listens { "" } else { "listen 127.0.0.1:0\n" };
    let text = format!("{listen}drain 2s\n{lines}");
    Config::parse("test", &text, &mut |_| Err("no includes".into())).unwrap()
}

impl Balancer {
    /// Serves what these lines say.
    pub fn start(lines: &str) -> Self {
        Self::of(config(lines))
    }

    /// Serves this.
    pub fn of(config: Config) -> Self {
        let balancer = LoadBalancer::bind(config, server::Config::default()).unwrap();
        let address = balancer.bound()[0].1.to_string();
        let (current, stopper) = (balancer.current(), Stopper::new());
        let stop = stopper.clone();
        let thread =
            thread::spawn(move || balancer.run(&stop, &Registry::new()).map(drop).unwrap());
        Self {
            address,
            current,
            stopper,
            thread: Some(thread),
        }
    }

    /// In front of these backends, with these lines besides.
    pub fn before<'a>(backends: impl IntoIterator<Item = &'a Backend>, lines: &str) -> Self {
        let names: String = backends.into_iter().map(Backend::line).collect();
        Self::start(&format!("{names}{lines}"))
    }

    pub fn reload(&self, lines: &str) {
        reload(&self.current, config(lines), &Log::off()).unwrap();
    }

    /// What the log says of a reload.
    pub fn told_of_reload(&self, lines: &str) -> String {
        let kept = Kept::default();
        let log = Log::to_writer(Level::Info, Format::Text, Box::new(kept.clone()));
        reload(&self.current, config(lines), &log).unwrap();
        kept.text()
    }

    /// A connection to it.
    pub fn client(&self) -> Client {
        Client::to(&self.address)
    }

    /// The answer to a GET on a connection of its own.
    pub fn get(&self, path: &str) -> Plain {
        let mut client = self.client();
        client.say(format!(
            "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        ));
        client.answer("GET")
    }

    /// How the backends of the only pool are.
    pub fn standings(&self) -> Vec<Standing> {
        self.current.get().pools[0].standings()
    }

    /// How many requests wait in line.
    pub fn waiting(&self) -> usize {
        self.current.get().pools[0].waiting()
    }

    /// How many requests are under way at the backends.
    pub fn active(&self) -> u32 {
        self.standings()
            .iter()
            .map(|standing| standing.active)
            .sum()
    }

    /// Waits until the requests have ended on this side, too: what was kept of them can be used. A
    /// client has its answer a moment before.
    pub fn rests(&self) {
        eventually("nothing is under way", || self.active() == 0);
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.stopper.stop();
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}
