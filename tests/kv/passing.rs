//! Whom the client asks when a node answers that it cannot.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use groundwire::kv::command::{Changes, KeyValue, Keys, Page, Revision};
use groundwire::kv::service::{KvService, NodeStatus, Problem};
use groundwire::kv::{Client, ClientConfig, Store, StoreError};
use groundwire::net::{self, Network};
use groundwire::raft::sessions::{Answer as Session, Request};
use groundwire::raft::{Command, Index, NodeId};
use groundwire::rpc::{Call, Failure, RpcHandler, ServerConfig};
use groundwire::server::{Config, Running, Server};
use groundwire::wire;

/// A node that answers a `get` with this, begins sessions that it knows no more when they are used,
/// and does nothing else at all. It counts the sessions.
struct Fake(Result<Option<KeyValue>, Problem>, Arc<AtomicU64>);

type Answer<T> = Result<Result<T, Problem>, Failure>;

fn cannot<T>() -> Answer<T> {
    Ok(Err(Problem::Never("it is a fake".into())))
}

impl KvService for Fake {
    fn propose(&self, _: &Call<'_>, request: Command) -> Answer<Vec<u8>> {
        let answer = match wire::decode(request.bytes()) {
            Ok(Request::Register) => Session::Registered(self.1.fetch_add(1, Ordering::SeqCst)),
            _ => Session::NoSession,
        };
        Ok(Ok(wire::encode(&answer).unwrap()))
    }
    fn get(&self, _: &Call<'_>, _: Vec<u8>) -> Answer<Option<KeyValue>> {
        Ok(self.0.clone())
    }
    fn list(&self, _: &Call<'_>, _: Vec<u8>, _: Option<Vec<u8>>, _: u64) -> Answer<Page> {
        cannot()
    }
    fn changes(&self, _: &Call<'_>, _: Keys, _: Revision, _: u64) -> Answer<Changes> {
        cannot()
    }
    fn status(&self, _: &Call<'_>) -> Answer<NodeStatus> {
        cannot()
    }
    fn add(&self, _: &Call<'_>, _: NodeId, _: String, _: bool) -> Answer<()> {
        cannot()
    }
    fn remove(&self, _: &Call<'_>, _: NodeId) -> Answer<()> {
        cannot()
    }
    fn transfer(&self, _: &Call<'_>, _: NodeId) -> Answer<()> {
        cannot()
    }
    fn snapshot(&self, _: &Call<'_>) -> Answer<Index> {
        cannot()
    }
}

fn start(answer: Result<Option<KeyValue>, Problem>) -> (Running, String) {
    start_counting(answer, Arc::default())
}

fn start_counting(
    answer: Result<Option<KeyValue>, Problem>,
    sessions: Arc<AtomicU64>,
) -> (Running, String) {
    let listener = net::listen(Network::Tcp, "127.0.0.1:0").unwrap();
    let address = listener.local_addr().to_string();
    let handler = RpcHandler::new(
        ServerConfig::default(),
        vec![Fake(answer, sessions).into_service()],
    );
    let server = Server::new(Config::default(), handler);
    (server.start(listener).unwrap(), address)
}

fn client(servers: &[&String]) -> Client {
    Client::new(ClientConfig {
        time: Duration::from_secs(1),
        ..ClientConfig::new(servers.iter().map(|server| server.to_string()).collect())
    })
}

/// A node whose disk is full cannot write a new leader's term, and so never follows it.
#[test]
fn a_node_that_cannot_is_passed_over() {
    let (full, one) = start(Err(Problem::NotDone("the disk is full".into())));
    let (well, other) = start(Ok(None));
    assert_eq!(client(&[&one, &other]).get(b"k"), Ok(None));
    // Where it is the only one, it is what the caller is told.
    let why = format!("{one}: the disk is full");
    assert_eq!(client(&[&one]).get(b"k"), Err(StoreError::NotDone(why)));
    full.stop().unwrap();
    well.stop().unwrap();
}

/// Each is an entry in the log of all nodes.
#[test]
fn sessions_that_are_lost_at_once_are_not_asked_for_without_a_pause() {
    let sessions = Arc::default();
    let (node, address) = start_counting(Ok(None), Arc::clone(&sessions));
    client(&[&address]).put(b"k", b"v").unwrap_err();
    let begun = sessions.load(Ordering::SeqCst);
    assert!((3..50).contains(&begun), "{begun} sessions in a second");
    node.stop().unwrap();
}
