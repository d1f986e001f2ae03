//! The nodes of a cluster, as each of them sees itself.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::thread;

use groundwire::cli::json::{Object, array};
use groundwire::echo::printable;
use groundwire::kv::service::NodeStatus;
use groundwire::kv::{Client, StoreError};
use groundwire::raft::NodeId;

/// One node, or an address where one should be.
pub struct Row {
    /// Who it is, if somebody knows.
    pub id: Option<NodeId>,
    /// Where it was asked.
    pub address: String,
    /// What it said.
    pub seen: Result<NodeStatus, StoreError>,
}

/// Asks the servers, and all members that they name: those that are known at one time at once, so
/// that silent ones cost the time of one.
pub fn look_around(client: &Client, servers: &[&str]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut asked = BTreeSet::new();
    let mut to_ask: Vec<(Option<NodeId>, String)> = servers
        .iter()
        .map(|server| (None, server.to_string()))
        .collect();
    while !to_ask.is_empty() {
        to_ask.retain(|(id, address)| {
            let known = id.is_some() && rows.iter().any(|row| row.id == *id);
            !known && asked.insert(address.clone())
        });
        let (round, addresses) = to_ask.drain(..).unzip::<_, _, Vec<_>, Vec<_>>();
        let seen = ask_all(client, &addresses);
        for (index, seen) in seen {
            if let Ok(status) = &seen {
                let members = status.membership.addresses.iter();
                to_ask.extend(members.map(|(id, address)| (Some(*id), address.clone())));
            }
            let named = round.get(index).copied().flatten();
            let id = seen.as_ref().ok().map(|status| status.id).or(named);
            let known = id.is_some() && rows.iter().any(|row| row.id == id);
            let address = addresses.get(index).cloned().unwrap_or_default();
            if !known {
                rows.push(Row { id, address, seen });
            }
        }
    }
    rows.sort_by(|a, b| {
        (a.id.is_none(), a.id, &a.address).cmp(&(b.id.is_none(), b.id, &b.address))
    });
    rows
}

/// What each of the servers said, by its place among them.
fn ask_all(client: &Client, servers: &[String]) -> Vec<(usize, Result<NodeStatus, StoreError>)> {
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        for (index, server) in servers.iter().enumerate() {
            let tell = tell.clone();
            let ask = move || {
                let _ = tell.send((index, client.status(server))); // `told` outlives the threads
            };
            let thread = thread::Builder::new().name("status".into());
            // Without a thread to be had, one after the other.
            if thread.spawn_scoped(scope, ask.clone()).is_err() {
                ask();
            }
        }
    });
    drop(tell);
    told.into_iter().collect()
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
                let voters = status.membership.voters.iter().map(u64::to_string);
                object
                    .number("first_index", status.first_index)
                    .number("last_index", status.last_index)
                    .number("commit", status.commit)
                    .number("applied", status.applied)
                    .number("revision", status.revision)
                    .number("bytes", status.bytes)
                    .value("voters", array(voters))
                    .end()
            }
        }
    }))
}
