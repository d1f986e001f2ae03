//! The stop about the load balancer: three backends behind one address; one of them is killed.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

use groundwire::http::{ClientExchange, Limits, Request};
use groundwire::net::{self, Conn, Deadline, Network};
use groundwire::origin::{Origin, OriginConfig};
use groundwire::proxy::LoadBalancer;
use groundwire::proxy::config::Config;
use groundwire::server::{self, Running, Server, Stopper};
use groundwire::telemetry::Registry;

use super::stops::{PATIENCE, Result, Told, ensure};
use super::wire;

const NAMES: [&str; 3] = ["b1", "b2", "b3"];
/// How many requests are sent while all three are up, and how many after one is down.
const BEFORE: usize = 9;
const AFTER: usize = 21;
/// A request with two lengths: recipients may disagree where it ends.
const AMBIGUOUS: &[u8] = b"POST / HTTP/1.1\r\nHost: tour\r\nContent-Length: 4\r\n\
                           Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n";

pub fn balancer() -> Result<Told> {
    let mut backends = Vec::new();
    let mut lines = "listen 127.0.0.1:0\n".to_string();
    for name in NAMES {
        let (running, address) = backend(name)?;
        lines.push_str(&format!("backend http://{address}\n"));
        backends.push(running);
    }
    let config = Config::parse("tour", &lines, &mut |_| Err("there is no file".into()));
    let config = config.map_err(|problems| format!("{problems:?}"))?;
    let balancer = LoadBalancer::bind(config, server::Config::default())?;
    let (bound, current) = (balancer.bound(), balancer.current());
    let (_, address) = bound.first().ok_or("no address")?;
    let address = address.to_string();
    let stopper = Stopper::new();
    let watched = stopper.clone();
    let run = move || {
        balancer
            .run(&watched, &Registry::new())
            .map(|totals| totals.to_string())
    };
    let running = thread::Builder::new().spawn(run)?;

    let tap = wire::tap(&address)?;
    let mut client = ClientExchange::new(connect(&tap.address)?, Limits::default());
    let before = ask(&mut client, BEFORE)?;
    backends.remove(1).stop()?; // and with it every connection that the balancer keeps to it
    let after = ask(&mut client, AFTER)?;
    let refused = refusal(&address)?;
    let setup = current.get();
    let pool = setup.pools.first().ok_or("no pool")?;
    let standings = pool.standings();
    let retries: u64 = standings
        .iter()
        .map(|s| s.backend.counts.retries.get())
        .sum();
    let states: Vec<String> = standings.iter().map(|s| s.state.to_string()).collect();
    drop(client);
    tap.stop()?;
    stopper.stop();
    let totals = running.join().map_err(|_| "the balancer panicked")??;

    ensure(
        before.values().all(|&count| count == BEFORE / 3),
        "the turns are uneven",
    )?;
    ensure(!after.contains_key("b2"), "the dead backend has answered")?;
    ensure(
        states == ["up", "ejected", "up"],
        "the dead backend was not ejected",
    )?;
    let lines = vec![
        format!("{BEFORE} requests on one connection: {}", tally(&before)),
        "b2 is killed".into(),
        format!(
            "{AFTER} more on the same connection: {}; none failed",
            tally(&after)
        ),
        format!("{retries} of them went to b2 first, and on to another; now b2 is ejected"),
        format!("a request with two ends: {refused}"),
        format!("the balancer says: {totals}"),
    ];
    Ok(Told {
        lines,
        read: "src/proxy/mod.rs, handler.rs, forward.rs; docs/load-balancer.md",
    })
}

/// A backend that says its name in the field X-Backend, and cuts its connections when it stops.
fn backend(name: &str) -> Result<(Running, String)> {
    let listener = net::listen(Network::Tcp, "127.0.0.1:0")?;
    let address = listener.local_addr().to_string();
    let origin = Origin::new(OriginConfig {
        name: name.into(),
        ..OriginConfig::default()
    });
    let config = server::Config {
        drain: Duration::ZERO,
        ..server::Config::default()
    };
    Ok((Server::new(config, origin).start(listener)?, address))
}

fn connect(address: &str) -> Result<Conn> {
    let conn = net::dial(Network::Tcp, address)?;
    conn.set_read_deadline(Deadline::after(PATIENCE));
    Ok(conn)
}

/// Sends `count` requests, each of which must be answered with 200; returns the counts by backend.
fn ask(client: &mut ClientExchange<Conn>, count: usize) -> Result<BTreeMap<String, usize>> {
    let mut answers = BTreeMap::new();
    for _ in 0..count {
        client.send(&Request::new("GET", "/status/200", "tour"))?;
        let response = client.receive("GET", 1024)?;
        ensure(response.status == 200, "a request has failed")?;
        let name = response.fields.text("X-Backend").ok_or("who was that?")?;
        *answers.entry(name.to_string()).or_default() += 1;
    }
    Ok(answers)
}

fn tally(answers: &BTreeMap<String, usize>) -> String {
    let counts = answers
        .iter()
        .map(|(name, count)| format!("{count} by {name}"));
    counts.collect::<Vec<_>>().join(", ")
}

/// The reply to a request that no intermediary should forward. The balancer then closes.
fn refusal(address: &str) -> Result<String> {
    let mut conn = connect(address)?;
    conn.write_all(AMBIGUOUS)?;
    let mut reply = String::new();
    conn.read_to_string(&mut reply)?;
    ensure(reply.starts_with("HTTP/1.1 400 "), "it was passed on")?;
    Ok(reply.lines().next().unwrap_or_default().into())
}
