//! The nodes of a cluster, as each of them sees itself.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::thread::{self, ScopedJoinHandle};

use groundwire::cli::json::{Object, array};
use groundwire::echo::printable;
use groundwire::kv::service::NodeStatus;
use groundwire::kv::{Client, StoreError};
use groundwire::raft::NodeId;

/// One node, or an address where one is expected.
pub struct Row {
    /// Its id, if it or another node says.
    pub id: Option<NodeId>,
    /// Where it was asked.
    pub address: String,
    /// What it said.
    pub seen: Result<NodeStatus, StoreError>,
}

/// Asks the servers, then all members that they name, in rounds. One round asks all addresses known
/// so far at once, so that several silent nodes cost the time-out of one. Nodes may disagree about
/// an address, since a removed node knows old ones: a later answer replaces an earlier failure.
pub fn look_around(client: &Client, servers: &[&str]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut asked = BTreeSet::new();
    let mut to_ask: Vec<(Option<NodeId>, String)> = servers
        .iter()
        .map(|server| (None, server.to_string()))
        .collect();
    while !to_ask.is_empty() {
        to_ask.retain(|(id, address)| {
            let row = rows.iter().find(|row| id.is_some() && row.id == *id);
            row.is_none_or(|row| row.seen.is_err()) && asked.insert(address.clone())
        });
        let (round, addresses) = to_ask.drain(..).unzip::<_, _, Vec<_>, Vec<_>>();
        let seen = ask_all(client, &addresses);
        for ((named, address), seen) in round.into_iter().zip(addresses).zip(seen) {
            if let Ok(status) = &seen {
                let members = status.membership.addresses.iter();
                to_ask.extend(members.map(|(id, address)| (Some(*id), address.clone())));
            }
            let id = seen.as_ref().ok().map(|status| status.id).or(named);
            let before = rows.iter_mut().find(|row| id.is_some() && row.id == id);
            let row = Row { id, address, seen };
            match before {
                None => rows.push(row),
                Some(before) if before.seen.is_err() && row.seen.is_ok() => *before = row,
                Some(_) => {}
            }
        }
    }
    name_silent(&mut rows);
    rows.sort_by(|a, b| {
        (a.id.is_none(), a.id, &a.address).cmp(&(b.id.is_none(), b.id, &b.address))
    });
    rows
}

/// Names the silent nodes: an address that gave no answer has the id that other nodes give it.
fn name_silent(rows: &mut [Row]) {
    let seen = rows.iter().filter_map(|row| row.seen.as_ref().ok());
    let members = seen.flat_map(|status| &status.membership.addresses);
    let mut names: BTreeMap<String, NodeId> = members
        .map(|(id, address)| (address.clone(), *id))
        .collect();
    names.retain(|_, id| rows.iter().all(|row| row.id != Some(*id)));
    for row in rows.iter_mut().filter(|row| row.id.is_none()) {
        row.id = names.remove(&row.address);
    }
}

/// The most that are asked at once: more than a cluster has, but a server may name any number.
const AT_ONCE: usize = 16;

/// What each of the servers said, in their order.
fn ask_all(client: &Client, servers: &[String]) -> Vec<Result<NodeStatus, StoreError>> {
    let some = servers.chunks(AT_ONCE);
    some.flat_map(|some| ask_at_once(client, some)).collect()
}

fn ask_at_once(client: &Client, servers: &[String]) -> Vec<Result<NodeStatus, StoreError>> {
    thread::scope(|scope| {
        let ask = |server: &String| client.status(server);
        let begin = |server| {
            let thread = thread::Builder::new().name("status".into());
            (server, thread.spawn_scoped(scope, move || ask(server)))
        };
        let asking: Vec<_> = servers.iter().map(begin).collect();
        let end = |(server, asking): (_, io::Result<ScopedJoinHandle<_>>)| {
            // No thread could be started, or it panicked: ask on this one.
            let seen = asking.ok().and_then(|asking| asking.join().ok());
            seen.unwrap_or_else(|| ask(server))
        };
        asking.into_iter().map(end).collect()
    })
}

const HEAD: [&str; 9] = [
    "node", "address", "role", "term", "leader", "log", "commit", "applied", "revision",
];

/// The table, a line a node.
pub fn lines(rows: &[Row]) -> Vec<String> {
    let mut cells = vec![HEAD.map(str::to_string).to_vec()];
    cells.extend(rows.iter().map(cells_of));
    let width = |column: usize| {
        let cells = cells.iter().filter(|row| row.len() == HEAD.len());
        let widths = cells
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count());
        widths.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_string()
    };
    cells.iter().map(line).collect()
}

fn cells_of(row: &Row) -> Vec<String> {
    let id = row.id.map_or("?".into(), |id| id.to_string());
    let address = printable(row.address.as_bytes());
    match &row.seen {
        Ok(status) => vec![
            id,
            address,
            role(status),
            status.term.to_string(),
            status
                .leader
                .map_or("none".into(), |leader| leader.to_string()),
            format!("{}-{}", status.first_index, status.last_index),
            status.commit.to_string(),
            status.applied.to_string(),
            status.revision.to_string(),
        ],
        Err(error) => vec![id, address, printable(error.to_string().as_bytes())],
    }
}

fn role(status: &NodeStatus) -> String {
    let members = &status.membership;
    if !members.contains(status.id) {
        return "no member".into();
    }
    match members.learners.contains(&status.id) {
        true => "learner".into(),
        false => printable(status.role.as_bytes()),
    }
}

/// The same as JSON: an array with an object a node.
pub fn json(rows: &[Row]) -> String {
    array(rows.iter().map(|row| {
        let object = match row.id {
            Some(id) => Object::new().number("node", id),
            None => Object::new().value("node", "null"),
        };
        let object = object.text("address", &row.address);
        match &row.seen {
            Err(error) => object.text("error", error).end(),
            Ok(status) => {
                let object = object
                    .text("role", role(status))
                    .number("term", status.term);
                let object = match status.leader {
                    Some(leader) => object.number("leader", leader),
                    None => object.value("leader", "null"),
                };
                let members = &status.membership;
                let ids = |ids: &BTreeSet<NodeId>| array(ids.iter().map(u64::to_string));
                object
                    .number("first_index", status.first_index)
                    .number("last_index", status.last_index)
                    .number("commit", status.commit)
                    .number("applied", status.applied)
                    .number("revision", status.revision)
                    .number("bytes", status.bytes)
                    .value("voters", ids(&members.voters))
                    .value("outgoing", ids(&members.outgoing))
                    .value("learners", ids(&members.learners))
                    .end()
            }
        }
    }))
}
